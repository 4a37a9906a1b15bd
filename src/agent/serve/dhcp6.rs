//! DHCPv6 for one port (RFC 8415). Pure: the answer follows from the question and the state.
//!
//! There are no leases to keep: a port's addresses are its own for as long as it has them. Who asks on a port is its guest,
//! whatever identifier (DUID) it makes up. Each address is a /128 to the guest: no prefix is on its link.

use std::net::Ipv6Addr;

use crate::agent::names::PORT_MAC;

/// For how long an address is preferred: EC2's default (`ipv6-address-preferred-lease-time`,
/// <https://docs.aws.amazon.com/vpc/latest/userguide/DHCPOptionSetConcepts.html>). So a guest soon hears of one that came or went.
const PREFERRED: u32 = 140;
const VALID: u32 = 450;
/// When it asks again: this server, then any (RFC 8415, 21.4: at 0.5 and 0.8 of it).
const T1: u32 = 70;
const T2: u32 = 112;

mod kind {
    pub const SOLICIT: u8 = 1;
    pub const ADVERTISE: u8 = 2;
    pub const REQUEST: u8 = 3;
    pub const CONFIRM: u8 = 4;
    pub const RENEW: u8 = 5;
    pub const REBIND: u8 = 6;
    pub const REPLY: u8 = 7;
    pub const RELEASE: u8 = 8;
    pub const DECLINE: u8 = 9;
    pub const INFORMATION_REQUEST: u8 = 11;
}

mod option {
    pub const CLIENT_ID: u16 = 1;
    pub const SERVER_ID: u16 = 2;
    pub const IA_NA: u16 = 3;
    pub const IA_TA: u16 = 4;
    pub const IA_ADDRESS: u16 = 5;
    pub const PREFERENCE: u16 = 7;
    pub const STATUS: u16 = 13;
    pub const RAPID_COMMIT: u16 = 14;
    pub const IA_PD: u16 = 25;
    /// Only with an answer to a request for information (RFC 8415, 21.23).
    pub const REFRESH: u16 = 32;
}

mod status {
    pub const SUCCESS: u16 = 0;
    pub const NO_ADDRESSES: u16 = 2;
    pub const NOT_ON_LINK: u16 = 4;
    pub const NO_PREFIX: u16 = 6;
}

/// The identifiers' greatest length (RFC 8415, 11.1: 128 octets beside the type).
const LONGEST_ID: usize = 130;

/// The server's identifier: by the address that all ports have on the host's side (DUID-LL), so that an instance that moves finds
/// its server again.
fn server_id() -> Vec<u8> {
    [&[0, 3, 0, 1][..], &PORT_MAC.0].concat()
}

/// One option: its code and what it holds.
type Entry<'a> = (u16, &'a [u8]);

/// `None` where they are not well formed.
fn options(mut rest: &[u8]) -> Option<Vec<Entry<'_>>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (head, more) = rest.split_first_chunk::<4>()?;
        let [a, b, c, d] = *head;
        let (value, more) = more.split_at_checked(u16::from_be_bytes([c, d]).into())?;
        found.push((u16::from_be_bytes([a, b]), value));
        rest = more;
    }
    Some(found)
}

fn put(to: &mut Vec<u8>, code: u16, value: &[u8]) {
    to.extend(code.to_be_bytes());
    // What we say is short, and what we repeat is bounded.
    to.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
    to.extend(value);
}

/// The answer to a packet from the guest of a port with these addresses; `None` where there is nothing to say.
pub fn reply(heard: &[u8], addresses: &[Ipv6Addr]) -> Option<Vec<u8>> {
    let (head, rest) = heard.split_first_chunk::<4>()?;
    let asked = options(rest)?;
    let all = |code: u16| asked.iter().filter(move |(found, _)| *found == code).map(|(_, value)| *value);
    let client = all(option::CLIENT_ID).next();
    let to_us = all(option::SERVER_ID).next().map(|id| id == server_id());
    let known = client.is_some_and(|id| (3..=LONGEST_ID).contains(&id.len()));
    // Whom a message must be for, and that it says from whom (RFC 8415, 16).
    let valid = match head[0] {
        kind::SOLICIT | kind::CONFIRM | kind::REBIND => known && to_us.is_none(),
        kind::REQUEST | kind::RENEW | kind::RELEASE | kind::DECLINE => known && to_us == Some(true),
        kind::INFORMATION_REQUEST => to_us != Some(false) && all(option::IA_NA).next().is_none(),
        _ => false,
    };
    if !valid || addresses.is_empty() {
        return None;
    }
    let rapid = all(option::RAPID_COMMIT).next().is_some();
    let kind = if head[0] == kind::SOLICIT && !rapid { kind::ADVERTISE } else { kind::REPLY };
    let mut reply = vec![kind, head[1], head[2], head[3]];
    put(&mut reply, option::SERVER_ID, &server_id());
    if let Some(client) = client.filter(|_| known) {
        put(&mut reply, option::CLIENT_ID, client);
    }
    match head[0] {
        kind::CONFIRM => put(&mut reply, option::STATUS, &confirmed(all(option::IA_NA), addresses)?),
        // Given back or refused: it stays the port's all the same.
        kind::RELEASE | kind::DECLINE => put(&mut reply, option::STATUS, &said(status::SUCCESS, "")),
        kind::INFORMATION_REQUEST => put(&mut reply, option::REFRESH, &86_400_u32.to_be_bytes()),
        _ => {
            if head[0] == kind::SOLICIT {
                // Nobody else answers here: no client is to wait for another (RFC 8415, 18.2.1).
                put(&mut reply, option::PREFERENCE, &[255]);
                if rapid {
                    put(&mut reply, option::RAPID_COMMIT, &[]);
                }
            }
            // One association has everything; a client has no use for another.
            for (at, association) in all(option::IA_NA).take(MOST).enumerate() {
                put(&mut reply, option::IA_NA, &given(association, addresses, at == 0)?);
            }
            let (temporary, prefixes) = (all(option::IA_TA).take(MOST), all(option::IA_PD).take(MOST));
            for association in temporary {
                put(&mut reply, option::IA_TA, &refused(association, 4, status::NO_ADDRESSES)?);
            }
            for association in prefixes {
                put(&mut reply, option::IA_PD, &refused(association, 12, status::NO_PREFIX)?);
            }
        }
    }
    Some(reply)
}

