//! RegisterImage and DeregisterImage: images of an account's own.
//!
//! A location is a path on every host, read there as root. Only the operator says which paths are images: an account
//! can register a location again that the operator has registered, under a name, description and tags of its own, and
//! no other. When the operator takes the location back, what was made of it goes too (`control::operator`).

use std::sync::Arc;

use super::super::{Decision, tags};
use super::find;
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::{ImageId, ResourceId};
use crate::world::{Image, Key, World};

pub fn register_image(
    decision: &mut Decision,
    request: &RegisterImageRequest,
) -> Result<RegisterImageResponse, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &["image"], "image")?;
    well_formed(&request.name)?;
    if request.ena_support == Some(false) {
        return Err(FaultCode::UnsupportedOperation
            .with("EnaSupport=false is not supported: every image has enhanced networking"));
    }
    let source = of_operator(&decision.world, &request.image_location).ok_or_else(|| {
        FaultCode::InvalidManifest.with(format!(
            "The location '{}' is that of no image which the operator of this cloud has registered: name the \
             imageLocation of one that DescribeImages tells",
            request.image_location
        ))
    })?;
    let architecture = source.architecture.clone();
    if request.architecture.as_deref().is_some_and(|wanted| wanted != &*architecture) {
        return Err(FaultCode::InvalidParameterValue
            .with(format!("The image at '{}' is one for {architecture}", source.location)));
    }
    free(decision, &request.name)?;
    let row = Image {
        id: decision.env.id(ImageId::from_random),
        owner: Some(decision.caller.owner.clone()),
        name: request.name.as_str().into(),
        description: request.description.as_deref().unwrap_or_default().into(),
        location: source.location.clone(),
        architecture,
        created: decision.env.now,
    };
    let image_id = row.id;
    decision.put(row);
    decision.tag(ResourceId::Image(image_id), &tags)?;
    Ok(RegisterImageResponse { image_id })
}

