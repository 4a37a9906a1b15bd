CREATE INDEX vpc_peering_connections_by_generation ON vpc_peering_connections (generation);
-- A rule may name a group of a peer VPC that its owner has deleted.
ALTER TABLE security_group_rules DROP CONSTRAINT security_group_rules_peer_group_fkey;
