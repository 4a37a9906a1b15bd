CREATE INDEX nat_gateways_by_generation ON nat_gateways (generation);
