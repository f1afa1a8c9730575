-- Payees who apply on a page, and how it was proved that an account is theirs.

-- Where the entry comes from: configuration, application, claim. What a configuration does not name any more it withdraws only if it
-- brought it.
ALTER TABLE payees ADD COLUMN origin TEXT NOT NULL DEFAULT 'configuration';
-- How the account was proved: the document an operator saw, or the bank's consent.
ALTER TABLE payees ADD COLUMN proof TEXT;

CREATE TABLE applications (
    id              TEXT PRIMARY KEY,
    legal_name      TEXT NOT NULL,
    class           TEXT NOT NULL,
    registry_number TEXT,
    iban            TEXT NOT NULL,
    platform        TEXT NOT NULL,
    -- The handle as it was written, and the immutable id that the platform said it has then.
    handle          TEXT NOT NULL,
    account         TEXT NOT NULL,
    -- How the operators reach whoever applied.
    contact         TEXT NOT NULL,
    language        TEXT NOT NULL,
    -- open, accepted, refused.
    state           TEXT NOT NULL DEFAULT 'open',
    submitted_at    INTEGER NOT NULL,
    decided_at      INTEGER
) STRICT;
-- The same account applies once at a time.
CREATE UNIQUE INDEX applications_open ON applications (platform, account) WHERE state = 'open';

-- Whose name a mention is too like is looked for among all of a platform.
CREATE INDEX identities_by_handle ON payee_identities (platform, handle);
