//! `Filter.N`: names are checked by the decoder; this decides whether a resource matches.

use crate::query::Filter;
use crate::types::ResourceId;
use crate::world::World;

/// What a resource answers when a filter asks for one of its attributes.
pub type Values = Vec<String>;

/// Whether all filters match: within one, any value; between them, all.
///
/// `attribute` gives the resource's values for a filter name; tags are answered from the World.
pub fn matches(
    world: &World,
    resource: Option<ResourceId>,
    filters: &[Filter],
    attribute: impl Fn(&str) -> Values,
) -> bool {
    filters.iter().all(|filter| {
        let values = match (filter.name.as_str(), resource) {
            ("tag-key", Some(resource)) => {
                super::tags::of(world, resource).map(|tag| tag.key.to_string()).collect()
            }
            ("tag-value", Some(resource)) => {
                super::tags::of(world, resource).map(|tag| tag.value.to_string()).collect()
            }
            (name, Some(resource)) if name.starts_with("tag:") => tag_value(world, resource, &name[4..]),
            (name, _) => attribute(name),
        };
        values.iter().any(|value| filter.values.iter().any(|pattern| wildcard(pattern, value)))
    })
}

fn tag_value(world: &World, resource: ResourceId, key: &str) -> Values {
    let tag = world.tags.get(&(resource, key.into()));
    tag.map(|tag| tag.value.to_string()).into_iter().collect()
}

/// EC2's wildcards: `*` is any run, `?` one character, `\` takes the next one literally
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>).
///
/// Greedy with one point of return: linear in practice, never exponential. It allocates nothing, as a request may have
/// ten thousand patterns, each for as many resources as there are.
pub fn wildcard(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut back = None;
    loop {
        let (mut after, mut rest) = (pattern.clone(), text.clone());
        let matched = match (after.next(), rest.next()) {
            (Some('*'), _) => {
                pattern = after;
                back = Some((pattern.clone(), text.clone()));
                continue;
            }
            (None, None) => return true,
            // There is no more text, however it is divided.
            (Some(_), None) => return false,
            (None, Some(_)) => false,
            (Some('?'), Some(_)) => true,
            (Some('\\'), Some(c)) => after.next().unwrap_or('\\') == c,
            (Some(wanted), Some(c)) => wanted == c,
        };
        if matched {
            (pattern, text) = (after, rest);
            continue;
        }
        let Some((run, from)) = &mut back else { return false };
        if from.next().is_none() {
            return false;
        }
        (pattern, text) = (run.clone(), from.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wildcards_match_as_ec2_says() {
        for (pattern, text) in
            [("*", ""), ("we?", "web"), ("*b", "web"), ("w*b*", "web"), (r"a\*b", "a*b"), ("*a*b", "aab")]
        {
            assert!(wildcard(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("we?", "we"), (r"a\*b", "axb"), ("a", "A"), ("?", "")] {
            assert!(!wildcard(pattern, text), "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_literal_matches_itself_only(a in "[a-z]{0,8}", b in "[a-z]{0,8}") {
            prop_assert_eq!(wildcard(&a, &b), a == b);
            let starred = format!("*{a}*");
            prop_assert_eq!(wildcard(&starred, &b), b.contains(&a));
        }
    }
}
