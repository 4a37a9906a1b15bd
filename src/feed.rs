//! Brings desired states to agents and their reports back: here to the agent in this process.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::agent::{self, config::HostConfig};
use crate::compute::Consoles;
use crate::control::{self, Console, HostStatus};
use crate::operator::Operator;
use crate::plan::{HostReport, HostState, host_state};
use crate::server::BoxError;
use crate::store::Handle;
use crate::types::Micros;

/// How often a host that has nothing new to say counts as seen, and a report that could not be
/// taken in is taken in again.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Runs this host's agent on the states of the World as it changes.
///
/// # Errors
/// The agent cannot program this host.
pub async fn local(operator: Operator, config: HostConfig) -> Result<(), BoxError> {
    let host: Arc<str> = config.name.as_str().into();
    let (state_sender, states) = watch::channel(None);
    let (report_sender, reports) = watch::channel(HostReport { host: host.clone(), ..HostReport::default() });
    let handle = operator.handle.clone();
    let keep = move |consoles: Consoles| keep_consoles(&handle, consoles);
    tokio::select! {
        ended = agent::run(config, states, report_sender, keep) => Ok(ended?),
        () = follow(operator.handle.clone(), host, state_sender) => Ok(()),
        () = take_in(operator, reports) => Ok(()),
    }
}

/// Sends the host's state of every World that is published.
async fn follow(handle: Handle, host: Arc<str>, states: watch::Sender<Option<Arc<HostState>>>) {
    let mut worlds = handle.subscribe();
    worlds.mark_changed();
    while worlds.changed().await.is_ok() {
        let world = worlds.borrow_and_update().clone();
        states.send_replace(Some(Arc::new(host_state(&world, &host))));
    }
}

/// Notes what the host reports, and has the writer decide what follows from it.
///
/// A report is looked at again whenever the World has changed: it may then mean more than before.
async fn take_in(operator: Operator, mut reports: watch::Receiver<HostReport>) {
    let mut worlds = operator.handle.subscribe();
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    loop {
        let ended = tokio::select! {
            changed = reports.changed() => changed.is_err(),
            changed = worlds.changed() => changed.is_err(),
            _ = heartbeat.tick() => false,
        };
        if ended {
            return;
        }
        let report = reports.borrow_and_update().clone();
        let world = worlds.borrow_and_update().clone();
        note(&operator.handle, &report);
        if control::concerns(&world, &report) {
            let taken = operator.submit(move |decision| {
                control::observed(decision, &report);
                Ok(())
            });
            if let Err(error) = taken.await {
                tracing::warn!(error, "a report was not taken in; it will be again");
            }
        }
    }
}

fn note(handle: &Handle, report: &HostReport) {
    let status = HostStatus {
        applied: report.applied,
        failures: report.failures.clone(),
        last_seen: Micros::now(),
        memory_mib: report.memory_mib,
    };
    handle.update_status(|all| {
        all.hosts.insert(report.host.clone(), status.clone());
    });
}

fn keep_consoles(handle: &Handle, consoles: Consoles) {
    if consoles.is_empty() {
        return;
    }
    let at = Micros::now();
    handle.update_status(|all| {
        for (instance, output) in &consoles {
            all.consoles.insert(*instance, Console { at, output: output.clone() });
        }
    });
}
