//! Clients that write one call after the other, each for an account of its own, and know exactly what must be there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fogbank::types::{AccountId, Direction, RuleTarget};
use fogbank::world::World;

use crate::dice::Dice;
use crate::server::{Credentials, Reply, Server};

/// How long clients write at most.
const LONGEST: Duration = Duration::from_secs(30);

/// What an account has, by name: an address's public address and interface, a group's name, a rule, a tag's value.
pub type Facts = BTreeMap<String, String>;

/// A call, by what it does to the facts.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Op {
    Allocate,
    Release(String),
    Associate(String),
    Disassociate(String),
    CreateGroup(String),
    DeleteGroup(String),
    Authorize(String, u16),
    Revoke(String, u16),
    Tag(String, String),
    Untag(String),
    /// A rule of two, of which the second cannot be: neither may come.
    HalfBad(String, u16),
}

/// One client.
pub struct Client {
    pub account: AccountId,
    pub keys: Credentials,
    pub dice: Dice,
    instance: String,
    interface: String,
    /// Acknowledged.
    pub sure: Facts,
    /// The call that had no answer.
    unknown: Option<Op>,
    pub acknowledged: usize,
    pub refused: usize,
    named: usize,
}

/// What of a World is an account's, as far as clients of this file write it.
pub fn facts(world: &World, account: AccountId) -> Facts {
    let mut facts = Facts::new();
    let mine = |owner: &fogbank::types::Owner| owner.account == account;
    for row in world.addresses.values().filter(|row| mine(&row.owner)) {
        let leads = row.association.map_or("-".into(), |association| association.eni.to_string());
        facts.insert(format!("address {}", row.id), leads);
    }
    for row in world.groups.values().filter(|row| mine(&row.owner) && &*row.name != "default") {
        facts.insert(format!("group {}", row.id), row.name.to_string());
    }
    for row in world.rules.values().filter(|row| mine(&row.owner) && row.direction == Direction::Ingress) {
        if let (RuleTarget::Cidr4(_), Some((from, _))) = (&row.target, row.traffic.ports()) {
            facts.insert(format!("rule {} {from}", row.group), String::new());
        }
    }
    for row in world.tags.values().filter(|row| mine(&row.owner)) {
        facts.insert(format!("tag {} {}", row.resource, row.key), row.value.to_string());
    }
    facts
}

impl Client {
    /// With an account and an instance, on whichever host there is.
    pub fn new(server: &Server, name: &str, image: &str, dice: Dice) -> Self {
        let keys = server.account(name);
        let run = [("Action", "RunInstances"), ("ImageId", image), ("MinCount", "1"), ("MaxCount", "1")];
        let reply = server.call(&keys, &run);
        assert_eq!(reply.status, 200, "{}", reply.body);
        let text = |element| reply.text(element).unwrap().to_owned();
        Self {
            account: text("ownerId").parse().unwrap(),
            instance: text("instanceId"),
            interface: text("networkInterfaceId"),
            keys,
            dice,
            sure: Facts::new(),
            unknown: None,
            acknowledged: 0,
            refused: 0,
            named: 0,
        }
    }

    /// Calls until there is no answer any more.
    pub fn write(&mut self, server: &Server) {
        // A server that does not abort is found out by whoever waits for that.
        let begun = Instant::now();
        while begun.elapsed() < LONGEST {
            let op = self.next();
            match self.call(server, &op) {
                Ok(reply) if reply.status == 200 => {
                    assert!(!matches!(op, Op::HalfBad(..)), "{op:?}: {}", reply.body);
                    self.acknowledged += 1;
                    apply(&mut self.sure, &op, Some(&reply), &self.interface);
                }
                Ok(reply) => {
                    assert!(matches!(op, Op::HalfBad(..)) && reply.status == 400, "{op:?}: {}", reply.body);
                    self.refused += 1;
                }
                Err(_) => {
                    self.unknown = Some(op);
                    return;
                }
            }
        }
    }

    fn pick(&mut self, prefix: &str, of: impl Fn(&str, &str) -> bool) -> Option<String> {
        let all = self.sure.iter().filter(|(key, value)| key.starts_with(prefix) && of(key, value));
        let all: Vec<_> = all.map(|(key, _)| key[prefix.len()..].to_owned()).collect();
        (!all.is_empty()).then(|| self.dice.pick(&all).clone())
    }

    fn next(&mut self) -> Op {
        let count = |prefix: &str| self.sure.keys().filter(|key| key.starts_with(prefix)).count();
        let (addresses, groups) = (count("address "), count("group "));
        let any = |_: &str, _: &str| true;
        loop {
            let port = 1000 + self.dice.below(30) as u16;
            let op = match self.dice.below(11) {
                0 if addresses < 5 => Some(Op::Allocate),
                1 if addresses > 2 => self.pick("address ", |_, leads| leads == "-").map(Op::Release),
                2 => self.pick("address ", |_, leads| leads == "-").map(Op::Associate),
                3 => self.pick("address ", |_, leads| leads != "-").map(Op::Disassociate),
                4 if groups < 6 => {
                    self.named += 1;
                    Some(Op::CreateGroup(format!("g{}", self.named)))
                }
                5 if groups > 3 => self.pick("group ", any).map(Op::DeleteGroup),
                6 => self.pick("group ", any).map(|group| Op::HalfBad(group, port)),
                7 => self.pick("rule ", any).and_then(|rule| {
                    let (group, port) = rule.split_once(' ')?;
                    Some(Op::Revoke(group.into(), port.parse().ok()?))
                }),
                8 => self.pick("group ", any).map(|group| {
                    let value = self.dice.below(1000);
                    Op::Tag(group, value.to_string())
                }),
                9 => self.pick("tag ", any).map(|tag| Op::Untag(tag.trim_end_matches(" k").into())),
                _ => self.pick("group ", any).map(|group| Op::Authorize(group, port)),
            };
            let there = |op: &Op| match op {
                Op::Authorize(group, port) => self.sure.contains_key(&format!("rule {group} {port}")),
                // An interface has one elastic address for its private one: a second would take the first one's place.
                Op::Associate(_) => self.sure.values().any(|leads| *leads == self.interface),
                _ => false,
            };
            if let Some(op) = op.filter(|op| !there(op)) {
                return op;
            }
        }
    }

