-- Public addresses that instances get when they start.

ALTER TABLE addresses ADD COLUMN automatic BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE network_interfaces ADD COLUMN auto_public BOOLEAN NOT NULL DEFAULT FALSE;

-- Managed prefix lists.
CREATE TABLE prefix_lists (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    is_ipv6 BOOLEAN NOT NULL,
    max_entries BIGINT NOT NULL CHECK (max_entries BETWEEN 1 AND 1000),
    version BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('created', 'modified', 'restored')),
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);
CREATE TABLE prefix_list_versions (
    list TEXT NOT NULL REFERENCES prefix_lists (id) DEFERRABLE INITIALLY DEFERRED,
    number BIGINT NOT NULL,
    -- Pairs of a block and a description, in JSON.
    entries TEXT NOT NULL,
    generation BIGINT NOT NULL,
    PRIMARY KEY (list, number)
);

-- Parts of subnets that are kept from automatic allocation.
CREATE TABLE subnet_cidr_reservations (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    subnet TEXT NOT NULL REFERENCES subnets (id) DEFERRABLE INITIALLY DEFERRED,
    cidr TEXT NOT NULL,
    is_prefix BOOLEAN NOT NULL,
    description TEXT,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);
