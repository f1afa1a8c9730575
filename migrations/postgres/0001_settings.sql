-- Facts about this store itself: whether it belongs to a sandbox, and which schema wrote it. Every start mode reads them
-- before anything else, so that play money and real money never share a file.
CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
