//! Any sequence of requests and reports: the World that was loaded is the World that was applied, and what must
//! hold of every World holds.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::calls::calls;
use super::testing::{Bed, Cluster, commit};
use super::{interfaces, ipv6, vpcs};
use crate::control::testing::Bench;
use crate::control::{self, Decision, hosts};
use crate::plan::{Delta, HostReport, HostState, InstanceReport, Phase, Planner, concern, host_state};
use crate::query::{self, Fault};
use crate::store::Store;
use crate::store::history::{self, News};
use crate::store::publish::Seen;
use crate::types::*;
use crate::world::*;

/// A step: an action with `$…` in place of something that there is, a report, or time that passes.
#[derive(Clone, Debug)]
enum Step {
    Call(&'static [(&'static str, &'static str)], [u8; 3]),
    /// By one of the hosts.
    Report(Phase, bool),
    /// For half an hour, or for longer than anything is remembered.
    Wait(bool),
    /// Whose calls the next ones are.
    Caller(bool),
    Operator(Operator, bool),
}

/// What the operator does, to one of the hosts.
#[derive(Clone, Copy, Debug)]
enum Operator {
    Drain,
    Activate,
    Fail,
    Central,
    Distributed,
}

const HOSTS: [&str; 2] = ["node1", "node2"];

/// The bench's own, and another one.
const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];

fn host(second: bool) -> &'static str {
    HOSTS[usize::from(second)]
}

const KEY: &str = "c3NoLWVkMjU1MTkgQUFBQUMzTnphQzFsWkRJMU5URTVBQUFBSVBPbkZGaU9nbDlCVXhIbHZqU3NaM3czZkhYOVFPeHFPb1UxMzVJcTlhd1g=";

fn step() -> impl Strategy<Value = Step> {
    let phase = prop_oneof![
        4 => Just(Phase::Running),
        1 => Just(Phase::Exited),
        2 => Just(Phase::Stopped),
        2 => Just(Phase::Gone),
        1 => Just(Phase::Failed),
    ];
    let operator = proptest::sample::select(vec![
        Operator::Drain,
        Operator::Activate,
        Operator::Fail,
        Operator::Central,
        Operator::Distributed,
    ]);
    prop_oneof![
        8 => (proptest::sample::select(calls()), any::<[u8; 3]>()).prop_map(|(call, picks)| Step::Call(call, picks)),
        4 => (phase, any::<bool>()).prop_map(|(phase, second)| Step::Report(phase, second)),
        1 => (operator, any::<bool>()).prop_map(|(what, second)| Step::Operator(what, second)),
        1 => any::<[bool; 2]>().prop_map(|[one, other]| Step::Wait(one && other)),
        1 => any::<bool>().prop_map(Step::Caller),
    ]
}

/// Something that there is, chosen by a number; an id of nobody's where there is nothing.
pub fn pick<T: ToString>(all: impl Iterator<Item = T>, pick: u8, none: &str) -> String {
    let all: Vec<String> = all.map(|id| id.to_string()).collect();
    match all.len() {
        0 => none.to_owned(),
        count => all[usize::from(pick) % count].clone(),
    }
}

pub fn fill(world: &World, value: &str, n: u8) -> String {
    match value {
        "$address" => pick(world.addresses.keys(), n, "eipalloc-00000000"),
        "$ip" => pick(world.addresses.values().map(|row| row.public_ip), n, "203.0.113.9"),
        "$account" => pick(world.accounts.keys(), n, "000000000000"),
        "$association" => pick(world.index.address_by_association.keys(), n, "eipassoc-00000000"),
        "$instance" => pick(world.instances.keys(), n, "i-00000000"),
        "$eni" => pick(world.enis.keys(), n, "eni-00000000"),
        "$group" => pick(world.groups.keys(), n, "sg-00000000"),
        "$rule" => pick(world.rules.keys(), n, "sgr-00000000"),
        "$image" => pick(world.images.keys(), n, "ami-00000000"),
        "$template" => pick(world.launch_templates.keys(), n, "lt-00000000"),
        "$key" => KEY.to_owned(),
        other => vpcs::fill(world, other, n)
            .or_else(|| interfaces::fill(world, other, n))
            .or_else(|| ipv6::fill(world, other, n))
            .unwrap_or_else(|| other.to_owned()),
    }
}