    fn call(&self, server: &Server, op: &Op) -> std::io::Result<Reply> {
        let rule = |action: &'static str, group: &str, port: u16, more: &[(&str, &str)]| {
            let port = port.to_string();
            let one = [
                ("Action", action),
                ("GroupId", group),
                ("IpPermissions.1.IpProtocol", "tcp"),
                ("IpPermissions.1.FromPort", &port),
                ("IpPermissions.1.ToPort", &port),
                ("IpPermissions.1.IpRanges.1.CidrIp", "192.0.2.0/24"),
            ];
            server.try_call(&self.keys, &[&one[..], more].concat())
        };
        let plain = |pairs: &[(&str, &str)]| server.try_call(&self.keys, pairs);
        match op {
            Op::Allocate => plain(&[("Action", "AllocateAddress"), ("Domain", "vpc")]),
            Op::Release(id) => plain(&[("Action", "ReleaseAddress"), ("AllocationId", id)]),
            Op::Associate(id) => {
                plain(&[("Action", "AssociateAddress"), ("AllocationId", id), ("InstanceId", &self.instance)])
            }
            Op::Disassociate(id) => {
                let association = id.replace("eipalloc-", "eipassoc-");
                let described = plain(&[("Action", "DescribeAddresses"), ("AllocationId.1", id)])?;
                let association = described.text("associationId").unwrap_or(&association).to_owned();
                plain(&[("Action", "DisassociateAddress"), ("AssociationId", &association)])
            }
            Op::CreateGroup(name) => plain(&[
                ("Action", "CreateSecurityGroup"),
                ("GroupName", name),
                ("GroupDescription", "of a client"),
            ]),
            Op::DeleteGroup(id) => plain(&[("Action", "DeleteSecurityGroup"), ("GroupId", id)]),
            Op::Authorize(group, port) => rule("AuthorizeSecurityGroupIngress", group, *port, &[]),
            Op::Revoke(group, port) => rule("RevokeSecurityGroupIngress", group, *port, &[]),
            Op::HalfBad(group, port) => {
                let bad = [("IpPermissions.1.IpRanges.2.CidrIp", "192.0.2.0/33")];
                rule("AuthorizeSecurityGroupIngress", group, *port, &bad)
            }
            Op::Tag(resource, value) => plain(&[
                ("Action", "CreateTags"),
                ("ResourceId.1", resource),
                ("Tag.1.Key", "k"),
                ("Tag.1.Value", value),
            ]),
            Op::Untag(resource) => {
                plain(&[("Action", "DeleteTags"), ("ResourceId.1", resource), ("Tag.1.Key", "k")])
            }
        }
    }

    /// Holds what is there after a crash against what was acknowledged, and goes on from there.
    pub fn settle(&mut self, found: Facts) {
        let unknown = self.unknown.take();
        let done = unknown.as_ref().map(|op| {
            let mut done = self.sure.clone();
            apply(&mut done, op, None, &self.interface);
            name_new(&mut done, &self.sure, &found);
            done
        });
        let is_right = found == self.sure || done.as_ref() == Some(&found);
        assert!(
            is_right,
            "{}: acknowledged {:#?}, unknown {unknown:?}, found {found:#?}",
            self.keys.key, self.sure
        );
        self.sure = found;
    }
}

/// An id that no answer has told.
const UNTOLD: &str = "?";

fn apply(facts: &mut Facts, op: &Op, reply: Option<&Reply>, interface: &str) {
    let told = |element| reply.map_or(UNTOLD, |reply| reply.text(element).unwrap()).to_owned();
    match op {
        Op::Allocate => drop(facts.insert(format!("address {}", told("allocationId")), "-".into())),
        Op::Release(id) => drop(facts.remove(&format!("address {id}"))),
        Op::Associate(id) => drop(facts.insert(format!("address {id}"), interface.into())),
        Op::Disassociate(id) => drop(facts.insert(format!("address {id}"), "-".into())),
        Op::CreateGroup(name) => drop(facts.insert(format!("group {}", told("groupId")), name.clone())),
        Op::DeleteGroup(id) => facts.retain(|key, _| !key.contains(id.as_str())),
        Op::Authorize(group, port) => drop(facts.insert(format!("rule {group} {port}"), String::new())),
        Op::Revoke(group, port) => drop(facts.remove(&format!("rule {group} {port}"))),
        Op::Tag(resource, value) => drop(facts.insert(format!("tag {resource} k"), value.clone())),
        Op::Untag(resource) => drop(facts.remove(&format!("tag {resource} k"))),
        Op::HalfBad(..) => {}
    }
}

/// Gives what an unanswered call may have made the id that is new among what was found.
fn name_new(done: &mut Facts, sure: &Facts, found: &Facts) {
    for kind in ["address ", "group "] {
        if let Some(value) = done.remove(&format!("{kind}{UNTOLD}")) {
            let new = found.keys().find(|key| key.starts_with(kind) && !sure.contains_key(*key));
            done.insert(new.cloned().unwrap_or_default(), value);
        }
    }
}
