//! Network interfaces, by EC2's reference: CreateNetworkInterface, DeleteNetworkInterface, AttachNetworkInterface,
//! DetachNetworkInterface, ModifyNetworkInterfaceAttribute, ResetNetworkInterfaceAttribute. `private` has their addresses.

use super::call::{COMBINATION, Call, Code, Faults, MISSING, VALUE};
use super::instances::{NO_ROOM, groups, limits, mac};
use super::nat::MANAGED;
use super::private::Asked;
use super::shapes;
use super::tree::{Tree, leaf, node};
use super::world::*;

pub const NO_INTERFACE: Code = "InvalidNetworkInterfaceID.NotFound";
const NO_ATTACHMENT: Code = "InvalidAttachmentID.NotFound";
pub const TOO_MANY: Code = "PrivateIpAddressLimitExceeded";

impl World {
    pub fn own_interface(&self, call: &Call) -> Result<usize, Code> {
        let id = call.params.one("NetworkInterfaceId");
        let own = |one: &Interface| one.who == call.who && Some(&*one.id) == id;
        self.interfaces.iter().position(own).ok_or(NO_INTERFACE)
    }

    /// The same, where no NAT gateway has it.
    pub fn free_interface(&self, call: &Call) -> Result<usize, Code> {
        let at = self.own_interface(call)?;
        if self.nat_of(&self.interfaces[at].id).is_some() { Err(MANAGED) } else { Ok(at) }
    }

    /// The instance that an interface is attached to.
    pub fn holder(&self, one: &Interface) -> Option<&Instance> {
        let to = one.attachment.as_ref()?;
        self.instances.iter().find(|instance| instance.id == to.instance)
    }

    /// Forgets an interface, which nothing leads to any more; routes do not know of that.
    pub fn forget_interface(&mut self, at: usize) {
        let gone = self.interfaces.remove(at);
        self.free(&gone.id);
        self.untag(&gone.id);
    }
}

fn answer(world: &World, call: &Call, id: &str) -> Vec<Tree> {
    let row = world.interfaces.iter().find(|one| one.id == id).unwrap();
    let mut answer = vec![node("networkInterface", shapes::interface(world, row))];
    answer.extend(call.params.one("ClientToken").map(|token| leaf("clientToken", token)));
    answer
}

pub fn create(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let made = world.replayed(call)?;
    if let Some(id) = made.filter(|id| world.interfaces.iter().any(|one| one.id == *id)) {
        return Ok(answer(world, call, &id));
    }
    let params = &call.params;
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(params, &["network-interface"], "network-interface"));
    let subnet = faults.note(world.own_subnet(call.who, params.one("SubnetId"))).cloned();
    let ids = params.list("SecurityGroupId");
    let groups = subnet.as_ref().map(|subnet| groups(world, &subnet.vpc, &ids, &[], &mut faults));
    let asked = Asked::read(params, &mut faults);
    faults.add_if(asked.count_all() > 50, TOO_MANY);
    let told = reply.at("Errors/Error/Code");
    if let Some(subnet) = &subnet {
        asked.check(world, subnet, &mut faults);
        // What was freed just now may rest for a while.
        let full = asked.is_more_than(world.fresh_in(subnet));
        faults.add_if(full && told == NO_ROOM, NO_ROOM);
    }
    faults.done()?;
    let subnet = subnet.unwrap();
    let row = reply.get("networkInterface").cloned().unwrap_or_default();
    let id = world.new_id(row.at("networkInterfaceId"), "eni");
    let mac = mac(world, row.at("macAddress").into());
    let (ip, more) = asked.take(world, &subnet, &row);
    world.tag(call.who, &id, &tags.unwrap());
    world.remember(call, &id);
    world.interfaces.push(Interface {
        who: call.who,
        id: id.clone(),
        subnet: subnet.id,
        mac,
        ip,
        more,
        groups: groups.unwrap(),
        description: params.one("Description").unwrap_or_default().to_owned(),
        checked: true,
        attachment: None,
        auto_public: false,
        public: None,
    });
    Ok(answer(world, call, &id))
}

/// "You must detach the network interface before you can delete it."
pub fn delete(world: &mut World, call: &Call) -> Outcome {
    let at = world.own_interface(call)?;
    let one = &world.interfaces[at];
    if one.attachment.is_some() || world.nat_of(&one.id).is_some() {
        return Err(VALUE.into());
    }
    world.forget_interface(at);
    Ok(vec![leaf("return", true)])
}

