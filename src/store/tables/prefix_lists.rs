//! Managed prefix lists and their versions.

use super::prelude::*;

table! { PrefixList, "prefix_lists", 1;
    |row| {
        id: text(row.id),
        account: text(row.owner.account),
        region: text(&row.owner.region),
        name: text(&row.name),
        is_ipv6: bool(row.is_ipv6),
        max_entries: int(row.max_entries.into()),
        version: count(row.version),
        state: text(match row.state {
            PrefixListState::Created => "created",
            PrefixListState::Modified => "modified",
            PrefixListState::Restored => "restored",
        }),
        created: int(row.created.0),
    };
    |row| PrefixList {
        id: row.get("id")?,
        owner: row.owner()?,
        name: row.str("name")?,
        is_ipv6: row.bool("is_ipv6")?,
        max_entries: row.number("max_entries")?,
        version: row.number("version")?,
        state: match row.get::<String>("state")?.as_str() {
            "created" => PrefixListState::Created,
            "modified" => PrefixListState::Modified,
            "restored" => PrefixListState::Restored,
            other => return Err(row.bad("state", other)),
        },
        created: row.micros("created")?,
    }
}

table! { PrefixListVersion, "prefix_list_versions", 2;
    |row| {
        list: text(row.list),
        number: count(row.number),
        entries: text(entries(&row.entries)),
    };
    |row| PrefixListVersion {
        list: row.get("list")?,
        number: row.number("number")?,
        entries: read_entries(row)?,
    }
}

type Pairs<'a> = Vec<(String, Option<std::borrow::Cow<'a, str>>)>;

fn entries(entries: &[PrefixListEntry]) -> String {
    let pair = |entry: &'_ PrefixListEntry| {
        (entry.block.to_string(), entry.description.as_ref().map(|text| text.to_string()))
    };
    serde_json::to_string(&entries.iter().map(pair).collect::<Vec<_>>()).unwrap_or_default()
}

/// A block that does not parse is an error: it could only widen or vanish.
fn read_entries(row: &Reader<'_>) -> Result<std::sync::Arc<[PrefixListEntry]>, ReadError> {
    let text = row.get::<String>("entries")?;
    let pairs: Pairs = serde_json::from_str(&text).map_err(|error| row.bad("entries", error))?;
    let entry = |(block, description): (String, Option<std::borrow::Cow<'_, str>>)| {
        let block = block.parse().map_err(|_| row.bad("entries", format!("{block:?} is no block")))?;
        Ok(PrefixListEntry { block, description: description.map(|text| text.as_ref().into()) })
    };
    pairs.into_iter().map(entry).collect()
}
