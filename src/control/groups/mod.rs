//! Security groups: create, delete, describe, and finding the one that a caller means.

mod describe;
mod find;
mod of_vpc;

pub use describe::describe_security_groups;
pub use find::{by_id, by_name, default_vpc, named, of_caller};
pub use of_vpc::{
    describe_security_group_references, describe_stale_security_groups, get_security_groups_for_vpc,
};

use std::sync::Arc;

use super::{Decision, View, defaults, peerings, tags};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Group, Key, Rule, Vpc, World};

/// Groups of one VPC; EC2's quota is 2,500 in a region.
const MAX_TEXT: usize = 255;

pub fn create_security_group(
    decision: &mut Decision,
    request: &CreateSecurityGroupRequest,
) -> Result<CreateSecurityGroupResponse, Fault> {
    let tags = tags::at_creation(&request.tag_specifications, &["security-group"], "security-group")?;
    let name = checked_name(&request.group_name)?;
    check_description(&request.description, "security group")?;
    let vpc = vpc(&decision.view(), request.vpc_id)?.id;
    check_unique(&decision.view(), vpc, name)?;
    let (id, owner) = (decision.env.id(GroupId::from_random), decision.caller.owner.clone());
    let security_group_arn = arn(&owner, id);
    decision.put(Group {
        id,
        owner,
        vpc,
        name: name.into(),
        description: request.description.as_str().into(),
        created: decision.env.now,
    });
    allow_all_out(decision, id, RuleTarget::Cidr4(defaults::everything()));
    if decision.world.vpcs.get(&vpc).is_some_and(|vpc| !vpc.blocks6.is_empty()) {
        allow_all_out(decision, id, RuleTarget::Cidr6(defaults::everything6()));
    }
    let resource = ResourceId::SecurityGroup(id);
    decision.tag(resource, &tags)?;
    let tags = tags::set_of(&decision.world, resource);
    Ok(CreateSecurityGroupResponse { result: true, group_id: id, tags, security_group_arn })
}

/// The rule for what goes out that a group begins with: one for each family that its VPC has.
pub fn allow_all_out(decision: &mut Decision, group: GroupId, target: RuleTarget) {
    let row = Rule {
        id: decision.env.id(RuleId::from_random),
        owner: decision.caller.owner.clone(),
        group,
        direction: Direction::Egress,
        traffic: Traffic::All,
        target,
        description: None,
        created: decision.env.now,
    };
    decision.put(row);
}

/// The VPC that is named, or the caller's default one.
fn vpc(view: &View, id: Option<VpcId>) -> Result<Arc<Vpc>, Fault> {
    let Some(id) = id else { return find::default_vpc(view) };
    let vpc = view.world.vpcs.get(&id).filter(|vpc| vpc.owner == view.caller.owner);
    vpc.cloned()
        .ok_or_else(|| FaultCode::InvalidVpcIDNotFound.with(format!("The vpc ID '{id}' does not exist")))
}

/// EC2's characters for names and descriptions, in the words of its own message.
fn plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    text.len() <= MAX_TEXT && text.chars().all(plain)
}

/// Checks the description of a `what`: a security group, a rule.
pub fn check_description(text: &str, what: &str) -> Result<(), Fault> {
    if plain(text) {
        return Ok(());
    }
    Err(FaultCode::InvalidParameterValue.with(format!(
        "Invalid {what} description. Valid descriptions are strings less than 256 characters from the \
         following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*"
    )))
}

fn checked_name(text: &str) -> Result<&str, Fault> {
    let name = text.trim_end();
    let shown: String = name.chars().take(MAX_TEXT).collect();
    let invalid = |why: &str| {
        Err(FaultCode::InvalidParameterValue
            .with(format!("Value ({shown}) for parameter GroupName is invalid. {why}")))
    };
    if name.is_empty() {
        return Err(FaultCode::MissingParameter.with("The request must contain the parameter GroupName"));
    }
    if !plain(name) {
        return invalid(
            "Names have at most 255 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
        );
    }
    if name.to_ascii_lowercase().starts_with("sg-") {
        return invalid("Group names may not be in the format sg-*");
    }
    if name.eq_ignore_ascii_case(defaults::DEFAULT_GROUP) {
        return Err(
            FaultCode::InvalidParameterValue.with(format!("Cannot use reserved security group name: {name}"))
        );
    }
    Ok(name)
}

/// "Names are case-insensitive and must be unique within the VPC" (API_CreateSecurityGroup).
fn check_unique(view: &View, vpc: VpcId, name: &str) -> Result<(), Fault> {
    let mut count = 0;
    for group in find::in_vpc(view.world, vpc) {
        if group.name.eq_ignore_ascii_case(name) {
            return Err(FaultCode::InvalidGroupDuplicate
                .with(format!("The security group '{name}' already exists for VPC '{vpc}'")));
        }
        count += 1;
    }
    let most = view.caller.quotas.security_groups_per_vpc;
    if count >= most {
        return Err(FaultCode::SecurityGroupLimitExceeded
            .with(format!("The VPC {vpc} has {most} security groups: delete one first")));
    }
    Ok(())
}

pub fn delete_security_group(
    decision: &mut Decision,
    request: &DeleteSecurityGroupRequest,
) -> Result<DeleteSecurityGroupResponse, Fault> {
    let view = decision.view();
    let group = named(&view, request.group_id, request.group_name.as_deref())?;
    let id = group.id;
    if &*group.name == defaults::DEFAULT_GROUP {
        return Err(FaultCode::CannotDelete.with(format!(
            "the specified group: \"{id}\" name: \"{}\" cannot be deleted by a user",
            group.name
        )));
    }
    if let Some(user) = user_of(&decision.world, id) {
        return Err(FaultCode::DependencyViolation
            .with(format!("resource {id} has a dependent object: {user} uses it")));
    }
    let rules: Vec<RuleId> = decision.world.rules_of(id).map(|rule| rule.id).collect();
    for rule in rules {
        decision.untag_all(ResourceId::SecurityGroupRule(rule));
        decision.delete(Key::Rule(rule));
    }
    decision.untag_all(ResourceId::SecurityGroup(id));
    decision.delete(Key::Group(id));
    Ok(DeleteSecurityGroupResponse { result: true, group_id: id })
}

/// An interface in the group, or a rule of another group that names it; a peer VPC's rule keeps nobody, and means nobody then
/// ("is referenced by another security group in the same VPC", API_DeleteSecurityGroup).
fn user_of(world: &World, group: GroupId) -> Option<String> {
    let interfaces = world.index.enis_by_group.range((group, EniId::from_random(0))..);
    let interface = interfaces.take_while(|(of, _)| *of == group).map(|(_, eni)| eni.to_string()).next();
    let is_of_peer = |rule: &Rule| peerings::over(world, rule.group, group).is_some();
    let naming = world.index.rules_by_target.range((group, RuleId::from_random(0))..);
    let rules = naming.take_while(|(of, _)| *of == group).filter_map(|(_, id)| world.rules.get(id));
    interface.or_else(|| {
        rules
            .filter(|rule| rule.group != group && !is_of_peer(rule))
            .map(|rule| rule.group.to_string())
            .next()
    })
}

fn arn(owner: &Owner, id: GroupId) -> String {
    format!("arn:aws:ec2:{}:{}:security-group/{id}", owner.region, owner.account)
}

#[cfg(test)]
mod tests;
