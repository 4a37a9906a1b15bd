//! Frames as they are on the wire, with a mark by which each is known again.

use std::net::Ipv4Addr;

use fogbank::types::MacAddr;
use fogbank::verdict::{Packet, Transport};

const ETHER: usize = 14;
const IP: usize = 20;
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
        let mut frame = [&to.0[..], &from.0, &[8, 0]].concat();
        frame.extend(header(packet, part.len(), mark as u16, (offset / 8) as u16 | u16::from(more) << 13));
        frame.extend(part);
        frame
    };
    pieces.into_iter().map(frame).collect()
}

fn header(packet: &Packet, length: usize, id: u16, fragment: u16) -> [u8; IP] {
    let mut header = [0; IP];
    header[0] = 0x45;
    header[2..4].copy_from_slice(&((IP + length) as u16).to_be_bytes());
    header[4..6].copy_from_slice(&id.to_be_bytes());
    header[6..8].copy_from_slice(&fragment.to_be_bytes());
    header[8] = 64;
    header[9] = packet.transport.protocol();
    header[12..16].copy_from_slice(&packet.source.octets());
    header[16..20].copy_from_slice(&packet.destination.octets());
    let sum = checksum(&header, 0);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
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
        Transport::Icmp { kind, code } => {
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

/// What the checksums of TCP and UDP count beside their own bytes.
fn pseudo(packet: &Packet, length: usize) -> u32 {
    if matches!(packet.transport, Transport::Icmp { .. }) {
        return 0;
    }
    let half = |ip: Ipv4Addr| (ip.to_bits() >> 16) + (ip.to_bits() & 0xffff);
    half(packet.source) + half(packet.destination) + u32::from(packet.transport.protocol()) + length as u32
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
    if frame.get(12..14)? != [8, 0]
        || ip.first()? != &0x45
        || u16::from_be_bytes([ip[6], ip[7]]) & 0x1fff != 0
    {
        return None;
    }
    let octets = |at: usize| ip.get(at..at + 4)?.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets));
    let body = ip.get(IP..)?;
    let port = |at: usize| Some(u16::from_be_bytes(*body.get(at..at + 2)?.first_chunk()?));
    let (transport, header) = match ip[9] {
        6 => (Transport::Tcp { from: port(0)?, to: port(2)? }, 20),
        17 => (Transport::Udp { from: port(0)?, to: port(2)? }, 8),
        1 => (Transport::Icmp { kind: *body.first()?, code: *body.get(1)? }, 8),
        GRE => (Transport::Other(GRE), 4),
        number => (Transport::Other(number), 0),
    };
    let payload = body.get(header..header + 8)?;
    let mark = u32::from_be_bytes(*payload.strip_prefix(&MAGIC)?.first_chunk()?);
    let from = MacAddr(*frame.get(6..12)?.first_chunk()?);
    Some((mark, Packet { source: octets(12)?, destination: octets(16)?, transport }, from))
}
