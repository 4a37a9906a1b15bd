//! nftables' tables as the kernel keeps them: takes what is written for `nft -j -f -`, and refuses what it would refuse.
//!
//! It knows nothing of the model that the commands come from. It is stricter than the kernel in one thing: what is added must be
//! new, for whoever adds it again does not know what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::values::{self, Bounds};

/// nft(8): "maximum jump depth".
const DEPTH: usize = 16;

/// All tables, by family and name.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Tables(BTreeMap<(String, String), Table>);

#[derive(Clone, PartialEq, Debug, Default)]
struct Table {
    sets: BTreeMap<String, Arc<Set>>,
    chains: BTreeMap<String, Arc<Chain>>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Set {
    pub key: Vec<String>,
    /// `None` for plain sets.
    pub data: Option<String>,
    pub interval: bool,
    elements: BTreeMap<Bounds, Json>,
}

#[derive(Clone, PartialEq, Debug)]
struct Chain {
    /// Type, hook, priority and policy.
    base: Option<[Json; 4]>,
    rules: Vec<Arc<Rule>>,
}

#[derive(PartialEq, Debug)]
struct Rule {
    parts: Json,
    /// The chains that it leads to by itself, and the sets that it names.
    targets: BTreeSet<String>,
    sets: BTreeSet<String>,
}

type Done = Result<(), String>;

impl Tables {
    /// One transaction: all of it, or nothing. Says how many elements were put or deleted one by one.
    pub fn transact(&mut self, document: &str) -> Result<usize, String> {
        let document: Json = serde_json::from_str(document).map_err(|error| error.to_string())?;
        let commands = document["nftables"].as_array().ok_or("no commands")?;
        let mut after = self.clone();
        let mut count = 0;
        for command in commands {
            let elements = |verb: &str| command[verb]["element"]["elem"].as_array().map_or(0, Vec::len);
            count += elements("add") + elements("delete");
            after.command(command).map_err(|why| format!("{why}: {command}"))?;
        }
        after.0.values().try_for_each(Table::jumps_end)?;
        *self = after;
        Ok(count)
    }

    /// How many elements are in one and not in the other, or with other data.
    pub fn distance(&self, other: &Self) -> usize {
        self.without(other) + other.without(self)
    }

    fn without(&self, other: &Self) -> usize {
        let missing = |(place, table): (&(String, String), &Table)| -> usize {
            let other = |set: &str| other.0.get(place).and_then(|table| table.sets.get(set));
            let lacks = |(name, set): (&String, &Arc<Set>)| {
                if other(name).is_some_and(|other| Arc::ptr_eq(other, set)) {
                    return 0;
                }
                let there = |key: &Bounds| other(name).and_then(|set| set.elements.get(key));
                set.elements.iter().filter(|(key, data)| there(key) != Some(data)).count()
            };
            table.sets.iter().map(lacks).sum()
        };
        self.0.iter().map(missing).sum()
    }

    fn command(&mut self, command: &Json) -> Done {
        let (verb, what) = only(command)?;
        let (kind, object) = only(what)?;
        let table = if kind == "table" { "name" } else { "table" };
        let place = (word(object, "family")?, word(object, table)?);
        match (verb, kind) {
            ("add", "table") => drop(self.0.entry(place).or_default()),
            ("delete", "table") => drop(self.0.remove(&place).ok_or("no such table")?),
            _ => {
                let table = self.0.get_mut(&place).ok_or("no such table")?;
                let name = word(object, if kind == "rule" { "chain" } else { "name" })?;
                table.command(verb, kind, name, object)?;
            }
        }
        Ok(())
    }
}

impl Table {
    fn command(&mut self, verb: &str, kind: &str, name: String, object: &Json) -> Done {
        match (verb, kind) {
            ("add", "set" | "map") => self.add_set(name, kind, object),
            ("delete", "set" | "map") => {
                if self.chains.values().flat_map(|chain| &chain.rules).any(|rule| rule.sets.contains(&name)) {
                    return Err("a rule names the set".into());
                }
                let set = self.sets.remove(&name).ok_or("no such set")?;
                if set.data.is_some() == (kind == "map") { Ok(()) } else { Err("of another kind".into()) }
            }
            ("add" | "delete", "element") => self.elements(verb, &name, object),
            ("add", "chain") => {
                let base = ["type", "hook", "prio", "policy"].map(|key| object[key].clone());
                let base = (!object["hook"].is_null()).then_some(base);
                new(&mut self.chains, name, Chain { base, rules: vec![] })
            }
            ("flush", "chain") => {
                Arc::make_mut(self.chains.get_mut(&name).ok_or("no such chain")?).rules.clear();
                Ok(())
            }
            ("delete", "chain") => self.delete_chain(&name),
            ("add", "rule") => self.add_rule(&name, &object["expr"]),
            _ => Err("no such command".into()),
        }
    }

