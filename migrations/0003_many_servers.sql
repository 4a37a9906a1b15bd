-- Several servers on one database, and what hosts report where each of them can read it.

-- The tables that the transaction wrote to, with blanks between; '*': read everything again.
ALTER TABLE commits ADD COLUMN kinds TEXT NOT NULL DEFAULT '*';
-- A new store has a history too: that of nothing.
INSERT INTO commits (generation, tag) SELECT generation, tag FROM meta WHERE generation = 0;

-- The histories that this one came from, and itself last: a restored backup begins another.
CREATE TABLE epochs (
    epoch TEXT PRIMARY KEY,
    number BIGINT NOT NULL UNIQUE
);
INSERT INTO epochs (epoch, number) SELECT epoch, 1 FROM meta;

-- Sealed with the key file: who cannot open it has another one.
ALTER TABLE meta ADD COLUMN key_check TEXT;

-- What hosts report, outside generations. `version` grows with each batch, so that a server finds what is new to it.
CREATE TABLE reports_version (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    version BIGINT NOT NULL
);
INSERT INTO reports_version (one, version) VALUES (1, 0);
CREATE TABLE host_reports (
    host TEXT PRIMARY KEY,
    seen BIGINT NOT NULL,
    report TEXT NOT NULL,
    version BIGINT NOT NULL
);
CREATE TABLE consoles (
    instance TEXT PRIMARY KEY,
    at BIGINT NOT NULL,
    output TEXT NOT NULL,
    version BIGINT NOT NULL
);
