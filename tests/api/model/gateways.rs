//! Internet gateways and sets of DHCP options, by EC2's reference: CreateInternetGateway, DeleteInternetGateway,
//! CreateDhcpOptions, DeleteDhcpOptions, AssociateDhcpOptions.

use super::call::{Call, Code, Faults, MISSING, Params, VALUE};
use super::steps::Chooser;
use super::tree::{Tree, leaf, list, node, tag_set};
use super::world::*;

#[derive(Clone, Debug)]
pub struct Gateway {
    pub who: usize,
    pub id: String,
    pub vpc: Option<String>,
}

#[derive(Clone, Debug)]
pub struct DhcpOptions {
    pub who: usize,
    pub id: String,
    /// Keys with their values, in the order of the alphabet.
    pub configurations: Vec<(String, Vec<String>)>,
}

impl DhcpOptions {
    /// The first set of an answer: what the operator's networks tell is theirs to say.
    pub fn read(who: usize, reply: &Tree) -> Self {
        let set = reply.items("dhcpOptionsSet")[0];
        let texts = |row: &Tree| row.items("valueSet").iter().map(|one| one.at("value").to_owned()).collect();
        let rows = set.items("dhcpConfigurationSet").into_iter();
        let configurations = rows.map(|row| (row.at("key").to_owned(), texts(row))).collect();
        Self { who, id: set.at("dhcpOptionsId").into(), configurations }
    }
}

const NO_GATEWAY: Code = "InvalidInternetGatewayID.NotFound";
const NO_OPTIONS: Code = "InvalidDhcpOptionID.NotFound";
/// "Internet gateways per Region: 5", those of default VPCs included (VPC User Guide, Quotas).
const MOST: usize = 5;
const KEYS: [&str; 5] =
    ["domain-name", "domain-name-servers", "netbios-name-servers", "netbios-node-type", "ntp-servers"];

pub fn create_gateway(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(&call.params, &["internet-gateway"], "internet-gateway"));
    let own = world.gateways.iter().filter(|row| row.who == call.who).count();
    faults.add_if(own >= MOST, "InternetGatewayLimitExceeded");
    faults.done()?;
    let id = world.new_id(reply.at("internetGateway/internetGatewayId"), "igw");
    world.tag(call.who, &id, &tags.unwrap());
    let row = Gateway { who: call.who, id, vpc: None };
    world.gateways.push(row.clone());
    Ok(vec![node("internetGateway", gateway_shape(world, &row))])
}

fn find_gateway(world: &World, call: &Call) -> Result<usize, Code> {
    let id = call.params.one("InternetGatewayId");
    let own = |row: &Gateway| row.who == call.who && Some(&*row.id) == id;
    world.gateways.iter().position(own).ok_or(NO_GATEWAY)
}

/// "You must detach the internet gateway from the VPC before you can delete it."
pub fn delete_gateway(world: &mut World, call: &Call) -> Outcome {
    let row = world.gateways[find_gateway(world, call)?].clone();
    if row.vpc.is_some() {
        return Err("DependencyViolation".into());
    }
    world.gateways.retain(|other| other.id != row.id);
    world.untag(&row.id);
    Ok(vec![leaf("return", true)])
}

pub fn gateway_shape(world: &World, row: &Gateway) -> Vec<Tree> {
    let attached = |vpc: &String| vec![leaf("vpcId", vpc), leaf("state", "available")];
    vec![
        leaf("internetGatewayId", &row.id),
        leaf("ownerId", &world.accounts[row.who].id),
        list("attachmentSet", row.vpc.iter().map(attached).collect()),
        tag_set("tagSet", &world.tags_of(&row.id)),
    ]
}

pub fn create_options(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(&call.params, &["dhcp-options"], "dhcp-options"));
    let mut configurations: Vec<(String, Vec<String>)> = Vec::new();
    for given in call.params.structures("DhcpConfiguration") {
        let key = given.one("Key").unwrap_or_default().to_owned();
        let values = values(&given);
        faults.add_if(configurations.iter().any(|(other, _)| *other == key), VALUE);
        match values.first() {
            None => faults.add(MISSING),
            Some(first) => faults.add_if(!fits(&key, first, &values), VALUE),
        }
        configurations.push((key, values));
    }
    faults.done()?;
    configurations.sort();
    let id = world.new_id(reply.at("dhcpOptions/dhcpOptionsId"), "dopt");
    world.tag(call.who, &id, &tags.unwrap());
    let row = DhcpOptions { who: call.who, id, configurations };
    world.dhcp_options.push(row.clone());
    Ok(vec![node("dhcpOptions", options_shape(world, &row))])
}

