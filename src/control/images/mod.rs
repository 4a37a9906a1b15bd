//! Images: the operator's, which every account may launch, and those of an account's own.
//!
//! So that `--owners self`, `--owners
//! amazon` and the account's own number, which scripts and Terraform write, all find them, an image of the operator's
//! is told as the asking account's with the alias `amazon`, which stands for the provider.

mod attributes;
mod register;

pub use attributes::{describe_image_attribute, modify_image_attribute};
pub use register::{deregister_image, register_image, remove, with_copies};

use std::sync::Arc;

use super::filter::Values;
use super::{View, filter, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::{ImageId, ResourceId};
use crate::world::Image;

const ALIAS: &str = "amazon";

/// An image that the caller may see and launch.
fn visible(view: &View, image: &Image) -> bool {
    image.owner.as_ref().is_none_or(|owner| *owner == view.caller.owner)
}

/// # Errors
/// There is no such image, or it is another account's.
pub fn find<'w>(view: &View<'w>, id: ImageId) -> Result<&'w Arc<Image>, Fault> {
    let image = view.world.images.get(&id).filter(|image| visible(view, image));
    image.ok_or_else(|| FaultCode::InvalidAMIIDNotFound.with(format!("The image id '[{id}]' does not exist")))
}

pub fn describe_images(
    view: &View,
    request: &DescribeImagesRequest,
) -> Result<DescribeImagesResponse, Fault> {
    let images = &view.world.images;
    let absent = |id: &&ImageId| images.get(*id).is_none_or(|image| !visible(view, image));
    let unknown: Vec<_> = request.image_ids.iter().filter(absent).map(ToString::to_string).collect();
    if !unknown.is_empty() {
        let s = if unknown.len() > 1 { "s" } else { "" };
        let verb = if unknown.len() > 1 { "do" } else { "does" };
        return Err(FaultCode::InvalidAMIIDNotFound
            .with(format!("The image id{s} '[{}]' {verb} not exist", unknown.join(", "))));
    }
    let account = view.caller.owner.account.to_string();
    let owned = |image: &Image| {
        let names = |owner: &String| {
            *owner == "self" || *owner == account || (*owner == ALIAS && image.owner.is_none())
        };
        request.owners.is_empty() || request.owners.iter().any(names)
    };
    // No image has a launch permission of one account: `self` and numbers find none, as in EC2.
    let executable = |image: &Image| {
        let all = || image.owner.is_none() && request.executable_users.iter().any(|user| user == "all");
        request.executable_users.is_empty() || all()
    };
    let matching = images
        .values()
        .filter(|image| visible(view, image) && owned(image) && executable(image))
        .filter(|image| request.image_ids.is_empty() || request.image_ids.contains(&image.id))
        .filter(|image| {
            filter::matches(view.world, Some(ResourceId::Image(image.id)), &request.filters, |name| {
                attribute(view, image, name)
            })
        });
    let (found, next_token) = request.page().cut(matching, |image| image.id.to_string())?;
    Ok(DescribeImagesResponse {
        images: found.into_iter().map(|image| shape(view, image)).collect(),
        next_token,
    })
}

fn attribute(view: &View, image: &Image, name: &str) -> Values {
    vec![match name {
        "architecture" => image.architecture.to_string(),
        "creation-date" => image.created.to_string(),
        "description" => image.description.to_string(),
        "ena-support" => "true".into(),
        "hypervisor" => "xen".into(),
        "image-id" => image.id.to_string(),
        "is-public" => image.owner.is_none().to_string(),
        "image-type" => "machine".into(),
        "manifest-location" => image.location.to_string(),
        "name" => image.name.to_string(),
        "owner-alias" => return alias(image).into_iter().collect(),
        "owner-id" => view.caller.owner.account.to_string(),
        "root-device-type" => "instance-store".into(),
        "state" => "available".into(),
        "virtualization-type" => "hvm".into(),
        _ => return Values::new(),
    }]
}

fn alias(image: &Image) -> Option<String> {
    image.owner.is_none().then(|| ALIAS.into())
}

fn shape(view: &View, image: &Arc<Image>) -> output::Image {
    output::Image {
        image_id: image.id,
        image_location: image.location.to_string(),
        image_state: "available".into(),
        image_owner_id: view.caller.owner.account,
        image_owner_alias: alias(image),
        creation_date: image.created,
        is_public: image.owner.is_none(),
        architecture: image.architecture.to_string(),
        image_type: "machine".into(),
        name: image.name.to_string(),
        description: image.description.to_string(),
        root_device_type: "instance-store".into(),
        block_device_mapping: Vec::new(),
        virtualization_type: "hvm".into(),
        hypervisor: "xen".into(),
        ena_support: true,
        platform_details: "Linux/UNIX".into(),
        usage_operation: "RunInstances".into(),
        boot_mode: "legacy-bios".into(),
        product_codes: Vec::new(),
        tag_set: tags::set_of(view.world, ResourceId::Image(image.id)),
    }
}
