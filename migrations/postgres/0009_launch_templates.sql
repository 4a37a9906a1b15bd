CREATE INDEX launch_templates_by_generation ON launch_templates (generation);
CREATE INDEX launch_template_versions_by_generation ON launch_template_versions (generation);
-- The one that there was went with the table.
CREATE INDEX images_by_generation ON images (generation);
