-- Rules may name a prefix list.
ALTER TABLE security_group_rules ADD COLUMN prefix_list TEXT REFERENCES prefix_lists (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE security_group_rules DROP CONSTRAINT security_group_rules_check;
-- A rule without a peer must not be able to exist: it could only be read as "any".
ALTER TABLE security_group_rules ADD CONSTRAINT security_group_rules_check CHECK (
    num_nonnulls(cidr4, cidr6, peer_group, prefix_list) = 1 AND (peer_group IS NULL) = (peer_account IS NULL)
);

CREATE INDEX prefix_lists_by_generation ON prefix_lists (generation);
CREATE INDEX prefix_list_versions_by_generation ON prefix_list_versions (generation);
CREATE INDEX subnet_cidr_reservations_by_generation ON subnet_cidr_reservations (generation);
