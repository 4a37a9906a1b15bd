//! The entries of a prefix list, as requests write them and as versions keep them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::query::api::input;
use crate::query::{Fault, FaultCode};
use crate::types::Cidr;
use crate::world::{PrefixList, PrefixListEntry};

/// Entries by block: each has one description.
pub type Entries = BTreeMap<Cidr, Option<Arc<str>>>;

/// A block of the list's family.
///
/// # Errors
/// It is missing, is none, or is of the other family.
pub fn block(is_ipv6: bool, text: Option<&str>) -> Result<Cidr, Fault> {
    let text =
        text.ok_or_else(|| FaultCode::MissingParameter.with("The request must contain the parameter Cidr"))?;
    let family = |block: &Cidr| matches!(block, Cidr::V6(_)) == is_ipv6;
    text.parse().ok().filter(family).ok_or_else(|| {
        let family = if is_ipv6 { "IPv6" } else { "IPv4" };
        FaultCode::InvalidParameterValue
            .with(format!("Value ({text}) for parameter cidr is invalid. This is not a valid {family} CIDR."))
    })
}

/// The entries that a request adds, each block once.
///
/// # Errors
/// A block that is none, or one that is there twice.
pub fn added(is_ipv6: bool, asked: &[input::AddPrefixListEntry]) -> Result<Entries, Fault> {
    let mut entries = Entries::new();
    for entry in asked {
        let block = block(is_ipv6, entry.cidr.as_deref())?;
        let description = entry.description.as_deref().map(Arc::from);
        if entries.insert(block, description).is_some() {
            return Err(twice(block));
        }
    }
    Ok(entries)
}

pub fn twice(block: Cidr) -> Fault {
    FaultCode::InvalidParameterValue
        .with(format!("The request contains the prefix list entry {block} twice."))
}

/// # Errors
/// There are more than the list may have.
pub fn fit(entries: usize, max_entries: u32) -> Result<(), Fault> {
    match u32::try_from(entries).is_ok_and(|count| count <= max_entries) {
        true => Ok(()),
        false => Err(FaultCode::PrefixListMaxEntriesExceeded.with(format!(
            "You have reached the maximum number of entries for the prefix list: {max_entries}"
        ))),
    }
}

/// What a version keeps.
pub fn kept(entries: Entries) -> Arc<[PrefixListEntry]> {
    entries.into_iter().map(|(block, description)| PrefixListEntry { block, description }).collect()
}

/// The other way.
pub fn of(kept: &[PrefixListEntry]) -> Entries {
    kept.iter().map(|entry| (entry.block, entry.description.clone())).collect()
}

/// "A name for the prefix list. Constraints: Up to 255 characters in length. The name cannot start with com.amazonaws."
///
/// # Errors
/// It does.
pub fn name(text: &str) -> Result<Arc<str>, Fault> {
    match text.starts_with("com.amazonaws") {
        true => Err(FaultCode::InvalidParameterValue.with(format!(
            "Value ({text}) for parameter prefixListName is invalid. It cannot start with com.amazonaws."
        ))),
        false => Ok(text.into()),
    }
}

/// # Errors
/// The request was made for another version than the one that counts.
pub fn is_current(row: &PrefixList, asked: Option<i64>) -> Result<(), Fault> {
    match asked {
        None => Ok(()),
        Some(..1) => Err(FaultCode::InvalidParameterValue
            .with("The specified value for version is not valid. The value must be greater than (1).")),
        Some(number) if u64::try_from(number) == Ok(row.version) => Ok(()),
        Some(_) => {
            Err(FaultCode::PrefixListVersionMismatch
                .with("The prefix list has the incorrect version number."))
        }
    }
}
