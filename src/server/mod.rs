//! `fogbank serve` and `fogbank server`: store, writer, API and the hosts' feed, with or without this
//! host's agent in the same process. Wiring only.
//!
//! The agent is given states and gives reports, as one on another host would: nothing here reaches
//! past that into the kernel.

mod door;
mod tick;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::agent::config::HostConfig;
use crate::config::{Config, ConfigError};
use crate::control;
use crate::feed::{self, Feed, Hub};
use crate::http::{self, Regions};
use crate::operator::Operator;
use crate::store::{self, Handle, KeyFile, Place, StateDir, Store, WriterSettings};
use crate::types::Region;
use door::Door;
pub use tick::Ticker;

/// Any failure that ends the start.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Locks the state folder, opens the store in it and starts the writer.
///
/// # Errors
/// The folder is in use, the key file or the store cannot be used.
pub async fn open_store(state_dir: &Path, database: Option<&str>) -> Result<(Handle, StateDir), BoxError> {
    let state = StateDir::lock(state_dir)?;
    let mut store = Store::open(&Place::of(database, &state)?).await?;
    let key_file = KeyFile::open(&state.key_file(), store.takes_any_key().await?)?;
    let settings = WriterSettings { key_file, memory: state.memory(), give_up: store::exit };
    let handle = store::start(store, settings).await?;
    Ok((handle, state))
}

/// An error and everything that caused it, in one line.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        next = error.source();
    }
    text
}

/// `fogbank serve`: the API, and the agent of this host in the same process.
///
/// # Errors
/// Whatever stops the start: configuration, store, sockets, a kernel that cannot be programmed.
pub async fn serve(config: Config) -> Result<(), BoxError> {
    let host = config.host()?.clone();
    run(config, Some(host)).await
}

/// `fogbank server`: the API without an agent.
///
/// # Errors
/// As [`serve`]'s.
pub async fn server(config: Config) -> Result<(), BoxError> {
    if config.host.is_some() {
        return Err(ConfigError::HostAtServer.into());
    }
    run(config, None).await
}

/// Serves until SIGTERM or SIGINT.
async fn run(config: Config, host: Option<HostConfig>) -> Result<(), BoxError> {
    let stop = stop_signals()?;
    allow_many_connections();
    let api = http::Server::open(config.api.clone())?;
    let (handle, state) = open_store(&config.state_dir, config.database.as_deref()).await?;
    let operator = operator_of(&config, handle.clone());
    prepare(&operator, host.as_ref().map(|host| host.name.as_str())).await?;
    let hub = Hub::new(operator.clone());
    tokio::spawn(hub.clone().run());
    if let Some(feed) = &config.feed {
        tokio::spawn(Feed::open(feed, hub.clone()).await?.serve());
    }
    tokio::spawn(operator.clone().serve(crate::operator::listen(state.path())?));
    tokio::spawn(Ticker::new(operator.clone()).run());
    tracing::info!(address = %api.address(), generation = handle.world().generation, "serving the EC2 API");
    let regions = Regions::new(operator.region, operator.others, operator.isolated);
    let door = Door { handle, hub: hub.clone(), apply_wait: config.api.apply_wait() };
    let api = api.run(Arc::new(door), (regions, config.quotas), stop);
    match host {
        Some(host) => tokio::select! {
            served = api => Ok(served?),
            ended = feed::local(hub, host) => ended,
        },
        None => Ok(api.await?),
    }
}

/// The operator with the regions that are configured.
fn operator_of(config: &Config, handle: Handle) -> Operator {
    let named = |names: &[String]| names.iter().map(|name| Region::from(name.as_str())).collect::<Vec<_>>();
    let isolated = named(&config.isolated_regions);
    let others = [named(&config.regions), isolated.clone()].concat();
    Operator { handle, region: config.region.as_str().into(), others, isolated }
}

/// An agent takes a connection, and a deployment has many: as many as the kernel lets us have. See getrlimit(2); the soft
/// limit, 1,024 by custom, is there for programs that call select(2).
fn allow_many_connections() {
    let limits = getrlimit(Resource::RLIMIT_NOFILE);
    let raised = limits.and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "no more files may be open than by custom");
    }
}

/// The deployment has an authority, this host is in the store, and every account has what an account
/// begins with in each region.
async fn prepare(operator: &Operator, host: Option<&str>) -> Result<(), BoxError> {
    let host = host.map(str::to_owned);
    let of_regions = operator.clone();
    let mut authority = feed::authority::ensure(&operator.handle)?;
    let prepared = operator.submit(move |decision| {
        authority(decision)?;
        if let Some(host) = &host {
            control::hosts::add(decision, host, None)?;
        }
        control::claims::settle_all(decision);
        let accounts: Vec<_> = decision.world.accounts.keys().copied().collect();
        for account in accounts {
            of_regions.ensure_defaults(decision, account);
        }
        Ok(())
    });
    Ok(prepared.await?)
}

/// Resolves when the process is asked to end. The handlers are there as soon as this returns.
///
/// # Errors
/// The handlers cannot be installed.
pub fn stop_signals() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {}, _ = hangup.recv() => {} }
    })
}

/// How long a thread for long calculations stays when there is none.
const IDLE_THREAD: Duration = Duration::from_secs(2);

/// A runtime with everything in it.
///
/// # Errors
/// The kernel has no threads left for us.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().thread_keep_alive(IDLE_THREAD).enable_all().build()
}
