-- The generation that an epoch began with after commits were lost: until every host has applied it, some host may still have
-- addresses that only the lost commits gave it. 0 where nothing was lost.
ALTER TABLE epochs ADD COLUMN begun BIGINT NOT NULL DEFAULT 0;