    fn add_set(&mut self, name: String, kind: &str, object: &Json) -> Done {
        let key: Vec<String> = match &object["type"] {
            Json::Array(several) if several.len() > 1 => {
                several.iter().map(text).collect::<Result<_, _>>()?
            }
            one => vec![text(one)?],
        };
        let data = object.get("map").map(text).transpose()?;
        if data.is_some() != (kind == "map") {
            return Err("a map has data, a set has none".into());
        }
        let interval = object["flags"].as_array().is_some_and(|flags| flags.contains(&"interval".into()));
        new(&mut self.sets, name, Set { key, data, interval, elements: BTreeMap::new() })
    }

    fn elements(&mut self, verb: &str, name: &str, object: &Json) -> Done {
        let list = object["elem"].as_array().ok_or("no elements")?;
        for element in list {
            let set = self.sets.get(name).ok_or("no such set")?;
            let (key, data) = values::element(set, element)?;
            if let Some(target) = target(&data) {
                let chain = self.chains.get(target).ok_or_else(|| format!("no such chain as {target}"))?;
                if chain.base.is_some() {
                    return Err("no way into a base chain".into());
                }
            }
            let set = Arc::make_mut(self.sets.get_mut(name).ok_or("no such set")?);
            if verb == "delete" {
                let was = set.elements.remove(&key).ok_or_else(|| format!("no such element as {element}"))?;
                if was != data {
                    return Err(format!("{element} has other data, {was}"));
                }
            } else {
                let meets = |other: &Bounds| values::meet(other, &key);
                if set.elements.contains_key(&key) || set.interval && set.elements.keys().any(meets) {
                    return Err(format!("{element} is there, or overlaps"));
                }
                set.elements.insert(key, data);
            }
        }
        Ok(())
    }

    fn delete_chain(&mut self, name: &str) -> Done {
        let chain = self.chains.get(name).ok_or("no such chain")?;
        if !chain.rules.is_empty() {
            return Err("the chain has rules".into());
        }
        let named = |chain: &Arc<Chain>| chain.rules.iter().any(|rule| rule.targets.contains(name));
        let mut elements = self.sets.values().flat_map(|set| set.elements.values());
        if self.chains.values().any(named) || elements.any(|data| target(data) == Some(name)) {
            return Err("something leads to the chain".into());
        }
        self.chains.remove(name);
        Ok(())
    }

    fn add_rule(&mut self, chain: &str, parts: &Json) -> Done {
        let (targets, sets) = names(parts);
        for target in &targets {
            let to = self.chains.get(target).ok_or_else(|| format!("no such chain as {target}"))?;
            if to.base.is_some() {
                return Err("no way into a base chain".into());
            }
        }
        for lookup in values::lookups(parts)? {
            let set = self.sets.get(&lookup.set).ok_or_else(|| format!("no such set as {}", lookup.set))?;
            if set.key != lookup.key || set.data.as_deref() != lookup.data {
                return Err(format!("the set {} is of another type", lookup.set));
            }
        }
        let rule = Rule { parts: parts.clone(), targets, sets };
        Arc::make_mut(self.chains.get_mut(chain).ok_or("no such chain")?).rules.push(Arc::new(rule));
        Ok(())
    }

    /// No way leads in a circle, or too deep.
    fn jumps_end(&self) -> Done {
        let base = self.chains.iter().filter(|(_, chain)| chain.base.is_some());
        base.map(|(name, _)| name).try_for_each(|name| self.ends(name, 0))
    }

    fn ends(&self, name: &str, depth: usize) -> Done {
        if depth > DEPTH {
            return Err(format!("chain {name}: too many jumps"));
        }
        for rule in &self.chains[name].rules {
            let maps = rule.sets.iter().filter_map(|set| self.sets.get(set)).filter(|set| set.data.is_some());
            let mapped = maps.flat_map(|set| set.elements.values()).filter_map(target);
            let next: BTreeSet<&str> = rule.targets.iter().map(String::as_str).chain(mapped).collect();
            next.into_iter().try_for_each(|name| self.ends(name, depth + 1))?;
        }
        Ok(())
    }
}

fn new<T>(all: &mut BTreeMap<String, Arc<T>>, name: String, one: T) -> Done {
    if all.insert(name, Arc::new(one)).is_none() { Ok(()) } else { Err("it is there already".into()) }
}

fn only(object: &Json) -> Result<(&str, &Json), String> {
    let mut pairs = object.as_object().ok_or("no object")?.iter();
    match (pairs.next(), pairs.next()) {
        (Some((key, value)), None) => Ok((key, value)),
        _ => Err("not one thing".into()),
    }
}

fn text(value: &Json) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("{value} is no word"))
}

fn word(object: &Json, key: &str) -> Result<String, String> {
    text(&object[key])
}

/// Where a verdict leads.
fn target(verdict: &Json) -> Option<&str> {
    ["goto", "jump"].iter().find_map(|way| verdict[way]["target"].as_str())
}

/// The chains that a rule leads to by itself, and the sets that it names.
fn names(rule: &Json) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut targets, mut sets) = (BTreeSet::new(), BTreeSet::new());
    values::walk(rule, &mut |value| {
        targets.extend(target(value).map(str::to_owned));
        sets.extend(value.as_str().and_then(|text| text.strip_prefix('@')).map(str::to_owned));
    });
    (targets, sets)
}
