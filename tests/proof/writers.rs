//! What we write over netlink is what `nft` makes of the same rules: one kernel written by each, told to by `nft list`.

use std::collections::BTreeSet;

use fogbank::agent::kernel::batch;
use fogbank::agent::kernel::json::Commands;
use fogbank::agent::kernel::model::{Action, Field, Match, Rule, Ruleset, Target};
use fogbank::agent::kernel::render::Side;
use fogbank::agent::kernel::wire::{Batch, Wire};
use fogbank::agent::routers::split;
use fogbank::plan::HostState;
use fogbank::types::VpcId;
use serde_json::Value;

use crate::dice::seeds;
use crate::history::History;
use crate::lab::{Ns, sweep};
use crate::replay;
use crate::worlds::name;

const WORLDS: u64 = 2;
const STEPS: usize = 6;

/// The rules that a kernel has, in their order; elements, which have none, are sorted.
fn list(ns: &Ns) -> Vec<String> {
    let all: Value = serde_json::from_str(&ns.sh("nft -j list ruleset")).unwrap();
    let objects = all["nftables"].as_array().unwrap().iter().filter(|it| it.get("metainfo").is_none());
    // Objects of a kind come in the order of their making, which is the writer's own business for sets and chains.
    let mut lines: Vec<_> = objects.enumerate().map(|(at, object)| line(at, object)).collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

/// Rules stay in their chain's order.
fn line(at: usize, object: &Value) -> ((String, usize), String) {
    let chain = object["rule"]["chain"].as_str().unwrap_or_default().to_owned();
    let at = if chain.is_empty() { 0 } else { at };
    let text = plain(object).to_string();
    let place = if chain.is_empty() { text.clone() } else { format!("{}{chain}", object["rule"]["family"]) };
    ((place, at), text)
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(key, _)| *key != "handle");
            let sorted = |key: &str, inner: &Value| match (key, plain(inner)) {
                ("elem" | "set", Value::Array(mut list)) => {
                    list.sort_by_key(Value::to_string);
                    Value::Array(list)
                }
                (_, other) => other,
            };
            kept.map(|(key, inner)| (key.clone(), sorted(key, inner))).collect()
        }
        Value::Array(list) => list.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// What a rule looks at, and what else it says.
fn said(rule: &Rule) -> impl Iterator<Item = String> {
    let fields = rule.matches.iter().flat_map(|condition| match condition {
        Match::Fields(fields, ..) => fields.clone(),
        _ => Vec::new(),
    });
    let of_target = |target: &Target| if let Target::Map(field, _) = target { Some(*field) } else { None };
    let of_action: Option<Field> = match &rule.action {
        Action::Dispatch(field, _) | Action::Choose(field, _) | Action::Mark(field, _) => Some(*field),
        Action::Dnat(to, _) | Action::Snat(to) => of_target(to),
        Action::Verdict(_) | Action::MarkAs(_) => None,
    };
    let fields: Vec<_> = fields.chain(of_action).map(|field| format!("{field:?}")).collect();
    let word = |text: String| text.split(|c: char| !c.is_alphanumeric()).next().map(str::to_owned);
    let others = rule.matches.iter().map(|condition| format!("{condition:?}"));
    let words: Vec<_> = others.chain([format!("{:?}", rule.action)]).filter_map(word).collect();
    fields.into_iter().chain(words)
}

/// One kernel of each writer's.
struct Pair {
    by_nft: Ns,
    by_wire: Ns,
    have: Option<Ruleset>,
}

impl Pair {
    fn new() -> Self {
        Self { by_nft: Ns::new("nft"), by_wire: Ns::new("wire"), have: None }
    }

    fn write(&mut self, want: Ruleset, told: &str) {
        let (document, orders): (String, Batch) = match &self.have {
            None => (batch::replace::<Commands>(&want).document(), batch::replace(&want)),
            Some(have) => (batch::change::<Commands>(have, &want).document(), batch::change(have, &want)),
        };
        let (path, told) =
            (std::env::temp_dir().join(format!("{}.json", self.by_nft.name())), told.to_owned());
        std::fs::write(&path, document).unwrap();
        self.by_nft.sh(&format!("nft -j -f {}", path.display()));
        std::fs::remove_file(&path).unwrap();
        let why = told.clone();
        self.by_wire.run(move || {
            let carried = Wire::open().unwrap().carry_out(&orders);
            carried.unwrap_or_else(|failed| panic!("{why}: {failed}"));
        });
        let (wanted, got) = (list(&self.by_nft), list(&self.by_wire));
        let odd = wanted.iter().zip(&got).find(|(wanted, got)| wanted != got);
        assert!(odd.is_none(), "{told}\nnft:  {}\nwire: {}", odd.unwrap().0, odd.unwrap().1);
        assert_eq!(wanted.len(), got.len(), "{told}");
        if self.have.is_none() {
            // An operator may keep what is there and load it again.
            let path = path.with_extension("nft");
            std::fs::write(&path, self.by_wire.sh("nft list ruleset")).unwrap();
            self.by_nft.sh(&format!("nft flush ruleset; nft -f {}", path.display()));
            std::fs::remove_file(&path).unwrap();
            assert!(list(&self.by_nft) == wanted, "{told}: what was listed and loaded is another");
        }
        self.have = Some(want);
    }
}

#[test]
fn netlink_and_nft_leave_the_same_in_a_kernel() {
    sweep();
    let (mut written, mut seen) = (0, BTreeSet::new());
    for seed in seeds(WORLDS) {
        let history = History::new(seed, STEPS);
        for number in 0..history.hosts {
            let states = history.states(&name(number));
            written += one(&states, Side::Host, seed, &mut seen, |state| {
                Some(replay::rules(&history, &split::host(state)))
            });
            let vpcs = states.iter().flat_map(|state| state.vpcs.keys().copied());
            if let Some(vpc) = vpcs.last() {
                written += one(&states, Side::Router(vpc), seed, &mut seen, |state| router(vpc, state));
            }
        }
    }
    println!("{written} rulesets written twice, of {} parts: {seen:?}", seen.len());
    assert!(written > 10);
}

fn router(vpc: VpcId, state: &HostState) -> Option<Ruleset> {
    Some(replay::rules_of(vpc, &split::routers(state).remove(&vpc)?.kernel))
}

/// The states of one network namespace, one after the other.
fn one(
    states: &[HostState],
    side: Side,
    seed: u64,
    seen: &mut BTreeSet<String>,
    rules: impl Fn(&HostState) -> Option<Ruleset>,
) -> usize {
    let mut pair = Pair::new();
    let mut written = 0;
    for (at, want) in states.iter().enumerate().filter_map(|(at, state)| Some((at, rules(state)?))) {
        let chains = want.tables.values().flat_map(|table| table.chains.values());
        seen.extend(chains.flat_map(|chain| &chain.rules).flat_map(said));
        pair.write(want, &format!("FOGBANK_SEED={seed}, {side:?}, state {at}"));
        written += 1;
    }
    written
}
