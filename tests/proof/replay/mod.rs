//! However a host comes to its last state, it ends like one that was told nothing else.
//!
//! Each history is told in many ways: as it was, backwards, with gaps, to agents that are started again, to kernels that others
//! flush. The idea is that of projectcalico/calico's calculation graph tests. Here the kernel is a fake, which is strict; in
//! `real` it is the real one.

mod real;
mod tables;
mod values;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use fogbank::agent::kernel::batch;
use fogbank::agent::kernel::json::Commands;
use fogbank::agent::kernel::model::Ruleset;
use fogbank::agent::kernel::render::{Host, Side, render};
use fogbank::agent::names::{ROUTER_OUT, ROUTER_VXLAN};
use fogbank::agent::routers::split;
use fogbank::plan::HostState;
use fogbank::types::VpcId;

use crate::dice::{Dice, seeds};
use crate::history::History;
use crate::worlds::{name, own};
use tables::Tables;

/// Worlds of a run, and how often each changes; every host's states are told in every way.
const WORLDS: u64 = 24;
const STEPS: usize = 12;

/// What happens to an agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// It is told the state of this number.
    Told(usize),
    /// It is started again, without memory.
    Restarted,
    /// Somebody deletes everything that it has written.
    Flushed,
}

/// The ways to tell so many states, by name. The last state that is told is the one that counts.
pub fn ways(states: usize, dice: &mut Dice) -> Vec<(&'static str, Vec<Event>)> {
    use Event::{Flushed, Restarted, Told};
    let (all, last) = (0..states, states - 1);
    let told = |list: Vec<usize>| list.into_iter().map(Told).collect::<Vec<_>>();
    let between = |event| all.clone().flat_map(|n| [event, Told(n)]).collect();
    let mut ways = vec![
        ("as it was", told(all.clone().collect())),
        ("backwards", told(all.clone().rev().collect())),
        ("every second", told(all.clone().filter(|n| (last - n) % 2 == 0).collect())),
        ("first and last", told(vec![0, last])),
        ("each twice", told(all.clone().flat_map(|n| [n, n]).collect())),
        ("there and back", told(all.clone().chain(all.clone().rev()).collect())),
        ("started again each time", between(Restarted)),
        ("flushed each time", between(Flushed)),
    ];
    ways.push(("with gaps", told(all.clone().filter(|n| *n == last || dice.once_in(2)).collect())));
    ways.push(("in any order", told(all.clone().map(|_| dice.below(states)).collect())));
    let mut anything = Vec::new();
    for n in all {
        anything.push(Told(n));
        anything.extend([Restarted, Flushed].into_iter().filter(|_| dice.once_in(4)));
    }
    // Who was flushed last writes it anew when it hears of that.
    anything.push(Told(last));
    ways.push(("with anything between", anything));
    ways
}

/// What the rules of each state are in one network namespace, and what a kernel has where they were written at once.
struct Scene {
    /// `None` where there is no such router: its namespace has gone, with everything in it.
    rules: Vec<Option<Ruleset>>,
    fresh: Vec<Tables>,
}

impl Scene {
    fn new(rules: Vec<Option<Ruleset>>) -> Self {
        let write = |rules: &Option<Ruleset>| {
            let Some(rules) = rules else { return Tables::default() };
            let mut tables = Tables::default();
            tables.transact(&batch::replace::<Commands>(rules).document()).unwrap();
            // Over whatever is there.
            let mut again = tables.clone();
            again.transact(&batch::replace::<Commands>(rules).document()).unwrap();
            assert!(again == tables);
            tables
        };
        let fresh = rules.iter().map(write).collect();
        Self { rules, fresh }
    }
}

/// The rules of one host, as `Nft` keeps them, on a kernel of ours.
#[derive(Default)]
struct Agent {
    known: Option<usize>,
    kernel: Tables,
}

