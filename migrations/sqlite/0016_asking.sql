-- Asking a payer about several orders in one message, and counting wrong codes.

-- Effects of one lane that go out as one message: whoever claims one of them claims all that are due.
ALTER TABLE effects ADD COLUMN joins TEXT;
CREATE INDEX effects_joined ON effects (lane, joins) WHERE state = 'pending' AND joins IS NOT NULL;

-- Sets of orders that one code was offered for. The newest of a person is good; older ones are kept for an hour, to say that they are not.
-- The code itself is in no row: only its keyed hash is.
CREATE TABLE offered_sets (
    person_id  TEXT NOT NULL REFERENCES people (id),
    code_mac   TEXT NOT NULL,
    -- The orders' ids, as a JSON array in the order of the message.
    orders     TEXT NOT NULL,
    -- The newest has the greatest: clocks of two nodes may differ.
    number     INTEGER NOT NULL,
    offered_at INTEGER NOT NULL,
    PRIMARY KEY (person_id, code_mac)
) STRICT;

-- Wrong codes by the account that sent them: ten a day, however many orders or codes there were meanwhile.
CREATE TABLE wrong_codes (
    platform TEXT NOT NULL,
    account  TEXT NOT NULL,
    at       INTEGER NOT NULL
) STRICT;
CREATE INDEX wrong_codes_of_account ON wrong_codes (platform, account, at);
