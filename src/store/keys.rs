//! Keys of deleted rows: as cells of a statement, and as one text in a tombstone.

use std::str::FromStr;

use super::cell::{Cell, count, text};
use super::table::Table;
use super::tables::{parse_space, space_word};
use crate::types::{Owner, Region};
use crate::world::*;

/// The key's cells, in the order of its table's columns.
pub(super) fn cells(key: &Key) -> Vec<Cell> {
    match key {
        Key::Account(id) => vec![text(id)],
        Key::AccessKey(id) => vec![text(id)],
        Key::Pool(id) => vec![text(id)],
        Key::Network(name) => vec![text(name)],
        Key::Host(name) => vec![text(name)],
        Key::Image(id) => vec![text(id)],
        Key::Vpc(id) => vec![text(id)],
        Key::Subnet(id) => vec![text(id)],
        Key::Group(id) => vec![text(id)],
        Key::Rule(id) => vec![text(id)],
        Key::KeyPair(id) => vec![text(id)],
        Key::InsightsPath(id) => vec![text(id)],
        Key::InsightsAnalysis(id) => vec![text(id)],
        Key::LaunchTemplate(id) => vec![text(id)],
        Key::LaunchTemplateVersion((id, number)) => vec![text(id), count(*number)],
        Key::Instance(id) => vec![text(id)],
        Key::Eni(id) => vec![text(id)],
        Key::Address(id) => vec![text(id)],
        Key::Tag((resource, key)) => vec![text(resource), text(key)],
        Key::Claim((space, address)) | Key::Freed((space, address)) => {
            vec![text(space_word(space)), text(address)]
        }
        Key::Deployment(()) => vec![text("deployment")],
        Key::Token((owner, action, token)) => {
            vec![text(owner.account), text(&owner.region), text(action), text(token)]
        }
    }
}

/// The cells as a tombstone has them.
pub(super) fn id(cells: &[Cell]) -> String {
    let words = cells.iter().map(|cell| match cell {
        Cell::Text(Some(text)) => text.clone(),
        Cell::Int(Some(number)) => number.to_string(),
        _ => String::new(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Reads a tombstone's key; `None` is of a table that a newer Fogbank has.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(kind: &str, id: &str) -> Result<Option<Key>, String> {
    Ok(Some(match kind {
        Account::NAME => Key::Account(one(id)?),
        AccessKey::NAME => Key::AccessKey(id.into()),
        Pool::NAME => Key::Pool(one(id)?),
        Network::NAME => Key::Network(id.into()),
        Host::NAME => Key::Host(id.into()),
        Image::NAME => Key::Image(one(id)?),
        Vpc::NAME => Key::Vpc(one(id)?),
        Subnet::NAME => Key::Subnet(one(id)?),
        Group::NAME => Key::Group(one(id)?),
        Rule::NAME => Key::Rule(one(id)?),
        KeyPair::NAME => Key::KeyPair(one(id)?),
        InsightsPath::NAME => Key::InsightsPath(one(id)?),
        InsightsAnalysis::NAME => Key::InsightsAnalysis(one(id)?),
        LaunchTemplate::NAME => Key::LaunchTemplate(one(id)?),
        LaunchTemplateVersion::NAME => {
            let (template, number) = id.split_once(' ').ok_or("has no number")?;
            Key::LaunchTemplateVersion((one(template)?, one(number)?))
        }
        Instance::NAME => Key::Instance(one(id)?),
        Eni::NAME => Key::Eni(one(id)?),
        Address::NAME => Key::Address(one(id)?),
        Tag::NAME => {
            // A tag's key may have blanks; a resource's id has none.
            let (resource, key) = id.split_once(' ').ok_or("has no tag")?;
            Key::Tag((one(resource)?, key.into()))
        }
        Claim::NAME => Key::Claim(place(id)?),
        Freed::NAME => Key::Freed(place(id)?),
        Deployment::NAME => Key::Deployment(()),
        Token::NAME => {
            let mut words = id.splitn(4, ' ');
            let mut word = || words.next().ok_or("has too few words");
            let owner = Owner { account: one(word()?)?, region: Region::from(word()?) };
            Key::Token((owner, word()?.into(), word()?.into()))
        }
        _ => return Ok(None),
    }))
}

fn one<T: FromStr<Err: std::fmt::Display>>(word: &str) -> Result<T, String> {
    word.parse().map_err(|error: T::Err| format!("{word:?}: {error}"))
}

fn place(id: &str) -> Result<(Space, std::net::Ipv4Addr), String> {
    let (space, address) = id.rsplit_once(' ').ok_or("has no address")?;
    Ok((parse_space(space)?, one(address)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::*;

    #[test]
    fn a_key_comes_back_from_its_tombstone() {
        let owner = Owner { account: "123456789012".parse().unwrap(), region: "us-east-1".into() };
        let instance = ResourceId::Instance(InstanceId::from_random(3));
        let address = "10.0.0.7".parse().unwrap();
        for (kind, key) in [
            (Account::NAME, Key::Account(owner.account)),
            (AccessKey::NAME, Key::AccessKey("AKIA 1".into())),
            (Eni::NAME, Key::Eni(EniId::from_random(9))),
            (Tag::NAME, Key::Tag((instance, "a key with blanks ".into()))),
            (LaunchTemplateVersion::NAME, Key::LaunchTemplateVersion((LaunchTemplateId::from_random(5), 12))),
            (Claim::NAME, Key::Claim((Space::Network("flat".into()), address))),
            (Freed::NAME, Key::Freed((Space::Pool(PoolId::from_random(1)), address))),
            (Deployment::NAME, Key::Deployment(())),
            (Token::NAME, Key::Token((owner, "RunInstances".into(), "a token of words".into()))),
        ] {
            assert_eq!(parse(kind, &id(&cells(&key))), Ok(Some(key)));
        }
        assert_eq!(parse("ghosts", "x"), Ok(None));
        assert!(parse(Eni::NAME, "eni-x").is_err());
    }
}
