//! RunInstances.

use std::sync::Arc;

use super::super::idempotency::Once;
use super::super::network_interfaces::Taken;
use super::super::public_addresses::Public;
use super::super::{Decision, View, launch_templates, network_interfaces};
use super::facts::Facts;
use super::options::{self, InterfaceOptions, Options};
use super::place::{self, Hosts};
use super::{of_owner, shape};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Attachment, Eni, Instance, InstanceState, Space, Subnet};

pub fn run_instances(
    decision: &mut Decision,
    request: &RunInstancesRequest,
) -> Result<RunInstancesResponse, Fault> {
    if request.launch_template.is_none() {
        options::image_id(request)?;
    }
    let plain = RunInstancesRequest { dry_run: false, ..request.clone() };
    let token = request.client_token.as_deref();
    let (once, made) = Once::begin(decision, "RunInstances", token, &plain, |_, made| Some(made.to_owned()))?;
    if let Some(made) = made {
        return replay(decision, &made);
    }
    place::prepare(decision);
    let (request, marks) = launch_templates::resolve(&decision.view(), request)?;
    let mut options = options::check(&decision.view(), &request)?;
    options.instance_tags.extend(marks);
    let launch = Launch {
        reservation: decision.env.id(ReservationId::from_random),
        subnets: place::subnets(&decision.view(), &options)?,
        client_token: request.client_token.as_deref().map(Arc::from),
        options,
    };
    launch.run(decision, request.min_count, request.max_count)?;
    if let Some(once) = once {
        once.remember(decision, launch.reservation.to_string().into());
    }
    Ok(describe(decision, launch.reservation))
}

/// The same request again: what it made is described again, as it is now.
fn replay(decision: &Decision, made: &str) -> Result<RunInstancesResponse, Fault> {
    let gone = || {
        FaultCode::IdempotentInstanceTerminated.with(
            "The client token was used for instances that have been terminated: use another client token",
        )
    };
    let reservation = made.parse().map_err(|_| gone())?;
    let answer = describe(decision, reservation);
    if answer.instances_set.is_empty() { Err(gone()) } else { Ok(answer) }
}

fn describe(decision: &Decision, reservation: ReservationId) -> RunInstancesResponse {
    let world = &decision.world;
    let mut rows: Vec<_> =
        of_owner(world, &decision.caller.owner).filter(|row| row.reservation == reservation).collect();
    rows.sort_by_key(|row| row.launch_index);
    RunInstancesResponse {
        reservation_id: reservation,
        owner_id: decision.caller.owner.account,
        group_set: Vec::new(),
        instances_set: rows.into_iter().map(|row| shape::instance(&Facts::of(world, row))).collect(),
    }
}

struct Launch {
    reservation: ReservationId,
    subnets: Vec<Arc<Subnet>>,
    client_token: Option<Arc<str>>,
    options: Options,
}

impl Launch {
    /// Launches `max` instances, or as many as there are addresses for, if these are `min`.
    fn run(&self, decision: &mut Decision, min: i64, max: i64) -> Result<(), Fault> {
        let Some(first) = self.subnets.first() else { return Err(place::no_capacity("none")) };
        let plugs = self.plugs(&decision.view(), first)?;
        let mut hosts = Hosts::of(&decision.view(), &first.zone, &self.options);
        let min = u32::try_from(min).unwrap_or(u32::MAX);
        let max = most(decision, &plugs, min, u32::try_from(max).unwrap_or(0))?;
        for index in 0..max {
            let host = hosts.take().ok_or_else(|| place::no_capacity(&first.zone))?;
            let places = match self.addresses(decision, &plugs)? {
                Some(places) => places,
                None if index >= min => return Ok(()),
                None => return Err(self.no_address(index)),
            };
            let Some((subnet, _)) = places.first() else { return Ok(()) };
            let public = match public(decision, &plugs, subnet) {
                Ok(public) => public,
                Err(_) if index >= min => {
                    give_back(decision, places);
                    return Ok(());
                }
                Err(fault) => return Err(fault),
            };
            let instance = self.instance(decision, index, host, subnet)?;
            for (plug, (subnet, ips)) in plugs.iter().zip(&places) {
                self.interface(decision, instance, plug, subnet, ips.as_ref(), public)?;
            }
        }
        Ok(())
    }

