-- VPCs of one's own: their networks may have the same blocks.
ALTER TABLE networks DROP CONSTRAINT networks_cidr_key;
ALTER TABLE networks ADD COLUMN vpc TEXT REFERENCES vpcs (id) DEFERRABLE INITIALLY DEFERRED;
CREATE UNIQUE INDEX networks_flat ON networks (cidr) WHERE vpc IS NULL;

CREATE INDEX dhcp_options_by_generation ON dhcp_options (generation);
CREATE INDEX internet_gateways_by_generation ON internet_gateways (generation);
CREATE INDEX route_tables_by_generation ON route_tables (generation);
CREATE INDEX route_table_associations_by_generation ON route_table_associations (generation);
CREATE INDEX routes_by_generation ON routes (generation);
CREATE INDEX network_acls_by_generation ON network_acls (generation);
CREATE INDEX network_acl_entries_by_generation ON network_acl_entries (generation);
CREATE INDEX network_acl_associations_by_generation ON network_acl_associations (generation);
