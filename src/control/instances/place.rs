//! Where a new instance goes: a subnet, and with its zone a host.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{Decision, View, defaults};
use super::options::Options;
use crate::query::{Fault, FaultCode};
use crate::world::{InstanceState, Subnet};

/// A host that was silent for longer is chosen only when all are.
const SILENT_SECONDS: i64 = 60;

/// The subnets that a launch may use, in the order of use, all in one zone.
///
/// # Errors
/// The subnet, the zone, or any subnet at all is missing.
pub fn subnets(view: &View, options: &Options) -> Result<Vec<Arc<Subnet>>, Fault> {
    let world = view.world;
    if let Some(id) = options.interface.subnet {
        let subnet = world.subnets.get(&id).filter(|subnet| subnet.owner == view.caller.owner);
        let subnet = subnet.ok_or_else(|| {
            FaultCode::InvalidSubnetIDNotFound.with(format!("The subnet ID '{id}' does not exist"))
        })?;
        return match &options.zone {
            Some(zone) if **zone != *subnet.zone => Err(FaultCode::InvalidParameterValue.with(format!(
                "The availability zone {zone} is not that of subnet {id}, which is {}",
                subnet.zone
            ))),
            _ => Ok(vec![subnet.clone()]),
        };
    }
    let vpc = defaults::vpc(world, &view.caller.owner).map(|vpc| vpc.id);
    let mut subnets: Vec<_> =
        vpc.into_iter().flat_map(|vpc| defaults::subnets_of(world, vpc)).cloned().collect();
    if let Some(zone) = &options.zone {
        subnets.retain(|subnet| *subnet.zone == **zone);
        if subnets.is_empty() {
            return Err(FaultCode::InvalidParameterValue.with(format!("Invalid availability zone: [{zone}]")));
        }
    }
    let zone = subnets
        .iter()
        .map(|subnet| &subnet.zone)
        .min_by_key(|zone| (Hosts::of(view, zone).least(), (*zone).clone()))
        .cloned()
        .ok_or_else(|| {
            FaultCode::MissingInput
                .with("There is no network: the operator makes one with `fogbank network add`")
        })?;
    subnets.retain(|subnet| subnet.zone == zone);
    subnets.sort_by(|a, b| (a.created, &a.network).cmp(&(b.created, &b.network)));
    Ok(subnets)
}

/// A host's rank: live before silent, then the one with the fewest instances.
type Rank = (bool, usize, Arc<str>);

/// The hosts of a zone with their instances counted.
pub struct Hosts(BTreeMap<Arc<str>, Rank>);

impl Hosts {
    pub fn of(view: &View, zone: &str) -> Self {
        let in_zone = view.world.hosts.values().filter(|host| *host.zone == *zone);
        let rank = |name: &Arc<str>| {
            let seen = view.status.hosts.get(name).map(|host| host.last_seen);
            let silent = seen.is_none_or(|seen| seen.plus_seconds(SILENT_SECONDS) < view.now);
            let count =
                view.world.instances_on(name).filter(|row| row.state != InstanceState::Terminated).count();
            (silent, count, name.clone())
        };
        Self(in_zone.map(|host| (host.name.clone(), rank(&host.name))).collect())
    }

    /// The rank of the best host; no host ranks last.
    fn least(&self) -> (bool, Option<Rank>) {
        let least = self.0.values().min().cloned();
        (least.is_none(), least)
    }

    /// The host for one more instance, which is counted.
    pub fn take(&mut self) -> Option<Arc<str>> {
        let name = self.0.values().min()?.2.clone();
        self.0.get_mut(&name)?.1 += 1;
        Some(name)
    }
}

/// No host is in the zone.
pub fn no_capacity(zone: &str) -> Fault {
    FaultCode::InsufficientInstanceCapacity.with(format!(
        "We currently do not have sufficient capacity in the Availability Zone you requested ({zone}): it has no \
         compute host"
    ))
}

/// The default VPC of the caller, made if this is its first use.
pub fn prepare(decision: &mut Decision) {
    let owner = decision.caller.owner.clone();
    defaults::ensure(decision, &owner);
}
