//! Launch templates: parameters of launches under a name, in versions that never change.
//!
//! A version keeps its parameters by their names on the wire (`data`), and RunInstances' own decoder reads them again: a
//! template can hold what RunInstances takes, and nothing else.

mod data;
mod shape;
mod templates;
#[cfg(test)]
mod tests;
mod versions;

pub use data::{MARKS, resolve};
pub use templates::{
    create_launch_template, delete_launch_template, describe_launch_templates, modify_launch_template,
};
pub use versions::{
    create_launch_template_version, delete_launch_template_versions, describe_launch_template_versions,
    get_launch_template_data,
};

use std::sync::Arc;

use super::View;
use crate::query::{Fault, FaultCode};
use crate::types::{LaunchTemplateId, Owner};
use crate::world::{LaunchTemplate, LaunchTemplateVersion, World};

/// The caller's template, by its id or its name.
///
/// # Errors
/// Both are given, or none, or there is no such template of the caller's.
fn named<'w>(
    view: &View<'w>,
    id: Option<LaunchTemplateId>,
    name: Option<&str>,
) -> Result<&'w Arc<LaunchTemplate>, Fault> {
    match (id, name) {
        (Some(id), None) => by_id(view, id),
        (None, Some(name)) => by_name(view, name),
        (Some(_), Some(_)) => Err(FaultCode::InvalidParameterCombination
            .with("Specify either LaunchTemplateId or LaunchTemplateName, and not both")),
        (None, None) => Err(FaultCode::MissingParameter
            .with("The request must contain the parameter LaunchTemplateId or LaunchTemplateName")),
    }
}

fn by_id<'w>(view: &View<'w>, id: LaunchTemplateId) -> Result<&'w Arc<LaunchTemplate>, Fault> {
    let row = view.world.launch_templates.get(&id).filter(|row| row.owner == view.caller.owner);
    row.ok_or_else(|| {
        FaultCode::InvalidLaunchTemplateIdNotFound
            .with(format!("The specified launch template, with template ID {id}, does not exist."))
    })
}

fn by_name<'w>(view: &View<'w>, name: &str) -> Result<&'w Arc<LaunchTemplate>, Fault> {
    let id = view.world.index.launch_template_by_name.get(&(view.caller.owner.clone(), name.into()));
    id.and_then(|id| view.world.launch_templates.get(id)).ok_or_else(|| {
        FaultCode::InvalidLaunchTemplateNameNotFoundException
            .with(format!("The specified launch template, with template name {name}, does not exist."))
    })
}

/// An owner's templates, by name.
fn of_owner<'w>(world: &'w World, owner: &Owner) -> impl Iterator<Item = &'w Arc<LaunchTemplate>> {
    let owner = owner.clone();
    let first: (Owner, Arc<str>) = (owner.clone(), "".into());
    let named = world.index.launch_template_by_name.range(first..);
    named.take_while(move |((of, _), _)| *of == owner).filter_map(|(_, id)| world.launch_templates.get(id))
}

/// A template's versions, by number.
fn versions_of(
    world: &World,
    template: LaunchTemplateId,
) -> impl DoubleEndedIterator<Item = &Arc<LaunchTemplateVersion>> {
    world.launch_template_versions.range((template, 0)..=(template, u64::MAX)).map(|(_, row)| row)
}

/// The highest number that there is.
fn latest(world: &World, template: &LaunchTemplate) -> u64 {
    versions_of(world, template.id).next_back().map_or(template.default_version, |row| row.number)
}

/// The number that a request means: `$Latest`, `$Default`, or a number.
fn number(world: &World, template: &LaunchTemplate, text: &str) -> Result<u64, Fault> {
    match text {
        "$Latest" => Ok(latest(world, template)),
        "$Default" => Ok(template.default_version),
        text => text.parse().ok().filter(|_| !text.starts_with('+')).ok_or_else(|| {
            FaultCode::InvalidParameterValue.with(format!(
                "'{text}' is not a launch template version: give a number, $Latest or $Default"
            ))
        }),
    }
}

/// The version that a request means.
///
/// # Errors
/// There is none, or the text is no version.
fn version<'w>(
    world: &'w World,
    template: &LaunchTemplate,
    text: &str,
) -> Result<&'w Arc<LaunchTemplateVersion>, Fault> {
    let number = number(world, template, text)?;
    world.launch_template_versions.get(&(template.id, number)).ok_or_else(|| {
        FaultCode::InvalidLaunchTemplateIdVersionNotFound.with(format!(
            "Could not find the specified version {number} for the launch template with ID {}.",
            template.id
        ))
    })
}
