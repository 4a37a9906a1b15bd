//! RunInstances' parameters, checked: what an instance and its interface are to be.

use std::sync::Arc;

use super::super::network_interfaces::{Asked, Asked6};
use super::super::{View, defaults, images, tags};
use super::{interfaces, kinds};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{KeyPair, MetadataOptions};

/// "User data is limited to 16 KB, in raw form, before it is base64-encoded" (EC2 User Guide).
const MAX_USER_DATA: usize = 16 * 1024;

/// What is the same for all instances of one launch.
#[derive(Debug)]
pub struct Options {
    pub image: ImageId,
    pub instance_type: Arc<str>,
    pub key_pair: Option<Arc<KeyPair>>,
    pub user_data: Option<Arc<[u8]>>,
    pub metadata: MetadataOptions,
    pub terminate_on_shutdown: bool,
    pub disable_api_termination: bool,
    pub disable_api_stop: bool,
    /// By device index, the first one with 0.
    pub interfaces: Vec<InterfaceOptions>,
    pub zone: Option<String>,
    /// The only host that will do.
    pub host: Option<Arc<str>>,
    pub instance_tags: Vec<tags::NewTag>,
    pub interface_tags: Vec<tags::NewTag>,
}

impl Options {
    /// The subnet that the first interface is to be in.
    pub fn subnet(&self) -> Option<SubnetId> {
        self.interfaces.first()?.subnet
    }
}

/// An interface that an instance is to have, wherever the request says it: at the top or in `NetworkInterface.N`.
#[derive(Debug, Default, PartialEq)]
pub struct InterfaceOptions {
    pub device_index: u32,
    /// One that there is already; then its subnet is `subnet`, and nothing else counts.
    pub existing: Option<EniId>,
    pub subnet: Option<SubnetId>,
    pub group_ids: Vec<GroupId>,
    pub group_names: Vec<String>,
    pub addresses: Asked,
    pub ipv6: Asked6,
    pub description: Arc<str>,
    pub delete_on_termination: bool,
    /// Whether it gets a public address; `None`: as its subnet has it.
    pub public: Option<bool>,
}

/// Checks a request against the World.
///
/// # Errors
/// EC2's fault for the first thing that is missing, unknown or not supported.
pub fn check(view: &View, request: &RunInstancesRequest) -> Result<Options, Fault> {
    if request.min_count > request.max_count {
        return Err(FaultCode::InvalidParameterValue.with(format!(
            "MinCount ({}) must not be greater than MaxCount ({})",
            request.min_count, request.max_count
        )));
    }
    unsupported(request)?;
    let metadata = metadata_options(request.metadata_options.as_ref())?;
    let kinds = TAGGED;
    let instance_tags = tags::at_creation(&request.tag_specifications, &kinds, "instance")?;
    tags::at_creation(&request.tag_specifications, &kinds, "volume")?;
    if metadata.instance_tags {
        instance_tags.iter().try_for_each(|(key, _)| served_tag(key))?;
    }
    let instance_type = instance_type(request.instance_type.as_deref())?;
    let interfaces = interfaces::wanted(view, request, &instance_type)?;
    let host = host(view, request)?;
    Ok(Options {
        image: images::find(view, image_id(request)?)?.id,
        instance_type,
        key_pair: request.key_name.as_deref().map(|name| key_pair(view, name)).transpose()?,
        user_data: request.user_data.as_deref().map(user_data).transpose()?,
        metadata,
        terminate_on_shutdown: request.instance_initiated_shutdown_behavior.as_deref() == Some("terminate"),
        disable_api_termination: request.disable_api_termination.unwrap_or(false),
        disable_api_stop: request.disable_api_stop.unwrap_or(false),
        interfaces,
        zone: zone(view, request, host.as_ref()),
        host,
        instance_tags,
        interface_tags: tags::at_creation(&request.tag_specifications, &kinds, "network-interface")?,
    })
}

/// What a launch makes that can have tags.
/// Ansible names volumes at every launch: roots are instance-store, so it makes none to tag, on EC2 as here.
const TAGGED: [&str; 3] = ["instance", "network-interface", "volume"];

/// Whether the parameters could be those of a launch, whatever there is.
///
/// # Errors
/// As [`check`], for what can be told without a World.
pub fn launchable(request: &RunInstancesRequest) -> Result<(), Fault> {
    unsupported(request)?;
    metadata_options(request.metadata_options.as_ref())?;
    TAGGED
        .iter()
        .try_for_each(|kind| tags::at_creation(&request.tag_specifications, &TAGGED, kind).map(drop))?;
    instance_type(request.instance_type.as_deref())?;
    request.user_data.as_deref().map_or(Ok(()), |bytes| user_data(bytes).map(drop))?;
    interfaces::plausible(request)
}

/// The host that the launch names: by Tenancy `host` and HostId, or as nova had it, `ZONE:HOST`.
fn host(view: &View, request: &RunInstancesRequest) -> Result<Option<Arc<str>>, Fault> {
    let Some(placement) = &request.placement else { return Ok(None) };
    let in_zone = placement.availability_zone.as_deref().and_then(|zone| zone.split_once(':'));
    let named = placement.host_id.as_deref();
    if named.is_some() && placement.tenancy.as_deref() != Some("host") {
        return Err(FaultCode::InvalidParameterCombination
            .with("Placement.HostId goes with Placement.Tenancy=host: give both or none"));
    }
    let Some(called) = named.or(in_zone.map(|(_, host)| host)) else { return Ok(None) };
    let host = view.world.hosts.get(called).ok_or_else(|| {
        FaultCode::InvalidParameterValue
            .with(format!("There is no host '{called}': name one of the operator's hosts"))
    })?;
    match in_zone {
        Some((zone, other)) if *zone != *host.zone || *other != *host.name => {
            Err(FaultCode::InvalidParameterValue
                .with(format!("The host {called} is in the availability zone {}, not {zone}", host.zone)))
        }
        _ => Ok(Some(host.name.clone())),
    }
}

