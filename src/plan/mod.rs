//! What a host must be: pure functions from the World to a [`HostState`].
//!
//! A HostState is a keyed map of sections, complete and self-contained: an agent that holds one
//! needs nothing else to program its kernel and to serve DHCP, DNS and metadata. It is the whole
//! wire format between server and agent.

mod boxes;
mod concern;
mod delta;
pub mod dns;
mod groups;
mod host;
mod made;
pub mod message;
mod report;
mod rules;
mod state;
mod vpcs;

pub use concern::{Concern, concern};
pub use delta::{Delta, Part};
pub use host::{Planner, host_state};
pub use report::*;
pub use rules::*;
pub use state::*;
