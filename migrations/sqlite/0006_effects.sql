-- What has to be done outside, written with the decision that caused it. The rows are the queue.
CREATE TABLE effects (
    id          TEXT PRIMARY KEY,
    -- The queue towards one outside party: dm:<platform>, bank:<bank>, operator.
    lane        TEXT NOT NULL,
    order_id    TEXT,
    data        TEXT NOT NULL,
    priority    INTEGER NOT NULL,
    due_at      INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    -- Who works on it, until when. Every later write repeats the epoch: a holder whose lease ran out changes nothing.
    lease_until INTEGER NOT NULL DEFAULT 0,
    epoch       INTEGER NOT NULL DEFAULT 0,
    state       TEXT NOT NULL DEFAULT 'pending',
    -- How it ended, for an operator: sent as, refused because.
    result      TEXT,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX effects_pending ON effects (lane, priority, due_at) WHERE state = 'pending';
CREATE INDEX effects_of_order ON effects (order_id);

-- How much of a lane's windows is used, counted before the call and never given back for an unknown outcome.
CREATE TABLE lane_uses (
    lane    TEXT NOT NULL,
    used_at INTEGER NOT NULL,
    used    INTEGER NOT NULL
) STRICT;
CREATE INDEX lane_uses_by_time ON lane_uses (lane, used_at);
