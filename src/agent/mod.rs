//! The agent: makes one host what its HostState says, and keeps it so.

pub mod config;
pub mod diff;
pub mod kernel;
pub mod names;
pub mod reconcile;
mod run;
pub mod serve;

pub use run::run;
