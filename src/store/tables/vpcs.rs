//! VPCs and what belongs to them.

use super::operator::{spaced, words};
use super::prelude::*;
use crate::types::{Direction, Protocol, Traffic};

table! { Vpc, "vpcs", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        cidr: text(row.cidr),
        blocks: text(spaced(&row.blocks)),
        ipv6_blocks: text(spaced(&row.blocks6)),
        is_default: bool(row.is_default),
        dhcp_options: text(row.dhcp_options),
        dns_support: bool(row.dns_support),
        dns_hostnames: bool(row.dns_hostnames),
        vni: Cell::Int(row.vni.map(i64::from)),
        created: int(row.created.0),
    };
    |row| Vpc {
        id: row.get("id")?,
        owner: row.owner()?,
        cidr: row.get("cidr")?,
        blocks: words(row, "blocks")?,
        blocks6: words(row, "ipv6_blocks")?,
        is_default: row.bool("is_default")?,
        dhcp_options: row.get("dhcp_options")?,
        dns_support: row.bool("dns_support")?,
        dns_hostnames: row.bool("dns_hostnames")?,
        vni: match row.maybe_int("vni")? {
            Some(_) => Some(row.number("vni")?),
            None => None,
        },
        created: row.micros("created")?,
    }
}

table! { Subnet, "subnets", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        vpc: text(row.vpc),
        cidr: text(row.cidr),
        zone: text(&row.zone),
        network: text(&row.network),
        is_default: bool(row.is_default),
        map_public_ip: bool(row.map_public_ip),
        ipv6_block: text_or_null(row.block6),
        assign_ipv6: bool(row.assign_ipv6),
        created: int(row.created.0),
    };
    |row| Subnet {
        id: row.get("id")?,
        owner: row.owner()?,
        vpc: row.get("vpc")?,
        cidr: row.get("cidr")?,
        zone: row.str("zone")?,
        network: row.str("network")?,
        is_default: row.bool("is_default")?,
        map_public_ip: row.bool("map_public_ip")?,
        block6: row.maybe("ipv6_block")?,
        assign_ipv6: row.bool("assign_ipv6")?,
        created: row.micros("created")?,
    }
}

table! { DhcpOptions, "dhcp_options", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        domain_name: text_or_null(row.domain_name.as_ref()),
        name_servers: text(spaced(&row.name_servers)),
        ntp_servers: text(spaced(&row.ntp_servers)),
        netbios_name_servers: text(spaced(&row.netbios_name_servers)),
        netbios_node_type: Cell::Int(row.netbios_node_type.map(i64::from)),
        created: int(row.created.0),
    };
    |row| DhcpOptions {
        id: row.get("id")?,
        owner: row.owner()?,
        domain_name: row.maybe_str("domain_name")?,
        name_servers: words(row, "name_servers")?,
        ntp_servers: words(row, "ntp_servers")?,
        netbios_name_servers: words(row, "netbios_name_servers")?,
        netbios_node_type: match row.maybe_int("netbios_node_type")? {
            Some(_) => Some(row.number("netbios_node_type")?),
            None => None,
        },
        created: row.micros("created")?,
    }
}

table! { InternetGateway, "internet_gateways", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        vpc: text_or_null(row.vpc),
        created: int(row.created.0),
    };
    |row| InternetGateway {
        id: row.get("id")?,
        owner: row.owner()?,
        vpc: row.maybe("vpc")?,
        created: row.micros("created")?,
    }
}

table! { NatGateway, "nat_gateways", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        vpc: text(row.vpc),
        subnet: text(row.subnet),
        eni: text(row.eni),
        private_ip: text(row.private_ip),
        allocation: text_or_null(row.elastic.map(|elastic| elastic.allocation)),
        public_ip: text_or_null(row.elastic.map(|elastic| elastic.public_ip)),
        host: text_or_null(row.host.as_ref()),
        client_token: text_or_null(row.client_token.as_ref()),
        created: int(row.created.0),
        deleted: Cell::Int(row.deleted.map(|at| at.0)),
    };
    |row| NatGateway {
        id: row.get("id")?,
        owner: row.owner()?,
        vpc: row.get("vpc")?,
        subnet: row.get("subnet")?,
        eni: row.get("eni")?,
        private_ip: row.get("private_ip")?,
        elastic: match (row.maybe("allocation")?, row.maybe("public_ip")?) {
            (Some(allocation), Some(public_ip)) => Some(NatElastic { allocation, public_ip }),
            _ => None,
        },
        host: row.maybe_str("host")?,
        client_token: row.maybe_str("client_token")?,
        created: row.micros("created")?,
        deleted: row.maybe_int("deleted")?.map(crate::types::Micros),
    }
}