fn call(bench: &mut Bench, call: &[(&str, &str)], picks: [u8; 3]) {
    let mut pairs = vec![("Version".to_owned(), "2016-11-15".to_owned())];
    for ((name, value), n) in call.iter().zip(picks.iter().cycle()) {
        pairs.push(((*name).to_owned(), fill(&bench.world, value, *n)));
    }
    let action = query::decode(&pairs).unwrap().action;
    let decided = bench.attempt(|decision: &mut Decision<'_>| -> Result<(), Fault> {
        query::dispatch_write(decision, &action).unwrap().map(drop)
    });
    if let Err(fault) = decided {
        let declared = action.faults().contains(&fault.code) || query::COMMON_FAULTS.contains(&fault.code);
        assert!(declared, "{} returned {}: {}", action.name(), fault.code.as_str(), fault.message);
    }
}

fn take(bench: &mut Bench, step: &Step) {
    match step {
        Step::Call(form, picks) => call(bench, form, *picks),
        Step::Report(phase, second) => {
            let report = |instance: &std::sync::Arc<Instance>| InstanceReport {
                id: instance.id,
                boot: instance.boot,
                phase: *phase,
            };
            let instances = bench.world.instances_on(host(*second)).map(report).collect();
            let applied = bench.world.generation;
            let report = HostReport {
                host: host(*second).into(),
                applied,
                failures: vec![],
                instances,
                ..HostReport::default()
            };
            bench.decide(|decision| control::observed(decision, &report));
        }
        Step::Operator(what, second) => {
            let called = host(*second);
            // What is refused changes nothing.
            let _ = bench.attempt(|decision| match what {
                Operator::Drain => hosts::drain(decision, called, true),
                Operator::Activate => hosts::drain(decision, called, false),
                Operator::Fail => hosts::fail(decision, called),
                Operator::Central => hosts::set_gateway(decision, "flat", Some(called)),
                Operator::Distributed => hosts::set_gateway(decision, "flat", None),
            });
        }
        Step::Caller(second) => bench.caller.owner.account = ACCOUNTS[usize::from(*second)].parse().unwrap(),
        Step::Wait(long) => {
            bench.now = bench.now.plus_seconds(if *long { 15 * 24 * 3600 } else { 1_900 });
            bench.decide(control::tick);
        }
    }
}

