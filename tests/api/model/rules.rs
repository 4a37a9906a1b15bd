//! Rules, by EC2's reference: AuthorizeSecurityGroupIngress and Egress, RevokeSecurityGroupIngress and Egress.

use super::call::{COMBINATION, Call, Code, Faults, MISSING, Params, VALUE};
use super::groups::{self, plain};
use super::peers::over;
use super::tree::{Tree, leaf, list, node, tag_set};
use super::world::*;

/// A rule that a request names.
#[derive(Clone)]
pub struct Wanted {
    pub traffic: Traffic,
    pub peer: Peer,
    pub description: Option<String>,
}

pub fn authorize(world: &mut World, call: &Call, reply: &Tree, egress: bool) -> Outcome {
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(&call.params, &["security-group-rule"], "security-group-rule"));
    let group = faults.note(groups::find(world, call));
    let wanted = faults.note_all(wanted(world, call, egress, group.as_ref())).unwrap_or_default();
    let Some(group) = group else { return Err(faults) };
    for (at, new) in wanted.iter().enumerate() {
        let same = |rule: &&Rule| rule.traffic == new.traffic && rule.peer == new.peer;
        let there = world
            .rules
            .iter()
            .filter(|rule| rule.group == group.id && rule.egress == egress)
            .any(|rule| same(&rule));
        faults.add_if(there, "InvalidPermission.Duplicate");
        let twice = wanted[..at].iter().any(|old| old.traffic == new.traffic && old.peer == new.peer);
        faults.add_if(twice, VALUE);
    }
    let mut after = world.clone();
    let new = |one: &Wanted| Rule {
        group: group.id.clone(),
        id: None,
        egress,
        traffic: one.traffic.clone(),
        peer: one.peer.clone(),
        description: None,
    };
    after.rules.extend(wanted.iter().map(new));
    let crowded = after.is_crowded_group(&group.id, egress);
    faults.add_if(crowded, "RulesPerSecurityGroupLimitExceeded");
    faults.done()?;
    let told = reply.items("securityGroupRuleSet");
    let mut answer = Vec::new();
    for new in wanted {
        let Wanted { traffic, peer, description } = new;
        let mut rule = Rule { group: group.id.clone(), id: None, egress, traffic, peer, description };
        let matching = told
            .iter()
            .find(|item| rule.is(world, item) && !world.seen.contains(item.at("securityGroupRuleId")));
        let id = matching.map_or("", |item| item.at("securityGroupRuleId"));
        let id = world.new_id(id, "sgr");
        world.tag(call.who, &id, tags.as_ref().unwrap());
        rule.id = Some(id);
        answer.push(shape(world, &rule));
        world.rules.push(rule);
    }
    Ok(vec![leaf("return", true), list("securityGroupRuleSet", answer)])
}

pub fn revoke(world: &mut World, call: &Call, egress: bool) -> Outcome {
    let group = groups::find(world, call)?;
    let of = |rule: &Rule| rule.group == group.id && rule.egress == egress;
    let ids = call.params.list("SecurityGroupRuleId");
    let (mut gone, mut unknown) = (Vec::new(), Vec::new());
    if ids.is_empty() {
        for one in wanted(world, call, egress, Some(&group))? {
            let same = |rule: &&Rule| of(rule) && rule.traffic == one.traffic && rule.peer == one.peer;
            match world.rules.iter().find(same) {
                Some(rule) => gone.push(rule.clone()),
                // "For a default VPC [...] no error is returned, and the output describes [those] not revoked."
                None => unknown.push(one),
            }
        }
    } else {
        let mut faults = Faults::default();
        faults.add_if(
            is_flat(&call.params) || !call.params.structures("IpPermissions").is_empty(),
            COMBINATION,
        );
        for id in ids {
            let rule = world.rules.iter().find(|rule| of(rule) && rule.id.as_ref() == Some(&id));
            gone.extend(faults.note(rule.cloned().ok_or("InvalidSecurityGroupRuleId.NotFound")));
        }
        faults.done()?;
    }
    // "[...] an error is returned" for any other VPC.
    if !unknown.is_empty() && world.vpc(&group.vpc).is_some_and(|vpc| !vpc.is_default) {
        return Err("InvalidPermission.NotFound".into());
    }
    gone.sort_by(|a, b| a.id.cmp(&b.id));
    gone.dedup_by(|a, b| a.id == b.id);
    let shapes = gone.iter().map(revoked).collect();
    world.forget_rules(|rule| gone.iter().any(|one| one.id == rule.id));
    let mut answer = vec![leaf("return", true), list("revokedSecurityGroupRuleSet", shapes)];
    if !unknown.is_empty() {
        let rule = |one: Wanted| Rule {
            group: group.id.clone(),
            id: None,
            egress,
            traffic: one.traffic,
            peer: one.peer,
            description: one.description,
        };
        let unknown: Vec<Rule> = unknown.into_iter().map(rule).collect();
        answer.push(permissions(world, "unknownIpPermissionSet", unknown.iter()));
    }
    Ok(answer)
}

