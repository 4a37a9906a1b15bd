//! VPC peering connections, by EC2's reference: CreateVpcPeeringConnection, AcceptVpcPeeringConnection,
//! RejectVpcPeeringConnection, DeleteVpcPeeringConnection, ModifyVpcPeeringConnectionOptions.

use super::call::{Call, Code, Faults, MISSING};
use super::tree::{Tree, leaf, list, node, tag_set};
use super::vpcs::{OPERATORS, Vpc};
use super::world::*;

#[derive(Clone, Debug)]
pub struct End {
    /// The account's id: it may be none of the history's.
    pub owner: String,
    pub vpc: String,
    pub resolves: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    Pending,
    Active,
    Rejected,
    Deleted,
    Failed,
}

#[derive(Clone, Debug)]
pub struct Peering {
    pub id: String,
    /// The requester first.
    pub ends: [End; 2],
    pub stage: Stage,
    /// The account that wanted it over.
    pub ended_by: Option<String>,
    /// How many were over before: the last one that is over is what a stale rule tells of.
    pub over: usize,
}

const NO_PEERING: Code = "InvalidVpcPeeringConnectionID.NotFound";
const TRANSITION: Code = "InvalidStateTransition";

impl Peering {
    /// The VPC at the other end of one.
    pub fn beyond(&self, vpc: &str) -> Option<&str> {
        match vpc {
            _ if self.ends[0].vpc == vpc => Some(&self.ends[1].vpc),
            _ if self.ends[1].vpc == vpc => Some(&self.ends[0].vpc),
            _ => None,
        }
    }

    fn lives(&self) -> bool {
        matches!(self.stage, Stage::Pending | Stage::Active)
    }
}

impl World {
    /// "The failed VPC peering connection is visible to the requester" only; any other to both for hours after its end.
    pub fn peerings_of(&self, who: usize) -> Vec<&Peering> {
        let account = &self.accounts[who].id;
        let told = |one: &&Peering| {
            one.ends[0].owner == *account || (one.ends[1].owner == *account && one.stage != Stage::Failed)
        };
        self.peerings.iter().filter(told).collect()
    }

    fn own_peering(&self, call: &Call) -> Result<usize, Code> {
        let id = call.params.one("VpcPeeringConnectionId").unwrap();
        let there = self.peerings_of(call.who).iter().any(|one| one.id == id);
        let at = self.peerings.iter().position(|one| one.id == id);
        at.filter(|_| there).ok_or(NO_PEERING)
    }

    /// Whether an active connection joins two VPCs.
    pub fn are_peers(&self, one: &str, other: &str) -> bool {
        self.peerings.iter().any(|row| row.stage == Stage::Active && row.beyond(one) == Some(other))
    }

    fn end_peering(&mut self, at: usize, stage: Stage, by: Option<String>) {
        let over = self.peerings.iter().filter(|one| !one.lives()).count();
        let row = &mut self.peerings[at];
        (row.stage, row.ended_by, row.over) = (stage, by, over);
    }

    /// Whether a connection keeps a VPC: "You cannot delete a VPC for which you have a pending-acceptance request from a VPC
    /// in another account."
    pub fn is_kept_by_peering(&self, vpc: &str) -> bool {
        self.peerings.iter().filter(|one| one.beyond(vpc).is_some()).any(|one| {
            let asked = one.ends[1].vpc == vpc && one.ends[0].owner != one.ends[1].owner;
            one.stage == Stage::Active || (one.stage == Stage::Pending && asked)
        })
    }

    /// What was asked for from a VPC ends with it.
    pub fn release_peerings(&mut self, who: usize, vpc: &str) {
        for at in 0..self.peerings.len() {
            let row = &self.peerings[at];
            if row.stage == Stage::Pending && row.beyond(vpc).is_some() {
                self.end_peering(at, Stage::Deleted, Some(self.accounts[who].id.clone()));
            }
        }
    }

    /// What another block of a VPC meets.
    fn met(&self, row: &Peering, vpc: &str, block: super::blocks::Block) -> bool {
        let peer = row.beyond(vpc).and_then(|id| self.vpc(id));
        peer.is_some_and(|peer| peer.blocks.iter().any(|(_, own)| own.meets(block)))
    }

    /// "If the VPC peering connection is pending-acceptance, the owner of the requester VPC cannot add any CIDR block to the
    /// VPC", and no active peer may have some of it.
    pub fn check_peers(&self, vpc: &str, block: super::blocks::Block, faults: &mut Faults) {
        for row in self.peerings.iter().filter(|row| row.beyond(vpc).is_some()) {
            faults.add_if(row.stage == Stage::Active && self.met(row, vpc, block), "InvalidVpc.Range");
            faults.add_if(row.stage == Stage::Pending && row.ends[0].vpc == vpc, OPERATORS);
        }
    }

