//! Groups from their making to their end.

use super::*;
use crate::control::instances;
use crate::control::rules;
use crate::control::testing::{Bench, run_request};

fn create(bench: &mut Bench, name: &str) -> Result<GroupId, Fault> {
    let request = CreateSecurityGroupRequest {
        dry_run: false,
        group_name: name.into(),
        description: "test".into(),
        vpc_id: None,
        tag_specifications: vec![input::TagSpecification {
            resource_type: Some("security-group".into()),
            tags: vec![input::Tag { key: Some("a".into()), value: Some("1".into()) }],
        }],
    };
    bench.attempt(|decision| create_security_group(decision, &request)).map(|made| made.group_id)
}

fn delete(bench: &mut Bench, id: GroupId) -> Result<(), FaultCode> {
    let request = DeleteSecurityGroupRequest { dry_run: false, group_id: Some(id), group_name: None };
    bench.attempt(|decision| delete_security_group(decision, &request)).map(drop).map_err(|fault| fault.code)
}

/// Lets everything from `source` in to `group`.
fn let_in(bench: &mut Bench, group: GroupId, source: GroupId) {
    let pair = input::UserIdGroupPair { group_id: Some(source), ..input::UserIdGroupPair::default() };
    let request = AuthorizeSecurityGroupIngressRequest {
        group_id: Some(group),
        ip_permissions: vec![input::IpPermission {
            ip_protocol: Some("-1".into()),
            groups: vec![pair],
            ..input::IpPermission::default()
        }],
        ..AuthorizeSecurityGroupIngressRequest::default()
    };
    bench.attempt(|decision| rules::authorize_security_group_ingress(decision, &request)).unwrap();
}

fn default_group(bench: &Bench) -> GroupId {
    let vpc = default_vpc(bench);
    defaults::group(&bench.world, vpc).unwrap()
}

fn default_vpc(bench: &Bench) -> VpcId {
    defaults::vpc(&bench.world, &bench.caller.owner).unwrap().id
}

#[test]
fn a_new_group_lets_all_out_and_nothing_in_and_goes_without_a_trace() {
    let mut bench = Bench::small();
    let before = (bench.world.groups.len(), bench.world.rules.len());
    let id = create(&mut bench, "web").unwrap();
    let made: Vec<_> = bench.world.rules_of(id).map(|rule| (rule.direction, rule.traffic)).collect();
    assert_eq!(made, [(Direction::Egress, Traffic::All)]);
    assert_eq!(bench.world.tags.len(), 1);
    delete(&mut bench, id).unwrap();
    assert_eq!((bench.world.groups.len(), bench.world.rules.len()), before);
    assert!(bench.world.tags.is_empty());
    assert_eq!(delete(&mut bench, id), Err(FaultCode::InvalidGroupNotFound));
}

#[test]
fn names_are_unique_whatever_their_case_and_some_are_refused() {
    let mut bench = Bench::small();
    create(&mut bench, "Web").unwrap();
    for (name, code) in [
        ("web", FaultCode::InvalidGroupDuplicate),
        ("Web  ", FaultCode::InvalidGroupDuplicate),
        ("Default", FaultCode::InvalidParameterValue),
        ("sg-web", FaultCode::InvalidParameterValue),
        ("wéb", FaultCode::InvalidParameterValue),
        (" ", FaultCode::MissingParameter),
        (&"n".repeat(256), FaultCode::InvalidParameterValue),
    ] {
        assert_eq!(create(&mut bench, name).unwrap_err().code, code, "{name}");
    }
    create(&mut bench, &"n".repeat(255)).unwrap();
}

#[test]
fn the_default_group_stays() {
    let mut bench = Bench::small();
    let id = default_group(&bench);
    assert_eq!(delete(&mut bench, id), Err(FaultCode::CannotDelete));
}

