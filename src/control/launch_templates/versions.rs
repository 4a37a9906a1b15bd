//! Versions: create, describe, delete; and what an instance would be as one.

use std::sync::Arc;

use super::super::idempotency::Once;
use super::super::instances::{facts::Facts, find};
use super::super::{Decision, View, filter};
use super::{data, latest, named, number, of_owner, shape, version, versions_of};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::world::{Key, LaunchTemplate, LaunchTemplateVersion};

pub fn create_launch_template_version(
    decision: &mut Decision,
    request: &CreateLaunchTemplateVersionRequest,
) -> Result<CreateLaunchTemplateVersionResponse, Fault> {
    let plain = CreateLaunchTemplateVersionRequest { dry_run: false, ..request.clone() };
    let once = Once::new(decision, "CreateLaunchTemplateVersion", request.client_token.as_deref(), &plain);
    let made = once.as_ref().map(|once| once.made(decision)).transpose()?.flatten();
    let view = decision.view();
    let template = named(&view, request.launch_template_id, request.launch_template_name.as_deref())?.clone();
    let made = made.and_then(|number| {
        view.world.launch_template_versions.get(&(template.id, number.parse().ok()?)).cloned()
    });
    let row = match made {
        Some(row) => row,
        None => create(decision, &template, request, once)?,
    };
    Ok(CreateLaunchTemplateVersionResponse { launch_template_version: shape::version(&template, &row)? })
}

fn create(
    decision: &mut Decision,
    template: &LaunchTemplate,
    request: &CreateLaunchTemplateVersionRequest,
    once: Option<Once>,
) -> Result<Arc<LaunchTemplateVersion>, Fault> {
    let mut pairs = data::pairs(&request.launch_template_data);
    if let Some(source) = &request.source_version {
        let source = version(&decision.world, template, source)?;
        pairs = data::over(data::kept(source)?, &pairs);
    }
    data::check(&pairs)?;
    let most = decision.caller.quotas.versions_per_launch_template;
    if versions_of(&decision.world, template.id).count() >= most {
        return Err(FaultCode::ResourceLimitExceeded
            .with(format!("The launch template {} has {most} versions: delete one first", template.id)));
    }
    let row = LaunchTemplateVersion {
        template: template.id,
        number: template.next_version,
        description: request.version_description.as_deref().map(Into::into),
        data: data::text(&pairs),
        created: decision.env.now,
    };
    decision.put(row.clone());
    decision.put(LaunchTemplate { next_version: template.next_version + 1, ..template.clone() });
    if let Some(once) = once {
        once.remember(decision, row.number.to_string().into());
    }
    Ok(Arc::new(row))
}

type Found<'w> = (&'w Arc<LaunchTemplate>, &'w Arc<LaunchTemplateVersion>);

pub fn describe_launch_template_versions(
    view: &View,
    request: &DescribeLaunchTemplateVersionsRequest,
) -> Result<DescribeLaunchTemplateVersionsResponse, Fault> {
    let mut found = match (request.launch_template_id, request.launch_template_name.as_deref()) {
        (None, None) => of_all(view, request)?,
        (id, name) => of_one(view, named(view, id, name)?, request)?,
    };
    // EC2 begins with the latest.
    found.sort_by_key(|(template, row)| (template.id, u64::MAX - row.number));
    found.dedup_by_key(|(template, row)| (template.id, row.number));
    let mut matching = Vec::new();
    for (template, row) in found {
        let told = shape::version(template, row)?;
        if filter::matches(view.world, None, &request.filters, |name| attribute(&told, name)) {
            matching.push(told);
        }
    }
    let (launch_template_versions, next_token) = request.page().cut(matching.into_iter(), |told| {
        format!("{} {:020}", told.launch_template_id, u64::MAX - told.version_number.cast_unsigned())
    })?;
    Ok(DescribeLaunchTemplateVersionsResponse { launch_template_versions, next_token })
}

/// The latest or the default version of every template.
fn of_all<'w>(
    view: &View<'w>,
    request: &DescribeLaunchTemplateVersionsRequest,
) -> Result<Vec<Found<'w>>, Fault> {
    let every = |text: &String| text == "$Latest" || text == "$Default";
    if request.versions.is_empty() || !request.versions.iter().all(every) {
        return Err(FaultCode::MissingParameter.with(
            "The request must contain the parameter LaunchTemplateId or LaunchTemplateName, or ask for the versions $Latest \
             and $Default of all launch templates",
        ));
    }
    let mut found = Vec::new();
    for template in of_owner(view.world, &view.caller.owner) {
        for text in &request.versions {
            found.push((template, version(view.world, template, text)?));
        }
    }
    Ok(found)
}

