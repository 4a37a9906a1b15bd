//! Instance drivers: what an instance is made of on its host.