    /// Each interface with where it may be, and its groups there.
    fn plugs(&self, view: &View, first: &Arc<Subnet>) -> Result<Vec<Plug<'_>>, Fault> {
        let mut plugs = Vec::new();
        for wanted in &self.options.interfaces {
            let subnets = match wanted.subnet.filter(|_| wanted.device_index != 0) {
                Some(id) => vec![place::subnet_beside(view, id, first)?],
                None => self.subnets.clone(),
            };
            let vpc = subnets.first().unwrap_or(first).vpc;
            let groups = match wanted.existing {
                Some(_) => Arc::new([]),
                None => options::groups(view, vpc, wanted)?,
            };
            plugs.push(Plug { wanted, subnets, groups });
        }
        Ok(plugs)
    }

    /// The addresses of one instance's interfaces, each in its subnet; `None` when a subnet is full.
    fn addresses(&self, decision: &mut Decision, plugs: &[Plug]) -> Result<Option<Vec<Place>>, Fault> {
        let mut places: Vec<Place> = Vec::new();
        for plug in plugs {
            // One that is not told where to be is beside the first.
            let subnets = match places.first() {
                Some((beside, _)) if plug.wanted.subnet.is_none() => std::slice::from_ref(beside).to_vec(),
                _ => plug.subnets.clone(),
            };
            match address(decision, plug.wanted, &subnets)? {
                Some(place) => places.push(place),
                None => {
                    give_back(decision, places);
                    return Ok(None);
                }
            }
        }
        Ok(Some(places))
    }

    fn no_address(&self, had: u32) -> Fault {
        let names: Vec<_> = self.subnets.iter().map(|subnet| subnet.id.to_string()).collect();
        FaultCode::InsufficientFreeAddressesInSubnet.with(format!(
            "There are not enough free addresses in subnet '{}' to satisfy the requested number of instances: it has \
             {had}",
            names.join(", ")
        ))
    }

    fn instance(
        &self,
        decision: &mut Decision,
        launch_index: u32,
        host: Arc<str>,
        subnet: &Subnet,
    ) -> Result<InstanceId, Fault> {
        let options = &self.options;
        let id = decision.env.id(InstanceId::from_random);
        let now = decision.env.now;
        decision.put(Instance {
            id,
            owner: decision.caller.owner.clone(),
            reservation: self.reservation,
            launch_index,
            image: options.image,
            instance_type: options.instance_type.clone(),
            key_name: options.key_pair.as_ref().map(|key| key.name.clone()),
            public_key: options.key_pair.as_ref().map(|key| key.public_key.clone()),
            user_data: options.user_data.clone(),
            host,
            zone: subnet.zone.clone(),
            state: InstanceState::Pending,
            state_reason: None,
            boot: 1,
            metadata: options.metadata,
            terminate_on_shutdown: options.terminate_on_shutdown,
            disable_api_termination: options.disable_api_termination,
            disable_api_stop: options.disable_api_stop,
            launched: now,
            terminated: None,
            seen_boot: 0,
            state_since: now,
            client_token: self.client_token.clone(),
        });
        decision.tag(ResourceId::Instance(id), &options.instance_tags)?;
        Ok(id)
    }

    fn interface(
        &self,
        decision: &mut Decision,
        instance: InstanceId,
        plug: &Plug,
        subnet: &Subnet,
        ips: Option<&Taken>,
        public: Option<Public>,
    ) -> Result<(), Fault> {
        let wanted = plug.wanted;
        let now = decision.env.now;
        let attachment = Some(Attachment {
            id: decision.env.id(AttachmentId::from_random),
            instance,
            device_index: wanted.device_index,
            delete_on_termination: wanted.delete_on_termination,
            attached: now,
        });
        let there = wanted.existing.and_then(|id| decision.world.enis.get(&id).cloned());
        let (Some(ips), None) = (ips, &there) else {
            there.iter().for_each(|eni| decision.put(Eni { attachment, ..Eni::clone(eni) }));
            return Ok(());
        };
        let ipv6 = wanted.ipv6.take(decision, subnet)?;
        let id = decision.env.id(EniId::from_random);
        let mac = MacAddr::from_random(decision.env.random());
        decision.put(Eni {
            id,
            owner: decision.caller.owner.clone(),
            vpc: subnet.vpc,
            subnet: subnet.id,
            network: subnet.network.clone(),
            description: wanted.description.clone(),
            mac,
            private_ip: ips.primary,
            secondary_ips: ips.secondary.clone().into(),
            ipv6,
            groups: plug.groups.clone(),
            source_dest_check: true,
            auto_public: public.is_some(),
            attachment,
            created: now,
        });
        if let Some(public) = public {
            public.lead_to(decision, id, ips.primary);
        }
        decision.tag(ResourceId::NetworkInterface(id), &self.options.interface_tags)
    }
}

