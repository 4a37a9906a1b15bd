//! Rules that change: which ones, into what, and all of them or none.

use super::*;
use crate::control::defaults;
use crate::control::rules::authorize_security_group_ingress;
use crate::control::testing::Bench;

fn group(bench: &Bench) -> GroupId {
    *bench.world.groups.keys().next().unwrap()
}

fn permission(port: i64, cidrs: &[&str]) -> input::IpPermission {
    let range = |cidr: &&str| input::IpRange { cidr_ip: Some((*cidr).to_owned()), description: None };
    input::IpPermission {
        ip_protocol: Some("tcp".into()),
        from_port: Some(port),
        to_port: Some(port),
        ip_ranges: cidrs.iter().map(range).collect(),
        ..input::IpPermission::default()
    }
}

/// A bench whose default group lets two networks in to port 80, with a tag and a description, and the ids of the rules.
fn bench() -> (Bench, Vec<RuleId>) {
    let mut bench = Bench::small();
    let mut permission = permission(80, &["192.0.2.0/24", "198.51.100.0/24"]);
    permission.ip_ranges[0].description = Some("office".into());
    let request = AuthorizeSecurityGroupIngressRequest {
        group_id: Some(group(&bench)),
        ip_permissions: vec![permission],
        tag_specifications: vec![input::TagSpecification {
            resource_type: Some("security-group-rule".into()),
            tags: vec![input::Tag { key: Some("a".into()), value: None }],
        }],
        ..AuthorizeSecurityGroupIngressRequest::default()
    };
    let made = bench.attempt(|decision| authorize_security_group_ingress(decision, &request)).unwrap();
    (bench, made.security_group_rules.iter().map(|rule| rule.security_group_rule_id).collect())
}

fn to(port: i64, cidr: &str) -> input::SecurityGroupRuleRequest {
    input::SecurityGroupRuleRequest {
        ip_protocol: Some("tcp".into()),
        from_port: Some(port),
        to_port: Some(port),
        cidr_ipv4: Some(cidr.into()),
        ..input::SecurityGroupRuleRequest::default()
    }
}

fn modify(bench: &mut Bench, updates: &[(RuleId, input::SecurityGroupRuleRequest)]) -> Result<(), FaultCode> {
    let update = |(id, rule): &(RuleId, input::SecurityGroupRuleRequest)| input::SecurityGroupRuleUpdate {
        security_group_rule_id: *id,
        security_group_rule: Some(rule.clone()),
    };
    let request = ModifySecurityGroupRulesRequest {
        dry_run: false,
        group_id: group(bench),
        security_group_rules: updates.iter().map(update).collect(),
    };
    bench
        .attempt(|decision| modify_security_group_rules(decision, &request))
        .map(drop)
        .map_err(|fault| fault.code)
}

fn shown(bench: &Bench, id: RuleId) -> (String, Option<String>) {
    let rule = &bench.world.rules[&id];
    let wanted = Wanted { traffic: rule.traffic, target: rule.target.clone(), description: None };
    (wanted.to_string(), rule.description.as_deref().map(str::to_owned))
}

#[test]
fn a_rule_keeps_its_id_its_direction_and_its_tags_and_nothing_of_what_it_was() {
    let (mut bench, ids) = bench();
    let (before, tags) = (bench.world.rules.len(), bench.world.tags.len());
    modify(&mut bench, &[(ids[0], to(443, "203.0.113.9/24"))]).unwrap();
    let changed = ("peer: 203.0.113.0/24, TCP, from port: 443, to port: 443, ALLOW".to_owned(), None);
    assert_eq!(shown(&bench, ids[0]), changed, "the description is gone, for none was given");
    assert_eq!(bench.world.rules[&ids[0]].direction, Direction::Ingress);
    assert_eq!((bench.world.rules.len(), bench.world.tags.len()), (before, tags));
}

