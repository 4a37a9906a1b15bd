//! `make bench`: figures, each beside its baseline of the same run. Prints tables and writes docs/BENCHMARKS.md.
//!
//! `cargo bench --bench fogbank -- api` runs one part; without a name all are run. A part is a function that returns
//! figures: add it to [`PARTS`]. Nothing here touches the host's network but its loopback. With `FOGBANK_BENCH_SMALL=1` in the
//! environment everything is tried with little of it, in about two minutes also without optimisation; nothing is written then.
//!
//! A part that panics is told and the next one begins; one that hangs ends the run. What a part has made is removed in any
//! case ([`leave`]). The run ends with 1 if a part failed, not if a figure falls short.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../fanout/agents.rs"]
mod agents;
#[path = "../common/database.rs"]
#[allow(dead_code)]
mod database;
#[path = "../dataplane/lab.rs"]
#[allow(dead_code)]
mod lab;
#[path = "../common/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "../fanout/servers.rs"]
#[allow(dead_code)]
mod servers;
#[path = "../common/sign.rs"]
#[allow(dead_code)]
mod sign;

mod agent;
mod api;
mod bare;
mod cases;
mod crowd;
mod disk;
mod figure;
mod leave;
mod load;
mod machine;
mod packets;
mod peers;
mod report;
mod rules;
mod scale;
mod scene;
mod size;
mod wire;

use std::process::exit;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use figure::Figure;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// A part of the bench.
pub struct Part {
    name: &'static str,
    title: &'static str,
    /// What is measured, and how: it stands above the part's table.
    about: &'static str,
    run: fn() -> Vec<Figure>,
}

pub const PARTS: &[Part] = &[
    Part { name: "api", title: "Requests and answers", about: api::ABOUT, run: api::run },
    Part {
        name: "rules",
        title: "A change of a rule, until packets meet it",
        about: rules::ABOUT,
        run: rules::run,
    },
    Part { name: "packets", title: "What rules cost a packet", about: packets::ABOUT, run: packets::run },
    Part { name: "agent", title: "An agent's start and resync", about: agent::ABOUT, run: agent::run },
    Part { name: "scale", title: "A server with many instances", about: scale::ABOUT, run: scale::run },
    Part { name: "hosts", title: "A server with many hosts", about: scale::ABOUT_HOSTS, run: scale::fan_out },
];

/// How long a part may take. It takes a tenth of this where it works.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// Unoptimised futures are large.
const STACK: usize = 32 * 1024 * 1024;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let [word, size] = &words[..]
        && word == bare::COMMAND
    {
        return bare::serve(size.parse().unwrap());
    }
    let unknown = words.iter().find(|word| PARTS.iter().all(|part| part.name != **word));
    if let Some(unknown) = unknown {
        let names: Vec<_> = PARTS.iter().map(|part| part.name).collect();
        eprintln!("there is no part {unknown}; there are: {}", names.join(", "));
        exit(2);
    }
    raise_open_files();
    leave::clear();
    clear_when_interrupted();
    let (mut short, mut failed) = (Vec::new(), Vec::new());
    for part in PARTS.iter().filter(|part| words.is_empty() || words.iter().any(|word| word == part.name)) {
        println!("\n## {}\n\n{}\n", part.title, part.about);
        let begun = Instant::now();
        let Some(figures) = figures(part) else {
            failed.push(part.name);
            continue;
        };
        print!("{}", report::table(&figures));
        println!("\n{} took {:.0} s", part.name, begun.elapsed().as_secs_f64());
        report::write(part, &figures);
        short.extend(figures.into_iter().filter(|figure| figure.reached() == Some(false)));
    }
    println!("\n{} figures fall short of their targets:", short.len());
    short.iter().for_each(|figure| println!("- {}", figure.what));
    if !failed.is_empty() {
        println!("\nwithout figures, because they failed: {}", failed.join(", "));
        exit(1);
    }
}

/// What a part finds, if it does not panic.
fn figures(part: &Part) -> Option<Vec<Figure>> {
    let (sender, found) = channel();
    let run = part.run;
    let thread = std::thread::Builder::new().name(part.name.into()).stack_size(STACK);
    let thread = thread.spawn(move || sender.send(run())).unwrap();
    match found.recv_timeout(PATIENCE) {
        Ok(figures) => Some(figures),
        Err(RecvTimeoutError::Timeout) => {
            eprintln!("{} does not end", part.name);
            leave::at_once();
            exit(1);
        }
        Err(RecvTimeoutError::Disconnected) => {
            // It has said what is wrong, and drops what it made.
            let _ = thread.join();
            None
        }
    }
}

/// Ctrl-C, and what ends services.
fn clear_when_interrupted() {
    std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut signals =
                [SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).unwrap());
            let [interrupt, terminate] = &mut signals;
            tokio::select! { _ = interrupt.recv() => {} _ = terminate.recv() => {} }
        });
        leave::at_once();
        exit(130);
    });
}

/// A thousand agents have two thousand connections, all of them in this process.
fn raise_open_files() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
}
