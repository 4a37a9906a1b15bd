//! Calls about VPCs of one's own and what is in them.

use super::acls::AclEntry;
use super::blocks::Block;
use super::call::Call;
use super::families::Family;
use super::routes::{Destination, Route};
use super::routing::TableAssociation;
use super::steps::Chooser;
use super::subnets::OFF;
use super::vpcs::Vpc;
use super::world::*;

pub const VPCS: Family = Family {
    actions: &[
        ("CreateVpc", 4),
        ("DeleteVpc", 4),
        ("AssociateVpcCidrBlock", 5),
        ("DisassociateVpcCidrBlock", 4),
        ("ModifyVpcAttribute", 3),
        ("ModifyVpcTenancy", 2),
        ("CreateSubnet", 8),
        ("DeleteSubnet", 4),
        ("ModifySubnetAttribute", 4),
        ("AttachInternetGateway", 7),
        ("DetachInternetGateway", 4),
    ],
    choose: vpcs,
    has_what_it_takes: |chooser, action| match action {
        "CreateVpc" => chooser.vpcs().len() < 4,
        "AttachInternetGateway" => chooser.own(chooser.who, "igw").len() > 1,
        "DetachInternetGateway" => {
            chooser.world.gateways.iter().filter(|one| one.who == chooser.who && one.vpc.is_some()).count()
                > 1
        }
        "DeleteSubnet" => !chooser.subnets().is_empty(),
        "DeleteVpc" => !empty_vpcs(chooser).is_empty() || chooser.vpcs().len() > 3,
        "DisassociateVpcCidrBlock" => chooser.vpcs().iter().any(|vpc| vpc.blocks.len() > 1),
        _ => !chooser.vpcs().is_empty(),
    },
};

/// VPCs in which little is.
fn empty_vpcs(chooser: &Chooser<'_>) -> Vec<String> {
    let world = chooser.world;
    let empty = |vpc: &Vpc| {
        !world.subnets.iter().any(|one| one.vpc == vpc.id)
            && !world.gateways.iter().any(|one| one.vpc.as_ref() == Some(&vpc.id))
            && !world.acls.iter().any(|one| one.vpc == vpc.id && !one.is_default)
            && world.tables.iter().filter(|one| one.vpc == vpc.id).count() == 1
    };
    chooser.vpcs().into_iter().filter(empty).map(|vpc| vpc.id).collect()
}

const BLOCKS: &[&str] = &[
    "10.0.0.0/16",
    "10.1.0.0/20",
    "10.2.3.4/24",
    "172.16.0.0/24",
    "172.20.1.77/16",
    "192.168.0.0/28",
    "192.168.4.0/22",
    "100.64.0.0/16",
    "198.51.100.0/24",
];
const BAD_BLOCKS: &[&str] = &[
    "10.0.0.0/15",
    "10.0.0.0/29",
    "0.0.0.0/16",
    "127.0.0.0/16",
    "169.254.4.0/24",
    "224.0.0.0/16",
    "240.1.0.0/16",
];

impl Chooser<'_> {
    /// The account's own VPCs, without the default one.
    pub fn vpcs(&self) -> Vec<Vpc> {
        let own = |vpc: &&Vpc| vpc.who == self.who && !vpc.is_default;
        self.world.vpcs.iter().filter(own).cloned().collect()
    }

    pub fn subnets(&self) -> Vec<Subnet> {
        let own = |one: &&Subnet| one.who == self.who && !one.is_default;
        self.world.subnets.iter().filter(own).cloned().collect()
    }

    /// One of these, mostly; else whatever there is of that kind.
    pub fn mostly(&mut self, some: Vec<String>, prefix: &str) -> String {
        if some.is_empty() || self.dice.once_in(8) { self.id(prefix) } else { self.dice.pick(&some).clone() }
    }

    pub fn vpc(&mut self) -> String {
        let own = self.vpcs().into_iter().map(|vpc| vpc.id).collect();
        self.mostly(own, "vpc")
    }

    pub fn subnet(&mut self) -> String {
        let own = self.subnets().into_iter().map(|subnet| subnet.id).collect();
        self.mostly(own, "subnet")
    }

    /// The VPC that something is in, where it is the account's own.
    pub fn is_in_own(&self, vpc: &str) -> bool {
        self.world.vpc(vpc).is_some_and(|vpc| vpc.who == self.who && !vpc.is_default)
    }

    pub fn block(&mut self) -> &'static str {
        let from: &[&'static str] = if self.dice.once_in(8) { BAD_BLOCKS } else { BLOCKS };
        self.dice.pick::<&str>(from)
    }
}