/// To how many associations of a kind there is an answer.
const MOST: usize = 4;

fn said(code: u16, text: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], text.as_bytes()].concat()
}

/// The addresses that an association names.
fn named(association: &[u8]) -> Option<Vec<Ipv6Addr>> {
    let inner = options(association.get(12..)?)?;
    let addresses = inner.iter().filter(|(code, _)| *code == option::IA_ADDRESS);
    addresses.map(|(_, value)| value.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets))).collect()
}

/// An association with the port's addresses, and with those that the client named and has no more, for no time at all.
fn given(association: &[u8], addresses: &[Ipv6Addr], first: bool) -> Option<Vec<u8>> {
    let mut value = association.get(..4)?.to_vec();
    let named = named(association)?;
    let here = if first { addresses } else { &[] };
    value.extend([T1, T2].map(u32::to_be_bytes).concat());
    let gone = named.iter().filter(|ip| !here.contains(ip)).take(addresses.len() + MOST).map(|ip| (ip, 0, 0));
    for (ip, preferred, valid) in here.iter().map(|ip| (ip, PREFERRED, VALID)).chain(gone) {
        let times = [preferred, valid].map(u32::to_be_bytes).concat();
        put(&mut value, option::IA_ADDRESS, &[&ip.octets()[..], &times].concat());
    }
    if here.is_empty() {
        put(&mut value, option::STATUS, &said(status::NO_ADDRESSES, "the first one has them"));
    }
    Some(value)
}

/// An association of another kind: none of it is given.
fn refused(association: &[u8], head: usize, code: u16) -> Option<Vec<u8>> {
    let mut value = association.get(..4)?.to_vec();
    value.resize(head, 0);
    put(&mut value, option::STATUS, &said(code, ""));
    Some(value)
}

