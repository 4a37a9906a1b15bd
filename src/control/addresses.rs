//! Elastic IP addresses: allocate, associate, disassociate, release, describe.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::allocate::{self, Unavailable};
use super::{Decision, View, address_transfers, filter, internet_gateways, nat_gateways, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::{AllocationId, AssociationId, EniId, InstanceId, ResourceId};
use crate::world::{Address, Association, Eni, InstanceState, Key, Space, World};

pub fn allocate_address(
    decision: &mut Decision,
    request: &AllocateAddressRequest,
) -> Result<AllocateAddressResponse, Fault> {
    if request.domain.as_deref() == Some("standard") {
        return Err(FaultCode::InvalidParameterValue
            .with("Addresses belong to a VPC here: leave Domain out, or give vpc"));
    }
    let tags = tags::at_creation(&request.tag_specifications, &["elastic-ip"], "elastic-ip")?;
    within_quota(&decision.view())?;
    let named = request.public_ipv4_pool.as_deref();
    let pool = match (request.address, named) {
        (Some(address), None) => {
            decision.world.pools.values().find(|pool| pool.range.contains(address)).cloned()
        }
        _ => allocate::pool(&decision.world, named),
    };
    let pool = pool.ok_or_else(|| match (named, request.address) {
        (Some(named), _) => {
            FaultCode::InvalidPoolIDNotFound.with(format!("The pool ID '{named}' does not exist."))
        }
        (None, Some(address)) => not_to_be_had(address),
        (None, None) => FaultCode::InsufficientAddressCapacity
            .with("There is no pool of addresses: the operator makes one with `fogbank pool add`"),
    })?;
    let public_ip =
        decision.take_public(pool.id, request.address).map_err(|why| match (why, request.address) {
            (Unavailable::Taken | Unavailable::Outside, Some(address)) => not_to_be_had(address),
            _ => FaultCode::InsufficientAddressCapacity.with(format!(
                "The pool {} has no address left: release one, or use another pool",
                pool.name
            )),
        })?;
    let id = decision.env.id(AllocationId::from_random);
    let (owner, allocated) = (decision.caller.owner.clone(), decision.env.now);
    let (association, transit, domain_name, automatic) = (None, None, None, false);
    decision.put(Address {
        id,
        owner,
        public_ip,
        pool: pool.id,
        association,
        transit,
        domain_name,
        automatic,
        allocated,
    });
    decision.tag(ResourceId::Address(id), &tags)?;
    Ok(AllocateAddressResponse {
        public_ip,
        allocation_id: id,
        public_ipv4_pool: pool.name.to_string(),
        network_border_group: decision.caller.owner.region.to_string(),
        domain: "vpc".into(),
    })
}

fn not_to_be_had(address: Ipv4Addr) -> Fault {
    FaultCode::InvalidAddressNotFound.with(format!("Address '{address}' not available."))
}

/// The caller's address by allocation id or by public address; exactly one of the two is given. One that came by itself is
/// nobody's.
pub fn find(
    view: &View,
    id: Option<AllocationId>,
    public_ip: Option<Ipv4Addr>,
) -> Result<Arc<Address>, Fault> {
    let own = |row: &&Arc<Address>| row.owner == view.caller.owner && !row.automatic;
    let of_caller = |id: &AllocationId| view.world.addresses.get(id).filter(own);
    match (id, public_ip) {
        (Some(id), None) => of_caller(&id).cloned().ok_or_else(|| no_allocation(id)),
        (None, Some(ip)) => {
            let id = view.world.index.address_by_public_ip.get(&ip);
            id.and_then(of_caller).cloned().ok_or_else(|| no_address(ip))
        }
        (None, None) => {
            Err(FaultCode::MissingParameter.with("Either AllocationId or PublicIp must be specified"))
        }
        (Some(_), Some(_)) => Err(FaultCode::InvalidParameterCombination
            .with("You may specify public IP or allocation id, but not both in the same call")),
    }
}

fn no_allocation(id: AllocationId) -> Fault {
    FaultCode::InvalidAllocationIDNotFound.with(format!("The allocation ID '{id}' does not exist"))
}

pub fn no_address(ip: Ipv4Addr) -> Fault {
    FaultCode::InvalidAddressNotFound.with(format!("Address '{ip}' not found."))
}

/// The interface, and which of its private addresses, that an association is to lead to.
fn target(view: &View, request: &AssociateAddressRequest) -> Result<(Arc<Eni>, Ipv4Addr), Fault> {
    let of_caller = |eni: &&Arc<Eni>| eni.owner == view.caller.owner;
    let eni = match (request.instance_id, request.network_interface_id) {
        (Some(id), None) => {
            let instance = view.world.instances.get(&id).filter(|row| row.owner == view.caller.owner);
            instance.ok_or_else(|| {
                FaultCode::InvalidInstanceIDNotFound.with(format!("The instance ID '{id}' does not exist"))
            })?;
            only_eni(view.world, id)?
        }
        (None, Some(id)) => view.world.enis.get(&id).filter(of_caller).cloned().ok_or_else(|| {
            FaultCode::InvalidNetworkInterfaceIDNotFound
                .with(format!("The networkInterface ID '{id}' does not exist"))
        })?,
        (None, None) => {
            return Err(
                FaultCode::MissingParameter.with("Either InstanceId or NetworkInterfaceId must be specified")
            );
        }
        (Some(_), Some(_)) => {
            return Err(FaultCode::InvalidParameterCombination
                .with("You may specify InstanceId or NetworkInterfaceId, but not both in the same call"));
        }
    };
    may_lead_to(view.world, &eni)?;
    nat_gateways::is_not_managed(view.world, eni.id)?;
    let ip = request.private_ip_address.unwrap_or(eni.private_ip);
    if eni.private_ips().all(|own| own != ip) {
        return Err(FaultCode::InvalidParameterValue
            .with(format!("Private IP address {ip} is not assigned to {}", eni.id)));
    }
    Ok((eni, ip))
}

/// Nothing leads to an instance that is going away, whichever way it is named.
fn may_lead_to(world: &World, eni: &Eni) -> Result<(), Fault> {
    use InstanceState::{Pending, Running, Stopped, Stopping};
    let instance = eni.attachment.and_then(|attachment| world.instances.get(&attachment.instance));
    match instance.filter(|row| !matches!(row.state, Pending | Running | Stopping | Stopped)) {
        Some(going) => Err(FaultCode::InvalidInstanceID.with(format!(
            "The instance '{}' is not in a valid state for this operation: it is {}",
            going.id,
            going.state.name()
        ))),
        None => Ok(()),
    }
}

/// The one interface of an instance: where there are several, EC2 wants it named.
fn only_eni(world: &World, instance: InstanceId) -> Result<Arc<Eni>, Fault> {
    let mut interfaces = world.interfaces_of(instance);
    if interfaces.len() > 1 {
        return Err(FaultCode::InvalidInstanceID.with(format!(
            "There are multiple interfaces attached to instance '{instance}'. Please specify an interface ID for the \
             operation instead."
        )));
    }
    interfaces.pop().ok_or_else(|| {
        FaultCode::InvalidInstanceID.with(format!("The instance '{instance}' has no network interface"))
    })
}

pub fn associate_address(
    decision: &mut Decision,
    request: &AssociateAddressRequest,
) -> Result<AssociateAddressResponse, Fault> {
    let view = decision.view();
    let address = find(&view, request.allocation_id, request.public_ip)?;
    let (eni, private_ip) = target(&view, request)?;
    is_not_managed(view.world, &address)?;
    if let Some(old) = address.association {
        if (old.eni, old.private_ip) == (eni.id, private_ip) {
            return Ok(AssociateAddressResponse { result: true, association_id: old.id });
        }
        // By public address alone, as in EC2-Classic, an address moves unless told otherwise.
        if !request.allow_reassociation.unwrap_or(request.allocation_id.is_none()) {
            return Err(FaultCode::ResourceAlreadyAssociated.with(format!(
                "resource {} is already associated with associate-id {}",
                address.id, old.id
            )));
        }
    }
    internet_gateways::is_public(view.world, eni.vpc)?;
    // An interface's private address has one public address; the new one takes the old one's place.
    for other in at(&decision.world, eni.id, private_ip) {
        if !other.automatic && request.allow_reassociation == Some(false) {
            let id = other.association.map(|association| association.id.to_string()).unwrap_or_default();
            return Err(FaultCode::ResourceAlreadyAssociated
                .with(format!("resource {} is already associated with associate-id {id}", eni.id)));
        }
        decision.put(Address { association: None, ..(*other).clone() });
    }
    let id = decision.env.id(AssociationId::from_random);
    let association = Some(Association { id, eni: eni.id, private_ip });
    decision.put(Address { association, ..(*address).clone() });
    Ok(AssociateAddressResponse { result: true, association_id: id })
}

/// # Errors
/// The address is a NAT gateway's: it leads there until that is deleted.
fn is_not_managed(world: &World, address: &Address) -> Result<(), Fault> {
    address.association.map_or(Ok(()), |to| nat_gateways::is_not_managed(world, to.eni))
}

/// The public addresses that lead to a private address of an interface.
pub fn at(world: &World, eni: EniId, private_ip: Ipv4Addr) -> Vec<Arc<Address>> {
    let leads = |row: &&Arc<Address>| row.association.is_some_and(|to| to.private_ip == private_ip);
    world.addresses_of(eni).filter(leads).cloned().collect()
}

pub fn disassociate_address(
    decision: &mut Decision,
    request: &DisassociateAddressRequest,
) -> Result<DisassociateAddressResponse, Fault> {
    let view = decision.view();
    let address = match (request.association_id, request.public_ip) {
        (Some(id), None) => {
            let address = view.world.index.address_by_association.get(&id);
            let address = address.and_then(|id| find(&view, Some(*id), None).ok());
            address.ok_or_else(|| {
                FaultCode::InvalidAssociationIDNotFound
                    .with(format!("The association ID '{id}' does not exist"))
            })?
        }
        (None, Some(ip)) => find(&view, None, Some(ip))?,
        (None, None) => {
            return Err(
                FaultCode::MissingParameter.with("Either AssociationId or PublicIp must be specified")
            );
        }
        (Some(_), Some(_)) => {
            return Err(FaultCode::InvalidParameterCombination
                .with("You may specify public IP or association id, but not both in the same call"));
        }
    };
    is_not_managed(view.world, &address)?;
    if address.association.is_none() {
        let ip = address.public_ip;
        return Err(FaultCode::InvalidAssociationIDNotFound
            .with(format!("The address {ip} is not associated: there is nothing to disassociate")));
    }
    decision.put(Address { association: None, ..(*address).clone() });
    Ok(DisassociateAddressResponse { result: true })
}

pub fn release_address(
    decision: &mut Decision,
    request: &ReleaseAddressRequest,
) -> Result<ReleaseAddressResponse, Fault> {
    let address = find(&decision.view(), request.allocation_id, request.public_ip)?;
    is_not_managed(&decision.world, &address)?;
    if address.association.is_some() {
        return Err(FaultCode::InvalidIPAddressInUse
            .with(format!("Address {} is in use: disassociate it first.", address.public_ip)));
    }
    if address.domain_name.is_some() {
        return Err(FaultCode::InvalidAddressPtrSet
            .with(format!("Address {} has a reverse DNS record: reset it first.", address.public_ip)));
    }
    withdraw(decision, &address);
    decision.untag_all(ResourceId::Address(address.id));
    decision.delete(Key::Address(address.id));
    decision.give_back(Space::Pool(address.pool), address.public_ip);
    Ok(ReleaseAddressResponse { result: true })
}

/// Ends the offer of an address to another account, if there is one.
pub fn withdraw(decision: &mut Decision, address: &Address) {
    let offered = address_transfers::pending(&decision.world, address, decision.env.now).is_some();
    if offered {
        decision.delete(Key::AddressTransfer((address.owner.clone(), address.id)));
    }
}

/// # Errors
/// The caller has as many addresses as it may have.
pub fn within_quota(view: &View) -> Result<(), Fault> {
    let has = view.world.index.elastic_addresses.get(&view.caller.owner).copied().unwrap_or_default();
    match has < view.caller.quotas.elastic_addresses {
        true => Ok(()),
        false => {
            Err(FaultCode::AddressLimitExceeded.with("The maximum number of addresses has been reached."))
        }
    }
}

/// The caller's elastic addresses, by allocation id.
pub fn of_caller<'w>(view: &View<'w>) -> impl Iterator<Item = &'w Arc<Address>> {
    let (owner, world) = (view.caller.owner.clone(), view.world);
    let first = (owner.clone(), AllocationId::from_random(0));
    let owned = world.index.addresses_by_owner.range(first..).take_while(move |(of, _)| *of == owner);
    owned.filter_map(|(_, id)| world.addresses.get(id)).filter(|row| !row.automatic)
}

