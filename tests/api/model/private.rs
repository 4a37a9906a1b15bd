//! Private addresses of interfaces, by EC2's reference: AssignPrivateIpAddresses, UnassignPrivateIpAddresses, and what
//! CreateNetworkInterface says of them.

use super::call::{COMBINATION, Call, Faults, MISSING, Params, VALUE};
use super::instances::{NO_ROOM, limits};
use super::interfaces::TOO_MANY;
use super::tree::{Tree, leaf, list};
use super::world::*;

/// What a request wants of a new interface's addresses.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub primary: Option<String>,
    pub secondary: Vec<String>,
    pub count: i64,
}

impl Asked {
    /// "You can specify multiple private IPv4 addresses. Only one can be designated as primary"; "you can't specify this
    /// option and specify more than one private IP address using privateIpAddresses".
    pub fn read(params: &Params, faults: &mut Faults) -> Self {
        let alone = params.one("PrivateIpAddress").map(str::to_owned);
        let listed = params.structures("PrivateIpAddresses");
        let ip = |one: &Params| one.one("PrivateIpAddress").map(str::to_owned);
        let single = listed.len() == 1 && (alone.is_none() || alone == ip(&listed[0]));
        let is_primary = |one: &Params| one.flag("Primary").unwrap_or(single);
        faults.add_if(listed.iter().any(|one| ip(one).is_none()), MISSING);
        let chosen: Vec<_> = listed.iter().filter(|one| is_primary(one)).filter_map(ip).collect();
        let secondary: Vec<_> = listed.iter().filter(|one| !is_primary(one)).filter_map(ip).collect();
        let differs = alone.is_some() && chosen.iter().any(|one| Some(one) != alone.as_ref());
        faults.add_if(chosen.len() > 1 || differs, COMBINATION);
        let count = params.number("SecondaryPrivateIpAddressCount").unwrap_or(0);
        faults.add_if(count > 0 && !secondary.is_empty(), COMBINATION);
        Self { primary: chosen.into_iter().next().or(alone), secondary, count }
    }

    fn named(&self) -> Vec<&String> {
        self.primary.iter().chain(&self.secondary).collect()
    }

    pub fn count_all(&self) -> usize {
        1 + self.secondary.len().max(usize::try_from(self.count).unwrap())
    }

    /// Whether it takes more than there are, besides those that it names.
    pub fn is_more_than(&self, fresh: i64) -> bool {
        i64::try_from(self.named().len()).unwrap() + self.count + i64::from(self.primary.is_none()) > fresh
    }

    /// Each address that is named has to be free, and for one.
    pub fn check(&self, world: &World, subnet: &Subnet, faults: &mut Faults) {
        let named = self.named();
        for (at, one) in named.iter().enumerate() {
            faults.note(world.may_have(subnet, one));
            faults.add_if(named[..at].contains(one), "InvalidIPAddress.InUse");
        }
    }

    /// The primary and secondary addresses that an answer tells, if they are what was asked for.
    pub fn take(&self, world: &mut World, subnet: &Subnet, told: &Tree) -> (String, Vec<String>) {
        let all = told.all("privateIpAddressesSet/privateIpAddress");
        let ip = world.take(subnet, self.primary.as_deref(), told.at("privateIpAddress").into());
        let mut more = Vec::new();
        for one in &self.secondary {
            more.push(world.take(subnet, Some(one), one.clone()));
        }
        let rest: Vec<String> = all.into_iter().filter(|one| *one != ip && !more.contains(one)).collect();
        for at in 0..usize::try_from(self.count).unwrap() {
            let told = rest.get(at).cloned().unwrap_or_default();
            more.push(world.take(subnet, None, told));
        }
        (ip, more)
    }
}

/// How many private addresses an interface has at most: 50, or what the type of its instance gives.
fn most(world: &World, one: &Interface) -> usize {
    world.holder(one).map_or(50, |instance| limits(&instance.kind).1)
}

