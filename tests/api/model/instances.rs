//! Instances, by EC2's reference: RunInstances, StartInstances, StopInstances, RebootInstances, TerminateInstances; and
//! what becomes of them by what their host says.

use super::call::{COMBINATION, Call, Code, Faults, Params, VALUE};
use super::tree::Tree;
use super::tree::{leaf, list, node};
use super::world::*;

/// How many interfaces an instance of a type has at most, and private addresses on each ("IP addresses per network
/// interface per instance type", EC2 User Guide).
pub fn limits(kind: &str) -> (usize, usize) {
    match kind {
        "m1.small" => (2, 4),
        "t3.micro" => (2, 2),
        _ => (4, 15),
    }
}

/// Types with their cores and threads a core.
pub const KINDS: &[(&str, i64, i64)] = &[("m1.small", 1, 1), ("t3.micro", 1, 2), ("m5.xlarge", 2, 2)];
pub const NETWORK: (u32, u32) = (0x0a00_0000, 0x0a00_ffff);
const USER: &str = "Client.UserInitiatedShutdown";
const WITHIN: &str = "Client.InstanceInitiatedShutdown";
const INTERNAL: &str = "Server.InternalError";

impl State {
    /// EC2's code and name.
    pub const fn told(self) -> (u32, &'static str) {
        match self {
            Self::Pending => (0, "pending"),
            Self::Running => (16, "running"),
            Self::ShuttingDown => (32, "shutting-down"),
            Self::Terminated => (48, "terminated"),
            Self::Stopping => (64, "stopping"),
            Self::Stopped => (80, "stopped"),
        }
    }
}

/// What a host may say of an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    Running,
    Exited,
    Failed,
    Stopped,
    Gone,
}

/// The interface that a launch asks for, at the top or in NetworkInterface.1.
fn interface(params: &Params, faults: &mut Faults) -> (Params, Vec<String>, Vec<String>) {
    let listed = params.structures("NetworkInterface");
    let (ids, names) = (params.list("SecurityGroupId"), params.list("SecurityGroup"));
    let Some(first) = listed.first() else { return (params.clone(), ids, names) };
    let both =
        !ids.is_empty() || !names.is_empty() || params.has("SubnetId") || params.has("PrivateIpAddress");
    faults.add_if(both, COMBINATION);
    // The histories list one, and that is the instance's first.
    faults.add_if(first.number("DeviceIndex").unwrap_or(0) != 0, VALUE);
    (first.clone(), first.list("SecurityGroupId"), Vec::new())
}

/// The groups of an interface in a VPC.
pub fn groups(
    world: &World,
    vpc: &str,
    ids: &[String],
    names: &[String],
    faults: &mut Faults,
) -> Vec<String> {
    let mut found = Vec::new();
    for (named, by_id) in ids.iter().map(|id| (id, true)).chain(names.iter().map(|name| (name, false))) {
        let own = |group: &&Group| {
            group.vpc == vpc && if by_id { group.id == *named } else { group.name == *named }
        };
        let group = world.groups.iter().find(own).ok_or("InvalidGroup.NotFound");
        found.extend(faults.note(group).map(|group| group.id.clone()));
    }
    if ids.is_empty() && names.is_empty() {
        let default = world.groups.iter().find(|group| group.vpc == vpc && group.name == "default");
        found.push(default.unwrap().id.clone());
    }
    found.sort();
    found.dedup();
    // "Security groups per network interface: 5".
    faults.add_if(found.len() > 5, "SecurityGroupsPerInterfaceLimitExceeded");
    found
}

fn metadata(params: &Params) -> (String, i64, String, String) {
    let text = |name: &str, other: &str| params.one(name).unwrap_or(other).to_owned();
    (
        text("MetadataOptions.HttpTokens", "optional"),
        params.number("MetadataOptions.HttpPutResponseHopLimit").unwrap_or(1),
        text("MetadataOptions.HttpEndpoint", "enabled"),
        text("MetadataOptions.InstanceMetadataTags", "disabled"),
    )
}

/// Tags that the metadata service tells are paths there.
pub fn servable(key: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_+=,.@:".contains(c);
    key.chars().all(plain) && !matches!(key, "." | ".." | "_index")
}

