//! Managed prefix lists, by EC2's reference: CreateManagedPrefixList, ModifyManagedPrefixList, DeleteManagedPrefixList,
//! RestoreManagedPrefixListVersion.

use super::blocks::Block;
use super::call::{COMBINATION, Call, Code, Faults, MISSING, Params, VALUE};
use super::routes::Destination;
use super::rules::cidr6;
use super::tree::{Tree, leaf, list, node, tag_set};
use super::world::*;

/// A block and its description.
pub type Entry = (String, Option<String>);

#[derive(Clone, Debug)]
pub struct PrefixList {
    pub who: usize,
    pub id: String,
    pub name: String,
    pub six: bool,
    pub most: i64,
    pub state: &'static str,
    /// The entries of each version; the last one counts.
    pub versions: Vec<Vec<Entry>>,
}

pub const NO_LIST: Code = "InvalidPrefixListID.NotFound";
const FULL: Code = "PrefixListMaxEntriesExceeded";
/// "Routes per route table: 50", "inbound or outbound rules per security group: 60".
const ROUTES: i64 = 50;
const RULES: i64 = 60;

impl PrefixList {
    fn version(&self) -> i64 {
        i64::try_from(self.versions.len()).unwrap()
    }
}

impl World {
    pub fn own_list(&self, who: usize, id: Option<&str>) -> Result<usize, Code> {
        let own = |one: &PrefixList| one.who == who && Some(&*one.id) == id;
        self.lists.iter().position(own).ok_or(NO_LIST)
    }

    /// "The maximum number of entries for the prefix list counts against the quota for the number of entries for the
    /// resource."
    fn weight(&self, id: &str) -> i64 {
        self.lists.iter().find(|one| one.id == id).map_or(1, |one| one.most)
    }

    /// Whether a table has more routes than it may.
    pub fn is_crowded_table(&self, table: &str) -> bool {
        let is_six = |id: &str| self.lists.iter().any(|one| one.id == id && one.six);
        let weight = |route: &Route, six: bool| match &route.destination {
            Destination::V4(_) => i64::from(!six),
            Destination::List(id) if is_six(id) != six => 0,
            Destination::List(id) => self.weight(id),
        };
        let of: Vec<_> = self.routes.iter().filter(|one| one.table == table).collect();
        [false, true].iter().any(|six| of.iter().map(|one| weight(one, *six)).sum::<i64>() > ROUTES)
    }

    /// Whether a group has more rules of a direction than it may.
    pub fn is_crowded_group(&self, group: &str, egress: bool) -> bool {
        let is_six = |id: &str| self.lists.iter().any(|one| one.id == id && one.six);
        // "This quota is enforced separately for IPv4 rules and IPv6 rules"; "a rule that references a security group [...]
        // counts as one rule for IPv4 and one rule for IPv6."
        let weight = |rule: &Rule, six: bool| match &rule.peer {
            Peer::V4(_) => i64::from(!six),
            Peer::V6(_) => i64::from(six),
            Peer::List(id) if is_six(id) != six => 0,
            Peer::List(id) => self.weight(id),
            Peer::Group(..) => 1,
        };
        let of = self.rules.iter().filter(|rule| rule.group == group && rule.egress == egress);
        let of: Vec<&Rule> = of.collect();
        [false, true].iter().any(|six| of.iter().map(|rule| weight(rule, *six)).sum::<i64>() > RULES)
    }

    fn is_named(&self, id: &str) -> bool {
        self.rules.iter().any(|rule| matches!(&rule.peer, Peer::List(list) if list == id))
            || self.routes.iter().any(|one| matches!(&one.destination, Destination::List(list) if list == id))
    }
}

/// The blocks that a request names: of the list's family, each once.
fn blocks(params: &Params, name: &str, six: bool, faults: &mut Faults) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for given in params.structures(name) {
        let Some(text) = given.one("Cidr") else {
            faults.add(MISSING);
            continue;
        };
        let four = Block::read(text).map(|block| block.to_string());
        let block = if six { cidr6(Some(text)).ok() } else { four };
        let Some(block) = block else {
            faults.add(VALUE);
            continue;
        };
        faults.add_if(entries.iter().any(|(other, _)| *other == block), VALUE);
        entries.push((block, given.one("Description").map(str::to_owned)));
    }
    entries
}

fn fits(entries: &[Entry], most: i64) -> bool {
    i64::try_from(entries.len()).unwrap() <= most
}

fn is_amazons(name: Option<&str>) -> bool {
    name.is_some_and(|name| name.starts_with("com.amazonaws"))
}

fn answer(world: &World, id: &str, state: &str) -> Vec<Tree> {
    let row = world.lists.iter().find(|one| one.id == id).unwrap();
    vec![node("prefixList", in_state(shape(world, row), state))]
}

fn in_state(mut tree: Vec<Tree>, state: &str) -> Vec<Tree> {
    tree.retain(|one| one.name != "state");
    tree.push(leaf("state", state));
    tree
}

pub fn create(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let made = world.replayed(call)?;
    if let Some(row) = made.and_then(|id| world.lists.iter().find(|one| one.id == id)) {
        return Ok(vec![node("prefixList", shape(world, row))]);
    }
    let params = &call.params;
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(params, &["prefix-list"], "prefix-list"));
    let (name, most) = (params.one("PrefixListName").unwrap(), params.number("MaxEntries").unwrap());
    faults.add_if(is_amazons(Some(name)), VALUE);
    let six = params.one("AddressFamily") == Some("IPv6");
    let entries = blocks(params, "Entry", six, &mut faults);
    faults.add_if(!fits(&entries, most), FULL);
    faults.done()?;
    let id = world.new_id(reply.at("prefixList/prefixListId"), "pl");
    world.tag(call.who, &id, &tags.unwrap());
    world.remember(call, &id);
    let (who, name, state, versions) = (call.who, name.to_owned(), "create-complete", vec![entries]);
    world.lists.push(PrefixList { who, id: id.clone(), name, six, most, state, versions });
    Ok(answer(world, &id, "create-in-progress"))
}

