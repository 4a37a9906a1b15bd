-- Postgres only, after the migration of the same number: a server that catches up asks each table for what is newer than its
-- own generation. SQLite has one server, which never is behind.

CREATE INDEX accounts_by_generation ON accounts (generation);
CREATE INDEX access_keys_by_generation ON access_keys (generation);
CREATE INDEX pools_by_generation ON pools (generation);
CREATE INDEX networks_by_generation ON networks (generation);
CREATE INDEX hosts_by_generation ON hosts (generation);
CREATE INDEX images_by_generation ON images (generation);
CREATE INDEX vpcs_by_generation ON vpcs (generation);
CREATE INDEX subnets_by_generation ON subnets (generation);
CREATE INDEX security_groups_by_generation ON security_groups (generation);
CREATE INDEX security_group_rules_by_generation ON security_group_rules (generation);
CREATE INDEX key_pairs_by_generation ON key_pairs (generation);
CREATE INDEX instances_by_generation ON instances (generation);
CREATE INDEX network_interfaces_by_generation ON network_interfaces (generation);
CREATE INDEX addresses_by_generation ON addresses (generation);
CREATE INDEX tags_by_generation ON tags (generation);
CREATE INDEX claims_by_generation ON claims (generation);
CREATE INDEX freed_by_generation ON freed (generation);
CREATE INDEX tokens_by_generation ON tokens (generation);
CREATE INDEX host_reports_by_version ON host_reports (version);
CREATE INDEX consoles_by_version ON consoles (version);

-- One row that every write changes: room in its page for the versions that are not vacuumed yet.
ALTER TABLE meta SET (fillfactor = 10);
ALTER TABLE reports_version SET (fillfactor = 10);
