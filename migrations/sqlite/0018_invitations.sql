-- People who are to be paid and are not in the directory: who was invited, once and for ever, and who does not want to be.
CREATE TABLE invitations (
    platform     TEXT NOT NULL,
    account      TEXT NOT NULL,
    handle       TEXT NOT NULL,
    -- The entry that a claim will make: payments wait for it under this id.
    payee_id     TEXT NOT NULL UNIQUE,
    -- Null: never written to (they said stop before anybody named them).
    invited_at   INTEGER,
    opted_out_at INTEGER,
    PRIMARY KEY (platform, account)
) STRICT;

-- Whose an account is, as its bank said with the holder's consent. What an account is claimed with.
CREATE TABLE holders (
    bank    TEXT NOT NULL,
    iban    TEXT NOT NULL,
    name    TEXT NOT NULL,
    consent TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (bank, iban)
) STRICT;