/// What must hold of any World.
pub fn check(world: &World) {
    let mut private = BTreeSet::new();
    for eni in world.enis.values() {
        assert!(private.insert((eni.network.clone(), eni.private_ip)), "{} is given twice", eni.private_ip);
        assert!(
            eni.groups.iter().all(|group| world.groups.contains_key(group)),
            "{} has a group of nobody's",
            eni.id
        );
    }
    let mut public = BTreeSet::new();
    let mut led_to = BTreeSet::new();
    for address in world.addresses.values() {
        assert!(public.insert(address.public_ip), "{} is given twice", address.public_ip);
        if let Some(to) = address.association {
            let eni = world.enis.get(&to.eni).expect("an address leads to an interface that there is");
            assert!(eni.private_ips().any(|ip| ip == to.private_ip));
            assert!(led_to.insert((to.eni, to.private_ip)), "two addresses lead to {}", to.private_ip);
        }
    }
    for offer in world.address_transfers.values().filter(|offer| offer.accepted.is_none()) {
        let address = world.addresses.get(&offer.allocation).expect("what is offered is there");
        assert!(address.owner == offer.owner && offer.to != offer.owner.account, "{offer:?}");
    }
    for instance in world.instances.values().filter(|instance| instance.state == InstanceState::Terminated) {
        assert!(world.interfaces_of(instance.id).is_empty(), "{} ended and has interfaces", instance.id);
    }
    for template in world.launch_templates.values() {
        let default = (template.id, template.default_version);
        assert!(world.launch_template_versions.contains_key(&default), "{} has no default", template.id);
    }
    for version in world.launch_template_versions.values() {
        let template = world.launch_templates.get(&version.template).expect("a version is of a template");
        assert!(version.number < template.next_version);
    }
    let mut distinct = BTreeSet::new();
    for rule in world.rules.values() {
        assert!(world.groups.contains_key(&rule.group));
        let same = (rule.group, rule.direction, rule.traffic, rule.target.clone());
        assert!(distinct.insert(same), "{} is there twice", rule.id);
        if let RuleTarget::Group { group, .. } = rule.target {
            assert!(world.groups.contains_key(&group), "{} names a group that is gone", rule.id);
        }
        if let RuleTarget::PrefixList(list) = rule.target {
            assert!(world.prefix_lists.contains_key(&list), "{} names a list that is gone", rule.id);
        }
    }
    vpcs::check(world);
    interfaces::check(world);
    ipv6::check(world);
    for name in HOSTS {
        let state = host_state(world, name);
        for port in state.ports.values() {
            assert!(
                state.instances.contains_key(&port.instance) && state.networks.contains_key(&port.network)
            );
            assert!(port.groups.iter().all(|group| state.groups.contains_key(group)));
            assert_eq!(&*state.places[&port.eni].host, name);
        }
        assert!(state.addresses.values().all(|address| state.places.contains_key(&address.eni)));
    }
}

