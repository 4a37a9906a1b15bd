-- VPC peering connections. Each outlives its VPCs for a while, and one that failed may name a VPC or an account that never was.

CREATE TABLE vpc_peering_connections (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    vpc TEXT NOT NULL,
    resolves BOOLEAN NOT NULL,
    peer_account TEXT NOT NULL,
    peer_region TEXT NOT NULL,
    peer_vpc TEXT NOT NULL,
    peer_resolves BOOLEAN NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('pending-acceptance', 'active', 'rejected', 'expired', 'deleted', 'failed')),
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    ended BIGINT,
    ended_by TEXT,
    generation BIGINT NOT NULL
);