table! { RouteTable, "route_tables", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        vpc: text(row.vpc),
        number: int(row.number.into()),
        created: int(row.created.0),
    };
    |row| RouteTable {
        id: row.get("id")?,
        owner: row.owner()?,
        vpc: row.get("vpc")?,
        number: row.number("number")?,
        created: row.micros("created")?,
    }
}

table! { RouteTableAssociation, "route_table_associations", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        vpc: text(row.vpc),
        route_table: text(row.table),
        subnet: text_or_null(row.subnet),
    };
    |row| RouteTableAssociation {
        id: row.get("id")?,
        owner: row.owner()?,
        vpc: row.get("vpc")?,
        table: row.get("route_table")?,
        subnet: row.maybe("subnet")?,
    }
}

table! { SubnetCidrReservation, "subnet_cidr_reservations", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        subnet: text(row.subnet),
        cidr: text(row.cidr),
        is_prefix: bool(row.is_prefix),
        description: text_or_null(row.description.as_ref()),
        created: int(row.created.0),
    };
    |row| SubnetCidrReservation {
        id: row.get("id")?,
        owner: row.owner()?,
        subnet: row.get("subnet")?,
        cidr: row.get("cidr")?,
        is_prefix: row.bool("is_prefix")?,
        description: row.maybe_str("description")?,
        created: row.micros("created")?,
    }
}

table! { Route, "routes", 2;
    |row| {
        route_table: text(row.table),
        destination: text(row.destination),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        next_hop: text(next_hop(row.to)),
        created: int(row.created.0),
    };
    |row| Route {
        table: row.get("route_table")?,
        owner: row.owner()?,
        destination: row.get("destination")?,
        to: read_next_hop(row)?,
        created: row.micros("created")?,
    }
}

/// Ids tell by themselves of what kind they are.
fn next_hop(to: NextHop) -> String {
    match to {
        NextHop::InternetGateway(id) => id.to_string(),
        NextHop::NatGateway(id) => id.to_string(),
        NextHop::Peering(id) => id.to_string(),
        NextHop::Interface(id) => id.to_string(),
    }
}

fn read_next_hop(row: &Reader<'_>) -> Result<NextHop, ReadError> {
    let word: String = row.get("next_hop")?;
    let gateway = word.parse().map(NextHop::InternetGateway);
    let gateway = gateway.or_else(|_| word.parse().map(NextHop::NatGateway));
    let gateway = gateway.or_else(|_| word.parse().map(NextHop::Peering));
    gateway.or_else(|_| word.parse().map(NextHop::Interface)).map_err(|error| row.bad("next_hop", error))
}

table! { NetworkAcl, "network_acls", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        vpc: text(row.vpc),
        is_default: bool(row.is_default),
        created: int(row.created.0),
    };
    |row| NetworkAcl {
        id: row.get("id")?,
        owner: row.owner()?,
        vpc: row.get("vpc")?,
        is_default: row.bool("is_default")?,
        created: row.micros("created")?,
    }
}

/// A direction in one word.
pub(in crate::store) const fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    }
}

/// Reads what [`direction_word`] wrote.
pub(in crate::store) fn parse_direction(word: &str) -> Result<Direction, String> {
    match word {
        "ingress" => Ok(Direction::Ingress),
        "egress" => Ok(Direction::Egress),
        _ => Err(format!("{word:?} is no direction")),
    }
}

table! { AclEntry, "network_acl_entries", 3;
    |row| {
        network_acl: text(row.acl),
        direction: text(direction_word(row.direction)),
        number: int(row.number.into()),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        allow: bool(row.allow),
        protocol: text(row.traffic.protocol()),
        from_port: Cell::Int(row.traffic.ports().map(|(from, _)| from)),
        to_port: Cell::Int(row.traffic.ports().map(|(_, to)| to)),
        cidr: text(row.cidr),
        created: int(row.created.0),
    };
    |row| AclEntry {
        acl: row.get("network_acl")?,
        owner: row.owner()?,
        direction: parse_direction(&row.get::<String>("direction")?).map_err(|error| row.bad("direction", error))?,
        number: row.number("number")?,
        allow: row.bool("allow")?,
        traffic: {
            let protocol: Protocol = row.get("protocol")?;
            Traffic::parse(protocol, row.maybe_int("from_port")?, row.maybe_int("to_port")?)
                .map_err(|error| row.bad("from_port", error))?
        },
        cidr: row.get("cidr")?,
        created: row.micros("created")?,
    }
}

table! { AclAssociation, "network_acl_associations", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        network_acl: text(row.acl),
        subnet: text(row.subnet),
    };
    |row| AclAssociation {
        id: row.get("id")?,
        owner: row.owner()?,
        acl: row.get("network_acl")?,
        subnet: row.get("subnet")?,
    }
}
