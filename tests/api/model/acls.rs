//! Network ACLs, by EC2's reference: CreateNetworkAcl, DeleteNetworkAcl, CreateNetworkAclEntry, ReplaceNetworkAclEntry,
//! DeleteNetworkAclEntry, ReplaceNetworkAclAssociation.

use super::blocks::{Block, block};
use super::call::{COMBINATION, Call, Code, Faults, MISSING, Params, VALUE};
use super::rules::cidr6;
use super::tree::{Tree, leaf, list, node, tag_set};
use super::world::*;

#[derive(Clone, Debug)]
pub struct Acl {
    pub who: usize,
    pub id: String,
    pub vpc: String,
    pub is_default: bool,
}

#[derive(Clone, Debug)]
pub struct AclAssociation {
    pub id: String,
    pub acl: String,
    pub subnet: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cidr {
    V4(Block),
    V6(String),
}

#[derive(Clone, Debug)]
pub struct AclEntry {
    pub acl: String,
    pub egress: bool,
    pub number: i64,
    pub allow: bool,
    pub protocol: i64,
    /// Ports, or ICMP's type and code.
    pub ends: Option<(i64, i64)>,
    pub cidr: Cidr,
}

/// "Rules per network ACL: 20 [...] for a single network ACL, the limit on ingress rules and the limit on egress rules";
/// "enforced separately for IPv4 rules and IPv6 rules".
const MOST: usize = 20;

impl World {
    pub fn own_acl(&self, who: usize, id: Option<&str>) -> Result<&Acl, Code> {
        let own = |one: &&Acl| one.who == who && Some(&*one.id) == id;
        self.acls.iter().find(own).ok_or("InvalidNetworkAclID.NotFound")
    }

    pub fn forget_acl(&mut self, id: &str) {
        self.acl_entries.retain(|entry| entry.acl != id);
        self.acl_associations.retain(|one| one.acl != id);
        self.acls.retain(|one| one.id != id);
        self.untag(id);
    }
}

/// "The default network ACL is configured to allow all traffic to flow in and out of the subnets."
pub fn everything(acl: &str) -> [AclEntry; 2] {
    [false, true].map(|egress| AclEntry {
        acl: acl.into(),
        egress,
        number: 100,
        allow: true,
        protocol: -1,
        ends: None,
        cidr: Cidr::V4(block("0.0.0.0/0")),
    })
}

fn answer(world: &World, call: &Call, id: &str) -> Vec<Tree> {
    let row = world.acls.iter().find(|one| one.id == id).unwrap();
    let mut answer = vec![node("networkAcl", shape(world, row))];
    answer.extend(call.params.one("ClientToken").map(|token| leaf("clientToken", token)));
    answer
}

pub fn create(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let made = world.replayed(call)?;
    if let Some(id) = made.filter(|id| world.acls.iter().any(|one| one.id == *id)) {
        return Ok(answer(world, call, &id));
    }
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(&call.params, &["network-acl"], "network-acl"));
    let vpc = faults.note(world.own_vpc(call.who, call.params.one("VpcId"))).map(|vpc| vpc.id.clone());
    faults.done()?;
    let id = world.new_id(reply.at("networkAcl/networkAclId"), "acl");
    world.tag(call.who, &id, &tags.unwrap());
    world.remember(call, &id);
    world.acls.push(Acl { who: call.who, id: id.clone(), vpc: vpc.unwrap(), is_default: false });
    Ok(answer(world, call, &id))
}

/// "You can't delete the ACL if it's associated with any subnets. You can't delete the default network ACL."
pub fn delete(world: &mut World, call: &Call) -> Outcome {
    let row = world.own_acl(call.who, call.params.one("NetworkAclId"))?.clone();
    let mut faults = Faults::default();
    faults.add_if(row.is_default, VALUE);
    faults.add_if(world.acl_associations.iter().any(|one| one.acl == row.id), "DependencyViolation");
    faults.done()?;
    world.forget_acl(&row.id);
    Ok(vec![leaf("return", true)])
}

