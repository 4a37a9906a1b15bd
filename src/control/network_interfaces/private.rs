//! The private addresses of an interface: its primary one, and secondary ones that come and go.

use std::net::Ipv4Addr;

use super::find_own;
use crate::control::allocate::Unavailable;
use crate::control::{Decision, addresses, instances};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::EniId;
use crate::world::{Address, Association, Eni, Space, Subnet};

/// How many private addresses an interface has at most, whatever it is attached to.
const MAX_ADDRESSES: usize = 50;

/// What a request for a new interface says of its private addresses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    pub primary: Option<Ipv4Addr>,
    pub secondary: Vec<Ipv4Addr>,
    /// How many secondary ones are to be chosen.
    pub count: usize,
}

/// Private addresses that were taken from a network.
pub struct Taken {
    pub primary: Ipv4Addr,
    pub secondary: Vec<Ipv4Addr>,
}

impl Taken {
    /// The primary one first.
    pub fn all(self) -> impl Iterator<Item = Ipv4Addr> {
        std::iter::once(self.primary).chain(self.secondary)
    }
}

impl Asked {
    /// The primary address may be said in two ways, and old SDKs say it in both at once.
    ///
    /// # Errors
    /// The parameters contradict each other.
    pub fn of(
        primary: Option<Ipv4Addr>,
        listed: &[input::PrivateIpAddressSpecification],
        count: Option<i64>,
    ) -> Result<Self, Fault> {
        let conflict = |text: String| Err(FaultCode::InvalidParameterCombination.with(text));
        let mut asked = Self { primary, ..Self::default() };
        let alone = listed.len() == 1 && primary.is_none_or(|ip| listed[0].private_ip_address == Some(ip));
        let mut chosen = None;
        for one in listed {
            let Some(ip) = one.private_ip_address else {
                return Err(FaultCode::MissingParameter
                    .with("The request must contain the parameter PrivateIpAddresses.N.PrivateIpAddress"));
            };
            if one.primary != Some(true) && !(one.primary.is_none() && alone) {
                asked.secondary.push(ip);
                continue;
            }
            if chosen.replace(ip).is_some() {
                return conflict("Only one primary private IP address can be specified".into());
            }
            if primary.is_some_and(|primary| primary != ip) {
                return conflict(format!(
                    "PrivateIpAddress {} and the primary one of PrivateIpAddresses, {ip}, differ: give one of the two",
                    primary.map(|ip| ip.to_string()).unwrap_or_default()
                ));
            }
            asked.primary = Some(ip);
        }
        asked.count = usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX);
        if asked.count > 0 && !asked.secondary.is_empty() {
            return conflict(
                "SecondaryPrivateIpAddressCount and secondary PrivateIpAddresses may not be used together"
                    .into(),
            );
        }
        Ok(asked)
    }

    /// Whether addresses are named.
    pub fn names_any(&self) -> bool {
        self.primary.is_some() || !self.secondary.is_empty()
    }

    /// As it is, if an instance of the type may have so many; none: of whatever type.
    ///
    /// # Errors
    /// It may not.
    pub fn check(&self, instance_type: Option<&str>) -> Result<&Self, Fault> {
        let wanted = self.secondary.len().max(self.count).saturating_add(1);
        check_count("private", wanted, instance_type).map(|()| self)
    }

    /// Takes the addresses from the subnet's network: all of them, or none.
    ///
    /// # Errors
    /// One of them cannot be had.
    pub fn take(&self, decision: &mut Decision, subnet: &Subnet) -> Result<Taken, Fault> {
        self.try_take(decision, subnet)?.ok_or_else(|| exhausted(subnet))
    }

    /// As [`Self::take`], with `None` where the network has not so many.
    pub fn try_take(&self, decision: &mut Decision, subnet: &Subnet) -> Result<Option<Taken>, Fault> {
        let secondary = self.secondary.iter().map(|ip| Some(*ip));
        let chosen = std::iter::repeat_n(None, self.count);
        // Those that are named first: none of them may be chosen for another.
        let mut wanted: Vec<Option<Ipv4Addr>> = secondary.chain(chosen).collect();
        let at = if self.primary.is_some() { 0 } else { self.secondary.len() };
        wanted.insert(at, self.primary);
        let mut taken = Vec::new();
        for ip in wanted {
            match take(decision, subnet, ip) {
                Ok(Some(ip)) => taken.push(ip),
                other => {
                    for ip in taken {
                        decision.give_back(Space::Network(subnet.network.clone()), ip);
                    }
                    return other.map(|_| None);
                }
            }
        }
        let primary = taken.remove(at);
        Ok(Some(Taken { primary, secondary: taken }))
    }
}

