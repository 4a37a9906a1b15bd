//! What Describe actions tell: everything of an account, and what filters, ids and pages leave of it.

use super::call::{COMBINATION, Call, Code, Faults, VALUE};
use super::tree::{Tree, leaf, list, node};
use super::world::World;
use super::{addresses, gateways, groups, insights, keys, rules, shapes, tagging, transfers};

/// A Describe action.
pub struct Kind {
    pub action: &'static str,
    /// The list in its answer.
    pub list: &'static str,
    /// The element with the id, and the parameter that takes ids.
    pub id: (&'static str, &'static str),
    pub absent: Code,
    /// The least and most of a page; `None` without pages.
    pub pages: Option<(i64, i64)>,
    /// Filters and where in an item they look.
    pub filters: &'static [(&'static str, &'static str)],
}

#[rustfmt::skip]
pub const KINDS: &[Kind] = &[
    Kind {
        action: "DescribeAddresses", list: "addressesSet", id: ("allocationId", "AllocationId"),
        absent: "InvalidAllocationID.NotFound", pages: None,
        filters: &[
            ("allocation-id", "allocationId"), ("association-id", "associationId"), ("domain", "domain"),
            ("instance-id", "instanceId"), ("network-interface-id", "networkInterfaceId"),
            ("private-ip-address", "privateIpAddress"), ("public-ip", "publicIp"),
        ],
    },
    Kind {
        action: "DescribeAddressesAttribute", list: "addressSet", id: ("allocationId", ""), absent: "",
        pages: Some((1, 1000)), filters: &[],
    },
    Kind {
        action: "DescribeAddressTransfers", list: "addressTransferSet", id: ("allocationId", ""), absent: "",
        pages: Some((5, 1000)), filters: &[],
    },
    Kind {
        action: "DescribeSecurityGroups", list: "securityGroupInfo", id: ("groupId", "GroupId"),
        absent: "InvalidGroup.NotFound", pages: Some((5, 1000)),
        filters: &[
            ("description", "groupDescription"), ("group-id", "groupId"), ("group-name", "groupName"),
            ("ip-permission.cidr", "ipPermissions/ipRanges/cidrIp"),
            ("ip-permission.from-port", "ipPermissions/fromPort"),
            ("ip-permission.group-id", "ipPermissions/groups/groupId"),
            ("ip-permission.protocol", "ipPermissions/ipProtocol"),
            ("ip-permission.to-port", "ipPermissions/toPort"),
            ("ip-permission.ipv6-cidr", "ipPermissions/ipv6Ranges/cidrIpv6"),
            ("egress.ip-permission.cidr", "ipPermissionsEgress/ipRanges/cidrIp"),
            ("egress.ip-permission.protocol", "ipPermissionsEgress/ipProtocol"),
            ("egress.ip-permission.user-id", "ipPermissionsEgress/groups/userId"),
            ("owner-id", "ownerId"), ("vpc-id", "vpcId"),
        ],
    },
    Kind {
        action: "DescribeSecurityGroupRules", list: "securityGroupRuleSet",
        id: ("securityGroupRuleId", "SecurityGroupRuleId"),
        absent: "InvalidSecurityGroupRuleId.NotFound", pages: Some((5, 1000)),
        filters: &[("group-id", "groupId"), ("security-group-rule-id", "securityGroupRuleId")],
    },
    Kind {
        action: "DescribeInstances", list: "reservationSet", id: ("instanceId", "InstanceId"),
        absent: "InvalidInstanceID.NotFound", pages: Some((5, 1000)),
        filters: &[
            ("instance-id", "instanceId"), ("instance-state-name", "instanceState/name"),
            ("instance-state-code", "instanceState/code"), ("image-id", "imageId"), ("key-name", "keyName"),
            ("instance-type", "instanceType"), ("private-ip-address", "privateIpAddress"),
            ("ip-address", "ipAddress"), ("instance.group-id", "groupSet/groupId"),
            ("instance.group-name", "groupSet/groupName"), ("launch-index", "amiLaunchIndex"),
            ("network-interface.network-interface-id", "networkInterfaceSet/networkInterfaceId"),
            ("network-interface.status", "networkInterfaceSet/status"),
            ("network-interface.association.public-ip", "networkInterfaceSet/association/publicIp"),
            ("state-reason-code", "stateReason/code"), ("subnet-id", "subnetId"), ("vpc-id", "vpcId"),
            ("metadata-options.http-tokens", "metadataOptions/httpTokens"),
        ],
    },
    Kind {
        action: "DescribeNetworkInterfaces", list: "networkInterfaceSet",
        id: ("networkInterfaceId", "NetworkInterfaceId"),
        absent: "InvalidNetworkInterfaceID.NotFound", pages: Some((5, 1000)),
        filters: &[
            ("network-interface-id", "networkInterfaceId"), ("group-id", "groupSet/groupId"),
            ("attachment.instance-id", "attachment/instanceId"), ("status", "status"),
            ("attachment.delete-on-termination", "attachment/deleteOnTermination"),
            ("association.public-ip", "association/publicIp"),
            ("association.allocation-id", "association/allocationId"), ("mac-address", "macAddress"),
            ("addresses.private-ip-address", "privateIpAddress"), ("description", "description"),
        ],
    },
    Kind {
        action: "DescribeInternetGateways", list: "internetGatewaySet",
        id: ("internetGatewayId", "InternetGatewayId"), absent: "InvalidInternetGatewayID.NotFound",
        pages: Some((5, 1000)),
        filters: &[
            ("internet-gateway-id", "internetGatewayId"), ("attachment.vpc-id", "attachmentSet/vpcId"),
            ("attachment.state", "attachmentSet/state"), ("owner-id", "ownerId"),
        ],
    },
    Kind {
        action: "DescribeDhcpOptions", list: "dhcpOptionsSet", id: ("dhcpOptionsId", "DhcpOptionsId"),
        absent: "InvalidDhcpOptionID.NotFound", pages: Some((5, 1000)),
        filters: &[
            ("dhcp-options-id", "dhcpOptionsId"), ("key", "dhcpConfigurationSet/key"),
            ("value", "dhcpConfigurationSet/valueSet/value"), ("owner-id", "ownerId"),
        ],
    },
    Kind {
        action: "DescribeKeyPairs", list: "keySet", id: ("keyPairId", "KeyPairId"),
        absent: "InvalidKeyPair.NotFound", pages: None,
        filters: &[("key-name", "keyName"), ("key-pair-id", "keyPairId")],
    },
    Kind {
        action: "DescribeTags", list: "tagSet", id: ("resourceId", ""), absent: "", pages: Some((5, 1000)),
        filters: &[
            ("key", "key"), ("resource-id", "resourceId"), ("resource-type", "resourceType"), ("value", "value"),
        ],
    },
    Kind {
        action: "DescribeNetworkInsightsPaths", list: "networkInsightsPathSet",
        id: ("networkInsightsPathId", "NetworkInsightsPathId"),
        absent: "InvalidNetworkInsightsPathId.NotFound", pages: Some((1, 100)),
        filters: &[("source", "source"), ("destination", "destination"), ("protocol", "protocol")],
    },
    Kind {
        action: "DescribeNetworkInsightsAnalyses", list: "networkInsightsAnalysisSet",
        id: ("networkInsightsAnalysisId", "NetworkInsightsAnalysisId"),
        absent: "InvalidNetworkInsightsAnalysisId.NotFound", pages: Some((1, 100)),
        filters: &[("path-found", "networkPathFound"), ("status", "status")],
    },
];