pub fn run(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    if let Some(reservation) = world.replayed(call)? {
        return Ok(answer(world, call.who, &reservation));
    }
    let params = &call.params;
    let mut faults = Faults::default();
    let kinds = ["instance", "network-interface"];
    let tags = faults.note_all(new_tags(params, &kinds, "instance"));
    let interface_tags = faults.note_all(new_tags(params, &kinds, "network-interface"));
    let metadata = metadata(params);
    let told = |(key, _): &(String, String)| servable(key);
    faults.add_if(metadata.3 == "enabled" && !tags.iter().flatten().all(told), VALUE);
    let (asked, ids, names) = interface(params, &mut faults);
    let subnet = asked.one("SubnetId").unwrap_or(&world.accounts[call.who].subnet);
    let subnet = faults.note(world.own_subnet(call.who, Some(subnet))).cloned();
    let groups = match &subnet {
        Some(subnet) => groups(world, &subnet.vpc, &ids, &names, &mut faults),
        None => Vec::new(),
    };
    let (min, max) = (params.number("MinCount").unwrap(), params.number("MaxCount").unwrap());
    faults.add_if(min > max, VALUE);
    faults.add_if(params.one("ImageId") != Some(&world.image), "InvalidAMIID.NotFound");
    let key = params.one("KeyName").map(str::to_owned);
    let own = |name: &String| world.keys.iter().any(|key| key.who == call.who && key.name == *name);
    faults.add_if(key.as_ref().is_some_and(|name| !own(name)), "InvalidKeyPair.NotFound");
    let kind = params.one("InstanceType").unwrap_or("m1.small").to_owned();
    faults.add_if(!KINDS.iter().any(|(name, ..)| *name == kind), VALUE);
    faults.add_if(params.one("Placement.AvailabilityZone").is_some_and(|zone| zone != ZONE), VALUE);
    let switched =
        ["Monitoring.Enabled", "EbsOptimized", "HibernationOptions.Configured", "EnclaveOptions.Enabled"];
    let on = switched.iter().any(|name| params.flag(name) == Some(true));
    faults.add_if(on, "UnsupportedOperation");
    faults.add_if(world.drained, "InsufficientInstanceCapacity");
    let wanted = asked.one("PrivateIpAddress").map(str::to_owned);
    faults.add_if(wanted.is_some() && max > 1, COMBINATION);
    if let (Some(ip), Some(subnet)) = (&wanted, &subnet) {
        faults.note(world.may_have(subnet, ip));
    }
    let made = i64::try_from(reply.items("instancesSet").len()).unwrap();
    let fresh = subnet.as_ref().map_or(0, |subnet| world.fresh_in(subnet));
    // What was freed just now may rest for a while.
    let full = fresh < max && wanted.is_none();
    let told = reply.at("Errors/Error/Code");
    faults.add_if(full && fresh < min && told == NO_ROOM, NO_ROOM);
    faults.done()?;
    let count = if full && (min..max).contains(&made) { made } else { max };
    let subnet = subnet.unwrap();
    let launch = Launch { who: call.who, subnet, asked, groups, wanted, metadata, kind, key };
    let reservation = world.new_id(reply.at("reservationId"), "r");
    for index in 0..usize::try_from(count).unwrap() {
        let (id, interface) = launch.one(world, params, &reservation, index, reply);
        world.tag(call.who, &id, tags.as_ref().unwrap());
        world.tag(call.who, &interface, interface_tags.as_ref().unwrap());
    }
    world.remember(call, &reservation);
    Ok(answer(world, call.who, &reservation))
}

struct Launch {
    who: usize,
    subnet: Subnet,
    asked: Params,
    groups: Vec<String>,
    wanted: Option<String>,
    metadata: (String, i64, String, String),
    kind: String,
    key: Option<String>,
}

