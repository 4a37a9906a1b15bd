-- Reachability Analyzer: the paths that are asked about, and what was found.

CREATE TABLE insights_paths (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    -- What is asked about may go while the question stays.
    source TEXT NOT NULL,
    destination TEXT,
    source_ip TEXT,
    destination_ip TEXT,
    protocol TEXT NOT NULL CHECK (protocol IN ('tcp', 'udp')),
    destination_port BIGINT CHECK (destination_port BETWEEN 0 AND 65535),
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE insights_analyses (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    path TEXT NOT NULL REFERENCES insights_paths (id) DEFERRABLE INITIALLY DEFERRED,
    found BOOLEAN NOT NULL,
    finding TEXT NOT NULL,
    started BIGINT NOT NULL,
    generation BIGINT NOT NULL
);