impl Kind {
    /// Every row of an account, of instances without their reservations.
    pub fn rows(&self, world: &World, who: usize) -> Vec<Tree> {
        let rows: Vec<Vec<Tree>> = match self.action {
            "DescribeAddresses" => {
                let own = world.addresses.iter().filter(|row| row.who == who);
                own.map(|row| addresses::shape(world, row)).collect()
            }
            "DescribeAddressesAttribute" => {
                let own = world.addresses.iter().filter(|row| row.who == who && row.name.is_some());
                own.map(transfers::attribute).collect()
            }
            "DescribeAddressTransfers" => {
                let own = world.transfers.iter().filter(|row| row.who == who);
                own.map(|row| transfers::shape(world, row)).collect()
            }
            "DescribeSecurityGroups" => {
                let own = world.groups.iter().filter(|row| row.who == who);
                own.map(|row| groups::shape(world, row)).collect()
            }
            "DescribeSecurityGroupRules" => {
                let own = world.rules.iter().filter(|rule| owner(world, &rule.group) == Some(who));
                own.map(|row| rules::shape(world, row)).collect()
            }
            "DescribeInstances" => {
                let own = world.instances.iter().filter(|row| row.who == who);
                own.map(|row| shapes::instance(world, row)).collect()
            }
            "DescribeNetworkInterfaces" => {
                let own = world.interfaces.iter().filter(|row| row.who == who);
                own.map(|row| shapes::interface(world, row)).collect()
            }
            "DescribeInternetGateways" => {
                let own = world.gateways.iter().filter(|row| row.who == who);
                own.map(|row| gateways::gateway_shape(world, row)).collect()
            }
            "DescribeDhcpOptions" => {
                let own = world.dhcp_options.iter().filter(|row| row.who == who);
                own.map(|row| gateways::options_shape(world, row)).collect()
            }
            "DescribeKeyPairs" => {
                world.keys.iter().filter(|row| row.who == who).map(|row| keys::shape(world, row)).collect()
            }
            "DescribeTags" => world.tags.iter().filter(|row| row.who == who).map(tagging::shape).collect(),
            "DescribeNetworkInsightsPaths" => {
                let own = world.paths.iter().filter(|row| row.who == who);
                own.map(|row| insights::path_shape(world, row)).collect()
            }
            _ => {
                let own = world.analyses.iter().filter(|row| row.who == who);
                own.map(|row| insights::analysis_shape(world, row)).collect()
            }
        };
        rows.into_iter().map(|row| node("item", row)).collect()
    }

