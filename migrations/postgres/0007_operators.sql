-- What operators do, and what is found for them to look at.

-- One line per act that belongs to no single order (payees, limits, calls), chained by hash from first to last; acts about an order
-- stand in that order's own audit. The newest number and hash stand in `settings` too, so that a cut-off end is seen.
CREATE TABLE operator_acts (
    number   BIGINT PRIMARY KEY,
    at       BIGINT NOT NULL,
    -- The operator's name; `obole` where the service acted by itself.
    operator TEXT NOT NULL,
    act      TEXT NOT NULL,
    subject  TEXT NOT NULL,
    detail   TEXT NOT NULL,
    hash     TEXT NOT NULL
);

-- Changes of the directory or the limits that two different operators have to approve before they hold.
CREATE TABLE changes (
    id          TEXT PRIMARY KEY,
    -- What it is about; one open change for each.
    subject     TEXT NOT NULL,
    data        TEXT NOT NULL,
    proposed_at BIGINT NOT NULL,
    -- The first of the two: who proposed it, or, of a change that came with the configuration, who approved it first.
    first       TEXT,
    -- open, applied, withdrawn.
    state       TEXT NOT NULL DEFAULT 'open',
    decided_at  BIGINT
);
CREATE UNIQUE INDEX changes_open ON changes (subject) WHERE state = 'open';

-- A frozen payee is asked about: why, and since when.
ALTER TABLE payees ADD COLUMN frozen_why TEXT;
ALTER TABLE payees ADD COLUMN frozen_at BIGINT;

-- What the bank's entries say otherwise than we do. A row is a difference that was found and said once; it is not said again.
CREATE TABLE differences (
    payment_key TEXT NOT NULL,
    kind        TEXT NOT NULL,
    order_id    TEXT NOT NULL,
    payee_id    TEXT NOT NULL,
    bank        TEXT NOT NULL,
    detail      TEXT NOT NULL,
    found_at    BIGINT NOT NULL,
    PRIMARY KEY (payment_key, kind)
);

-- When the entries of an account were read last: a bank lets us do so a few times a day, and several nodes must not all do it.
CREATE TABLE statement_reads (
    bank    TEXT NOT NULL,
    iban    TEXT NOT NULL,
    read_at BIGINT NOT NULL,
    PRIMARY KEY (bank, iban)
);

-- Settled payments that were asked for once more, where a bank's entries cannot be read.
CREATE TABLE status_checks (
    payment_key TEXT PRIMARY KEY,
    checked_at  BIGINT NOT NULL
);

-- What an operator's list looks for is rare among many.
CREATE INDEX orders_held ON orders (created_at) WHERE state = 'held';
CREATE INDEX payments_uncertain ON payments (state, changed_at) WHERE state IN ('unknown', 'disputed');
-- What reconciliation looks for: the payments of an account, and what was settled at a bank.
CREATE INDEX reservations_released ON reservations (iban, reserved_at) WHERE released_at IS NOT NULL;
CREATE INDEX payments_settled ON payments (bank, changed_at) WHERE state = 'settled';