/// Several values may come in one text.
fn values(given: &Params) -> Vec<String> {
    let texts = given.list("Value");
    let all = texts.iter().flat_map(|text| text.split(',')).map(str::trim);
    all.filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

/// "domain-name-servers - The IP addresses of up to four domain name servers, or AmazonProvidedDNS"; "netbios-node-type -
/// The NetBIOS node type (1, 2, 4, or 8)".
fn fits(key: &str, first: &str, values: &[String]) -> bool {
    let label = |part: &str| {
        let plain = part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        plain && !part.is_empty() && part.len() < 64 && !part.starts_with('-') && !part.ends_with('-')
    };
    let address = |value: &String| ip(value).is_some();
    match key {
        "domain-name" => values.len() == 1 && first.split('.').all(label),
        "domain-name-servers" => {
            values.len() <= 4 && values.iter().all(|value| value == "AmazonProvidedDNS" || address(value))
        }
        "ntp-servers" | "netbios-name-servers" => values.len() <= 4 && values.iter().all(address),
        "netbios-node-type" => values.len() == 1 && matches!(first, "1" | "2" | "4" | "8"),
        _ => false,
    }
}

fn find_options(world: &World, call: &Call) -> Result<String, Code> {
    let named = call.params.one("DhcpOptionsId").unwrap_or_default();
    let account = &world.accounts[call.who];
    if call.action == "AssociateDhcpOptions" && named == "default" {
        return Ok(account.dhcp_options.clone());
    }
    let own = |row: &&DhcpOptions| row.who == call.who && row.id == named;
    world.dhcp_options.iter().find(own).map(|row| row.id.clone()).ok_or(NO_OPTIONS)
}

/// "You must disassociate the set of DHCP options before you can delete it."
pub fn delete_options(world: &mut World, call: &Call) -> Outcome {
    let id = find_options(world, call)?;
    if world.vpcs.iter().any(|vpc| vpc.dhcp_options == id) {
        return Err("DependencyViolation".into());
    }
    world.dhcp_options.retain(|row| row.id != id);
    world.untag(&id);
    Ok(vec![leaf("return", true)])
}

/// The default VPC's DHCP is the operator's.
pub fn associate_options(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let id = faults.note(find_options(world, call));
    let vpc = faults.note(world.own_vpc(call.who, call.params.one("VpcId"))).cloned();
    let turns = vpc.as_ref().is_some_and(|vpc| vpc.is_default && id.as_ref() != Some(&vpc.dhcp_options));
    faults.add_if(turns, "OperationNotPermitted");
    faults.done()?;
    let (vpc, id) = (vpc.unwrap().id, id.unwrap());
    world.vpcs.iter_mut().filter(|one| one.id == vpc).for_each(|one| one.dhcp_options = id.clone());
    Ok(vec![leaf("return", true)])
}

/// "Attaches an internet gateway [...] to a VPC", which has one at most, as a gateway has one VPC.
pub fn attach(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let at = faults.note(find_gateway(world, call));
    let vpc = faults.note(world.own_vpc(call.who, call.params.one("VpcId"))).map(|vpc| vpc.id.clone());
    faults.add_if(at.is_some_and(|at| world.gateways[at].vpc.is_some()), "Resource.AlreadyAssociated");
    let other = vpc.is_some() && world.gateways.iter().any(|one| one.vpc == vpc);
    faults.add_if(other, VALUE);
    faults.done()?;
    world.gateways[at.unwrap()].vpc = vpc;
    Ok(vec![leaf("return", true)])
}

/// "The VPC must not contain any running instances with Elastic IP addresses or public IPv4 addresses."
pub fn detach(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let at = faults.note(find_gateway(world, call));
    let vpc = faults.note(world.own_vpc(call.who, call.params.one("VpcId"))).cloned();
    if let (Some(at), Some(vpc)) = (at, &vpc) {
        faults.add_if(world.gateways[at].vpc.as_ref() != Some(&vpc.id), "Gateway.NotAttached");
        faults.add_if(vpc.is_default, "OperationNotPermitted");
        let led = |one: &Interface| {
            let public = one.ips().any(|ip| world.public_of(one, ip).is_some());
            public && world.subnet(&one.subnet).vpc == vpc.id
        };
        faults.add_if(world.interfaces.iter().any(led), "DependencyViolation");
    }
    faults.done()?;
    world.gateways[at.unwrap()].vpc = None;
    Ok(vec![leaf("return", true)])
}

pub fn options_shape(world: &World, row: &DhcpOptions) -> Vec<Tree> {
    let value = |value: &String| vec![leaf("value", value)];
    let configuration = |(key, values): &(String, Vec<String>)| {
        vec![leaf("key", key), list("valueSet", values.iter().map(value).collect())]
    };
    vec![
        leaf("dhcpOptionsId", &row.id),
        leaf("ownerId", &world.accounts[row.who].id),
        list("dhcpConfigurationSet", row.configurations.iter().map(configuration).collect()),
        tag_set("tagSet", &world.tags_of(&row.id)),
    ]
}

/// A call about them.
pub fn choose(chooser: &mut Chooser<'_>, call: Call) -> Call {
    match call.action {
        "CreateInternetGateway" => chooser.with_tags(call, "internet-gateway"),
        "DeleteInternetGateway" => {
            let id = made(chooser, "igw");
            call.with("InternetGatewayId", id)
        }
        "CreateDhcpOptions" => {
            let call = configured(chooser, call);
            chooser.with_tags(call, "dhcp-options")
        }
        "DeleteDhcpOptions" => {
            let id = made(chooser, "dopt");
            call.with("DhcpOptionsId", id)
        }
        "AttachInternetGateway" => {
            let id = made(chooser, "igw");
            let vpc = chooser.vpc();
            call.with("InternetGatewayId", id).with("VpcId", vpc)
        }
        "DetachInternetGateway" => {
            let own = |row: &&Gateway| row.who == chooser.who && row.vpc.is_some();
            let attached: Vec<Gateway> = chooser.world.gateways.iter().filter(own).cloned().collect();
            let one = chooser.dice.pick(&attached).clone();
            let vpc = if chooser.dice.once_in(4) { chooser.vpc() } else { one.vpc.unwrap() };
            call.with("InternetGatewayId", one.id).with("VpcId", vpc)
        }
        _ => {
            let own = chooser.world.accounts[chooser.who].clone();
            let id = match chooser.dice.below(4) {
                0 => "default".to_owned(),
                1 => own.dhcp_options,
                _ => chooser.id("dopt"),
            };
            let vpc = chooser.vpc();
            call.with("DhcpOptionsId", id).with("VpcId", vpc)
        }
    }
}

/// An id, mostly of one that was made, and not of what the default VPC has, which is the first.
fn made(chooser: &mut Chooser<'_>, prefix: &str) -> String {
    let used = |id: &String| chooser.world.vpcs.iter().any(|vpc| vpc.dhcp_options == *id);
    let gateways = &chooser.world.gateways;
    let attached = |id: &String| gateways.iter().any(|row| row.id == *id && row.vpc.is_some());
    let mut free = chooser.own(chooser.who, prefix);
    free.retain(|id| !used(id) && !attached(id));
    match free.is_empty() || chooser.dice.once_in(3) {
        true => chooser.id(prefix),
        false => chooser.dice.pick(&free).clone(),
    }
}

fn configured(chooser: &mut Chooser<'_>, mut call: Call) -> Call {
    let count = 1 + chooser.dice.below(3);
    for index in chooser.indexes(count) {
        let key = if chooser.dice.once_in(12) { "domain" } else { *chooser.dice.pick(&KEYS) };
        let values: &[&str] = match key {
            "domain-name" => &["example.com", "a.b-c.example", "x", "-x.example", "example.com,b.example"],
            "netbios-node-type" => &["1", "2", "4", "8", "3", "x"],
            "domain-name-servers" => {
                &["AmazonProvidedDNS", "10.2.5.1", "10.2.5.1, 10.2.5.2", "1,2", "9.9.9.9"]
            }
            _ => &[
                "10.2.5.1",
                "10.2.5.1,10.2.5.2,10.2.5.3",
                "10.1.1.1,10.1.1.2,10.1.1.3,10.1.1.4,10.1.1.5",
                "",
            ],
        };
        call.params.set(format!("DhcpConfiguration.{index}.Key"), key);
        for at in 1..=1 + chooser.dice.below(2) {
            call.params.set(format!("DhcpConfiguration.{index}.Value.{at}"), chooser.dice.pick(values));
        }
    }
    call
}
