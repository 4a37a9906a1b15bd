CREATE INDEX ipv6_pools_by_generation ON ipv6_pools (generation);
CREATE INDEX egress_only_internet_gateways_by_generation ON egress_only_internet_gateways (generation);
CREATE INDEX ipv6_routes_by_generation ON ipv6_routes (generation);
CREATE INDEX freed_ipv6_by_generation ON freed_ipv6 (generation);
