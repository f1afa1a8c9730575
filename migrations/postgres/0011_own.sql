-- What a person decides about themselves.

-- The person's own limits, below the scheme's. What was lowered holds at once; what was raised holds from `next_at`.
CREATE TABLE own_limits (
    person_id        TEXT PRIMARY KEY REFERENCES people (id),
    order_minor      BIGINT,
    day_minor        BIGINT,
    next_order_minor BIGINT,
    next_day_minor   BIGINT,
    next_at          BIGINT NOT NULL
);

-- Set when somebody says that an order was not theirs; an operator takes it away.
ALTER TABLE people ADD COLUMN locked_at BIGINT;
-- Set when the person's data was erased: what stays is what the law makes us keep about payments.
ALTER TABLE people ADD COLUMN erased_at BIGINT;

-- Which of several accounts pays: the lowest.
ALTER TABLE bank_accounts ADD COLUMN turn BIGINT NOT NULL DEFAULT 0;
UPDATE bank_accounts SET turn = added_at;

-- An enrolment that adds an account to somebody who is known.
ALTER TABLE enrolments ADD COLUMN person_id TEXT;
