//! Calls about network interfaces.

use super::call::Call;
use super::families::Family;
use super::steps::Chooser;
use super::world::*;

pub const INTERFACES: Family = Family {
    actions: &[
        ("CreateNetworkInterface", 9),
        ("DeleteNetworkInterface", 4),
        ("AttachNetworkInterface", 12),
        ("DetachNetworkInterface", 8),
        ("ModifyNetworkInterfaceAttribute", 6),
        ("ResetNetworkInterfaceAttribute", 2),
        ("AssignPrivateIpAddresses", 8),
        ("UnassignPrivateIpAddresses", 4),
    ],
    choose,
    has_what_it_takes: |chooser, action| {
        let own = chooser.world.interfaces.iter().filter(|one| one.who == chooser.who);
        let mut own = own.filter(|one| match action {
            "DeleteNetworkInterface" | "AttachNetworkInterface" => one.attachment.is_none(),
            "DetachNetworkInterface" => one.attachment.as_ref().is_some_and(|to| to.index > 0),
            "UnassignPrivateIpAddresses" => !one.more.is_empty(),
            _ => true,
        });
        let fits =
            |one: &Instance| one.who == chooser.who && matches!(one.state, State::Running | State::Stopped);
        let to = action != "AttachNetworkInterface" || chooser.world.instances.iter().any(fits);
        action == "CreateNetworkInterface" || (to && own.next().is_some())
    },
};

impl Chooser<'_> {
    /// An interface: mostly one that is so.
    fn interface(&mut self, fits: impl Fn(&Interface) -> bool) -> String {
        let own = self.world.interfaces.iter().filter(|one| one.who == self.who && fits(one));
        let own = own.map(|one| one.id.clone()).collect();
        self.mostly(own, "eni")
    }

    /// Groups of a VPC, mostly.
    pub fn groups_in(&mut self, vpc: Option<&str>, count: usize) -> Vec<String> {
        let there = self.world.groups.iter().filter(|one| Some(&*one.vpc) == vpc);
        let there: Vec<String> = there.map(|one| one.id.clone()).collect();
        (0..count).map(|_| self.mostly(there.clone(), "sg")).collect()
    }

    /// An address of a subnet: one that nobody ever had, one that somebody has, or one that nobody can have.
    pub fn address_in(&mut self, subnet: &str) -> String {
        let taken: Vec<_> = self.world.interfaces.iter().flat_map(Interface::ips).cloned().collect();
        let Some(subnet) = self.world.subnets.iter().find(|one| one.id == subnet) else {
            return "10.0.0.9".into();
        };
        let (space, block) = (self.world.space_of(subnet).to_owned(), subnet.block);
        let fresh = |number: &u32| !self.world.used.contains(&(space.clone(), *number));
        let first = if subnet.is_default { self.world.highest + 1 } else { block.first + 4 };
        let fresh: Vec<u32> = (first.max(block.first + 4)..block.last()).filter(fresh).take(4).collect();
        match self.dice.below(8) {
            0 if !taken.is_empty() => self.dice.pick(&taken).clone(),
            1 => ip_text(*self.dice.pick(&[block.first, block.first + 3, block.last(), block.first - 1])),
            _ if fresh.is_empty() => self.dice.pick(&taken).clone(),
            _ => ip_text(*self.dice.pick(&fresh)),
        }
    }
}

fn choose(chooser: &mut Chooser<'_>, call: Call) -> Call {
    match call.action {
        "CreateNetworkInterface" => create(chooser, call),
        "DeleteNetworkInterface" => {
            let id = chooser.interface(|one| one.attachment.is_none());
            call.with("NetworkInterfaceId", id)
        }
        "AttachNetworkInterface" => {
            let id = chooser.interface(|one| one.attachment.is_none());
            let fits = |one: &&Instance| matches!(one.state, State::Running | State::Stopped);
            let own = chooser.world.instances.iter().filter(|one| one.who == chooser.who).filter(fits);
            let own = own.map(|one| one.id.clone()).collect();
            let instance = chooser.mostly(own, "i");
            let index = *chooser.dice.pick(&[0, 1, 1, 1, 2, 5]);
            let call = call.with("NetworkInterfaceId", id).with("InstanceId", instance);
            let mut call = call.with("DeviceIndex", index);
            if chooser.dice.once_in(10) {
                call.params.set("NetworkCardIndex", chooser.dice.pick(&[0, 0, 1]));
            }
            call
        }
        "DetachNetworkInterface" => {
            let first = chooser.dice.once_in(6);
            let own = chooser.world.interfaces.iter().filter(|one| one.who == chooser.who);
            let own = own.filter_map(|one| one.attachment.as_ref()).filter(|to| first || to.index > 0);
            let own = own.map(|to| to.id.clone()).collect();
            let id = chooser.mostly(own, "eni-attach");
            let call = call.with("AttachmentId", id);
            if chooser.dice.once_in(4) { call.with("Force", "true") } else { call }
        }
        "ModifyNetworkInterfaceAttribute" => modify(chooser, call),
        "ResetNetworkInterfaceAttribute" => {
            let id = chooser.interface(|one| !one.checked);
            let call = call.with("NetworkInterfaceId", id);
            if chooser.dice.once_in(6) { call } else { call.with("SourceDestCheck", "true") }
        }
        "AssignPrivateIpAddresses" => assign(chooser, call),
        _ => {
            let id = chooser.interface(|one| !one.more.is_empty());
            let own = chooser.world.interfaces.iter().find(|one| one.id == id).cloned();
            let mut ips = own.as_ref().map_or_else(Vec::new, |one| one.more.clone());
            ips.truncate(chooser.dice.below(2) + 1);
            if let Some(own) = own.filter(|_| chooser.dice.once_in(6)) {
                ips.push(own.ip);
            }
            let call = call.with("NetworkInterfaceId", id);
            chooser.listed(call, "PrivateIpAddress", &ips)
        }
    }
}

