//! Connection tracking: which packets belong to a flow, and what becomes of their addresses.

use fogbank::verdict::{Packet, Transport};

/// Both directions of a flow, as seen before any translation of theirs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    pub original: Packet,
    pub reply: Packet,
    pub dnat: bool,
    pub snat: bool,
    pub confirmed: bool,
}

/// What a packet is to the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    New,
    Invalid,
    /// Neighbour discovery, and who listens to multicast: connection tracking passes it by.
    Untracked,
    /// Of the flow with this number; whether in its first direction.
    Of(usize, bool),
    /// An error about a packet of that flow, which went in its first direction or in the other.
    About(usize, bool),
}

#[derive(Default, Debug)]
pub struct Conntrack(pub Vec<Flow>);

impl Conntrack {
    /// `about`: the packet that an ICMP error quotes.
    pub fn look(&self, packet: &Packet, about: Option<&Packet>) -> Known {
        if let Some(quoted) = about {
            // The error travels against the packet that it quotes.
            let about = |flow: &Flow| {
                let first = reversed(&flow.reply) == *quoted;
                (first || reversed(&flow.original) == *quoted).then_some(first)
            };
            let found = self.0.iter().enumerate().find_map(|(n, flow)| Some(Known::About(n, about(flow)?)));
            return found.unwrap_or(Known::Invalid);
        }
        if matches!(packet.transport, Transport::Icmp6 { kind: 130..=136 | 143, .. }) {
            return Known::Untracked;
        }
        match self.find(packet) {
            Some((flow, first)) => Known::Of(flow, first),
            None if packet.transport.begins_a_flow() => Known::New,
            None => Known::Invalid,
        }
    }

    fn find(&self, packet: &Packet) -> Option<(usize, bool)> {
        let flow = self.0.iter().position(|flow| flow.original == *packet || flow.reply == *packet)?;
        Some((flow, self.0[flow].original == *packet))
    }
}

/// The same flow's packet in the other direction.
pub fn reversed(packet: &Packet) -> Packet {
    let transport = match packet.transport {
        Transport::Tcp { from, to } => Transport::Tcp { from: to, to: from },
        Transport::Udp { from, to } => Transport::Udp { from: to, to: from },
        Transport::Icmp { kind, code } => {
            let answer = match kind {
                8 => 0,
                0 => 8,
                13 | 15 | 17 => kind + 1,
                14 | 16 | 18 => kind - 1,
                other => other,
            };
            Transport::Icmp { kind: answer, code }
        }
        Transport::Icmp6 { kind, code } => {
            let answer = match kind {
                128 | 139 => kind + 1,
                129 | 140 => kind - 1,
                other => other,
            };
            Transport::Icmp6 { kind: answer, code }
        }
        other @ Transport::Other(_) => other,
    };
    Packet { source: packet.destination, destination: packet.source, transport }
}

/// With another destination port, where there are ports.
pub fn to_port(transport: Transport, port: Option<u16>) -> Transport {
    match (transport, port) {
        (Transport::Tcp { from, .. }, Some(to)) => Transport::Tcp { from, to },
        (Transport::Udp { from, .. }, Some(to)) => Transport::Udp { from, to },
        (other, _) => other,
    }
}
