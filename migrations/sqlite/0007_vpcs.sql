-- VPCs of one's own: their networks may have the same blocks, so the blocks are not unique any more. SQLite drops no such
-- constraint: the table is made anew under its name. The keys that refer to it are looked at when the transaction ends.
CREATE TABLE networks_before AS SELECT * FROM networks;
DROP TABLE networks;
CREATE TABLE networks (
    name TEXT PRIMARY KEY,
    cidr TEXT NOT NULL,
    gateway TEXT NOT NULL,
    first TEXT NOT NULL,
    last TEXT NOT NULL,
    reserved TEXT NOT NULL,
    zone TEXT NOT NULL,
    domain TEXT NOT NULL,
    next TEXT,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    gateway_host TEXT REFERENCES hosts (name) DEFERRABLE INITIALLY DEFERRED,
    vpc TEXT REFERENCES vpcs (id) DEFERRABLE INITIALLY DEFERRED
);
INSERT INTO networks (name, cidr, gateway, first, last, reserved, zone, domain, next, created, generation, gateway_host)
    SELECT name, cidr, gateway, first, last, reserved, zone, domain, next, created, generation, gateway_host
    FROM networks_before;
DROP TABLE networks_before;
CREATE UNIQUE INDEX networks_flat ON networks (cidr) WHERE vpc IS NULL;
