//! A deployment of a thousand hosts, as far as servers see one: real servers on one database, and agents that program
//! no kernel but follow and report like any other.
//!
//! Prints what it measured: how long until the last of them has a rule change, and what that takes of the servers.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../common/database.rs"]
#[allow(dead_code)]
mod database;
#[path = "../common/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "../common/sign.rs"]
#[allow(dead_code)]
mod sign;

mod agents;
mod servers;

use std::time::{Duration, Instant};

use agents::Agents;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use servers::{Deployment, RULE_PORT};

/// How long everybody may take for anything.
const PATIENCE: Duration = Duration::from_secs(120);

fn hosts() -> usize {
    std::env::var("FOGBANK_HOSTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000)
}

fn servers() -> usize {
    if std::env::var("FOGBANK_SQLITE").is_ok() { 1 } else { 2 }
}

#[test]
fn a_rule_change_reaches_a_thousand_hosts() {
    // A thousand agents have two thousand connections, all of them in this process.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let count = hosts();
    assert!(most > 4 * count as u64, "{count} hosts need more than {most} open files: raise `ulimit -Hn`");
    let deployment = Deployment::start(servers());
    let begun = Instant::now();
    let agents = Agents::join(&deployment, count);
    println!("{count} hosts joined in {:.1?}", begun.elapsed());
    let begun = Instant::now();
    agents.until(PATIENCE, "has its first state", |held| held.hosts.len() == count);
    println!("each knew all of them after {:.1?}", begun.elapsed());
    let group = deployment.run_on_all(count);
    let begun = Instant::now();
    agents.until(PATIENCE, "has its instance", |held| held.ports.len() == 1 && held.places.len() == count);
    println!("each had its instance and knew all others' places after {:.1?}", begun.elapsed());

    let before: Vec<_> = deployment.servers.iter().map(server::Server::usage).collect();
    let mut slowest = Duration::ZERO;
    const CHANGES: u16 = 5;
    for change in 0..CHANGES {
        let port = RULE_PORT + change;
        let begun = Instant::now();
        let reply = deployment.authorize(usize::from(change) % servers(), &group, port);
        let answered = begun.elapsed();
        let named = reply.header("x-fogbank-applied").unwrap_or_default().to_owned();
        agents.until(PATIENCE, "has the rule", |held| servers::allows(held, port));
        let last = agents.last_word().duration_since(begun);
        slowest = slowest.max(last);
        let applied = named.split("; ").find_map(|part| part.strip_prefix("applied=")).unwrap_or_default();
        println!(
            "rule change {change}: the last host had it after {last:.0?}, the answer came after {answered:.0?} and named {}",
            applied.split(',').filter(|host| !host.is_empty()).count(),
        );
        // On a busy machine one may not be heard of for a second, and is not waited for.
        let named_all = applied.split(',').count() * 100 >= count * 95;
        assert!(named_all, "the answer waits for all that live: {named:.200}");
    }
    for (at, (server, before)) in deployment.servers.iter().zip(&before).enumerate() {
        let usage = server.usage();
        let cpu = (usage.cpu - before.cpu) / u32::from(CHANGES);
        println!("server {}: {:.1?} of CPU a change, {} MiB at most", at + 1, cpu, usage.peak_mib);
    }
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
}
