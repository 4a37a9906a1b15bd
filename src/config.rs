//! The configuration file: one TOML file a host.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::agent::config::HostConfig;
use crate::control::quotas::Quotas;
use crate::feed::FeedConfig;

/// Where the file is looked for when no `--config` is given.
pub const DEFAULT_PATH: &str = "/etc/fogbank/fogbank.toml";

/// Everything a server or an agent must know before it starts; what can change while it runs (accounts,
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
    /// Further regions that signatures may name, each with resources of its own; the hosts are the same.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Regions beside these in which each account's default VPC is a VPC of its own, as EC2's are, and not the flat networks.
    #[serde(default)]
    pub isolated_regions: Vec<String>,
    /// How much of what each account may have in each region.
    #[serde(default)]
    pub quotas: Quotas,
    /// `postgres://…`, which several servers may share; SQLite in the state folder without it.
    pub database: Option<String>,
    #[serde(default)]
    pub api: crate::http::ApiConfig,
    /// For agents of other hosts.
    pub feed: Option<FeedConfig>,
    /// Where an agent runs.
    pub host: Option<HostConfig>,
    /// For `fogbank agent`.
    pub agent: Option<AgentConfig>,
}

/// The `[agent]` table: where a host without a server of its own finds the deployment's.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// Each server's `[feed] listen`, ADDRESS:PORT or NAME:PORT; any of them will do.
    pub servers: Vec<String>,
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
    #[error(
        "the configuration has no [host] table: it says which interfaces are the public and the flat one"
    )]
    NoHost,
    #[error(
        "`fogbank server` runs no agent: leave [host] out of its configuration, or run `fogbank serve` on this host"
    )]
    HostAtServer,
    #[error(
        "{path}: the region {region} is named twice: isolated_regions are others than `region` and `regions`"
    )]
    RegionTwice { path: PathBuf, region: String },
    #[error(
        "the configuration has no [agent] table: `servers` in it says where the deployment's servers are"
    )]
    NoAgent,
}

impl Config {
    /// Reads and checks a configuration file.
    ///
    /// # Errors
    /// A file that cannot be read, or that holds an unknown or malformed setting.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let config: Self = toml::from_str(&text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        let known = |name: &&String| **name == config.region || config.regions.contains(name);
        match config.isolated_regions.iter().find(known) {
            Some(region) => Err(ConfigError::RegionTwice { path: path.to_owned(), region: region.clone() }),
            None => Ok(config),
        }
    }

    /// The `[host]` table, for what runs an agent.
    ///
    /// # Errors
    /// There is none.
    pub fn host(&self) -> Result<&HostConfig, ConfigError> {
        self.host.as_ref().ok_or(ConfigError::NoHost)
    }
}
