//! What the operator decides: accounts, access keys, pools, networks, images, hosts.
//!
//! Faults here are read by a person at a shell: they say what to do.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{Decision, defaults, images};
use crate::plan::STOCK_IMAGE;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{AccessKey, Account, Image, Instance, Key, Network, Pool, Space, Vpc, World};

pub(super) fn refuse(message: impl Into<String>) -> Fault {
    FaultCode::InvalidParameterValue.with(message)
}

pub(super) fn name(text: &str) -> Result<Arc<str>, Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if text.is_empty() || text.len() > 63 || !text.chars().all(plain) {
        return Err(refuse(format!(
            "'{text}' is not a name: use up to 63 letters, digits, '-', '_' and '.'"
        )));
    }
    Ok(text.into())
}

/// Makes an account and its default VPC in the caller's region.
///
/// # Errors
/// The id or the name is taken.
pub fn create_account(
    decision: &mut Decision,
    id: Option<AccountId>,
    called: &str,
) -> Result<AccountId, Fault> {
    let called = name(called)?;
    let id = id.unwrap_or_else(|| decision.env.id(AccountId::from_random));
    let taken = decision.world.accounts.values().find(|account| account.id == id || account.name == called);
    if let Some(taken) = taken {
        return Err(refuse(format!("there is an account {} with the name {} already", taken.id, taken.name)));
    }
    let created = decision.env.now;
    decision.put(Account { id, name: called, created });
    let owner = Owner { account: id, region: decision.caller.owner.region.clone() };
    defaults::ensure(decision, &owner);
    Ok(id)
}

/// Adds an access key whose secret is sealed already.
///
/// # Errors
/// No such account, or the key's id is taken or malformed.
pub fn create_key(
    decision: &mut Decision,
    id: &str,
    account: AccountId,
    sealed_secret: Arc<[u8]>,
) -> Result<(), Fault> {
    let word = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if !(4..=128).contains(&id.len()) || !word {
        return Err(refuse(format!(
            "'{id}' is not an access key id: use 4 to 128 letters, digits, '-' and '_'"
        )));
    }
    if !decision.world.accounts.contains_key(&account) {
        return Err(refuse(format!("there is no account {account}: see `fogbank account list`")));
    }
    if decision.world.access_keys.contains_key(id) {
        return Err(refuse(format!("there is an access key {id} already")));
    }
    let created = decision.env.now;
    decision.put(AccessKey { id: id.into(), account, sealed_secret, created });
    Ok(())
}

/// Deletes an access key; what it signs from now on is refused.
///
/// # Errors
/// No such key.
pub fn delete_key(decision: &mut Decision, id: &str) -> Result<(), Fault> {
    if !decision.world.access_keys.contains_key(id) {
        return Err(refuse(format!("there is no access key {id}: see `fogbank key list`")));
    }
    decision.delete(Key::AccessKey(id.into()));
    Ok(())
}

/// Deletes an account that has nothing any more, with its keys and its default VPC.
///
/// # Errors
/// No such account, or it still has addresses, instances or groups of its own.
pub fn delete_account(decision: &mut Decision, id: AccountId) -> Result<(), Fault> {
    let world = decision.world.clone();
    if !world.accounts.contains_key(&id) {
        return Err(refuse(format!("there is no account {id}: see `fogbank account list`")));
    }
    let groups =
        world.groups.values().filter(|group| group.owner.account == id && &*group.name != "default").count();
    let left = [
        ("addresses", world.addresses.values().filter(|row| row.owner.account == id).count()),
        ("instances", world.instances.values().filter(|row| row.owner.account == id).count()),
        ("network interfaces", world.enis.values().filter(|row| row.owner.account == id).count()),
        ("security groups", groups),
        ("VPCs of its own", world.vpcs.values().filter(|row| is_own(row, id)).count()),
    ];
    if let Some((what, count)) = left.iter().find(|(_, count)| *count > 0) {
        return Err(refuse(format!("account {id} still has {count} {what}: delete them first")));
    }
    // Those of an isolated default VPC.
    let networks = world.networks.values().filter(|row| {
        row.vpc.and_then(|vpc| world.vpcs.get(&vpc)).is_some_and(|vpc| vpc.owner.account == id)
    });
    for network in networks {
        forget_freed(decision, &Space::Network(network.name.clone()));
        decision.delete(Key::Network(network.name.clone()));
    }
    keys_of(&world, id).into_iter().for_each(|key| decision.delete(key));
    decision.delete(Key::Account(id));
    Ok(())
}

