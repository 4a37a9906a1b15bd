-- NAT gateways. What one had may be gone while it is still to be read.

CREATE TABLE nat_gateways (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    vpc TEXT NOT NULL,
    subnet TEXT NOT NULL,
    eni TEXT NOT NULL UNIQUE,
    private_ip TEXT NOT NULL,
    allocation TEXT NOT NULL,
    public_ip TEXT NOT NULL,
    host TEXT REFERENCES hosts (name) DEFERRABLE INITIALLY DEFERRED,
    client_token TEXT,
    created BIGINT NOT NULL,
    deleted BIGINT,
    generation BIGINT NOT NULL
);
