//! Reachability Analyzer's paths and analyses.

use super::prelude::*;

table! { InsightsPath, "insights_paths", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        source: text(row.source),
        destination: text_or_null(row.destination),
        source_ip: text_or_null(row.source_ip),
        destination_ip: text_or_null(row.destination_ip),
        protocol: text(if row.udp { "udp" } else { "tcp" }),
        destination_port: Cell::Int(row.destination_port.map(i64::from)),
        created: int(row.created.0),
    };
    |row| InsightsPath {
        id: row.get("id")?,
        owner: row.owner()?,
        source: row.get("source")?,
        destination: row.maybe("destination")?,
        source_ip: row.maybe("source_ip")?,
        destination_ip: row.maybe("destination_ip")?,
        udp: match row.get::<String>("protocol")?.as_str() {
            "udp" => true,
            "tcp" => false,
            other => return Err(row.bad("protocol", other)),
        },
        destination_port: match row.maybe_int("destination_port")? {
            Some(_) => Some(row.number("destination_port")?),
            None => None,
        },
        created: row.micros("created")?,
    }
}

table! { InsightsAnalysis, "insights_analyses", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        path: text(row.path),
        found: bool(row.found),
        finding: text(&row.finding),
        started: int(row.started.0),
    };
    |row| InsightsAnalysis {
        id: row.get("id")?,
        owner: row.owner()?,
        path: row.get("path")?,
        found: row.bool("found")?,
        finding: row.str("finding")?,
        started: row.micros("started")?,
    }
}
