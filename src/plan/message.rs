//! What agents and servers say to each other, in JSON over TLS.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Delta, HostReport, HostState};
use crate::types::{InstanceId, MacAddr};

/// The service that a host's signatures name in their scope.
pub const SERVICE: &str = "fogbank";
/// The name in each server's certificate: the deployment's own authority signs for nobody else.
pub const SERVER_NAME: &str = "fogbank-server";
/// `POST` of a [`Poll`], answered by an [`Answer`].
pub const POLL_PATH: &str = "/poll";
/// `POST` of a [`Said`], answered by nothing.
pub const REPORT_PATH: &str = "/report";
/// `POST` of a [`Join`], answered by nothing.
pub const JOIN_PATH: &str = "/join";

/// An agent asks for what comes after the state that it holds.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Poll {
    /// The epoch of the store that the state came from; empty without one.
    pub epoch: Arc<str>,
    /// The generation that it holds; 0 for none.
    pub generation: u64,
    /// For how long the answer may take when there is nothing new.
    pub patience_ms: u64,
}

/// What a host should be, as far as the agent does not know it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum News {
    /// The state that the agent holds is the newest that concerns it.
    None,
    Full(Arc<HostState>),
    Delta(Box<Delta>),
}

/// A server's answer to a poll.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Answer {
    pub epoch: Arc<str>,
    /// Whether the server could reach its database lately: only then does its word renew the host's
    /// hold on elastic IPs.
    pub confirms: bool,
    pub news: News,
}

/// What an agent says of its host.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Said {
    /// The epoch that `applied` is of.
    pub epoch: Arc<str>,
    pub report: HostReport,
    /// The ends of consoles that grew, base64.
    pub consoles: Vec<(InstanceId, String)>,
}

/// A host enrols.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Join {
    pub host: Arc<str>,
    /// The token's secret.
    pub secret: String,
    /// The key that the host will sign with, made by itself.
    pub key: String,
    pub flat_mac: Option<MacAddr>,
}