fn of_one<'w>(
    view: &View<'w>,
    template: &'w Arc<LaunchTemplate>,
    request: &DescribeLaunchTemplateVersionsRequest,
) -> Result<Vec<Found<'w>>, Fault> {
    let (min, max) = (request.min_version.as_deref(), request.max_version.as_deref());
    if !request.versions.is_empty() {
        if min.is_some() || max.is_some() {
            return Err(FaultCode::InvalidParameterCombination
                .with("LaunchTemplateVersion cannot be used with MinVersion or MaxVersion"));
        }
        let one = |text: &String| version(view.world, template, text).map(|row| (template, row));
        return request.versions.iter().map(one).collect();
    }
    let bound = |text: Option<&str>, none| text.map_or(Ok(none), |text| number(view.world, template, text));
    let (min, max) = (bound(min, 0)?, bound(max, u64::MAX)?);
    let rows = versions_of(view.world, template.id);
    Ok(rows.filter(|row| (min..=max).contains(&row.number)).map(|row| (template, row)).collect())
}

fn attribute(told: &output::LaunchTemplateVersion, name: &str) -> filter::Values {
    let said = &told.launch_template_data;
    let metadata = said.metadata_options.as_ref();
    let text = |value: Option<&String>| value.cloned().into_iter().collect();
    match name {
        "create-time" => vec![told.create_time.to_string()],
        "ebs-optimized" => said.ebs_optimized.iter().map(ToString::to_string).collect(),
        "http-endpoint" => text(metadata.and_then(|said| said.http_endpoint.as_ref())),
        "http-tokens" => text(metadata.and_then(|said| said.http_tokens.as_ref())),
        "image-id" => said.image_id.iter().map(ToString::to_string).collect(),
        "instance-type" => text(said.instance_type.as_ref()),
        "is-default-version" => vec![told.default_version.to_string()],
        "network-card-index" => {
            let cards = said.network_interfaces.iter().filter_map(|one| one.network_card_index);
            cards.map(|card| card.to_string()).collect()
        }
        // What else EC2 knows cannot be said in a template here.
        _ => filter::Values::new(),
    }
}

pub fn delete_launch_template_versions(
    decision: &mut Decision,
    request: &DeleteLaunchTemplateVersionsRequest,
) -> Result<DeleteLaunchTemplateVersionsResponse, Fault> {
    let view = decision.view();
    let template = named(&view, request.launch_template_id, request.launch_template_name.as_deref())?.clone();
    let mut response = DeleteLaunchTemplateVersionsResponse::default();
    for text in &request.versions {
        match deletable(decision, &template, text) {
            Ok(version) => {
                decision.delete(Key::LaunchTemplateVersion((template.id, version)));
                response.successfully_deleted.push(output::DeletedLaunchTemplateVersion {
                    launch_template_id: template.id,
                    launch_template_name: template.name.to_string(),
                    version_number: version.cast_signed(),
                });
            }
            Err((code, message)) => {
                response.unsuccessfully_deleted.push(output::KeptLaunchTemplateVersion {
                    launch_template_id: template.id,
                    launch_template_name: template.name.to_string(),
                    version_number: text.parse().ok(),
                    response_error: output::ResponseError { code: code.into(), message },
                });
            }
        }
    }
    Ok(response)
}

/// The number of a version that may go, or EC2's code for why it may not
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResponseError.html>).
fn deletable(
    decision: &Decision,
    template: &LaunchTemplate,
    text: &str,
) -> Result<u64, (&'static str, String)> {
    let found = match text {
        "$Latest" => latest(&decision.world, template),
        text => match version(&decision.world, template, text) {
            Ok(row) => row.number,
            Err(fault) => return Err(("launchTemplateVersionDoesNotExist", fault.message)),
        },
    };
    match found == template.default_version {
        true => Err((
            "unexpectedError",
            format!("Version {found} is the default version: make another one the default first"),
        )),
        false => Ok(found),
    }
}

pub fn get_launch_template_data(
    view: &View,
    request: &GetLaunchTemplateDataRequest,
) -> Result<GetLaunchTemplateDataResponse, Fault> {
    let row = find(view, request.instance_id)?;
    let facts = Facts::of(view.world, &row);
    Ok(GetLaunchTemplateDataResponse { launch_template_data: shape::of_instance(&facts) })
}
