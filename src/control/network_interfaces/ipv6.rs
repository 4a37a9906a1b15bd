//! The IPv6 addresses of an interface: they come and go, and none of them is a primary one.

use std::net::Ipv6Addr;
use std::sync::Arc;

use super::find_own;
use super::private::check_count;
use crate::control::Decision;
use crate::control::ipv6::Unavailable;
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::Cidr6;
use crate::world::{Eni, Subnet};

/// What a request for a new interface says of its IPv6 addresses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Asked6 {
    pub named: Vec<Ipv6Addr>,
    /// How many are to be chosen; `None`: as the subnet says.
    pub count: Option<usize>,
}

impl Asked6 {
    /// # Errors
    /// The parameters contradict each other.
    pub fn of(listed: &[input::InstanceIpv6Address], count: Option<i64>) -> Result<Self, Fault> {
        let named: Option<Vec<_>> = listed.iter().map(|one| one.ipv6_address).collect();
        let named = named.ok_or_else(|| {
            FaultCode::MissingParameter
                .with("The request must contain the parameter Ipv6Addresses.N.Ipv6Address")
        })?;
        let count = count.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        one_of_both(&named, count.unwrap_or(0))?;
        Ok(Self { named, count })
    }

    /// # Errors
    /// An interface of an instance of the type may not have so many; `None`: of whatever type.
    pub fn check(&self, instance_type: Option<&str>) -> Result<&Self, Fault> {
        check_count("IPv6", self.named.len().max(self.count.unwrap_or(0)), instance_type).map(|()| self)
    }

    /// Takes the addresses for a new interface in the subnet.
    ///
    /// # Errors
    /// One of them cannot be had.
    pub fn take(&self, decision: &mut Decision, subnet: &Subnet) -> Result<Arc<[Ipv6Addr]>, Fault> {
        let by_subnet = if self.named.is_empty() && subnet.assign_ipv6 { 1 } else { 0 };
        let count = self.count.unwrap_or(by_subnet);
        if self.named.is_empty() && count == 0 {
            return Ok(Arc::new([]));
        }
        take_all(decision, block(subnet)?, &self.named, count).map(Into::into)
    }
}

fn one_of_both(named: &[Ipv6Addr], count: usize) -> Result<(), Fault> {
    match named.is_empty() || count == 0 {
        true => Ok(()),
        false => Err(FaultCode::InvalidParameterCombination
            .with("Ipv6Addresses and Ipv6AddressCount may not be used together")),
    }
}

/// The block that the subnet's interfaces get their addresses of.
fn block(subnet: &Subnet) -> Result<Cidr6, Fault> {
    subnet.block6.map(|block| block.cidr).ok_or_else(|| {
        FaultCode::InvalidParameterValue.with(format!(
            "The subnet '{}' has no IPv6 CIDR block: give its VPC one with AssociateVpcCidrBlock, and it with \
             AssociateSubnetCidrBlock",
            subnet.id
        ))
    })
}

/// The named ones first: none of them may be chosen for another.
fn take_all(
    decision: &mut Decision,
    block: Cidr6,
    named: &[Ipv6Addr],
    count: usize,
) -> Result<Vec<Ipv6Addr>, Fault> {
    let mut taken: Vec<Ipv6Addr> = Vec::new();
    for wanted in named.iter().map(|ip| Some(*ip)).chain(std::iter::repeat_n(None, count)) {
        let got = match (decision.take_ipv6(block, wanted), wanted) {
            (Ok(ip), wanted) if taken.contains(&ip) => Err(wanted.map_or_else(|| exhausted(block), in_use)),
            (Ok(ip), _) => Ok(ip),
            (Err(Unavailable::Outside), Some(ip)) => Err(FaultCode::InvalidParameterValue
                .with(format!("Address {ip} does not fall within the subnet's IPv6 address range {block}"))),
            (Err(_), Some(ip)) => Err(in_use(ip)),
            (Err(_), None) => Err(exhausted(block)),
        };
        taken.push(got?);
    }
    Ok(taken)
}

fn in_use(ip: Ipv6Addr) -> Fault {
    FaultCode::InvalidIPAddressInUse.with(format!("Address {ip} is in use."))
}

fn exhausted(block: Cidr6) -> Fault {
    FaultCode::InsufficientFreeAddressesInSubnet.with(format!("Insufficient free IPv6 addresses in {block}"))
}

pub fn assign_ipv6_addresses(
    decision: &mut Decision,
    request: &AssignIpv6AddressesRequest,
) -> Result<AssignIpv6AddressesResponse, Fault> {
    let view = decision.view();
    let eni = find_own(&view, request.network_interface_id)?;
    let count = usize::try_from(request.ipv6_address_count.unwrap_or(0)).unwrap_or(0);
    let listed = &request.ipv6_addresses;
    if listed.is_empty() && count == 0 {
        return Err(
            FaultCode::MissingParameter.with("Either Ipv6Addresses or Ipv6AddressCount must be specified")
        );
    }
    one_of_both(listed, count)?;
    let subnet = view
        .world
        .subnets
        .get(&eni.subnet)
        .cloned()
        .ok_or_else(|| FaultCode::InternalError.with(format!("The subnet of {} is missing", eni.id)))?;
    let mut new: Vec<Ipv6Addr> = Vec::new();
    for ip in listed.iter().filter(|ip| !eni.ipv6.contains(ip)) {
        if !new.contains(ip) {
            new.push(*ip);
        }
    }
    let instance = eni.attachment.and_then(|attachment| view.world.instances.get(&attachment.instance));
    let kind = instance.map(|instance| instance.instance_type.clone());
    check_count("IPv6", eni.ipv6.len() + new.len() + count, kind.as_deref())?;
    let assigned = take_all(decision, block(&subnet)?, &new, count)?;
    let ipv6 = eni.ipv6.iter().copied().chain(assigned.iter().copied()).collect();
    decision.put(Eni { ipv6, ..(*eni).clone() });
    // Those that it had already are told, too: the request has them there.
    let assigned_ipv6_addresses = if listed.is_empty() { assigned } else { listed.clone() };
    Ok(AssignIpv6AddressesResponse { network_interface_id: eni.id, assigned_ipv6_addresses })
}

pub fn unassign_ipv6_addresses(
    decision: &mut Decision,
    request: &UnassignIpv6AddressesRequest,
) -> Result<UnassignIpv6AddressesResponse, Fault> {
    let eni = find_own(&decision.view(), request.network_interface_id)?;
    let gone = &request.ipv6_addresses;
    if gone.is_empty() {
        return Err(FaultCode::MissingParameter.with("The request must contain the parameter Ipv6Addresses"));
    }
    if gone.iter().any(|ip| !eni.ipv6.contains(ip)) {
        return Err(FaultCode::InvalidParameterValue
            .with(format!("Some of the specified addresses are not assigned to interface {}", eni.id)));
    }
    let (gone, ipv6): (Vec<_>, Vec<_>) = eni.ipv6.iter().partition(|ip| gone.contains(ip));
    decision.put(Eni { ipv6: ipv6.into(), ..(*eni).clone() });
    gone.iter().for_each(|ip| decision.give_back_ipv6(*ip));
    Ok(UnassignIpv6AddressesResponse { network_interface_id: eni.id, unassigned_ipv6_addresses: gone })
}
