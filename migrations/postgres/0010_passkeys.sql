-- What a person confirms with on pages, and the pages' own memory: passkeys, ceremonies under way, browser sessions.
-- Whatever a browser carries (a session's token, a ceremony's name) is kept as a keyed hash only.
CREATE TABLE passkeys (
    -- The credential's id, in hex. One credential has one owner, whoever asks.
    id        TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES people (id),
    -- The public key and counters, as the library writes them.
    data      TEXT NOT NULL,
    -- What let it in: an enrolment that was just made, another passkey.
    origin    TEXT NOT NULL,
    added_at  BIGINT NOT NULL,
    -- From when on it confirms more than a code could.
    usable_at BIGINT NOT NULL,
    used_at   BIGINT
);
CREATE INDEX passkeys_of_person ON passkeys (person_id);

-- A ceremony with a passkey, between the question to the browser and its answer. The row is deleted by the transaction that uses it,
-- so an answer counts once, on any node.
CREATE TABLE ceremonies (
    name      TEXT PRIMARY KEY,
    -- enter, add, confirm, erase.
    purpose   TEXT NOT NULL,
    person_id TEXT,
    -- What exactly it is for: an order, an enrolment's session.
    subject   TEXT NOT NULL,
    -- Of a confirmation: the digest of what the page showed (dynamic linking).
    digest    TEXT,
    state     TEXT NOT NULL,
    ends_at   BIGINT NOT NULL
);
CREATE INDEX ceremonies_by_end ON ceremonies (ends_at);

CREATE TABLE sessions (
    token      TEXT PRIMARY KEY,
    -- The token before the last rotation: two pages may have been loading at that moment.
    before     TEXT UNIQUE,
    person_id  TEXT NOT NULL REFERENCES people (id),
    passkey_id TEXT NOT NULL,
    began_at   BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL
);
CREATE INDEX sessions_of_person ON sessions (person_id);
