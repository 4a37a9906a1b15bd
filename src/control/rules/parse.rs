//! Permissions as requests write them, to rules.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::control::{View, defaults, groups, peerings, prefix_lists};
use crate::query::api::input;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Group, World};

/// A rule that a request names.
#[derive(Clone, PartialEq, Debug)]
pub struct Wanted {
    pub traffic: Traffic,
    pub target: RuleTarget,
    pub description: Option<Arc<str>>,
}

/// As EC2 writes a rule in its messages: `peer: 0.0.0.0/0, TCP, from port: 80, to port: 80, ALLOW`.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            RuleTarget::Cidr4(cidr) => write!(f, "peer: {cidr}, ")?,
            RuleTarget::Cidr6(cidr) => write!(f, "peer: {cidr}, ")?,
            RuleTarget::Group { group, .. } => write!(f, "peer: {group}, ")?,
            RuleTarget::PrefixList(list) => write!(f, "peer: {list}, ")?,
        }
        let all = |n: i64| if n < 0 { "ALL".to_owned() } else { n.to_string() };
        match (self.traffic, self.traffic.ports()) {
            (Traffic::All, _) => f.write_str("ALL, ")?,
            (Traffic::Tcp(_) | Traffic::Udp(_), Some((from, to))) => {
                let name = self.traffic.protocol().to_string().to_uppercase();
                write!(f, "{name}, from port: {from}, to port: {to}, ")?;
            }
            (_, Some((kind, code))) => {
                let name = self.traffic.protocol().to_string().to_uppercase();
                write!(f, "{name}, type: {}, code: {}, ", all(kind), all(code))?;
            }
            (_, None) => write!(f, "protocol: {}, ", self.traffic.protocol())?,
        }
        f.write_str("ALLOW")
    }
}

/// The parameters of one rule at the top of a request, as clients sent them before 2010.
#[derive(Default)]
pub struct Flat<'a> {
    pub protocol: Option<&'a str>,
    pub from_port: Option<i64>,
    pub to_port: Option<i64>,
    pub cidr: Option<&'a str>,
    pub source_name: Option<&'a str>,
    pub source_owner: Option<AccountId>,
}

impl Flat<'_> {
    pub fn is_empty(&self) -> bool {
        self.protocol.is_none()
            && self.from_port.is_none()
            && self.to_port.is_none()
            && self.cidr.is_none()
            && self.source_name.is_none()
            && self.source_owner.is_none()
    }

    /// The request's permissions, whichever way it writes them.
    ///
    /// # Errors
    /// Neither way or both.
    pub fn or<'p>(
        &self,
        permissions: &'p [input::IpPermission],
    ) -> Result<Cow<'p, [input::IpPermission]>, Fault> {
        match (self.is_empty(), permissions.is_empty()) {
            (true, false) => Ok(permissions.into()),
            (false, true) => Ok(self.permissions().into()),
            (true, true) => {
                Err(FaultCode::MissingParameter.with("The request must contain the parameter IpPermissions"))
            }
            (false, false) => Err(FaultCode::InvalidParameterCombination.with(
                "Give the rules as IpPermissions, or one rule as IpProtocol, FromPort, ToPort and CidrIp, \
                 but not both",
            )),
        }
    }

    /// Without a protocol a source group "grants full ICMP, UDP, and TCP access"
    /// (API_AuthorizeSecurityGroupIngress).
    fn permissions(&self) -> Vec<input::IpPermission> {
        let one = |protocol: Option<&str>, from_port, to_port| input::IpPermission {
            ip_protocol: protocol.map(str::to_owned),
            from_port,
            to_port,
            groups: self.pair().into_iter().collect(),
            ip_ranges: self.range().into_iter().collect(),
            ..input::IpPermission::default()
        };
        let alone = self.protocol.is_none()
            && self.cidr.is_none()
            && self.from_port.is_none()
            && self.to_port.is_none()
            && self.source_name.is_some();
        if alone {
            let all = |protocol, from, to| one(Some(protocol), Some(from), Some(to));
            return vec![all("tcp", 0, 65535), all("udp", 0, 65535), all("icmp", -1, -1)];
        }
        vec![one(self.protocol, self.from_port, self.to_port)]
    }

    fn pair(&self) -> Option<input::UserIdGroupPair> {
        let (group_name, user_id) = (self.source_name.map(str::to_owned), self.source_owner);
        (group_name.is_some() || user_id.is_some()).then(|| input::UserIdGroupPair {
            group_name,
            user_id,
            ..input::UserIdGroupPair::default()
        })
    }

    fn range(&self) -> Option<input::IpRange> {
        self.cidr.map(|cidr| input::IpRange { cidr_ip: Some(cidr.to_owned()), description: None })
    }
}

