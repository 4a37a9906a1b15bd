//! One history: two accounts, calls that follow from a seed, and after each of them a look at everything.

use std::collections::BTreeMap;

use fogbank::types::Micros;

use crate::dice::Dice;
use crate::server::{Credentials, Reply};

use super::blocks::Block;
use super::call::Call;
use super::details;
use super::families::Theme;
use super::gateways::{DhcpOptions, Gateway};
use super::ground::Ground;
use super::host::Word;
use super::instances::Heard;
use super::kinds::KINDS;
use super::reads::Kind;
use super::routes::{Destination, Route, Target};
use super::spoil::spoil;
use super::steps::Chooser;
use super::tree::{Tree, node};
use super::vpcs::Vpc;
use super::world::*;

/// What a history is made from; each step follows from its own number and from how things are.
#[derive(Clone, Debug)]
pub struct Plan {
    pub steps: Vec<u64>,
    /// Whether servers are killed between steps.
    pub kills: bool,
    pub theme: Theme,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let kills = dice.once_in(5);
        let theme = Theme::of(&mut dice);
        let count = 80 + dice.below(30);
        Self { steps: (0..count).map(|_| dice.next()).collect(), kills, theme }
    }
}

/// In how many looks everything is looked at.
const TURNS: usize = 8;

/// A history as it goes on.
pub struct History<'g> {
    ground: &'g mut Ground,
    world: World,
    keys: Vec<Credentials>,
    theme: Theme,
    /// What each account was to see at the last look.
    seen: BTreeMap<(usize, &'static str), Vec<Tree>>,
    seen_closer: BTreeMap<(usize, String), Vec<Tree>>,
    looks: usize,
    calls: Vec<Call>,
    /// What happened, to be read by people.
    pub told: Vec<String>,
}

impl<'g> History<'g> {
    /// Makes its accounts and its pool.
    pub fn begin(ground: &'g mut Ground, theme: Theme) -> Self {
        let number = ground.next_number();
        // Four addresses are soon taken.
        let first = 0x6440_0000 + number * 4;
        let pool = Pool { name: format!("pool{number}"), range: (first, first + 3) };
        let range = format!("{}-{}", ip_text(first), ip_text(first + 3));
        ground.servers[0].operate(&["pool", "add", "--name", &pool.name, "--range", &range]);
        let pools = vec![ground.pool.clone(), pool];
        let (image, highest) = (ground.image.clone(), ground.highest);
        let world = World { pools, image, highest, ..World::default() };
        let (keys, calls, told, seen) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
        let mut history =
            Self { ground, world, keys, theme, seen, seen_closer: BTreeMap::new(), looks: 0, calls, told };
        (0..2).for_each(|who| history.account(&format!("account{number}-{who}")));
        history
    }

