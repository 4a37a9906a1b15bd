//! Instances and interfaces as DescribeInstances and DescribeNetworkInterfaces tell them.

use super::instances::KINDS;
use super::tree::{Tree, leaf, list, node, tag_set};
use super::world::*;

const DOMAIN: &str = "ec2.internal";

fn private_name(ip: &str) -> String {
    format!("ip-{}.{DOMAIN}", ip.replace('.', "-"))
}

/// "If at least one of the attributes is set to false [...] instances with a public IP address do not receive corresponding
/// public DNS hostnames" (VPC User Guide, DNS attributes in your VPC).
fn public_name(world: &World, own: &Interface, ip: &str) -> String {
    let vpc = world.vpc(&world.subnet(&own.subnet).vpc).unwrap();
    if !vpc.support || !vpc.hostnames {
        return String::new();
    }
    format!("ec2-{}.{REGION}.compute.{DOMAIN}", ip.replace('.', "-"))
}

fn group_set(world: &World, interface: Option<&Interface>) -> Tree {
    let groups = interface.map_or(&[][..], |one| &one.groups[..]);
    let item = |id: &String| {
        let group = world.groups.iter().find(|group| group.id == *id).expect("a group in use stays");
        vec![leaf("groupId", id), leaf("groupName", &group.name)]
    };
    list("groupSet", groups.iter().map(item).collect())
}

fn of_state(name: &str, state: State) -> Tree {
    let (code, text) = state.told();
    node(name, vec![leaf("code", code), leaf("name", text)])
}

/// EC2's StateTransitionReason.
fn transition(one: &Instance) -> String {
    match (&one.state, &one.why) {
        (State::Pending | State::Running, _) | (_, None) => String::new(),
        (_, Some((code, _))) if code.starts_with("Client.User") => {
            format!("~user {} {}", one.id, one.changes)
        }
        (_, Some((code, _))) => code.clone(),
    }
}

/// What no instance of ours has otherwise.
fn constant() -> Vec<Tree> {
    let off = |name: &str, inner: &str| node(name, vec![leaf(inner, false)]);
    vec![
        list("productCodes", Vec::new()),
        list("blockDeviceMapping", Vec::new()),
        node(
            "placement",
            vec![leaf("availabilityZone", ZONE), leaf("groupName", ""), leaf("tenancy", "default")],
        ),
        node("monitoring", vec![leaf("state", "disabled")]),
        leaf("architecture", "x86_64"),
        leaf("rootDeviceType", "instance-store"),
        leaf("virtualizationType", "hvm"),
        leaf("hypervisor", "xen"),
        leaf("ebsOptimized", false),
        leaf("enaSupport", true),
        node("capacityReservationSpecification", vec![leaf("capacityReservationPreference", "open")]),
        off("hibernationOptions", "configured"),
        off("enclaveOptions", "enabled"),
        node("maintenanceOptions", vec![leaf("autoRecovery", "default")]),
        node(
            "privateDnsNameOptions",
            vec![
                leaf("hostnameType", "ip-name"),
                leaf("enableResourceNameDnsARecord", false),
                leaf("enableResourceNameDnsAAAARecord", false),
            ],
        ),
        leaf("platformDetails", "Linux/UNIX"),
        leaf("usageOperation", "RunInstances"),
        leaf("currentInstanceBootMode", "legacy-bios"),
    ]
}

