//! Tags: rows of their own, so that any resource has them in the same way.

use std::sync::Arc;

use super::Decision;
use crate::query::api::{input, output};
use crate::query::{Fault, FaultCode};
use crate::types::ResourceId;
use crate::world::{Key, Tag, World};

/// Limits of EC2: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>.
const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

/// A checked key and value.
pub type NewTag = (Arc<str>, Arc<str>);

/// The tags of a resource, by key.
pub fn of(world: &World, resource: ResourceId) -> impl Iterator<Item = &Tag> {
    let first: (ResourceId, Arc<str>) = (resource, "".into());
    let all = world.tags.range(first..).take_while(move |((other, _), _)| *other == resource);
    all.map(|(_, tag)| &**tag)
}

/// The tags of a resource, as responses carry them.
pub fn set_of(world: &World, resource: ResourceId) -> Vec<output::Tag> {
    of(world, resource)
        .map(|tag| output::Tag { key: tag.key.to_string(), value: tag.value.to_string() })
        .collect()
}

/// The tags that a request gives to resources of one kind when it makes them.
///
/// # Errors
/// A specification for a kind that the action does not make (`kinds`), or a tag that breaks a limit.
pub fn at_creation(
    specifications: &[input::TagSpecification],
    kinds: &[&str],
    kind: &str,
) -> Result<Vec<NewTag>, Fault> {
    let mut tags: Vec<NewTag> = Vec::new();
    for specification in specifications {
        let named = specification.resource_type.as_deref().unwrap_or_default();
        if !kinds.contains(&named) {
            return Err(FaultCode::InvalidParameterValue.with(format!(
                "'{named}' is not a valid taggable resource type for this operation: use {}",
                kinds.join(", ")
            )));
        }
        for tag in specification.tags.iter().filter(|_| named == kind) {
            let (key, value) = checked(tag)?;
            if tags.iter().any(|(other, _)| *other == key) {
                return Err(
                    FaultCode::InvalidParameterValue.with(format!("Duplicate tag key '{key}' specified."))
                );
            }
            tags.push((key, value));
        }
    }
    Ok(tags)
}

/// Whether a key is one of those that only EC2 itself gives and takes away.
pub fn is_reserved(key: &str) -> bool {
    key.to_ascii_lowercase().starts_with("aws:")
}

/// # Errors
/// The key is [reserved](is_reserved).
pub fn not_reserved(key: &str) -> Result<(), Fault> {
    match is_reserved(key) {
        true => Err(FaultCode::InvalidParameterValue
            .with("Tag keys starting with 'aws:' are reserved for internal use")),
        false => Ok(()),
    }
}

/// Checks one tag.
///
/// # Errors
/// A key that is missing, too long or reserved, or a value that is too long.
pub fn checked(tag: &input::Tag) -> Result<NewTag, Fault> {
    let key = tag.key.as_deref().unwrap_or_default();
    let value = tag.value.as_deref().unwrap_or_default();
    if key.is_empty() {
        return Err(FaultCode::InvalidParameterValue.with("Tag keys must not be empty"));
    }
    if key.chars().count() > MAX_KEY {
        return Err(
            FaultCode::InvalidParameterValue.with(format!("Tag keys have at most {MAX_KEY} characters"))
        );
    }
    not_reserved(key)?;
    if value.chars().count() > MAX_VALUE {
        return Err(
            FaultCode::InvalidParameterValue.with(format!("Tag values have at most {MAX_VALUE} characters"))
        );
    }
    Ok((key.into(), value.into()))
}

impl Decision<'_> {
    /// Sets tags of a resource, in place of those with the same keys.
    ///
    /// # Errors
    /// The resource would have more than 50.
    pub fn tag(&mut self, resource: ResourceId, tags: &[NewTag]) -> Result<(), Fault> {
        for (key, value) in tags {
            let (key, value) = (key.clone(), value.clone());
            self.put(Tag { owner: self.caller.owner.clone(), resource, key, value });
        }
        // EC2's own do not count.
        if of(&self.world, resource).filter(|tag| !is_reserved(&tag.key)).count() > MAX_TAGS {
            return Err(FaultCode::TagLimitExceeded.with(format!(
                "The maximum number of tags for resource {resource} has been reached: {MAX_TAGS}"
            )));
        }
        Ok(())
    }

    /// Deletes all tags of a resource that goes.
    pub fn untag_all(&mut self, resource: ResourceId) {
        let keys: Vec<Arc<str>> = of(&self.world, resource).map(|tag| tag.key.clone()).collect();
        for key in keys {
            self.delete(Key::Tag((resource, key)));
        }
    }
}