    /// "A default VPC with a default subnet in each zone and a default security group", whose members reach each other.
    fn account(&mut self, name: &str) {
        let who = self.keys.len();
        let made = self.ground.servers[0].operate(&["account", "create", "--name", name]);
        let id = made["id"].as_str().unwrap().to_owned();
        let key = self.ground.servers[0].operate(&["key", "create", "--account", &id]);
        let text = |field: &str| key[field].as_str().unwrap().to_owned();
        self.keys.push(Credentials { key: text("id"), secret: text("secret") });
        let told = |history: &mut Self, action: &'static str, path: &str| {
            let (_, tree) = history.ask(&Call::new(who, action));
            tree.all(path)[0].clone()
        };
        let vpc = told(self, "DescribeVpcs", "vpcSet/vpcId");
        let subnet = told(self, "DescribeSubnets", "subnetSet/subnetId");
        let gateway = told(self, "DescribeInternetGateways", "internetGatewaySet/internetGatewayId");
        self.world.gateways.push(Gateway { who, id: gateway.clone(), vpc: Some(vpc.clone()) });
        let (_, options) = self.ask(&Call::new(who, "DescribeDhcpOptions"));
        let options = DhcpOptions::read(who, &options);
        let dhcp_options = options.id.clone();
        self.world.dhcp_options.push(options);
        let room = told(self, "DescribeSubnets", "subnetSet/availableIpAddressCount").parse().unwrap();
        let first = told(self, "DescribeVpcs", "vpcSet/cidrBlockAssociationSet/associationId");
        let block = Block::read(&told(self, "DescribeVpcs", "vpcSet/cidrBlock")).unwrap();
        let (blocks, options) = (vec![(first, block)], dhcp_options.clone());
        let (support, hostnames, is_default) = (true, true, true);
        let row = Vpc { who, id: vpc.clone(), blocks, is_default, dhcp_options: options, support, hostnames };
        self.world.vpcs.push(row);
        self.world.furnish(who, &vpc);
        let table = self.world.tables.last().unwrap().id.clone();
        let (destination, to) =
            (Destination::V4(super::blocks::block("0.0.0.0/0")), Target::Gateway(gateway));
        self.world.routes.push(Route { table, destination, to });
        let block = Block::read(&told(self, "DescribeSubnets", "subnetSet/cidrBlock")).unwrap();
        let (map_public, id_of) = (false, vpc.clone());
        let row = Subnet { who, id: subnet.clone(), vpc: id_of, block, is_default: true, map_public, room };
        self.world.give_acl(&row);
        self.world.subnets.push(row);
        self.world.accounts.push(Account { id, vpc, subnet, dhcp_options });
    }

    /// Asks a server, another one each time.
    fn ask(&mut self, call: &Call) -> (Reply, Tree) {
        let reply = self.ground.ask(&self.keys[call.who], &call.pairs());
        let tree = Tree::read(&reply.body);
        (reply, tree)
    }

    /// One step and a look at everything.
    ///
    /// # Errors
    /// What was not as the model has it.
    pub fn step(&mut self, seed: u64, kills: bool) -> Result<(), String> {
        let mut dice = Dice::new(seed);
        self.world.learned.begin(Micros::now());
        if kills && dice.once_in(12) {
            let at = dice.below(self.ground.servers.len());
            self.told.push(format!("server {at} is killed and started again"));
            self.ground.restart(at);
            return self.look_at_all();
        }
        match dice.below(100) {
            0 => self.drain(true),
            _ if self.world.drained && dice.once_in(4) => self.drain(false),
            1..=14 => self.host(&mut dice),
            15..=24 => return self.read(&mut dice),
            _ => self.write(&mut dice)?,
        }
        self.look()
    }

    fn write(&mut self, dice: &mut Dice) -> Result<(), String> {
        let who = dice.below(2);
        let (before, theme) = (&self.calls[..], self.theme);
        let mut call = Chooser { world: &self.world, dice, who, before, theme }.write();
        if dice.once_in(9) {
            spoil(&mut call, dice);
        }
        let (reply, tree) = self.ask(&call);
        let outcome = tree.at("Errors/Error/Code").to_owned();
        self.told.push(format!("account {who}: {:?} {outcome}", call.pairs()));
        self.ground.tally.count(call.action, &outcome);
        let mut after = self.world.clone();
        let expected = match call.spoilt {
            Some(code) => Err(code.into()),
            None => after.perform(&call, &tree),
        };
        match expected {
            Err(faults) => refused(&reply, &outcome, &faults.0),
            Ok(_) if call.dry_run() => refused(&reply, &outcome, &["DryRunOperation"]),
            Ok(answer) => {
                self.world = after;
                self.ground.highest = self.world.highest;
                self.calls.push(call.clone());
                self.same(call.action, answer, &reply, &tree)
            }
        }
    }

    /// Whether an answer is the expected one, whole.
    fn same(&mut self, action: &str, answer: Vec<Tree>, reply: &Reply, tree: &Tree) -> Result<(), String> {
        let expected = node(&format!("{action}Response"), answer);
        let whole = reply.body.contains("xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"");
        if reply.status != 200 || !whole || tree.at("requestId").len() != 36 {
            return Err(format!(
                "{action}: {} {}, where this is expected: {}",
                reply.status,
                reply.body,
                expected.show()
            ));
        }
        let compared = self.world.learned.compare(&expected, &tree.clone().without("requestId"));
        compared.map_err(|problem| format!("{action}: {problem}"))
    }

    /// The host says how far its instances have come.
    fn host(&mut self, dice: &mut Dice) {
        let mut words: Vec<Word> = Vec::new();
        for one in self.world.instances.clone() {
            let moves = !dice.once_in(4);
            let heard = match (one.state, moves) {
                (State::Pending, true) => *dice.pick(&[
                    Heard::Running,
                    Heard::Running,
                    Heard::Running,
                    Heard::Exited,
                    Heard::Failed,
                ]),
                (State::Running, _) => *dice.pick(&[
                    Heard::Running,
                    Heard::Running,
                    Heard::Running,
                    Heard::Running,
                    Heard::Exited,
                    Heard::Failed,
                ]),
                (State::Stopping, true) => *dice.pick(&[Heard::Stopped, Heard::Exited]),
                (State::ShuttingDown, true) => Heard::Gone,
                (State::Stopping | State::ShuttingDown, false) => Heard::Running,
                (State::Stopped, _) => Heard::Stopped,
                (State::Pending, false) | (State::Terminated, _) => continue,
            };
            words.push((one.id.clone(), one.boot, heard));
            self.world.hear(&one.id, heard);
        }
        self.told.push(format!("the host says {words:?}"));
        self.report(&words);
    }

    /// The operator takes the host out of use, or gives it back.
    fn drain(&mut self, drained: bool) {
        let word = if drained { "drain" } else { "undrain" };
        self.told.push(format!("the operator: host {word}"));
        self.ground.servers[0].operate(&["host", word, super::host::NAME]);
        self.world.drained = drained;
        // What waited for a host gets this one.
        self.world.nats.iter_mut().for_each(|one| one.placed |= !drained);
    }

    fn report(&mut self, words: &[Word]) {
        // An agent would say it again to a server that has not heard of its instances yet.
        for _ in 0..self.ground.servers.len() {
            self.ask(&Call::new(0, "DescribeVpcs"));
        }
        self.ground.host.report(words);
    }

    /// All that both accounts can see.
    pub fn look_at_all(&mut self) -> Result<(), String> {
        self.seen.clear();
        self.seen_closer.clear();
        self.look()
    }

    /// What has changed for either account, and the rest in turns.
    pub fn look(&mut self) -> Result<(), String> {
        self.invariants()?;
        self.looks += 1;
        for who in 0..self.keys.len() {
            self.learn(who);
            self.look_closer(who)?;
            for (at, kind) in KINDS.iter().enumerate() {
                let rows = kind.rows(&self.world, who);
                let before = self.seen.insert((who, kind.action), rows.clone());
                if before.is_some_and(|before| before == rows) && (at + self.looks) % TURNS != 0 {
                    continue;
                }
                let mut call = Call::new(who, kind.action);
                if kind.action == "DescribeKeyPairs" {
                    call.params.set("IncludePublicKey", "true");
                }
                let (reply, tree) = self.ask(&call);
                if kind.action == "DescribeSecurityGroupRules" {
                    self.world.learn_rules(&tree);
                }
                let rows = kind.rows(&self.world, who);
                self.seen.insert((who, kind.action), rows.clone());
                let answer = kind.answer(&self.world, rows);
                self.same(kind.action, answer, &reply, &tree)
                    .map_err(|problem| format!("account {who}: {problem}"))?;
            }
        }
        Ok(())
    }

    /// What is told of one thing at a time, in the same way.
    fn look_closer(&mut self, who: usize) -> Result<(), String> {
        for (at, (call, answer)) in details::all(&self.world, who).into_iter().enumerate() {
            let before = self.seen_closer.insert((who, format!("{:?}", call.pairs())), answer.clone());
            if before.is_some_and(|before| before == answer) && (at + self.looks) % TURNS != 0 {
                continue;
            }
            let (reply, tree) = self.ask(&call);
            let same = self.same(call.action, answer, &reply, &tree);
            same.map_err(|problem| format!("account {who}: {:?}: {problem}", call.pairs()))?;
        }
        Ok(())
    }

    /// What no answer has told.
    fn learn(&mut self, who: usize) {
        if self.world.has_unseen(who) {
            let (_, tree) = self.ask(&Call::new(who, "DescribeNetworkInterfaces"));
            self.world.learn_public(who, &tree);
        }
        if self.world.has_unseen_parts(who) {
            let (_, tree) = self.ask(&Call::new(who, "DescribeRouteTables"));
            self.world.learn_tables(&tree);
            let (_, tree) = self.ask(&Call::new(who, "DescribeNetworkAcls"));
            self.world.learn_acls(&tree);
            let (_, tree) = self.ask(&Call::new(who, "DescribeSecurityGroups"));
            self.world.learn_groups(&tree);
        }
    }

    /// What has to hold of any state, whatever led to it.
    fn invariants(&self) -> Result<(), String> {
        let world = &self.world;
        let mut ips: Vec<_> = world.addresses.iter().map(|one| ("public", &one.ip)).collect();
        let space = |one: &Interface| world.space_of(world.subnet(&one.subnet));
        ips.extend(world.interfaces.iter().flat_map(|one| one.ips().map(move |ip| (space(one), ip))));
        ips.extend(world.interfaces.iter().filter_map(|one| Some(("public", one.public.as_ref()?))));
        let count = ips.len();
        ips.sort();
        ips.dedup();
        let interface = |id: &String| world.interfaces.iter().find(|one| one.id == *id);
        let nowhere = world.addresses.iter().find(|one| {
            let led = one.association.as_ref();
            led.is_some_and(|(_, to, at)| {
                interface(to).is_none_or(|to| to.who != one.who || !to.ips().any(|ip| ip == at))
            })
        });
        let mut led: Vec<_> = world
            .addresses
            .iter()
            .filter_map(|one| one.association.as_ref())
            .map(|(_, to, at)| (to, at))
            .collect();
        led.sort();
        let shared = led.windows(2).find(|two| two[0] == two[1]);
        let group = |id: &String| world.groups.iter().any(|group| group.id == *id);
        let lost = world.interfaces.iter().flat_map(|one| &one.groups).find(|id| !group(id));
        match (ips.len() == count, nowhere, shared, lost) {
            (true, None, None, None) => Ok(()),
            broken => Err(format!("an invariant is broken: {broken:?}")),
        }
    }

    /// A Describe with filters, ids or pages.
    fn read(&mut self, dice: &mut Dice) -> Result<(), String> {
        let who = dice.below(2);
        // What fills several pages is asked for by itself, now and then: filters leave little of it.
        let more = |kind: &&Kind| {
            kind.pages.map_or(0, |(least, _)| kind.rows(&self.world, who).len() as i64 - least)
        };
        let fullest = KINDS.iter().max_by_key(more).filter(|kind| more(kind) > 0);
        let walked = fullest.filter(|_| dice.once_in(2));
        let narrowed: Vec<&Kind> = KINDS.iter().filter(|kind| !kind.filters.is_empty()).collect();
        let kind = walked.unwrap_or_else(|| *dice.pick(&narrowed));
        let mut call = Call::new(who, kind.action);
        if kind.action == "DescribeKeyPairs" {
            call.params.set("IncludePublicKey", "true");
        }
        match walked.and_then(|kind| kind.pages) {
            Some((least, _)) => call.params.set("MaxResults", least),
            None => self.narrow(kind, &mut call, dice),
        }
        let mut rows = Vec::new();
        let mut pages = 0;
        loop {
            let (reply, tree) = self.ask(&call);
            let outcome = tree.at("Errors/Error/Code").to_owned();
            self.told.push(format!("account {who}: {:?} {outcome}", call.pairs()));
            let expected = match kind.select(&self.world, &call) {
                Ok(expected) => expected,
                Err(faults) => return refused(&reply, &outcome, &faults.0),
            };
            let page = kind.told(&tree);
            let most = call.params.number("MaxResults").unwrap_or(i64::MAX);
            let full = i64::try_from(page.len()).unwrap() == most;
            rows.extend(page.clone());
            pages += 1;
            let token = tree.at("nextToken").to_owned();
            if token.is_empty() || pages > 100 {
                let all = node(kind.list, expected);
                let compared = self.world.learned.compare(&all, &node(kind.list, rows));
                return compared.map_err(|problem| format!("{call:?}, {pages} pages: {problem}"));
            }
            if !full {
                return Err(format!("{call:?}: a page of {} where {most} are asked for", page.len()));
            }
            call.params.0.retain(|(name, _)| name != "NextToken");
            call.params.set("NextToken", token);
            if dice.once_in(6) {
                return self.strange_token(&call, dice, kind.filters.is_empty());
            }
        }
    }

    /// A token is good for the filters that it was made for.
    fn strange_token(&mut self, call: &Call, dice: &mut Dice, plain: bool) -> Result<(), String> {
        let mut call = call.clone();
        match dice.below(2) {
            0 if !plain => call = call.with("Filter.40.Name", "tag:x").with("Filter.40.Value", "y"),
            _ => call
                .params
                .0
                .iter_mut()
                .filter(|(name, _)| name == "NextToken")
                .for_each(|(_, token)| token.push('A')),
        }
        let (reply, tree) = self.ask(&call);
        let outcome = tree.at("Errors/Error/Code").to_owned();
        self.told.push(format!("account {}: {:?} {outcome}", call.who, call.pairs()));
        refused(&reply, &outcome, &["InvalidNextToken"])
    }

    fn narrow(&self, kind: &Kind, call: &mut Call, dice: &mut Dice) {
        let rows = kind.rows(&self.world, call.who);
        let filters = [0, 0, 1, 1, 2][dice.below(5)];
        for index in 1..=filters {
            let (name, values) = filter(kind, &rows, &self.world, dice);
            call.params.set(format!("Filter.{index}.Name"), name);
            for (at, value) in values.iter().enumerate() {
                call.params.set(format!("Filter.{index}.Value.{}", at + 1), value);
            }
        }
        if !kind.id.1.is_empty() && dice.once_in(4) {
            let (before, theme) = (&self.calls[..], self.theme);
            let mut chooser = Chooser { world: &self.world, dice, who: call.who, before, theme };
            let ids: Vec<String> = (0..chooser.dice.below(2) + 1).map(|_| chooser.id(kind.id.2)).collect();
            let listed = chooser.listed(call.clone(), kind.id.1, &ids);
            *call = listed;
        }
        let many = kind.pages.is_some_and(|(least, _)| i64::try_from(rows.len()).unwrap() > least);
        if let Some((least, most)) = kind.pages.filter(|_| many || dice.once_in(2)) {
            let limit =
                [least, least, least, least, least, least + 1, most, least - 1, most + 1][dice.below(9)];
            call.params.set("MaxResults", limit);
        }
    }

    /// Ends what takes room on the host, whatever there is.
    pub fn end(mut self) {
        if self.world.drained {
            self.drain(false);
        }
        let ids: Vec<_> =
            self.world.instances.iter().filter(|one| !one.keep).map(|one| one.id.clone()).collect();
        let mut words: Vec<Word> = Vec::new();
        for id in ids {
            let one = self.world.instances.iter().find(|one| one.id == id).unwrap();
            let call = Call::new(one.who, "TerminateInstances").with("InstanceId.1", &id);
            words.push((id, one.boot, Heard::Gone));
            self.ask(&call);
        }
        self.report(&words);
    }
}