/// The rules that permissions for a group stand for.
///
/// # Errors
/// The first thing that EC2 would refuse.
pub fn permissions(view: &View, of: &Group, list: &[input::IpPermission]) -> Result<Vec<Wanted>, Fault> {
    wanted(view, list, |pair| {
        let source = source(view, of, pair)?;
        Ok(RuleTarget::Group { group: source.id, account: source.owner.account })
    })
}

/// The same, of rules that are there: one may name a group that is gone or out of reach.
///
/// # Errors
/// As above, where the group has no rule that names the same one.
pub fn known_permissions(
    view: &View,
    of: &Group,
    list: &[input::IpPermission],
) -> Result<Vec<Wanted>, Fault> {
    wanted(view, list, |pair| match stale(view.world, of, pair) {
        Some(target) => Ok(target),
        None => {
            let source = source(view, of, pair)?;
            Ok(RuleTarget::Group { group: source.id, account: source.owner.account })
        }
    })
}

/// What a rule of the group names, and means nobody any more, if a pair stands for that.
fn stale(world: &World, of: &Group, pair: &input::UserIdGroupPair) -> Option<RuleTarget> {
    let group = pair.group_id.filter(|_| pair.group_name.is_none())?;
    let over = peerings::over(world, of.id, group).filter(peerings::Over::is_stale)?;
    let is_so = pair.vpc_id.is_none_or(|vpc| over.vpc == Some(vpc))
        && pair.vpc_peering_connection_id.is_none_or(|id| over.peering == Some(id));
    let named = |target: &RuleTarget| {
        matches!(target, RuleTarget::Group { group: there, account }
            if *there == group && pair.user_id.is_none_or(|user| user == *account))
    };
    let rule = world.rules_of(of.id).find(|rule| named(&rule.target)).filter(|_| is_so);
    rule.map(|rule| rule.target.clone())
}

fn wanted(
    view: &View,
    list: &[input::IpPermission],
    named: impl Fn(&input::UserIdGroupPair) -> Result<RuleTarget, Fault>,
) -> Result<Vec<Wanted>, Fault> {
    let mut wanted = Vec::new();
    for permission in list {
        let traffic = traffic(permission.ip_protocol.as_deref(), permission.from_port, permission.to_port)?;
        let before = wanted.len();
        for range in &permission.ip_ranges {
            let target = RuleTarget::Cidr4(cidr(range.cidr_ip.as_deref(), "CidrIp")?);
            wanted.push(one(traffic, target, range.description.as_deref())?);
        }
        for range in &permission.ipv6_ranges {
            let target = RuleTarget::Cidr6(cidr(range.cidr_ipv6.as_deref(), "CidrIpv6")?);
            wanted.push(one(traffic, target, range.description.as_deref())?);
        }
        for pair in &permission.groups {
            wanted.push(one(traffic, named(pair)?, pair.description.as_deref())?);
        }
        for list in &permission.prefix_list_ids {
            let target = RuleTarget::PrefixList(listed(view, list.prefix_list_id)?);
            wanted.push(one(traffic, target, list.description.as_deref())?);
        }
        if wanted.len() == before {
            return Err(FaultCode::MissingParameter
                .with("Missing source specification: include source security group or CIDR information"));
        }
    }
    Ok(wanted)
}

/// One of the caller's prefix lists.
pub fn listed(view: &View, id: Option<PrefixListId>) -> Result<PrefixListId, Fault> {
    let id = id.ok_or_else(|| {
        FaultCode::MissingParameter.with("The request must contain the parameter PrefixListId")
    })?;
    prefix_lists::find(view, id).map(|row| row.id)
}

