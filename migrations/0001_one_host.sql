-- The tables of Fogbank: one for each kind of row in src/world/rows.rs.
--
-- One SQL text for SQLite and Postgres: times are microseconds since 1970; addresses, ids and prefixes are text as EC2
-- writes them. `generation` is that of the transaction which wrote the row last.

CREATE TABLE meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    generation BIGINT NOT NULL,
    tag TEXT NOT NULL,
    schema BIGINT NOT NULL,
    epoch TEXT NOT NULL
);

-- Which transaction made which generation: the fate of a COMMIT whose answer was lost is looked up here.
CREATE TABLE commits (
    generation BIGINT PRIMARY KEY,
    tag TEXT NOT NULL
);

-- What was deleted when, for servers that catch up.
CREATE TABLE tombstones (
    generation BIGINT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL
);
CREATE INDEX tombstones_by_generation ON tombstones (generation);

CREATE TABLE accounts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE access_keys (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    sealed_secret TEXT NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE pools (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    first TEXT NOT NULL,
    last TEXT NOT NULL,
    next TEXT,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE networks (
    name TEXT PRIMARY KEY,
    cidr TEXT NOT NULL UNIQUE,
    gateway TEXT NOT NULL,
    first TEXT NOT NULL,
    last TEXT NOT NULL,
    reserved TEXT NOT NULL,
    zone TEXT NOT NULL,
    domain TEXT NOT NULL,
    next TEXT,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE hosts (
    name TEXT PRIMARY KEY,
    zone TEXT NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE images (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    location TEXT NOT NULL,
    architecture TEXT NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE vpcs (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    cidr TEXT NOT NULL,
    is_default BOOLEAN NOT NULL,
    dhcp_options TEXT NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE subnets (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    vpc TEXT NOT NULL REFERENCES vpcs (id) DEFERRABLE INITIALLY DEFERRED,
    cidr TEXT NOT NULL,
    zone TEXT NOT NULL,
    network TEXT NOT NULL REFERENCES networks (name) DEFERRABLE INITIALLY DEFERRED,
    is_default BOOLEAN NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL
);

CREATE TABLE security_groups (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    vpc TEXT NOT NULL REFERENCES vpcs (id) DEFERRABLE INITIALLY DEFERRED,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    UNIQUE (vpc, name)
);

CREATE TABLE security_group_rules (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    security_group TEXT NOT NULL REFERENCES security_groups (id) DEFERRABLE INITIALLY DEFERRED,
    is_egress BOOLEAN NOT NULL,
    protocol TEXT NOT NULL,
    from_port BIGINT,
    to_port BIGINT,
    cidr4 TEXT,
    cidr6 TEXT,
    peer_group TEXT REFERENCES security_groups (id) DEFERRABLE INITIALLY DEFERRED,
    peer_account TEXT,
    description TEXT,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    -- A rule without a peer must not be able to exist: it could only be read as "any".
    CHECK ((cidr4 IS NOT NULL AND cidr6 IS NULL AND peer_group IS NULL)
        OR (cidr4 IS NULL AND cidr6 IS NOT NULL AND peer_group IS NULL)
        OR (cidr4 IS NULL AND cidr6 IS NULL AND peer_group IS NOT NULL AND peer_account IS NOT NULL))
);

CREATE TABLE key_pairs (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('rsa', 'ed25519')),
    fingerprint TEXT NOT NULL,
    public_key TEXT NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    UNIQUE (account, region, name)
);

CREATE TABLE instances (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    reservation TEXT NOT NULL,
    launch_index BIGINT NOT NULL,
    image TEXT NOT NULL,
    instance_type TEXT NOT NULL,
    key_name TEXT,
    public_key TEXT,
    user_data TEXT,
    host TEXT NOT NULL REFERENCES hosts (name) DEFERRABLE INITIALLY DEFERRED,
    zone TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('pending', 'running', 'shutting-down', 'terminated', 'stopping', 'stopped')),
    state_reason_code TEXT,
    state_reason TEXT,
    boot BIGINT NOT NULL,
    tokens_required BOOLEAN NOT NULL,
    hop_limit BIGINT NOT NULL,
    metadata_enabled BOOLEAN NOT NULL,
    instance_tags BOOLEAN NOT NULL,
    terminate_on_shutdown BOOLEAN NOT NULL,
    disable_api_termination BOOLEAN NOT NULL,
    disable_api_stop BOOLEAN NOT NULL,
    launched BIGINT NOT NULL,
    terminated BIGINT,
    seen_boot BIGINT NOT NULL,
    state_since BIGINT NOT NULL,
    client_token TEXT,
    generation BIGINT NOT NULL
);

CREATE TABLE network_interfaces (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    vpc TEXT NOT NULL REFERENCES vpcs (id) DEFERRABLE INITIALLY DEFERRED,
    subnet TEXT NOT NULL REFERENCES subnets (id) DEFERRABLE INITIALLY DEFERRED,
    network TEXT NOT NULL REFERENCES networks (name) DEFERRABLE INITIALLY DEFERRED,
    description TEXT NOT NULL,
    mac TEXT NOT NULL UNIQUE,
    private_ip TEXT NOT NULL,
    security_groups TEXT NOT NULL,
    source_dest_check BOOLEAN NOT NULL,
    attachment TEXT UNIQUE,
    instance TEXT REFERENCES instances (id) DEFERRABLE INITIALLY DEFERRED,
    device_index BIGINT,
    delete_on_termination BOOLEAN,
    attached BIGINT,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    UNIQUE (network, private_ip),
    UNIQUE (instance, device_index)
);

CREATE TABLE addresses (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    public_ip TEXT NOT NULL UNIQUE,
    pool TEXT NOT NULL REFERENCES pools (id) DEFERRABLE INITIALLY DEFERRED,
    association TEXT UNIQUE,
    eni TEXT REFERENCES network_interfaces (id) DEFERRABLE INITIALLY DEFERRED,
    private_ip TEXT,
    allocated BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    CHECK ((association IS NULL) = (eni IS NULL) AND (eni IS NULL) = (private_ip IS NULL))
);

CREATE TABLE tags (
    resource TEXT NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    generation BIGINT NOT NULL,
    PRIMARY KEY (resource, tag_key)
);

CREATE TABLE freed (
    space TEXT NOT NULL,
    address TEXT NOT NULL,
    freed BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    PRIMARY KEY (space, address)
);

CREATE TABLE tokens (
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    action TEXT NOT NULL,
    token TEXT NOT NULL,
    parameters TEXT NOT NULL,
    made TEXT NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    PRIMARY KEY (account, region, action, token)
);