#[test]
fn a_group_that_another_names_stays_and_one_that_names_itself_may_go() {
    let mut bench = Bench::small();
    let (web, database) = (create(&mut bench, "web").unwrap(), create(&mut bench, "database").unwrap());
    let_in(&mut bench, web, web);
    let_in(&mut bench, database, web);
    assert_eq!(delete(&mut bench, web), Err(FaultCode::DependencyViolation));
    delete(&mut bench, database).unwrap();
    delete(&mut bench, web).unwrap();
    assert!(!bench.world.index.rules_by_target.iter().any(|(named, _)| *named == web));
}

#[test]
fn a_group_that_an_interface_is_in_stays() {
    let mut bench = Bench::small();
    let id = create(&mut bench, "web").unwrap();
    let request = RunInstancesRequest { security_group_ids: vec![id], ..run_request() };
    bench.attempt(|decision| instances::run_instances(decision, &request)).unwrap();
    assert_eq!(delete(&mut bench, id), Err(FaultCode::DependencyViolation));
}

#[test]
fn another_accounts_groups_do_not_exist() {
    let mut bench = Bench::small();
    let id = create(&mut bench, "web").unwrap();
    let other = Owner { account: "444455556666".parse().unwrap(), ..bench.caller.owner.clone() };
    bench.decide(|decision| defaults::ensure(decision, &other));
    bench.caller.owner = other;
    assert_eq!(delete(&mut bench, id), Err(FaultCode::InvalidGroupNotFound));
    assert_eq!(by_name(&bench.view(), "web").unwrap_err().code, FaultCode::InvalidGroupNotFound);
    let all = describe_security_groups(&bench.view(), &DescribeSecurityGroupsRequest::default()).unwrap();
    let names: Vec<_> = all.security_groups.iter().map(|group| group.group_name.as_str()).collect();
    assert_eq!(names, ["default"]);
    create(&mut bench, "web").unwrap();
}

#[test]
fn pages_show_each_group_once() {
    let mut bench = Bench::small();
    for n in 0..11 {
        create(&mut bench, &format!("group {n}")).unwrap();
    }
    let (mut seen, mut next_token, mut pages) = (Vec::new(), None, 0);
    loop {
        let request = DescribeSecurityGroupsRequest {
            max_results: Some(5),
            next_token,
            ..DescribeSecurityGroupsRequest::default()
        };
        let page = describe_security_groups(&bench.view(), &request).unwrap();
        seen.extend(page.security_groups.into_iter().map(|group| group.group_id));
        pages += 1;
        next_token = page.next_token;
        if next_token.is_none() {
            break;
        }
    }
    assert_eq!((seen.len(), pages), (12, 3));
    assert!(seen.is_sorted());
}

#[test]
fn filters_ask_the_rules_of_one_direction() {
    let mut bench = Bench::small();
    let (web, database) = (create(&mut bench, "web").unwrap(), create(&mut bench, "database").unwrap());
    let_in(&mut bench, database, web);
    let found = |name: &str, value: &str| {
        let filter = crate::query::Filter { name: name.into(), values: vec![value.into()] };
        let request = DescribeSecurityGroupsRequest {
            filters: vec![filter],
            ..DescribeSecurityGroupsRequest::default()
        };
        let answer = describe_security_groups(&bench.view(), &request).unwrap();
        let mut names: Vec<_> = answer.security_groups.into_iter().map(|group| group.group_name).collect();
        names.sort();
        names
    };
    assert_eq!(found("ip-permission.group-id", &web.to_string()), ["database"]);
    assert_eq!(found("ip-permission.group-name", "w?b"), ["database"]);
    assert!(found("egress.ip-permission.group-id", &web.to_string()).is_empty());
    assert_eq!(found("egress.ip-permission.cidr", "0.0.0.0/0"), ["database", "default", "web"]);
    assert!(found("ip-permission.cidr", "0.0.0.0/0").is_empty());
    assert!(found("ip-permission.prefix-list-id", "*").is_empty());
    assert_eq!(found("tag:a", "1"), ["database", "web"]);
    assert_eq!(found("vpc-id", &default_vpc(&bench).to_string()).len(), 3);
}
