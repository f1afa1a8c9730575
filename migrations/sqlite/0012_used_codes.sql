-- The keyed hash of the code that an enrolment used, so that whoever sends it again is told so instead of that nobody knows it.
ALTER TABLE enrolments ADD COLUMN used_mac TEXT;
CREATE INDEX enrolments_by_used_code ON enrolments (used_mac) WHERE used_mac IS NOT NULL;
