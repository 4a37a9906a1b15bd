//! Rules of groups that name a group of another VPC.

use super::*;

/// Over which connection a rule names a group of another VPC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Over {
    /// The VPC of the group that is named; `None`: it is deleted.
    pub vpc: Option<VpcId>,
    /// `None`: it is forgotten.
    pub peering: Option<VpcPeeringConnectionId>,
    /// EC2's word for whether it joins the two.
    pub status: &'static str,
}

impl Over {
    /// Whether the rule means nobody.
    pub fn is_stale(&self) -> bool {
        self.vpc.is_none() || self.status != PeeringState::Active.name()
    }
}

/// `None` for a rule within one VPC, or between groups of the flat networks.
pub fn over(world: &World, of: GroupId, named: GroupId) -> Option<Over> {
    let own = world.groups.get(&of)?.vpc;
    let Some(other) = world.groups.get(&named) else {
        return Some(Over { vpc: None, peering: None, status: PeeringState::Deleted.name() });
    };
    let between =
        || world.peerings_of(own).filter(|row| row.peer_of(own).is_some_and(|end| end.vpc == other.vpc));
    if let Some(row) = between().find(|row| row.state == PeeringState::Active).filter(|_| other.vpc != own) {
        return Some(Over { vpc: Some(other.vpc), peering: Some(row.id), status: row.state.name() });
    }
    if world.may_name(of, named) {
        return None;
    }
    let last = between().filter(|row| row.state == PeeringState::Deleted).max_by_key(|row| row.ended);
    let (peering, status) = (last.map(|row| row.id), PeeringState::Deleted.name());
    Some(Over { vpc: Some(other.vpc), peering, status })
}
