//! Security groups and their rules.

use super::prelude::*;
use crate::types::{Direction, Protocol, RuleTarget, Traffic};

table! { Group, "security_groups", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        vpc: text(row.vpc),
        name: text(&row.name),
        description: text(&row.description),
        created: int(row.created.0),
    };
    |row| Group {
        id: row.get("id")?,
        owner: row.owner()?,
        vpc: row.get("vpc")?,
        name: row.str("name")?,
        description: row.str("description")?,
        created: row.micros("created")?,
    }
}

table! { Rule, "security_group_rules", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        security_group: text(row.group),
        is_egress: bool(row.direction == Direction::Egress),
        protocol: text(row.traffic.protocol()),
        from_port: Cell::Int(row.traffic.ports().map(|(from, _)| from)),
        to_port: Cell::Int(row.traffic.ports().map(|(_, to)| to)),
        cidr4: text_or_null(target(&row.target).0),
        cidr6: text_or_null(target(&row.target).1),
        peer_group: text_or_null(target(&row.target).2.map(|(group, _)| group)),
        peer_account: text_or_null(target(&row.target).2.map(|(_, account)| account)),
        prefix_list: text_or_null(match row.target { RuleTarget::PrefixList(list) => Some(list), _ => None }),
        description: text_or_null(row.description.as_ref()),
        created: int(row.created.0),
    };
    |row| Rule {
        id: row.get("id")?,
        owner: row.owner()?,
        group: row.get("security_group")?,
        direction: if row.bool("is_egress")? { Direction::Egress } else { Direction::Ingress },
        traffic: read_traffic(row)?,
        target: read_target(row)?,
        description: row.maybe_str("description")?,
        created: row.micros("created")?,
    }
}

type Target<'a> = (
    Option<&'a crate::types::Cidr4>,
    Option<&'a crate::types::Cidr6>,
    Option<(crate::types::GroupId, crate::types::AccountId)>,
);

const fn target(target: &RuleTarget) -> Target<'_> {
    match target {
        RuleTarget::Cidr4(cidr) => (Some(cidr), None, None),
        RuleTarget::Cidr6(cidr) => (None, Some(cidr), None),
        RuleTarget::Group { group, account } => (None, None, Some((*group, *account))),
        RuleTarget::PrefixList(_) => (None, None, None),
    }
}

fn read_traffic(row: &Reader<'_>) -> Result<Traffic, ReadError> {
    let protocol: Protocol = row.get("protocol")?;
    Traffic::parse(protocol, row.maybe_int("from_port")?, row.maybe_int("to_port")?)
        .map_err(|error| row.bad("from_port", error))
}

/// Exactly one target: a rule that lost its CIDR is an error, never "any".
fn read_target(row: &Reader<'_>) -> Result<RuleTarget, ReadError> {
    let list = row.maybe("prefix_list")?;
    match (row.maybe("cidr4")?, row.maybe("cidr6")?, row.maybe("peer_group")?, list) {
        (Some(cidr), None, None, None) => Ok(RuleTarget::Cidr4(cidr)),
        (None, Some(cidr), None, None) => Ok(RuleTarget::Cidr6(cidr)),
        (None, None, Some(group), None) => Ok(RuleTarget::Group { group, account: row.get("peer_account")? }),
        (None, None, None, Some(list)) => Ok(RuleTarget::PrefixList(list)),
        _ => Err(row.bad("cidr4", "a rule has exactly one of cidr4, cidr6, peer_group and prefix_list")),
    }
}
