-- Several hosts: what each is known by, who may serve an address, and the deployment's own authority.

-- What only this deployment has: the authority that its servers' certificates come from.
CREATE TABLE deployment (
    one TEXT PRIMARY KEY CHECK (one = 'deployment'),
    certificate TEXT NOT NULL,
    sealed_key TEXT NOT NULL,
    address_lease BIGINT NOT NULL CHECK (address_lease BETWEEN 0 AND 86400),
    generation BIGINT NOT NULL
);

-- A host's next hop on the flat segment is made of its number.
ALTER TABLE hosts ADD COLUMN number BIGINT NOT NULL DEFAULT 0;
UPDATE hosts SET number = (SELECT count(*) FROM hosts AS other WHERE other.name <= hosts.name);
CREATE UNIQUE INDEX hosts_by_number ON hosts (number);
ALTER TABLE hosts ADD COLUMN condition TEXT NOT NULL DEFAULT 'active'
    CHECK (condition IN ('active', 'drained', 'failed'));
ALTER TABLE hosts ADD COLUMN flat_mac TEXT;
ALTER TABLE hosts ADD COLUMN join_digest TEXT;
ALTER TABLE hosts ADD COLUMN join_expires BIGINT;
ALTER TABLE hosts ADD COLUMN sealed_secret TEXT;

-- Absent: each host is gateway for its own instances.
ALTER TABLE networks ADD COLUMN gateway_host TEXT REFERENCES hosts (name) DEFERRABLE INITIALLY DEFERRED;

-- Which generation freed an address: it is issued again when no host knows the one before.
ALTER TABLE freed ADD COLUMN freed_at BIGINT NOT NULL DEFAULT 0;

-- The one host that may answer for an address. `leaving` is the generation from which it must not.
CREATE TABLE claims (
    space TEXT NOT NULL,
    address TEXT NOT NULL,
    host TEXT NOT NULL REFERENCES hosts (name) DEFERRABLE INITIALLY DEFERRED,
    leaving BIGINT,
    generation BIGINT NOT NULL,
    PRIMARY KEY (space, address)
);
