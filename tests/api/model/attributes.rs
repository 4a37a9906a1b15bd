//! Attributes of instances, by EC2's reference: ModifyInstanceAttribute, ResetInstanceAttribute,
//! ModifyInstanceMetadataOptions.

use super::call::{COMBINATION, Call, Faults, VALUE};
use super::instances::{KINDS, groups, limits, servable};
use super::steps::Chooser;
use super::tree::{leaf, node};
use super::world::*;

/// One change to one instance, or none or two.
pub fn choose(chooser: &mut Chooser, call: Call) -> Call {
    let id = chooser.id("i");
    let call = call.with("InstanceId", id);
    match call.action {
        "ResetInstanceAttribute" => {
            let attribute = if chooser.dice.once_in(6) { "kernel" } else { "sourceDestCheck" };
            call.with("Attribute", attribute)
        }
        "ModifyInstanceMetadataOptions" => options(chooser, call),
        _ => {
            let call = one(chooser, call);
            if chooser.dice.once_in(15) { one(chooser, call) } else { call }
        }
    }
}

fn options(chooser: &mut Chooser, mut call: Call) -> Call {
    for (name, values) in [
        ("HttpTokens", &["required", "optional"][..]),
        ("HttpPutResponseHopLimit", &["1", "2", "64"]),
        ("HttpEndpoint", &["enabled", "disabled"]),
        ("InstanceMetadataTags", &["enabled", "disabled"]),
    ] {
        if chooser.dice.once_in(2) {
            call.params.set(name, chooser.dice.pick(values));
        }
    }
    call
}

fn one(chooser: &mut Chooser, mut call: Call) -> Call {
    let flag = *chooser.dice.pick(&["true", "false"]);
    let (name, value) = match chooser.dice.below(8) {
        0 => ("SourceDestCheck.Value", flag),
        1 => ("DisableApiStop.Value", flag),
        2 => (
            "InstanceType.Value",
            if chooser.dice.once_in(6) { "m9.huge" } else { chooser.dice.pick(KINDS).0 },
        ),
        3 => {
            let ids: Vec<String> = (0..=chooser.dice.below(2)).map(|_| chooser.id("sg")).collect();
            let again = call.params.0.iter().any(|(name, _)| name.starts_with("GroupId"));
            return if again { call } else { chooser.listed(call, "GroupId", &ids) };
        }
        4 => {
            let values = ["stop", "terminate", "terminate", "sleep"];
            ("InstanceInitiatedShutdownBehavior.Value", *chooser.dice.pick(&values))
        }
        5 => ("EbsOptimized.Value", flag),
        6 => return call,
        _ => ("DisableApiTermination.Value", if chooser.dice.once_in(3) { "true" } else { "false" }),
    };
    if !call.params.has(name) {
        call.params.set(name, value);
    }
    call
}

/// The instance that a call names, if it can be changed.
fn named(world: &World, call: &Call, faults: &mut Faults) -> Option<usize> {
    let id = call.params.one("InstanceId")?;
    let own = world.instances.iter().position(|one| one.who == call.who && one.id == id);
    let at = faults.note(own.ok_or("InvalidInstanceID.NotFound"))?;
    let ended = matches!(world.instances[at].state, State::ShuttingDown | State::Terminated);
    faults.add_if(ended, "IncorrectInstanceState");
    Some(at)
}

fn interface(world: &mut World, at: usize) -> &mut Interface {
    let id = world.instances[at].id.clone();
    let of_it = |one: &&mut Interface| one.attachment.as_ref().is_some_and(|to| to.instance == id);
    world.interfaces.iter_mut().find(of_it).unwrap()
}

