-- Orders and their payments. `data` holds what only the order itself reads; the columns are what is looked up, summed or guarded.
CREATE TABLE orders (
    id          TEXT PRIMARY KEY,
    -- A write says which version it expects; another number means somebody else decided first.
    version     BIGINT NOT NULL,
    state       TEXT NOT NULL,
    -- The earliest moment at which time alone changes something.
    due_at      BIGINT,
    platform    TEXT NOT NULL,
    author      TEXT NOT NULL,
    payer_id    TEXT,
    campaign    TEXT,
    currency    TEXT NOT NULL,
    total_minor BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    data        TEXT NOT NULL,
    -- The hash of the order's newest audit line.
    audit_hash  TEXT NOT NULL
);
CREATE INDEX orders_due ON orders (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX orders_of_payer ON orders (payer_id, created_at);
CREATE INDEX orders_awaiting_payer ON orders (platform, author) WHERE state = 'awaiting_payer';
CREATE INDEX orders_of_campaign ON orders (campaign) WHERE campaign IS NOT NULL;

-- The key is made from the post alone, so the same post cannot be paid twice, whoever asks.
CREATE TABLE payments (
    key          TEXT PRIMARY KEY,
    order_id     TEXT NOT NULL REFERENCES orders (id),
    place        BIGINT NOT NULL,
    payee_id     TEXT NOT NULL,
    bank         TEXT,
    currency     TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    state        TEXT NOT NULL,
    changed_at   BIGINT NOT NULL
);
CREATE UNIQUE INDEX payments_of_order ON payments (order_id, place);
CREATE INDEX payments_of_payee ON payments (payee_id, state);

-- What is reserved against the limits of a person and of an account, one row per payment. `released_at` is set only for a
-- payment that surely was not made.
CREATE TABLE reservations (
    payment_key  TEXT PRIMARY KEY,
    order_id     TEXT NOT NULL,
    person_id    TEXT NOT NULL,
    iban         TEXT NOT NULL,
    amount_minor BIGINT NOT NULL,
    reserved_at  BIGINT NOT NULL,
    released_at  BIGINT
);
CREATE INDEX reservations_of_person ON reservations (person_id, reserved_at) WHERE released_at IS NULL;
CREATE INDEX reservations_of_account ON reservations (iban, reserved_at) WHERE released_at IS NULL;

-- One line per decision, chained by hash within its order. No text, handle, code or account number.
CREATE TABLE audit (
    order_id  TEXT NOT NULL,
    version   BIGINT NOT NULL,
    at        BIGINT NOT NULL,
    event     TEXT NOT NULL,
    detail    TEXT NOT NULL,
    hash      TEXT NOT NULL,
    PRIMARY KEY (order_id, version)
);
