-- What a person asks for in private besides paying: to be left alone for a time, and to be heard by somebody who is not a machine.

-- Since when the person wants no orders taken and no messages; null: not at all.
ALTER TABLE people ADD COLUMN paused_at INTEGER;

-- Who asked for a person. The call itself stands in the operators' lane, and is open as long as it does.
CREATE TABLE hand_overs (
    call_id   TEXT PRIMARY KEY,
    person_id TEXT NOT NULL REFERENCES people (id),
    opened_at INTEGER NOT NULL
) STRICT;
CREATE INDEX hand_overs_of_person ON hand_overs (person_id);

-- What the two have written since, in their order.
CREATE TABLE hand_over_lines (
    call_id TEXT NOT NULL REFERENCES hand_overs (call_id),
    number  INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    -- The operator's name; null for the person.
    operator TEXT,
    said    TEXT NOT NULL,
    PRIMARY KEY (call_id, number)
) STRICT;