/// Takes the wanted address or the next one; `None` when there is none.
fn take(decision: &mut Decision, subnet: &Subnet, ip: Option<Ipv4Addr>) -> Result<Option<Ipv4Addr>, Fault> {
    match (decision.take_private(&subnet.network, ip), ip) {
        (Ok(ip), _) => Ok(Some(ip)),
        (Err(Unavailable::Outside), Some(ip)) => Err(FaultCode::InvalidParameterValue.with(format!(
            "Address {ip} does not fall within the subnet's address range: instances in {} get theirs from the range of \
             network {}",
            subnet.id, subnet.network
        ))),
        (Err(_), Some(ip)) => Err(in_use(ip)),
        (Err(_), None) => Ok(None),
    }
}

fn in_use(ip: Ipv4Addr) -> Fault {
    FaultCode::InvalidIPAddressInUse.with(format!("Address {ip} is in use."))
}

fn exhausted(subnet: &Subnet) -> Fault {
    FaultCode::InsufficientFreeAddressesInSubnet
        .with(format!("Insufficient free private IP addresses in subnet {}", subnet.id))
}

/// # Errors
/// An interface of an instance of this type may not have so many addresses of this `kind`, private or IPv6.
pub fn check_count(kind: &str, wanted: usize, instance_type: Option<&str>) -> Result<(), Fault> {
    let most = instance_type.map_or(MAX_ADDRESSES, |name| instances::interface_limits(name).1);
    if wanted <= most {
        return Ok(());
    }
    let of = instance_type.map_or(String::new(), |name| format!(" of an instance of type {name}"));
    Err(FaultCode::PrivateIpAddressLimitExceeded
        .with(format!("Number of {kind} addresses will exceed limit. An interface{of} has at most {most}")))
}

pub fn assign_private_ip_addresses(
    decision: &mut Decision,
    request: &AssignPrivateIpAddressesRequest,
) -> Result<AssignPrivateIpAddressesResponse, Fault> {
    let view = decision.view();
    let eni = find_own(&view, request.network_interface_id)?;
    let count = usize::try_from(request.secondary_private_ip_address_count.unwrap_or(0)).unwrap_or(0);
    let listed = &request.private_ip_addresses;
    match (listed.is_empty(), count) {
        (true, 0) => {
            return Err(FaultCode::MissingParameter
                .with("Either PrivateIpAddress or SecondaryPrivateIpAddressCount must be specified"));
        }
        (false, 1..) => {
            return Err(FaultCode::InvalidParameterCombination
                .with("PrivateIpAddress and SecondaryPrivateIpAddressCount may not be used together"));
        }
        _ => {}
    }
    let subnet = view.world.subnets.get(&eni.subnet).cloned();
    let subnet = subnet.ok_or_else(|| {
        FaultCode::InvalidSubnetIDNotFound.with(format!("The subnet ID '{}' does not exist", eni.subnet))
    })?;
    let mut new: Vec<Ipv4Addr> = Vec::new();
    for ip in listed {
        if *ip == eni.private_ip {
            return Err(primary(*ip));
        }
        if !eni.secondary_ips.contains(ip) && !new.contains(ip) {
            new.push(*ip);
        }
    }
    let instance = eni.attachment.and_then(|attachment| view.world.instances.get(&attachment.instance));
    let kind = instance.map(|instance| instance.instance_type.clone());
    check_count("private", eni.private_ips().count() + new.len() + count, kind.as_deref())?;
    let moved = match request.allow_reassignment {
        Some(true) => move_here(decision, &eni, &new)?,
        _ => Vec::new(),
    };
    let mut assigned = Vec::new();
    let choose = std::iter::repeat_n(None, count);
    for ip in new.iter().map(|ip| Some(*ip)).chain(choose) {
        match ip.filter(|ip| moved.iter().any(|(moved, _)| moved == ip)) {
            Some(ip) => assigned.push(ip),
            None => assigned.push(take(decision, &subnet, ip)?.ok_or_else(|| exhausted(&subnet))?),
        }
    }
    let secondary_ips = eni.secondary_ips.iter().copied().chain(assigned.iter().copied()).collect();
    decision.put(Eni { secondary_ips, ..(*eni).clone() });
    lead_to(decision, eni.id, &moved);
    // Those that it had already are told, too: the request has them there.
    let told = if listed.is_empty() { assigned } else { listed.clone() };
    Ok(AssignPrivateIpAddressesResponse {
        result: true,
        network_interface_id: eni.id,
        assigned_private_ip_addresses: told
            .into_iter()
            .map(|private_ip_address| output::AssignedPrivateIpAddress { private_ip_address })
            .collect(),
    })
}

