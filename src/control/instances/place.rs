//! Where a new instance goes: a subnet, and with its zone a host.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{Decision, View, defaults};
use super::kinds;
use super::options::Options;
use crate::control::groups;
use crate::query::{Fault, FaultCode};
use crate::types::SubnetId;
use crate::world::{Condition, Host, InstanceState, Subnet};

/// A host that was silent for longer is chosen only when all are.
const SILENT_SECONDS: i64 = 60;

/// The subnets that a launch may use, in the order of use, all in one zone.
///
/// # Errors
/// The subnet, the zone, or any subnet at all is missing.
pub fn subnets(view: &View, options: &Options) -> Result<Vec<Arc<Subnet>>, Fault> {
    let world = view.world;
    if let Some(id) = options.subnet() {
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
    let vpc = groups::default_vpc(view)?;
    let mut subnets: Vec<_> =
        defaults::subnets_of(world, vpc.id).filter(|subnet| subnet.is_default).cloned().collect();
    if let Some(zone) = &options.zone {
        subnets.retain(|subnet| *subnet.zone == **zone);
        if subnets.is_empty() {
            return Err(FaultCode::InvalidParameterValue.with(format!("Invalid availability zone: [{zone}]")));
        }
    }
    let zone = subnets
        .iter()
        .map(|subnet| &subnet.zone)
        .min_by_key(|zone| (Hosts::of(view, zone, options).least(), (*zone).clone()))
        .cloned()
        .ok_or_else(|| match vpc.vni {
            Some(_) => FaultCode::MissingInput
                .with(format!("No subnets found for the default VPC '{}'. Please specify a subnet.", vpc.id)),
            None => FaultCode::MissingInput
                .with("There is no network: the operator makes one with `fogbank network add`"),
        })?;
    subnets.retain(|subnet| subnet.zone == zone);
    subnets.sort_by(|a, b| (a.created, &a.network).cmp(&(b.created, &b.network)));
    Ok(subnets)
}

/// The subnet of a further interface: an instance is in one zone.
///
/// # Errors
/// It is missing, or in another zone than the first interface's.
pub fn subnet_beside(view: &View, id: SubnetId, first: &Subnet) -> Result<Arc<Subnet>, Fault> {
    let subnet = view.world.subnets.get(&id).filter(|subnet| subnet.owner == view.caller.owner);
    let subnet = subnet.ok_or_else(|| {
        FaultCode::InvalidSubnetIDNotFound.with(format!("The subnet ID '{id}' does not exist"))
    })?;
    match subnet.zone == first.zone {
        true => Ok(subnet.clone()),
        false => Err(FaultCode::InvalidParameterCombination.with(format!(
            "The network interfaces of an instance are in one availability zone: {id} is in {}, {} in {}",
            subnet.zone, first.id, first.zone
        ))),
    }
}

/// A host's rank: live before silent, then the one with the most room, then the one with the fewest
/// instances.
type Rank = (bool, u64, usize, Arc<str>);

/// The hosts of a zone that may get more instances, with what they have counted.
pub struct Hosts {
    ranks: BTreeMap<Arc<str>, (Rank, u64)>,
    /// What one more instance takes, in MiB.
    needs: u64,
}

impl Hosts {
    pub fn of(view: &View, zone: &str, options: &Options) -> Self {
        let open = |host: &&Arc<Host>| {
            host.condition == Condition::Active
                && *host.zone == *zone
                && options.host.as_ref().is_none_or(|wanted| *wanted == host.name)
        };
        let hosts = view.world.hosts.values().filter(open);
        let rank = |name: &Arc<str>| {
            let status = view.status.hosts.get(name);
            let seen = status.map(|host| host.last_seen);
            let silent = seen.is_none_or(|seen| seen.plus_seconds(SILENT_SECONDS) < view.now);
            let there = || view.world.instances_on(name).filter(|row| row.state != InstanceState::Terminated);
            let used: u64 = there().map(|row| kinds::memory_mib(&row.instance_type)).sum();
            let memory = status.map_or(0, |host| host.memory_mib);
            ((silent, share(used, memory), there().count(), name.clone()), memory)
        };
        let needs = kinds::memory_mib(&options.instance_type);
        Self { ranks: hosts.map(|host| (host.name.clone(), rank(&host.name))).collect(), needs }
    }

    /// The rank of the best host; no host ranks last.
    fn least(&self) -> (bool, Option<Rank>) {
        let least = self.ranks.values().map(|(rank, _)| rank).min().cloned();
        (least.is_none(), least)
    }

    /// The host for one more instance, which is counted.
    pub fn take(&mut self) -> Option<Arc<str>> {
        let name = self.ranks.values().map(|(rank, _)| rank).min()?.3.clone();
        let (rank, memory) = self.ranks.get_mut(&name)?;
        rank.1 += share(self.needs, *memory);
        rank.2 += 1;
        Some(name)
    }
}

/// What part of a host's memory is promised, in millionths; nothing is known of a host without any.
fn share(used_mib: u64, memory_mib: u64) -> u64 {
    (used_mib * 1_000_000).checked_div(memory_mib).unwrap_or(0)
}

/// No host is in the zone.
pub fn no_capacity(zone: &str) -> Fault {
    FaultCode::InsufficientInstanceCapacity.with(format!(
        "We currently do not have sufficient capacity in the Availability Zone you requested ({zone}): it has no \
         compute host that takes new instances"
    ))
}

/// The default VPC of the caller, made if this is its first use.
pub fn prepare(decision: &mut Decision) {
    defaults::ensure_caller(decision);
}