/// What each host's kernel was last made to be.
#[derive(Default)]
struct Kernels(BTreeMap<&'static str, HostState>, Option<Planner>);

impl Kernels {
    /// The hosts that nobody told anything are the same, a delta leads where the whole state does, and
    /// no address is wanted on a host while another may still answer for it.
    fn check(&mut self, before: &World, bench: &Bench, changes: &[Change], step: &Step) {
        let after = &bench.world;
        let concerned = concern(before, after, changes);
        let world = std::sync::Arc::new(after.clone());
        let mut planner = match self.1.take() {
            Some(planner) => planner.advance(world, "".into()),
            None => Planner::new(world, "".into()),
        };
        for name in HOSTS {
            let (old, new) = (host_state(before, name), host_state(after, name));
            assert!(
                *planner.host_state(&name.into()) == new,
                "{name}: a planner that goes on is as good as a new one"
            );
            if !concerned.contains(name) {
                let same = HostState { generation: new.generation, ..old.clone() };
                assert!(same == new, "{name} was not told:\n{old:?}\n{new:?}\n{changes:?}");
            }
            let delta = Delta::between(&old, &new);
            let sent: Delta = serde_json::from_str(&serde_json::to_string(&delta).unwrap()).unwrap();
            assert!(sent.applied_to(&old).as_ref() == Some(&new), "{delta:?}");
        }
        self.1 = Some(planner);
        match step {
            // A report is of what the host had applied: all that there was before it.
            Step::Report(_, second) => {
                self.0.insert(host(*second), host_state(before, host(*second)));
            }
            Step::Operator(Operator::Fail, second) => drop(self.0.remove(host(*second))),
            _ => {}
        }
        for name in HOSTS {
            let wanted = host_state(after, name);
            for (other, kernel) in self.0.iter().filter(|(other, _)| **other != name) {
                for ip in wanted.addresses.keys() {
                    assert!(!kernel.addresses.contains_key(ip), "{ip} is on {other} and wanted on {name}");
                }
                for port in wanted.ports.values() {
                    let of_network = kernel.ports.values().filter(|held| held.network == port.network);
                    let held: Vec<_> = of_network.flat_map(|held| held.private_ips()).collect();
                    assert!(port.private_ips().all(|ip| !held.contains(&ip)), "{}", port.private_ip);
                }
            }
            // A kernel that has never reported may hold all that it was ever told.
            self.0.entry(name).or_default();
            if let Some(kernel) = self.0.get_mut(name) {
                kernel.addresses.extend(wanted.addresses);
                kernel.ports.extend(wanted.ports);
            }
        }
    }
}

/// Another server, which comes along in leaps: it sees what was made, and wakes the hosts that it is of concern to.
async fn catch_up(store: &mut Store, known: &Seen, world: &World) -> Seen {
    let found = history::meta(&mut store.connection).await.unwrap().mark;
    let standing = history::standing(&mut store.connection, &known.mark(), &found.epoch, found.generation)
        .await
        .unwrap();
    let (after, changes) = match history::apart(&mut store.connection, known, found, standing).await.unwrap()
    {
        News::None => (known.clone(), Vec::new()),
        News::Steps(after, changes) => (after, changes),
        News::All(_) | News::Lost => panic!("the way is known"),
    };
    assert_eq!(*after.world, *world);
    let changes: Vec<Change> = changes.into_iter().map(|(_, change)| change).collect();
    let concerned = concern(&known.world, &after.world, &changes);
    for name in HOSTS.into_iter().filter(|name| !concerned.contains(name)) {
        let (old, new) = (host_state(&known.world, name), host_state(&after.world, name));
        let same = HostState { generation: new.generation, ..old.clone() };
        assert!(same == new, "{name} was not told:\n{old:?}\n{new:?}\n{changes:?}");
    }
    after
}

/// Takes the steps, and compares the World that they made with the one that the store has then.
fn run(bed: &Bed, steps: &[Step]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut bench = Bench::small();
    bench.host("node2", "us-east-1a");
    let other = Owner { account: ACCOUNTS[1].parse().unwrap(), ..bench.caller.owner.clone() };
    bench.put(Account { id: other.account, name: "other".into(), created: bench.now });
    bench.decide(|decision| control::defaults::ensure(decision, &other));
    bench.decide(|decision| control::ipv6::add(decision, ipv6::PREFIX.parse().unwrap())).unwrap();
    let mut kernels = Kernels::default();
    let mut store = runtime.block_on(bed.store());
    // What the bench begins with, as one transaction.
    let rows = std::mem::take(&mut bench.changes);
    bench.world.generation = runtime.block_on(commit(&mut store, &rows)).unwrap();
    let mut follower = runtime.block_on(store.load_seen()).unwrap();
    for (n, step) in steps.iter().enumerate() {
        let old = bench.world.clone();
        let before = old.generation;
        take(&mut bench, step);
        check(&bench.world);
        let changes = std::mem::take(&mut bench.changes);
        kernels.check(&old, &bench, &changes, step);
        if changes.is_empty() {
            // The writer publishes nothing then, and counts no generation.
            bench.world.generation = before;
        } else {
            let generation = runtime.block_on(commit(&mut store, &changes)).unwrap();
            assert_eq!(generation, bench.world.generation);
        }
        if n % 4 == 3 {
            follower = runtime.block_on(catch_up(&mut store, &follower, &bench.world));
        }
    }
    let loaded = runtime.block_on(async { bed.store().await.load().await.unwrap() });
    assert_eq!(loaded, bench.world);
}

/// As many, or as many times that as FOGBANK_SOAK says.
fn cases(count: u32) -> ProptestConfig {
    let soak = std::env::var("FOGBANK_SOAK").map_or(1, |times| times.parse().unwrap());
    ProptestConfig { cases: count * soak, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn what_was_applied_is_what_is_loaded(steps in proptest::collection::vec(step(), 1..60)) {
        run(&Bed::sqlite(), &steps);
    }
}

#[test]
fn what_was_applied_is_what_is_loaded_from_postgres() {
    let cluster = Cluster::new();
    proptest!(cases(16), |(steps in proptest::collection::vec(step(), 1..60))| {
        run(&Bed::postgres(&cluster), &steps);
    });
}
