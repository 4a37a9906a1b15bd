//! What the operator makes: accounts, keys, pools, networks, hosts, images.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::prelude::*;

table! { Account, "accounts", 1;
    |row| { id: text(row.id), name: text(&row.name), created: int(row.created.0) };
    |row| Account { id: row.get("id")?, name: row.str("name")?, created: row.micros("created")? }
}

table! { AccessKey, "access_keys", 1;
    |row| {
        id: text(&row.id),
        account: text(row.account),
        sealed_secret: text(STANDARD.encode(&row.sealed_secret)),
        created: int(row.created.0),
    };
    |row| AccessKey {
        id: row.str("id")?,
        account: row.get("account")?,
        sealed_secret: STANDARD
            .decode(row.get::<String>("sealed_secret")?)
            .map_err(|error| row.bad("sealed_secret", error))?
            .into(),
        created: row.micros("created")?,
    }
}

table! { Pool, "pools", 1;
    |row| {
        id: text(row.id),
        name: text(&row.name),
        first: text(row.range.first()),
        last: text(row.range.last()),
        next: text_or_null(row.next),
        created: int(row.created.0),
    };
    |row| Pool {
        id: row.get("id")?,
        name: row.str("name")?,
        range: row.range()?,
        next: row.maybe("next")?,
        created: row.micros("created")?,
    }
}

table! { Network, "networks", 1;
    |row| {
        name: text(&row.name),
        cidr: text(row.cidr),
        gateway: text(row.gateway),
        first: text(row.range.first()),
        last: text(row.range.last()),
        reserved: text(spaced(&row.reserved)),
        zone: text(&row.zone),
        domain: text(&row.domain),
        next: text_or_null(row.next),
        gateway_host: text_or_null(row.gateway_host.as_ref()),
        vpc: text_or_null(row.vpc),
        created: int(row.created.0),
    };
    |row| Network {
        name: row.str("name")?,
        vpc: row.maybe("vpc")?,
        cidr: row.get("cidr")?,
        gateway: row.get("gateway")?,
        range: row.range()?,
        reserved: words(row, "reserved")?,
        zone: row.str("zone")?,
        domain: row.str("domain")?,
        next: row.maybe("next")?,
        gateway_host: row.maybe_str("gateway_host")?,
        created: row.micros("created")?,
    }
}

/// Values with blanks between.
pub(super) fn spaced<T: std::fmt::Display>(values: &[T]) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(" ")
}

/// A column of values with blanks between.
pub(super) fn words<T>(row: &Reader<'_>, column: &'static str) -> Result<Arc<[T]>, ReadError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text: String = row.get(column)?;
    if text.is_empty() {
        // All of these are one.
        return Ok(Arc::default());
    }
    let parse = |word: &str| word.parse().map_err(|error| row.bad(column, error));
    text.split_whitespace().map(parse).collect()
}

table! { Host, "hosts", 1;
    |row| {
        name: text(&row.name),
        zone: text(&row.zone),
        number: int(row.number.into()),
        condition: text(condition_word(row.condition)),
        flat_mac: text_or_null(row.flat_mac),
        flat_mtu: Cell::Int(row.flat_mtu.map(i64::from)),
        join_digest: text_or_null(row.join.map(|join| join.digest)),
        join_expires: Cell::Int(row.join.map(|join| join.expires.0)),
        sealed_secret: text_or_null(row.sealed_secret.as_ref().map(|secret| STANDARD.encode(secret))),
        created: int(row.created.0),
    };
    |row| Host {
        name: row.str("name")?,
        zone: row.str("zone")?,
        number: row.number("number")?,
        condition: condition(row)?,
        flat_mac: row.maybe("flat_mac")?,
        flat_mtu: match row.maybe_int("flat_mtu")? {
            Some(_) => Some(row.number("flat_mtu")?),
            None => None,
        },
        join: match row.maybe("join_digest")? {
            Some(digest) => Some(Join { digest, expires: row.micros("join_expires")? }),
            None => None,
        },
        sealed_secret: match row.maybe::<String>("sealed_secret")? {
            Some(text) => Some(bytes(row, "sealed_secret", &text)?),
            None => None,
        },
        created: row.micros("created")?,
    }
}

const fn condition_word(condition: Condition) -> &'static str {
    match condition {
        Condition::Active => "active",
        Condition::Drained => "drained",
        Condition::Failed => "failed",
    }
}

fn condition(row: &Reader<'_>) -> Result<Condition, ReadError> {
    match row.get::<String>("condition")?.as_str() {
        "active" => Ok(Condition::Active),
        "drained" => Ok(Condition::Drained),
        "failed" => Ok(Condition::Failed),
        other => Err(row.bad("condition", other)),
    }
}

fn bytes(row: &Reader<'_>, column: &'static str, text: &str) -> Result<Arc<[u8]>, ReadError> {
    STANDARD.decode(text).map(Into::into).map_err(|error| row.bad(column, error))
}

table! { Deployment, "deployment", 1;
    |row| {
        one: text("deployment"),
        certificate: text(&row.certificate),
        sealed_key: text(STANDARD.encode(&row.sealed_key)),
        address_lease: int(row.address_lease.into()),
        lease_since: count(row.lease_since),
    };
    |row| Deployment {
        certificate: row.str("certificate")?,
        sealed_key: bytes(row, "sealed_key", &row.get::<String>("sealed_key")?)?,
        address_lease: row.number("address_lease")?,
        lease_since: row.number("lease_since")?,
    }
}

table! { Image, "images", 1;
    |row| {
        id: text(row.id),
        account: text_or_null(row.owner.as_ref().map(|owner| owner.account)),
        region: text_or_null(row.owner.as_ref().map(|owner| &owner.region)),
        name: text(&row.name),
        description: text(&row.description),
        location: text(&row.location),
        architecture: text(&row.architecture),
        created: int(row.created.0),
    };
    |row| Image {
        id: row.get("id")?,
        owner: match row.maybe_str("account")? {
            Some(_) => Some(row.owner()?),
            None => None,
        },
        name: row.str("name")?,
        description: row.str("description")?,
        location: row.str("location")?,
        architecture: row.str("architecture")?,
        created: row.micros("created")?,
    }
}
