-- Who pays: persons, their accounts on platforms and at banks, and enrolments under way.
-- Moments are microseconds since 1970, UTC, everywhere.
CREATE TABLE people (
    id                  TEXT PRIMARY KEY,
    language            TEXT NOT NULL,
    safe_phrase         TEXT NOT NULL,
    -- The cumulative low-value limits count from here (PSD2 RTS Art. 16).
    strong_confirmed_at BIGINT NOT NULL DEFAULT 0,
    created_at          BIGINT NOT NULL
);

-- The key of a person on a platform is the platform's immutable id; the handle is only what was last seen.
CREATE TABLE links (
    platform  TEXT NOT NULL,
    account   TEXT NOT NULL,
    handle    TEXT NOT NULL,
    person_id TEXT NOT NULL REFERENCES people (id),
    thread    TEXT,
    linked_at BIGINT NOT NULL,
    PRIMARY KEY (platform, account)
);
CREATE INDEX links_of_person ON links (person_id);

CREATE TABLE bank_accounts (
    person_id TEXT NOT NULL REFERENCES people (id),
    bank      TEXT NOT NULL,
    iban      TEXT NOT NULL,
    consent   TEXT,
    added_at  BIGINT NOT NULL,
    PRIMARY KEY (person_id, bank, iban)
);
-- One account may belong to two persons; its limit is one.
CREATE INDEX bank_accounts_by_iban ON bank_accounts (iban);

-- One row per browser session that enrols. The session's token and the code are kept as keyed hashes only.
CREATE TABLE enrolments (
    session     TEXT PRIMARY KEY,
    language    TEXT NOT NULL,
    safe_phrase TEXT NOT NULL,
    bank        TEXT NOT NULL,
    step        TEXT NOT NULL,
    step_data   TEXT NOT NULL,
    code_mac    TEXT UNIQUE,
    created_at  BIGINT NOT NULL
);
