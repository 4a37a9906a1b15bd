//! The agent in the server's own process.

use std::sync::Arc;

use super::Hub;
use crate::agent::{self, Server, config::HostConfig};
use crate::plan::message::{Answer, Poll, Said};
use crate::server::BoxError;

/// The hub, asked for one host without a wire between.
struct Local {
    hub: Arc<Hub>,
    host: Arc<str>,
}

impl Server for Local {
    async fn poll(&self, poll: &Poll) -> Result<Answer, String> {
        Ok(self.hub.poll(&self.host, poll).await)
    }

    async fn report(&self, said: &Said) -> Result<(), String> {
        self.hub.report(&self.host, said.clone()).await
    }
}

/// Runs this host's agent on the hub's states.
///
/// # Errors
/// The agent cannot program this host.
pub async fn local(hub: Arc<Hub>, config: HostConfig) -> Result<(), BoxError> {
    let host = config.name.as_str().into();
    agent::run(config, Arc::new(Local { hub, host }), None).await
}