impl Agent {
    fn told(&mut self, scene: &Scene, state: usize) -> Result<(), String> {
        let Some(want) = &scene.rules[state] else {
            *self = Self::default();
            return Ok(());
        };
        let Some(before) = self.known.replace(state) else {
            // It replaces the table, which begins with nothing: done once for each state, and costly.
            self.kernel = scene.fresh[state].clone();
            return Ok(());
        };
        let have = scene.rules[before].as_ref().ok_or("known, and not there")?;
        let commands: Commands = batch::change(have, want);
        if have == want && !commands.is_empty() {
            return Err("writes where nothing differs".into());
        }
        let before = self.kernel.clone();
        let written = self.kernel.transact(&commands.document())?;
        if written > before.distance(&self.kernel) {
            return Err(format!("{written} elements written, more than differ"));
        }
        Ok(())
    }
}

#[test]
fn rules_end_as_a_fresh_agent_writes_them_however_the_states_came() {
    let seeds = seeds(WORLDS);
    let count = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for part in seeds.chunks(seeds.len().div_ceil(2)) {
            let count = &count;
            scope.spawn(move || part.iter().for_each(|seed| one_world(*seed, count)));
        }
    });
    println!("{} histories replayed of {} worlds", count.into_inner(), seeds.len());
}

fn one_world(seed: u64, count: &AtomicUsize) {
    let history = History::new(seed, STEPS);
    let mut dice = Dice::new(!seed);
    for number in 0..history.hosts {
        let states = history.states(&name(number));
        let vpcs: BTreeSet<_> = states.iter().flat_map(|state| state.vpcs.keys().copied()).collect();
        let own = states.iter().map(|state| Some(rules(&history, &split::host(state)))).collect();
        let mut scenes = vec![(Side::Host, Scene::new(own))];
        scenes.extend(vpcs.into_iter().map(|vpc| {
            let router =
                |state| split::routers(state).remove(&vpc).map(|router| rules_of(vpc, &router.kernel));
            (Side::Router(vpc), Scene::new(states.iter().map(router).collect()))
        }));
        for (way, events) in ways(states.len(), &mut dice) {
            for (side, scene) in &scenes {
                let told = format!("FOGBANK_SEED={seed}, {}, {side:?}, {way}", name(number));
                one_way(scene, &events, &told);
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn one_way(scene: &Scene, events: &[Event], told: &str) {
    let mut agent = Agent::default();
    let mut last = 0;
    for event in events {
        match event {
            Event::Told(n) => {
                last = *n;
                agent.told(scene, last).unwrap_or_else(|why| panic!("{told}, state {n}: {why}"));
            }
            Event::Restarted => agent.known = None,
            Event::Flushed => agent = Agent::default(),
        }
    }
    assert!(scene.fresh[last] == agent.kernel, "{told}");
}

pub fn rules_of(vpc: VpcId, state: &HostState) -> Ruleset {
    render(state, &facts_of(vpc))
}

/// What the router of a VPC knows of where it is.
pub fn facts_of(vpc: VpcId) -> Host {
    Host {
        closed6: Default::default(),
        public: ROUTER_OUT.into(),
        flat: ROUTER_VXLAN.into(),
        snat: None,
        own: Vec::new(),
        router: false,
        side: Side::Router(vpc),
        vxlan_port: 4789,
    }
}

pub fn rules(history: &History, state: &HostState) -> Ruleset {
    render(state, &facts(history, state))
}

/// What a host knows of itself.
pub fn facts(history: &History, state: &HostState) -> Host {
    let number = (0..history.hosts).find(|n| *name(*n) == *state.host).unwrap();
    let flat = if history.one_nic { "eth0" } else { "eth1" };
    // A host without a public address of its own has no rules to translate by.
    let snat = (!state.generation.is_multiple_of(5)).then(|| own(number));
    Host {
        public: "eth0".into(),
        flat: flat.into(),
        snat,
        own: vec![own(number)],
        router: false,
        side: Side::Host,
        vxlan_port: 4789,
        closed6: Default::default(),
    }
}
