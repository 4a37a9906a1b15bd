-- A private NAT gateway has no elastic address. SQLite lets no column be null later: the table is made anew under its name.

CREATE TABLE nat_gateways_before AS SELECT * FROM nat_gateways;
DROP TABLE nat_gateways;
CREATE TABLE nat_gateways (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    vpc TEXT NOT NULL,
    subnet TEXT NOT NULL,
    eni TEXT NOT NULL UNIQUE,
    private_ip TEXT NOT NULL,
    allocation TEXT,
    public_ip TEXT,
    host TEXT REFERENCES hosts (name) DEFERRABLE INITIALLY DEFERRED,
    client_token TEXT,
    created BIGINT NOT NULL,
    deleted BIGINT,
    generation BIGINT NOT NULL,
    CHECK ((allocation IS NULL) = (public_ip IS NULL))
);
INSERT INTO nat_gateways (id, account, region, vpc, subnet, eni, private_ip, allocation, public_ip, host, client_token, created,
        deleted, generation)
    SELECT id, account, region, vpc, subnet, eni, private_ip, allocation, public_ip, host, client_token, created, deleted,
        generation
    FROM nat_gateways_before;
DROP TABLE nat_gateways_before;
