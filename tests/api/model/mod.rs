//! Histories of calls against a second, plain implementation of what EC2 documents.
//!
//! Each answer is compared whole, and after each step everything that each account can see. Only what a server decides
//! by itself (ids, times, which free address) is taken from it, once. The model is lists and linear searches, written
//! from AWS's API reference, and shares no code with `src/control`.

mod acls;
mod addresses;
mod attributes;
mod blocks;
mod call;
mod cards;
mod details;
mod edits;
mod ends;
mod families;
mod gateways;
mod ground;
mod groups;
mod history;
mod host;
mod insights;
mod instances;
mod interfaces;
mod keys;
mod kinds;
mod launches;
mod learning;
mod line;
mod lists;
mod nat;
mod needs;
mod nets;
mod peers;
mod permits;
mod private;
mod reading;
mod reads;
mod routes;
mod routing;
mod rules;
mod shapes;
mod spoil;
mod steps;
mod subnets;
mod tagging;
mod transfers;
mod tree;
mod vpcs;
mod ways;
mod world;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::database::Database;
use crate::dice::seeds;
use crate::server::Folder;

use ground::{Ground, Tally};
use history::{History, Plan};

/// How long a failure may be made shorter.
const SHRINKING: Duration = Duration::from_secs(60);

/// Plays a history from its beginning.
fn play(ground: &mut Ground, plan: &Plan) -> Result<(), (String, Vec<String>)> {
    let mut history = History::begin(ground, plan.theme);
    let mut outcome = history.look();
    for step in &plan.steps {
        if outcome.is_ok() {
            outcome = history.step(*step, plan.kills);
        }
    }
    let outcome = outcome.and_then(|()| history.look_at_all());
    let told = history.told.clone();
    history.end();
    outcome.map_err(|problem| (problem, told))
}

/// Leaves steps out for as long as it still fails.
fn shrink(
    ground: &mut Ground,
    plan: &Plan,
    mut failure: (String, Vec<String>),
) -> (Plan, String, Vec<String>) {
    let begun = Instant::now();
    let mut shortest = plan.clone();
    // Nothing comes after what failed.
    shortest.steps.truncate(failure.1.len().max(1));
    let mut piece = shortest.steps.len().div_ceil(2);
    while piece > 0 && begun.elapsed() < SHRINKING {
        let mut at = 0;
        while at < shortest.steps.len() && begun.elapsed() < SHRINKING {
            let mut shorter = shortest.clone();
            shorter.steps.drain(at..(at + piece).min(shortest.steps.len()));
            match play(ground, &shorter) {
                Err(still) => (shortest, failure) = (shorter, still),
                Ok(()) => at += piece,
            }
        }
        piece /= 2;
    }
    (shortest, failure.0, failure.1)
}

/// Plays histories one after the other.
fn histories(ground: &mut Ground, seeds: &[u64]) -> usize {
    let mut steps = 0;
    for seed in seeds {
        let plan = Plan::of(*seed);
        if let Err(failure) = play(ground, &plan) {
            println!("FOGBANK_SEED={seed}: {}\nafter\n{}", failure.0, failure.1.join("\n"));
            let (plan, problem, told) = shrink(ground, &plan, failure);
            panic!("FOGBANK_SEED={seed}, {} steps: {problem}\nafter\n{}", plan.steps.len(), told.join("\n"));
        }
        steps += plan.steps.len();
    }
    steps
}

/// The actions that write, by api-spec/.
fn writing() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("api-spec");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let writes = path.extension().is_some_and(|end| end == "toml")
            && std::fs::read_to_string(&path).unwrap().contains("\nkind = \"write\"\n");
        if writes {
            names.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
    }
    names
}

/// Actions that the model leaves to the doors and to tests of their own.
#[rustfmt::skip]
const UNKNOWN: &[&str] = &[
    "AssignIpv6Addresses", "AssociateSubnetCidrBlock", "CreateDefaultSubnet", "CreateDefaultVpc",
    "CreateEgressOnlyInternetGateway", "CreateLaunchTemplate", "CreateLaunchTemplateVersion",
    "CreateSubnetCidrReservation", "DeleteEgressOnlyInternetGateway", "DeleteLaunchTemplate",
    "DeleteLaunchTemplateVersions", "DeleteSubnetCidrReservation", "DeregisterImage", "DisassociateSubnetCidrBlock",
    "ModifyImageAttribute", "ModifyLaunchTemplate", "RegisterImage", "UnassignIpv6Addresses",
    // Too seldom is there one that may go.
    "DeleteDhcpOptions", "DeleteInternetGateway", "DeleteRouteTable",
    // It never succeeds.
    "MonitorInstances",
];

/// Of so many tries of an action some have to do something, and some have to be refused.
const FEW: usize = 40;

fn assert_all_tried(tally: &Tally) {
    for action in writing().into_iter().filter(|action| !UNKNOWN.contains(&action.as_str())) {
        let codes = tally.codes.get(action.as_str());
        let both = codes.is_some_and(|codes| codes.contains_key("") && codes.len() > 1);
        // What is seldom possible may have come too seldom this time.
        let tries: usize = codes.map_or(0, |codes| codes.values().sum());
        assert!(
            both || (1..FEW).contains(&tries),
            "{action} was not tried with success and with errors: {codes:?}"
        );
    }
}

#[test]
fn every_answer_and_everything_after_it_is_as_the_model_has_it() {
    const WORKERS: usize = 2;
    let folder = Folder::new("model");
    let begun = Instant::now();
    let seeds = seeds(70);
    let share = seeds.len().div_ceil(WORKERS);
    let work = |number: usize, seeds: &[u64]| {
        let folder = folder.0.join(format!("worker{number}"));
        std::fs::create_dir_all(&folder).unwrap();
        let mut ground = Ground::prepare(&folder, 1, "");
        let steps = histories(&mut ground, seeds);
        (steps, std::mem::take(&mut ground.tally))
    };
    // All have ended, and their servers, before one's failure ends the test.
    let results: Vec<_> = std::thread::scope(|scope| {
        let chunks = seeds.chunks(share).enumerate();
        let workers: Vec<_> =
            chunks.map(|(number, seeds)| scope.spawn(move || work(number, seeds))).collect();
        workers.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let (mut steps, mut tally) = (0, Tally::default());
    for result in results {
        let (more, others) = result.unwrap();
        steps += more;
        tally.add(others);
    }
    say(seeds.len(), steps, &tally, begun);
    if seeds.len() > 1 {
        assert_all_tried(&tally);
    }
}

fn say(histories: usize, steps: usize, tally: &Tally, begun: Instant) {
    println!(
        "{histories} histories, {steps} steps, {} writes of which {} did something, in {:.1?}",
        tally.calls,
        tally.done,
        begun.elapsed()
    );
}

#[test]
fn two_servers_on_one_postgres_answer_as_the_model_has_it() {
    let folder = Folder::new("model-postgres");
    let begun = Instant::now();
    let database = Database::start(&folder.0);
    let mut ground = Ground::prepare(&folder.0, 2, &database.setting());
    let seeds = seeds(7);
    let steps = histories(&mut ground, &seeds);
    say(seeds.len(), steps, &ground.tally, begun);
}