#[test]
fn rules_that_change_places_are_no_duplicates_and_one_that_is_like_another_changes_none() {
    let (mut bench, ids) = bench();
    let [one, other] = ["192.0.2.0/24", "198.51.100.0/24"];
    modify(&mut bench, &[(ids[0], to(80, other)), (ids[1], to(80, one))]).unwrap();
    assert!(shown(&bench, ids[0]).0.contains(other) && shown(&bench, ids[1]).0.contains(one));
    let before = bench.world.rules.clone();
    for updates in [
        vec![(ids[0], to(80, one))],
        vec![(ids[0], to(81, "203.0.113.0/24")), (ids[1], to(81, "203.0.113.7/24"))],
    ] {
        assert_eq!(modify(&mut bench, &updates), Err(FaultCode::InvalidPermissionDuplicate));
        assert!(bench.world.rules == before, "half of it was done");
    }
    modify(&mut bench, &[(ids[0], to(80, other))]).unwrap();
    // The same traffic the other way is another rule.
    let out = bench.world.rules.values().find(|rule| rule.direction == Direction::Egress).unwrap().id;
    modify(&mut bench, &[(out, to(80, other))]).unwrap();
}

#[test]
fn the_kind_of_peer_stays_and_there_is_exactly_one() {
    let (mut bench, ids) = bench();
    let own = group(&bench);
    let plain = || input::SecurityGroupRuleRequest { cidr_ipv4: None, ..to(80, "") };
    let v6 = input::SecurityGroupRuleRequest { cidr_ipv6: Some("2001:db8::/32".into()), ..plain() };
    let of_group = input::SecurityGroupRuleRequest { referenced_group_id: Some(own), ..plain() };
    let both =
        input::SecurityGroupRuleRequest { cidr_ipv6: Some("2001:db8::/32".into()), ..to(80, "10.0.0.0/8") };
    let no_protocol = input::SecurityGroupRuleRequest { ip_protocol: None, ..to(80, "10.0.0.0/8") };
    for (asked, code) in [
        (v6, FaultCode::InvalidParameterValue),
        (of_group.clone(), FaultCode::InvalidParameterValue),
        (plain(), FaultCode::MissingParameter),
        (both, FaultCode::InvalidParameterCombination),
        (no_protocol, FaultCode::InvalidParameterValue),
        (to(80, "10.0.0.0"), FaultCode::InvalidParameterValue),
        (to(65_536, "10.0.0.0/8"), FaultCode::InvalidParameterValue),
    ] {
        assert_eq!(modify(&mut bench, &[(ids[0], asked.clone())]), Err(code), "{asked:?}");
    }
    let of_itself = |rule: &&Arc<Rule>| matches!(rule.target, RuleTarget::Group { .. });
    let from_group = bench.world.rules.values().find(of_itself).unwrap().id;
    modify(&mut bench, &[(from_group, of_group)]).unwrap();
    assert_eq!(bench.world.rules[&from_group].traffic.ports(), Some((80, 80)));
    assert_eq!(
        modify(&mut bench, &[(from_group, to(80, "10.0.0.0/8"))]),
        Err(FaultCode::InvalidParameterValue)
    );
}

#[test]
fn a_rule_of_another_group_is_not_found_and_none_is_named_twice() {
    let (mut bench, ids) = bench();
    let row = (**bench.world.groups.get(&group(&bench)).unwrap()).clone();
    let other: GroupId = "sg-fffffffffffffffff".parse().unwrap();
    bench.put(Group { id: other, name: "z".into(), ..row });
    let theirs = RuleId::from_random(7);
    let rule = (*bench.world.rules[&ids[0]]).clone();
    bench.put(Rule { id: theirs, group: other, ..rule });
    let good = to(81, "203.0.113.0/24");
    let fault = modify(&mut bench, &[(ids[0], good.clone()), (theirs, good.clone())]);
    assert_eq!(fault, Err(FaultCode::InvalidSecurityGroupRuleIdNotFound));
    assert!(shown(&bench, ids[0]).0.contains("192.0.2.0/24"), "half of it was done");
    let twice = modify(&mut bench, &[(ids[0], good), (ids[0], to(82, "203.0.113.0/24"))]);
    assert_eq!(twice, Err(FaultCode::InvalidParameterValue));
}