fn create(chooser: &mut Chooser<'_>, call: Call) -> Call {
    let subnet = if chooser.theme.networks { chooser.subnet() } else { chooser.id("subnet") };
    let vpc = chooser.world.subnets.iter().find(|one| one.id == subnet).map(|one| one.vpc.clone());
    let mut call = call.with("SubnetId", &subnet);
    let count = [0, 0, 1, 1, 2, 6][chooser.dice.below(6)];
    let ids = chooser.groups_in(vpc.as_deref(), count);
    call = chooser.listed(call, "SecurityGroupId", &ids);
    if chooser.dice.once_in(3) {
        call.params.set("Description", chooser.dice.pick(&["an interface", "<&>"]));
    }
    if chooser.dice.once_in(4) {
        let ip = chooser.address_in(&subnet);
        call.params.set("PrivateIpAddress", ip);
    }
    if chooser.dice.once_in(4) {
        for index in 1..=chooser.dice.below(3) {
            let ip = chooser.address_in(&subnet);
            call.params.set(format!("PrivateIpAddresses.{index}.PrivateIpAddress"), ip);
            if chooser.dice.once_in(2) {
                let primary = chooser.dice.pick(&["true", "false", "false"]);
                call.params.set(format!("PrivateIpAddresses.{index}.Primary"), primary);
            }
        }
    }
    if chooser.dice.once_in(5) {
        let count = chooser.dice.pick(&[0, 1, 2, 2, 3, 50]);
        call.params.set("SecondaryPrivateIpAddressCount", count);
    }
    let call = chooser.with_tags(call, "network-interface");
    chooser.token(call)
}

fn modify(chooser: &mut Chooser<'_>, call: Call) -> Call {
    let id = chooser.interface(|_| true);
    let own = chooser.world.interfaces.iter().find(|one| one.id == id).cloned();
    let vpc = own.as_ref().map(|one| chooser.world.subnet(&one.subnet).vpc.clone());
    let mut call = call.with("NetworkInterfaceId", id);
    for _ in 0..[1, 1, 1, 1, 1, 1, 0, 2][chooser.dice.below(8)] {
        let flag = *chooser.dice.pick(&["true", "false"]);
        let (name, value) = match chooser.dice.below(5) {
            0 => ("Description.Value", "another one".to_owned()),
            1 => ("SourceDestCheck.Value", flag.to_owned()),
            2 => ("AssociatePublicIpAddress", flag.to_owned()),
            3 => ("SecurityGroupId.1", chooser.groups_in(vpc.as_deref(), 1).remove(0)),
            _ => {
                let attached = own.as_ref().and_then(|one| one.attachment.as_ref()).map(|to| to.id.clone());
                let id = chooser.mostly(attached.into_iter().collect(), "eni-attach");
                if !chooser.dice.once_in(8) && !call.params.has("Attachment.AttachmentId") {
                    call.params.set("Attachment.AttachmentId", id);
                }
                ("Attachment.DeleteOnTermination", flag.to_owned())
            }
        };
        if !call.params.has(name) {
            call.params.set(name, value);
        }
    }
    call
}

fn assign(chooser: &mut Chooser<'_>, call: Call) -> Call {
    let id = chooser.interface(|one| one.attachment.is_none() || one.more.is_empty());
    let own = chooser.world.interfaces.iter().find(|one| one.id == id).cloned();
    let subnet = own.map_or_else(String::new, |one| one.subnet);
    let mut call = call.with("NetworkInterfaceId", id);
    let style = chooser.dice.below(12);
    if style == 0 || style > 5 {
        let mut ips: Vec<String> = (0..=chooser.dice.below(2)).map(|_| chooser.address_in(&subnet)).collect();
        let there = chooser.world.interfaces.iter().filter(|one| one.subnet == subnet);
        let held: Vec<String> = there.flat_map(|one| one.more.clone()).collect();
        let led = |ip: &&String| {
            let there = |(_, _, at): &(String, String, String)| at == *ip;
            chooser.world.addresses.iter().any(|one| one.association.as_ref().is_some_and(there))
        };
        let led: Vec<String> = held.iter().filter(led).cloned().collect();
        let held = if led.is_empty() || chooser.dice.once_in(3) { held } else { led };
        if !held.is_empty() && chooser.dice.once_in(2) {
            ips[0] = chooser.dice.pick(&held).clone();
        }
        ips.dedup();
        call = chooser.listed(call, "PrivateIpAddress", &ips);
    }
    if style < 5 {
        call.params.set("SecondaryPrivateIpAddressCount", chooser.dice.pick(&[0, 1, 1, 2, 3, 50]));
    }
    if chooser.dice.once_in(2) {
        call.params.set("AllowReassignment", chooser.dice.pick(&["true", "true", "false"]));
    }
    call
}
