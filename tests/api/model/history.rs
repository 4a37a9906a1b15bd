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
    pub ground: &'g mut Ground,
    pub world: World,
    keys: Vec<Credentials>,
    pub theme: Theme,
    /// What each account was to see at the last look.
    seen: BTreeMap<(usize, &'static str), Vec<Tree>>,
    seen_closer: BTreeMap<(usize, String), Vec<Tree>>,
    looks: usize,
    pub calls: Vec<Call>,
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
    pub fn ask(&mut self, call: &Call) -> (Reply, Tree) {
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
                if before.is_some_and(|before| before == rows) && !(at + self.looks).is_multiple_of(TURNS) {
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
            if before.is_some_and(|before| before == answer) && !(at + self.looks).is_multiple_of(TURNS) {
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

pub fn refused(reply: &Reply, outcome: &str, faults: &[&str]) -> Result<(), String> {
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