fn primary(ip: Ipv4Addr) -> Fault {
    FaultCode::InvalidParameterValue
        .with(format!("Address {ip} is a primary private IP address: it stays where it is"))
}

/// Takes secondary addresses from other interfaces of the caller's in the same network; which ones, from where.
fn move_here(
    decision: &mut Decision,
    to: &Eni,
    wanted: &[Ipv4Addr],
) -> Result<Vec<(Ipv4Addr, EniId)>, Fault> {
    let mut moved = Vec::new();
    for ip in wanted {
        let holder = decision.world.index.eni_by_private_ip.get(&(to.network.clone(), *ip));
        let Some(holder) = holder.and_then(|id| decision.world.enis.get(id)).cloned() else { continue };
        // Another account's is in use, and no more is said of it.
        if holder.owner != to.owner || holder.subnet != to.subnet {
            return Err(in_use(*ip));
        }
        if holder.private_ip == *ip {
            return Err(primary(*ip));
        }
        let secondary_ips = holder.secondary_ips.iter().copied().filter(|other| other != ip).collect();
        decision.put(Eni { secondary_ips, ..(*holder).clone() });
        moved.push((*ip, holder.id));
    }
    Ok(moved)
}

/// "When you move a secondary private IP address to another network interface, any Elastic IP address that is associated
/// with the IP address is also moved" (API_AssignPrivateIpAddresses).
fn lead_to(decision: &mut Decision, eni: EniId, moved: &[(Ipv4Addr, EniId)]) {
    for (ip, from) in moved {
        for row in addresses::at(&decision.world, *from, *ip) {
            let association = row.association.map(|old| Association { eni, ..old });
            decision.put(Address { association, ..(*row).clone() });
        }
    }
}

pub fn unassign_private_ip_addresses(
    decision: &mut Decision,
    request: &UnassignPrivateIpAddressesRequest,
) -> Result<UnassignPrivateIpAddressesResponse, Fault> {
    let eni = find_own(&decision.view(), request.network_interface_id)?;
    let gone = &request.private_ip_addresses;
    if gone.is_empty() {
        return Err(
            FaultCode::MissingParameter.with("The request must contain the parameter PrivateIpAddress")
        );
    }
    if let Some(ip) = gone.iter().find(|ip| **ip == eni.private_ip) {
        return Err(primary(*ip));
    }
    if gone.iter().any(|ip| !eni.secondary_ips.contains(ip)) {
        return Err(FaultCode::InvalidParameterValue
            .with(format!("Some of the specified addresses are not assigned to interface {}", eni.id)));
    }
    for ip in gone {
        for row in addresses::at(&decision.world, eni.id, *ip) {
            decision.put(Address { association: None, ..(*row).clone() });
        }
    }
    let (gone, secondary_ips): (Vec<_>, Vec<_>) = eni.secondary_ips.iter().partition(|ip| gone.contains(ip));
    decision.put(Eni { secondary_ips: secondary_ips.into(), ..(*eni).clone() });
    for ip in gone {
        decision.give_back(Space::Network(eni.network.clone()), ip);
    }
    Ok(UnassignPrivateIpAddressesResponse { result: true })
}