/// Whether the addresses that a client came with are right where it is now; `None` where it names none.
fn confirmed<'a>(associations: impl Iterator<Item = &'a [u8]>, addresses: &[Ipv6Addr]) -> Option<Vec<u8>> {
    let named: Option<Vec<_>> = associations.map(named).collect();
    let named: Vec<_> = named?.into_iter().flatten().collect();
    let code = match named.iter().all(|ip| addresses.contains(ip)) {
        _ if named.is_empty() => return None,
        true => status::SUCCESS,
        false => status::NOT_ON_LINK,
    };
    Some(said(code, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWN: [Ipv6Addr; 2] =
        [Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 9), Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 5)];
    const OTHER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, 7);

    fn association(named: &[Ipv6Addr]) -> Vec<u8> {
        let mut value = vec![0, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 0];
        for ip in named {
            put(&mut value, option::IA_ADDRESS, &[&ip.octets()[..], &[0; 8]].concat());
        }
        value
    }

    fn message(kind: u8, to_us: bool, more: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut message = vec![kind, 1, 2, 3];
        put(&mut message, option::CLIENT_ID, &[0, 3, 0, 1, 2, 0, 0, 0, 0, 9]);
        if to_us {
            put(&mut message, option::SERVER_ID, &server_id());
        }
        more.iter().for_each(|(code, value)| put(&mut message, *code, value));
        message
    }

    fn asked(kind: u8, to_us: bool, named: &[Ipv6Addr]) -> Option<Vec<u8>> {
        reply(&message(kind, to_us, &[(option::IA_NA, association(named))]), &OWN)
    }

    /// Each address with how long it is valid.
    fn got(reply: &[u8]) -> Vec<(Ipv6Addr, u32)> {
        let all = options(&reply[4..]).unwrap();
        let ia = all.iter().find(|(code, _)| *code == option::IA_NA).unwrap().1;
        assert_eq!(ia[..4], [0, 0, 0, 42]);
        let inner = options(&ia[12..]).unwrap();
        let of = |value: &[u8]| {
            let ip: [u8; 16] = value[..16].try_into().unwrap();
            (ip.into(), u32::from_be_bytes(value[20..24].try_into().unwrap()))
        };
        inner.iter().filter(|(code, _)| *code == option::IA_ADDRESS).map(|(_, value)| of(value)).collect()
    }

    fn status_of(reply: &[u8]) -> Option<u16> {
        let all = options(&reply[4..]).unwrap();
        let status = all.iter().find(|(code, _)| *code == option::STATUS)?.1;
        Some(u16::from_be_bytes(*status.first_chunk().unwrap()))
    }

    #[test]
    fn all_addresses_are_given_the_primary_one_first() {
        let offer = asked(kind::SOLICIT, false, &[]).unwrap();
        assert_eq!(offer[..4], [kind::ADVERTISE, 1, 2, 3]);
        assert_eq!(got(&offer), OWN.map(|ip| (ip, VALID)));
        for again in [kind::REQUEST, kind::RENEW] {
            let reply = asked(again, true, &OWN).unwrap();
            assert_eq!((reply[0], got(&reply)), (kind::REPLY, OWN.map(|ip| (ip, VALID)).to_vec()));
        }
        assert_eq!(got(&asked(kind::REBIND, false, &OWN).unwrap()), OWN.map(|ip| (ip, VALID)));
    }

    #[test]
    fn a_client_in_a_hurry_has_them_at_once() {
        let more = [(option::RAPID_COMMIT, vec![]), (option::IA_NA, association(&[]))];
        let reply = reply(&message(kind::SOLICIT, false, &more), &OWN).unwrap();
        assert_eq!(reply[0], kind::REPLY);
        assert!(options(&reply[4..]).unwrap().contains(&(option::RAPID_COMMIT, &[])));
    }

    #[test]
    fn what_a_port_has_no_more_ends_at_once() {
        let reply = asked(kind::RENEW, true, &[OTHER]).unwrap();
        assert_eq!(got(&reply), [(OWN[0], VALID), (OWN[1], VALID), (OTHER, 0)]);
    }

    #[test]
    fn only_the_ports_own_addresses_are_confirmed() {
        assert_eq!(status_of(&asked(kind::CONFIRM, false, &OWN).unwrap()), Some(status::SUCCESS));
        assert_eq!(
            status_of(&asked(kind::CONFIRM, false, &[OWN[0], OTHER]).unwrap()),
            Some(status::NOT_ON_LINK)
        );
        assert_eq!(asked(kind::CONFIRM, false, &[]), None);
    }

    #[test]
    fn nothing_but_addresses_is_given() {
        let more = [(option::IA_PD, association(&[])), (option::IA_TA, vec![0, 0, 0, 1])];
        let reply = reply(&message(kind::SOLICIT, false, &more), &OWN).unwrap();
        let all = options(&reply[4..]).unwrap();
        let inner = |code: u16, head: usize| {
            let value = all.iter().find(|(found, _)| *found == code).unwrap().1;
            u16::from_be_bytes(*options(&value[head..]).unwrap()[0].1.first_chunk().unwrap())
        };
        assert_eq!(inner(option::IA_PD, 12), status::NO_PREFIX);
        assert_eq!(inner(option::IA_TA, 4), status::NO_ADDRESSES);
    }

    #[test]
    fn what_is_for_another_server_or_from_nobody_is_not_answered() {
        let for_another =
            message(kind::REQUEST, false, &[(option::SERVER_ID, vec![0, 3, 0, 1, 2, 2, 2, 2, 2, 2])]);
        let to_nobody = message(kind::RENEW, false, &[]);
        let solicit_to_us = message(kind::SOLICIT, true, &[]);
        let relayed = message(12, false, &[]);
        for message in [for_another, to_nobody, solicit_to_us, relayed, vec![kind::SOLICIT, 1, 2, 3]] {
            assert_eq!(reply(&message, &OWN), None, "{message:?}");
        }
        assert_eq!(reply(&message(kind::SOLICIT, false, &[]), &[]), None, "a port without IPv6");
        let ask = vec![kind::INFORMATION_REQUEST, 1, 2, 3];
        assert_eq!(reply(&ask, &OWN).unwrap()[0], kind::REPLY);
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..300), kind in 1_u8..13) {
            let _ = reply(&bytes, &OWN);
            let _ = reply(&[&[kind, 0, 0, 0][..], &bytes].concat(), &OWN);
        }

        #[test]
        fn any_change_of_a_real_packet_is_borne(at in 0_usize..80, byte: u8) {
            let mut message = message(kind::REQUEST, true, &[(option::IA_NA, association(&OWN))]);
            if let Some(place) = message.get_mut(at) {
                *place = byte;
            }
            let _ = reply(&message, &OWN);
        }
    }
}
