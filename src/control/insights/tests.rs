use super::*;
use crate::control::testing::{Bench, run_request};
use crate::control::{instances, rules};
use crate::plan::Wiring;
use crate::query::FaultCode;
use crate::query::api::*;
use crate::types::*;
use crate::world::{Instance, InstanceState};

/// Two instances that run, in the default group.
fn bench() -> (Bench, [InstanceId; 2]) {
    let mut bench = Bench::small();
    let request = RunInstancesRequest { min_count: 2, max_count: 2, ..run_request() };
    bench.attempt(|decision| instances::run_instances(decision, &request)).unwrap();
    let rows: Vec<_> = bench.world.instances.values().cloned().collect();
    for row in &rows {
        bench.put(Instance { state: InstanceState::Running, ..(**row).clone() });
    }
    let snat = Some("203.0.113.250".parse().unwrap());
    let wiring = Wiring { public_interface: "eth0".into(), flat_interface: "eth1".into(), snat };
    bench.status.hosts.get_mut("node1").unwrap().wiring = Some(wiring);
    (bench, [rows[0].id, rows[1].id])
}

fn path_request(source: InstanceId, destination: Option<InstanceId>) -> CreateNetworkInsightsPathRequest {
    CreateNetworkInsightsPathRequest {
        dry_run: false,
        source: source.to_string(),
        destination: destination.map(|id| id.to_string()),
        source_ip: None,
        destination_ip: None,
        protocol: "tcp".into(),
        destination_port: Some(80),
        tag_specifications: Vec::new(),
        client_token: None,
    }
}

fn ask(bench: &mut Bench, request: &CreateNetworkInsightsPathRequest) -> output::NetworkInsightsAnalysis {
    let made = bench.attempt(|decision| create_network_insights_path(decision, request)).unwrap();
    let network_insights_path_id = made.network_insights_path.network_insights_path_id;
    let request = start_request(network_insights_path_id);
    bench
        .attempt(|decision| start_network_insights_analysis(decision, &request))
        .unwrap()
        .network_insights_analysis
}

fn start_request(network_insights_path_id: InsightsPathId) -> StartNetworkInsightsAnalysisRequest {
    StartNetworkInsightsAnalysisRequest {
        dry_run: false,
        network_insights_path_id,
        tag_specifications: Vec::new(),
        client_token: None,
    }
}

#[test]
fn the_way_is_told_with_each_rule_that_decided() {
    let (mut bench, [a, b]) = bench();
    let found = ask(&mut bench, &path_request(a, Some(b)));
    assert_eq!((found.status.as_str(), found.network_path_found), ("succeeded", Some(true)));
    let ids: Vec<_> = found.forward_path_components.iter().map(|step| step.component.id.clone()).collect();
    let eni = |id| bench.world.interfaces_of(id)[0].id.to_string();
    let group = bench.world.groups.values().next().unwrap().id.to_string();
    let wanted = [a.to_string(), eni(a), group.clone(), "node1".into(), group, eni(b), b.to_string()];
    assert_eq!(ids, wanted);
    let rules: Vec<_> = found
        .forward_path_components
        .iter()
        .filter_map(|step| {
            Some((step.security_group_rule.as_ref()?.direction.clone(), step.additional_details.len()))
        })
        .collect();
    assert_eq!(rules, [("egress".to_owned(), 1), ("ingress".to_owned(), 1)]);
    assert_eq!(found.explanations, []);
}

#[test]
fn who_is_not_let_in_is_told_by_which_groups() {
    let (mut bench, [a, b]) = bench();
    let groups: Vec<_> = bench.world.groups.keys().copied().collect();
    let ingress = |rule: &crate::world::Rule| rule.direction == Direction::Ingress;
    let all: Vec<_> = bench.world.rules.values().filter(|rule| ingress(rule)).map(|rule| rule.id).collect();
    for id in all {
        bench.decide(|decision| decision.delete(crate::world::Key::Rule(id)));
    }
    let found = ask(&mut bench, &path_request(a, Some(b)));
    assert_eq!(found.network_path_found, Some(false));
    let [why] = &found.explanations[..] else { panic!("{found:?}") };
    assert_eq!(
        (why.explanation_code.as_str(), why.direction.as_deref()),
        ("ENI_SG_RULES_MISMATCH", Some("ingress"))
    );
    let named: Vec<_> = why.security_groups.iter().map(|group| group.id.clone()).collect();
    assert_eq!(named, groups.iter().map(ToString::to_string).collect::<Vec<_>>());
    // Without a port, one that any rule opens will do.
    let open = AuthorizeSecurityGroupIngressRequest {
        dry_run: false,
        group_id: Some(groups[0]),
        ip_protocol: Some("tcp".into()),
        from_port: Some(7000),
        to_port: Some(7001),
        cidr_ip: Some("10.0.0.0/24".into()),
        ..Default::default()
    };
    bench.attempt(|decision| rules::authorize_security_group_ingress(decision, &open)).unwrap();
    let any = CreateNetworkInsightsPathRequest { destination_port: None, ..path_request(a, Some(b)) };
    assert_eq!(ask(&mut bench, &any).network_path_found, Some(true));
    // What was found stays as it was.
    let request = DescribeNetworkInsightsAnalysesRequest {
        network_insights_analysis_ids: vec![found.network_insights_analysis_id],
        ..Default::default()
    };
    let again = describe_network_insights_analyses(&bench.view(), &request).unwrap();
    assert_eq!(again.network_insights_analyses, [found]);
}

