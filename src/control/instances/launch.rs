//! RunInstances.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::super::Decision;
use super::super::allocate::Unavailable;
use super::super::idempotency::Once;
use super::super::launch_templates;
use super::facts::Facts;
use super::options::{self, Options};
use super::place::{self, Hosts};
use super::{of_owner, shape};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Attachment, Eni, Instance, InstanceState, Subnet};

pub fn run_instances(
    decision: &mut Decision,
    request: &RunInstancesRequest,
) -> Result<RunInstancesResponse, Fault> {
    if request.launch_template.is_none() {
        options::image_id(request)?;
    }
    let plain = RunInstancesRequest { dry_run: false, ..request.clone() };
    let once = Once::new(decision, "RunInstances", request.client_token.as_deref(), &plain);
    if let Some(made) = once.as_ref().map(|once| once.made(decision)).transpose()?.flatten() {
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
        let groups = options::groups(&decision.view(), first.vpc, &self.options.interface)?;
        let mut hosts = Hosts::of(&decision.view(), &first.zone, &self.options);
        let (min, max) = (u32::try_from(min).unwrap_or(u32::MAX), u32::try_from(max).unwrap_or(0));
        for index in 0..max {
            let host = hosts.take().ok_or_else(|| place::no_capacity(&first.zone))?;
            match self.address(decision)? {
                Some((subnet, address)) => {
                    let instance = self.instance(decision, index, host, &subnet)?;
                    self.interface(decision, instance, &subnet, address, groups.clone())?;
                }
                None if index >= min => return Ok(()),
                None => return Err(self.no_address(index)),
            }
        }
        Ok(())
    }

    /// The next private address, or the wanted one; `None` when the subnets are full.
    fn address(&self, decision: &mut Decision) -> Result<Option<(Arc<Subnet>, Ipv4Addr)>, Fault> {
        let wanted = self.options.interface.private_ip;
        let mut refused = None;
        for subnet in &self.subnets {
            match decision.take_private(&subnet.network, wanted) {
                Ok(address) => return Ok(Some((subnet.clone(), address))),
                Err(Unavailable::Exhausted) => {}
                Err(why) => refused = refused.or(wanted.map(|address| unavailable(why, address, subnet))),
            }
        }
        refused.map_or(Ok(None), Err)
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
        subnet: &Subnet,
        private_ip: Ipv4Addr,
        groups: Arc<[GroupId]>,
    ) -> Result<(), Fault> {
        let wanted = &self.options.interface;
        let now = decision.env.now;
        let id = decision.env.id(EniId::from_random);
        let attachment = Attachment {
            id: decision.env.id(AttachmentId::from_random),
            instance,
            device_index: 0,
            delete_on_termination: wanted.delete_on_termination,
            attached: now,
        };
        let mac = MacAddr::from_random(decision.env.random());
        decision.put(Eni {
            id,
            owner: decision.caller.owner.clone(),
            vpc: subnet.vpc,
            subnet: subnet.id,
            network: subnet.network.clone(),
            description: wanted.description.clone(),
            mac,
            private_ip,
            groups,
            source_dest_check: true,
            attachment: Some(attachment),
            created: now,
        });
        decision.tag(ResourceId::NetworkInterface(id), &self.options.interface_tags)
    }
}

fn unavailable(why: Unavailable, address: Ipv4Addr, subnet: &Subnet) -> Fault {
    match why {
        Unavailable::Taken | Unavailable::Exhausted => {
            FaultCode::InvalidIPAddressInUse.with(format!("Address {address} is in use."))
        }
        Unavailable::Outside => FaultCode::InvalidParameterValue.with(format!(
            "Address {address} does not fall within the subnet's address range: instances in {} get theirs from the \
             range of network {}",
            subnet.id, subnet.network
        )),
    }
}