fn vpcs(chooser: &mut Chooser<'_>, call: Call) -> Call {
    match call.action {
        "CreateVpc" => {
            let mut call = call.with("CidrBlock", chooser.block());
            if chooser.dice.once_in(6) {
                call.params.set("InstanceTenancy", "default");
            }
            chooser.with_tags(call, "vpc")
        }
        "DeleteVpc" => {
            let empty = empty_vpcs(chooser);
            let id = if chooser.dice.once_in(2) { chooser.vpc() } else { chooser.mostly(empty, "vpc") };
            call.with("VpcId", id)
        }
        "AssociateVpcCidrBlock" => {
            let vpc = chooser.vpc();
            let call = call.with("VpcId", vpc);
            if chooser.dice.once_in(15) { call } else { call.with("CidrBlock", chooser.block()) }
        }
        "DisassociateVpcCidrBlock" => {
            let vpcs = chooser.vpcs();
            let added = vpcs.iter().flat_map(|vpc| &vpc.blocks[1..]).map(|(id, _)| id.clone()).collect();
            let id = chooser.mostly(added, "vpc-cidr-assoc");
            call.with("AssociationId", id)
        }
        "ModifyVpcTenancy" => {
            let vpc = chooser.vpc();
            call.with("VpcId", vpc).with("InstanceTenancy", "default")
        }
        "ModifyVpcAttribute" => {
            let vpc = chooser.vpc();
            let mut call = call.with("VpcId", vpc);
            let count = [0, 1, 1, 1, 1, 1, 1, 2][chooser.dice.below(8)];
            let names = ["EnableDnsSupport", "EnableDnsHostnames", "EnableNetworkAddressUsageMetrics"];
            for name in names.iter().skip(chooser.dice.below(3)).take(count) {
                call.params.set(format!("{name}.Value"), chooser.dice.pick(&["true", "false"]));
            }
            call
        }
        "CreateSubnet" => subnet(chooser, call),
        "DeleteSubnet" => {
            let id = chooser.subnet();
            call.with("SubnetId", id)
        }
        "ModifySubnetAttribute" => {
            let id = chooser.subnet();
            let mut call = call.with("SubnetId", id);
            let count = [0, 1, 1, 1, 1, 1, 1, 2][chooser.dice.below(8)];
            let names = ["MapPublicIpOnLaunch.Value", "AssignIpv6AddressOnCreation.Value", OFF[0], OFF[1]];
            let skipped = [0, 0, 0, 1, 2][chooser.dice.below(5)];
            for name in names.iter().skip(skipped).take(count) {
                call.params.set(*name, chooser.dice.pick(&["true", "false"]));
            }
            call
        }
        _ => super::gateways::choose(chooser, call),
    }
}

fn subnet(chooser: &mut Chooser<'_>, call: Call) -> Call {
    let vpc = chooser.vpc();
    let blocks = chooser.world.vpc(&vpc).map_or_else(Vec::new, |vpc| vpc.blocks.clone());
    let mut call = call.with("VpcId", vpc);
    let (_, of) = blocks
        .get(chooser.dice.below(blocks.len().max(1)))
        .cloned()
        .unwrap_or((String::new(), Block { first: 0x0a00_0000, bits: 16 }));
    let bits = *chooser.dice.pick(&[24, 26, 28, 28, 28, 20, 16]).max(&of.bits);
    let place = u32::try_from(chooser.dice.below(4)).unwrap();
    let within = Block { first: of.first.wrapping_add(place << (32 - bits)), bits };
    let odd = ["10.9.0.0/24", "192.168.0.0/29", "172.16.0.0/15", "198.51.100.130/25"];
    match chooser.dice.once_in(8) {
        true => call.params.set("CidrBlock", chooser.dice.pick(&odd)),
        false => call.params.set("CidrBlock", within),
    }
    if chooser.dice.once_in(6) {
        let zone = if chooser.dice.once_in(3) { "us-east-1z" } else { ZONE };
        call.params.set("AvailabilityZone", zone);
    }
    if chooser.dice.once_in(8) {
        let zone = if chooser.dice.once_in(3) { "use1-az9" } else { ZONE_ID };
        call.params.set("AvailabilityZoneId", zone);
    }
    if chooser.dice.once_in(25) {
        call.params.set("Ipv6Native", chooser.dice.pick(&["true", "false"]));
    }
    chooser.with_tags(call, "subnet")
}

