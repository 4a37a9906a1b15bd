//! Key pairs, addresses and their transfers, tags, freed addresses, client tokens.

use super::prelude::*;
use crate::types::{Digest, Micros, PoolId};

table! { KeyPair, "key_pairs", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        name: text(&row.name),
        kind: text(match row.kind { KeyType::Rsa => "rsa", KeyType::Ed25519 => "ed25519" }),
        fingerprint: text(&row.fingerprint),
        public_key: text(&row.public_key),
        created: int(row.created.0),
    };
    |row| KeyPair {
        id: row.get("id")?,
        owner: row.owner()?,
        name: row.str("name")?,
        kind: match row.get::<String>("kind")?.as_str() {
            "rsa" => KeyType::Rsa,
            "ed25519" => KeyType::Ed25519,
            other => return Err(row.bad("kind", other)),
        },
        fingerprint: row.str("fingerprint")?,
        public_key: row.str("public_key")?,
        created: row.micros("created")?,
    }
}

table! { Address, "addresses", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        public_ip: text(row.public_ip),
        pool: text(row.pool),
        association: text_or_null(row.association.map(|at| at.id)),
        eni: text_or_null(row.association.map(|at| at.eni)),
        private_ip: text_or_null(row.association.map(|at| at.private_ip)),
        transit: Cell::Int(row.transit.map(i64::from)),
        domain_name: text_or_null(row.domain_name.as_ref()),
        automatic: bool(row.automatic),
        allocated: int(row.allocated.0),
    };
    |row| Address {
        id: row.get("id")?,
        owner: row.owner()?,
        public_ip: row.get("public_ip")?,
        pool: row.get("pool")?,
        association: match row.maybe("association")? {
            Some(id) => Some(Association { id, eni: row.get("eni")?, private_ip: row.get("private_ip")? }),
            None => None,
        },
        transit: match row.maybe_int("transit")? {
            Some(_) => Some(row.number("transit")?),
            None => None,
        },
        domain_name: row.maybe_str("domain_name")?,
        automatic: row.bool("automatic")?,
        allocated: row.micros("allocated")?,
    }
}

table! { AddressTransfer, "address_transfers", 3;
    |row| {
        account: text(row.owner.account),
        region: text(&row.owner.region),
        allocation: text(row.allocation),
        public_ip: text(row.public_ip),
        transfer_account: text(row.to),
        expires: int(row.expires.0),
        accepted: Cell::Int(row.accepted.map(|at| at.0)),
    };
    |row| AddressTransfer {
        owner: row.owner()?,
        allocation: row.get("allocation")?,
        public_ip: row.get("public_ip")?,
        to: row.get("transfer_account")?,
        expires: row.micros("expires")?,
        accepted: row.maybe_int("accepted")?.map(Micros),
    }
}

table! { Tag, "tags", 2;
    |row| {
        resource: text(row.resource),
        tag_key: text(&row.key),
        tag_value: text(&row.value),
        account: text(row.owner.account),
        region: text(&row.owner.region),
    };
    |row| Tag {
        owner: row.owner()?,
        resource: row.get("resource")?,
        key: row.str("tag_key")?,
        value: row.str("tag_value")?,
    }
}

/// A space in one word: `pool:ID` or `network:NAME`.
pub(in crate::store) fn space_word(space: &Space) -> String {
    match space {
        Space::Pool(id) => format!("pool:{id}"),
        Space::Network(name) => format!("network:{name}"),
    }
}

/// Reads what [`space_word`] wrote.
pub(in crate::store) fn parse_space(word: &str) -> Result<Space, String> {
    match word.split_once(':') {
        Some(("pool", id)) => id.parse::<PoolId>().map(Space::Pool).map_err(|error| error.to_string()),
        Some(("network", name)) => Ok(Space::Network(name.into())),
        _ => Err(format!("{word:?} is no space")),
    }
}

fn read_space(row: &Reader<'_>) -> Result<Space, ReadError> {
    let space = parse_space(&row.get::<String>("space")?).map_err(|error| row.bad("space", error))?;
    Ok(match space {
        Space::Network(name) => Space::Network(row.text(&name)),
        pool @ Space::Pool(_) => pool,
    })
}

table! { Freed, "freed", 2;
    |row| {
        space: text(space_word(&row.space)),
        address: text(row.address),
        freed: int(row.freed.0),
        freed_at: int(row.freed_at.cast_signed()),
    };
    |row| Freed {
        space: read_space(row)?,
        address: row.get("address")?,
        freed: row.micros("freed")?,
        freed_at: row.number("freed_at")?,
    }
}

table! { Claim, "claims", 2;
    |row| {
        space: text(space_word(&row.space)),
        address: text(row.address),
        host: text(&row.host),
        leaving: Cell::Int(row.leaving.map(u64::cast_signed)),
    };
    |row| Claim {
        space: read_space(row)?,
        address: row.get("address")?,
        host: row.str("host")?,
        leaving: row.maybe_int("leaving")?.map(i64::cast_unsigned),
    }
}

table! { Token, "tokens", 4;
    |row| {
        account: text(row.key.0.account),
        region: text(&row.key.0.region),
        action: text(&row.key.1),
        token: text(&row.key.2),
        parameters: text(row.parameters),
        made: text(&row.made),
        created: int(row.created.0),
    };
    |row| Token {
        key: (row.owner()?, row.str("action")?, row.str("token")?),
        parameters: row.get::<Digest>("parameters")?,
        made: row.str("made")?,
        created: row.micros("created")?,
    }
}
