-- VPCs of one's own, with what belongs to them.

ALTER TABLE vpcs ADD COLUMN blocks TEXT NOT NULL DEFAULT '';
ALTER TABLE vpcs ADD COLUMN dns_support BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE vpcs ADD COLUMN dns_hostnames BOOLEAN NOT NULL DEFAULT TRUE;
ALTER TABLE vpcs ADD COLUMN vni BIGINT;
CREATE UNIQUE INDEX vpcs_by_vni ON vpcs (vni);
ALTER TABLE subnets ADD COLUMN map_public_ip BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE network_interfaces ADD COLUMN secondary_ips TEXT NOT NULL DEFAULT '';
ALTER TABLE hosts ADD COLUMN flat_mtu BIGINT;
ALTER TABLE addresses ADD COLUMN transit BIGINT;
-- Not unique here: rows are written in the order of their keys, and what one gives up another may take at once. The same
-- goes for the VPC of an internet gateway.
CREATE INDEX addresses_by_transit ON addresses (transit);

CREATE TABLE dhcp_options (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    domain_name TEXT,
    name_servers TEXT NOT NULL,
    ntp_servers TEXT NOT NULL,
    netbios_name_servers TEXT NOT NULL,
    netbios_node_type BIGINT CHECK (netbios_node_type IN (1, 2, 4, 8)),
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE internet_gateways (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    vpc TEXT REFERENCES vpcs (id) DEFERRABLE INITIALLY DEFERRED,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE route_tables (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    vpc TEXT NOT NULL REFERENCES vpcs (id) DEFERRABLE INITIALLY DEFERRED,
    number BIGINT NOT NULL CHECK (number BETWEEN 1 AND 65535),
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    UNIQUE (vpc, number)
);

CREATE TABLE route_table_associations (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    vpc TEXT NOT NULL REFERENCES vpcs (id) DEFERRABLE INITIALLY DEFERRED,
    route_table TEXT NOT NULL REFERENCES route_tables (id) DEFERRABLE INITIALLY DEFERRED,
    -- None: the VPC's main table.
    subnet TEXT UNIQUE REFERENCES subnets (id) DEFERRABLE INITIALLY DEFERRED,
    generation BIGINT NOT NULL
);
CREATE UNIQUE INDEX route_tables_main ON route_table_associations (vpc) WHERE subnet IS NULL;

CREATE TABLE routes (
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

CREATE TABLE network_acls (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    vpc TEXT NOT NULL REFERENCES vpcs (id) DEFERRABLE INITIALLY DEFERRED,
    is_default BOOLEAN NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE network_acl_entries (
    network_acl TEXT NOT NULL REFERENCES network_acls (id) DEFERRABLE INITIALLY DEFERRED,
    direction TEXT NOT NULL CHECK (direction IN ('ingress', 'egress')),
    number BIGINT NOT NULL CHECK (number BETWEEN 1 AND 32766),
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    allow BOOLEAN NOT NULL,
    protocol TEXT NOT NULL,
    from_port BIGINT,
    to_port BIGINT,
    cidr4 TEXT NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    PRIMARY KEY (network_acl, direction, number)
);

CREATE TABLE network_acl_associations (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    network_acl TEXT NOT NULL REFERENCES network_acls (id) DEFERRABLE INITIALLY DEFERRED,
    subnet TEXT NOT NULL UNIQUE REFERENCES subnets (id) DEFERRABLE INITIALLY DEFERRED,
    generation BIGINT NOT NULL
);