pub fn one(traffic: Traffic, target: RuleTarget, description: Option<&str>) -> Result<Wanted, Fault> {
    if let Some(text) = description {
        groups::check_description(text, "rule")?;
    }
    Ok(Wanted { traffic, target, description: description.map(Into::into) })
}

pub fn cidr<T: std::str::FromStr>(text: Option<&str>, parameter: &str) -> Result<T, Fault> {
    let text = text.ok_or_else(|| {
        FaultCode::MissingParameter.with(format!("The request must contain the parameter {parameter}"))
    })?;
    text.parse().map_err(|_| FaultCode::InvalidParameterValue.with(format!("CIDR block {text} is malformed")))
}

pub fn traffic(protocol: Option<&str>, from: Option<i64>, to: Option<i64>) -> Result<Traffic, Fault> {
    let text = protocol.ok_or_else(|| {
        FaultCode::InvalidParameterValue.with(
            "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly.",
        )
    })?;
    text.parse()
        .and_then(|protocol| Traffic::parse(protocol, from, to))
        .map_err(|error| refused(error, text, from, to))
}

fn refused(error: TrafficError, protocol: &str, from: Option<i64>, to: Option<i64>) -> Fault {
    let number = |n: Option<i64>| n.map_or("null".to_owned(), |n| n.to_string());
    let (from, to) = (number(from), number(to));
    let text = match error {
        TrafficError::Protocol => format!("Invalid value '{protocol}' for IP protocol. Unknown protocol:"),
        TrafficError::PortsMissing => {
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for \
                                       portRange."
                .to_owned()
        }
        TrafficError::PortsReversed | TrafficError::PortOutOfRange => {
            format!("Invalid value '{from}-{to}' for portRange.")
        }
        TrafficError::IcmpMissing | TrafficError::IcmpOutOfRange => {
            format!("Invalid value '{from}:{to}' for ICMP type and code.")
        }
    };
    FaultCode::InvalidParameterValue.with(format!("{text} {error}"))
}

/// The group that a pair names: one of the caller's, or of another account on the same flat network or in a peer VPC.
fn source(view: &View, of: &Group, pair: &input::UserIdGroupPair) -> Result<Arc<Group>, Fault> {
    let owner = Owner {
        account: pair.user_id.unwrap_or(view.caller.owner.account),
        region: view.caller.owner.region.clone(),
    };
    let absent = |what: &dyn fmt::Display| {
        FaultCode::InvalidGroupNotFound.with(format!("The security group '{what}' does not exist"))
    };
    let group = match (pair.group_id, pair.group_name.as_deref()) {
        (Some(id), name) => {
            let group = view.world.groups.get(&id).filter(|group| group.owner == owner);
            let group = group.ok_or_else(|| absent(&id))?;
            if let Some(name) = name.filter(|name| **name != *group.name) {
                return Err(FaultCode::InvalidParameterCombination.with(format!(
                    "The security group {id} is not named '{name}': give GroupId or GroupName"
                )));
            }
            group
        }
        (None, Some(name)) => {
            let vpc = defaults::vpc(view.world, &owner).ok_or_else(|| absent(&name))?.id;
            let id = view.world.index.group_by_name.get(&(vpc, name.into()));
            id.and_then(|id| view.world.groups.get(id)).ok_or_else(|| absent(&name))?
        }
        (None, None) => {
            return Err(FaultCode::MissingParameter
                .with("The request must contain the parameter GroupId or GroupName for each source group"));
        }
    };
    if pair.vpc_id.is_some_and(|vpc| vpc != group.vpc) {
        return Err(absent(&group.id));
    }
    if !view.world.may_name(of.id, group.id) {
        return Err(apart());
    }
    match pair.vpc_peering_connection_id {
        Some(id) if view.world.peer_over(id, of.vpc) != Some(group.vpc) => {
            Err(FaultCode::InvalidVpcPeeringConnectionIDNotFound
                .with(format!("The vpcPeeringConnection ID '{id}' does not exist")))
        }
        _ => Ok(group.clone()),
    }
}

