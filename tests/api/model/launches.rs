//! Calls about instances.

use super::call::Call;
use super::instances::KINDS;
use super::steps::Chooser;
use super::world::*;

pub fn run(chooser: &mut Chooser, mut call: Call) -> Call {
    let image = match chooser.dice.once_in(20) {
        true => "ami-0123456789abcdef0".to_owned(),
        false => chooser.world.image.clone(),
    };
    call.params.set("ImageId", image);
    let (min, max) =
        *chooser.dice.pick(&[(1, 1), (1, 1), (1, 1), (1, 1), (1, 1), (1, 1), (1, 2), (1, 2), (2, 3), (2, 1)]);
    call.params.set("MinCount", min);
    call.params.set("MaxCount", max);
    if chooser.dice.once_in(3) {
        let bad = if chooser.dice.once_in(8) { "m9.huge" } else { chooser.dice.pick(KINDS).0 };
        call.params.set("InstanceType", bad);
    }
    if chooser.dice.once_in(4) {
        let own: Vec<_> = chooser.world.keys.iter().map(|key| key.name.clone()).collect();
        let name = if own.is_empty() { "none".into() } else { chooser.dice.pick(&own).clone() };
        call.params.set("KeyName", name);
    }
    let call = if chooser.dice.once_in(4) { inner(chooser, call) } else { top(chooser, call) };
    let call = switches(chooser, call);
    let kind = *chooser.dice.pick(&["instance", "instance", "network-interface"]);
    let call = chooser.with_tags(call, kind);
    chooser.token(call)
}

/// Groups of the VPC that a launch is in, mostly.
fn groups(chooser: &mut Chooser, call: &Call, prefix: &str) -> Vec<String> {
    let count = [0, 0, 1, 1, 1, 2, 3, 6][chooser.dice.below(8)];
    let subnet = call.params.one(&format!("{prefix}SubnetId"));
    let subnet = subnet.unwrap_or(&chooser.world.accounts[chooser.who].subnet);
    let subnet = chooser.world.subnets.iter().find(|one| one.id == subnet);
    let vpc = subnet.map(|one| one.vpc.clone());
    chooser.groups_in(vpc.as_deref(), count)
}

/// Subnet, groups and address as parameters of the instance.
fn top(chooser: &mut Chooser, mut call: Call) -> Call {
    place(chooser, &mut call, "");
    let ids = groups(chooser, &call, "");
    let mut call = chooser.listed(call, "SecurityGroupId", &ids);
    if chooser.dice.once_in(8) {
        let name = chooser.group_name();
        call = chooser.listed(call, "SecurityGroup", &[name]);
    }
    call
}

/// The same within NetworkInterface.1.
fn inner(chooser: &mut Chooser, mut call: Call) -> Call {
    const AT: &str = "NetworkInterface.1";
    call.params.set(format!("{AT}.DeviceIndex"), usize::from(chooser.dice.once_in(20)));
    place(chooser, &mut call, "NetworkInterface.1.");
    let ids = groups(chooser, &call, "NetworkInterface.1.");
    for (index, id) in chooser.indexes(ids.len()).iter().zip(&ids) {
        call.params.set(format!("{AT}.SecurityGroupId.{index}"), id);
    }
    if chooser.dice.once_in(3) {
        call.params.set(format!("{AT}.DeleteOnTermination"), chooser.dice.pick(&["true", "false"]));
    }
    if chooser.dice.once_in(3) {
        call.params.set(format!("{AT}.Description"), chooser.dice.pick(&["first", "<&>"]));
    }
    if chooser.dice.once_in(3) {
        call.params.set(format!("{AT}.AssociatePublicIpAddress"), chooser.dice.pick(&["true", "false"]));
    }
    if chooser.dice.once_in(15) {
        let id = chooser.id("sg");
        call.params.set("SecurityGroupId.1", id);
    }
    call
}

fn place(chooser: &mut Chooser, call: &mut Call, prefix: &str) {
    if chooser.dice.once_in(if chooser.theme.networks { 2 } else { 4 }) {
        let id = if chooser.theme.networks { chooser.subnet() } else { chooser.id("subnet") };
        call.params.set(format!("{prefix}SubnetId"), id);
    }
    if chooser.dice.once_in(8) {
        let subnet = call.params.one(&format!("{prefix}SubnetId"));
        let subnet = subnet.unwrap_or(&chooser.world.accounts[chooser.who].subnet).to_owned();
        let ip = chooser.address_in(&subnet);
        call.params.set(format!("{prefix}PrivateIpAddress"), ip);
    }
}

fn switches(chooser: &mut Chooser, mut call: Call) -> Call {
    let some = [
        (12, "Placement.AvailabilityZone", &["us-east-1a", "us-east-1z"][..]),
        (6, "InstanceInitiatedShutdownBehavior", &["stop", "terminate"]),
        (12, "DisableApiTermination", &["true", "false"]),
        (10, "DisableApiStop", &["true", "false"]),
        (10, "MetadataOptions.HttpTokens", &["required", "optional"]),
        (12, "MetadataOptions.HttpPutResponseHopLimit", &["1", "2", "64"]),
        (12, "MetadataOptions.HttpEndpoint", &["enabled", "disabled"]),
        (10, "MetadataOptions.InstanceMetadataTags", &["enabled", "enabled", "disabled"]),
        (25, "Monitoring.Enabled", &["true", "false"]),
        (25, "EbsOptimized", &["true", "false"]),
        (25, "HibernationOptions.Configured", &["true", "false"]),
        (25, "EnclaveOptions.Enabled", &["true", "false"]),
        (12, "UserData", &["IyEvYmluL3No", "IyEvYmluL3No\n"]),
    ];
    for (often, name, values) in some {
        if chooser.dice.once_in(often) {
            call.params.set(name, chooser.dice.pick(values));
        }
    }
    call
}

pub fn power(chooser: &mut Chooser, call: Call) -> Call {
    // Mostly those for which it makes sense.
    let fits = |state: State| match call.action {
        "StartInstances" => matches!(state, State::Stopped),
        "StopInstances" | "RebootInstances" => matches!(state, State::Running),
        _ => true,
    };
    let own = chooser.world.instances.iter().filter(|one| one.who == chooser.who && fits(one.state));
    let fitting: Vec<String> = own.map(|one| one.id.clone()).collect();
    let count = [1, 1, 1, 2, 3][chooser.dice.below(5)];
    let id = |chooser: &mut Chooser| match fitting.is_empty() || chooser.dice.once_in(8) {
        true => chooser.id("i"),
        false => chooser.dice.pick(&fitting).clone(),
    };
    let ids: Vec<String> = (0..count).map(|_| id(chooser)).collect();
    let mut call = chooser.listed(call, "InstanceId", &ids);
    if call.action == "StopInstances" {
        if chooser.dice.once_in(6) {
            call.params.set("Force", "true");
        }
        if chooser.dice.once_in(20) {
            call.params.set("Hibernate", "true");
        }
    }
    call
}