pub fn instance(world: &World, one: &Instance) -> Vec<Tree> {
    let interfaces: Vec<_> = world.interfaces_of(&one.id).iter().map(|at| &world.interfaces[*at]).collect();
    let interface = interfaces.first().copied();
    let public = interface.and_then(|own| world.public_of(own, &own.ip)).map(|(ip, _)| ip);
    let public_dns = interface.zip(public.as_ref()).map(|(own, ip)| public_name(world, own, ip));
    let public_dns = public_dns.unwrap_or_default();
    let launched = format!("~time launch {} {}", one.id, one.starts);
    let (_, cores, threads) = KINDS.iter().find(|(name, ..)| *name == one.kind).unwrap();
    let (tokens, hops, endpoint, tags_told) = &one.metadata;
    let mut tree = constant();
    tree.extend([
        leaf("instanceId", &one.id),
        leaf("imageId", &world.image),
        of_state("instanceState", one.state),
        leaf("privateDnsName", interface.map_or_else(String::new, |own| private_name(&own.ip))),
        leaf("dnsName", public_dns),
        leaf("reason", transition(one)),
        leaf("amiLaunchIndex", one.index),
        leaf("instanceType", &one.kind),
        leaf("launchTime", &launched),
        leaf("usageOperationUpdateTime", &launched),
        group_set(world, interface),
        leaf("clientToken", &one.token),
        node("cpuOptions", vec![leaf("coreCount", cores), leaf("threadsPerCore", threads)]),
        node(
            "metadataOptions",
            vec![
                leaf("state", "applied"),
                leaf("httpTokens", tokens),
                leaf("httpPutResponseHopLimit", hops),
                leaf("httpEndpoint", endpoint),
                leaf("httpProtocolIpv6", "disabled"),
                leaf("instanceMetadataTags", tags_told),
            ],
        ),
        list("networkInterfaceSet", interfaces.iter().map(|own| within(world, own)).collect()),
    ]);
    tree.extend(one.key.as_ref().map(|name| leaf("keyName", name)));
    tree.extend(
        one.why
            .as_ref()
            .map(|(code, message)| node("stateReason", vec![leaf("code", code), leaf("message", message)])),
    );
    if let Some(own) = interface {
        tree.push(leaf("subnetId", &own.subnet));
        tree.push(leaf("vpcId", &world.subnet(&own.subnet).vpc));
        tree.push(leaf("privateIpAddress", &own.ip));
        tree.push(leaf("sourceDestCheck", own.checked));
    }
    tree.extend(public.map(|ip| leaf("ipAddress", ip)));
    let tags = world.tags_of(&one.id);
    if !tags.is_empty() {
        tree.push(tag_set("tagSet", &tags));
    }
    tree
}

/// What an interface tells in both places, without its address.
fn common(world: &World, own: &Interface) -> Vec<Tree> {
    let nat = world.nat_of(&own.id).is_some();
    vec![
        leaf("networkInterfaceId", &own.id),
        leaf("subnetId", &own.subnet),
        leaf("vpcId", &world.subnet(&own.subnet).vpc),
        leaf("description", &own.description),
        leaf("ownerId", &world.accounts[own.who].id),
        leaf("status", if own.attachment.is_some() || nat { "in-use" } else { "available" }),
        leaf("macAddress", &own.mac),
        leaf("privateIpAddress", &own.ip),
        leaf("privateDnsName", private_name(&own.ip)),
        leaf("sourceDestCheck", own.checked),
        leaf("interfaceType", if nat { "nat_gateway" } else { "interface" }),
        list("ipv6AddressesSet", Vec::new()),
        group_set(world, Some(own)),
    ]
}

/// The attachment and the address, in the words that both places have.
fn links(world: &World, own: &Interface, long: bool) -> Vec<Tree> {
    let attachment = own.attachment.as_ref().map(|to| {
        let mut inner = vec![
            leaf("attachmentId", &to.id),
            leaf("deviceIndex", to.index),
            leaf("networkCardIndex", 0),
            leaf("status", "attached"),
            leaf("attachTime", format!("~time attach {}", to.id)),
            leaf("deleteOnTermination", to.goes_with_it),
        ];
        if long {
            inner.push(leaf("instanceId", &to.instance));
            inner.push(leaf("instanceOwnerId", &world.accounts[own.who].id));
        }
        node("attachment", inner)
    });
    let association = |at: &str| {
        let (ip, owner) = world.public_of(own, at)?;
        let mut inner = vec![
            leaf("publicIp", &ip),
            leaf("publicDnsName", public_name(world, own, &ip)),
            leaf("ipOwnerId", owner),
        ];
        if let Some(address) = world.address_at(&own.id, at).filter(|_| long) {
            let (id, ..) = address.association.as_ref().unwrap();
            inner.push(leaf("allocationId", &address.id));
            inner.push(leaf("associationId", id));
        }
        Some(node("association", inner))
    };
    let private = |ip: &String| {
        let mut tree = vec![
            leaf("privateIpAddress", ip),
            leaf("privateDnsName", private_name(ip)),
            leaf("primary", *ip == own.ip),
        ];
        tree.extend(association(ip));
        tree
    };
    let mut tree = vec![list("privateIpAddressesSet", own.ips().map(private).collect())];
    tree.extend(attachment.into_iter().chain(association(&own.ip)));
    tree
}

/// An interface within its instance.
fn within(world: &World, own: &Interface) -> Vec<Tree> {
    [common(world, own), links(world, own, false)].concat()
}

pub fn interface(world: &World, own: &Interface) -> Vec<Tree> {
    let more = vec![
        leaf("availabilityZone", ZONE),
        leaf("availabilityZoneId", ZONE_ID),
        leaf("requesterManaged", world.nat_of(&own.id).is_some()),
        tag_set("tagSet", &world.tags_of(&own.id)),
    ];
    [common(world, own), links(world, own, true), more].concat()
}
