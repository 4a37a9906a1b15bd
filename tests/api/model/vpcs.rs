//! VPCs, by EC2's reference: CreateVpc, DeleteVpc, AssociateVpcCidrBlock, DisassociateVpcCidrBlock, ModifyVpcAttribute,
//! ModifyVpcTenancy.
//!
//! The default VPC is made of the operator's networks, and what they are is not the account's to change.

use super::acls::{self, Acl};
use super::blocks::{Block, block};
use super::call::{COMBINATION, Call, Code, Faults, MISSING, VALUE};
use super::groups;
use super::routing::{RouteTable, TableAssociation};
use super::tree::{Tree, leaf, list, node, tag_set};
use super::world::*;

#[derive(Clone, Debug)]
pub struct Vpc {
    pub who: usize,
    pub id: String,
    /// Each with the id of its association; the first is the one that the VPC was made with.
    pub blocks: Vec<(String, Block)>,
    pub is_default: bool,
    pub dhcp_options: String,
    pub support: bool,
    pub hostnames: bool,
}

pub const NO_VPC: Code = "InvalidVpcID.NotFound";
pub const OPERATORS: Code = "OperationNotPermitted";
const RANGE: Code = "InvalidVpc.Range";
/// "VPCs per Region: 5" (VPC User Guide, Quotas).
const MOST: usize = 5;
/// "IPv4 CIDR blocks per VPC: 5 (up to 50)".
const MOST_BLOCKS: usize = 5;

impl World {
    pub fn vpc(&self, id: &str) -> Option<&Vpc> {
        self.vpcs.iter().find(|one| one.id == id)
    }

    /// The caller's VPC.
    pub fn own_vpc(&self, who: usize, id: Option<&str>) -> Result<&Vpc, Code> {
        self.vpcs.iter().find(|one| one.who == who && Some(&*one.id) == id).ok_or(NO_VPC)
    }

    /// The same, where it is not the operator's.
    pub fn free_vpc(&self, who: usize, id: Option<&str>) -> Result<&Vpc, Code> {
        self.own_vpc(who, id).and_then(|vpc| if vpc.is_default { Err(OPERATORS) } else { Ok(vpc) })
    }

    fn vpc_mut(&mut self, id: &str) -> &mut Vpc {
        self.vpcs.iter_mut().find(|one| one.id == id).unwrap()
    }

    /// What comes with every VPC; the ids are told by a look.
    pub fn furnish(&mut self, who: usize, vpc: &str) {
        let unseen = |prefix: &str| format!("{UNSEEN}{prefix} of {vpc}");
        let (table, acl, group) = (unseen("rtb"), unseen("acl"), unseen("sg"));
        self.tables.push(RouteTable { who, id: table.clone(), vpc: vpc.into() });
        let id = unseen("rtbassoc");
        self.table_associations.push(TableAssociation { id, table, vpc: vpc.into(), subnet: None });
        self.acl_entries.extend(acls::everything(&acl));
        self.acls.push(Acl { who, id: acl, vpc: vpc.into(), is_default: true });
        let (name, description) = ("default".into(), "default VPC security group".into());
        self.groups.push(Group { who, id: group.clone(), vpc: vpc.into(), name, description });
        let out = groups::everything_out(&group);
        self.rules.push(Rule { egress: false, peer: Peer::Group(group, who), ..out.clone() });
        self.rules.push(out);
    }
}

/// "The allowed block size is between a /16 netmask and /28 netmask", and not what is no host's: this network, loopback,
/// link-local, multicast and beyond.
fn fits(wanted: Block) -> bool {
    let reserved = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"];
    (16..=28).contains(&wanted.bits) && !reserved.iter().any(|other| block(other).meets(wanted))
}

