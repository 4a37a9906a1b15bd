//! What hosts report of their instances becomes the instances' state.
//!
//! Levels, not events: each report carries every instance that the host has anything of, so a lost
//! or repeated report changes nothing in the end. A phase counts only for the boot that it is about.

use std::sync::Arc;

use super::{Decision, claims, hosts, lifecycle};
use crate::plan::{Failure, HostReport, InstanceReport, Phase};
use crate::types::InstanceId;
use crate::world::{Host, Instance, InstanceState};

use InstanceState::{Pending, Running, ShuttingDown, Stopped, Stopping, Terminated};

/// Takes a host's report in. What it says of instances of other hosts is ignored.
pub fn observed(decision: &mut Decision<'_>, report: &HostReport) {
    for seen in &report.instances {
        let Some(instance) = decision.world.instances.get(&seen.id).cloned() else { continue };
        if instance.host == report.host {
            step(decision, &instance, seen, report);
        }
    }
    forget(decision, report);
    claims::released(decision, report);
    facts(decision, report);
}

/// What the host says of itself.
fn facts(decision: &mut Decision<'_>, report: &HostReport) {
    if let Some(host) = changed_facts(&decision.world, report) {
        decision.put(host);
    }
    if let Some(host) = hosts::returned(&decision.world, report) {
        decision.put(host);
    }
}

fn changed_facts(world: &crate::world::World, report: &HostReport) -> Option<Host> {
    let host = world.hosts.get(&report.host)?;
    let flat_mac = report.flat_mac.or(host.flat_mac);
    let flat_mtu = report.flat_mtu.or(host.flat_mtu);
    let said = (flat_mac, flat_mtu);
    (said != (host.flat_mac, host.flat_mtu)).then(|| Host { flat_mac, flat_mtu, ..(**host).clone() })
}

/// Whether the report would change anything: a report is a command only then.
pub fn concerns(world: &crate::world::World, report: &HostReport) -> bool {
    let told = report.instances.iter().any(|seen| {
        world
            .instances
            .get(&seen.id)
            .is_some_and(|instance| instance.host == report.host && next(instance, seen).is_some())
    });
    told || !unlisted(world, report).is_empty()
        || !claims::let_go(world, report).is_empty()
        || changed_facts(world, report).is_some()
        || hosts::returned(world, report).is_some()
}

/// What a phase makes of an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Run,
    /// A shutdown from within.
    ShutDown,
    /// It could not be started, or started again.
    Fail,
    Stop,
    End,
}

fn next(instance: &Instance, seen: &InstanceReport) -> Option<Step> {
    let current = seen.boot == instance.boot;
    match (instance.state, seen.phase) {
        (Pending, Phase::Running) if current => Some(Step::Run),
        (Running, Phase::Running) if current && instance.seen_boot != seen.boot => Some(Step::Run),
        (Pending | Running, Phase::Exited) if current => Some(Step::ShutDown),
        (Pending | Running, Phase::Failed) if current => Some(Step::Fail),
        // What is to stop and does not run has stopped, whatever it ended of.
        (Stopping, Phase::Stopped | Phase::Gone | Phase::Exited | Phase::Failed) => Some(Step::Stop),
        (ShuttingDown, Phase::Gone) => Some(Step::End),
        // Terminated here and still reported: the host will find it absent from its state.
        (Pending | Running | Stopping | ShuttingDown | Stopped | Terminated, _) => None,
    }
}

fn step(decision: &mut Decision<'_>, instance: &Instance, seen: &InstanceReport, report: &HostReport) {
    let Some(step) = next(instance, seen) else { return };
    let state_since = match step {
        Step::Run if instance.state == Running => instance.state_since,
        _ => decision.env.now,
    };
    let row = Instance { seen_boot: seen.boot, state_since, ..instance.clone() };
    match step {
        Step::Run => decision.put(Instance { state: Running, state_reason: None, ..row }),
        Step::Stop => decision.put(Instance { state: Stopped, ..row }),
        Step::End => lifecycle::terminated(decision, &row),
        Step::ShutDown if instance.terminate_on_shutdown => {
            lifecycle::shut_down(decision, &row, lifecycle::FROM_WITHIN);
        }
        Step::ShutDown => {
            let state_reason = lifecycle::reason(lifecycle::FROM_WITHIN);
            decision.put(Instance { state: Stopping, state_reason, ..row });
        }
        // EC2 terminates what it cannot launch and stops what it cannot start again.
        Step::Fail => {
            let row = Instance { state_reason: why(report, instance.id), ..row };
            match instance.seen_boot {
                0 => lifecycle::shut_down_because(decision, &row),
                _ => decision.put(Instance { state: Stopping, ..row }),
            }
        }
    }
}

/// Why an instance could not be started, by its host's own word.
fn why(report: &HostReport, id: InstanceId) -> Option<(Arc<str>, Arc<str>)> {
    let subject = Failure::of_instance(id);
    let said = report.failures.iter().find(|failure| failure.subject == subject);
    lifecycle::start_failed(&report.host, said.map(|failure| failure.message.as_str()))
}

/// Ends instances that were to vanish and of which an up-to-date host knows nothing: it never heard
/// of them, or its last words were lost.
fn forget(decision: &mut Decision<'_>, report: &HostReport) {
    for instance in unlisted(&decision.world, report) {
        lifecycle::terminated(decision, &instance);
    }
}

fn unlisted(world: &crate::world::World, report: &HostReport) -> Vec<Arc<Instance>> {
    if report.applied < world.generation {
        return Vec::new();
    }
    let listed = |id: InstanceId| report.instances.iter().any(|seen| seen.id == id);
    world
        .instances_on(&report.host)
        .filter(|instance| instance.state == ShuttingDown && !listed(instance.id))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::instances;
    use crate::control::testing::{Bench, run_request};

    #[test]
    fn an_instance_that_could_not_be_started_says_what_its_host_said() {
        let mut bench = Bench::small();
        bench.attempt(|decision| instances::run_instances(decision, &run_request())).unwrap();
        let row = bench.world.instances.values().next().unwrap().clone();
        let words = "cannot prepare the image /images/busybox: there is no such folder\n on this host";
        let failures = [("instance i-another", "not this"), (&*Failure::of_instance(row.id), words)]
            .map(|(subject, message)| Failure { subject: subject.into(), message: message.into() });
        let seen = InstanceReport { id: row.id, boot: row.boot, phase: Phase::Failed };
        let host = row.host.clone();
        let report =
            HostReport { host, failures: failures.to_vec(), instances: vec![seen], ..HostReport::default() };
        bench.decide(|decision| observed(decision, &report));
        let failed = bench.world.instances[&row.id].clone();
        assert_eq!(failed.state, ShuttingDown);
        let (code, message) = failed.state_reason.clone().unwrap();
        assert_eq!(&*code, "Server.InternalError");
        assert_eq!(
            &*message,
            "Server.InternalError: the host could not start the instance; node1 says: cannot prepare the image \
             /images/busybox: there is no such folder on this host"
        );
        // A silent failure has the plain reason; the words last when the host has cleaned up.
        let gone = InstanceReport { phase: Phase::Gone, ..seen };
        let report = HostReport { instances: vec![gone], failures: Vec::new(), ..report };
        bench.decide(|decision| observed(decision, &report));
        let ended = &bench.world.instances[&row.id];
        assert_eq!((ended.state, &ended.state_reason), (Terminated, &failed.state_reason));
    }
}