fn protocol(text: &str) -> Option<i64> {
    match text.to_lowercase().as_str() {
        "-1" | "all" => Some(-1),
        "tcp" => Some(6),
        "udp" => Some(17),
        "icmp" => Some(1),
        "icmpv6" => Some(58),
        number => number.parse().ok().filter(|n: &i64| (0..256).contains(n) && n.to_string() == number),
    }
}

fn cidr(params: &Params) -> Result<Cidr, Code> {
    match (params.one("CidrBlock"), params.one("Ipv6CidrBlock")) {
        (Some(four), None) => Ok(Cidr::V4(Block::read(four).unwrap())),
        (None, Some(six)) => cidr6(Some(six)).map(Cidr::V6),
        (None, None) => Err(MISSING),
        (Some(_), Some(_)) => Err(COMBINATION),
    }
}

/// "If you specify '-1' or a protocol number other than '6', '17', or '1', traffic on all ports is allowed, regardless of
/// any ports or ICMP types or codes that you specify. If you specify protocol '58' (ICMPv6) and specify an IPv4 CIDR
/// block, traffic for all ICMP types and codes allowed [...] and specify an IPv6 CIDR block, you must specify an ICMP type
/// and code."
fn ends(params: &Params, protocol: i64, four: bool) -> Result<Option<(i64, i64)>, Code> {
    let both = |one: &str, two: &str| params.number(one).zip(params.number(two)).ok_or(MISSING);
    match protocol {
        6 | 17 => {
            let (from, to) = both("PortRange.From", "PortRange.To")?;
            if from <= to { Ok(Some((from, to))) } else { Err(VALUE) }
        }
        58 if four => Ok(Some((-1, -1))),
        1 | 58 => {
            let (kind, code) = both("Icmp.Type", "Icmp.Code")?;
            if kind != -1 || code == -1 { Ok(Some((kind, code))) } else { Err(VALUE) }
        }
        _ => Ok(None),
    }
}

/// What a call says of an entry, and which there is with its number.
fn wanted(world: &World, call: &Call, faults: &mut Faults) -> Option<(AclEntry, Option<usize>)> {
    let params = &call.params;
    let acl = faults.note(world.own_acl(call.who, params.one("NetworkAclId"))).cloned();
    let cidr = faults.note(cidr(params));
    let protocol = faults.note(protocol(params.one("Protocol").unwrap()).ok_or(VALUE));
    let four = matches!(cidr, Some(Cidr::V4(_)));
    let ends = protocol.and_then(|protocol| faults.note(ends(params, protocol, four)));
    let (((acl, cidr), protocol), ends) = acl.zip(cidr).zip(protocol).zip(ends)?;
    let egress = params.flag("Egress").unwrap();
    let number = params.number("RuleNumber").unwrap();
    let allow = params.one("RuleAction") == Some("allow");
    let there = world
        .acl_entries
        .iter()
        .position(|one| one.acl == acl.id && one.egress == egress && one.number == number);
    Some((AclEntry { acl: acl.id, egress, number, allow, protocol, ends, cidr }, there))
}

/// Whether the network ACL has all the entries of that direction and family that it may have.
fn is_full(world: &World, new: &AclEntry) -> bool {
    let family = |cidr: &Cidr| matches!(cidr, Cidr::V4(_));
    let alike = |one: &&AclEntry| {
        one.acl == new.acl && one.egress == new.egress && family(&one.cidr) == family(&new.cidr)
    };
    world.acl_entries.iter().filter(alike).count() >= MOST
}

pub fn create_entry(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let wanted = wanted(world, call, &mut faults);
    if let Some((new, there)) = &wanted {
        faults.add_if(there.is_some(), "NetworkAclEntryAlreadyExists");
        faults.add_if(is_full(world, new), "NetworkAclEntryLimitExceeded");
    }
    faults.done()?;
    world.acl_entries.extend(wanted.map(|(new, _)| new));
    Ok(vec![leaf("return", true)])
}

