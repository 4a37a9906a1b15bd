//! What a host says back: how far it has come and what it could not do.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::types::InstanceId;

/// Something that a host was told to be and is not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// What it concerns: `port eni-…`, `address 203.0.113.7`, `interface eth1`.
    pub subject: String,
    /// What went wrong and what to do about it.
    pub message: String,
}

impl Failure {
    /// The subject of what concerns an instance whole.
    pub fn of_instance(id: InstanceId) -> String {
        format!("instance {id}")
    }
}

/// How far an instance has come on its host.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Phase {
    /// Its processes run.
    Running,
    /// It shut down from within, or its processes died.
    Exited,
    /// It does not run because it should not.
    Stopped,
    /// Nothing is left of it.
    Gone,
    /// It could not be started; the report's failures say why.
    Failed,
}

/// One instance as its host sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct InstanceReport {
    pub id: InstanceId,
    /// The boot that the phase is about, see `InstanceSection::boot`.
    pub boot: u64,
    pub phase: Phase,
}

/// By which interfaces a host is on the wires.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Wiring {
    pub public_interface: Arc<str>,
    pub flat_interface: Arc<str>,
    /// What instances without an elastic address are outside; `None` while the host has no address there.
    pub snat: Option<std::net::Ipv4Addr>,
}

/// What a host reports.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct HostReport {
    pub host: Arc<str>,
    /// The generation that the kernel is at.
    pub applied: u64,
    pub failures: Vec<Failure>,
    pub instances: Vec<InstanceReport>,
    /// The elastic addresses that are on the public interface, wanted or not.
    pub holding: Vec<std::net::Ipv4Addr>,
    /// The host's memory; 0 where it cannot be told.
    pub memory_mib: u64,
    /// The flat interface's address.
    pub flat_mac: Option<crate::types::MacAddr>,
    /// And the longest packet that it takes.
    #[serde(default)]
    pub flat_mtu: Option<u32>,
    /// `None` from a host that has not applied anything, or is of an older version.
    #[serde(default)]
    pub wiring: Option<Wiring>,
}