impl Launch {
    /// Makes the instance of that index, by the ids of the answer; returns its id and its interface's.
    fn one(
        &self,
        world: &mut World,
        params: &Params,
        reservation: &str,
        index: usize,
        reply: &Tree,
    ) -> (String, String) {
        let none = Tree::default();
        let told = reply.items("instancesSet");
        let told = *told.iter().find(|item| item.at("amiLaunchIndex") == index.to_string()).unwrap_or(&&none);
        let id = world.new_id(told.at("instanceId"), "i");
        let part = |path: &str| told.at(&format!("networkInterfaceSet/item/{path}")).to_owned();
        let interface = world.new_id(&part("networkInterfaceId"), "eni");
        let attachment = world.new_id(&part("attachment/attachmentId"), "eni-attach");
        let goes = self.asked.flag("DeleteOnTermination").unwrap_or(true);
        let auto_public = self.asked.flag("AssociatePublicIpAddress").unwrap_or(self.subnet.map_public);
        let public = auto_public.then(|| world.new_public(&part("association/publicIp")));
        let mac = mac(world, part("macAddress"));
        let ip = world.take(&self.subnet, self.wanted.as_deref(), part("privateIpAddress"));
        world.interfaces.push(Interface {
            who: self.who,
            id: interface.clone(),
            subnet: self.subnet.id.clone(),
            mac,
            ip,
            more: Vec::new(),
            groups: self.groups.clone(),
            description: self.asked.one("Description").unwrap_or_default().to_owned(),
            checked: true,
            attachment: Some(Attachment {
                id: attachment,
                instance: id.clone(),
                index: 0,
                goes_with_it: goes,
            }),
            auto_public,
            public,
        });
        world.instances.push(Instance {
            who: self.who,
            id: id.clone(),
            reservation: reservation.into(),
            index,
            kind: self.kind.clone(),
            key: self.key.clone(),
            token: params.one("ClientToken").unwrap_or_default().into(),
            state: State::Pending,
            why: None,
            changes: 0,
            starts: 0,
            boot: 1,
            ran: false,
            ends_by_itself: params.one("InstanceInitiatedShutdownBehavior") == Some("terminate"),
            keep: params.flag("DisableApiTermination") == Some(true),
            keep_running: params.flag("DisableApiStop") == Some(true),
            metadata: self.metadata.clone(),
        });
        (id, interface)
    }
}

pub const NO_ROOM: Code = "InsufficientFreeAddressesInSubnet";

/// A unicast address of local administration that nobody else has.
pub fn mac(world: &World, told: String) -> String {
    let first = told.get(..2).and_then(|byte| u8::from_str_radix(byte, 16).ok()).unwrap_or(1);
    let taken = world.interfaces.iter().any(|one| one.mac == told);
    let fits = told.len() == 17 && first & 3 == 2 && !taken;
    if fits { told } else { format!("a MAC address instead of '{told}'") }
}

fn answer(world: &World, who: usize, reservation: &str) -> Vec<Tree> {
    let of_it = world.instances.iter().filter(|one| one.who == who && one.reservation == reservation);
    vec![
        leaf("reservationId", reservation),
        leaf("ownerId", &world.accounts[who].id),
        list("groupSet", Vec::new()),
        list("instancesSet", of_it.map(|one| super::shapes::instance(world, one)).collect()),
    ]
}

/// The instances that a call names, each once.
fn named(world: &World, call: &Call, faults: &mut Faults) -> Vec<usize> {
    let mut ids = call.params.list("InstanceId");
    ids.sort();
    ids.dedup();
    let own = |id: &String| world.instances.iter().position(|one| one.who == call.who && one.id == *id);
    ids.iter().filter_map(|id| faults.note(own(id).ok_or("InvalidInstanceID.NotFound"))).collect()
}

/// Changes states, and tells which were which.
fn change(world: &mut World, named: &[usize], mut each: impl FnMut(&mut World, usize)) -> Vec<Tree> {
    let mut items = Vec::new();
    for at in named {
        let before = world.instances[*at].state;
        each(world, *at);
        let state = |name: &str, state: State| {
            let (code, text) = state.told();
            node(name, vec![leaf("code", code), leaf("name", text)])
        };
        let one = &world.instances[*at];
        items.push(vec![
            leaf("instanceId", &one.id),
            state("currentState", one.state),
            state("previousState", before),
        ]);
    }
    vec![list("instancesSet", items)]
}

impl Instance {
    fn becomes(&mut self, state: State) {
        self.state = state;
        self.changes += 1;
    }
}

fn reason(code: &str) -> Option<(String, String)> {
    let words = match code {
        USER => "User initiated shutdown",
        WITHIN => "Instance initiated shutdown",
        _ => "the host could not start the instance",
    };
    Some((code.to_owned(), format!("{code}: {words}")))
}

