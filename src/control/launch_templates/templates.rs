//! Templates: create, describe, change the default, delete.

use std::sync::Arc;

use super::super::idempotency::Once;
use super::super::{Decision, View, filter, tags};
use super::{by_id, by_name, data, named, of_owner, shape, version, versions_of};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::{LaunchTemplateId, ResourceId};
use crate::world::{Key, LaunchTemplate, LaunchTemplateVersion};

pub fn create_launch_template(
    decision: &mut Decision,
    request: &CreateLaunchTemplateRequest,
) -> Result<CreateLaunchTemplateResponse, Fault> {
    let plain = CreateLaunchTemplateRequest { dry_run: false, ..request.clone() };
    let (once, made) = Once::begin(
        decision,
        "CreateLaunchTemplate",
        request.client_token.as_deref(),
        &plain,
        |view, id| by_id(view, id.parse().ok()?).ok().cloned(),
    )?;
    let row = match made {
        Some(row) => row,
        None => create(decision, request, once)?,
    };
    Ok(CreateLaunchTemplateResponse { launch_template: shape::template(&decision.world, &row) })
}

fn create(
    decision: &mut Decision,
    request: &CreateLaunchTemplateRequest,
    once: Option<Once>,
) -> Result<Arc<LaunchTemplate>, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &["launch-template"], "launch-template")?;
    let name = request.launch_template_name.as_str();
    well_formed(name)?;
    let pairs = data::pairs(&request.launch_template_data);
    data::check(&pairs)?;
    if by_name(&decision.view(), name).is_ok() {
        return Err(FaultCode::InvalidLaunchTemplateNameAlreadyExistsException
            .with("Launch template name already in use."));
    }
    let most = decision.caller.quotas.launch_templates;
    if of_owner(&decision.world, &decision.caller.owner).count() >= most {
        return Err(FaultCode::ResourceLimitExceeded
            .with(format!("There are {most} launch templates: delete one first")));
    }
    let row = LaunchTemplate {
        id: decision.env.id(LaunchTemplateId::from_random),
        owner: decision.caller.owner.clone(),
        name: name.into(),
        default_version: 1,
        next_version: 2,
        created: decision.env.now,
    };
    decision.put(row.clone());
    decision.put(LaunchTemplateVersion {
        template: row.id,
        number: 1,
        description: request.version_description.as_deref().map(Into::into),
        data: data::text(&pairs),
        created: decision.env.now,
    });
    decision.tag(ResourceId::LaunchTemplate(row.id), &tags)?;
    if let Some(once) = once {
        once.remember(decision, row.id.to_string().into());
    }
    Ok(Arc::new(row))
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html>.
fn well_formed(name: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "().-/_".contains(c);
    if (3..=128).contains(&name.chars().count()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(FaultCode::InvalidLaunchTemplateNameMalformedException.with(
        "A launch template name must be between 3 and 128 characters, and may contain letters, numbers, and the following \
         characters: - ( ) . / _.",
    ))
}

pub fn describe_launch_templates(
    view: &View,
    request: &DescribeLaunchTemplatesRequest,
) -> Result<DescribeLaunchTemplatesResponse, Fault> {
    let (ids, names) = (&request.launch_template_ids, &request.launch_template_names);
    ids.iter().try_for_each(|id| by_id(view, *id).map(drop))?;
    names.iter().try_for_each(|name| by_name(view, name).map(drop))?;
    let wanted = |row: &LaunchTemplate| {
        (ids.is_empty() && names.is_empty())
            || ids.contains(&row.id)
            || names.iter().any(|name| **name == *row.name)
    };
    let mut rows: Vec<_> = of_owner(view.world, &view.caller.owner).filter(|row| wanted(row)).collect();
    rows.sort_by_key(|row| row.id);
    let matching = rows.into_iter().filter(|row| {
        let resource = ResourceId::LaunchTemplate(row.id);
        filter::matches(view.world, Some(resource), &request.filters, |name| match name {
            "create-time" => vec![row.created.to_string()],
            "launch-template-name" => vec![row.name.to_string()],
            _ => Vec::new(),
        })
    });
    let (found, next_token) = request.page().cut(matching, |row| row.id.to_string())?;
    let launch_templates = found.into_iter().map(|row| shape::template(view.world, row)).collect();
    Ok(DescribeLaunchTemplatesResponse { launch_templates, next_token })
}

pub fn modify_launch_template(
    decision: &mut Decision,
    request: &ModifyLaunchTemplateRequest,
) -> Result<ModifyLaunchTemplateResponse, Fault> {
    let plain = ModifyLaunchTemplateRequest { dry_run: false, ..request.clone() };
    let once = Once::new(decision, "ModifyLaunchTemplate", request.client_token.as_deref(), &plain);
    let made = once.as_ref().map(|once| once.made(decision)).transpose()?.flatten();
    let view = decision.view();
    let row = named(&view, request.launch_template_id, request.launch_template_name.as_deref())?.clone();
    let Some(wanted) = request.default_version.as_deref() else {
        return Err(
            FaultCode::MissingParameter.with("The request must contain the parameter SetDefaultVersion")
        );
    };
    if made.is_none() {
        let default_version = version(view.world, &row, wanted)?.number;
        decision.put(LaunchTemplate { default_version, ..(*row).clone() });
        if let Some(once) = once {
            once.remember(decision, row.id.to_string().into());
        }
    }
    let row = by_id(&decision.view(), row.id)?.clone();
    Ok(ModifyLaunchTemplateResponse { launch_template: shape::template(&decision.world, &row) })
}

pub fn delete_launch_template(
    decision: &mut Decision,
    request: &DeleteLaunchTemplateRequest,
) -> Result<DeleteLaunchTemplateResponse, Fault> {
    let view = decision.view();
    let row = named(&view, request.launch_template_id, request.launch_template_name.as_deref())?.clone();
    let launch_template = shape::template(view.world, &row);
    let numbers: Vec<_> = versions_of(view.world, row.id).map(|version| version.number).collect();
    for number in numbers {
        decision.delete(Key::LaunchTemplateVersion((row.id, number)));
    }
    decision.untag_all(ResourceId::LaunchTemplate(row.id));
    decision.delete(Key::LaunchTemplate(row.id));
    Ok(DeleteLaunchTemplateResponse { launch_template })
}
