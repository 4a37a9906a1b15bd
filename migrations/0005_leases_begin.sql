-- The generation that the address lease has been what it is since: a host that has not applied it may hold elastic IPs for
-- longer. Of a lease that was set before this was noted, the row's last change.
ALTER TABLE deployment ADD COLUMN lease_since BIGINT NOT NULL DEFAULT 0;
UPDATE deployment SET lease_since = generation;
