-- Rules may name a prefix list. SQLite changes no CHECK: the table is made anew under its name.
CREATE TABLE security_group_rules_before AS SELECT * FROM security_group_rules;
DROP TABLE security_group_rules;
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
    -- A group of a peer VPC may be deleted.
    peer_group TEXT,
    peer_account TEXT,
    prefix_list TEXT REFERENCES prefix_lists (id) DEFERRABLE INITIALLY DEFERRED,
    description TEXT,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    -- A rule without a peer must not be able to exist: it could only be read as "any".
    CHECK ((cidr4 IS NOT NULL) + (cidr6 IS NOT NULL) + (peer_group IS NOT NULL) + (prefix_list IS NOT NULL) = 1
        AND (peer_group IS NULL) = (peer_account IS NULL))
);
INSERT INTO security_group_rules (id, account, region, security_group, is_egress, protocol, from_port, to_port, cidr4, cidr6,
        peer_group, peer_account, description, created, generation)
    SELECT id, account, region, security_group, is_egress, protocol, from_port, to_port, cidr4, cidr6,
        peer_group, peer_account, description, created, generation
    FROM security_group_rules_before;
DROP TABLE security_group_rules_before;