fn is_flat(params: &Params) -> bool {
    let flat = [
        "IpProtocol",
        "FromPort",
        "ToPort",
        "CidrIp",
        "SourceSecurityGroupName",
        "SourceSecurityGroupOwnerId",
    ];
    flat.iter().any(|name| params.has(name))
}

pub fn wanted(world: &World, call: &Call, egress: bool, of: Option<&Group>) -> Result<Vec<Wanted>, Faults> {
    let given = call.params.structures("IpPermissions");
    let flat = !egress && is_flat(&call.params);
    match (flat, given.is_empty()) {
        (true, false) => return Err(COMBINATION.into()),
        (false, true) => return Err(MISSING.into()),
        _ => {}
    }
    // What is there may name a group that is gone or out of reach.
    let known = !call.action.starts_with("Authorize");
    let permissions = if flat { unfolded(&call.params) } else { given };
    let mut faults = Faults::default();
    let mut wanted = Vec::new();
    for permission in &permissions {
        let traffic = faults.note(traffic(permission));
        let mut peers = Vec::new();
        for range in permission.structures("IpRanges") {
            peers.push((cidr4(range.one("CidrIp")).map(Peer::V4), range));
        }
        for range in permission.structures("Ipv6Ranges") {
            peers.push((cidr6(range.one("CidrIpv6")).map(Peer::V6), range));
        }
        for name in ["Groups", "UserIdGroupPairs"] {
            for pair in permission.structures(name) {
                let stale = of.filter(|_| known).and_then(|of| stale(world, of, &pair));
                let source = || source(world, call.who, of, &pair);
                peers.push((stale.map_or_else(source, Ok), pair));
            }
        }
        for range in permission.structures("PrefixListIds") {
            let id = range.one("PrefixListId");
            let own = world.own_list(call.who, id).map(|at| Peer::List(world.lists[at].id.clone()));
            peers.push((if id.is_none() { Err(MISSING) } else { own }, range));
        }
        faults.add_if(peers.is_empty(), MISSING);
        for (peer, range) in peers {
            let description = range.one("Description").map(str::to_owned);
            faults.add_if(description.as_deref().is_some_and(|text| !plain(text)), VALUE);
            if let (Some(peer), Some(traffic)) = (faults.note(peer), traffic.clone()) {
                wanted.push(Wanted { traffic, peer, description });
            }
        }
    }
    faults.done().map(|()| wanted)
}

/// What old clients send as one rule. A source group alone means all of TCP, UDP and ICMP.
fn unfolded(params: &Params) -> Vec<Params> {
    let mut peer = Params::default();
    let moved = [
        ("CidrIp", "IpRanges.1.CidrIp"),
        ("SourceSecurityGroupName", "Groups.1.GroupName"),
        ("SourceSecurityGroupOwnerId", "Groups.1.UserId"),
    ];
    for (old, new) in moved {
        params.one(old).into_iter().for_each(|value| peer.set(new, value));
    }
    let names = ["IpProtocol", "FromPort", "ToPort"];
    let alone = !names.iter().any(|name| params.has(name)) && !params.has("CidrIp");
    if alone && params.has("SourceSecurityGroupName") {
        let all = [("tcp", 0, 65535), ("udp", 0, 65535), ("icmp", -1, -1)];
        let with = |(protocol, from, to): (&str, i64, i64)| {
            let mut one = peer.clone();
            one.set("IpProtocol", protocol);
            one.set("FromPort", from);
            one.set("ToPort", to);
            one
        };
        return all.map(with).into();
    }
    names.iter().for_each(|name| params.one(name).into_iter().for_each(|value| peer.set(*name, value)));
    vec![peer]
}