pub fn attach(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let params = &call.params;
    let mut faults = Faults::default();
    let at = faults.note(world.own_interface(call));
    let id = params.one("InstanceId").unwrap();
    let own = |one: &&Instance| one.who == call.who && one.id == id;
    let instance = faults.note(world.instances.iter().find(own).ok_or("InvalidInstanceID.NotFound"));
    faults.add_if(params.number("NetworkCardIndex").unwrap_or(0) != 0, VALUE);
    let index = params.number("DeviceIndex").unwrap();
    let taken = |one: &Interface| one.attachment.is_some() || world.nat_of(&one.id).is_some();
    let taken = at.is_some_and(|at| taken(&world.interfaces[at]));
    faults.add_if(taken, "InvalidNetworkInterface.InUse");
    if let Some(instance) = instance {
        let fits = matches!(instance.state, State::Running | State::Stopped);
        faults.add_if(!fits, "IncorrectInstanceState");
        let there = world.interfaces_of(id);
        let same = |at: &usize| world.interfaces[*at].attachment.as_ref().unwrap().index == index;
        faults.add_if(there.iter().any(same), VALUE);
        let (interfaces, addresses) = limits(&instance.kind);
        faults.add_if(there.len() >= interfaces, "AttachmentLimitExceeded");
        faults.add_if(at.is_some_and(|at| world.interfaces[at].ips().count() > addresses), TOO_MANY);
    }
    faults.done()?;
    let id = id.to_owned();
    let attachment = world.new_id(reply.at("attachmentId"), "eni-attach");
    let row = Attachment { id: attachment.clone(), instance: id, index, goes_with_it: false };
    world.interfaces[at.unwrap()].attachment = Some(row);
    Ok(vec![leaf("attachmentId", attachment), leaf("networkCardIndex", 0)])
}

/// "You cannot detach the primary network interface."
pub fn detach(world: &mut World, call: &Call) -> Outcome {
    let id = call.params.one("AttachmentId").unwrap();
    let own = |one: &Interface| one.who == call.who && one.attachment.as_ref().is_some_and(|to| to.id == id);
    let at = world.interfaces.iter().position(own).ok_or(NO_ATTACHMENT)?;
    if world.interfaces[at].attachment.as_ref().unwrap().index == 0 {
        return Err("OperationNotPermitted".into());
    }
    world.interfaces[at].attachment = None;
    Ok(vec![leaf("return", true)])
}

/// "You can specify only one attribute at a time."
pub fn modify(world: &mut World, call: &Call) -> Outcome {
    let params = &call.params;
    let mut faults = Faults::default();
    let at = faults.note(world.free_interface(call));
    let ids = params.list("SecurityGroupId");
    let (description, checked) = (params.one("Description.Value"), params.flag("SourceDestCheck.Value"));
    let public = params.flag("AssociatePublicIpAddress");
    let attachment = params.one("Attachment.AttachmentId");
    let goes = params.flag("Attachment.DeleteOnTermination");
    let given = [
        description.is_some(),
        checked.is_some(),
        public.is_some(),
        !ids.is_empty(),
        attachment.is_some() || goes.is_some(),
    ];
    faults.add_if(given.iter().filter(|given| **given).count() != 1, COMBINATION);
    let mut found = Vec::new();
    if let Some(at) = at.filter(|_| !ids.is_empty()) {
        let vpc = world.subnet(&world.interfaces[at].subnet).vpc.clone();
        found = groups(world, &vpc, &ids, &[], &mut faults);
    }
    if given[4] {
        faults.add_if(attachment.is_none() || goes.is_none(), MISSING);
        let own = at.and_then(|at| world.interfaces[at].attachment.as_ref());
        let other = attachment.is_some() && own.map(|own| &*own.id) != attachment;
        faults.add_if(at.is_some() && other, NO_ATTACHMENT);
    }
    faults.done()?;
    let one = &mut world.interfaces[at.unwrap()];
    one.description = description.map_or(one.description.clone(), str::to_owned);
    one.checked = checked.unwrap_or(one.checked);
    one.auto_public = public.unwrap_or(one.auto_public);
    if !found.is_empty() {
        one.groups = found;
    }
    if let (Some(own), Some(goes)) = (&mut one.attachment, goes) {
        own.goes_with_it = goes;
    }
    Ok(vec![leaf("return", true)])
}

pub fn reset(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let at = faults.note(world.free_interface(call));
    faults.add_if(!call.params.has("SourceDestCheck"), COMBINATION);
    faults.done()?;
    world.interfaces[at.unwrap()].checked = true;
    Ok(vec![leaf("return", true)])
}
