//! The operator's IPv6 prefixes, and what VPCs have of IPv6 beside their blocks.

use super::prelude::*;

table! { Ipv6Pool, "ipv6_pools", 1;
    |row| {
        cidr: text(row.cidr),
        next: text_or_null(row.next),
        created: int(row.created.0),
    };
    |row| Ipv6Pool {
        cidr: row.get("cidr")?,
        next: row.maybe("next")?,
        created: row.micros("created")?,
    }
}

table! { EgressGateway, "egress_only_internet_gateways", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        vpc: text(row.vpc),
        created: int(row.created.0),
    };
    |row| EgressGateway {
        id: row.get("id")?,
        owner: row.owner()?,
        vpc: row.get("vpc")?,
        created: row.micros("created")?,
    }
}

table! { Ipv6Route, "ipv6_routes", 2;
    |row| {
        route_table: text(row.table),
        destination: text(row.destination),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        next_hop: text(row.to),
        created: int(row.created.0),
    };
    |row| Ipv6Route {
        table: row.get("route_table")?,
        owner: row.owner()?,
        destination: row.get("destination")?,
        to: row.get("next_hop")?,
        created: row.micros("created")?,
    }
}

table! { FreedIpv6, "freed_ipv6", 1;
    |row| {
        cidr: text(row.cidr),
        freed: int(row.freed.0),
        freed_at: int(row.freed_at.cast_signed()),
    };
    |row| FreedIpv6 {
        cidr: row.get("cidr")?,
        freed: row.micros("freed")?,
        freed_at: row.number("freed_at")?,
    }
}
