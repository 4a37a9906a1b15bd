//! The short way of rules: what is written where groups alone changed leaves what writing everything leaves.

use fogbank::agent::kernel::model::Ruleset;
use fogbank::agent::kernel::regroup::part;
use fogbank::agent::kernel::render::{Host, render};
use fogbank::agent::routers::split;
use fogbank::plan::HostState;

use crate::dice::seeds;
use crate::history::History;
use crate::replay;
use crate::worlds::name;

const WORLDS: u64 = 10;
const STEPS: usize = 8;

/// How often there was a part, and how often a whole was needed.
#[derive(Default, Debug)]
struct Count {
    parts: usize,
    wholes: usize,
}

fn lead(before: &HostState, after: &HostState, facts: &Host, told: &str, count: &mut Count) {
    assert!(before.differs_in_groups_alone(after), "{told}");
    let (mut have, want): (Ruleset, _) = (render(before, facts), render(after, facts));
    let Some(part) = part(before, after, facts, &have) else {
        count.wholes += 1;
        return;
    };
    count.parts += usize::from(have != want);
    // Everything that the part has is of its names, and so is everything else there that it stands for.
    let tables = part.rules.tables.values();
    let mut names = tables.flat_map(|table| table.sets.keys().chain(table.chains.keys()));
    assert!(names.all(|name| part.names.cover(name)), "{told}");
    have.take(&part.names);
    have.put(part.rules);
    assert!(have == want, "{told}");
}

#[test]
fn the_short_way_leads_where_the_long_one_does() {
    let mut count = Count::default();
    for seed in seeds(WORLDS) {
        let history = History::new(seed, STEPS);
        for number in 0..history.hosts {
            let states = history.states(&name(number));
            for (at, before) in states.iter().enumerate() {
                // What came next, and the groups of some other times.
                for (other, after) in states.iter().enumerate().filter(|(other, _)| other % 4 == (at + 1) % 4)
                {
                    let told = format!("FOGBANK_SEED={seed}, {}, {at} to {other}", name(number));
                    let after = before.with_groups_of(after);
                    let facts = replay::facts(&history, &split::host(before));
                    lead(&split::host(before), &split::host(&after), &facts, &told, &mut count);
                    let (routers, mut then) = (split::routers(before), split::routers(&after));
                    for (vpc, router) in routers {
                        let after = then.remove(&vpc).unwrap().kernel;
                        lead(&router.kernel, &after, &replay::facts_of(vpc), &told, &mut count);
                    }
                }
            }
        }
    }
    println!("{count:?}");
    assert!(count.parts > 50 && count.wholes > 0, "{count:?}");
}
