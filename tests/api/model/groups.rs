//! Security groups, by EC2's reference: CreateSecurityGroup, DeleteSecurityGroup.

use super::call::{Call, Code, Faults, VALUE};
use super::rules;
use super::tree::{Tree, leaf, tag_set};
use super::world::*;

/// "Constraints: Up to 255 characters in length. [...] a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*".
pub fn plain(text: &str) -> bool {
    text.len() < 256
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c))
}

pub fn create(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let params = &call.params;
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(params, &["security-group"], "security-group"));
    let name = params.one("GroupName").unwrap_or_default().trim_end_matches(' ').to_owned();
    let description = params.one("GroupDescription").unwrap_or_default().to_owned();
    let lower = name.to_lowercase();
    faults.add_if(!plain(&name) || lower.starts_with("sg-") || lower == "default", VALUE);
    faults.add_if(!plain(&description), VALUE);
    let vpc = params.one("VpcId").unwrap_or(&world.accounts[call.who].vpc).to_owned();
    faults.note(world.own_vpc(call.who, Some(&vpc)));
    // "Names are case-insensitive and must be unique within the VPC."
    let same = |group: &Group| group.vpc == vpc && group.name.to_lowercase() == lower;
    faults.add_if(world.groups.iter().any(same), "InvalidGroup.Duplicate");
    faults.done()?;
    let id = world.new_id(reply.at("groupId"), "sg");
    let tags = tags.unwrap();
    world.tag(call.who, &id, &tags);
    world.groups.push(Group { who: call.who, id: id.clone(), vpc, name, description });
    world.rules.push(everything_out(&id));
    let arn = world.arn(call.who, "security-group", &id);
    let mut answer = vec![leaf("return", true), leaf("groupId", &id), leaf("securityGroupArn", arn)];
    if !tags.is_empty() {
        answer.push(tag_set("tagSet", &tags));
    }
    Ok(answer)
}

pub fn everything_out(group: &str) -> Rule {
    let peer = Peer::V4("0.0.0.0/0".into());
    Rule {
        group: group.into(),
        id: None,
        egress: true,
        traffic: ("-1".into(), None),
        peer,
        description: None,
    }
}

/// The caller's group, by id or by name.
pub fn find(world: &World, call: &Call) -> Result<Group, Code> {
    let own = |wanted: &dyn Fn(&Group) -> bool| {
        let found = world.groups.iter().find(|group| group.who == call.who && wanted(group));
        found.cloned().ok_or("InvalidGroup.NotFound")
    };
    match one_of(&call.params, "GroupId", "GroupName")? {
        Either::First(id) => own(&|group| group.id == id),
        // "[Default VPC] The name of the security group."
        Either::Second(name) => own(&|group| group.name == name && group.vpc == world.accounts[call.who].vpc),
    }
}

pub fn delete(world: &mut World, call: &Call) -> Outcome {
    let Group { id, name, .. } = find(world, call)?;
    let mut faults = Faults::default();
    faults.add_if(name == "default", "CannotDelete");
    let member = world.interfaces.iter().any(|one| one.groups.contains(&id));
    // "If you attempt to delete a security group that is [...] referenced by another security group in the same VPC, the
    // operation fails": a peer VPC's rules keep none.
    let names = |rule: &Rule| {
        let named = matches!(&rule.peer, Peer::Group(peer, _) if *peer == id);
        named && rule.group != id && world.is_near(&rule.group, &id)
    };
    faults.add_if(member || world.rules.iter().any(names), "DependencyViolation");
    faults.done()?;
    world.forget_rules(|rule| rule.group == id);
    world.groups.retain(|group| group.id != id);
    world.untag(&id);
    Ok(vec![leaf("return", true), leaf("groupId", id)])
}

impl World {
    fn vpc_of_group(&self, id: &str) -> Option<&super::vpcs::Vpc> {
        self.vpc(&self.groups.iter().find(|group| group.id == id)?.vpc)
    }

    /// Whether two groups are in one VPC, or on the operator's networks, which all accounts' default VPCs are.
    pub fn is_near(&self, one: &str, other: &str) -> bool {
        let both = self.vpc_of_group(one).zip(self.vpc_of_group(other));
        both.is_some_and(|(one, two)| one.id == two.id || (one.is_default && two.is_default))
    }

    /// Whether a rule of one group can name the other: they are near, or in VPCs that are peers.
    pub fn may_name(&self, of: &str, named: &str) -> bool {
        let both = self.vpc_of_group(of).zip(self.vpc_of_group(named));
        self.is_near(of, named) || both.is_some_and(|(one, two)| self.are_peers(&one.id, &two.id))
    }

    /// Deletes rules and what hangs on them.
    pub fn forget_rules(&mut self, gone: impl Fn(&Rule) -> bool) {
        let ids: Vec<String> =
            self.rules.iter().filter(|rule| gone(rule)).filter_map(|rule| rule.id.clone()).collect();
        ids.iter().for_each(|id| self.untag(id));
        self.rules.retain(|rule| !gone(rule));
    }
}

/// A group as DescribeSecurityGroups tells it.
pub fn shape(world: &World, group: &Group) -> Vec<Tree> {
    let of = |egress| world.rules.iter().filter(move |rule| rule.group == group.id && rule.egress == egress);
    let mut tree = vec![
        leaf("ownerId", &world.accounts[group.who].id),
        leaf("groupId", &group.id),
        leaf("groupName", &group.name),
        leaf("groupDescription", &group.description),
        leaf("vpcId", &group.vpc),
        leaf("securityGroupArn", world.arn(group.who, "security-group", &group.id)),
        rules::permissions(world, "ipPermissions", of(false)),
        rules::permissions(world, "ipPermissionsEgress", of(true)),
    ];
    let tags = world.tags_of(&group.id);
    if !tags.is_empty() {
        tree.push(tag_set("tagSet", &tags));
    }
    tree
}