    /// "If the CIDR block [that the accepter adds] overlaps [...] the VPC peering connection request fails."
    pub fn fail_peerings(&mut self, vpc: &str, block: super::blocks::Block) {
        for at in 0..self.peerings.len() {
            let row = &self.peerings[at];
            if row.stage == Stage::Pending && row.ends[1].vpc == vpc && self.met(row, vpc, block) {
                self.end_peering(at, Stage::Failed, None);
            }
        }
    }
}

pub fn overlap(one: &Vpc, other: &Vpc) -> bool {
    one.blocks.iter().any(|(_, own)| other.blocks.iter().any(|(_, theirs)| own.meets(*theirs)))
}

fn status(code: &str, message: impl ToString) -> Tree {
    node("status", vec![leaf("code", code), leaf("message", message)])
}

pub fn create(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    const KIND: &str = "vpc-peering-connection";
    let params = &call.params;
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(params, &[KIND], KIND));
    let vpc = faults.note(world.own_vpc(call.who, params.one("VpcId"))).cloned();
    faults.add_if(vpc.as_ref().is_some_and(|vpc| vpc.is_default), OPERATORS);
    let own = world.accounts[call.who].id.clone();
    let asked = params.one("PeerOwnerId").unwrap_or(&own).to_owned();
    let peer_id = params.one("PeerVpcId").unwrap().to_owned();
    let peer = world.vpc(&peer_id).filter(|peer| world.accounts[peer.who].id == asked);
    faults.add_if(peer.is_some_and(|peer| peer.is_default), OPERATORS);
    if let Some(vpc) = &vpc {
        let same = |row: &Peering| row.lives() && row.beyond(&vpc.id) == Some(&peer_id);
        faults.add_if(world.peerings.iter().any(same), "VpcPeeringConnectionAlreadyExists");
    }
    faults.done()?;
    let vpc = vpc.unwrap();
    let fits = peer.is_some_and(|peer| !overlap(&vpc, peer));
    let id = world.new_id(reply.at("vpcPeeringConnection/vpcPeeringConnectionId"), "pcx");
    let end = |owner: &String, vpc: String| End { owner: owner.clone(), vpc, resolves: false };
    let ends = [end(&own, vpc.id), end(&asked, peer_id)];
    let row = Peering { id: id.clone(), ends, stage: Stage::Pending, ended_by: None, over: 0 };
    world.tag(call.who, &id, &tags.unwrap());
    world.peerings.push(row.clone());
    let begun = status("initiating-request", format!("Initiating Request to {asked}"));
    let answer = with_status(shape(world, call.who, &row), begun);
    if !fits {
        world.end_peering(world.peerings.len() - 1, Stage::Failed, None);
    }
    Ok(vec![node("vpcPeeringConnection", answer)])
}

fn with_status(mut tree: Vec<Tree>, status: Tree) -> Vec<Tree> {
    tree.retain(|one| one.name != "status");
    tree.push(status);
    tree
}

/// "You must be the owner of the peer VPC"; the connection "must be in the pending-acceptance state".
fn asked(world: &World, call: &Call) -> Result<usize, Faults> {
    let at = world.own_peering(call)?;
    let row = &world.peerings[at];
    let mut faults = Faults::default();
    faults.add_if(row.ends[1].owner != world.accounts[call.who].id, OPERATORS);
    faults.add_if(row.stage != Stage::Pending, TRANSITION);
    faults.done().map(|()| at)
}

pub fn accept(world: &mut World, call: &Call) -> Outcome {
    let at = asked(world, call)?;
    world.peerings[at].stage = Stage::Active;
    let tree = shape(world, call.who, &world.peerings[at]);
    let answer = with_status(tree, status("provisioning", "Provisioning"));
    Ok(vec![node("vpcPeeringConnection", answer)])
}

pub fn reject(world: &mut World, call: &Call) -> Outcome {
    let at = asked(world, call)?;
    world.end_peering(at, Stage::Rejected, Some(world.accounts[call.who].id.clone()));
    Ok(vec![leaf("return", true)])
}

/// "Either the owner of the requester VPC or the owner of the accepter VPC can delete the VPC peering connection if it's in
/// the active state. The owner of the requester VPC can delete a VPC peering connection in the pending-acceptance state."
pub fn delete(world: &mut World, call: &Call) -> Outcome {
    let at = world.own_peering(call)?;
    let (row, account) = (&world.peerings[at], world.accounts[call.who].id.clone());
    match row.stage {
        Stage::Active => {}
        Stage::Pending if row.ends[0].owner == account => {}
        Stage::Pending => return Err(OPERATORS.into()),
        _ => return Err(TRANSITION.into()),
    }
    world.end_peering(at, Stage::Deleted, Some(account));
    Ok(vec![leaf("return", true)])
}

const SIDES: [&str; 2] = ["Requester", "Accepter"];

