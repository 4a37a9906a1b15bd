//! The agent whole: kernel, servers and instances follow one state, and one report comes back.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;

use super::config::HostConfig;
use super::reconcile::{Applied, Reconciler};
use super::serve;
use crate::compute::{self, ComputeReport};
use crate::plan::{Failure, HostReport, HostState};

/// Runs the agent of the host that it is on, until the states' sender is gone.
///
/// `report` always holds the last report; consoles go to `consoles` as they grow.
///
/// # Errors
/// When the kernel cannot be programmed at all: not root, no netlink.
pub async fn run(
    config: HostConfig,
    states: watch::Receiver<Option<Arc<HostState>>>,
    report: watch::Sender<HostReport>,
    consoles: impl Fn(compute::Consoles) + Send + 'static,
) -> io::Result<()> {
    let driver = compute::Namespaces::new(&config);
    let (compute_report, computed) = watch::channel(ComputeReport::default());
    let (applied_sender, applied) = watch::channel(Applied::default());
    let kernel = Reconciler::new(config.clone())?.run(states.clone(), applied_sender);
    let computing = compute::run(driver, states.clone(), move |mut said: ComputeReport| {
        consoles(std::mem::take(&mut said.consoles));
        compute_report.send_replace(said);
    });
    let name: Arc<str> = config.name.as_str().into();
    tokio::select! {
        result = kernel => result,
        result = serve::run(Arc::new(config), states) => result,
        () = computing => Ok(()),
        () = join(name, applied, computed, report) => Ok(()),
    }
}

/// Makes one report of the two.
async fn join(
    host: Arc<str>,
    mut applied: watch::Receiver<Applied>,
    mut computed: watch::Receiver<ComputeReport>,
    report: watch::Sender<HostReport>,
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

/// What is applied is what all parts have applied.
fn whole(host: &Arc<str>, memory_mib: u64, kernel: &Applied, compute: &ComputeReport) -> HostReport {
    let mut failures: Vec<Failure> = kernel.failures.iter().chain(&compute.failures).cloned().collect();
    failures.sort();
    HostReport {
        host: Arc::clone(host),
        applied: kernel.generation.min(compute.generation),
        failures,
        instances: compute.instances.clone(),
        holding: kernel.holding.clone(),
        flat_mac: kernel.flat_mac,
        memory_mib,
    }
}
