//! Frames as they are on the wire, with a mark by which each is known again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use fogbank::types::MacAddr;
use fogbank::verdict::{Packet, Transport};

const ETHER: usize = 14;
const IP: usize = 20;
const IP6: usize = 40;
const FRAGMENT: u8 = 44;
const HOPS: u8 = 64;
const GRE: u8 = 47;
const MAGIC: [u8; 4] = *b"fogb";

/// The frames of one packet: one, or its fragments.
pub fn frames(to: MacAddr, from: MacAddr, packet: &Packet, mark: u32, fragmented: bool) -> Vec<Vec<u8>> {
    let body = body(packet, mark);
    let cut = if fragmented { 32.min(body.len()) } else { body.len() };
    let (first, rest) = body.split_at(cut);
    let mut pieces = vec![(0, first, !rest.is_empty())];
    if !rest.is_empty() {
        pieces.push((cut, rest, false));
    }
    let frame = |(offset, part, more): (usize, &[u8], bool)| {
        let piece = Piece { offset: offset as u16, more, length: part.len() };
        let (kind, header) = match (packet.source, packet.destination) {
            (IpAddr::V4(source), IpAddr::V4(to)) => ([8, 0], header4(source, to, packet, mark, piece)),
            (IpAddr::V6(source), IpAddr::V6(to)) => ([0x86, 0xdd], header6(source, to, packet, mark, piece)),
            _ => panic!("{packet:?} is of two families"),
        };
        [&to.0[..], &from.0, &kind, &header, part].concat()
    };
    pieces.into_iter().map(frame).collect()
}

/// A part of a body, in bytes.
#[derive(Clone, Copy)]
struct Piece {
    offset: u16,
    more: bool,
    length: usize,
}

fn header4(source: Ipv4Addr, to: Ipv4Addr, packet: &Packet, mark: u32, piece: Piece) -> Vec<u8> {
    let mut header = vec![0; IP];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&((IP + piece.length) as u16).to_be_bytes());
    header[4..6].copy_from_slice(&(mark as u16).to_be_bytes());
    header[6..8].copy_from_slice(&((piece.offset / 8) | (u16::from(piece.more) << 13)).to_be_bytes());
    header[8] = HOPS;
    header[9] = packet.transport.protocol();
    header[12..16].copy_from_slice(&source.octets());
    header[16..20].copy_from_slice(&to.octets());
    let sum = checksum(&header, 0);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    header
}

/// RFC 8200, 3, and for a fragment 4.5.
fn header6(source: Ipv6Addr, to: Ipv6Addr, packet: &Packet, mark: u32, piece: Piece) -> Vec<u8> {
    let protocol = packet.transport.protocol();
    let mut fragment = Vec::new();
    if piece.more || piece.offset > 0 {
        fragment.extend([protocol, 0]);
        fragment.extend((piece.offset | u16::from(piece.more)).to_be_bytes());
        fragment.extend(mark.to_be_bytes());
    }
    let mut header = vec![0x60, 0, 0, 0];
    header.extend(((fragment.len() + piece.length) as u16).to_be_bytes());
    header.extend([if fragment.is_empty() { protocol } else { FRAGMENT }, HOPS]);
    header.extend(source.octets());
    header.extend(to.octets());
    header.extend(fragment);
    header
}

