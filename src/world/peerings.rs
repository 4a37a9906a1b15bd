//! VPC peering connections.

use std::sync::Arc;

use super::World;
use crate::types::*;

/// One of the two ends of a peering connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeeringEnd {
    /// The VPC may be gone, or may never have been, where the connection is not active.
    pub vpc: VpcId,
    pub owner: Owner,
    /// Whether public names of this end's instances, asked for at the other end, stand for their private addresses.
    pub resolves: bool,
}

/// How far a peering connection has come
/// (<https://docs.aws.amazon.com/vpc/latest/peering/vpc-peering-basics.html#vpc-peering-lifecycle>).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PeeringState {
    Pending,
    Active,
    Rejected,
    Expired,
    Deleted,
    Failed,
}

impl PeeringState {
    /// EC2's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending-acceptance",
            Self::Active => "active",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
        }
    }

    /// Reads what [`name`](Self::name) says.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Pending, Self::Active, Self::Rejected, Self::Expired, Self::Deleted, Self::Failed];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// A peering connection. It outlives its VPCs: who had one is told for a while what became of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peering {
    pub id: VpcPeeringConnectionId,
    pub requester: PeeringEnd,
    pub accepter: PeeringEnd,
    pub state: PeeringState,
    pub created: Micros,
    /// Until when it can be accepted.
    pub expires: Micros,
    /// When it came to its last state, and the account that wanted it so, if one did.
    pub ended: Option<Micros>,
    pub ended_by: Option<AccountId>,
}

/// For how long an end is told of a connection that is no more, by the page above.
const SHORT_SECONDS: i64 = 2 * 3600;
const LONG_SECONDS: i64 = 2 * 24 * 3600;

impl Peering {
    /// Both ends, the requester's first.
    pub const fn ends(&self) -> [&PeeringEnd; 2] {
        [&self.requester, &self.accepter]
    }

    /// Whether it has the VPC at one of its ends, and what is at the other one.
    pub fn peer_of(&self, vpc: VpcId) -> Option<&PeeringEnd> {
        match vpc {
            _ if vpc == self.requester.vpc => Some(&self.accepter),
            _ if vpc == self.accepter.vpc => Some(&self.requester),
            _ => None,
        }
    }

    /// Until when an owner of one end is told of it; `None` while it is not over.
    fn told_until(&self, owner: &Owner) -> Option<Micros> {
        let ended = self.ended?;
        let one_account = self.requester.owner.account == self.accepter.owner.account;
        let seconds = match self.state {
            PeeringState::Pending | PeeringState::Active => return None,
            PeeringState::Failed if *owner == self.requester.owner => SHORT_SECONDS,
            // Nobody was ever asked.
            PeeringState::Failed => 0,
            PeeringState::Expired => LONG_SECONDS,
            PeeringState::Rejected | PeeringState::Deleted
                if one_account || self.ended_by == Some(owner.account) =>
            {
                SHORT_SECONDS
            }
            PeeringState::Rejected | PeeringState::Deleted => LONG_SECONDS,
        };
        Some(ended.plus_seconds(seconds))
    }

    /// Whether an owner sees it now.
    pub fn is_told(&self, owner: &Owner, now: Micros) -> bool {
        self.ends().iter().any(|end| end.owner == *owner)
            && self.told_until(owner).is_none_or(|until| now < until)
    }

    /// When something becomes of it by itself: it expires, or is forgotten.
    pub fn due(&self) -> Option<Micros> {
        match self.state {
            PeeringState::Pending => Some(self.expires),
            _ => self.ends().into_iter().filter_map(|end| self.told_until(&end.owner)).max(),
        }
    }

    /// What carries an owner's tags of it.
    pub fn resource(&self, owner: &Owner) -> ResourceId {
        match *owner == self.requester.owner {
            true => ResourceId::VpcPeeringConnection(self.id),
            false => ResourceId::PeeringAccepter(self.id.at_accepter()),
        }
    }
}

impl World {
    /// A VPC's peering connections, in whatever state, by id.
    pub fn peerings_of(&self, vpc: VpcId) -> impl Iterator<Item = &Arc<Peering>> {
        self.index
            .peerings_by_vpc
            .range((vpc, VpcPeeringConnectionId::from_random(0))..)
            .take_while(move |(of, _)| *of == vpc)
            .filter_map(|(_, id)| self.peerings.get(id))
    }

    /// A VPC's active peering connections, each with the VPC at its other end.
    pub fn peers_of(&self, vpc: VpcId) -> impl Iterator<Item = (&Arc<Peering>, VpcId)> {
        let active = self.peerings_of(vpc).filter(|row| row.state == PeeringState::Active);
        active.filter_map(move |row| Some((row, row.peer_of(vpc)?.vpc)))
    }

    /// Where an active peering connection leads from a VPC.
    pub fn peer_over(&self, id: VpcPeeringConnectionId, vpc: VpcId) -> Option<VpcId> {
        let row = self.peerings.get(&id).filter(|row| row.state == PeeringState::Active)?;
        Some(row.peer_of(vpc)?.vpc)
    }

    /// Whether a rule of one group may mean the members of another: in one VPC, on the flat networks, or where an active
    /// peering connection joins the two VPCs. Addresses are not enough: another VPC may have the same.
    pub fn may_name(&self, group: GroupId, other: GroupId) -> bool {
        let vpc = |id| self.groups.get(&id).map(|group| group.vpc);
        let (Some(one), Some(two)) = (vpc(group), vpc(other)) else { return false };
        let is_flat = |id| self.vpcs.get(&id).is_some_and(|vpc| vpc.vni.is_none());
        one == two || (is_flat(one) && is_flat(two)) || self.peers_of(one).any(|(_, peer)| peer == two)
    }
}
