//! Subnets, by EC2's reference: CreateSubnet, DeleteSubnet, ModifySubnetAttribute.

use super::acls::AclAssociation;
use super::blocks::Block;
use super::call::{COMBINATION, Call, Code, Faults, MISSING, VALUE};
use super::tree::{Tree, leaf, list, node, tag_set};
use super::vpcs::unblocked;
use super::world::*;

#[derive(Clone, Debug)]
pub struct Subnet {
    pub who: usize,
    pub id: String,
    pub vpc: String,
    pub block: Block,
    pub is_default: bool,
    /// Whether instances launched in it get public addresses.
    pub map_public: bool,
    /// How many addresses would be free if this history's interfaces had none: other ones are in the operator's network, too.
    pub room: i64,
}

pub const NO_SUBNET: Code = "InvalidSubnetID.NotFound";

impl World {
    pub fn subnet(&self, id: &str) -> &Subnet {
        self.subnets.iter().find(|one| one.id == id).unwrap()
    }

    /// The caller's subnet.
    pub fn own_subnet(&self, who: usize, id: Option<&str>) -> Result<&Subnet, Code> {
        self.subnets.iter().find(|one| one.who == who && Some(&*one.id) == id).ok_or(NO_SUBNET)
    }

    /// The default subnets of all accounts are one network.
    pub fn space_of<'w>(&self, subnet: &'w Subnet) -> &'w str {
        if subnet.is_default { "flat" } else { &subnet.id }
    }

    /// The private addresses that interfaces have where a subnet is.
    pub fn taken_in(&self, subnet: &Subnet) -> Vec<u32> {
        let space = self.space_of(subnet);
        let there = self.interfaces.iter().filter(|one| self.space_of(self.subnet(&one.subnet)) == space);
        there.flat_map(Interface::ips).filter_map(|text| ip(text)).collect()
    }

    /// Whether somebody may ask for a private address of a subnet.
    pub fn may_have(&self, subnet: &Subnet, wanted: &str) -> Result<(), Code> {
        let number = ip(wanted).unwrap();
        if !subnet.block.is_usable(number) {
            Err(VALUE)
        } else if self.taken_in(subnet).contains(&number) {
            Err("InvalidIPAddress.InUse")
        } else {
            Ok(())
        }
    }

    /// How many addresses of a subnet nobody ever had.
    pub fn fresh_in(&self, subnet: &Subnet) -> i64 {
        let space = self.space_of(subnet);
        let used = self.used.iter().filter(|(of, _)| of == space).count();
        subnet.room.max(0) - i64::try_from(used).unwrap()
    }

    /// The private address that an answer tells: the wanted one, or a free one of the subnet.
    pub fn take(&mut self, subnet: &Subnet, wanted: Option<&str>, told: String) -> String {
        let number = ip(&told).unwrap_or(0);
        let taken = self.taken_in(subnet).contains(&number);
        let fits = subnet.block.is_usable(number) && wanted.is_none_or(|wanted| wanted == told);
        if subnet.is_default {
            self.highest = self.highest.max(number);
        }
        self.used.insert((self.space_of(subnet).to_owned(), number));
        if fits && !taken { told } else { format!("a free address instead of '{told}'") }
    }

    /// An id for what an answer does not tell.
    pub fn unseen_association(&self, subnet: &str) -> String {
        format!("{UNSEEN}aclassoc of {subnet}")
    }

    /// The association that a subnet has from its start, with its VPC's default network ACL.
    pub fn give_acl(&mut self, subnet: &Subnet) {
        let acl = self.acls.iter().find(|acl| acl.vpc == subnet.vpc && acl.is_default).unwrap().id.clone();
        let id = self.unseen_association(&subnet.id);
        self.acl_associations.push(AclAssociation { id, acl, subnet: subnet.id.clone() });
    }
}