/// The transport's header, the mark, and enough after it to be cut.
fn body(packet: &Packet, mark: u32) -> Vec<u8> {
    let mut payload = [MAGIC, mark.to_be_bytes()].concat();
    payload.extend([0x55; 32]);
    let ports = |from: u16, to: u16| [from.to_be_bytes(), to.to_be_bytes()].concat();
    let (mut body, at) = match packet.transport {
        Transport::Tcp { from, to } => {
            // A SYN.
            let rest = [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0];
            ([ports(from, to), rest.to_vec()].concat(), Some(16))
        }
        Transport::Udp { from, to } => {
            let length = (8 + payload.len()) as u16;
            ([ports(from, to), length.to_be_bytes().to_vec(), vec![0, 0]].concat(), Some(6))
        }
        Transport::Icmp { kind, code } | Transport::Icmp6 { kind, code } => {
            let id = (mark as u16).to_be_bytes();
            (vec![kind, code, 0, 0, id[0], id[1], 0, 1], Some(2))
        }
        // No kernel translates a version of GRE that it does not know: version 0, of IPv4 (RFC 2784, 2.1).
        Transport::Other(GRE) => (vec![0, 0, 8, 0], None),
        Transport::Other(_) => (Vec::new(), None),
    };
    body.extend(payload);
    if let Some(at) = at {
        let sum = checksum(&body, pseudo(packet, body.len()));
        body[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    body
}

/// What checksums count beside their own bytes: those of IPv4's ICMP nothing.
fn pseudo(packet: &Packet, length: usize) -> u32 {
    if matches!(packet.transport, Transport::Icmp { .. }) {
        return 0;
    }
    let sum = |ip: IpAddr| -> u32 {
        let octets = match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        octets.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum()
    };
    sum(packet.source) + sum(packet.destination) + u32::from(packet.transport.protocol()) + length as u32
}

fn checksum(bytes: &[u8], start: u32) -> u16 {
    let words = bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0)));
    let mut sum: u32 = start + words.sum::<u32>();
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The mark of a frame, what it looks like and whose it is; `None` for all that is not ours, and later fragments.
pub fn read(frame: &[u8]) -> Option<(u32, Packet, MacAddr)> {
    let ip = frame.get(ETHER..)?;
    let (source, destination, protocol, body) = match frame.get(12..14)? {
        [8, 0] => read4(ip)?,
        [0x86, 0xdd] => read6(ip)?,
        _ => return None,
    };
    let port = |at: usize| Some(u16::from_be_bytes(*body.get(at..at + 2)?.first_chunk()?));
    let (kind, code) = (body.first().copied(), body.get(1).copied());
    let (transport, header) = match (protocol, source) {
        (6, _) => (Transport::Tcp { from: port(0)?, to: port(2)? }, 20),
        (17, _) => (Transport::Udp { from: port(0)?, to: port(2)? }, 8),
        (1, IpAddr::V4(_)) => (Transport::Icmp { kind: kind?, code: code? }, 8),
        (58, IpAddr::V6(_)) => (Transport::Icmp6 { kind: kind?, code: code? }, 8),
        (GRE, _) => (Transport::Other(GRE), 4),
        (number, _) => (Transport::Other(number), 0),
    };
    let payload = body.get(header..header + 8)?;
    let mark = u32::from_be_bytes(*payload.strip_prefix(&MAGIC)?.first_chunk()?);
    let from = MacAddr(*frame.get(6..12)?.first_chunk()?);
    Some((mark, Packet { source, destination, transport }, from))
}

/// Both ends, the transport's protocol, and what it carries.
type Read<'a> = (IpAddr, IpAddr, u8, &'a [u8]);

fn read4(ip: &[u8]) -> Option<Read<'_>> {
    if ip.first()? != &0x45 || u16::from_be_bytes([*ip.get(6)?, *ip.get(7)?]) & 0x1fff != 0 {
        return None;
    }
    let octets = |at: usize| Some(IpAddr::from(*ip.get(at..at + 4)?.first_chunk::<4>()?));
    Some((octets(12)?, octets(16)?, *ip.get(9)?, ip.get(IP..)?))
}

fn read6(ip: &[u8]) -> Option<Read<'_>> {
    let octets = |at: usize| Some(IpAddr::from(*ip.get(at..at + 16)?.first_chunk::<16>()?));
    let (source, to, next, body) = (octets(8)?, octets(24)?, *ip.get(6)?, ip.get(IP6..)?);
    if next != FRAGMENT {
        return Some((source, to, next, body));
    }
    let first = u16::from_be_bytes([*body.get(2)?, *body.get(3)?]) < 8;
    first.then_some((source, to, *body.first()?, body.get(8..)?))
}