/// "A change of the maximum number of entries [...] cannot be combined with a change of entries."
pub fn modify(world: &mut World, call: &Call) -> Outcome {
    let params = &call.params;
    let mut faults = Faults::default();
    let at = faults.note(world.own_list(call.who, params.one("PrefixListId")));
    let most = params.number("MaxEntries");
    let turns = ["AddEntry", "RemoveEntry"].iter().any(|name| !params.structures(name).is_empty());
    faults.add_if(turns && most.is_some(), COMBINATION);
    let name = params.one("PrefixListName").map(str::to_owned);
    faults.add_if(!turns && most.is_none() && name.is_none(), MISSING);
    faults.add_if(is_amazons(name.as_deref()), VALUE);
    let Some(at) = at else { return Err(faults) };
    let mut row = world.lists[at].clone();
    is_current(&row, params.number("CurrentVersion"), &mut faults);
    let mut entries = row.versions.last().unwrap().clone();
    for (block, _) in blocks(params, "RemoveEntry", row.six, &mut faults) {
        let there = entries.iter().position(|(own, _)| *own == block);
        faults.add_if(there.is_none(), "InvalidPrefixListModification");
        there.into_iter().for_each(|at| drop(entries.remove(at)));
    }
    for entry in blocks(params, "AddEntry", row.six, &mut faults) {
        faults.add_if(entries.iter().any(|(own, _)| *own == entry.0), "InvalidPrefixListModification");
        entries.push(entry);
    }
    row.most = most.unwrap_or(row.most);
    faults.add_if(!fits(&entries, row.most), FULL);
    if most.is_some() {
        // "If any of the resources that reference the prefix list cannot support the new maximum size, the modify operation
        // fails."
        let mut after = world.clone();
        after.lists[at].most = row.most;
        let tables = after.tables.iter().any(|one| after.is_crowded_table(&one.id));
        faults.add_if(tables, "RouteLimitExceeded");
        let crowded =
            |one: &Group| [false, true].iter().any(|egress| after.is_crowded_group(&one.id, *egress));
        faults.add_if(after.groups.iter().any(crowded), "RulesPerSecurityGroupLimitExceeded");
    }
    faults.done()?;
    row.name = name.unwrap_or(row.name);
    row.state = "modify-complete";
    if turns {
        row.versions.push(entries);
    }
    let id = row.id.clone();
    world.lists[at] = row;
    Ok(answer(world, &id, "modify-in-progress"))
}

/// "The prefix list has the incorrect version number" for one that is not the newest.
fn is_current(row: &PrefixList, asked: Option<i64>, faults: &mut Faults) {
    faults.add_if(asked.is_some_and(|asked| asked < 1), VALUE);
    faults
        .add_if(asked.is_some_and(|asked| asked >= 1 && asked != row.version()), "PrefixListVersionMismatch");
}

pub fn restore(world: &mut World, call: &Call) -> Outcome {
    let params = &call.params;
    let mut faults = Faults::default();
    let at = faults.note(world.own_list(call.who, params.one("PrefixListId")));
    let Some(at) = at else { return Err(faults) };
    let row = &world.lists[at];
    is_current(row, params.number("CurrentVersion"), &mut faults);
    let wanted = params.number("PreviousVersion").unwrap() - 1;
    let then = usize::try_from(wanted).ok().and_then(|at| row.versions.get(at)).cloned();
    faults.add_if(then.is_none(), VALUE);
    faults.add_if(then.as_ref().is_some_and(|then| !fits(then, row.most)), FULL);
    faults.done()?;
    let row = &mut world.lists[at];
    row.state = "restore-complete";
    row.versions.push(then.unwrap());
    let id = row.id.clone();
    Ok(answer(world, &id, "restore-in-progress"))
}

/// "You must first remove all references to the prefix list in your resources."
pub fn delete(world: &mut World, call: &Call) -> Outcome {
    let at = world.own_list(call.who, call.params.one("PrefixListId"))?;
    let id = world.lists[at].id.clone();
    if world.is_named(&id) {
        return Err("DependencyViolation".into());
    }
    let answer = answer(world, &id, "delete-in-progress");
    world.lists.remove(at);
    world.untag(&id);
    Ok(answer)
}

pub fn shape(world: &World, row: &PrefixList) -> Vec<Tree> {
    vec![
        leaf("prefixListId", &row.id),
        leaf("addressFamily", if row.six { "IPv6" } else { "IPv4" }),
        leaf("state", row.state),
        leaf("prefixListArn", world.arn(row.who, "prefix-list", &row.id)),
        leaf("prefixListName", &row.name),
        leaf("maxEntries", row.most),
        leaf("version", row.version()),
        tag_set("tagSet", &world.tags_of(&row.id)),
        leaf("ownerId", &world.accounts[row.who].id),
    ]
}

/// The entries of a version as GetManagedPrefixListEntries tells them.
pub fn entries(version: &[Entry]) -> Tree {
    let entry = |(block, description): &Entry| {
        let mut tree = vec![leaf("cidr", block)];
        tree.extend(description.iter().map(|text| leaf("description", text)));
        tree
    };
    list("entrySet", version.iter().map(entry).collect())
}
