CREATE INDEX insights_paths_by_generation ON insights_paths (generation);
CREATE INDEX insights_analyses_by_generation ON insights_analyses (generation);
