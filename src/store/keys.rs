//! Keys of deleted rows: as cells of a statement, and as one text in a tombstone.

use std::str::FromStr;

use super::cell::{Cell, count, int, text};
use super::table::Table;
use super::tables::{direction_word, parse_direction, parse_space, space_word};
use crate::types::{Owner, Region};
use crate::world::*;

/// The key's cells, in the order of its table's columns.
pub(super) fn cells(key: &Key) -> Vec<Cell> {
    match key {
        Key::Account(id) => vec![text(id)],
        Key::AccessKey(id) => vec![text(id)],
        Key::Pool(id) => vec![text(id)],
        Key::Ipv6Pool(cidr) => vec![text(cidr)],
        Key::Network(name) => vec![text(name)],
        Key::Host(name) => vec![text(name)],
        Key::Image(id) => vec![text(id)],
        Key::Vpc(id) => vec![text(id)],
        Key::Subnet(id) => vec![text(id)],
        Key::DhcpOptions(id) => vec![text(id)],
        Key::InternetGateway(id) => vec![text(id)],
        Key::EgressGateway(id) => vec![text(id)],
        Key::NatGateway(id) => vec![text(id)],
        Key::Peering(id) => vec![text(id)],
        Key::RouteTable(id) => vec![text(id)],
        Key::RouteTableAssociation(id) => vec![text(id)],
        Key::Route((table, destination)) => vec![text(table), text(destination)],
        Key::PrefixList(id) => vec![text(id)],
        Key::PrefixListVersion((id, number)) => vec![text(id), count(*number)],
        Key::SubnetCidrReservation(id) => vec![text(id)],
        Key::Ipv6Route((table, destination)) => vec![text(table), text(destination)],
        Key::NetworkAcl(id) => vec![text(id)],
        Key::AclEntry((acl, direction, number)) => {
            vec![text(acl), text(direction_word(*direction)), int((*number).into())]
        }
        Key::AclAssociation(id) => vec![text(id)],
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
        Key::AddressTransfer((owner, allocation)) => {
            vec![text(owner.account), text(&owner.region), text(allocation)]
        }
        Key::Tag((resource, key)) => vec![text(resource), text(key)],
        Key::Claim((space, address)) | Key::Freed((space, address)) => {
            vec![text(space_word(space)), text(address)]
        }
        Key::FreedIpv6(cidr) => vec![text(cidr)],
        Key::Deployment(()) => vec![text("deployment")],
        Key::Token((owner, action, token)) => {
            vec![text(owner.account), text(&owner.region), text(action), text(token)]
        }
    }
}

/// The cells as a tombstone has them.
pub(super) fn id(cells: &[Cell]) -> String {
    let word = |cell: &Cell| match cell {
        Cell::Text(Some(text)) => text.clone(),
        Cell::Int(Some(number)) => number.to_string(),
        _ => String::new(),
    };
    cells.iter().map(word).collect::<Vec<_>>().join(" ")
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
        Ipv6Pool::NAME => Key::Ipv6Pool(one(id)?),
        Network::NAME => Key::Network(id.into()),
        Host::NAME => Key::Host(id.into()),
        Image::NAME => Key::Image(one(id)?),
        Vpc::NAME => Key::Vpc(one(id)?),
        Subnet::NAME => Key::Subnet(one(id)?),
        DhcpOptions::NAME => Key::DhcpOptions(one(id)?),
        InternetGateway::NAME => Key::InternetGateway(one(id)?),
        EgressGateway::NAME => Key::EgressGateway(one(id)?),
        NatGateway::NAME => Key::NatGateway(one(id)?),
        Peering::NAME => Key::Peering(one(id)?),
        RouteTable::NAME => Key::RouteTable(one(id)?),
        RouteTableAssociation::NAME => Key::RouteTableAssociation(one(id)?),
        Route::NAME => Key::Route(two(id)?),
        PrefixList::NAME => Key::PrefixList(one(id)?),
        PrefixListVersion::NAME => Key::PrefixListVersion(two(id)?),
        SubnetCidrReservation::NAME => Key::SubnetCidrReservation(one(id)?),
        Ipv6Route::NAME => Key::Ipv6Route(two(id)?),
        NetworkAcl::NAME => Key::NetworkAcl(one(id)?),
        AclEntry::NAME => {
            let mut words = id.split(' ');
            let mut word = || words.next().ok_or("has too few words");
            Key::AclEntry((one(word()?)?, parse_direction(word()?)?, one(word()?)?))
        }
        AclAssociation::NAME => Key::AclAssociation(one(id)?),
        Group::NAME => Key::Group(one(id)?),
        Rule::NAME => Key::Rule(one(id)?),
        KeyPair::NAME => Key::KeyPair(one(id)?),
        InsightsPath::NAME => Key::InsightsPath(one(id)?),
        InsightsAnalysis::NAME => Key::InsightsAnalysis(one(id)?),
        LaunchTemplate::NAME => Key::LaunchTemplate(one(id)?),
        LaunchTemplateVersion::NAME => Key::LaunchTemplateVersion(two(id)?),
        Instance::NAME => Key::Instance(one(id)?),
        Eni::NAME => Key::Eni(one(id)?),
        Address::NAME => Key::Address(one(id)?),
        AddressTransfer::NAME => {
            let (account, rest) = id.split_once(' ').ok_or("has no region")?;
            // An allocation's id has no blanks; a region's name might.
            let (region, allocation) = rest.rsplit_once(' ').ok_or("has no allocation")?;
            let owner = Owner { account: one(account)?, region: Region::from(region) };
            Key::AddressTransfer((owner, one(allocation)?))
        }
        Tag::NAME => {
            // A tag's key may have blanks; a resource's id has none.
            let (resource, key) = id.split_once(' ').ok_or("has no tag")?;
            Key::Tag((one(resource)?, key.into()))
        }
        Claim::NAME => Key::Claim(place(id)?),
        Freed::NAME => Key::Freed(place(id)?),
        FreedIpv6::NAME => Key::FreedIpv6(one(id)?),
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

/// Of two words.
fn two<A, B>(id: &str) -> Result<(A, B), String>
where
    A: FromStr<Err: std::fmt::Display>,
    B: FromStr<Err: std::fmt::Display>,
{
    let (first, second) = id.split_once(' ').ok_or("has too few words")?;
    Ok((one(first)?, one(second)?))
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
            (Route::NAME, Key::Route((RouteTableId::from_random(4), "10.0.0.0/8".parse().unwrap()))),
            (Ipv6Route::NAME, Key::Ipv6Route((RouteTableId::from_random(4), "::/0".parse().unwrap()))),
            (FreedIpv6::NAME, Key::FreedIpv6("2001:db8:f0::1/128".parse().unwrap())),
            (AclEntry::NAME, Key::AclEntry((NetworkAclId::from_random(5), Direction::Egress, 100))),
            (AddressTransfer::NAME, Key::AddressTransfer((owner.clone(), AllocationId::from_random(4)))),
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
