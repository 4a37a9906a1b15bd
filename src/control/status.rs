//! What hosts report: beside the World, outside its generations.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::plan::{Failure, Wiring};
use crate::types::{InstanceId, Micros};

/// The last report of one host.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct HostStatus {
    /// The last generation that the host's kernel is known to be at.
    pub applied: u64,
    /// The host's memory; 0 where it has not said.
    pub memory_mib: u64,
    pub failures: Vec<Failure>,
    pub last_seen: Micros,
    /// `None` where it has not said.
    pub wiring: Option<Wiring>,
    /// The server that heard of it last has not for a second.
    pub away: bool,
}

/// The end of an instance's console, at most 64 KiB as in EC2.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Console {
    pub at: Micros,
    pub output: Arc<[u8]>,
}

/// The hosts' reports, as reads see them.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Status {
    pub hosts: imbl::OrdMap<Arc<str>, HostStatus>,
    pub consoles: imbl::OrdMap<InstanceId, Console>,
}
