//! `make bench`: figures, each beside its baseline of the same run. Prints tables and writes docs/BENCHMARKS.md.
//!
//! `cargo bench --bench fogbank -- api` runs one part; without a name all are run. A part is a function that returns
//! figures: add it to [`PARTS`]. Nothing here touches the host's network but its loopback.

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
mod load;
mod machine;
mod packets;
mod peers;
mod report;
mod rules;
mod scale;
mod scene;

use figure::Figure;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// A part of the bench.
struct Part {
    name: &'static str,
    /// What is measured, and how: it stands above the part's table.
    about: &'static str,
    run: fn() -> Vec<Figure>,
}

const PARTS: &[Part] = &[
    Part { name: "api", about: api::ABOUT, run: api::run },
    Part { name: "rules", about: rules::ABOUT, run: rules::run },
    Part { name: "packets", about: packets::ABOUT, run: packets::run },
    Part { name: "agent", about: agent::ABOUT, run: agent::run },
    Part { name: "scale", about: scale::ABOUT, run: scale::run },
];

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
        std::process::exit(2);
    }
    raise_open_files();
    let mut short = 0;
    for part in PARTS.iter().filter(|part| words.is_empty() || words.iter().any(|word| word == part.name)) {
        println!("\n## {}\n\n{}\n", part.name, part.about);
        let figures = (part.run)();
        print!("{}", report::table(&figures));
        report::write(part.name, part.about, &figures);
        short += figures.iter().filter(|figure| figure.reached() == Some(false)).count();
    }
    println!("\n{short} figures fall short; docs/BENCHMARKS.md is written");
}

/// A thousand agents have two thousand connections, all of them in this process.
fn raise_open_files() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
}