#[test]
fn nothing_is_told_of_other_accounts() {
    let (mut bench, [a, b]) = bench();
    let target = bench.world.interfaces_of(b)[0].clone();
    let other = Owner { account: "444455556666".parse().unwrap(), region: "us-east-1".into() };
    let request = CreateNetworkInsightsPathRequest {
        destination: None,
        destination_ip: Some(target.private_ip),
        ..path_request(a, None)
    };
    bench.put(crate::world::Eni { owner: other, ..(*target).clone() });
    for rules in [true, false] {
        if !rules {
            let all: Vec<_> = bench.world.rules.keys().copied().collect();
            let ingress = |id: &RuleId| bench.world.rules[id].direction == Direction::Ingress;
            let all: Vec<_> = all.into_iter().filter(ingress).collect();
            for id in all {
                bench.decide(|decision| decision.delete(crate::world::Key::Rule(id)));
            }
        }
        let found = ask(&mut bench, &request);
        assert_eq!(found.network_path_found, Some(rules));
        let told = format!("{found:?}");
        assert!(!told.contains(&target.id.to_string()) && !told.contains(&b.to_string()), "{told}");
        let groups = found.explanations.iter().flat_map(|why| &why.security_groups);
        assert_eq!(groups.count(), 0);
    }
}

#[test]
fn a_path_goes_after_its_analyses_and_the_same_token_makes_one() {
    let (mut bench, [a, b]) = bench();
    let request =
        CreateNetworkInsightsPathRequest { client_token: Some("t".into()), ..path_request(a, Some(b)) };
    let made: Vec<_> = (0..2)
        .map(|_| bench.attempt(|decision| create_network_insights_path(decision, &request)).unwrap())
        .collect();
    assert_eq!(made[0], made[1]);
    let other = CreateNetworkInsightsPathRequest { destination_port: Some(81), ..request };
    let refused = bench.attempt(|decision| create_network_insights_path(decision, &other)).unwrap_err();
    assert_eq!(refused.code, FaultCode::IdempotentParameterMismatch);
    let id = made[0].network_insights_path.network_insights_path_id;
    let analysis = bench
        .attempt(|decision| start_network_insights_analysis(decision, &start_request(id)))
        .unwrap()
        .network_insights_analysis;
    let delete = DeleteNetworkInsightsPathRequest { dry_run: false, network_insights_path_id: id };
    let refused = bench.attempt(|decision| delete_network_insights_path(decision, &delete)).unwrap_err();
    assert_eq!(refused.code, FaultCode::AnalysisExistsForNetworkInsightsPath);
    let request = DeleteNetworkInsightsAnalysisRequest {
        dry_run: false,
        network_insights_analysis_id: analysis.network_insights_analysis_id,
    };
    bench.attempt(|decision| delete_network_insights_analysis(decision, &request)).unwrap();
    bench.attempt(|decision| delete_network_insights_path(decision, &delete)).unwrap();
    assert!(bench.world.insights_paths.is_empty() && bench.world.index.insights_paths_by_owner.is_empty());
}

#[test]
fn an_end_that_is_gone_fails_the_analysis() {
    let (mut bench, [a, b]) = bench();
    let made =
        bench.attempt(|decision| create_network_insights_path(decision, &path_request(a, Some(b)))).unwrap();
    let gone = bench.world.interfaces_of(b)[0].id;
    bench.decide(|decision| decision.delete(crate::world::Key::Eni(gone)));
    let request = start_request(made.network_insights_path.network_insights_path_id);
    let found = bench.attempt(|decision| start_network_insights_analysis(decision, &request)).unwrap();
    let found = found.network_insights_analysis;
    assert_eq!((found.status.as_str(), found.network_path_found), ("failed", None));
    assert!(found.status_message.unwrap().contains(&b.to_string()));
}

/// EC2's model has no place for another: such an address has at most 15 characters, and the pattern of an IPv4 one
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkInsightsPath.html>).
#[test]
fn a_path_is_of_ipv4() {
    let (mut bench, [a, b]) = bench();
    let (a, b) = (a.to_string(), b.to_string());
    for parameter in ["SourceIp", "DestinationIp"] {
        let given = [("Source", &*a), ("Destination", &*b), ("Protocol", "tcp"), (parameter, "2001:db8::1")];
        let fault = bench.call("CreateNetworkInsightsPath", &given).unwrap_err();
        assert_eq!(fault.code, FaultCode::InvalidParameterValue);
        assert!(fault.message.contains("IPv4"), "{fault}");
    }
}