pub fn traffic(permission: &Params) -> Result<Traffic, Code> {
    let named = permission.one("IpProtocol").ok_or(VALUE)?.to_lowercase();
    let (from, to) = (permission.number("FromPort"), permission.number("ToPort"));
    let number = named.parse::<u32>().ok().filter(|number| *number < 256 && number.to_string() == named);
    let protocol = match (named.as_str(), number) {
        ("-1" | "all", _) => return Ok(("-1".into(), None)),
        ("tcp", _) | (_, Some(6)) => "tcp",
        ("udp", _) | (_, Some(17)) => "udp",
        ("icmp", _) | (_, Some(1)) => "icmp",
        ("icmpv6", _) | (_, Some(58)) => "icmpv6",
        (_, Some(other)) => return Ok((other.to_string(), None)),
        (_, None) => return Err(VALUE),
    };
    if protocol == "icmpv6" && from.is_none() && to.is_none() {
        return Ok((protocol.into(), Some((-1, -1))));
    }
    let (from, to) = from.zip(to).ok_or(VALUE)?;
    let fits = match protocol {
        "tcp" | "udp" if (from, to) == (-1, -1) => return Ok((protocol.into(), Some((0, 65535)))),
        "tcp" | "udp" => 0 <= from && from <= to && to <= 65535,
        // All types have no one code.
        _ => (-1..256).contains(&from) && (-1..256).contains(&to) && (from != -1 || to == -1),
    };
    if fits { Ok((protocol.into(), Some((from, to)))) } else { Err(VALUE) }
}

/// "If you specify a CIDR block with host bits, we set them to zero" (API_IpRange).
pub fn cidr4(text: Option<&str>) -> Result<String, Code> {
    let (address, length) = text.ok_or(MISSING)?.split_once('/').ok_or(VALUE)?;
    let bits =
        length.parse::<u32>().ok().filter(|bits| bits.to_string() == length && *bits <= 32).ok_or(VALUE)?;
    let mask = if bits == 0 { 0 } else { u32::MAX << (32 - bits) };
    Ok(format!("{}/{bits}", ip_text(ip(address).ok_or(VALUE)? & mask)))
}

pub fn cidr6(text: Option<&str>) -> Result<String, Code> {
    let (address, length) = text.ok_or(MISSING)?.split_once('/').ok_or(VALUE)?;
    let bits =
        length.parse::<u32>().ok().filter(|bits| bits.to_string() == length && *bits <= 128).ok_or(VALUE)?;
    let address: std::net::Ipv6Addr = address.parse().map_err(|_| VALUE)?;
    let mask = if bits == 0 { 0 } else { u128::MAX << (128 - bits) };
    Ok(format!("{}/{bits}", std::net::Ipv6Addr::from_bits(address.to_bits() & mask)))
}

/// What a rule of the group names, and means nobody any more, if a pair stands for that.
fn stale(world: &World, of: &Group, pair: &Params) -> Option<Peer> {
    let id = pair.one("GroupId").filter(|_| !pair.has("GroupName"))?;
    let told = over(world, &of.id, id);
    let is_stale = |one: &Tree| one.name == "peeringStatus" && one.text != "active";
    let vpc = told.iter().find(|one| one.name == "vpcId").map(|one| one.text.clone());
    let says = pair.one("VpcId").is_none_or(|named| vpc.as_deref() == Some(named));
    let digits = |text: &str| text.replace('-', "");
    let is_it = |rule: &&Rule| {
        let user = |who: &usize| pair.one("UserId").is_none_or(|id| digits(id) == world.accounts[*who].id);
        rule.group == of.id && matches!(&rule.peer, Peer::Group(named, who) if named == id && user(who))
    };
    let rule = world.rules.iter().find(is_it).filter(|_| says && told.iter().any(is_stale));
    rule.map(|rule| rule.peer.clone())
}

/// A group of the caller's, or of the account that is named.
fn source(world: &World, who: usize, to: Option<&Group>, pair: &Params) -> Result<Peer, Code> {
    const ABSENT: Code = "InvalidGroup.NotFound";
    let of = match pair.one("UserId") {
        Some(id) => {
            let digits: String = id.chars().filter(|c| *c != '-').collect();
            world.accounts.iter().position(|account| account.id == digits)
        }
        None => Some(who),
    };
    let (id, name) = (pair.one("GroupId"), pair.one("GroupName"));
    if id.is_none() && name.is_none() {
        return Err(MISSING);
    }
    let of = of.ok_or(ABSENT)?;
    let by_name = |group: &Group| Some(&*group.name) == name && group.vpc == world.accounts[of].vpc;
    let own = |group: &&Group| group.who == of && id.map_or_else(|| by_name(group), |id| group.id == id);
    let group = world.groups.iter().find(own).ok_or(ABSENT)?;
    if name.is_some_and(|name| name != group.name) {
        return Err(COMBINATION);
    }
    if pair.one("VpcId").is_some_and(|vpc| vpc != group.vpc) {
        return Err(ABSENT);
    }
    if to.is_some_and(|to| !world.may_name(&to.id, &group.id)) {
        return Err(ABSENT);
    }
    Ok(Peer::Group(group.id.clone(), of))
}