pub const ROUTES: Family = Family {
    actions: &[
        ("CreateRouteTable", 5),
        ("DeleteRouteTable", 3),
        ("AssociateRouteTable", 6),
        ("DisassociateRouteTable", 6),
        ("ReplaceRouteTableAssociation", 4),
        ("CreateRoute", 10),
        ("ReplaceRoute", 5),
        ("DeleteRoute", 6),
    ],
    choose: routes,
    has_what_it_takes: |chooser, action| match action {
        "AssociateRouteTable" => !chooser.subnets().is_empty(),
        "DisassociateRouteTable" => {
            let of_subnet = |one: &TableAssociation| one.subnet.is_some() && chooser.is_in_own(&one.vpc);
            chooser.world.table_associations.iter().any(of_subnet)
        }
        "ReplaceRoute" | "DeleteRoute" => !own_routes(chooser).is_empty(),
        _ => !chooser.vpcs().is_empty(),
    },
};

fn own_routes(chooser: &Chooser<'_>) -> Vec<Route> {
    let own = |route: &&Route| {
        let table = chooser.world.tables.iter().find(|one| one.id == route.table);
        table.is_some_and(|table| chooser.is_in_own(&table.vpc))
    };
    chooser.world.routes.iter().filter(own).cloned().collect()
}

fn table(chooser: &mut Chooser<'_>) -> String {
    let own = chooser.world.tables.iter().filter(|one| chooser.is_in_own(&one.vpc));
    let own = own.map(|one| one.id.clone()).collect();
    chooser.mostly(own, "rtb")
}

/// A table of a VPC, mostly.
fn table_of(chooser: &mut Chooser<'_>, vpc: Option<String>) -> String {
    let of_vpc = chooser.world.tables.iter().filter(|one| Some(&one.vpc) == vpc.as_ref());
    let of_vpc = of_vpc.map(|one| one.id.clone()).collect();
    chooser.mostly(of_vpc, "rtb")
}

fn routes(chooser: &mut Chooser<'_>, call: Call) -> Call {
    match call.action {
        "CreateRouteTable" => {
            let vpc = chooser.vpc();
            let call = chooser.with_tags(call.with("VpcId", vpc), "route-table");
            chooser.token(call)
        }
        "DeleteRouteTable" => {
            let used = |id: &String| chooser.world.table_associations.iter().any(|one| one.table == *id);
            let unused = chooser.own(chooser.who, "rtb").into_iter().filter(|id| !used(id)).collect();
            let id = chooser.mostly(unused, "rtb");
            call.with("RouteTableId", id)
        }
        "AssociateRouteTable" => {
            let subnet = chooser.subnet();
            let vpc = chooser.world.own_subnet(chooser.who, Some(&subnet)).ok().map(|one| one.vpc.clone());
            let id = table_of(chooser, vpc);
            call.with("RouteTableId", id).with("SubnetId", subnet)
        }
        "DisassociateRouteTable" | "ReplaceRouteTableAssociation" => {
            let keeps_main = call.action == "DisassociateRouteTable" && !chooser.dice.once_in(6);
            let rows = chooser.world.table_associations.iter();
            let own = rows.filter(|one| chooser.is_in_own(&one.vpc) && (one.subnet.is_some() || !keeps_main));
            let own: Vec<String> = own.map(|one| one.id.clone()).collect();
            let id = chooser.mostly(own, "rtbassoc");
            if call.action == "DisassociateRouteTable" {
                return call.with("AssociationId", id);
            }
            let there = chooser.world.table_associations.iter().find(|one| one.id == id);
            let table = table_of(chooser, there.map(|one| one.vpc.clone()));
            call.with("AssociationId", id).with("RouteTableId", table)
        }
        _ => route(chooser, call),
    }
}

