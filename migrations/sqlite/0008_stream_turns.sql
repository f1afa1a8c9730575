-- Whose turn it is to read a platform's stream. Several Oboles over one database would otherwise each read all of it; what keeps a post
-- from being taken in twice is its row in posts, not this.
CREATE TABLE stream_turns (
    platform TEXT PRIMARY KEY,
    -- A word of the process, made when it starts.
    holder   TEXT NOT NULL,
    until    INTEGER NOT NULL
) STRICT;