pub fn modify(world: &mut World, call: &Call) -> Outcome {
    let params = &call.params;
    let mut faults = Faults::default();
    let at = named(world, call, &mut faults);
    let ids = params.list("GroupId");
    let attributes = [
        "SourceDestCheck",
        "DisableApiStop",
        "InstanceType",
        "InstanceInitiatedShutdownBehavior",
        "EbsOptimized",
        "DisableApiTermination",
    ];
    let value = |name: &str| params.one(&format!("{name}.Value"));
    let given = attributes.iter().filter(|name| value(name).is_some()).count() + usize::from(!ids.is_empty());
    faults.add_if(given != 1, COMBINATION);
    let several = at.is_some_and(|at| world.interfaces_of(&world.instances[at].id).len() > 1);
    let of_interface = !ids.is_empty() || value("SourceDestCheck").is_some();
    // "To [...] modify [...] the security groups [...] of an instance that has several network interfaces, [name] the
    // network interface."
    faults.add_if(several && of_interface, "InvalidInstanceID");
    let first = at.and_then(|at| world.interface_of(&world.instances[at].id));
    let found = match first.filter(|_| !ids.is_empty()) {
        Some(first) => {
            let vpc = world.subnet(&world.interfaces[first].subnet).vpc.clone();
            groups(world, &vpc, &ids, &[], &mut faults)
        }
        None => Vec::new(),
    };
    let stopped = at.is_some_and(|at| world.instances[at].state == State::Stopped);
    let kind = value("InstanceType");
    faults.add_if(kind.is_some() && !stopped, "IncorrectInstanceState");
    let unknown = kind.is_some_and(|kind| !KINDS.iter().any(|(name, ..)| *name == kind));
    // It has to be able to have the interfaces that there are.
    if let (Some(at), Some(kind), false) = (at, kind, unknown) {
        let there = world.interfaces_of(&world.instances[at].id);
        let (interfaces, addresses) = limits(kind);
        faults.add_if(there.len() > interfaces, "AttachmentLimitExceeded");
        let crowded = there.iter().any(|at| world.interfaces[*at].ips().count() > addresses);
        faults.add_if(crowded, super::interfaces::TOO_MANY);
    }
    let behavior = value("InstanceInitiatedShutdownBehavior");
    let strange = behavior.is_some_and(|behavior| behavior == "sleep");
    faults.add_if(unknown || strange, "InvalidInstanceAttributeValue");
    faults.add_if(value("EbsOptimized") == Some("true"), "UnsupportedOperation");
    faults.done()?;
    let at = at.unwrap();
    let flag = |name: &str| value(name).map(|value| value == "true");
    if let Some(checked) = flag("SourceDestCheck") {
        interface(world, at).checked = checked;
    }
    if !found.is_empty() {
        interface(world, at).groups = found;
    }
    let one = &mut world.instances[at];
    one.keep_running = flag("DisableApiStop").unwrap_or(one.keep_running);
    one.keep = flag("DisableApiTermination").unwrap_or(one.keep);
    one.ends_by_itself = behavior.map_or(one.ends_by_itself, |behavior| behavior == "terminate");
    one.kind = kind.map_or(one.kind.clone(), str::to_owned);
    Ok(vec![leaf("return", true)])
}

pub fn reset(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let at = named(world, call, &mut faults);
    let several = at.is_some_and(|at| world.interfaces_of(&world.instances[at].id).len() > 1);
    faults.add_if(several, "InvalidInstanceID");
    faults.add_if(call.params.one("Attribute") == Some("kernel"), "UnsupportedOperation");
    faults.done()?;
    interface(world, at.unwrap()).checked = true;
    Ok(vec![leaf("return", true)])
}

pub fn options_of(world: &mut World, call: &Call) -> Outcome {
    let params = &call.params;
    let mut faults = Faults::default();
    let at = named(world, call, &mut faults);
    let old = at.map(|at| world.instances[at].metadata.clone()).unwrap_or_default();
    let text = |name: &str, old: String| params.one(name).map_or(old, str::to_owned);
    let new = (
        text("HttpTokens", old.0),
        params.number("HttpPutResponseHopLimit").unwrap_or(old.1),
        text("HttpEndpoint", old.2),
        text("InstanceMetadataTags", old.3),
    );
    if let Some(at) = at.filter(|_| new.3 == "enabled") {
        let tags = world.tags_of(&world.instances[at].id);
        faults.add_if(!tags.iter().all(|(key, _)| servable(key)), VALUE);
    }
    faults.done()?;
    let at = at.unwrap();
    world.instances[at].metadata = new.clone();
    Ok(vec![
        leaf("instanceId", &world.instances[at].id),
        node(
            "instanceMetadataOptions",
            vec![
                leaf("state", "pending"),
                leaf("httpTokens", new.0),
                leaf("httpPutResponseHopLimit", new.1),
                leaf("httpEndpoint", new.2),
                leaf("httpProtocolIpv6", "disabled"),
                leaf("instanceMetadataTags", new.3),
            ],
        ),
    ])
}