pub fn replace_entry(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let wanted = wanted(world, call, &mut faults);
    if let Some((new, there)) = &wanted {
        let old = there.map(|at| &world.acl_entries[at]);
        faults.add_if(old.is_none(), "InvalidNetworkAclEntry.NotFound");
        let family = |cidr: &Cidr| matches!(cidr, Cidr::V4(_));
        let turns = old.is_some_and(|old| family(&old.cidr) != family(&new.cidr));
        faults.add_if(turns && is_full(world, new), "NetworkAclEntryLimitExceeded");
    }
    faults.done()?;
    let (new, there) = wanted.unwrap();
    world.acl_entries[there.unwrap()] = new;
    Ok(vec![leaf("return", true)])
}

pub fn delete_entry(world: &mut World, call: &Call) -> Outcome {
    let acl = world.own_acl(call.who, call.params.one("NetworkAclId"))?.id.clone();
    let (egress, number) = (call.params.flag("Egress").unwrap(), call.params.number("RuleNumber").unwrap());
    let is_it = |one: &AclEntry| one.acl == acl && one.egress == egress && one.number == number;
    let at = world.acl_entries.iter().position(is_it).ok_or("InvalidNetworkAclEntry.NotFound")?;
    world.acl_entries.remove(at);
    Ok(vec![leaf("return", true)])
}

pub fn replace_association(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let mut faults = Faults::default();
    let id = call.params.one("AssociationId");
    let own = |one: &AclAssociation| Some(&*one.id) == id && world.subnet(&one.subnet).who == call.who;
    let at = faults.note(world.acl_associations.iter().position(own).ok_or("InvalidAssociationID.NotFound"));
    let acl = faults.note(world.own_acl(call.who, call.params.one("NetworkAclId"))).cloned();
    if let (Some(at), Some(acl)) = (at, &acl) {
        faults.add_if(world.subnet(&world.acl_associations[at].subnet).vpc != acl.vpc, VALUE);
    }
    faults.done()?;
    let id = world.new_id(reply.at("newAssociationId"), "aclassoc");
    let row = &mut world.acl_associations[at.unwrap()];
    (row.id, row.acl) = (id.clone(), acl.unwrap().id);
    Ok(vec![leaf("newAssociationId", id)])
}

fn entry(one: &AclEntry) -> Vec<Tree> {
    let mut tree = vec![
        leaf("ruleNumber", one.number),
        leaf("protocol", one.protocol),
        leaf("ruleAction", if one.allow { "allow" } else { "deny" }),
        leaf("egress", one.egress),
        match &one.cidr {
            Cidr::V4(block) => leaf("cidrBlock", block),
            Cidr::V6(text) => leaf("ipv6CidrBlock", text),
        },
    ];
    tree.extend(one.ends.map(|(from, to)| match one.protocol {
        6 | 17 => node("portRange", vec![leaf("from", from), leaf("to", to)]),
        _ => node("icmpTypeCode", vec![leaf("type", from), leaf("code", to)]),
    }));
    tree
}

/// "Each network ACL also includes a rule whose rule number is an asterisk (*)": 32767, which denies.
pub fn shape(world: &World, row: &Acl) -> Vec<Tree> {
    let own = world.acl_entries.iter().filter(|one| one.acl == row.id);
    let mut entries: Vec<Vec<Tree>> = own.map(entry).collect();
    for last in everything(&row.id) {
        entries.push(entry(&AclEntry { number: 32_767, allow: false, ..last }));
    }
    let association = |one: &AclAssociation| {
        vec![
            leaf("networkAclAssociationId", &one.id),
            leaf("networkAclId", &one.acl),
            leaf("subnetId", &one.subnet),
        ]
    };
    let associations = world.acl_associations.iter().filter(|one| one.acl == row.id);
    vec![
        leaf("networkAclId", &row.id),
        leaf("vpcId", &row.vpc),
        leaf("ownerId", &world.accounts[row.who].id),
        leaf("default", row.is_default),
        list("entrySet", entries),
        list("associationSet", associations.map(association).collect()),
        tag_set("tagSet", &world.tags_of(&row.id)),
    ]
}