    /// The answer that has these rows.
    pub fn answer(&self, world: &World, rows: Vec<Tree>) -> Vec<Tree> {
        if self.action != "DescribeInstances" {
            return vec![node(self.list, rows)];
        }
        let reservation = |row: &Tree| {
            let one = world.instances.iter().find(|one| one.id == row.at("instanceId")).unwrap();
            (one.reservation.clone(), world.accounts[one.who].id.clone())
        };
        let mut ids: Vec<_> = rows.iter().map(&reservation).collect();
        ids.sort();
        ids.dedup();
        let item = |(id, owner): &(String, String)| {
            let of_it = rows.iter().filter(|row| reservation(row).0 == *id);
            vec![
                leaf("reservationId", id),
                leaf("ownerId", owner),
                list("groupSet", Vec::new()),
                node("instancesSet", of_it.cloned().collect()),
            ]
        };
        vec![list(self.list, ids.iter().map(item).collect())]
    }

    /// The rows that an answer has.
    pub fn told(&self, reply: &Tree) -> Vec<Tree> {
        let items = reply.items(self.list).into_iter();
        match self.action {
            "DescribeInstances" => items.flat_map(|one| one.items("instancesSet")).cloned().collect(),
            _ => items.cloned().collect(),
        }
    }

    /// What is left of the rows by a request's ids and filters.
    pub fn select(&self, world: &World, call: &Call) -> Result<Vec<Tree>, Faults> {
        let mut rows = self.rows(world, call.who);
        let mut faults = Faults::default();
        let ids = if self.id.1.is_empty() { Vec::new() } else { call.params.list(self.id.1) };
        for id in &ids {
            faults.add_if(!rows.iter().any(|row| row.at(self.id.0) == id), self.absent);
        }
        let limit = call.params.number("MaxResults");
        let (least, most) = self.pages.unwrap_or((1, 1000));
        faults.add_if(limit.is_some_and(|limit| limit < least || limit > most), VALUE);
        let both = self.action == "DescribeInstances" && limit.is_some() && !ids.is_empty();
        faults.add_if(both, COMBINATION);
        rows.retain(|row| ids.is_empty() || ids.iter().any(|id| row.at(self.id.0) == id));
        for filter in call.params.structures("Filter") {
            let (name, values) = (filter.one("Name").unwrap_or_default().to_owned(), filter.entries("Value"));
            faults.add_if(values.is_empty() || !self.knows(&name), VALUE);
            let matches = |row: &Tree| {
                let own = self.values(world, row, &name);
                own.iter().any(|own| values.iter().any(|pattern| like(pattern, own)))
            };
            rows.retain(matches);
        }
        faults.done().map(|()| rows)
    }

    fn knows(&self, name: &str) -> bool {
        let tags = (name.starts_with("tag:") && name.len() > 4)
            || (name == "tag-key" && self.action != "DescribeTags");
        tags || self.filters.iter().any(|(known, _)| *known == name)
    }

    /// What a row has to say to a filter.
    fn values(&self, world: &World, row: &Tree, name: &str) -> Vec<String> {
        if let Some((_, path)) = self.filters.iter().find(|(known, _)| *known == name) {
            return row.all(path);
        }
        let tags = match self.action {
            "DescribeTags" => vec![(row.at("key").to_owned(), row.at("value").to_owned())],
            _ => world.tags_of(row.at(self.id.0)),
        };
        match name.strip_prefix("tag:") {
            Some(key) => tags.into_iter().filter(|(own, _)| own == key).map(|(_, value)| value).collect(),
            None => tags.into_iter().map(|(key, _)| key).collect(),
        }
    }
}

fn owner(world: &World, group: &str) -> Option<usize> {
    world.groups.iter().find(|one| one.id == group).map(|one| one.who)
}

/// "* matches zero or more characters, ? matches zero or one" — one, in fact; `\` takes the next one as it is.
fn like(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return text.is_empty() };
    let rest = &pattern[first.len_utf8()..];
    let begins = |wanted: char, rest: &str| text.strip_prefix(wanted).is_some_and(|text| like(rest, text));
    match (first, rest.chars().next()) {
        ('*', _) => {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| like(rest, &text[at..]))
        }
        ('?', _) => text.chars().next().is_some_and(|one| like(rest, &text[one.len_utf8()..])),
        ('\\', Some(next)) => begins(next, &rest[next.len_utf8()..]),
        (one, _) => begins(one, rest),
    }
}
