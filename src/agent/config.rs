//! What an agent must know of its own host.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

/// The `[host]` table of the configuration file.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostConfig {
    /// The host's name in `fogbank host list`.
    pub name: String,
    /// Where elastic IPs are answered, e.g. `eth0`.
    pub public_interface: String,
    /// The interface that is joined to the instances' network, e.g. `eth1`; may be the public one.
    pub flat_interface: String,
    /// The source address of instances without an elastic IP; by default the public interface's own.
    #[serde(default)]
    pub snat_address: Option<Ipv4Addr>,
    /// Where names that are not instances' are looked up; by default what /etc/resolv.conf says.
    #[serde(default)]
    pub resolvers: Vec<SocketAddr>,
    /// Where instances' writable layers and consoles lie.
    #[serde(default = "default_instances")]
    pub instances_dir: PathBuf,
}

fn default_instances() -> PathBuf {
    PathBuf::from("/var/lib/fogbank/instances")
}
