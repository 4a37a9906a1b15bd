//! Rules as requests write them: what they become, and that nothing is half done.

use super::*;
use crate::control::testing::Bench;

fn group(bench: &Bench) -> GroupId {
    *bench.world.groups.keys().next().unwrap()
}

fn permission(protocol: &str, from: Option<i64>, to: Option<i64>, cidrs: &[&str]) -> input::IpPermission {
    let range = |cidr: &&str| input::IpRange { cidr_ip: Some((*cidr).to_owned()), description: None };
    input::IpPermission {
        ip_protocol: Some(protocol.to_owned()),
        from_port: from,
        to_port: to,
        ip_ranges: cidrs.iter().map(range).collect(),
        ..input::IpPermission::default()
    }
}

fn request(group: GroupId, ip_permissions: Vec<input::IpPermission>) -> AuthorizeSecurityGroupIngressRequest {
    AuthorizeSecurityGroupIngressRequest {
        dry_run: false,
        group_id: Some(group),
        group_name: None,
        ip_protocol: None,
        from_port: None,
        to_port: None,
        cidr_ip: None,
        source_security_group_name: None,
        source_security_group_owner_id: None,
        ip_permissions,
        tag_specifications: vec![],
    }
}

fn authorize(
    bench: &mut Bench,
    permissions: Vec<input::IpPermission>,
) -> Result<Vec<output::SecurityGroupRule>, Fault> {
    let request = request(group(bench), permissions);
    bench
        .attempt(|decision| authorize_security_group_ingress(decision, &request))
        .map(|made| made.security_group_rules)
}

fn one(
    protocol: &str,
    from: Option<i64>,
    to: Option<i64>,
    cidr: &str,
) -> Result<(String, i64, i64, String), Fault> {
    let made = authorize(&mut Bench::small(), vec![permission(protocol, from, to, &[cidr])])?;
    let rule = &made[0];
    let cidr = rule.cidr_ipv4.clone().unwrap_or_default();
    Ok((rule.ip_protocol.clone(), rule.from_port, rule.to_port, cidr))
}

#[test]
fn protocols_have_their_names_and_numbers() {
    for (given, from, to, want) in [
        ("tcp", Some(22), Some(22), ("tcp", 22, 22)),
        ("6", Some(0), Some(65535), ("tcp", 0, 65535)),
        ("udp", Some(53), Some(60), ("udp", 53, 60)),
        ("icmp", Some(-1), Some(-1), ("icmp", -1, -1)),
        ("1", Some(8), Some(0), ("icmp", 8, 0)),
        ("icmp", Some(3), Some(-1), ("icmp", 3, -1)),
        ("-1", None, None, ("-1", -1, -1)),
        ("all", None, None, ("-1", -1, -1)),
        ("50", None, None, ("50", -1, -1)),
    ] {
        let (protocol, low, high, _) = one(given, from, to, "0.0.0.0/0").unwrap();
        assert_eq!((protocol.as_str(), low, high), want, "{given}");
    }
}

#[test]
fn what_is_not_a_rule_is_refused_and_never_widened() {
    for (protocol, from, to, cidr) in [
        ("tcp", None, None, "0.0.0.0/0"),
        ("tcp", Some(90), Some(80), "0.0.0.0/0"),
        ("tcp", Some(-1), Some(80), "0.0.0.0/0"),
        ("tcp", Some(0), Some(65536), "0.0.0.0/0"),
        ("icmp", Some(256), Some(0), "0.0.0.0/0"),
        ("icmp", Some(-1), Some(0), "0.0.0.0/0"),
        ("tpc", Some(80), Some(80), "0.0.0.0/0"),
        ("256", Some(80), Some(80), "0.0.0.0/0"),
        ("tcp", Some(80), Some(80), "0.0.0.0"),
        ("tcp", Some(80), Some(80), "0.0.0.0/33"),
        ("tcp", Some(80), Some(80), "10.0.0.0/08"),
        ("tcp", Some(80), Some(80), "10.0.0/8"),
        ("tcp", Some(80), Some(80), "010.0.0.0/8"),
        ("tcp", Some(80), Some(80), "any"),
        ("tcp", Some(80), Some(80), ""),
        ("tcp", Some(80), Some(80), "::/0"),
    ] {
        let fault = one(protocol, from, to, cidr).unwrap_err();
        assert_eq!(
            fault.code,
            FaultCode::InvalidParameterValue,
            "{protocol} {from:?} {to:?} '{cidr}': {fault:?}"
        );
    }
}

#[test]
fn host_bits_are_set_to_zero_as_ec2_does() {
    assert_eq!(one("tcp", Some(1), Some(1), "100.68.0.18/18").unwrap().3, "100.68.0.0/18");
}

