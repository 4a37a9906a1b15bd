//! `fogbank agent`: the agent of a host whose deployment's servers are elsewhere.

use std::path::PathBuf;
use std::sync::Arc;

use super::enrol::{self, Enrolment};
use super::saved::Saved;
use crate::config::{AgentConfig, Config, ConfigError};
use crate::server::{self, BoxError};
use crate::store::StateDir;

/// The agent's own folder: a server may have its state in the one above.
fn folder(config: &Config) -> PathBuf {
    config.state_dir.join("agent")
}

fn servers(config: &Config) -> Result<&AgentConfig, ConfigError> {
    config.agent.as_ref().filter(|agent| !agent.servers.is_empty()).ok_or(ConfigError::NoAgent)
}

/// Follows the deployment's servers until SIGTERM or SIGINT; what is in the kernel stays.
///
/// # Errors
/// The configuration lacks something, the host has not joined, or cannot be programmed.
pub async fn follow_servers(config: Config) -> Result<(), BoxError> {
    let stop = server::stop_signals()?;
    let (host, agent) = (config.host()?.clone(), servers(&config)?);
    let state = StateDir::lock(&folder(&config))?;
    let enrolment = Enrolment::read(state.path())?;
    if *enrolment.host != *host.name {
        let joined = &enrolment.host;
        return Err(format!("[host] name is {}, but this host joined as {joined}", host.name).into());
    }
    let link = enrolment.link(&agent.servers)?;
    tracing::info!(host = host.name, servers = ?agent.servers, "the agent runs");
    tokio::select! {
        ended = super::run(host, Arc::new(link), Some(Saved::at(state.path()))) => ended,
        () = stop => Ok(()),
    }
}

/// Joins the deployment whose token it is, and returns the host's name in it.
///
/// # Errors
/// The configuration lacks something, an agent runs here, or no server takes the token.
pub async fn join(config: &Config, token: &str) -> Result<Arc<str>, BoxError> {
    let (host, agent) = (config.host()?, servers(config)?);
    let state = StateDir::lock(&folder(config))?;
    Ok(enrol::join(token, &host.name, &agent.servers, state.path()).await?)
}