fn route(chooser: &mut Chooser<'_>, call: Call) -> Call {
    let there = own_routes(chooser);
    let is_new = call.action == "CreateRoute";
    let mut call = match there.is_empty() || chooser.dice.once_in(5) || (is_new && !chooser.dice.once_in(6)) {
        true => {
            let id = table(chooser);
            let of = chooser.world.own_table(chooser.who, Some(&id)).ok().map(|one| one.vpc.clone());
            let own = of.and_then(|vpc| chooser.world.vpc(&vpc)).map(|vpc| vpc.blocks[0].1.to_string());
            let places =
                ["0.0.0.0/0", "0.0.0.0/0", "10.9.7.1/16", "172.31.0.0/16", "203.0.113.0/24", "10.0.0.0/8"];
            let to = match chooser.dice.below(12) {
                0 => own.unwrap_or_else(|| "10.0.0.0/16".into()),
                1 => "169.254.169.254/32".to_owned(),
                2 => "10.0.0.16/28".to_owned(),
                _ => (*chooser.dice.pick(&places)).to_owned(),
            };
            let call = call.with("RouteTableId", id);
            match chooser.dice.once_in(5) {
                true => {
                    let list = chooser.id("pl");
                    call.with("DestinationPrefixListId", list)
                }
                false => call.with("DestinationCidrBlock", to),
            }
        }
        false => {
            let one = chooser.dice.pick(&there).clone();
            let call = call.with("RouteTableId", one.table);
            match one.destination {
                Destination::V4(block) => call.with("DestinationCidrBlock", block),
                Destination::List(id) => call.with("DestinationPrefixListId", id),
            }
        }
    };
    if chooser.dice.once_in(25) {
        call.params.0.retain(|(name, _)| name != "DestinationCidrBlock");
    }
    if call.action == "DeleteRoute" {
        return call;
    }
    let id = call.params.one("RouteTableId").unwrap_or_default().to_owned();
    let vpc = chooser.world.own_table(chooser.who, Some(&id)).ok().map(|one| one.vpc.clone());
    let call = target(chooser, call, vpc.clone());
    if chooser.dice.once_in(25) { target(chooser, call, vpc) } else { call }
}

/// Where to: mostly something in the VPC.
fn target(chooser: &mut Chooser<'_>, call: Call, vpc: Option<String>) -> Call {
    let (world, vpc) = (chooser.world, vpc.unwrap_or_default());
    let inside: Vec<_> = world.interfaces.iter().filter(|one| world.subnet(&one.subnet).vpc == vpc).collect();
    let gateways = world.gateways.iter().filter(|one| one.vpc.as_ref() == Some(&vpc));
    let nats = world.nats.iter().filter(|one| one.vpc == vpc);
    let peerings = world.peerings.iter().filter(|one| one.beyond(&vpc).is_some());
    let instances = inside.iter().filter_map(|one| one.attachment.as_ref());
    let odd = ["local", "vgw-0123456789abcdef0", "nonsense", "igw-1"];
    let all: [(&str, Vec<String>, &str); 6] = [
        ("GatewayId", gateways.map(|one| one.id.clone()).collect(), "igw"),
        ("NatGatewayId", nats.map(|one| one.id.clone()).collect(), "nat"),
        ("VpcPeeringConnectionId", peerings.map(|one| one.id.clone()).collect(), "pcx"),
        ("NetworkInterfaceId", inside.iter().map(|one| one.id.clone()).collect(), "eni"),
        ("InstanceId", instances.map(|to| to.instance.clone()).collect(), "i"),
        ("GatewayId", odd.iter().map(ToString::to_string).collect(), "igw"),
    ];
    // The last ones lead nowhere.
    let good: Vec<_> = all[..5].iter().filter(|(_, some, _)| !some.is_empty()).cloned().collect();
    let any = good.is_empty() || chooser.dice.once_in(8);
    let (name, some, prefix) = chooser.dice.pick(if any { &all } else { &good }).clone();
    if call.params.has(name) {
        return call;
    }
    let id = chooser.mostly(some, prefix);
    call.with(name, id)
}

