//! VPC peering connections.

use super::prelude::*;
use crate::types::{Micros, Owner, Region};

table! { Peering, "vpc_peering_connections", 1;
    |row| {
        id: text(row.id),
        account: text(row.requester.owner.account),
        region: text(&row.requester.owner.region),
        vpc: text(row.requester.vpc),
        resolves: bool(row.requester.resolves),
        peer_account: text(row.accepter.owner.account),
        peer_region: text(&row.accepter.owner.region),
        peer_vpc: text(row.accepter.vpc),
        peer_resolves: bool(row.accepter.resolves),
        state: text(row.state.name()),
        created: int(row.created.0),
        expires: int(row.expires.0),
        ended: Cell::Int(row.ended.map(|at| at.0)),
        ended_by: text_or_null(row.ended_by),
    };
    |row| Peering {
        id: row.get("id")?,
        requester: PeeringEnd { vpc: row.get("vpc")?, owner: row.owner()?, resolves: row.bool("resolves")? },
        accepter: PeeringEnd {
            vpc: row.get("peer_vpc")?,
            owner: Owner { account: row.get("peer_account")?, region: Region(row.str("peer_region")?) },
            resolves: row.bool("peer_resolves")?,
        },
        state: {
            let word: String = row.get("state")?;
            let known = PeeringState::parse(&word);
            known.ok_or_else(|| row.bad("state", format!("{word:?} is no state of a peering connection")))?
        },
        created: row.micros("created")?,
        expires: row.micros("expires")?,
        ended: row.maybe_int("ended")?.map(Micros),
        ended_by: row.maybe("ended_by")?,
    }
}
