-- Public addresses that instances get when they start.

ALTER TABLE addresses ADD COLUMN automatic BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE network_interfaces ADD COLUMN auto_public BOOLEAN NOT NULL DEFAULT FALSE;
