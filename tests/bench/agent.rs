//! How soon an agent has made a host what it is to be.

use std::fmt::Write as _;
use std::fs;
use std::sync::Arc;
use std::time::Instant;

use fogbank::agent::kernel::inspect;
use fogbank::agent::names::{PORT_MAC, port_name};
use fogbank::agent::reconcile::Reconciler;

use crate::crowd;
use crate::figure::{Figure, Target};
use crate::lab::{Lab, Ns};
use crate::machine;
use crate::machine::processor_time;
use crate::report::number;
use crate::server::Folder;
use crate::size;

pub const ABOUT: &str = "An agent's reconciler in a network namespace with the interfaces of 1,000 instances, in groups of 10 rules. A cold start begins with a \
    kernel that has nothing of ours, and ends when everything is in it: rules, routes, neighbours, proxy entries, switches, announcements; some 35 ms of it the agent hears whether somebody else has the one elastic address that is to \
    be here. The rules alone are \
    what a host without the interfaces is given. The baseline is one process of `nft` that writes the same rules. A resync looks at everything and finds \
    nothing to do; that no rules are written is read off the generation that the kernel counts.";

const INSTANCES: usize = 1_000;
const INSTANCES_OF_A_TRIAL: usize = 100;
const RESYNCS: usize = 9;

pub fn run() -> Vec<Figure> {
    let instances = size::of(INSTANCES, INSTANCES_OF_A_TRIAL);
    let bare = apply(&Lab::new(), instances, 0);
    let (lab, guests) = (Lab::new(), Ns::new("guests"));
    plug(&lab.host, &guests, instances);
    let plugged = apply(&lab, instances, RESYNCS);
    let nft = nft(&lab.host);
    let times = |what: &str, one: &Applied| {
        Figure::new(format!("{what} of {instances} instances"), one.cold, "ms")
            .beside("nft writes the rules", nft)
            .note(format!("{} ms of it at work", number(one.at_work)))
    };
    vec![
        times("cold start", &plugged).target(Target::TimesAtMost(1.5)),
        times("the rules alone", &bare),
        Figure::new("resync with nothing to do, median", plugged.resync, "ms").target(Target::AtMost(50.0)),
        Figure::new(format!("transactions of rules in {RESYNCS} resyncs"), f64::from(plugged.writes), "")
            .target(Target::AtMost(0.0)),
    ]
}

/// In milliseconds.
struct Applied {
    cold: f64,
    /// Of the cold start, what the processor took, in the kernel too.
    at_work: f64,
    resync: f64,
    /// The kernel's transactions in all resyncs.
    writes: u32,
}

/// A new agent makes the host what it is to be, and looks at it again so often.
fn apply(lab: &Lab, instances: usize, resyncs: usize) -> Applied {
    let config = lab.config.clone();
    lab.host.run(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let state = Arc::new(crowd::state(instances));
            let mut agent = Reconciler::new(config).unwrap();
            let (begun, work) = (Instant::now(), processor_time());
            let applied = agent.apply(&state).await;
            let (cold, at_work) = (millis(begun), (processor_time() - work) / 1e3);
            assert!(applied.failures.is_empty(), "{:?}", applied.failures);
            assert!(resyncs == 0 || applied.pending.is_empty(), "{:?}", applied.pending);
            let before = inspect::generation().unwrap();
            let mut took = Vec::new();
            for _ in 0..resyncs {
                let begun = Instant::now();
                agent.apply(&state).await;
                took.push(millis(begun));
            }
            took.sort_by(f64::total_cmp);
            let resync = took.get(resyncs / 2).copied().unwrap_or_default();
            Applied { cold, at_work, resync, writes: inspect::generation().unwrap() - before }
        })
    })
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// The instances' interfaces; their other ends are in a namespace of their own, as instances' are.
fn plug(host: &Ns, guests: &Ns, instances: usize) {
    let folder = Folder(machine::folder("links"));
    let (mut here, mut there) = (String::new(), String::new());
    for n in 0..instances {
        let (name, guests) = (port_name(crowd::eni(n)), guests.name());
        let _ =
            writeln!(here, "link add {name} address {PORT_MAC} type veth peer name far{n} netns {guests}");
        let _ = writeln!(there, "link set far{n} up");
    }
    for (ns, batch) in [(host, here), (guests, there)] {
        let path = folder.0.join(ns.name());
        fs::write(&path, batch).unwrap();
        ns.sh(&format!("ip -batch {}", path.display()));
    }
}

/// What `nft` takes for what is in the kernel now, in milliseconds.
fn nft(host: &Ns) -> f64 {
    let folder = Folder(machine::folder("nft"));
    let (path, scratch) = (folder.0.join("rules"), Ns::new("scratch"));
    fs::write(&path, host.sh("nft list ruleset")).unwrap();
    let begun = Instant::now();
    scratch.sh(&format!("nft -f {}", path.display()));
    millis(begun)
}
