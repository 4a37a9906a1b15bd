//! The same with a real agent on a real kernel: a sample.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use fogbank::agent::names::ROUTER_VXLAN;
use fogbank::agent::routers::split;
use fogbank::plan::{Failure, HostState};

use super::{Event, ways};
use crate::dice::{Dice, seeds};
use crate::flows::{self, Flow, Need};
use crate::history::History;
use crate::hosts::SOON;
use crate::lab::{sweep, within};
use crate::stage::{Dump, Stage, difference};
use crate::worlds::{name, own};

const WORLDS: u64 = 4;
const STEPS: usize = 6;
const AT_ONCE: usize = 4;

#[test]
fn a_kernel_ends_as_a_fresh_agent_makes_it_however_the_states_came() {
    sweep();
    let (seeds, count) = (seeds(WORLDS), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for part in seeds.chunks(seeds.len().div_ceil(AT_ONCE)) {
            let count = &count;
            scope.spawn(move || part.iter().for_each(|seed| one_world(*seed, count)));
        }
    });
    println!("{} histories replayed of {} worlds", count.into_inner(), seeds.len());
}

fn one_world(seed: u64, count: &AtomicUsize) {
    let history = History::new(seed, STEPS);
    let number = busiest(&history);
    let states = history.states(&name(number));
    let mut dice = Dice::new(!seed);
    let mut fresh = BTreeMap::new();
    for (way, events) in ways(states.len(), &mut dice) {
        let told = format!("FOGBANK_SEED={seed}, {}, {way}: {events:?}", name(number));
        let mut play = Play::new(&history, number, &states, told);
        events.iter().for_each(|event| play.on(*event, &mut dice));
        let last = &states[play.last];
        let (fresh, wanted) = fresh.entry(play.last).or_insert_with(|| alone(&history, number, last));
        let mut got = Dump::new();
        // Of routers both may still hear of a cable or two.
        let same = within(SOON, || {
            got = play.stage.dump(last);
            leave_closed(&mut got, wanted);
            got == *wanted || {
                *wanted = fresh.dump(last);
                got == *wanted
            }
        });
        assert!(same, "{}\n{}", play.told, difference(&got, wanted));
        play.flows_are_right();
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Where IPv6 was carried before, forwarding stays on, and closed to all others; where it never was, there is nothing to close.
fn leave_closed(got: &mut Dump, wanted: &Dump) {
    const FORWARD: &str = "nft ip6 fogbank forward";
    let closes = |line: &str| line.contains(CLOSED);
    if wanted.get(FORWARD).is_some_and(|rules| !rules.lines().any(closes))
        && let Some(rules) = got.get_mut(FORWARD)
    {
        *rules = rules.lines().filter(|line| !closes(line)).map(|line| format!("{line}\n")).collect();
    }
}

/// The host to which most happens, routers first.
fn busiest(history: &History) -> usize {
    let size = |state: &HostState| 4 * state.vpcs.len() + state.ports.len();
    let ports = |number: &usize| history.states(&name(*number)).iter().map(size).sum::<usize>();
    (0..history.hosts).max_by_key(ports).unwrap()
}

/// A rule that drops whatever comes by the public interface.
const CLOSED: &str =
    r#""expr":[{"match":{"left":{"meta":{"key":"iifname"}},"op":"==","right":"eth0"}},{"drop":null}]"#;

/// What a fresh agent makes of a fresh kernel.
fn alone(history: &History, number: usize, state: &HostState) -> (Stage, Dump) {
    let mut stage = Stage::new(number, history.one_nic);
    stage.plug(state);
    stage.tell(state);
    let dump = stage.dump(state);
    (stage, dump)
}

/// An agent to which things happen, and the flows that there were on the way.
struct Play<'a> {
    stage: Stage,
    own: Ipv4Addr,
    states: &'a [HostState],
    told: String,
    last: usize,
    /// What each flow lives by, and whether it has had that since.
    flows: BTreeMap<Flow, (Vec<Need>, bool)>,
    /// Whether an agent was started that remembers nothing: it cannot know whose an address was.
    forgot: bool,
}

impl<'a> Play<'a> {
    fn new(history: &History, number: usize, states: &'a [HostState], told: String) -> Self {
        let stage = Stage::new(number, history.one_nic);
        Self { stage, own: own(number), states, told, last: 0, flows: BTreeMap::new(), forgot: false }
    }

    fn on(&mut self, event: Event, dice: &mut Dice) {
        match event {
            Event::Told(n) => self.tell(n, dice),
            Event::Restarted => {
                self.stage.stop();
                self.forgot = true;
            }
            Event::Flushed => self.stage.flush(),
        }
    }

    fn tell(&mut self, n: usize, dice: &mut Dice) {
        self.last = n;
        let state = &self.states[n];
        // The driver is sometimes sooner than the agent, sometimes later, and what has gone stays for a while.
        if dice.once_in(2) {
            self.stage.unplug(state);
        }
        if dice.once_in(2) {
            self.stage.plug(state);
        }
        self.stage.tell(state);
        // One that was not heard of yet has no VXLAN, and says so.
        let unknown = !state.hosts.contains_key(&state.host);
        let rightly = |failure: &Failure| unknown && failure.subject == format!("interface {ROUTER_VXLAN}");
        let whole = || self.stage.failures().iter().all(rightly);
        assert!(within(SOON, whole), "{}, state {n}: {:?}", self.told, self.stage.failures());
        self.stage.plug(state);
        // How routers' flows end is not looked at here.
        let state = &split::host(state);
        let given = flows::given(state);
        for (needs, lives) in self.flows.values_mut() {
            *lives &= needs.iter().all(|need| given.contains(need));
        }
        let made = flows::made(state, 10_000 + self.flows.len() as u16, self.own);
        flows::put(&self.stage.host.ns, made.keys().copied());
        self.flows.extend(made.into_iter().map(|(flow, needs)| (flow, (needs, true))));
    }

    /// No flow has outlived what it lived by, and none has ended that had it all the time.
    fn flows_are_right(&self) {
        let (there, given) =
            (flows::list(&self.stage.host.ns), flows::given(&split::host(&self.states[self.last])));
        let somebodys =
            |ip: &Ipv4Addr| given.iter().any(|need| matches!(need, Need::Interface(has, _) if has == ip));
        let networks =
            || split::host(&self.states[self.last]).networks.into_values().map(|network| network.cidr);
        for (flow, (needs, lived)) in &self.flows {
            let has = |need: &Need| match need {
                // Of a network that is gone it knows nothing.
                Need::Interface(ip, _) if self.forgot => {
                    somebodys(ip) || !networks().any(|net| net.contains(*ip))
                }
                Need::Exit(ip, _) if self.forgot && !networks().any(|net| net.contains(*ip)) => true,
                need => given.contains(need),
            };
            let may = needs.iter().all(has);
            assert!(may || !there.contains(flow), "{}\n{flow:?} lives on without {needs:?}", self.told);
            assert!(!lived || there.contains(flow), "{}\n{flow:?} has ended, with {needs:?}", self.told);
        }
    }
}