#[test]
fn one_bad_rule_leaves_none() {
    let mut bench = Bench::small();
    let before = bench.world.rules.len();
    let good = permission("tcp", Some(80), Some(80), &["192.0.2.0/24", "198.51.100.0/24"]);
    for bad in [
        permission("tcp", Some(81), Some(81), &["192.0.2.0/24", "bad"]),
        permission("tcp", Some(80), Some(80), &["198.51.100.7/24"]),
        permission("tcp", Some(81), Some(81), &[]),
    ] {
        authorize(&mut bench, vec![good.clone(), bad]).unwrap_err();
        assert_eq!(bench.world.rules.len(), before);
    }
    assert_eq!(authorize(&mut bench, vec![good.clone()]).unwrap().len(), 2);
    assert_eq!(authorize(&mut bench, vec![good]).unwrap_err().code, FaultCode::InvalidPermissionDuplicate);
}

#[test]
fn the_form_of_before_2010_is_one_rule_or_everything_of_a_group() {
    let mut bench = Bench::small();
    let id = group(&bench);
    let flat = AuthorizeSecurityGroupIngressRequest {
        group_id: None,
        group_name: Some("default".into()),
        ip_protocol: Some("tcp".into()),
        from_port: Some(22),
        to_port: Some(22),
        cidr_ip: Some("0.0.0.0/0".into()),
        ..request(id, vec![])
    };
    let made = bench.attempt(|decision| authorize_security_group_ingress(decision, &flat)).unwrap();
    assert_eq!(made.security_group_rules.len(), 1);
    let of_group = AuthorizeSecurityGroupIngressRequest {
        group_id: None,
        group_name: Some("default".into()),
        source_security_group_name: Some("default".into()),
        ..request(id, vec![])
    };
    let made = bench.attempt(|decision| authorize_security_group_ingress(decision, &of_group)).unwrap();
    let protocols: Vec<_> = made.security_group_rules.iter().map(|rule| rule.ip_protocol.as_str()).collect();
    assert_eq!(protocols, ["tcp", "udp", "icmp"]);
    let both = AuthorizeSecurityGroupIngressRequest {
        ip_permissions: vec![permission("tcp", Some(1), Some(1), &["192.0.2.0/24"])],
        ..flat
    };
    let fault = bench.attempt(|decision| authorize_security_group_ingress(decision, &both)).unwrap_err();
    assert_eq!(fault.code, FaultCode::InvalidParameterCombination);
}

#[test]
fn revoking_says_what_was_revoked_and_what_was_unknown() {
    let mut bench = Bench::small();
    let known = permission("tcp", Some(80), Some(80), &["192.0.2.0/24"]);
    let unknown = permission("tcp", Some(81), Some(81), &["192.0.2.0/24"]);
    authorize(&mut bench, vec![known.clone()]).unwrap();
    let request = RevokeSecurityGroupIngressRequest {
        dry_run: false,
        group_id: Some(group(&bench)),
        group_name: None,
        ip_protocol: None,
        from_port: None,
        to_port: None,
        cidr_ip: None,
        source_security_group_name: None,
        source_security_group_owner_id: None,
        ip_permissions: vec![known, unknown],
        security_group_rule_ids: vec![],
    };
    let before = bench.world.rules.len();
    let answer = bench.attempt(|decision| revoke_security_group_ingress(decision, &request)).unwrap();
    assert_eq!(answer.revoked_security_group_rules.len(), 1);
    assert_eq!(answer.unknown_ip_permissions.len(), 1);
    assert_eq!(answer.unknown_ip_permissions[0].from_port, Some(81));
    assert_eq!(bench.world.rules.len(), before - 1);
}

/// "Enforced separately for IPv4 rules and IPv6 rules", and a rule that names a group counts as one of each.
#[test]
fn a_group_has_sixty_rules_of_each_family_in_a_direction() {
    let mut bench = Bench::small();
    let four: Vec<String> = (0..60).map(|n| format!("192.0.2.{n}/32")).collect();
    let four: Vec<&str> = four.iter().map(String::as_str).collect();
    // The rule for the group's own members is there from the start.
    authorize(&mut bench, vec![permission("-1", None, None, &four[..59])]).unwrap();
    let full = authorize(&mut bench, vec![permission("-1", None, None, &four[59..])]).unwrap_err();
    assert_eq!(full.code, FaultCode::RulesPerSecurityGroupLimitExceeded);
    let six = |from: u32, to: u32| {
        let range =
            |n| input::Ipv6Range { cidr_ipv6: Some(format!("2001:db8::{n:x}/128")), description: None };
        let ipv6_ranges = (from..to).map(range).collect();
        vec![input::IpPermission { ipv6_ranges, ..permission("-1", None, None, &[]) }]
    };
    authorize(&mut bench, six(0, 59)).unwrap();
    let full = authorize(&mut bench, six(59, 60)).unwrap_err();
    assert_eq!(full.code, FaultCode::RulesPerSecurityGroupLimitExceeded);
}