/// A filter with values that some of the rows have, or not quite.
fn filter(kind: &Kind, rows: &[Tree], world: &World, dice: &mut Dice) -> (String, Vec<String>) {
    if dice.once_in(15) {
        let bad = *dice.pick(&["no-such-filter", "tag:", "tag:*x", "Domain"]);
        let values = if dice.once_in(2) { vec!["x".into()] } else { Vec::new() };
        // Every key is a tag's.
        return if bad == "tag:*x" { ("tag-nothing".into(), values) } else { (bad.into(), values) };
    }
    let (name, path) = *dice.pick(kind.filters);
    let (name, mut known) = match dice.below(4) {
        0 => {
            let key = world.tags.first().map_or("Name", |tag| &tag.key).to_owned();
            (format!("tag:{key}"), world.tags.iter().map(|tag| tag.value.clone()).collect::<Vec<_>>())
        }
        1 if kind.action != "DescribeTags" => {
            ("tag-key".to_owned(), world.tags.iter().map(|tag| tag.key.clone()).collect())
        }
        _ => (name.to_owned(), rows.iter().flat_map(|row| row.all(path)).collect()),
    };
    known.push("none".into());
    let one = dice.pick(&known).clone();
    let head: String = one.chars().take(one.chars().count() / 2).collect();
    let value = match dice.below(8) {
        0 => format!("{head}*"),
        1 => "*".into(),
        2 => format!("?{}", one.chars().skip(1).collect::<String>()),
        3 => one.to_uppercase(),
        4 => format!("*{}", one.chars().skip(head.chars().count()).collect::<String>()),
        _ => one,
    };
    let more = if dice.once_in(3) { vec![dice.pick(&known).clone()] } else { Vec::new() };
    (name, [vec![value], more].concat())
}

fn refused(reply: &Reply, outcome: &str, faults: &[&str]) -> Result<(), String> {
    let status = match outcome {
        "AuthFailure" => 401,
        "DryRunOperation" => 412,
        "InsufficientInstanceCapacity" => 500,
        _ => 400,
    };
    let shape = reply.body.contains("<Response><Errors><Error><Code>") && reply.body.contains("<RequestID>");
    if faults.contains(&outcome) && reply.status == status && shape {
        return Ok(());
    }
    Err(format!("{} {}, where one of {faults:?} is expected", reply.status, reply.body))
}