/// A VPC that the account has made.
fn is_own(vpc: &Vpc, account: AccountId) -> bool {
    vpc.owner.account == account && vpc.vni.is_some() && !vpc.is_default
}

/// The keys of all rows that belong to an account.
fn keys_of(world: &World, account: AccountId) -> Vec<Key> {
    let mut keys = Vec::new();
    macro_rules! collect {
        ($($table:ident: |$row:ident| $key:expr;)*) => {
            $(keys.extend(world.$table.values().filter(|$row| $row.owner.account == account).map(|$row| $key));)*
        };
    }
    collect! {
        key_pairs: |row| Key::KeyPair(row.id);
        insights_analyses: |row| Key::InsightsAnalysis(row.id);
        insights_paths: |row| Key::InsightsPath(row.id);
        rules: |row| Key::Rule(row.id);
        groups: |row| Key::Group(row.id);
        routes: |row| Key::Route((row.table, row.destination));
        subnet_cidr_reservations: |row| Key::SubnetCidrReservation(row.id);
        prefix_lists: |row| Key::PrefixList(row.id);
        ipv6_routes: |row| Key::Ipv6Route((row.table, row.destination));
        egress_gateways: |row| Key::EgressGateway(row.id);
        route_table_associations: |row| Key::RouteTableAssociation(row.id);
        route_tables: |row| Key::RouteTable(row.id);
        internet_gateways: |row| Key::InternetGateway(row.id);
        nat_gateways: |row| Key::NatGateway(row.id);
        acl_entries: |row| Key::AclEntry((row.acl, row.direction, row.number));
        acl_associations: |row| Key::AclAssociation(row.id);
        network_acls: |row| Key::NetworkAcl(row.id);
        subnets: |row| Key::Subnet(row.id);
        vpcs: |row| Key::Vpc(row.id);
        launch_templates: |row| Key::LaunchTemplate(row.id);
        dhcp_options: |row| Key::DhcpOptions(row.id);
        tags: |row| Key::Tag((row.resource, row.key.clone()));
    }
    // What is told of connections that are no more, with what whoever was asked has written on them.
    for row in world.peerings.values().filter(|row| row.requester.owner.account == account) {
        let theirs = world.tags_of(row.resource(&row.accepter.owner));
        let theirs = theirs.filter(|tag| tag.owner.account != account);
        keys.extend(theirs.map(|tag| Key::Tag((tag.resource, tag.key.clone()))));
        keys.push(Key::Peering(row.id));
    }
    let transfers =
        world.address_transfers.values().filter(|row| row.owner.account == account || row.to == account);
    keys.extend(transfers.map(|row| Key::AddressTransfer((row.owner.clone(), row.allocation))));
    let of_account = |template: &LaunchTemplateId| {
        world.launch_templates.get(template).is_some_and(|row| row.owner.account == account)
    };
    let versions = world.launch_template_versions.keys().filter(|(template, _)| of_account(template));
    keys.extend(versions.map(|key| Key::LaunchTemplateVersion(*key)));
    let of_account =
        |list: &PrefixListId| world.prefix_lists.get(list).is_some_and(|row| row.owner.account == account);
    let versions = world.prefix_list_versions.keys().filter(|(list, _)| of_account(list));
    keys.extend(versions.map(|key| Key::PrefixListVersion(*key)));
    let images =
        world.images.values().filter(|row| row.owner.as_ref().is_some_and(|of| of.account == account));
    keys.extend(images.map(|row| Key::Image(row.id)));
    let access = world.access_keys.values().filter(|row| row.account == account);
    keys.extend(access.map(|row| Key::AccessKey(row.id.clone())));
    let tokens = world.tokens.values().filter(|row| row.key.0.account == account);
    keys.extend(tokens.map(|row| Key::Token(row.key.clone())));
    keys
}

