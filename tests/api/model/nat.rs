//! NAT gateways, by EC2's reference: CreateNatGateway, DeleteNatGateway.

use super::call::{COMBINATION, Call, Code, Faults, MISSING};
use super::instances::NO_ROOM;
use super::tree::{Tree, leaf, list, node, tag_set};
use super::world::*;

#[derive(Clone, Debug)]
pub struct NatGateway {
    pub who: usize,
    pub id: String,
    pub subnet: String,
    pub vpc: String,
    pub interface: String,
    pub private_ip: String,
    pub allocation: String,
    pub public_ip: String,
    /// Whether a host has it: the operator's only one takes nothing new while it is drained.
    pub placed: bool,
    pub deleted: bool,
}

/// "You do not have permission to access the specified resource": what a NAT gateway has is its own.
pub const MANAGED: Code = "AuthFailure";
/// "NAT gateways per Availability Zone: 5".
const MOST: usize = 5;

impl World {
    /// The NAT gateway that an interface belongs to.
    pub fn nat_of(&self, interface: &str) -> Option<&NatGateway> {
        self.nats.iter().find(|one| one.interface == interface && !one.deleted)
    }

    /// Whether an elastic address leads to a NAT gateway.
    pub fn is_nats(&self, address: &Address) -> bool {
        address.association.as_ref().is_some_and(|(_, to, _)| self.nat_of(to).is_some())
    }
}

fn answer(world: &World, call: &Call, id: &str) -> Vec<Tree> {
    let row = world.nats.iter().find(|one| one.id == id).unwrap();
    let mut answer = vec![node("natGateway", shape(world, row))];
    answer.extend(call.params.one("ClientToken").map(|token| leaf("clientToken", token)));
    answer
}

pub fn create(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let made = world.replayed(call)?;
    if let Some(id) = made.filter(|id| world.nats.iter().any(|one| one.id == *id)) {
        return Ok(answer(world, call, &id));
    }
    let params = &call.params;
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(params, &["natgateway"], "natgateway"));
    // "You cannot associate an Elastic IP address with a private NAT gateway": calls here always name one.
    faults.add_if(params.one("ConnectivityType") == Some("private"), COMBINATION);
    let subnet = faults.note(world.own_subnet(call.who, params.one("SubnetId"))).cloned();
    let id = params.one("AllocationId");
    faults.add_if(id.is_none(), MISSING);
    let own = |address: &Address| address.who == call.who && Some(&*address.id) == id;
    let at = world.addresses.iter().position(own);
    faults.add_if(id.is_some() && at.is_none(), "InvalidAllocationID.NotFound");
    let led = at.is_some_and(|at| world.addresses[at].association.is_some());
    faults.add_if(led, "Resource.AlreadyAssociated");
    if let Some(subnet) = &subnet {
        // The operator's networks translate by themselves.
        faults.add_if(subnet.is_default, "UnsupportedOperation");
        let has_gateway = world.gateways.iter().any(|one| one.vpc.as_ref() == Some(&subnet.vpc));
        faults.add_if(!has_gateway, "Gateway.NotAttached");
        if let Some(ip) = params.one("PrivateIpAddress") {
            faults.note(world.may_have(subnet, ip));
        }
        let full = world.fresh_in(subnet) < 1 && reply.at("Errors/Error/Code") == NO_ROOM;
        faults.add_if(full, NO_ROOM);
    }
    let count = world.nats.iter().filter(|one| one.who == call.who && !one.deleted).count();
    faults.add_if(count >= MOST, "NatGatewayLimitExceeded");
    faults.done()?;
    let (subnet, at) = (subnet.unwrap(), at.unwrap());
    let row = reply.get("natGateway").cloned().unwrap_or_default();
    let part = |name: &str| row.all(&format!("natGatewayAddressSet/{name}")).first().cloned();
    let part = |name: &str| part(name).unwrap_or_default();
    let id = world.new_id(row.at("natGatewayId"), "nat");
    let interface = world.new_id(&part("networkInterfaceId"), "eni");
    let association = world.new_id(&part("associationId"), "eipassoc");
    let private_ip = world.take(&subnet, params.one("PrivateIpAddress"), part("privateIp"));
    world.interfaces.push(Interface {
        who: call.who,
        id: interface.clone(),
        subnet: subnet.id.clone(),
        // No answer tells it yet.
        mac: format!("~mac {interface}"),
        ip: private_ip.clone(),
        more: Vec::new(),
        groups: Vec::new(),
        description: format!("Interface for NAT Gateway {id}"),
        checked: false,
        attachment: None,
        auto_public: false,
        public: None,
    });
    world.addresses[at].association = Some((association, interface.clone(), private_ip.clone()));
    world.tag(call.who, &id, &tags.unwrap());
    world.remember(call, &id);
    world.nats.push(NatGateway {
        who: call.who,
        id: id.clone(),
        subnet: subnet.id,
        vpc: subnet.vpc,
        interface,
        private_ip,
        allocation: world.addresses[at].id.clone(),
        public_ip: world.addresses[at].ip.clone(),
        placed: !world.drained,
        deleted: false,
    });
    Ok(answer(world, call, &id))
}

/// "Deleting a public NAT gateway disassociates its Elastic IP address, but does not release the address from your account.
/// Deleting a NAT gateway does not delete any NAT gateway routes in your route tables"; it stays "visible [...] for a
/// short while (usually about an hour)".
pub fn delete(world: &mut World, call: &Call) -> Outcome {
    let id = call.params.one("NatGatewayId").unwrap();
    let own = |one: &NatGateway| one.who == call.who && one.id == id;
    let at = world.nats.iter().position(own).ok_or("NatGatewayNotFound")?;
    let interface = world.nats[at].interface.clone();
    world.nats[at].deleted = true;
    if let Some(at) = world.interfaces.iter().position(|one| one.id == interface) {
        world.forget_interface(at);
    }
    Ok(vec![leaf("natGatewayId", id)])
}

pub fn shape(world: &World, one: &NatGateway) -> Vec<Tree> {
    let state = match (one.deleted, one.placed) {
        (true, _) => "deleted",
        (false, true) => "available",
        (false, false) => "pending",
    };
    let mut address = vec![
        leaf("allocationId", &one.allocation),
        leaf("networkInterfaceId", &one.interface),
        leaf("privateIp", &one.private_ip),
        leaf("publicIp", &one.public_ip),
        leaf("isPrimary", true),
        leaf("status", "succeeded"),
    ];
    let led = world.address_at(&one.interface, &one.private_ip).and_then(|row| row.association.as_ref());
    address.extend(led.map(|(id, ..)| leaf("associationId", id)));
    let mut tree = vec![
        leaf("natGatewayId", &one.id),
        leaf("subnetId", &one.subnet),
        leaf("vpcId", &one.vpc),
        leaf("state", state),
        leaf("connectivityType", "public"),
        leaf("availabilityMode", "zonal"),
        leaf("createTime", format!("~time {}", one.id)),
        list("natGatewayAddressSet", vec![address]),
        tag_set("tagSet", &world.tags_of(&one.id)),
    ];
    if one.deleted {
        tree.push(leaf("deleteTime", format!("~time deleted {}", one.id)));
    }
    tree
}
