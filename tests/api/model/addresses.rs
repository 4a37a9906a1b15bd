//! Elastic IP addresses, by EC2's reference: AllocateAddress, AssociateAddress, DisassociateAddress, ReleaseAddress.

use super::call::{Call, Code, Faults, VALUE};
use super::nat::MANAGED;
use super::tree::{Tree, leaf, tag_set};
use super::world::*;

const DEFAULT_POOL: usize = 0;

pub fn allocate(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let params = &call.params;
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(params, &["elastic-ip"], "elastic-ip"));
    faults.add_if(params.one("Domain") == Some("standard"), VALUE);
    let wanted = params.one("Address").and_then(ip);
    let named = params.one("PublicIpv4Pool");
    let within = |pool: &&Pool, ip: u32| pool.range.0 <= ip && ip <= pool.range.1;
    let pool = match (named, wanted) {
        (Some(name), _) => world.pools.iter().find(|pool| pool.name == name).ok_or("InvalidPoolID.NotFound"),
        (None, Some(ip)) => world.pools.iter().find(|pool| within(pool, ip)).ok_or("InvalidAddress.NotFound"),
        (None, None) => Ok(&world.pools[DEFAULT_POOL]),
    };
    if let Some(pool) = faults.note(pool) {
        let taken = |ip: u32| world.is_taken(&ip_text(ip));
        let full = (pool.range.0..=pool.range.1).all(taken);
        match wanted {
            Some(ip) => faults.add_if(!within(&pool, ip) || taken(ip), "InvalidAddress.NotFound"),
            None => faults.add_if(full, "InsufficientAddressCapacity"),
        }
    }
    let pool = pool.ok().cloned();
    faults.done()?;
    let (tags, pool) = (tags.unwrap(), pool.unwrap());
    let id = world.new_id(reply.at("allocationId"), "eipalloc");
    let told = reply.at("publicIp").to_owned();
    let taken = world.is_taken(&told);
    let fits = ip(&told).is_some_and(|ip| within(&&pool, ip) && wanted.is_none_or(|wanted| wanted == ip));
    let ip = if fits && !taken { told } else { format!("a free address of {pool:?} instead of '{told}'") };
    let answer = vec![
        leaf("publicIp", &ip),
        leaf("allocationId", &id),
        leaf("publicIpv4Pool", &pool.name),
        leaf("networkBorderGroup", REGION),
        leaf("domain", "vpc"),
    ];
    world.tag(call.who, &id, &tags);
    world.addresses.push(Address { who: call.who, id, ip, pool: pool.name, association: None, name: None });
    Ok(answer)
}

/// The caller's address, by allocation id or by itself.
fn find(world: &World, call: &Call) -> Result<usize, Code> {
    let own = |wanted: &dyn Fn(&Address) -> bool| {
        world.addresses.iter().position(|address| address.who == call.who && wanted(address))
    };
    match one_of(&call.params, "AllocationId", "PublicIp")? {
        Either::First(id) => own(&|address| address.id == id).ok_or("InvalidAllocationID.NotFound"),
        Either::Second(ip) => own(&|address| address.ip == ip).ok_or("InvalidAddress.NotFound"),
    }
}

/// The interface that is meant, by its instance or by itself, unless the instance is going away.
fn target(world: &World, call: &Call) -> Result<usize, Code> {
    match one_of(&call.params, "InstanceId", "NetworkInterfaceId")? {
        Either::First(id) => {
            let own = |one: &&Instance| one.who == call.who && one.id == id;
            let instance = world.instances.iter().find(own).ok_or("InvalidInstanceID.NotFound")?;
            if is_going(instance) {
                return Err("InvalidInstanceID");
            }
            // "[EC2-VPC] [...] if there is more than one network interface attached, the operation fails."
            match world.interfaces_of(id)[..] {
                [at] => Ok(at),
                _ => Err("InvalidInstanceID"),
            }
        }
        Either::Second(id) => {
            let own = |one: &Interface| one.who == call.who && one.id == id;
            let at = world.interfaces.iter().position(own).ok_or("InvalidNetworkInterfaceID.NotFound")?;
            let of = |one: &&Instance| {
                world.interfaces[at].attachment.as_ref().is_some_and(|to| to.instance == one.id)
            };
            if world.instances.iter().find(of).is_some_and(is_going) {
                Err("InvalidInstanceID")
            } else {
                Ok(at)
            }
        }
    }
}

const fn is_going(instance: &Instance) -> bool {
    matches!(instance.state, State::ShuttingDown | State::Terminated)
}

impl World {
    /// The first interface of an instance.
    pub fn interface_of(&self, instance: &str) -> Option<usize> {
        self.interfaces_of(instance).first().copied()
    }

    /// The interfaces that are attached to an instance, the first one first.
    pub fn interfaces_of(&self, instance: &str) -> Vec<usize> {
        let index = |at: usize| {
            self.interfaces[at].attachment.as_ref().filter(|to| to.instance == instance).map(|to| to.index)
        };
        let mut there: Vec<usize> = (0..self.interfaces.len()).filter(|at| index(*at).is_some()).collect();
        there.sort_by_key(|at| index(*at));
        there
    }

    /// The address that leads to a private address of an interface.
    pub fn address_at(&self, interface: &str, ip: &str) -> Option<&Address> {
        let leads = |(_, to, at): &(String, String, String)| to == interface && at == ip;
        self.addresses.iter().find(|one| one.association.as_ref().is_some_and(leads))
    }