/// Adds a pool of elastic addresses.
///
/// # Errors
/// The name is taken, or the range overlaps another pool, a network, or what is no unicast address.
pub fn add_pool(decision: &mut Decision, called: &str, range: Range4) -> Result<PoolId, Fault> {
    let called = name(called)?;
    if decision.world.pools.values().any(|pool| pool.name == called) {
        return Err(refuse(format!("there is a pool {called} already")));
    }
    if let Some(other) = decision.world.pools.values().find(|pool| pool.range.overlaps(&range)) {
        return Err(refuse(format!("{range} overlaps the pool {} ({})", other.name, other.range)));
    }
    if let Some(network) = decision.world.flat_networks().find(|row| Range4::from(row.cidr).overlaps(&range))
    {
        return Err(refuse(format!("{range} overlaps the network {} ({})", network.name, network.cidr)));
    }
    if !is_unicast(range.first()) || !is_unicast(range.last()) || range.count() > 65_536 {
        return Err(refuse(format!("{range} cannot be a pool: give at most 65536 unicast addresses")));
    }
    let id = decision.env.id(PoolId::from_random);
    let created = decision.env.now;
    decision.put(Pool { id, name: called, range, next: Some(range.first()), created });
    Ok(id)
}

fn is_unicast(address: Ipv4Addr) -> bool {
    !(address.is_multicast()
        || address.is_loopback()
        || address.is_link_local()
        || address.octets()[0] == 0
        || address.octets()[0] >= 240)
}

/// Removes a pool none of whose addresses is allocated.
///
/// # Errors
/// No such pool, or it is in use.
pub fn remove_pool(decision: &mut Decision, called: &str) -> Result<(), Fault> {
    let pool = super::allocate::pool(&decision.world, Some(called));
    let pool = pool.ok_or_else(|| refuse(format!("there is no pool {called}: see `fogbank pool list`")))?;
    let of_pool = || decision.world.addresses.values().filter(|address| address.pool == pool.id);
    let automatic = of_pool().filter(|address| address.automatic).count();
    let allocated = of_pool().count() - automatic;
    let first = [
        (allocated, "are allocated: release them first"),
        (automatic, "are public addresses that instances have by themselves: stop or terminate these first"),
    ];
    let first: Vec<_> = first
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} addresses of the pool {called} {what}"))
        .collect();
    if !first.is_empty() {
        return Err(refuse(first.join("; ")));
    }
    forget_freed(decision, &Space::Pool(pool.id));
    decision.delete(Key::Pool(pool.id));
    Ok(())
}

/// Forgets which addresses of a space were used before: the space goes.
pub(super) fn forget_freed(decision: &mut Decision, space: &Space) {
    let of_space = decision.world.freed.range((space.clone(), Ipv4Addr::UNSPECIFIED)..);
    let keys: Vec<_> = of_space.map(|(key, _)| key.clone()).take_while(|(of, _)| of == space).collect();
    keys.into_iter().for_each(|key| decision.delete(Key::Freed(key)));
}

/// What `fogbank network add` gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewNetwork {
    pub name: String,
    pub cidr: Cidr4,
    pub gateway: Option<Ipv4Addr>,
    pub range: Option<Range4>,
    pub reserved: Vec<Range4>,
    pub zone: Option<String>,
    pub domain: String,
}

/// Adds a flat network and a default subnet on it for every account.
///
/// # Errors
/// A name or CIDR that is taken, or addresses that are not in the CIDR.
pub fn add_network(decision: &mut Decision, new: &NewNetwork) -> Result<(), Fault> {
    let called = name(&new.name)?;
    let (cidr, whole) = (new.cidr, Range4::from(new.cidr));
    // EC2's own limits for subnets are /16 to /28.
    if !(8..=28).contains(&cidr.prefix_len()) {
        return Err(refuse(format!("{cidr} is no size for a network: give a prefix from /8 to /28")));
    }
    if decision.world.networks.get(&called).is_some_and(|other| other.vpc.is_some()) {
        return Err(refuse(format!("{called} is a subnet of somebody's VPC: give the network another name")));
    }
    for other in decision.world.flat_networks() {
        if other.name == called || other.cidr.overlaps(&cidr) {
            return Err(refuse(format!("there is a network {} with {} already", other.name, other.cidr)));
        }
    }
    if let Some(pool) = decision.world.pools.values().find(|pool| pool.range.overlaps(&whole)) {
        return Err(refuse(format!("{cidr} overlaps the pool {} ({})", pool.name, pool.range)));
    }
    let offset = |n: u32| Ipv4Addr::from_bits(cidr.network().to_bits() + n);
    let gateway = new.gateway.unwrap_or_else(|| offset(1));
    if !cidr.contains(gateway) || gateway == cidr.network() || gateway == cidr.last() {
        return Err(refuse(format!("the gateway {gateway} is not a host address of {cidr}")));
    }
    // The first four and the last, as EC2 keeps them back.
    let last = Ipv4Addr::from_bits(cidr.last().to_bits() - 1);
    let range = new
        .range
        .or_else(|| Range4::new(offset(4), last))
        .ok_or_else(|| refuse("the network is too small"))?;
    for part in std::iter::once(&range).chain(&new.reserved) {
        if !whole.contains(part.first()) || !whole.contains(part.last()) {
            return Err(refuse(format!("{part} is not within {cidr}")));
        }
    }
    let domain = new.domain.trim_end_matches('.').to_ascii_lowercase();
    if !is_domain(&domain) {
        return Err(refuse(format!("'{domain}' is not a domain name")));
    }
    let zone = new.zone.clone().unwrap_or_else(|| format!("{}a", decision.caller.owner.region));
    let created = decision.env.now;
    decision.put(Network {
        vpc: None,
        name: called,
        cidr,
        gateway,
        range,
        reserved: new.reserved.clone().into(),
        zone: name(&zone)?,
        domain: domain.into(),
        next: Some(range.first()),
        gateway_host: None,
        created,
    });
    let accounts: Vec<AccountId> = decision.world.accounts.keys().copied().collect();
    for account in accounts {
        let owner = Owner { account, region: decision.caller.owner.region.clone() };
        defaults::ensure(decision, &owner);
    }
    defaults::ensure_all(decision);
    Ok(())
}

