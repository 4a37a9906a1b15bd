//! Rules merged into permissions: one for each protocol and port range, as EC2 answers them.

use std::collections::BTreeMap;

use crate::control::peerings;
use crate::query::api::output;
use crate::types::*;
use crate::world::World;

/// Permissions by traffic, their ranges and groups sorted: the same rules give the same answer.
pub fn permissions<'a>(
    world: &World,
    of: GroupId,
    rules: impl IntoIterator<Item = (Traffic, &'a RuleTarget, Option<&'a str>)>,
) -> Vec<output::IpPermission> {
    let mut by_traffic: BTreeMap<Traffic, Vec<(&RuleTarget, Option<&str>)>> = BTreeMap::new();
    for (traffic, target, description) in rules {
        by_traffic.entry(traffic).or_default().push((target, description));
    }
    by_traffic.into_iter().map(|(traffic, targets)| permission(world, of, traffic, targets)).collect()
}

fn permission(
    world: &World,
    of: GroupId,
    traffic: Traffic,
    mut targets: Vec<(&RuleTarget, Option<&str>)>,
) -> output::IpPermission {
    targets.sort_unstable();
    let ports = traffic.ports();
    let mut permission = output::IpPermission {
        ip_protocol: traffic.protocol().to_string(),
        from_port: ports.map(|(from, _)| from),
        to_port: ports.map(|(_, to)| to),
        ..output::IpPermission::default()
    };
    for (target, description) in targets {
        let description = description.map(str::to_owned);
        match target {
            RuleTarget::Cidr4(cidr) => {
                permission.ip_ranges.push(output::IpRange { description, cidr_ip: cidr.to_string() });
            }
            RuleTarget::Cidr6(cidr) => {
                permission.ipv6_ranges.push(output::Ipv6Range { description, cidr_ipv6: cidr.to_string() });
            }
            RuleTarget::Group { group, account } => {
                permission.groups.push(pair(world, of, (*group, *account), description));
            }
            RuleTarget::PrefixList(list) => permission
                .prefix_list_ids
                .push(output::PrefixListSource { description, prefix_list_id: *list }),
        }
    }
    permission
}

/// A group that a rule of another one names.
pub fn pair(
    world: &World,
    of: GroupId,
    (group_id, user_id): (GroupId, AccountId),
    description: Option<String>,
) -> output::UserIdGroupPair {
    let over = peerings::over(world, of, group_id);
    output::UserIdGroupPair {
        description,
        user_id,
        group_id,
        vpc_id: over.and_then(|over| over.vpc),
        vpc_peering_connection_id: over.and_then(|over| over.peering),
        peering_status: over.map(|over| over.status.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cidr(text: &str) -> RuleTarget {
        RuleTarget::Cidr4(text.parse().unwrap())
    }

    #[test]
    fn rules_of_one_range_are_one_permission_and_others_are_not() {
        let tcp = |from, to| Traffic::Tcp(PortRange::new(from, to).unwrap());
        let (here, there) = (cidr("192.0.2.0/24"), cidr("198.51.100.0/24"));
        let v6 = RuleTarget::Cidr6("2001:db8::/32".parse().unwrap());
        let group =
            RuleTarget::Group { group: GroupId::from_random(1), account: "111122223333".parse().unwrap() };
        let merged = permissions(
            &World::default(),
            GroupId::from_random(2),
            [
                (tcp(80, 80), &there, Some("office")),
                (tcp(80, 81), &here, None),
                (tcp(80, 80), &here, None),
                (tcp(80, 80), &v6, None),
                (tcp(80, 80), &group, None),
                (Traffic::All, &here, None),
            ],
        );
        assert_eq!(merged.len(), 3);
        let all = &merged[0];
        assert_eq!((all.ip_protocol.as_str(), all.from_port, all.to_port), ("-1", None, None));
        let http = &merged[1];
        assert_eq!((http.from_port, http.to_port), (Some(80), Some(80)));
        let ranges: Vec<_> = http
            .ip_ranges
            .iter()
            .map(|range| (range.cidr_ip.as_str(), range.description.as_deref()))
            .collect();
        assert_eq!(ranges, [("192.0.2.0/24", None), ("198.51.100.0/24", Some("office"))]);
        assert_eq!((http.ipv6_ranges.len(), http.groups.len()), (1, 1));
    }

    proptest! {
        #[test]
        fn the_order_of_rules_does_not_show_and_none_is_lost(
            rules in prop::collection::btree_set((0u16..4, 0u8..8), 0..20),
        ) {
            let rows: Vec<_> = rules
                .iter()
                .map(|(port, net)| {
                    (Traffic::Udp(PortRange::new(*port, 9).unwrap()), cidr(&format!("10.{net}.0.0/16")))
                })
                .collect();
            let forth = permissions(&World::default(), GroupId::from_random(2), rows.iter().map(|(traffic, target)| (*traffic, target, None)));
            let back = permissions(&World::default(), GroupId::from_random(2), rows.iter().rev().map(|(traffic, target)| (*traffic, target, None)));
            prop_assert_eq!(&forth, &back);
            prop_assert_eq!(forth.iter().map(|one| one.ip_ranges.len()).sum::<usize>(), rows.len());
        }
    }
}
