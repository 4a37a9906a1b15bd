//! The agent whole: kernel, servers and instances follow one state, and one report comes back.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::config::HostConfig;
use super::follow::{self, Followed, Server, Unsent};
use super::reconcile::{Applied, Reconciler};
use super::routers::Routers;
use super::saved::Saved;
use super::serve;
use crate::compute::{self, ComputeReport};
use crate::plan::{Failure, HostReport};
use crate::server::BoxError;

/// Runs the agent of the host that it is on.
///
/// # Errors
/// When the kernel cannot be programmed at all: not root, no netlink.
pub async fn run(config: HostConfig, server: Arc<impl Server>, saved: Option<Saved>) -> Result<(), BoxError> {
    let driver = compute::Namespaces::new(&config);
    let (states, state) = watch::channel(None);
    let (confirmed, confirmations) = watch::channel(None);
    let (report, reports) = watch::channel((Arc::from(""), HostReport::default()));
    let (compute_report, computed) = watch::channel(ComputeReport::default());
    let (applied_sender, applied) = watch::channel(Applied::default());
    let unsent = Arc::new(Unsent::default());
    let (own_sender, own) = watch::channel(None);
    let (own_applied_sender, own_applied) = watch::channel(Applied::default());
    let kernel = Reconciler::new(config.clone())?.confirmed_by(confirmations);
    let kernel = kernel.run(own.clone(), own_applied_sender);
    let config = Arc::new(config);
    let routers = Routers::new(config.clone())?;
    // Each on its own: what one asks of the machine takes its time, and rules wait for none.
    let mut parts: JoinSet<Result<(), BoxError>> = JoinSet::new();
    let routers = routers.run(state.clone(), own_sender, own_applied, applied_sender);
    parts.spawn(async { Ok(routers.await?) });
    let consoles = unsent.clone();
    let computing = compute::run(driver, state.clone(), move |mut said: ComputeReport| {
        consoles.add(std::mem::take(&mut said.consoles));
        compute_report.send_replace(said);
    });
    let name: Arc<str> = config.name.as_str().into();
    parts.spawn(async { Ok(serve::run(config, own, None).await?) });
    parts.spawn(done(computing));
    parts.spawn(done(join(name, applied, computed, report)));
    parts.spawn(done(follow::follow(server.clone(), saved, Followed { states, confirmed })));
    parts.spawn(done(follow::say(server, reports, unsent)));
    tokio::select! {
        result = kernel => Ok(result?),
        // All end when one does.
        Some(result) = parts.join_next() => result?,
    }
}

/// What has no result.
async fn done(part: impl Future<Output = ()>) -> Result<(), BoxError> {
    part.await;
    Ok(())
}

/// Makes one report of the two.
async fn join(
    host: Arc<str>,
    mut applied: watch::Receiver<Applied>,
    mut computed: watch::Receiver<ComputeReport>,
    report: watch::Sender<(Arc<str>, HostReport)>,
) {
    let memory = memory_mib();
    loop {
        let changed = tokio::select! {
            changed = applied.changed() => changed,
            changed = computed.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
        let joined = whole(&host, memory, &applied.borrow_and_update(), &computed.borrow_and_update());
        report.send_replace(joined);
    }
}

/// The machine's memory, by proc_meminfo(5).
fn memory_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// What is applied is what all parts have applied, of one epoch.
fn whole(
    host: &Arc<str>,
    memory_mib: u64,
    kernel: &Applied,
    compute: &ComputeReport,
) -> (Arc<str>, HostReport) {
    let mut failures: Vec<Failure> = kernel.failures.iter().chain(&compute.failures).cloned().collect();
    failures.sort();
    let same = kernel.epoch == compute.epoch;
    let report = HostReport {
        host: Arc::clone(host),
        applied: if same { kernel.generation.min(compute.generation) } else { 0 },
        failures,
        instances: compute.instances.clone(),
        holding: kernel.holding.clone(),
        flat_mac: kernel.flat_mac,
        flat_mtu: kernel.flat_mtu,
        wiring: kernel.wiring.clone(),
        memory_mib,
    };
    (kernel.epoch.clone(), report)
}
