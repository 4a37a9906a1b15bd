//! Paths and analyses as answers carry them.

use super::finding::{Finding, Header, Reason, Rule, Step};
use crate::control::tags;
use crate::query::Fault;
use crate::query::api::output;
use crate::types::*;
use crate::world::{InsightsAnalysis, InsightsPath, World};

pub const fn protocol(row: &InsightsPath) -> &'static str {
    if row.udp { "udp" } else { "tcp" }
}

/// An analysis is done when it is answered; it failed where an end was gone.
pub fn status(row: &InsightsAnalysis) -> &'static str {
    match Finding::from_json(&row.finding) {
        Ok(Finding { failed: None, .. }) => "succeeded",
        _ => "failed",
    }
}

/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>
fn arn(owner: &Owner, kind: &str, id: &str) -> String {
    format!("arn:aws:ec2:{}:{}:{kind}/{id}", owner.region, owner.account)
}

pub fn path(world: &World, row: &InsightsPath) -> output::NetworkInsightsPath {
    let of = |id: ResourceId| arn(&row.owner, id.kind(), &id.to_string());
    let own = ResourceId::InsightsPath(row.id);
    output::NetworkInsightsPath {
        network_insights_path_id: row.id,
        network_insights_path_arn: of(own),
        created_date: row.created,
        source: row.source,
        source_arn: of(row.source),
        destination: row.destination,
        destination_arn: row.destination.map(of),
        source_ip: row.source_ip,
        destination_ip: row.destination_ip,
        protocol: protocol(row).into(),
        destination_port: row.destination_port.map(i64::from),
        tags: tags::set_of(world, own),
    }
}

/// # Errors
/// The store's text is none of ours.
pub fn analysis(world: &World, row: &InsightsAnalysis) -> Result<output::NetworkInsightsAnalysis, Fault> {
    let finding = Finding::from_json(&row.finding)?;
    let own = ResourceId::InsightsAnalysis(row.id);
    let steps = finding.steps.iter().zip(1..).map(|(step, number)| component(&row.owner, step, number));
    Ok(output::NetworkInsightsAnalysis {
        network_insights_analysis_id: row.id,
        network_insights_analysis_arn: arn(&row.owner, own.kind(), &row.id.to_string()),
        network_insights_path_id: row.path,
        start_date: row.started,
        status: status(row).into(),
        status_message: finding.failed.clone(),
        warning_message: finding.warning.clone(),
        network_path_found: finding.failed.is_none().then_some(row.found),
        forward_path_components: steps.collect(),
        explanations: finding.reasons.iter().map(|reason| explanation(&row.owner, reason)).collect(),
        tags: tags::set_of(world, own),
    })
}

/// A resource, or a host, which has no ARN.
fn named(owner: &Owner, id: &str, name: Option<&str>) -> output::AnalysisComponent {
    let kind = id.parse::<ResourceId>().ok().map(|resource| resource.kind());
    output::AnalysisComponent {
        id: id.to_owned(),
        arn: kind.map(|kind| arn(owner, kind, id)),
        name: name.map(str::to_owned),
    }
}

fn component(owner: &Owner, step: &Step, number: i64) -> output::PathComponent {
    let plain = |id: &dyn std::fmt::Display| named(owner, &id.to_string(), None);
    let details = step.rule.iter().map(|rule| output::AdditionalDetail {
        additional_detail_type: "SECURITY_GROUP_RULE".into(),
        component: plain(&rule.id),
    });
    output::PathComponent {
        sequence_number: number,
        component: named(owner, &step.id, step.name.as_deref()),
        attached_to: step.attached_to.as_ref().map(|id| plain(id)),
        inbound_header: step.inbound.as_ref().map(header),
        outbound_header: step.outbound.as_ref().map(header),
        security_group_rule: step.rule.as_ref().map(rule),
        subnet: step.place.as_ref().map(|(subnet, _)| plain(subnet)),
        vpc: step.place.as_ref().map(|(_, vpc)| plain(vpc)),
        additional_details: details.collect(),
    }
}

fn header(header: &Header) -> output::AnalysisPacketHeader {
    let port = |port: u16| vec![output::AnalysisPortRange { from: port.into(), to: port.into() }];
    output::AnalysisPacketHeader {
        destination_addresses: vec![format!("{}/32", header.destination)],
        destination_port_ranges: port(header.to_port),
        protocol: if header.udp { "17" } else { "6" }.into(),
        source_addresses: vec![format!("{}/32", header.source)],
        source_port_ranges: port(header.from_port),
    }
}

fn rule(rule: &Rule) -> output::AnalysisSecurityGroupRule {
    let range = |(from, to)| output::AnalysisPortRange { from, to };
    output::AnalysisSecurityGroupRule {
        cidr: rule.cidr.clone(),
        direction: direction(rule.egress).into(),
        security_group_id: rule.group,
        port_range: rule.traffic.ports().map(range),
        protocol: rule.traffic.protocol().to_string(),
    }
}

const fn direction(egress: bool) -> &'static str {
    if egress { "egress" } else { "ingress" }
}

fn explanation(owner: &Owner, reason: &Reason) -> output::Explanation {
    let plain = |id: &dyn std::fmt::Display| named(owner, &id.to_string(), None);
    output::Explanation {
        explanation_code: reason.code.clone(),
        direction: reason.egress.map(|egress| direction(egress).into()),
        component: reason.component.as_ref().map(|id| plain(id)),
        network_interface: reason.interface.as_ref().map(|id| plain(id)),
        security_groups: reason.groups.iter().map(|id| plain(id)).collect(),
        address: reason.address.map(|ip| format!("{ip}/32")),
        state: reason.state.clone(),
        acl: reason.acl.as_ref().map(|id| plain(id)),
        route_table: reason.route_table.as_ref().map(|id| plain(id)),
        subnet: reason.subnet.as_ref().map(|id| plain(id)),
    }
}
