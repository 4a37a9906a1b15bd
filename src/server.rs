//! `fogbank serve`: store, writer, API and this host's agent in one process. Wiring only.
//!
//! The agent is given states and gives reports, as one on another host would: nothing here reaches
//! past that into the kernel.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::control::{self, Caller, Status};
use crate::http::{Backend, Regions};
use crate::keys;
use crate::operator::Operator;
use crate::query::{self, Action, Fault, Response};
use crate::store::{self, Handle, KeyFile, StateDir, Store, WriterSettings};
use crate::types::{Owner, Region};
use crate::world::World;

/// Any failure that ends the start.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// How often what passes with time is looked for.
const TICK: std::time::Duration = std::time::Duration::from_secs(5);

/// Locks the state folder, opens the store in it and starts the writer.
///
/// # Errors
/// The folder is in use, the key file or the store cannot be used.
pub async fn open_store(state_dir: &Path) -> Result<(Handle, StateDir), BoxError> {
    let state = StateDir::lock(state_dir)?;
    let new = !state.database().exists();
    let key_file = KeyFile::open(&state.key_file(), new)?;
    let store = Store::open(&state.database()).await?;
    let handle = store::start(store, WriterSettings { key_file, give_up: store::exit }).await?;
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

/// The writer as the HTTP door sees it.
struct Door(Handle);

impl Backend for Door {
    fn world(&self) -> Arc<World> {
        self.0.world()
    }

    fn status(&self) -> Arc<Status> {
        self.0.status()
    }

    fn key(&self, access_key: &str) -> Option<crate::auth::Key> {
        self.0.key(access_key)
    }

    async fn submit(&self, caller: Caller, action: Action) -> Result<Response, Fault> {
        let dry_run = action.dry_run();
        let new_key = new_key(&action).await?;
        let decide = move |decision: &mut control::Decision<'_>| {
            decision.env.new_key.clone_from(&new_key);
            query::dispatch_write(decision, &action).unwrap_or_else(|| {
                Err(query::FaultCode::InternalError.with(format!("{} does not write", action.name())))
            })
        };
        self.0.submit(caller, dry_run, decide).await
    }

    fn queue_length(&self) -> usize {
        self.0.queue_length()
    }
}

/// The key pair that the action will want, made beside the writer.
async fn new_key(action: &Action) -> Result<Option<keys::NewKey>, Fault> {
    let Action::CreateKeyPair(request) = action else { return Ok(None) };
    let kind = control::key_pairs::kind(request);
    let made = tokio::task::spawn_blocking(move || keys::make(kind)).await;
    let failed = |error: String| query::FaultCode::InternalError.with(error);
    let key = made.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
    Ok(Some(key))
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Whatever stops the start: configuration, store, sockets, a kernel that cannot be programmed.
pub async fn serve(config: Config) -> Result<(), BoxError> {
    let stop = stop_signals()?;
    let api = crate::http::Server::open(config.api.clone())?;
    let (handle, state) = open_store(&config.state_dir).await?;
    let operator = Operator { handle: handle.clone(), region: config.region.as_str().into() };
    prepare(&operator, &config.host.name).await?;
    tokio::spawn(operator.clone().serve(crate::operator::listen(state.path())?));
    tokio::spawn(tick(operator.clone()));
    tracing::info!(address = %api.address(), generation = handle.world().generation, "serving the EC2 API");
    let regions = Regions::new(operator.region.clone(), Vec::new());
    tokio::select! {
        served = api.run(Arc::new(Door(handle)), regions, stop) => Ok(served?),
        ended = crate::feed::local(operator, config.host) => ended,
    }
}

/// This host is in the store, and every account has what an account begins with in this region.
async fn prepare(operator: &Operator, host: &str) -> Result<(), BoxError> {
    let (host, region) = (host.to_owned(), operator.region.clone());
    let prepared = operator.submit(move |decision| {
        control::hosts::add(decision, &host, None)?;
        control::claims::settle_all(decision);
        let accounts: Vec<_> = decision.world.accounts.keys().copied().collect();
        for account in accounts {
            control::defaults::ensure(decision, &Owner { account, region: Region::clone(&region) });
        }
        Ok(())
    });
    Ok(prepared.await?)
}

/// Has the writer forget what is too old.
async fn tick(operator: Operator) {
    let mut every = tokio::time::interval(TICK);
    loop {
        every.tick().await;
        if control::due(&operator.handle.world(), crate::types::Micros::now()) {
            let ticked = operator.submit(|decision| {
                control::tick(decision);
                Ok(())
            });
            if let Err(error) = ticked.await {
                tracing::warn!(error, "a tick failed; the next one will do it");
            }
        }
    }
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

/// A runtime with everything in it.
///
/// # Errors
/// The kernel has no threads left for us.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
