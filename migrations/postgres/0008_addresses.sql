CREATE INDEX address_transfers_by_generation ON address_transfers (generation);