impl Rule {
    /// Whether an item of an answer tells this rule, by whatever id.
    pub fn is(&self, world: &World, item: &Tree) -> bool {
        let told = shape(world, self);
        let known =
            |one: &&Tree| !matches!(&*one.name, "securityGroupRuleId" | "securityGroupRuleArn" | "tagSet");
        told.iter().filter(known).all(|one| item.get(&one.name) == Some(one))
    }
}

/// A rule as Authorize and DescribeSecurityGroupRules tell it.
pub fn shape(world: &World, rule: &Rule) -> Vec<Tree> {
    let who = world.groups.iter().find(|group| group.id == rule.group).map_or(0, |group| group.who);
    let id = rule.id.clone().unwrap_or_default();
    let (from, to) = rule.traffic.1.unwrap_or((-1, -1));
    let mut tree = vec![
        leaf("securityGroupRuleId", &id),
        leaf("groupId", &rule.group),
        leaf("groupOwnerId", &world.accounts[who].id),
        leaf("isEgress", rule.egress),
        leaf("ipProtocol", &rule.traffic.0),
        leaf("fromPort", from),
        leaf("toPort", to),
        tag_set("tagSet", &world.tags_of(&id)),
        leaf("securityGroupRuleArn", world.arn(who, "security-group-rule", &id)),
    ];
    tree.push(match &rule.peer {
        Peer::V4(cidr) => leaf("cidrIpv4", cidr),
        Peer::V6(cidr) => leaf("cidrIpv6", cidr),
        Peer::List(id) => leaf("prefixListId", id),
        Peer::Group(group, of) => {
            let mut inner = vec![leaf("groupId", group), leaf("userId", &world.accounts[*of].id)];
            inner.extend(over(world, &rule.group, group));
            node("referencedGroupInfo", inner)
        }
    });
    tree.extend(rule.description.as_ref().map(|text| leaf("description", text)));
    tree
}

/// A rule as Revoke tells it.
fn revoked(rule: &Rule) -> Vec<Tree> {
    let (from, to) = rule.traffic.1.unwrap_or((-1, -1));
    let mut tree = vec![
        leaf("securityGroupRuleId", rule.id.as_deref().unwrap_or_default()),
        leaf("groupId", &rule.group),
        leaf("isEgress", rule.egress),
        leaf("ipProtocol", &rule.traffic.0),
        leaf("fromPort", from),
        leaf("toPort", to),
    ];
    tree.push(match &rule.peer {
        Peer::V4(cidr) => leaf("cidrIpv4", cidr),
        Peer::V6(cidr) => leaf("cidrIpv6", cidr),
        Peer::List(id) => leaf("prefixListId", id),
        Peer::Group(group, _) => leaf("referencedGroupId", group),
    });
    tree.extend(rule.description.as_ref().map(|text| leaf("description", text)));
    tree
}

/// Rules as permissions: one for each protocol and port range.
pub fn permissions<'a>(world: &World, name: &str, rules: impl Iterator<Item = &'a Rule>) -> Tree {
    let rules: Vec<&Rule> = rules.collect();
    let mut kinds: Vec<&Traffic> = rules.iter().map(|rule| &rule.traffic).collect();
    kinds.sort();
    kinds.dedup();
    let permission = |traffic: &Traffic| {
        let (mut v4, mut v6, mut groups, mut lists) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for rule in rules.iter().filter(|rule| rule.traffic == *traffic) {
            let mut item: Vec<Tree> = rule.description.iter().map(|text| leaf("description", text)).collect();
            match &rule.peer {
                Peer::V4(cidr) => {
                    item.push(leaf("cidrIp", cidr));
                    v4.push(item);
                }
                Peer::V6(cidr) => {
                    item.push(leaf("cidrIpv6", cidr));
                    v6.push(item);
                }
                Peer::List(id) => {
                    item.push(leaf("prefixListId", id));
                    lists.push(item);
                }
                Peer::Group(group, of) => {
                    item.push(leaf("groupId", group));
                    item.push(leaf("userId", &world.accounts[*of].id));
                    item.extend(over(world, &rule.group, group));
                    groups.push(item);
                }
            }
        }
        let mut tree = vec![
            leaf("ipProtocol", &traffic.0),
            list("ipRanges", v4),
            list("ipv6Ranges", v6),
            list("groups", groups),
            list("prefixListIds", lists),
        ];
        if let Some((from, to)) = traffic.1 {
            tree.extend([leaf("fromPort", from), leaf("toPort", to)]);
        }
        tree
    };
    list(name, kinds.into_iter().map(permission).collect())
}
