-- What came in, each message once, and how far each stream has been read. A message's row, its order and the stream's cursor
-- are committed together: that is what makes a repeated delivery harmless and a lost one impossible.
CREATE TABLE posts (
    platform  TEXT NOT NULL,
    channel   TEXT NOT NULL,
    post_id   TEXT NOT NULL,
    native_id TEXT NOT NULL,
    author    TEXT NOT NULL,
    -- What became of it: order, rejected, answer, enrolment, command, nothing.
    outcome   TEXT NOT NULL,
    order_id  TEXT,
    seen_at   INTEGER NOT NULL,
    PRIMARY KEY (platform, channel, post_id)
) STRICT;
-- Edits and deletions name a post by the platform's short id.
CREATE INDEX posts_by_native_id ON posts (platform, native_id);

CREATE TABLE cursors (
    platform TEXT PRIMARY KEY,
    position TEXT NOT NULL,
    saved_at INTEGER NOT NULL
) STRICT;

-- When an author without a channel was last told how to open one: at most one public hint a day.
CREATE TABLE hints (
    platform TEXT NOT NULL,
    account  TEXT NOT NULL,
    hinted_at INTEGER NOT NULL,
    PRIMARY KEY (platform, account)
) STRICT;
