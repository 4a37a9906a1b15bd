//! The configuration file of `fogbank serve`: one TOML file a host.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::agent::config::HostConfig;

/// Where the file is looked for when no `--config` is given.
pub const DEFAULT_PATH: &str = "/etc/fogbank/fogbank.toml";

/// Everything `fogbank serve` must know before it starts; what can change while it runs (accounts,
/// pools, networks) is in the store. `examples/fogbank.toml` says what each means.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the store, the key file and the operator's socket lie.
    #[serde(default = "default_state_dir")]
    pub state_dir: PathBuf,
    /// The region that clients are in when their signature names none that we know.
    #[serde(default = "default_region")]
    pub region: String,
    #[serde(default)]
    pub api: crate::http::ApiConfig,
    pub host: HostConfig,
}

/// The default state folder, for subcommands that need no configuration file.
pub fn default_state_dir() -> PathBuf {
    PathBuf::from("/var/lib/fogbank")
}

/// The region of a configuration that names none.
pub fn default_region() -> String {
    "us-east-1".to_owned()
}

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: see examples/fogbank.toml for what it should hold")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}")]
    Parse { path: PathBuf, source: Box<toml::de::Error> },
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// A file that cannot be read, or that holds an unknown or malformed setting.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })
    }
}