/// The operator's image at a location.
fn of_operator(world: &World, location: &str) -> Option<Arc<Image>> {
    world.images.values().find(|image| image.owner.is_none() && *image.location == *location).cloned()
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RegisterImage.html>.
fn well_formed(name: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
    if (3..=128).contains(&name.chars().count()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(FaultCode::InvalidAMINameMalformed.with(
        "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, spaces, and the characters \
         ( ) [ ] . / - ' @ _",
    ))
}

/// The name is free and there is room for one more.
fn free(decision: &Decision, name: &str) -> Result<(), Fault> {
    let owner = &decision.caller.owner;
    let own = || decision.world.images.values().filter(|image| image.owner.as_ref() == Some(owner));
    if let Some(other) = own().find(|image| *image.name == *name) {
        return Err(FaultCode::InvalidAMINameDuplicate
            .with(format!("AMI name {name} is already in use by AMI {}", other.id)));
    }
    let most = decision.caller.quotas.images;
    match own().count() < most {
        true => Ok(()),
        false => Err(FaultCode::ResourceLimitExceeded
            .with(format!("There are {most} images of your own: deregister one first"))),
    }
}

pub fn deregister_image(
    decision: &mut Decision,
    request: &DeregisterImageRequest,
) -> Result<DeregisterImageResponse, Fault> {
    let id = request.image_id;
    if find(&decision.view(), id)?.owner.is_none() {
        return Err(FaultCode::OperationNotPermitted
            .with(format!("The image {id} belongs to the operator of this cloud")));
    }
    // An instance keeps what it has started from; one that never has would find nothing.
    let waits = |row: &&Arc<crate::world::Instance>| {
        row.image == id && row.seen_boot == 0 && row.terminated.is_none()
    };
    if let Some(row) = decision.world.instances.values().find(waits) {
        return Err(FaultCode::DependencyViolation
            .with(format!("The instance '{}' has not started from image {id} yet: try again then", row.id)));
    }
    remove(decision, id);
    Ok(DeregisterImageResponse { result: true })
}

/// Takes an image away, with its tags.
pub fn remove(decision: &mut Decision, id: ImageId) {
    decision.untag_all(ResourceId::Image(id));
    decision.delete(Key::Image(id));
}

/// The images that go when this one of the operator's does: itself, and those of accounts at its location, unless
/// another of the operator's is there.
pub fn with_copies(world: &World, id: ImageId) -> Vec<ImageId> {
    let Some(image) = world.images.get(&id) else { return Vec::new() };
    let there = |other: &&Arc<Image>| other.id != id && other.location == image.location;
    let (owned, others): (Vec<_>, Vec<_>) =
        world.images.values().filter(there).partition(|other| other.owner.is_some());
    let copies = owned.into_iter().filter(|_| others.is_empty()).map(|other| other.id);
    std::iter::once(id).chain(copies).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{describe_image_attribute, describe_images, modify_image_attribute};
    use super::*;
    use crate::control::testing::{Bench, run_request};
    use crate::control::{instances, operator};
    use crate::types::Owner;

    fn request(name: &str, location: &str) -> RegisterImageRequest {
        RegisterImageRequest {
            dry_run: false,
            name: name.into(),
            image_location: location.into(),
            description: Some("d".into()),
            architecture: None,
            boot_mode: None,
            ena_support: None,
            virtualization_type: None,
            tag_specifications: Vec::new(),
        }
    }

    fn register(bench: &mut Bench, name: &str, location: &str) -> Result<ImageId, Fault> {
        let request = request(name, location);
        bench.attempt(|decision| register_image(decision, &request)).map(|made| made.image_id)
    }

    fn deregister(bench: &mut Bench, image_id: ImageId) -> Result<(), Fault> {
        let request = DeregisterImageRequest { dry_run: false, image_id, delete_associated_snapshots: None };
        bench.attempt(|decision| deregister_image(decision, &request)).map(drop)
    }

    fn as_another(bench: &mut Bench) {
        let account = "444455556666".parse().unwrap();
        bench.put(crate::world::Account { id: account, name: "other".into(), created: bench.now });
        bench.caller.owner = Owner { account, region: bench.caller.owner.region.clone() };
    }

    fn shown(bench: &Bench, owners: &[&str]) -> Vec<ImageId> {
        let owners = owners.iter().map(ToString::to_string).collect();
        let request = DescribeImagesRequest { owners, ..Default::default() };
        describe_images(&bench.view(), &request).unwrap().images.iter().map(|image| image.image_id).collect()
    }

    #[test]
    fn only_what_the_operator_has_registered_can_be_an_image() {
        let mut bench = Bench::small();
        for location in ["/etc", "/images/busybox/", "/images/../images/busybox", "images/busybox", "stock"] {
            let fault = register(&mut bench, "mine", location).unwrap_err();
            assert_eq!(fault.code, FaultCode::InvalidManifest, "{location}");
        }
        let id = register(&mut bench, "mine", "/images/busybox").unwrap();
        assert_eq!(&*bench.world.images[&id].location, "/images/busybox");
        // What was made of the operator's is no source itself, once the operator's is gone.
        let first = ImageId::from_random(1);
        bench.decide(|decision| decision.delete(Key::Image(first)));
        assert_eq!(
            register(&mut bench, "more", "/images/busybox").unwrap_err().code,
            FaultCode::InvalidManifest
        );
    }

    #[test]
    fn an_image_of_ones_own_is_seen_and_launched_by_oneself_alone() {
        let mut bench = Bench::small();
        let id = register(&mut bench, "mine", "/images/busybox").unwrap();
        let own = bench.caller.owner.account.to_string();
        assert!(shown(&bench, &["self"]).contains(&id) && shown(&bench, &[&own]).contains(&id));
        assert!(!shown(&bench, &["amazon"]).contains(&id));
        as_another(&mut bench);
        assert!(!shown(&bench, &[]).contains(&id));
        let launch = RunInstancesRequest { image_id: Some(id), ..run_request() };
        let fault = bench.attempt(|decision| instances::run_instances(decision, &launch)).unwrap_err();
        assert_eq!(fault.code, FaultCode::InvalidAMIIDNotFound);
        assert_eq!(deregister(&mut bench, id).unwrap_err().code, FaultCode::InvalidAMIIDNotFound);
        // Names are one's own.
        register(&mut bench, "mine", "/images/busybox").unwrap();
        let fault = register(&mut bench, "mine", "/images/busybox").unwrap_err();
        assert_eq!(fault.code, FaultCode::InvalidAMINameDuplicate);
    }

    #[test]
    fn what_has_not_started_yet_keeps_its_image() {
        let mut bench = Bench::small();
        let id = register(&mut bench, "mine", "/images/busybox").unwrap();
        let launch = RunInstancesRequest { image_id: Some(id), ..run_request() };
        bench.attempt(|decision| instances::run_instances(decision, &launch)).unwrap();
        assert_eq!(deregister(&mut bench, id).unwrap_err().code, FaultCode::DependencyViolation);
        let row = bench.world.instances.values().next().unwrap().clone();
        bench.put(crate::world::Instance { seen_boot: 1, ..(*row).clone() });
        deregister(&mut bench, id).unwrap();
        assert_eq!(deregister(&mut bench, id).unwrap_err().code, FaultCode::InvalidAMIIDNotFound);
        let fault = deregister(&mut bench, ImageId::from_random(1)).unwrap_err();
        assert_eq!(fault.code, FaultCode::OperationNotPermitted);
    }

    #[test]
    fn what_the_operator_takes_back_is_nobodys_any_more() {
        let mut bench = Bench::small();
        let id = register(&mut bench, "mine", "/images/busybox").unwrap();
        let launch = RunInstancesRequest { image_id: Some(id), ..run_request() };
        let made = bench.attempt(|decision| instances::run_instances(decision, &launch)).unwrap();
        let first = ImageId::from_random(1);
        bench.attempt(|decision| operator::deregister_image(decision, first)).unwrap_err();
        let row = bench.world.instances[&made.instances_set[0].instance_id].clone();
        bench.decide(|decision| {
            decision.put(crate::world::Instance { terminated: Some(row.launched), ..(*row).clone() })
        });
        bench.attempt(|decision| operator::deregister_image(decision, first)).unwrap();
        assert!(bench.world.images.is_empty());
    }

    #[test]
    fn ones_own_description_can_be_changed_and_the_operators_cannot() {
        let mut bench = Bench::small();
        let id = register(&mut bench, "mine", "/images/busybox").unwrap();
        let described = |bench: &Bench, image_id, attribute: &str| {
            let attribute = attribute.to_owned();
            let request = DescribeImageAttributeRequest { dry_run: false, image_id, attribute };
            describe_image_attribute(&bench.view(), &request).unwrap()
        };
        let change = |image_id, value: &str| ModifyImageAttributeRequest {
            dry_run: false,
            image_id,
            attribute: None,
            value: None,
            description: Some(input::AttributeValue { value: Some(value.into()) }),
        };
        bench.attempt(|decision| modify_image_attribute(decision, &change(id, "other"))).unwrap();
        let told = described(&bench, id, "description");
        assert_eq!(told.description.unwrap().value.as_deref(), Some("other"));
        assert_eq!(described(&bench, id, "launchPermission").launch_permission, Some(vec![]));
        let first = ImageId::from_random(1);
        let all = Some(vec![output::LaunchPermission { group: "all".into() }]);
        assert_eq!(described(&bench, first, "launchPermission").launch_permission, all);
        let fault =
            bench.attempt(|decision| modify_image_attribute(decision, &change(first, "mine"))).unwrap_err();
        assert_eq!(fault.code, FaultCode::OperationNotPermitted);
        let named = ModifyImageAttributeRequest { attribute: Some("kernel".into()), ..change(id, "x") };
        let fault = bench.attempt(|decision| modify_image_attribute(decision, &named)).unwrap_err();
        assert_eq!(fault.code, FaultCode::UnsupportedOperation);
    }

    #[test]
    fn names_are_as_ec2_has_them() {
        for name in ["ab", &"a".repeat(129), "a$b", "a\nb"] {
            assert!(well_formed(name).is_err(), "{name}");
        }
        for name in ["abc", &"a".repeat(128), "my (first) [image] 1.0/x-y'z@_"] {
            assert!(well_formed(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn there_are_so_many_and_no_more() {
        let mut bench = Bench::small();
        for n in 0..bench.caller.quotas.images {
            register(&mut bench, &format!("image {n}"), "/images/busybox").unwrap();
        }
        let fault = register(&mut bench, "one more", "/images/busybox").unwrap_err();
        assert_eq!(fault.code, FaultCode::ResourceLimitExceeded);
    }
}
