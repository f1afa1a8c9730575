-- Who may be paid: entries that an operator approved, their accounts on platforms, and the campaigns they collect under.
CREATE TABLE payees (
    id              TEXT PRIMARY KEY,
    -- The operator's own name for the entry, so that a configuration read twice makes one entry.
    slug            TEXT NOT NULL UNIQUE,
    legal_name      TEXT NOT NULL,
    class           TEXT NOT NULL,
    iban            TEXT NOT NULL,
    registry_number TEXT,
    frozen          BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE payee_identities (
    platform TEXT NOT NULL,
    account  TEXT NOT NULL,
    handle   TEXT NOT NULL,
    payee_id TEXT NOT NULL REFERENCES payees (id),
    PRIMARY KEY (platform, account)
);
CREATE INDEX identities_of_payee ON payee_identities (payee_id);

CREATE TABLE campaigns (
    tag        TEXT PRIMARY KEY,
    title      TEXT NOT NULL,
    payee_id   TEXT NOT NULL REFERENCES payees (id),
    goal_minor BIGINT,
    currency   TEXT
);