pub fn describe_addresses(
    view: &View,
    request: &DescribeAddressesRequest,
) -> Result<DescribeAddressesResponse, Fault> {
    for id in &request.allocation_ids {
        find(view, Some(*id), None)?;
    }
    for ip in &request.public_ips {
        find(view, None, Some(*ip))?;
    }
    let named = |address: &Address| {
        (request.allocation_ids.is_empty() || request.allocation_ids.contains(&address.id))
            && (request.public_ips.is_empty() || request.public_ips.contains(&address.public_ip))
    };
    let addresses = of_caller(view)
        .filter(|address| named(address))
        .map(|address| describe(view, address))
        .filter(|address| matches(view, address, &request.filters))
        .collect();
    Ok(DescribeAddressesResponse { addresses })
}

fn describe(view: &View, address: &Address) -> output::Address {
    let eni = address.association.and_then(|association| view.world.enis.get(&association.eni));
    output::Address {
        instance_id: eni.and_then(|eni| eni.attachment).map(|attachment| attachment.instance),
        public_ip: address.public_ip,
        allocation_id: address.id,
        association_id: address.association.map(|association| association.id),
        domain: "vpc".into(),
        network_interface_id: eni.map(|eni| eni.id),
        network_interface_owner_id: eni.map(|eni| eni.owner.account),
        private_ip_address: address.association.map(|association| association.private_ip),
        tags: tags::set_of(view.world, ResourceId::Address(address.id)),
        public_ipv4_pool: view
            .world
            .pools
            .get(&address.pool)
            .map(|pool| pool.name.to_string())
            .unwrap_or_default(),
        network_border_group: address.owner.region.to_string(),
    }
}

fn matches(view: &View, address: &output::Address, filters: &[Filter]) -> bool {
    let text = |value: Option<String>| value.into_iter().collect::<Vec<_>>();
    filter::matches(
        view.world,
        Some(ResourceId::Address(address.allocation_id)),
        filters,
        |name| match name {
            "allocation-id" => vec![address.allocation_id.to_string()],
            "association-id" => text(address.association_id.map(|id| id.to_string())),
            "domain" => vec![address.domain.clone()],
            "instance-id" => text(address.instance_id.map(|id| id.to_string())),
            "network-border-group" => vec![address.network_border_group.clone()],
            "network-interface-id" => text(address.network_interface_id.map(|id| id.to_string())),
            "network-interface-owner-id" => text(address.network_interface_owner_id.map(|id| id.to_string())),
            "private-ip-address" => text(address.private_ip_address.map(|ip| ip.to_string())),
            "public-ip" => vec![address.public_ip.to_string()],
            _ => Vec::new(),
        },
    )
}
