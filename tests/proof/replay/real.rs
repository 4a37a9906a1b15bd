//! The same with a real agent on a real kernel: a sample.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use fogbank::plan::HostState;

use super::{Event, ways};
use crate::dice::{Dice, seeds};
use crate::history::History;
use crate::hosts::SOON;
use crate::lab::{sweep, within};
use crate::stage::{Dump, Stage, difference};
use crate::worlds::name;

const WORLDS: u64 = 8;
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
        let mut stage = Stage::new(number, history.one_nic);
        let last = play(&mut stage, &states, &events, &mut dice);
        let (wanted, failures) = fresh.entry(last).or_insert_with(|| alone(&history, number, &states[last]));
        let mut got = Dump::new();
        let same = within(SOON, || {
            got = stage.dump(&states[last]);
            got == *wanted && stage.failures() == *failures
        });
        assert!(
            same,
            "FOGBANK_SEED={seed}, {}, {way}: {events:?}\n{:?}\n{}",
            name(number),
            stage.failures(),
            difference(&got, wanted)
        );
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// The host to which most happens.
fn busiest(history: &History) -> usize {
    let ports =
        |number: &usize| history.states(&name(*number)).iter().map(|state| state.ports.len()).sum::<usize>();
    (0..history.hosts).max_by_key(ports).unwrap()
}

/// What a fresh agent makes of a fresh kernel.
fn alone(history: &History, number: usize, state: &HostState) -> (Dump, Vec<fogbank::plan::Failure>) {
    let mut stage = Stage::new(number, history.one_nic);
    stage.plug(state);
    stage.tell(state);
    (stage.dump(state), stage.failures())
}

/// Says which state was told last.
fn play(stage: &mut Stage, states: &[HostState], events: &[Event], dice: &mut Dice) -> usize {
    let mut last = 0;
    for event in events {
        match event {
            Event::Told(n) => {
                last = *n;
                let state = &states[last];
                // The driver is sometimes sooner than the agent, sometimes later, and what has gone stays for a while.
                let sooner = dice.once_in(2);
                if dice.once_in(2) {
                    stage.unplug(state);
                }
                if sooner {
                    stage.plug(state);
                }
                stage.tell(state);
                stage.plug(state);
            }
            Event::Restarted => stage.stop(),
            Event::Flushed => stage.flush(),
        }
    }
    last
}