/// A group that rules of another one cannot name.
pub fn apart() -> Fault {
    FaultCode::InvalidGroupNotFound
        .with("You have specified two resources that belong to different networks.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::Bench;

    fn pair(id: Option<GroupId>, name: Option<&str>, account: Option<&str>) -> input::UserIdGroupPair {
        input::UserIdGroupPair {
            group_id: id,
            group_name: name.map(Into::into),
            user_id: account.map(|account| account.parse().unwrap()),
            ..input::UserIdGroupPair::default()
        }
    }

    fn all(permission: input::IpPermission) -> Vec<input::IpPermission> {
        vec![input::IpPermission { ip_protocol: Some("-1".into()), ..permission }]
    }

    #[test]
    fn a_source_is_a_group_by_id_or_name_of_the_account_that_is_named() {
        let mut bench = Bench::small();
        let own = bench.world.groups.values().next().unwrap().clone();
        let other = Owner { account: "444455556666".parse().unwrap(), ..bench.caller.owner.clone() };
        bench.decide(|decision| defaults::ensure(decision, &other));
        let theirs = bench.world.groups.values().find(|group| group.owner == other).unwrap().id;
        let source = |pair: input::UserIdGroupPair| {
            let list = all(input::IpPermission { groups: vec![pair], ..input::IpPermission::default() });
            let wanted = permissions(&bench.view(), &own, &list).map_err(|fault| fault.code)?;
            let RuleTarget::Group { group, account } = wanted[0].target else { panic!("{wanted:?}") };
            Ok((group, account))
        };
        let (us, them) = (own.owner.account, other.account);
        assert_eq!(source(pair(Some(own.id), None, None)), Ok((own.id, us)));
        assert_eq!(source(pair(None, Some("default"), None)), Ok((own.id, us)));
        assert_eq!(source(pair(Some(own.id), Some("default"), Some("111122223333"))), Ok((own.id, us)));
        assert_eq!(source(pair(None, Some("default"), Some("444455556666"))), Ok((theirs, them)));
        assert_eq!(source(pair(Some(theirs), None, Some("4444-5555-6666"))), Ok((theirs, them)));
        let absent = Err(FaultCode::InvalidGroupNotFound);
        assert_eq!(source(pair(Some(theirs), None, None)), absent, "not without its account");
        assert_eq!(source(pair(Some(own.id), None, Some("444455556666"))), absent);
        assert_eq!(source(pair(None, Some("none"), None)), absent);
        let elsewhere = VpcId::from_random(99);
        let in_vpc = input::UserIdGroupPair { vpc_id: Some(elsewhere), ..pair(Some(own.id), None, None) };
        assert_eq!(source(in_vpc), absent);
        assert_eq!(source(pair(None, None, Some("111122223333"))), Err(FaultCode::MissingParameter));
        assert_eq!(
            source(pair(Some(own.id), Some("web"), None)),
            Err(FaultCode::InvalidParameterCombination)
        );
    }

    #[test]
    fn ipv6_and_descriptions_are_read_like_the_rest() {
        let bench = Bench::small();
        let own = bench.world.groups.values().next().unwrap();
        let read = |cidr: &str, description: &str| {
            let range =
                input::Ipv6Range { cidr_ipv6: Some(cidr.into()), description: Some(description.into()) };
            let list =
                all(input::IpPermission { ipv6_ranges: vec![range], ..input::IpPermission::default() });
            permissions(&bench.view(), own, &list)
                .map(|wanted| wanted[0].to_string())
                .map_err(|fault| fault.code)
        };
        assert_eq!(read("2001:DB8::1/32", "office"), Ok("peer: 2001:db8::/32, ALL, ALLOW".into()));
        for (cidr, description) in [
            ("0.0.0.0/0", ""),
            ("::", ""),
            ("::/129", ""),
            ("2001:db8::/32", "<script>"),
            ("2001:db8::/32", &"x".repeat(256)),
        ] {
            assert_eq!(
                read(cidr, description),
                Err(FaultCode::InvalidParameterValue),
                "{cidr} {description}"
            );
        }
    }
}
