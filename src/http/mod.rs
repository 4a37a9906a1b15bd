//! The HTTP door: listener, TLS, limits, router, one API call from bytes to bytes, health, metrics.
//!
//! Everything that a client can send ends in an answer of EC2's shape: an unknown path, a body over
//! the limit, a bad signature, an unknown action and a panic alike. What comes before a request is
//! readable (a header over the limit, a TLS handshake that stalls) ends the connection.
//!
//! - [`listen`] binds, or takes the socket it was started with; [`tls`] reads the certificate.
//! - [`serve`] accepts, holds connections within their limits, and lets them finish at the end.
//! - [`fairness`] and [`shares`] see to it that nobody takes the server from others; [`quick`] knows who cannot.
//! - [`call`] is one request: signature, decoding, decision, answer; [`read`] is one that changes nothing, and [`answers`] are
//!   told again until something has changed.
//! - [`backend`] is what it needs of the rest: the published World, the hosts' reports, the writer.

mod answers;
pub mod backend;
mod body;
mod call;
mod config;
mod date;
mod fairness;
mod fault;
mod listen;
mod metrics;
mod quick;
mod quirks;
mod read;
mod reply;
mod request_id;
mod router;
mod serve;
mod shares;
mod stall;
mod throttle;
mod tls;

pub use backend::{Backend, Written};
pub use config::{ApiConfig, ConfigError, Regions};
pub(crate) use date::dated;
pub(crate) use fairness::{Connections, Place};
pub use listen::ListenError;
pub use serve::{ServeError, Server};
pub use tls::TlsError;

#[cfg(test)]
mod tests;