/// The zone that is asked for; that of the host, where one is named.
fn zone(view: &View, request: &RunInstancesRequest, host: Option<&Arc<str>>) -> Option<String> {
    let asked = request.placement.as_ref().and_then(|placement| placement.availability_zone.clone());
    let of_host = host.and_then(|host| view.world.hosts.get(host)).map(|host| host.zone.to_string());
    of_host.or(asked)
}

/// Switches that are taken when they are off.
fn unsupported(request: &RunInstancesRequest) -> Result<(), Fault> {
    let on = [
        ("Monitoring.Enabled", request.monitoring.as_ref().and_then(|monitoring| monitoring.enabled)),
        ("EbsOptimized", request.ebs_optimized),
        (
            "HibernationOptions.Configured",
            request.hibernation_options.as_ref().and_then(|options| options.configured),
        ),
        ("EnclaveOptions.Enabled", request.enclave_options.as_ref().and_then(|options| options.enabled)),
    ];
    match on.iter().find(|(_, value)| *value == Some(true)) {
        Some((name, _)) => Err(FaultCode::UnsupportedOperation
            .with(format!("{name}=true is not supported: leave it out or set it to false"))),
        None => Ok(()),
    }
}

/// The image that is launched.
///
/// # Errors
/// Neither the request nor a template has said any.
pub fn image_id(request: &RunInstancesRequest) -> Result<ImageId, Fault> {
    request
        .image_id
        .ok_or_else(|| FaultCode::MissingParameter.with("The request must contain the parameter ImageId"))
}

fn instance_type(name: Option<&str>) -> Result<Arc<str>, Fault> {
    let name = name.unwrap_or(kinds::DEFAULT);
    match kinds::known(name) {
        true => Ok(name.into()),
        false => {
            Err(FaultCode::InvalidParameterValue.with(format!("Invalid value '{name}' for InstanceType.")))
        }
    }
}

fn key_pair(view: &View, name: &str) -> Result<Arc<KeyPair>, Fault> {
    let id = view.world.index.key_pair_by_name.get(&(view.caller.owner.clone(), name.into()));
    id.and_then(|id| view.world.key_pairs.get(id)).cloned().ok_or_else(|| {
        FaultCode::InvalidKeyPairNotFound.with(format!("The key pair '{name}' does not exist"))
    })
}

pub fn user_data(bytes: &[u8]) -> Result<Arc<[u8]>, Fault> {
    match bytes.len() {
        ..=MAX_USER_DATA => Ok(bytes.into()),
        _ => {
            Err(FaultCode::InvalidParameterValue
                .with(format!("User data is limited to {MAX_USER_DATA} bytes")))
        }
    }
}

fn metadata_options(options: Option<&input::InstanceMetadataOptions>) -> Result<MetadataOptions, Fault> {
    let none = input::InstanceMetadataOptions::default();
    let options = options.unwrap_or(&none);
    let hop_limit = options.http_put_response_hop_limit.unwrap_or(1);
    Ok(MetadataOptions {
        tokens_required: options.http_tokens.as_deref() == Some("required"),
        hop_limit: u8::try_from(hop_limit).map_err(|_| {
            FaultCode::InvalidParameterValue.with("HttpPutResponseHopLimit is a number from 1 to 64")
        })?,
        enabled: options.http_endpoint.as_deref() != Some("disabled"),
        instance_tags: options.instance_metadata_tags.as_deref() == Some("enabled"),
    })
}

/// A tag that the metadata service serves is a path there
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html>).
pub fn served_tag(key: &str) -> Result<(), Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_+=,.@:".contains(c);
    if key.chars().all(plain) && !matches!(key, "." | ".." | "_index") {
        return Ok(());
    }
    Err(FaultCode::InvalidParameterValue.with(format!(
        "'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), and must not \
         be a reserved name ('.', '..', '_index') while instance tags in the metadata are enabled"
    )))
}

/// The groups of a new interface in a VPC, sorted: those that are named, else the default one.
///
/// # Errors
/// A group that the caller does not have in this VPC, or too many.
pub fn groups(view: &View, vpc: VpcId, wanted: &InterfaceOptions) -> Result<Arc<[GroupId]>, Fault> {
    let world = view.world;
    let mut groups = Vec::new();
    for id in &wanted.group_ids {
        let group = world.groups.get(id).filter(|group| group.owner == view.caller.owner && group.vpc == vpc);
        let group = group.ok_or_else(|| no_group(id, vpc))?;
        groups.push(group.id);
    }
    for name in &wanted.group_names {
        let id = world.index.group_by_name.get(&(vpc, name.as_str().into()));
        groups.push(*id.ok_or_else(|| no_group(name, vpc))?);
    }
    if groups.is_empty() {
        groups.extend(defaults::group(world, vpc));
    }
    groups.sort_unstable();
    groups.dedup();
    let most = view.caller.quotas.security_groups_per_interface;
    if groups.len() > most {
        return Err(FaultCode::SecurityGroupsPerInterfaceLimitExceeded
            .with(format!("A network interface has at most {most} security groups")));
    }
    Ok(groups.into())
}

fn no_group(group: impl std::fmt::Display, vpc: VpcId) -> Fault {
    FaultCode::InvalidGroupNotFound
        .with(format!("The security group '{group}' does not exist in VPC '{vpc}'"))
}
