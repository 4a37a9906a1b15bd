//! Calls about rules.

use super::call::Call;
use super::steps::Chooser;
use super::world::*;

const PROTOCOLS: &[&str] =
    &["tcp", "tcp", "tcp", "udp", "icmp", "-1", "all", "TCP", "6", "17", "58", "icmpv6", "47", "0", "255"];
const BAD_PROTOCOLS: &[&str] = &["256", "-2", "ip", "06", "+6"];
const PORTS: &[(&str, &str)] = &[
    ("80", "80"),
    ("22", "22"),
    ("0", "65535"),
    ("80", "443"),
    ("65535", "65535"),
    ("-1", "-1"),
    ("0", "0"),
];
/// ICMP's types and codes.
const KINDS: &[(&str, &str)] = &[("-1", "-1"), ("8", "-1"), ("3", "4"), ("255", "255"), ("0", "0")];
const BAD_PORTS: &[(&str, &str)] = &[
    ("443", "80"),
    ("0", "65536"),
    ("-1", "80"),
    ("80", ""),
    ("", "80"),
    ("", ""),
    ("-2", "-2"),
    ("256", "0"),
    ("0", "256"),
];
const CIDRS: &[&str] = &[
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.2.3/8",
    "192.0.2.5/32",
    "198.51.100.0/24",
    "198.51.100.77/25",
    "255.255.255.255/0",
];
const BAD_CIDRS: &[&str] = &[
    "10.0.0.0",
    "10.0.0.0/33",
    "10.0.0/8",
    "010.0.0.0/8",
    "0.0.0.0/00",
    "10.0.0.0/-1",
    " 10.0.0.0/8",
    "::/0",
    "10.0.0.0/8 ",
    "256.0.0.0/8",
];
const CIDRS6: &[&str] =
    &["::/0", "2001:db8::/32", "2001:DB8::1/64", "2001:db8:0:0:1::/80", "::ffff:1.2.3.4/128"];
const BAD_CIDRS6: &[&str] = &["::", "::/129", "2001:db8::/032", "0.0.0.0/0", "1::2::3/64"];
const DESCRIPTIONS: &[&str] = &["from the office", "x", "a/b (c)", "<b>", "ü"];

pub fn authorize(chooser: &mut Chooser, call: Call) -> Call {
    let call = named(chooser, call);
    let call = rules(chooser, call);
    chooser.with_tags(call, "security-group-rule")
}

/// The egress actions take an id only.
fn named(chooser: &mut Chooser, call: Call) -> Call {
    if call.action.ends_with("Ingress") {
        return chooser.named_group(call);
    }
    let id = chooser.id("sg");
    call.with("GroupId", id)
}

fn rules(chooser: &mut Chooser, mut call: Call) -> Call {
    let style = chooser.dice.below(30);
    if style < 6 && call.action.ends_with("Ingress") {
        call = flat(chooser, call);
    }
    if style >= 6 || style == 0 || (call.action.ends_with("Egress") && style != 1) {
        let count = [1, 1, 1, 2, 2, 3][chooser.dice.below(6)];
        for index in chooser.indexes(count) {
            permission(chooser, &mut call, &format!("IpPermissions.{index}"));
        }
    }
    call
}

fn protocol(chooser: &mut Chooser) -> &'static str {
    let from = if chooser.dice.once_in(40) { BAD_PROTOCOLS } else { PROTOCOLS };
    from[chooser.dice.below(from.len())]
}

/// Sets protocol and ports under the prefix, which ends in a dot or is empty.
pub fn traffic(chooser: &mut Chooser, call: &mut Call, prefix: &str) {
    let protocol = protocol(chooser);
    if !chooser.dice.once_in(50) {
        call.params.set(format!("{prefix}IpProtocol"), protocol);
    }
    let ports = match protocol {
        _ if chooser.dice.once_in(25) => BAD_PORTS,
        "icmp" | "icmpv6" | "58" => KINDS,
        _ => PORTS,
    };
    let (from, to) = *chooser.dice.pick(ports);
    for (name, port) in [("FromPort", from), ("ToPort", to)] {
        if !port.is_empty() {
            call.params.set(format!("{prefix}{name}"), port);
        }
    }
}

fn either(
    chooser: &mut Chooser,
    good: &'static [&'static str],
    bad: &'static [&'static str],
) -> &'static str {
    let from = if chooser.dice.once_in(25) { bad } else { good };
    from[chooser.dice.below(from.len())]
}

/// As clients did before 2010.
fn flat(chooser: &mut Chooser, mut call: Call) -> Call {
    if chooser.dice.once_in(3) {
        let name = chooser.group_name();
        call.params.set("SourceSecurityGroupName", name);
        if chooser.dice.once_in(3) {
            let whose = chooser.dice.below(2);
            call.params.set("SourceSecurityGroupOwnerId", &chooser.world.accounts[whose].id);
        }
        if chooser.dice.once_in(2) {
            return call;
        }
    }
    traffic(chooser, &mut call, "");
    if !call.params.has("SourceSecurityGroupName") || chooser.dice.once_in(6) {
        call.params.set("CidrIp", either(chooser, CIDRS, BAD_CIDRS));
    }
    call
}

pub fn cidr(chooser: &mut Chooser) -> String {
    either(chooser, CIDRS, BAD_CIDRS).to_owned()
}

pub fn cidr_v6(chooser: &mut Chooser) -> String {
    either(chooser, CIDRS6, BAD_CIDRS6).to_owned()
}

/// Sometimes says something of a rule.
pub fn describe(chooser: &mut Chooser, call: &mut Call, at: &str) {
    if chooser.dice.once_in(4) {
        let at_end = if chooser.dice.once_in(6) { DESCRIPTIONS.len() } else { DESCRIPTIONS.len() - 2 };
        call.params.set(format!("{at}.Description"), chooser.dice.pick(&DESCRIPTIONS[..at_end]));
    }
}

