//! The agent: makes one host what its HostState says, and keeps it so.

pub mod config;
mod contest;
pub mod diff;
mod enrol;
mod follow;
pub mod hold;
pub mod kernel;
mod link;
pub mod names;
pub mod reconcile;
mod remote;
pub mod routers;
mod run;
mod saved;
pub mod serve;
mod short;
mod trust;

pub use enrol::{Enrolment, Token, join as join_with};
pub use follow::Server;
pub use link::Link;
pub use remote::{follow_servers, join};
pub use run::run;
