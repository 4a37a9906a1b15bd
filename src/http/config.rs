//! The `[api]` section of the configuration.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::types::Region;

/// Where and how the EC2 API is served.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Unless the process was started with a listening socket (`LISTEN_FDS=1`), which then counts.
    pub listen: SocketAddr,
    /// PEM, the server's own certificate first.
    pub tls_certificate: Option<PathBuf>,
    /// PEM: PKCS #8, PKCS #1 or SEC 1.
    pub tls_key: Option<PathBuf>,
    /// Serve without TLS beyond loopback: signatures hold, but anybody on the way reads along.
    pub allow_plain_http: bool,
    /// Take Signature Version 2, which euca2ools 2 and boto 2 need.
    pub sigv2: bool,
    /// Refuse SigV4 scopes that do not name a region configured here and the service ec2 or sts.
    /// Without it any scope is verified as given, as clients with a bare EC2_URL make theirs up.
    pub strict_scope: bool,
    /// Where `/healthz` and `/metrics` are served to everybody, plain and without the API. Without
    /// it they are at `listen`, for clients on this machine only.
    pub metrics_listen: Option<SocketAddr>,
    /// Connections at one time, all clients together.
    pub max_connections: usize,
    /// Connections at one time from one address (IPv6: one /64), so that one client leaves room for others.
    pub max_connections_per_peer: usize,
    /// How long headers may take, and how long a connection may lie idle between requests.
    pub header_timeout_seconds: u64,
    /// How long a body may take.
    pub body_timeout_seconds: u64,
    /// How long a client may take no byte of an answer.
    pub write_timeout_seconds: u64,
    /// How long the answer to a write may wait for the hosts that it concerns to apply it; 0 for not at all.
    pub apply_wait_ms: u64,
    /// Counts calls by account and action, as EC2 does, and answers RequestLimitExceeded where there are too many.
    pub throttle: bool,
    /// How long requests under way may take to finish when the server ends.
    pub shutdown_timeout_seconds: u64,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8773)),
            tls_certificate: None,
            tls_key: None,
            allow_plain_http: false,
            sigv2: true,
            strict_scope: false,
            metrics_listen: None,
            max_connections: 1024,
            max_connections_per_peer: 256,
            header_timeout_seconds: 30,
            body_timeout_seconds: 30,
            write_timeout_seconds: 30,
            apply_wait_ms: 2000,
            throttle: false,
            shutdown_timeout_seconds: 10,
        }
    }
}

/// The section contradicts itself.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("[api] tls_certificate and tls_key go together: set both or none")]
    HalfTls,
    #[error(
        "[api] {0} is not a loopback address: set tls_certificate and tls_key, or allow_plain_http = true if \
         everybody on the way may read along"
    )]
    PlainBeyondLoopback(SocketAddr),
    #[error("[api] {0} must be at least 1")]
    Zero(&'static str),
}

impl ApiConfig {
    /// Checks what the address that is really listened on allows.
    pub fn check(&self, address: SocketAddr) -> Result<(), ConfigError> {
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return Err(ConfigError::HalfTls);
        }
        let plain = self.tls_certificate.is_none() && !self.allow_plain_http;
        if plain && !address.ip().to_canonical().is_loopback() {
            return Err(ConfigError::PlainBeyondLoopback(address));
        }
        let limits = [
            ("max_connections", self.max_connections as u64),
            ("max_connections_per_peer", self.max_connections_per_peer as u64),
            ("header_timeout_seconds", self.header_timeout_seconds),
            ("body_timeout_seconds", self.body_timeout_seconds),
            ("write_timeout_seconds", self.write_timeout_seconds),
        ];
        match limits.iter().find(|(_, value)| *value == 0) {
            Some((name, _)) => Err(ConfigError::Zero(name)),
            None => Ok(()),
        }
    }

    /// How long the answer to a write waits for hosts.
    pub fn apply_wait(&self) -> Duration {
        Duration::from_millis(self.apply_wait_ms)
    }

    pub(super) fn header_timeout(&self) -> Duration {
        Duration::from_secs(self.header_timeout_seconds)
    }

    pub(super) fn body_timeout(&self) -> Duration {
        Duration::from_secs(self.body_timeout_seconds)
    }

    pub(super) fn write_timeout(&self) -> Duration {
        Duration::from_secs(self.write_timeout_seconds)
    }

    pub(super) fn shutdown_timeout(&self) -> Duration {
        Duration::from_secs(self.shutdown_timeout_seconds)
    }
}

/// The regions served here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Regions {
    default: Region,
    others: Vec<Region>,
    isolated: Vec<Region>,
}

impl Regions {
    /// `isolated` are those of the others whose default VPCs are isolated.
    pub fn new(default: Region, others: Vec<Region>, isolated: Vec<Region>) -> Self {
        Self { default, others, isolated }
    }

    /// Whether an account's default VPC is one of its own there.
    pub fn is_isolated(&self, region: &Region) -> bool {
        self.isolated.contains(region)
    }

    /// Whether a region of this name is served.
    pub fn contains(&self, name: &str) -> bool {
        std::iter::once(&self.default).chain(&self.others).any(|region| &*region.0 == name)
    }

    /// The region that a signature's scope means: the one it names if that is configured, else the
    /// default one. Clients given a bare URL sign scopes such as `undefined-4711` and `0`.
    pub fn of_scope(&self, name: Option<&str>) -> &Region {
        self.others.iter().find(|region| name == Some(&*region.0)).unwrap_or(&self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_beyond_loopback_is_an_explicit_choice() {
        let config: ApiConfig = toml::from_str("listen = '0.0.0.0:8773'").unwrap();
        let outside = "192.0.2.1:8773".parse().unwrap();
        assert_eq!(config.check(outside), Err(ConfigError::PlainBeyondLoopback(outside)));
        for inside in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(config.check(inside.parse().unwrap()), Ok(()), "{inside}");
        }
        let plain = ApiConfig { allow_plain_http: true, ..config.clone() };
        assert_eq!(plain.check(outside), Ok(()));
        let tls = ApiConfig { tls_certificate: Some("c".into()), tls_key: Some("k".into()), ..config };
        assert_eq!(tls.check(outside), Ok(()));
        assert_eq!(ApiConfig { tls_key: None, ..tls }.check(outside), Err(ConfigError::HalfTls));
    }

    #[test]
    fn unknown_settings_and_zero_limits_are_refused() {
        assert!(toml::from_str::<ApiConfig>("lisen = '127.0.0.1:1'").is_err());
        let none: ApiConfig = toml::from_str("max_connections = 0").unwrap();
        assert_eq!(none.check(none.listen), Err(ConfigError::Zero("max_connections")));
    }

    #[test]
    fn a_scope_selects_only_a_configured_region() {
        let regions = Regions::new("us-east-1".into(), vec!["eu-west-1".into()], vec!["eu-west-1".into()]);
        assert!(regions.is_isolated(&"eu-west-1".into()) && !regions.is_isolated(&"us-east-1".into()));
        for (scope, region) in [
            (Some("eu-west-1"), "eu-west-1"),
            (Some("us-east-1"), "us-east-1"),
            (Some("undefined-4711"), "us-east-1"),
            (None, "us-east-1"),
        ] {
            assert_eq!(&*regions.of_scope(scope).0, region);
        }
    }
}
