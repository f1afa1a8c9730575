-- What a person decides about themselves.

-- The person's own limits, below the scheme's. What was lowered holds at once; what was raised holds from `next_at`.
CREATE TABLE own_limits (
    person_id        TEXT PRIMARY KEY REFERENCES people (id),
    order_minor      INTEGER,
    day_minor        INTEGER,
    next_order_minor INTEGER,
    next_day_minor   INTEGER,
    next_at          INTEGER NOT NULL
) STRICT;

-- Set when somebody says that an order was not theirs; an operator takes it away.
ALTER TABLE people ADD COLUMN locked_at INTEGER;
-- Set when the person's data was erased: what stays is what the law makes us keep about payments.
ALTER TABLE people ADD COLUMN erased_at INTEGER;

-- Which of several accounts pays: the lowest.
ALTER TABLE bank_accounts ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
UPDATE bank_accounts SET turn = added_at;

-- An enrolment that adds an account to somebody who is known.
ALTER TABLE enrolments ADD COLUMN person_id TEXT;
