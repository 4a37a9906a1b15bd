//! Rules merged into permissions: one for each protocol and port range, as EC2 answers them.

use std::collections::BTreeMap;

use crate::query::api::output;
use crate::types::*;

/// Permissions by traffic, their ranges and groups sorted: the same rules give the same answer.
pub fn permissions<'a>(
    rules: impl IntoIterator<Item = (Traffic, &'a RuleTarget, Option<&'a str>)>,
) -> Vec<output::IpPermission> {
    let mut by_traffic: BTreeMap<Traffic, Vec<(&RuleTarget, Option<&str>)>> = BTreeMap::new();
    for (traffic, target, description) in rules {
        by_traffic.entry(traffic).or_default().push((target, description));
    }
    by_traffic.into_iter().map(|(traffic, targets)| permission(traffic, targets)).collect()
}

fn permission(traffic: Traffic, mut targets: Vec<(&RuleTarget, Option<&str>)>) -> output::IpPermission {
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
            RuleTarget::Group { group, account } => permission.groups.push(output::UserIdGroupPair {
                description,
                user_id: *account,
                group_id: *group,
            }),
        }
    }
    permission
}
