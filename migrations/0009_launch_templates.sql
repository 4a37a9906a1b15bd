-- Launch templates, and images of accounts beside the operator's.

CREATE TABLE launch_templates (
    id TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    default_version BIGINT NOT NULL,
    next_version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    UNIQUE (account, region, name)
);

CREATE TABLE launch_template_versions (
    template TEXT NOT NULL REFERENCES launch_templates (id) DEFERRABLE INITIALLY DEFERRED,
    number BIGINT NOT NULL,
    description TEXT,
    -- The parameters by their names on the wire, as a list of pairs in JSON.
    data TEXT NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    PRIMARY KEY (template, number)
);

-- An image's name is unique among its owner's; the operator's have no account.
CREATE TABLE owned_images (
    id TEXT PRIMARY KEY,
    account TEXT REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED,
    region TEXT,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    location TEXT NOT NULL,
    architecture TEXT NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    CHECK ((account IS NULL) = (region IS NULL)),
    UNIQUE (account, region, name)
);
INSERT INTO owned_images (id, name, description, location, architecture, created, generation)
    SELECT id, name, description, location, architecture, created, generation FROM images;
DROP TABLE images;
ALTER TABLE owned_images RENAME TO images;