pub fn start(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let named = named(world, call, &mut faults);
    let wrong = |at: &usize| {
        matches!(world.instances[*at].state, State::Stopping | State::ShuttingDown | State::Terminated)
    };
    faults.add_if(named.iter().any(wrong), "IncorrectInstanceState");
    faults.done()?;
    Ok(change(world, &named, |world, at| {
        let one = &mut world.instances[at];
        if one.state == State::Stopped {
            one.becomes(State::Pending);
            one.why = None;
            one.starts += 1;
            one.boot += 1;
            let id = one.id.clone();
            // None stays where an elastic address leads, see `World::settle`.
            // "If the public IP address of your instance [...] has been released, it will not receive a new one if there
            // is more than one network interface attached to the instance."
            if let [only] = world.interfaces_of(&id)[..] {
                let own = &mut world.interfaces[only];
                own.public = own.auto_public.then(|| UNSEEN.into());
            }
        }
    }))
}

pub fn stop(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    faults.add_if(call.params.flag("Hibernate") == Some(true), "UnsupportedOperation");
    let named = named(world, call, &mut faults);
    for at in &named {
        let one = &world.instances[*at];
        let wrong = matches!(one.state, State::Pending | State::ShuttingDown | State::Terminated);
        faults.add_if(wrong, "IncorrectInstanceState");
        faults.add_if(one.state == State::Running && one.keep_running, "OperationNotPermitted");
    }
    faults.done()?;
    Ok(change(world, &named, |world, at| {
        let one = &mut world.instances[at];
        if one.state == State::Running {
            one.becomes(State::Stopping);
            one.why = reason(USER);
        }
    }))
}

pub fn reboot(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let named = named(world, call, &mut faults);
    let wrong = |at: &usize| world.instances[*at].state != State::Running;
    faults.add_if(named.iter().any(wrong), "IncorrectInstanceState");
    faults.done()?;
    named.iter().for_each(|at| world.instances[*at].boot += 1);
    Ok(vec![leaf("return", true)])
}

pub fn terminate(world: &mut World, call: &Call) -> Outcome {
    let mut faults = Faults::default();
    let named = named(world, call, &mut faults);
    let going = |state| matches!(state, State::ShuttingDown | State::Terminated);
    let kept = |at: &usize| world.instances[*at].keep && !going(world.instances[*at].state);
    faults.add_if(named.iter().any(kept), "OperationNotPermitted");
    faults.done()?;
    Ok(change(world, &named, |world, at| {
        if !going(world.instances[at].state) {
            world.shut_down(at, reason(USER));
        }
    }))
}

impl World {
    /// "If the instance is terminated, the address is disassociated", as soon as that begins.
    fn shut_down(&mut self, at: usize, why: Option<(String, String)>) {
        self.instances[at].becomes(State::ShuttingDown);
        self.instances[at].why = why;
        for at in self.interfaces_of(&self.instances[at].id.clone()) {
            let one = self.interfaces[at].clone();
            if one.attachment.is_some_and(|to| to.goes_with_it) {
                self.free(&one.id);
            }
        }
    }

    fn terminated(&mut self, at: usize) {
        self.instances[at].becomes(State::Terminated);
        let mut attached = self.interfaces_of(&self.instances[at].id.clone());
        // From behind, so that places stay what they are.
        attached.sort();
        for at in attached.into_iter().rev() {
            if self.interfaces[at].attachment.take().is_some_and(|to| to.goes_with_it) {
                // An address may have come with a private one while it went.
                self.forget_interface(at);
            }
        }
    }

    /// What an instance becomes by its host's word, which is about its present boot.
    pub fn hear(&mut self, id: &str, heard: Heard) {
        use State::{Pending, Running, ShuttingDown, Stopped, Stopping};
        let at = self.instances.iter().position(|one| one.id == id).unwrap();
        let one = &mut self.instances[at];
        let ran = one.ran;
        match (one.state, heard) {
            (Pending, Heard::Running) => {
                one.becomes(Running);
                one.ran = true;
            }
            (Pending | Running, Heard::Exited) => {
                one.ran = true;
                if one.ends_by_itself {
                    self.shut_down(at, reason(WITHIN));
                } else {
                    one.becomes(Stopping);
                    one.why = reason(WITHIN);
                }
            }
            // EC2 terminates what it cannot launch, and stops what it cannot start again.
            (Pending | Running, Heard::Failed) if !ran => self.shut_down(at, reason(INTERNAL)),
            (Pending | Running, Heard::Failed) => {
                one.becomes(Stopping);
                one.why = reason(INTERNAL);
            }
            (Stopping, Heard::Stopped | Heard::Gone | Heard::Exited | Heard::Failed) => one.becomes(Stopped),
            (ShuttingDown, Heard::Gone) => self.terminated(at),
            _ => {}
        }
        self.settle();
    }
}