pub fn permission(chooser: &mut Chooser, call: &mut Call, at: &str) {
    traffic(chooser, call, &format!("{at}."));
    let kinds = chooser.dice.below(12);
    if kinds < 7 {
        let count = chooser.dice.below(2) + 1;
        for index in chooser.indexes(count) {
            let at = format!("{at}.IpRanges.{index}");
            call.params.set(format!("{at}.CidrIp"), either(chooser, CIDRS, BAD_CIDRS));
            describe(chooser, call, &at);
        }
    }
    if kinds == 0 || kinds == 7 {
        let at = format!("{at}.Ipv6Ranges.1");
        call.params.set(format!("{at}.CidrIpv6"), either(chooser, CIDRS6, BAD_CIDRS6));
        describe(chooser, call, &at);
    }
    if kinds == 7 {
        let id = chooser.id("pl");
        let at = format!("{at}.PrefixListIds.1");
        call.params.set(format!("{at}.PrefixListId"), id);
        describe(chooser, call, &at);
    }
    if kinds == 1 || (8..=10).contains(&kinds) {
        let name = chooser.dice.pick(&["Groups", "UserIdGroupPairs"]);
        let at = format!("{at}.{name}.{}", chooser.dice.below(3));
        pair(chooser, call, &at);
        describe(chooser, call, &at);
    }
    // And sometimes it names no peer at all.
}

/// A source group: by id or name, of either account, of a VPC.
fn pair(chooser: &mut Chooser, call: &mut Call, at: &str) {
    let groups = &chooser.world.groups;
    let group = groups[chooser.dice.below(groups.len())].clone();
    let style = chooser.dice.below(16);
    if style < 10 {
        call.params.set(format!("{at}.GroupId"), &group.id);
    }
    if style == 0 || (10..15).contains(&style) {
        let name = if chooser.dice.once_in(4) { chooser.group_name() } else { group.name.clone() };
        call.params.set(format!("{at}.GroupName"), name);
    }
    let others = group.who != chooser.who;
    if (others && !chooser.dice.once_in(6)) || (!others && chooser.dice.once_in(5)) {
        let id = &chooser.world.accounts[group.who].id;
        let dashed = format!("{}-{}-{}", &id[..4], &id[4..8], &id[8..]);
        let id = if chooser.dice.once_in(6) { dashed } else { id.clone() };
        call.params.set(format!("{at}.UserId"), id);
    }
    if chooser.dice.once_in(8) {
        let whose = if chooser.dice.once_in(3) { 1 - group.who } else { group.who };
        call.params.set(format!("{at}.VpcId"), &chooser.world.accounts[whose].vpc);
    }
}

pub fn revoke(chooser: &mut Chooser, call: Call) -> Call {
    let call = named(chooser, call);
    let egress = call.action.ends_with("Egress");
    // The group that is meant, if it can be told.
    let group = chooser.world.groups.iter().find(|group| {
        let named = call.params.one("GroupId") == Some(&group.id)
            || call.params.one("GroupName") == Some(&group.name);
        named && group.who == chooser.who
    });
    let group = group.map(|group| group.id.clone());
    let of = |rule: &&Rule| Some(&rule.group) == group.as_ref() && rule.egress == egress;
    let rules_there: Vec<Rule> = chooser.world.rules.iter().filter(of).cloned().collect();
    let style = chooser.dice.below(10);
    if style < 4 {
        let count = chooser.dice.below(2) + 1;
        let id = |chooser: &mut Chooser| match rules_there.is_empty() || chooser.dice.once_in(10) {
            true => chooser.id("sgr"),
            false => chooser.dice.pick(&rules_there).id.clone().unwrap(),
        };
        let ids: Vec<String> = (0..count).map(|_| id(chooser)).collect();
        let call = chooser.listed(call, "SecurityGroupRuleId", &ids);
        return if chooser.dice.once_in(12) { rules(chooser, call) } else { call };
    }
    if rules_there.is_empty() || style == 9 {
        return rules(chooser, call);
    }
    let mut call = call;
    let count = chooser.dice.below(2) + 1;
    for index in chooser.indexes(count) {
        let rule = chooser.dice.pick(&rules_there).clone();
        same(chooser, &mut call, &rule, &format!("IpPermissions.{index}"));
    }
    call
}

/// Names a rule that is there, by what it matches. Where its description would be.
pub fn same(chooser: &mut Chooser, call: &mut Call, rule: &Rule, at: &str) -> String {
    call.params.set(format!("{at}.IpProtocol"), &rule.traffic.0);
    if let Some((from, to)) = rule.traffic.1 {
        call.params.set(format!("{at}.FromPort"), from);
        call.params.set(format!("{at}.ToPort"), to);
    }
    match &rule.peer {
        Peer::V4(cidr) => {
            call.params.set(format!("{at}.IpRanges.1.CidrIp"), cidr);
            format!("{at}.IpRanges.1")
        }
        Peer::V6(cidr) => {
            call.params.set(format!("{at}.Ipv6Ranges.1.CidrIpv6"), cidr);
            format!("{at}.Ipv6Ranges.1")
        }
        Peer::List(id) => {
            call.params.set(format!("{at}.PrefixListIds.1.PrefixListId"), id);
            format!("{at}.PrefixListIds.1")
        }
        Peer::Group(group, of) => {
            call.params.set(format!("{at}.Groups.1.GroupId"), group);
            if *of != chooser.who {
                call.params.set(format!("{at}.Groups.1.UserId"), &chooser.world.accounts[*of].id);
            }
            format!("{at}.Groups.1")
        }
    }
}
