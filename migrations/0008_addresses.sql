-- Reverse DNS of elastic addresses, and their way from one account to another.

-- In lower case, and without its last dot.
ALTER TABLE addresses ADD COLUMN domain_name TEXT;

CREATE TABLE address_transfers (
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    -- The address may be another account's, or nobody's, while the one that it was taken from can still see where it went.
    allocation TEXT NOT NULL,
    public_ip TEXT NOT NULL,
    transfer_account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    expires BIGINT NOT NULL,
    accepted BIGINT,
    generation BIGINT NOT NULL,
    PRIMARY KEY (account, region, allocation)
);