pub fn assign(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let params = &call.params;
    let mut faults = Faults::default();
    let at = faults.note(world.free_interface(call));
    let listed = params.list("PrivateIpAddress");
    let count = params.number("SecondaryPrivateIpAddressCount").unwrap_or(0);
    faults.add_if(listed.is_empty() && count == 0, MISSING);
    faults.add_if(!listed.is_empty() && count > 0, COMBINATION);
    let Some(at) = at else { return Err(faults) };
    let one = world.interfaces[at].clone();
    let subnet = world.subnet(&one.subnet).clone();
    faults.add_if(listed.contains(&one.ip), VALUE);
    let new: Vec<String> =
        listed.iter().filter(|ip| **ip != one.ip && !one.more.contains(ip)).cloned().collect();
    let total = one.ips().count() + new.len() + usize::try_from(count).unwrap();
    faults.add_if(total > most(world, &one), TOO_MANY);
    // "Indicates whether to allow an IP address that is already assigned to another network interface [...] to be
    // reassigned."
    let moves = params.flag("AllowReassignment") == Some(true);
    let mut from: Vec<(String, usize)> = Vec::new();
    for ip in &new {
        let has = |other: &Interface| other.subnet == subnet.id && other.ips().any(|own| own == ip);
        match world.interfaces.iter().position(has).filter(|_| moves) {
            Some(other) => {
                faults.add_if(world.interfaces[other].ip == *ip, VALUE);
                from.push((ip.clone(), other));
            }
            None => drop(faults.note(world.may_have(&subnet, ip))),
        }
    }
    let wanted = i64::try_from(new.len() - from.len()).unwrap() + count;
    let told = reply.at("Errors/Error/Code");
    faults.add_if(wanted > world.fresh_in(&subnet) && told == NO_ROOM, NO_ROOM);
    faults.done()?;
    for (ip, other) in &from {
        world.interfaces[*other].more.retain(|own| own != ip);
        let (old, id) = (world.interfaces[*other].id.clone(), one.id.clone());
        // "Any Elastic IP address that is associated with the IP address is also moved."
        let led = world.addresses.iter_mut().filter_map(|address| address.association.as_mut());
        led.filter(|(_, to, there)| *to == old && there == ip).for_each(|(_, to, _)| *to = id.clone());
    }
    let mut assigned = Vec::new();
    for ip in &new {
        let is_moved = from.iter().any(|(moved, _)| moved == ip);
        assigned.push(if is_moved { ip.clone() } else { world.take(&subnet, Some(ip), ip.clone()) });
    }
    let told = reply.all("assignedPrivateIpAddressesSet/privateIpAddress");
    for at in 0..usize::try_from(count).unwrap() {
        assigned.push(world.take(&subnet, None, told.get(at).cloned().unwrap_or_default()));
    }
    world.interfaces[at].more.extend(assigned.clone());
    let told = if listed.is_empty() { assigned } else { listed };
    let told = told.iter().map(|ip| vec![leaf("privateIpAddress", ip)]).collect();
    Ok(vec![
        leaf("return", true),
        leaf("networkInterfaceId", &one.id),
        list("assignedPrivateIpAddressesSet", told),
    ])
}

pub fn unassign(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let at = faults.note(world.free_interface(call));
    let listed = call.params.list("PrivateIpAddress");
    faults.add_if(listed.is_empty(), MISSING);
    let Some(at) = at else { return Err(faults) };
    // Its primary address stays.
    let other = listed.iter().any(|ip| !world.interfaces[at].more.contains(ip));
    faults.add_if(other, VALUE);
    faults.done()?;
    let id = world.interfaces[at].id.clone();
    world.interfaces[at].more.retain(|ip| !listed.contains(ip));
    world.free_at(&id, |ip| listed.iter().any(|gone| gone == ip));
    Ok(vec![leaf("return", true)])
}
