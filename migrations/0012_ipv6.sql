-- IPv6 in VPCs of one's own.

ALTER TABLE vpcs ADD COLUMN ipv6_blocks TEXT NOT NULL DEFAULT '';
ALTER TABLE subnets ADD COLUMN ipv6_block TEXT;
ALTER TABLE subnets ADD COLUMN assign_ipv6 BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE network_interfaces ADD COLUMN ipv6_addresses TEXT NOT NULL DEFAULT '';
-- Of either family.
ALTER TABLE network_acl_entries RENAME COLUMN cidr4 TO cidr;

CREATE TABLE ipv6_pools (
    cidr TEXT PRIMARY KEY,
    next TEXT,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE egress_only_internet_gateways (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    vpc TEXT NOT NULL REFERENCES vpcs (id) DEFERRABLE INITIALLY DEFERRED,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE ipv6_routes (
    route_table TEXT NOT NULL REFERENCES route_tables (id) DEFERRABLE INITIALLY DEFERRED,
    destination TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    -- May be gone, and the route stays as a black hole.
    next_hop TEXT NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    PRIMARY KEY (route_table, destination)
);

CREATE TABLE freed_ipv6 (
    cidr TEXT PRIMARY KEY,
    freed BIGINT NOT NULL,
    freed_at BIGINT NOT NULL,
    generation BIGINT NOT NULL
);