/// "You cannot set options for a connection that is not active"; each side's are its owner's, and "DNS hostnames must be
/// enabled for both VPCs".
pub fn options(world: &mut World, call: &Call) -> Outcome {
    let at = world.own_peering(call)?;
    let flag = |side: &str| {
        call.params.flag(&format!("{side}PeeringConnectionOptions.AllowDnsResolutionFromRemoteVpc"))
    };
    let given = SIDES.map(flag);
    let (row, account) = (&world.peerings[at], &world.accounts[call.who].id);
    let mut faults = Faults::default();
    faults.add_if(given == [None, None], MISSING);
    faults.add_if(row.stage != Stage::Active, OPERATORS);
    let others = given.iter().zip(&row.ends).any(|(given, end)| given.is_some() && end.owner != *account);
    faults.add_if(others, OPERATORS);
    let named = |end: &End| world.vpc(&end.vpc).is_some_and(|vpc| vpc.support && vpc.hostnames);
    let on = given.contains(&Some(true));
    let disabled = "InvalidVpcPeeringConnectionState.DnsHostnamesDisabled";
    faults.add_if(on && !row.ends.iter().all(named), disabled);
    faults.done()?;
    let mut answer = Vec::new();
    for (side, name) in [(0, "requesterPeeringConnectionOptions"), (1, "accepterPeeringConnectionOptions")] {
        if let Some(resolves) = given[side] {
            world.peerings[at].ends[side].resolves = resolves;
            answer.push(node(name, options_shape(resolves)));
        }
    }
    Ok(answer)
}

fn options_shape(resolves: bool) -> Vec<Tree> {
    vec![
        leaf("allowDnsResolutionFromRemoteVpc", resolves),
        leaf("allowEgressFromLocalClassicLinkToRemoteVpc", false),
        leaf("allowEgressFromLocalVpcToRemoteClassicLink", false),
    ]
}

fn info(world: &World, end: &End, full: bool) -> Vec<Tree> {
    let mut tree = vec![leaf("ownerId", &end.owner), leaf("vpcId", &end.vpc), leaf("region", REGION)];
    if let Some(vpc) = world.vpc(&end.vpc).filter(|_| full) {
        tree.push(leaf("cidrBlock", vpc.blocks[0].1));
        let blocks = vpc.blocks.iter().map(|(_, block)| vec![leaf("cidrBlock", block)]);
        tree.push(list("cidrBlockSet", blocks.collect()));
    }
    if full {
        tree.push(node("peeringOptions", options_shape(end.resolves)));
    }
    tree
}

/// A connection as one of its accounts sees it: each has tags of its own.
pub fn shape(world: &World, who: usize, row: &Peering) -> Vec<Tree> {
    let by = |what: &str| match &row.ended_by {
        Some(account) => format!("{what} by {account}"),
        None => what.to_owned(),
    };
    let (code, message) = match row.stage {
        Stage::Pending => ("pending-acceptance", format!("Pending Acceptance by {}", row.ends[1].owner)),
        Stage::Active => ("active", "Active".to_owned()),
        Stage::Rejected => ("rejected", by("Rejected")),
        Stage::Deleted => ("deleted", by("Deleted")),
        Stage::Failed => {
            ("failed", "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range".to_owned())
        }
    };
    let (active, pending) = (row.stage == Stage::Active, row.stage == Stage::Pending);
    let mut tree = vec![
        leaf("vpcPeeringConnectionId", &row.id),
        node("requesterVpcInfo", info(world, &row.ends[0], active || pending)),
        node("accepterVpcInfo", info(world, &row.ends[1], active)),
        status(code, message),
        tag_set("tagSet", &world.tags_by(who, &row.id)),
    ];
    if pending {
        tree.push(leaf("expirationTime", format!("~week {}", row.id)));
    }
    tree
}

/// What a rule tells of a group in another VPC: the VPC, the connection, and whether that joins them. `None` within a VPC
/// and between the operator's networks.
pub fn over(world: &World, of: &str, named: &str) -> Vec<Tree> {
    let vpc = |id: &str| world.groups.iter().find(|group| group.id == id).map(|group| group.vpc.clone());
    let Some(own) = vpc(of) else { return Vec::new() };
    let Some(other) = vpc(named) else { return vec![leaf("peeringStatus", "deleted")] };
    let between = world.peerings.iter().filter(|row| row.beyond(&own) == Some(&other));
    if let Some(row) = between.clone().find(|row| row.stage == Stage::Active && own != other) {
        return vec![
            leaf("vpcId", other),
            leaf("vpcPeeringConnectionId", &row.id),
            leaf("peeringStatus", "active"),
        ];
    }
    if world.may_name(of, named) {
        return Vec::new();
    }
    let mut tree = vec![leaf("vpcId", &other), leaf("peeringStatus", "deleted")];
    let last = between.filter(|row| row.stage == Stage::Deleted).max_by_key(|row| row.over);
    tree.extend(last.map(|row| leaf("vpcPeeringConnectionId", &row.id)));
    tree
}