pub(super) fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 190 && text.split('.').all(label)
}

/// Removes a network that no interface is in, with the default subnets on it.
///
/// # Errors
/// No such network, or it is in use.
pub fn remove_network(decision: &mut Decision, called: &str) -> Result<(), Fault> {
    if decision.world.networks.get(called).is_none_or(|network| network.vpc.is_some()) {
        return Err(refuse(format!("there is no network {called}: see `fogbank network list`")));
    }
    let used = decision.world.enis.values().filter(|eni| &*eni.network == called).count();
    if used > 0 {
        return Err(refuse(format!(
            "{used} network interfaces are in the network {called}: terminate their instances"
        )));
    }
    let on =
        decision.world.subnets.values().filter(|subnet| &*subnet.network == called).map(|subnet| subnet.id);
    let subnets: Vec<_> = on.collect();
    for subnet in subnets {
        if let Some(acl) = decision.world.index.acl_association_of.get(&subnet).copied() {
            decision.delete(Key::AclAssociation(acl));
        }
        decision.untag_all(ResourceId::Subnet(subnet));
        decision.delete(Key::Subnet(subnet));
    }
    forget_freed(decision, &Space::Network(called.into()));
    decision.delete(Key::Network(called.into()));
    Ok(())
}

/// Registers an image: a folder or a tarball, under the same path on every host, or [`STOCK_IMAGE`].
///
/// # Errors
/// The id or the name is taken, or the path is not absolute.
pub fn register_image(
    decision: &mut Decision,
    id: Option<ImageId>,
    called: &str,
    location: &str,
    architecture: &str,
) -> Result<ImageId, Fault> {
    let called = name(called)?;
    let id = id.unwrap_or_else(|| decision.env.id(ImageId::from_random));
    if decision
        .world
        .images
        .values()
        .any(|image| image.id == id || (image.owner.is_none() && image.name == called))
    {
        return Err(refuse(format!("there is an image {id} or one with the name {called} already")));
    }
    if !location.starts_with('/') && location != STOCK_IMAGE {
        return Err(refuse(format!("'{location}' is neither an absolute path nor `{STOCK_IMAGE}`")));
    }
    let (created, description) = (decision.env.now, "".into());
    let (location, architecture) = (location.into(), architecture.into());
    decision.put(Image { id, owner: None, name: called, description, location, architecture, created });
    Ok(id)
}

/// Deregisters an image of the operator's, and what accounts have registered of it.
///
/// # Errors
/// No such image, or an instance could need it to start again.
pub fn deregister_image(decision: &mut Decision, id: ImageId) -> Result<(), Fault> {
    if decision.world.images.get(&id).is_none_or(|image| image.owner.is_some()) {
        return Err(refuse(format!("there is no image {id}: see `fogbank image list`")));
    }
    let going = images::with_copies(&decision.world, id);
    let made = |row: &&Arc<Instance>| going.contains(&row.image) && row.terminated.is_none();
    let used = decision.world.instances.values().filter(made).count();
    if used > 0 {
        return Err(refuse(format!("{used} instances are made from {id}: terminate them first")));
    }
    going.into_iter().for_each(|id| images::remove(decision, id));
    Ok(())
}
