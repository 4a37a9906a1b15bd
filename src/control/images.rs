//! DescribeImages.
//!
//! Images are the operator's and every account may launch them. So that `--owners self`, `--owners
//! amazon` and the account's own number, which scripts and Terraform write, all find them, an image
//! is told as the asking account's with the alias `amazon`, which stands for the provider.

use std::sync::Arc;

use super::filter::Values;
use super::page::Page;
use super::{View, filter, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::ResourceId;
use crate::world::Image;

const ALIAS: &str = "amazon";

pub fn describe_images(
    view: &View,
    request: &DescribeImagesRequest,
) -> Result<DescribeImagesResponse, Fault> {
    let images = &view.world.images;
    let unknown: Vec<_> =
        request.image_ids.iter().filter(|id| !images.contains_key(*id)).map(ToString::to_string).collect();
    if !unknown.is_empty() {
        let s = if unknown.len() > 1 { "s" } else { "" };
        let verb = if unknown.len() > 1 { "do" } else { "does" };
        return Err(FaultCode::InvalidAMIIDNotFound
            .with(format!("The image id{s} '[{}]' {verb} not exist", unknown.join(", "))));
    }
    let account = view.caller.owner.account.to_string();
    let owned = request.owners.is_empty()
        || request.owners.iter().any(|owner| ["self", ALIAS, &account].contains(&owner.as_str()));
    // Public images have no launch permission of one account: `self` and numbers find none, as in EC2.
    let executable =
        request.executable_users.is_empty() || request.executable_users.iter().any(|user| user == "all");
    let matching = images
        .values()
        .filter(|_| owned && executable)
        .filter(|image| request.image_ids.is_empty() || request.image_ids.contains(&image.id))
        .filter(|image| {
            filter::matches(view.world, Some(ResourceId::Image(image.id)), &request.filters, |name| {
                attribute(view, image, name)
            })
        });
    let page = Page {
        max_results: request.max_results,
        next_token: request.next_token.as_deref(),
        filters: &request.filters,
    };
    let (found, next_token) = page.cut(matching, |image| image.id.to_string())?;
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
        "ena-support" | "is-public" => "true".into(),
        "hypervisor" => "xen".into(),
        "image-id" => image.id.to_string(),
        "image-type" => "machine".into(),
        "manifest-location" => image.location.to_string(),
        "name" => image.name.to_string(),
        "owner-alias" => ALIAS.into(),
        "owner-id" => view.caller.owner.account.to_string(),
        "root-device-type" => "instance-store".into(),
        "state" => "available".into(),
        "virtualization-type" => "hvm".into(),
        _ => return Values::new(),
    }]
}

fn shape(view: &View, image: &Arc<Image>) -> output::Image {
    output::Image {
        image_id: image.id,
        image_location: image.location.to_string(),
        image_state: "available".into(),
        image_owner_id: view.caller.owner.account,
        image_owner_alias: ALIAS.into(),
        creation_date: image.created,
        is_public: true,
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