pub fn create(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(&call.params, &["vpc"], "vpc"));
    let wanted = Block::read(call.params.one("CidrBlock").unwrap()).unwrap();
    faults.add_if(!fits(wanted), RANGE);
    let own = world.vpcs.iter().filter(|one| one.who == call.who).count();
    faults.add_if(own >= MOST, "VpcLimitExceeded");
    faults.done()?;
    let id = world.new_id(reply.at("vpc/vpcId"), "vpc");
    let told = reply.all("vpc/cidrBlockAssociationSet/associationId");
    let first = world.new_id(told.first().map_or("", String::as_str), "vpc-cidr-assoc");
    world.vpcs.push(Vpc {
        who: call.who,
        id: id.clone(),
        blocks: vec![(first, wanted)],
        is_default: false,
        dhcp_options: world.accounts[call.who].dhcp_options.clone(),
        support: true,
        hostnames: false,
    });
    world.tag(call.who, &id, &tags.unwrap());
    world.furnish(call.who, &id);
    Ok(vec![node("vpc", shape(world, world.vpc(&id).unwrap()))])
}

/// "You must detach or delete all gateways and resources that are associated with the VPC before you can delete it [...]
/// When you delete the VPC, it deletes the default security group, network ACL, and route table for the VPC."
pub fn delete(world: &mut World, call: &Call) -> Outcome {
    let id = world.free_vpc(call.who, call.params.one("VpcId"))?.id.clone();
    let used = world.subnets.iter().any(|one| one.vpc == id)
        || world.gateways.iter().any(|one| one.vpc.as_ref() == Some(&id))
        || world.tables.iter().filter(|one| one.vpc == id).count() > 1
        || world.acls.iter().any(|one| one.vpc == id && !one.is_default)
        || world.groups.iter().any(|one| one.vpc == id && one.name != "default")
        || world.is_kept_by_peering(&id);
    if used {
        return Err("DependencyViolation".into());
    }
    world.release_peerings(call.who, &id);
    for table in ids(&world.tables, |one| one.vpc == id, |one| &one.id) {
        world.forget_table(&table);
    }
    for acl in ids(&world.acls, |one| one.vpc == id, |one| &one.id) {
        world.forget_acl(&acl);
    }
    for group in ids(&world.groups, |one| one.vpc == id, |one| &one.id) {
        world.forget_rules(|rule| rule.group == group);
        world.groups.retain(|one| one.id != group);
        world.untag(&group);
    }
    world.vpcs.retain(|one| one.id != id);
    world.untag(&id);
    Ok(vec![leaf("return", true)])
}

/// The ids of some rows.
pub fn ids<T>(rows: &[T], of: impl Fn(&T) -> bool, id: impl Fn(&T) -> &String) -> Vec<String> {
    rows.iter().filter(|row| of(row)).map(|row| id(row).clone()).collect()
}

/// RFC 1918's ranges.
fn private_range(wanted: Block) -> Option<usize> {
    let ranges = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
    ranges.iter().position(|range| block(range).has(wanted.first))
}

pub fn associate(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let mut faults = Faults::default();
    let vpc = faults.note(world.free_vpc(call.who, call.params.one("VpcId"))).cloned();
    let wanted = call.params.one("CidrBlock").map(|text| Block::read(text).unwrap());
    faults.add_if(wanted.is_none(), MISSING);
    if let (Some(vpc), Some(wanted)) = (&vpc, wanted) {
        let clash = |other: Block| {
            let (one, two) = (private_range(other), private_range(wanted));
            other.meets(wanted) || (one.is_some() && two.is_some() && one != two)
        };
        let clashes = vpc.blocks.iter().any(|(_, other)| clash(*other));
        // "The CIDR block must not be the same or larger than a destination CIDR range in a route in any of the VPC
        // route tables."
        faults.add_if(!fits(wanted) || clashes || world.is_routed_within(&vpc.id, wanted), RANGE);
        world.check_peers(&vpc.id, wanted, &mut faults);
        faults.add_if(vpc.blocks.len() >= MOST_BLOCKS, "CidrLimitExceeded");
    }
    faults.done()?;
    let id = world.new_id(reply.at("cidrBlockAssociation/associationId"), "vpc-cidr-assoc");
    let vpc = vpc.unwrap().id;
    world.fail_peerings(&vpc, wanted.unwrap());
    let vpc = world.vpc_mut(&vpc);
    let row = (id, wanted.unwrap());
    vpc.blocks.push(row.clone());
    Ok(vec![leaf("vpcId", &vpc.id), node("cidrBlockAssociation", block_shape(&row, "associating"))])
}