pub const ACLS: Family = Family {
    actions: &[
        ("CreateNetworkAcl", 5),
        ("DeleteNetworkAcl", 4),
        ("CreateNetworkAclEntry", 10),
        ("ReplaceNetworkAclEntry", 6),
        ("DeleteNetworkAclEntry", 4),
        ("ReplaceNetworkAclAssociation", 6),
    ],
    choose: acls,
    has_what_it_takes: |chooser, action| match action {
        "DeleteNetworkAcl" => chooser.own(chooser.who, "acl").len() > 1,
        "ReplaceNetworkAclAssociation" => !chooser.subnets().is_empty(),
        _ => true,
    },
};

fn acls(chooser: &mut Chooser<'_>, call: Call) -> Call {
    match call.action {
        "CreateNetworkAcl" => {
            let vpc = chooser.vpc();
            let call = chooser.with_tags(call.with("VpcId", vpc), "network-acl");
            chooser.token(call)
        }
        "DeleteNetworkAcl" => {
            let own = chooser.world.acls.iter().filter(|one| one.who == chooser.who && !one.is_default);
            let own = own.map(|one| one.id.clone()).collect();
            let id = chooser.mostly(own, "acl");
            call.with("NetworkAclId", id)
        }
        "ReplaceNetworkAclAssociation" => {
            let id = chooser.id("aclassoc");
            let there = chooser.world.acl_associations.iter().find(|one| one.id == id);
            let vpc = there.map(|one| chooser.world.subnet(&one.subnet).vpc.clone());
            let of_vpc = chooser.world.acls.iter().filter(|one| Some(&one.vpc) == vpc.as_ref());
            let of_vpc = of_vpc.map(|one| one.id.clone()).collect();
            let acl = chooser.mostly(of_vpc, "acl");
            call.with("AssociationId", id).with("NetworkAclId", acl)
        }
        _ => entry(chooser, call),
    }
}

fn entry(chooser: &mut Chooser<'_>, call: Call) -> Call {
    let mine = chooser.own(chooser.who, "acl");
    let there: Vec<AclEntry> =
        chooser.world.acl_entries.iter().filter(|one| mine.contains(&one.acl)).cloned().collect();
    let again = !there.is_empty()
        && !chooser.dice.once_in(if call.action == "CreateNetworkAclEntry" { 1 } else { 5 });
    let mut call = match again {
        true => {
            let one = chooser.dice.pick(&there).clone();
            call.with("NetworkAclId", one.acl).with("Egress", one.egress).with("RuleNumber", one.number)
        }
        false => {
            let id = chooser.id("acl");
            let number = *chooser.dice.pick(&[1, 90, 100, 101, 110, 120, 130, 32766]);
            let egress = *chooser.dice.pick(&["true", "false", "False"]);
            call.with("NetworkAclId", id).with("Egress", egress).with("RuleNumber", number)
        }
    };
    if call.action == "DeleteNetworkAclEntry" {
        return call;
    }
    let protocols = ["-1", "6", "17", "1", "58", "47", "tcp", "all", "ICMP", "256", "-2", "ip"];
    call.params.set("Protocol", chooser.dice.pick(&protocols));
    call.params.set("RuleAction", chooser.dice.pick(&["allow", "deny"]));
    let style = chooser.dice.below(12);
    if style > 3 || style == 1 {
        call.params.set("CidrBlock", chooser.dice.pick(&["0.0.0.0/0", "10.1.2.3/8", "192.0.2.5/32"]));
    }
    if matches!(style, 1..=3) {
        call.params.set("Ipv6CidrBlock", chooser.dice.pick(&["::/0", "2001:DB8::1/64"]));
    }
    if !chooser.dice.once_in(5) {
        let (from, to) = *chooser.dice.pick(&[(80, 80), (0, 65535), (443, 80), (1, 1024)]);
        call.params.set("PortRange.From", from);
        call.params.set("PortRange.To", to);
    }
    if !chooser.dice.once_in(4) {
        let (kind, code) = *chooser.dice.pick(&[(-1, -1), (8, -1), (3, 4), (-1, 0)]);
        call.params.set("Icmp.Type", kind);
        call.params.set("Icmp.Code", code);
    }
    call
}
