//! Sets of DHCP options: create, delete, associate, describe
//! (<https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSetConcepts.html>).

use std::str::FromStr;
use std::sync::Arc;

use super::{changeable, find, has_dependencies};
use crate::control::filter::Values;
use crate::control::{Decision, View, defaults, filter, operator, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{DhcpOptions, Key, Vpc};

/// "The IP addresses of up to four" servers of each kind (API_CreateDhcpOptions).
const MAX_SERVERS: usize = 4;
/// What AssociateDhcpOptions calls the set that each VPC has at first.
const DEFAULT: &str = "default";

/// The caller's set with this id.
fn find_options<'w>(view: &View<'w>, id: DhcpOptionsId) -> Result<&'w Arc<DhcpOptions>, Fault> {
    let row = view.world.dhcp_options.get(&id).filter(|row| row.owner == view.caller.owner);
    row.ok_or_else(|| {
        FaultCode::InvalidDhcpOptionIDNotFound.with(format!("The dhcpOption ID '{id}' does not exist"))
    })
}

fn of_caller<'w>(view: &View<'w>) -> impl Iterator<Item = &'w Arc<DhcpOptions>> {
    let owner = view.caller.owner.clone();
    view.world.dhcp_options.values().filter(move |row| row.owner == owner)
}

pub fn create_dhcp_options(
    decision: &mut Decision,
    request: &CreateDhcpOptionsRequest,
) -> Result<CreateDhcpOptionsResponse, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &["dhcp-options"], "dhcp-options")?;
    let mut row = DhcpOptions {
        id: decision.env.id(DhcpOptionsId::from_random),
        owner: decision.caller.owner.clone(),
        domain_name: None,
        name_servers: Arc::new([]),
        ntp_servers: Arc::new([]),
        netbios_name_servers: Arc::new([]),
        netbios_node_type: None,
        created: decision.env.now,
    };
    let mut keys: Vec<&str> = Vec::new();
    for configuration in &request.dhcp_configurations {
        let key = configuration.key.as_deref().unwrap_or_default();
        if keys.contains(&key) {
            return Err(FaultCode::InvalidParameterValue.with(format!("Duplicate DHCP option: {key}")));
        }
        keys.push(key);
        set(&mut row, key, &configuration.values)?;
    }
    if of_caller(&decision.view()).count() >= decision.caller.quotas.dhcp_options {
        return Err(FaultCode::DhcpOptionsLimitExceeded
            .with("The maximum number of DHCP options sets has been reached."));
    }
    let id = row.id;
    decision.put(row);
    decision.tag(ResourceId::DhcpOptions(id), &tags)?;
    let view = decision.view();
    Ok(CreateDhcpOptionsResponse { dhcp_options: shape(&view, find_options(&view, id)?) })
}

fn set(row: &mut DhcpOptions, key: &str, values: &[String]) -> Result<(), Fault> {
    // Several values may come as one text, too.
    let values: Vec<&str> = values
        .iter()
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|value| !value.is_empty())
        .collect();
    let Some(first) = values.first() else {
        return Err(FaultCode::MissingParameter.with(format!("The DHCP option {key} has no value")));
    };
    match key {
        "domain-name" => row.domain_name = Some(domain_name(&values)?),
        "domain-name-servers" => row.name_servers = servers(key, &values)?,
        "ntp-servers" => row.ntp_servers = servers(key, &values)?,
        "netbios-name-servers" => row.netbios_name_servers = servers(key, &values)?,
        "netbios-node-type" => {
            // RFC 2132, 8.7: B, P, M and H nodes.
            let kind = first.parse().ok().filter(|kind| values.len() == 1 && matches!(kind, 1 | 2 | 4 | 8));
            row.netbios_node_type = Some(kind.ok_or_else(|| invalid(&values.join(","), "use 1, 2, 4 or 8"))?);
        }
        "ipv6-address-preferred-lease-time" => {
            return Err(FaultCode::UnsupportedOperation
                .with(format!("The DHCP option {key} is not supported: there is no DHCPv6 here")));
        }
        _ => {
            return Err(FaultCode::InvalidParameterValue
                .with(format!("Value ({key}) for parameter name is invalid. Unknown DHCP option")));
        }
    }
    Ok(())
}

fn invalid(value: &str, expected: &str) -> Fault {
    let shown: String = value.chars().take(128).collect();
    FaultCode::InvalidParameterValue
        .with(format!("Value ({shown}) for parameter value is invalid: {expected}"))
}

/// One name, or several with blanks between them, as some guests take them.
fn domain_name(values: &[&str]) -> Result<Arc<str>, Fault> {
    match values {
        [one] if one.split(' ').all(operator::is_domain) => Ok((*one).into()),
        [one] => Err(invalid(one, "expected a domain name")),
        several => Err(invalid(&several.join(","), "expected one domain name")),
    }
}