pub fn disassociate(world: &mut World, call: &Call) -> Outcome {
    let wanted = call.params.one("AssociationId").unwrap();
    let with = |vpc: &&Vpc| vpc.who == call.who && vpc.blocks.iter().any(|(id, _)| id == wanted);
    let vpc = world.vpcs.iter().find(with).ok_or("InvalidVpcCidrBlockAssociationID.NotFound")?.clone();
    let at = vpc.blocks.iter().position(|(id, _)| id == wanted).unwrap();
    let mut faults = Faults::default();
    // "You cannot disassociate the CIDR block with which you originally created the VPC (the primary CIDR block)."
    faults.add_if(at == 0, OPERATORS);
    let inside = |one: &Subnet| one.vpc == vpc.id && one.block.meets(vpc.blocks[at].1);
    faults.add_if(at > 0 && world.subnets.iter().any(inside), "DependencyViolation");
    faults.done()?;
    let gone = world.vpc_mut(&vpc.id).blocks.remove(at);
    Ok(vec![leaf("vpcId", &vpc.id), node("cidrBlockAssociation", block_shape(&gone, "disassociating"))])
}

/// "You can only modify one attribute at a time"; "You can only enable DNS hostnames if you've enabled DNS support."
pub fn modify(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let vpc = faults.note(world.own_vpc(call.who, call.params.one("VpcId"))).cloned();
    let flag = |name: &str| call.params.flag(&format!("{name}.Value"));
    let (support, hostnames) = (flag("EnableDnsSupport"), flag("EnableDnsHostnames"));
    let metrics = flag("EnableNetworkAddressUsageMetrics");
    let given = [support, hostnames, metrics].iter().flatten().count();
    faults.add_if(given == 0, MISSING);
    faults.add_if(given > 1, COMBINATION);
    faults.add_if(metrics == Some(true), "UnsupportedOperation");
    faults.add_if(hostnames == Some(true) && vpc.as_ref().is_some_and(|vpc| !vpc.support), VALUE);
    faults.done()?;
    let vpc = world.vpc_mut(&vpc.unwrap().id);
    vpc.support = support.unwrap_or(vpc.support);
    vpc.hostnames = hostnames.unwrap_or(vpc.hostnames);
    Ok(vec![leaf("return", true)])
}

/// "You cannot change the instance tenancy attribute to dedicated. You can only change it to default", which it is.
pub fn modify_tenancy(world: &World, call: &Call) -> Outcome {
    world.own_vpc(call.who, call.params.one("VpcId"))?;
    Ok(vec![leaf("return", true)])
}

fn block_shape((id, block): &(String, Block), state: &str) -> Vec<Tree> {
    vec![
        leaf("associationId", id),
        leaf("cidrBlock", block),
        node("cidrBlockState", vec![leaf("state", state)]),
    ]
}

/// What no VPC or subnet of ours has otherwise.
pub fn unblocked() -> Tree {
    node("blockPublicAccessStates", vec![leaf("internetGatewayBlockMode", "off")])
}

pub fn shape(world: &World, one: &Vpc) -> Vec<Tree> {
    let blocks = one.blocks.iter().map(|block| block_shape(block, "associated"));
    vec![
        leaf("vpcId", &one.id),
        leaf("ownerId", &world.accounts[one.who].id),
        leaf("state", "available"),
        leaf("cidrBlock", one.blocks[0].1),
        list("cidrBlockAssociationSet", blocks.collect()),
        leaf("dhcpOptionsId", &one.dhcp_options),
        leaf("instanceTenancy", "default"),
        leaf("isDefault", one.is_default),
        unblocked(),
        tag_set("tagSet", &world.tags_of(&one.id)),
    ]
}

/// An attribute as DescribeVpcAttribute tells it.
pub fn attribute(one: &Vpc, name: &str) -> Vec<Tree> {
    let value = match name {
        "enableDnsSupport" => one.support,
        "enableDnsHostnames" => one.hostnames,
        _ => false,
    };
    vec![leaf("vpcId", &one.id), node(name, vec![leaf("value", value)])]
}
