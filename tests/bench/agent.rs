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
use crate::server::Folder;

pub const ABOUT: &str = "An agent's reconciler in a network namespace with the interfaces of 1,000 instances, in groups of 10 rules. A cold start begins with a \
    kernel that has nothing of ours, and ends when everything is in it: rules, routes, neighbours, switches. The baseline is one process of `nft` that \
    writes the same rules. A resync looks at everything and finds nothing to do.";

const INSTANCES: usize = 1_000;
const RESYNCS: usize = 9;

pub fn run() -> Vec<Figure> {
    let lab = Lab::new();
    plug(&lab.host);
    let (host, config) = (&lab.host, lab.config.clone());
    let (cold, resync, writes) = host.run(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let state = Arc::new(crowd::state(INSTANCES));
            let mut agent = Reconciler::new(config).unwrap();
            let begun = Instant::now();
            let applied = agent.apply(&state).await;
            let cold = millis(begun);
            assert!(applied.failures.is_empty() && applied.pending.is_empty(), "{:?}", applied.failures);
            let before = inspect::generation().unwrap();
            let mut resync = Vec::new();
            for _ in 0..RESYNCS {
                let begun = Instant::now();
                agent.apply(&state).await;
                resync.push(millis(begun));
            }
            resync.sort_by(f64::total_cmp);
            (cold, resync[RESYNCS / 2], inspect::generation().unwrap() - before)
        })
    });
    let baseline = nft(&lab.host);
    vec![
        Figure::new(format!("cold start with {INSTANCES} instances"), cold, "ms")
            .beside("nft writes the rules", baseline)
            .target(Target::TimesAtMost(1.5)),
        Figure::new("resync with nothing to do, median", resync, "ms").target(Target::AtMost(50.0)),
        Figure::new(format!("transactions of rules in {RESYNCS} resyncs"), f64::from(writes), "")
            .target(Target::AtMost(0.0)),
    ]
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// The instances' interfaces, their other ends beside them.
fn plug(host: &Ns) {
    let folder = Folder(machine::folder("agent"));
    let mut batch = String::new();
    for n in 0..INSTANCES {
        let name = port_name(crowd::eni(n));
        let _ = writeln!(batch, "link add {name} address {PORT_MAC} type veth peer name far{n}");
        let _ = writeln!(batch, "link set far{n} up");
    }
    let path = folder.0.join("links");
    fs::write(&path, batch).unwrap();
    host.sh(&format!("ip -batch {}", path.display()));
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