fn servers<T: FromStr>(key: &str, values: &[&str]) -> Result<Arc<[T]>, Fault> {
    if values.len() > MAX_SERVERS {
        return Err(FaultCode::InvalidParameterValue.with(format!("{key} has at most {MAX_SERVERS} values")));
    }
    let server = |value: &&str| value.parse().map_err(|_| invalid(value, "expected an IPv4 address"));
    values.iter().map(server).collect()
}

pub fn delete_dhcp_options(
    decision: &mut Decision,
    request: &DeleteDhcpOptionsRequest,
) -> Result<DeleteDhcpOptionsResponse, Fault> {
    let id = find_options(&decision.view(), request.dhcp_options_id)?.id;
    let mut users = decision.world.index.vpcs_by_dhcp_options.range((id, VpcId::from_random(0))..);
    let is_first = defaults::dhcp_options(&decision.world, &decision.caller.owner) == Some(id);
    if is_first || users.next().is_some_and(|(of, _)| *of == id) {
        return Err(has_dependencies("dhcpOptions", id));
    }
    decision.untag_all(ResourceId::DhcpOptions(id));
    decision.delete(Key::DhcpOptions(id));
    Ok(DeleteDhcpOptionsResponse { result: true })
}

pub fn associate_dhcp_options(
    decision: &mut Decision,
    request: &AssociateDhcpOptionsRequest,
) -> Result<AssociateDhcpOptionsResponse, Fault> {
    let view = decision.view();
    let named = request.dhcp_options_id.as_str();
    let first = defaults::dhcp_options(view.world, &view.caller.owner);
    let id = match first.filter(|_| named == DEFAULT) {
        Some(id) => id,
        None => named.parse().map_err(|error| {
            FaultCode::InvalidDhcpOptionsIDMalformed
                .with(format!("Invalid DHCP options ID: \"{named}\" ({error})"))
        })?,
    };
    let dhcp_options = find_options(&view, id)?.id;
    let vpc = find(&view, request.vpc_id)?.clone();
    if vpc.dhcp_options != dhcp_options {
        changeable(&vpc, "set of DHCP options")?;
        decision.put(Vpc { dhcp_options, ..(*vpc).clone() });
    }
    Ok(AssociateDhcpOptionsResponse { result: true })
}

pub fn describe_dhcp_options(
    view: &View,
    request: &DescribeDhcpOptionsRequest,
) -> Result<DescribeDhcpOptionsResponse, Fault> {
    let wanted = &request.dhcp_options_ids;
    for id in wanted {
        find_options(view, *id)?;
    }
    let matching =
        of_caller(view).filter(|row| wanted.is_empty() || wanted.contains(&row.id)).filter(|row| {
            let resource = Some(ResourceId::DhcpOptions(row.id));
            filter::matches(view.world, resource, &request.filters, |name| attribute(row, name))
        });
    let (found, next_token) = request.page().cut(matching, |row| row.id.to_string())?;
    let dhcp_options = found.into_iter().map(|row| shape(view, row)).collect();
    Ok(DescribeDhcpOptionsResponse { dhcp_options, next_token })
}

fn attribute(row: &DhcpOptions, name: &str) -> Values {
    match name {
        "dhcp-options-id" => vec![row.id.to_string()],
        "key" => configurations(row).into_iter().map(|(key, _)| key.to_owned()).collect(),
        "owner-id" => vec![row.owner.account.to_string()],
        "value" => configurations(row).into_iter().flat_map(|(_, values)| values).collect(),
        _ => Values::new(),
    }
}

/// What the set tells, by key.
fn configurations(row: &DhcpOptions) -> Vec<(&'static str, Vec<String>)> {
    fn texts<T: ToString>(values: &[T]) -> Vec<String> {
        values.iter().map(ToString::to_string).collect()
    }
    let all = [
        ("domain-name", row.domain_name.iter().map(ToString::to_string).collect()),
        ("domain-name-servers", texts(&row.name_servers)),
        ("netbios-name-servers", texts(&row.netbios_name_servers)),
        ("netbios-node-type", row.netbios_node_type.iter().map(ToString::to_string).collect()),
        ("ntp-servers", texts(&row.ntp_servers)),
    ];
    all.into_iter().filter(|(_, values)| !values.is_empty()).collect()
}

fn shape(view: &View, row: &DhcpOptions) -> output::DhcpOptions {
    let value = |value| output::DhcpValue { value };
    let configuration = |(key, values): (&str, Vec<String>)| output::DhcpConfiguration {
        key: key.to_owned(),
        value_set: values.into_iter().map(value).collect(),
    };
    output::DhcpOptions {
        dhcp_options_id: row.id,
        owner_id: row.owner.account,
        dhcp_configuration_set: configurations(row).into_iter().map(configuration).collect(),
        tag_set: tags::set_of(view.world, ResourceId::DhcpOptions(row.id)),
    }
}
