//! Brings desired states to agents and their reports back.
//!
//! The [`Hub`] knows for each host what it was last sent, which generation last concerned it and how far
//! it has come. Agents of other hosts reach it by long poll over TLS ([`listen`]); the agent in this
//! process ([`local`]) asks the same hub the same questions.

pub mod authority;
mod hub;
mod listen;
mod local;
mod take_in;
#[cfg(test)]
mod tests;
mod wait;

use std::net::SocketAddr;

use serde::Deserialize;

pub use hub::Hub;
pub use listen::{Feed, FeedError};
pub use local::local;
pub use wait::Applied;

/// The `[feed]` section: where agents of other hosts find this server.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedConfig {
    /// TLS with a certificate of the deployment's own authority; agents' `[agent] servers` name it.
    pub listen: SocketAddr,
}