pub fn create(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let params = &call.params;
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(params, &["subnet"], "subnet"));
    let vpc = faults.note(world.free_vpc(call.who, params.one("VpcId"))).cloned();
    let wanted = Block::read(params.one("CidrBlock").unwrap()).unwrap();
    let inside = |vpc: &super::vpcs::Vpc| vpc.blocks.iter().any(|(_, block)| block.holds(wanted));
    if let Some(vpc) = &vpc {
        faults.add_if(!(16..=28).contains(&wanted.bits) || !inside(vpc), "InvalidSubnet.Range");
        let clash = |other: &Subnet| other.vpc == vpc.id && other.block.meets(wanted);
        faults.add_if(world.subnets.iter().any(clash), "InvalidSubnet.Conflict");
    }
    let (zone, zone_id) = (params.one("AvailabilityZone"), params.one("AvailabilityZoneId"));
    faults.add_if(zone.is_some() && zone_id.is_some(), COMBINATION);
    faults.add_if(zone.is_some_and(|zone| zone != ZONE), VALUE);
    faults.add_if(zone_id.is_some_and(|id| id != ZONE_ID), VALUE);
    faults.add_if(params.flag("Ipv6Native") == Some(true), "UnsupportedOperation");
    faults.done()?;
    let id = world.new_id(reply.at("subnet/subnetId"), "subnet");
    let room = i64::from(wanted.last() - wanted.first) + 1 - 5;
    let vpc = vpc.unwrap().id;
    let row = Subnet { who: call.who, id, vpc, block: wanted, is_default: false, map_public: false, room };
    world.tag(call.who, &row.id, &tags.unwrap());
    world.subnets.push(row.clone());
    world.give_acl(&row);
    Ok(vec![node("subnet", shape(world, &row))])
}

/// "You must terminate all running instances in the subnet before you can delete the subnet."
pub fn delete(world: &mut World, call: &Call) -> Outcome {
    let row = world.own_subnet(call.who, call.params.one("SubnetId"))?.clone();
    let mut faults = Faults::default();
    faults.add_if(row.is_default, "OperationNotPermitted");
    let used = world.interfaces.iter().any(|one| one.subnet == row.id);
    faults.add_if(!row.is_default && used, "DependencyViolation");
    faults.done()?;
    world.table_associations.retain(|one| one.subnet.as_ref() != Some(&row.id));
    world.acl_associations.retain(|one| one.subnet != row.id);
    world.subnets.retain(|one| one.id != row.id);
    world.untag(&row.id);
    Ok(vec![leaf("return", true)])
}

/// Attributes that are off and stay so.
pub const OFF: &[&str] = &[
    "EnableDns64.Value",
    "EnableResourceNameDnsARecordOnLaunch.Value",
    "EnableResourceNameDnsAAAARecordOnLaunch.Value",
    "DisableLniAtDeviceIndex.Value",
    "MapCustomerOwnedIpOnLaunch.Value",
];

/// "You can only modify one attribute at a time."
pub fn modify(world: &mut World, call: &Call) -> Outcome {
    let params = &call.params;
    let mut faults = Faults::default();
    let row = faults.note(world.own_subnet(call.who, params.one("SubnetId"))).cloned();
    let public = params.flag("MapPublicIpOnLaunch.Value");
    let six = params.flag("AssignIpv6AddressOnCreation.Value");
    let off: Vec<bool> = OFF.iter().filter_map(|name| params.flag(name)).collect();
    let named = params.has("PrivateDnsHostnameTypeOnLaunch");
    let given = off.len() + [public, six].iter().flatten().count() + usize::from(named);
    faults.add_if(given == 0, MISSING);
    faults.add_if(given > 1, COMBINATION);
    faults.add_if(off.contains(&true), "UnsupportedOperation");
    faults.add_if(six == Some(true), VALUE);
    faults.done()?;
    let id = row.unwrap().id;
    let row = world.subnets.iter_mut().find(|one| one.id == id).unwrap();
    row.map_public = public.unwrap_or(row.map_public);
    Ok(vec![leaf("return", true)])
}

pub fn shape(world: &World, one: &Subnet) -> Vec<Tree> {
    let taken = i64::try_from(world.taken_in(one).len()).unwrap();
    vec![
        leaf("subnetId", &one.id),
        leaf("subnetArn", world.arn(one.who, "subnet", &one.id)),
        leaf("vpcId", &one.vpc),
        leaf("ownerId", &world.accounts[one.who].id),
        leaf("state", "available"),
        leaf("cidrBlock", one.block),
        leaf("availableIpAddressCount", one.room - taken),
        leaf("availabilityZone", ZONE),
        leaf("availabilityZoneId", ZONE_ID),
        leaf("defaultForAz", one.is_default),
        leaf("mapPublicIpOnLaunch", one.map_public),
        leaf("mapCustomerOwnedIpOnLaunch", false),
        leaf("assignIpv6AddressOnCreation", false),
        leaf("enableDns64", false),
        leaf("ipv6Native", false),
        node(
            "privateDnsNameOptionsOnLaunch",
            vec![
                leaf("hostnameType", "ip-name"),
                leaf("enableResourceNameDnsARecord", false),
                leaf("enableResourceNameDnsAAAARecord", false),
            ],
        ),
        list("ipv6CidrBlockAssociationSet", Vec::new()),
        unblocked(),
        tag_set("tagSet", &world.tags_of(&one.id)),
    ]
}