/// How many instances the caller may have interfaces for: at most `max`, and no fewer than `min`.
fn most(decision: &Decision, plugs: &[Plug], min: u32, max: u32) -> Result<u32, Fault> {
    let each = plugs.iter().filter(|plug| plug.wanted.existing.is_none()).count();
    let fit = network_interfaces::room(&decision.view()).checked_div(each);
    let fit = fit.map_or(u32::MAX, |fit| u32::try_from(fit).unwrap_or(u32::MAX));
    if fit < min { Err(network_interfaces::no_room()) } else { Ok(max.min(fit)) }
}

/// An interface that each instance gets.
struct Plug<'l> {
    wanted: &'l InterfaceOptions,
    /// Where it may be, in the order of use.
    subnets: Vec<Arc<Subnet>>,
    groups: Arc<[GroupId]>,
}

/// Where an interface is, with the addresses that were taken for it; none for one that has its own.
type Place = (Arc<Subnet>, Option<Taken>);

/// The public address of an instance, where its interface or its subnet is to have one: "You cannot auto-assign a public
/// IP address if you specify more than one network interface" nor for one that there is already
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/working-with-ip-addresses.html>).
fn public(decision: &mut Decision, plugs: &[Plug], subnet: &Subnet) -> Result<Option<Public>, Fault> {
    match plugs {
        [only] if only.wanted.existing.is_none() && only.wanted.public.unwrap_or(subnet.map_public_ip) => {
            Public::take(decision).map(Some)
        }
        _ => Ok(None),
    }
}

fn give_back(decision: &mut Decision, places: Vec<Place>) {
    for (subnet, ips) in places {
        let ips = ips.into_iter().flat_map(|ips| ips.all());
        ips.for_each(|ip| decision.give_back(Space::Network(subnet.network.clone()), ip));
    }
}

/// The next private addresses, or the wanted ones; `None` when the subnets are full.
fn address(
    decision: &mut Decision,
    wanted: &InterfaceOptions,
    subnets: &[Arc<Subnet>],
) -> Result<Option<Place>, Fault> {
    if wanted.existing.is_some() {
        return Ok(subnets.first().map(|subnet| (subnet.clone(), None)));
    }
    let mut refused = None;
    for subnet in subnets {
        match wanted.addresses.try_take(decision, subnet) {
            Ok(Some(taken)) => return Ok(Some((subnet.clone(), Some(taken)))),
            Ok(None) => {}
            Err(fault) => refused = refused.or(Some(fault)),
        }
    }
    refused.map_or(Ok(None), Err)
}
