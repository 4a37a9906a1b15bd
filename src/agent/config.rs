//! What an agent must know of its own host.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

/// How the rules get into the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RulesBy {
    /// Over netlink, by ourselves; by `nft` where the kernel does not take that.
    #[default]
    Netlink,
    /// By a process of `nft` for each change.
    Nft,
}

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
    /// The UDP port of VXLAN between the hosts, for the VPCs beside the default ones; the same on all of them.
    #[serde(default = "default_vxlan_port")]
    pub vxlan_port: u16,
    /// What the names of the VPCs' network namespaces begin with.
    #[serde(default = "default_namespaces")]
    pub namespaces: String,
    /// Where instances' writable layers and consoles lie.
    #[serde(default = "default_instances")]
    pub instances_dir: PathBuf,
    #[serde(default)]
    pub rules_by: RulesBy,
}

/// Not VXLAN's own 4789: another program's devices may be there, which cannot share it with ours.
const fn default_vxlan_port() -> u16 {
    4799
}

fn default_namespaces() -> String {
    "fogbank".to_owned()
}

fn default_instances() -> PathBuf {
    PathBuf::from("/var/lib/fogbank/instances")
}