    /// Ends the association of whatever leads to an interface.
    pub fn free(&mut self, interface: &str) {
        self.free_at(interface, |_| true);
    }

    /// The same of some of its private addresses.
    pub fn free_at(&mut self, interface: &str, meant: impl Fn(&str) -> bool) {
        for address in &mut self.addresses {
            if address.association.as_ref().is_some_and(|(_, to, at)| to == interface && meant(at)) {
                address.association = None;
            }
        }
    }
}

pub fn associate(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let mut faults = Faults::default();
    let address = faults.note(find(world, call));
    let target = faults.note(target(world, call));
    let nats = target.is_some_and(|at| world.nat_of(&world.interfaces[at].id).is_some());
    faults.add_if(nats || address.is_some_and(|at| world.is_nats(&world.addresses[at])), MANAGED);
    if let (Some(ip), Some(target)) = (call.params.one("PrivateIpAddress"), target) {
        faults.add_if(!world.interfaces[target].ips().any(|own| own == ip), VALUE);
    }
    let (Some(address), Some(target)) = (address, target) else { return Err(faults) };
    let target = world.interfaces[target].clone();
    let at = call.params.one("PrivateIpAddress").unwrap_or(&target.ip).to_owned();
    let to = target.id.clone();
    let asked = call.params.flag("AllowReassociation");
    // In EC2-Classic's words, by the address alone, moving is allowed unless it is refused.
    let may_move = asked.unwrap_or(call.params.one("AllocationId").is_none());
    let mut same = None;
    if let Some((id, old, there)) = &world.addresses[address].association {
        if *old == to && *there == at {
            same = Some(id.clone());
        } else {
            faults.add_if(!may_move, "Resource.AlreadyAssociated");
        }
    }
    // "You cannot associate an Elastic IP address with an interface [...] unless an internet gateway is attached to the
    // VPC."
    let vpc = world.vpc(&world.subnet(&target.subnet).vpc).unwrap();
    let has_gateway = world.gateways.iter().any(|one| one.vpc.as_ref() == Some(&vpc.id));
    faults.add_if(same.is_none() && !vpc.is_default && !has_gateway, "Gateway.NotAttached");
    let other = world.address_at(&to, &at).is_some();
    faults.add_if(same.is_none() && other && asked == Some(false), "Resource.AlreadyAssociated");
    faults.done()?;
    let id = match same {
        Some(id) => id,
        None => {
            let id = world.new_id(reply.at("associationId"), "eipassoc");
            world.free_at(&to, |there| there == at);
            world.addresses[address].association = Some((id.clone(), to, at));
            id
        }
    };
    Ok(vec![leaf("return", true), leaf("associationId", id)])
}

pub fn disassociate(world: &mut World, call: &Call) -> Outcome {
    let own = |wanted: &dyn Fn(&Address) -> bool| {
        world.addresses.iter().position(|address| address.who == call.who && wanted(address))
    };
    let address = match one_of(&call.params, "AssociationId", "PublicIp")? {
        Either::First(id) => own(&|address| address.association.as_ref().is_some_and(|(of, ..)| of == id))
            .ok_or("InvalidAssociationID.NotFound")?,
        Either::Second(ip) => own(&|address| address.ip == ip).ok_or("InvalidAddress.NotFound")?,
    };
    if world.is_nats(&world.addresses[address]) {
        return Err(MANAGED.into());
    }
    match world.addresses[address].association.take() {
        Some(_) => Ok(vec![leaf("return", true)]),
        None => Err("InvalidAssociationID.NotFound".into()),
    }
}

pub fn release(world: &mut World, call: &Call) -> Outcome {
    let at = find(world, call)?;
    let mut faults = Faults::default();
    faults.add_if(world.is_nats(&world.addresses[at]), MANAGED);
    faults.add_if(world.addresses[at].association.is_some(), "InvalidIPAddress.InUse");
    faults.add_if(world.addresses[at].name.is_some(), "InvalidAddress.PtrSet");
    faults.done()?;
    let gone = world.addresses.remove(at);
    world.withdraw(&gone);
    world.untag(&gone.id);
    Ok(vec![leaf("return", true)])
}

/// An address as DescribeAddresses tells it.
pub fn shape(world: &World, address: &Address) -> Vec<Tree> {
    let mut tree = vec![
        leaf("publicIp", &address.ip),
        leaf("allocationId", &address.id),
        leaf("domain", "vpc"),
        leaf("publicIpv4Pool", &address.pool),
        leaf("networkBorderGroup", REGION),
    ];
    if let Some((id, to, at)) = &address.association {
        let interface = world.interfaces.iter().find(|one| one.id == *to).expect("it leads somewhere");
        tree.push(leaf("associationId", id));
        tree.push(leaf("networkInterfaceId", to));
        tree.push(leaf("networkInterfaceOwnerId", &world.accounts[interface.who].id));
        tree.push(leaf("privateIpAddress", at));
        tree.extend(interface.attachment.as_ref().map(|to| leaf("instanceId", &to.instance)));
    }
    let tags = world.tags_of(&address.id);
    if !tags.is_empty() {
        tree.push(tag_set("tagSet", &tags));
    }
    tree
}