#[test]
fn another_accounts_group_may_stay_the_peer_and_nobody_can_make_it_one() {
    let mut bench = Bench::small();
    let other = Owner { account: "444455556666".parse().unwrap(), ..bench.caller.owner.clone() };
    bench.decide(|decision| defaults::ensure(decision, &other));
    let theirs = bench.world.groups.values().find(|group| group.owner == other).unwrap().id;
    let own = bench.world.groups.values().find(|group| group.owner != other).unwrap().clone();
    let rules: Vec<_> = bench.world.rules_of(own.id).cloned().collect();
    let from_own = rules.iter().find(|rule| rule.direction == Direction::Ingress).unwrap();
    let target = RuleTarget::Group { group: theirs, account: other.account };
    let from_theirs = Rule { id: RuleId::from_random(7), target: target.clone(), ..(**from_own).clone() };
    bench.put(from_theirs.clone());
    let asked =
        |id| input::SecurityGroupRuleRequest { cidr_ipv4: None, referenced_group_id: Some(id), ..to(80, "") };
    let mut modify = |rule: RuleId, id| {
        let update = input::SecurityGroupRuleUpdate {
            security_group_rule_id: rule,
            security_group_rule: Some(asked(id)),
        };
        let request = ModifySecurityGroupRulesRequest {
            dry_run: false,
            group_id: own.id,
            security_group_rules: vec![update],
        };
        bench
            .attempt(|decision| modify_security_group_rules(decision, &request))
            .map(drop)
            .map_err(|fault| fault.code)
    };
    assert_eq!(modify(from_own.id, theirs), Err(FaultCode::InvalidGroupNotFound));
    modify(from_theirs.id, theirs).unwrap();
    assert_eq!(bench.world.rules[&from_theirs.id].target, target);
}

fn describe(
    bench: &mut Bench,
    ip_permissions: Vec<input::IpPermission>,
    rules: &[(RuleId, Option<&str>)],
) -> Result<(), FaultCode> {
    let named = |(id, text): &(RuleId, Option<&str>)| input::SecurityGroupRuleDescription {
        security_group_rule_id: Some(*id),
        description: text.map(str::to_owned),
    };
    let request = UpdateSecurityGroupRuleDescriptionsIngressRequest {
        group_id: Some(group(bench)),
        ip_permissions,
        security_group_rule_descriptions: rules.iter().map(named).collect(),
        ..UpdateSecurityGroupRuleDescriptionsIngressRequest::default()
    };
    bench
        .attempt(|decision| update_security_group_rule_descriptions_ingress(decision, &request))
        .map(drop)
        .map_err(|fault| fault.code)
}

#[test]
fn a_rule_is_described_anew_by_id_or_by_what_it_matches_and_loses_what_is_not_said() {
    let (mut bench, ids) = bench();
    let said =
        |bench: &Bench| ids.iter().map(|id| shown(bench, *id).1.unwrap_or_default()).collect::<Vec<_>>();
    assert_eq!(said(&bench), ["office", ""]);
    describe(&mut bench, vec![], &[(ids[1], Some("home"))]).unwrap();
    assert_eq!(said(&bench), ["office", "home"]);
    // Without a description, in either way, it has none any more.
    describe(&mut bench, vec![permission(80, &["192.0.2.77/24"])], &[]).unwrap();
    assert_eq!(said(&bench), ["", "home"]);
    describe(&mut bench, vec![], &[(ids[1], None), (ids[0], Some("lab"))]).unwrap();
    assert_eq!(said(&bench), ["lab", ""]);
}

#[test]
fn one_rule_that_is_not_there_has_none_described() {
    let (mut bench, ids) = bench();
    let before = bench.world.rules.clone();
    let out = bench.world.rules.values().find(|rule| rule.direction == Direction::Egress).unwrap().id;
    let both = vec![permission(80, &["192.0.2.0/24"]), permission(81, &["192.0.2.0/24"])];
    assert_eq!(describe(&mut bench, both.clone(), &[]), Err(FaultCode::InvalidPermissionNotFound));
    let wrong_way = describe(&mut bench, vec![], &[(ids[0], Some("x")), (out, Some("x"))]);
    assert_eq!(wrong_way, Err(FaultCode::InvalidSecurityGroupRuleIdNotFound));
    let mixed = describe(&mut bench, both, &[(ids[0], Some("x"))]);
    assert_eq!(mixed, Err(FaultCode::InvalidParameterCombination));
    assert_eq!(describe(&mut bench, vec![], &[]), Err(FaultCode::MissingParameter));
    let bad = describe(&mut bench, vec![], &[(ids[0], Some("<b>"))]);
    assert_eq!(bad, Err(FaultCode::InvalidParameterValue));
    assert!(bench.world.rules == before, "something was described");
}
