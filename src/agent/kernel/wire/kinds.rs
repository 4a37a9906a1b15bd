//! The data types of keys: how long they are, how a value looks, and the number by which `nft` tells them apart.

use super::super::model::{Field, Value};

/// A type of data in nftables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Version,
    Address,
    Address6,
    Mac,
    Protocol,
    Port,
    IcmpType,
    IcmpCode,
    Icmp6Type,
    Icmp6Code,
    Mark,
    CtState,
    CtDirection,
    AddressType,
    Interface,
}

impl Kind {
    /// In bytes.
    pub fn length(self) -> usize {
        match self {
            Self::Version | Self::Protocol | Self::CtDirection => 1,
            Self::IcmpType | Self::IcmpCode | Self::Icmp6Type | Self::Icmp6Code => 1,
            Self::Port => 2,
            Self::Address | Self::Mark | Self::CtState | Self::AddressType => 4,
            Self::Mac => 6,
            Self::Address6 | Self::Interface => 16,
        }
    }

    /// `enum datatypes` of nftables: for the kernel a label, for `nft list` the type.
    fn number(self) -> u32 {
        match self {
            Self::Version => 2,
            Self::Address => 7,
            Self::Address6 => 8,
            Self::Mac => 9,
            Self::Protocol => 12,
            Self::Port => 13,
            Self::IcmpType => 14,
            Self::Mark => 19,
            Self::CtState => 26,
            Self::CtDirection => 27,
            Self::Icmp6Type => 29,
            Self::IcmpCode => 32,
            Self::Icmp6Code => 33,
            Self::AddressType => 38,
            Self::Interface => 41,
        }
    }

    /// `enum byteorder` of nftables: 1 for the host's, 2 for the network's.
    pub fn byte_order(self) -> u32 {
        match self {
            Self::Interface | Self::Mark | Self::CtState | Self::AddressType => 1,
            _ => 2,
        }
    }

    /// Of what is read from a packet.
    pub fn of(field: Field) -> Self {
        match field {
            Field::InInterface | Field::OutInterface => Self::Interface,
            Field::EtherSource | Field::ArpSenderMac => Self::Mac,
            Field::Source | Field::Destination | Field::ArpSenderAddress => Self::Address,
            Field::NextHop | Field::AnsweredAt => Self::Address,
            Field::Source6 | Field::Destination6 => Self::Address6,
            Field::Protocol => Self::Protocol,
            Field::AnyDestPort | Field::TcpDestPort | Field::UdpDestPort | Field::UdpSourcePort => Self::Port,
            Field::IcmpType => Self::IcmpType,
            Field::IcmpCode => Self::IcmpCode,
            Field::Icmp6Type => Self::Icmp6Type,
            Field::Icmp6Code => Self::Icmp6Code,
            Field::IpVersion => Self::Version,
            Field::CtState => Self::CtState,
            Field::CtDirection => Self::CtDirection,
            Field::SourceKind => Self::AddressType,
            Field::Mark => Self::Mark,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ifname" => Self::Interface,
            "ether_addr" => Self::Mac,
            "ipv4_addr" => Self::Address,
            "ipv6_addr" => Self::Address6,
            "inet_proto" => Self::Protocol,
            "inet_service" => Self::Port,
            "icmp_type" => Self::IcmpType,
            "icmp_code" => Self::IcmpCode,
            "icmpv6_type" => Self::Icmp6Type,
            "icmpv6_code" => Self::Icmp6Code,
            "mark" => Self::Mark,
            _ => return None,
        })
    }

    /// The number as this type has it in a packet or a register.
    fn bytes(self, number: u32) -> Option<Vec<u8>> {
        match self.length() {
            1 => Some(vec![u8::try_from(number).ok()?]),
            2 => Some(u16::try_from(number).ok()?.to_be_bytes().to_vec()),
            4 if self != Self::Address => Some(number.to_ne_bytes().to_vec()),
            _ => None,
        }
    }

    /// The first and the last of what a value stands for.
    ///
    /// # Errors
    /// A value of another type, or out of this one's range.
    pub fn bounds(self, value: &Value) -> Result<(Vec<u8>, Vec<u8>), String> {
        let both = |bytes: Vec<u8>| (bytes.clone(), bytes);
        let bounds = match (self, value) {
            (Self::Interface, Value::Interface(name)) => interface(name).map(both),
            (Self::Mac, Value::Mac(mac)) => Some(both(mac.0.to_vec())),
            (Self::Address, Value::Address(address)) => Some(both(address.octets().to_vec())),
            (Self::Address, Value::Addresses(range)) => {
                Some((range.first().octets().to_vec(), range.last().octets().to_vec()))
            }
            (Self::Address6, Value::Address6(address)) => Some(both(address.octets().to_vec())),
            (Self::Address6, Value::Block6(block)) => {
                Some((block.network().octets().to_vec(), block.last().octets().to_vec()))
            }
            (kind, Value::Number(number)) => kind.bytes(*number).map(both),
            (kind, Value::Numbers(from, to)) => kind.bytes(*from).zip(kind.bytes(*to)),
            (kind, Value::Word(word)) => {
                number_of(kind, word).and_then(|number| kind.bytes(number)).map(both)
            }
            _ => None,
        };
        bounds.ok_or_else(|| format!("{value:?} is no {self:?}"))
    }
}

/// The words of nftables that we use: NFPROTO_*, NF_CT_STATE_BIT, IP_CT_DIR_*, RTN_*.
fn number_of(kind: Kind, word: &str) -> Option<u32> {
    Some(match (kind, word) {
        (Kind::Version, "ipv4") => 2,
        (Kind::Version, "ipv6") => 10,
        (Kind::CtState, "invalid") => 1,
        (Kind::CtState, "established") => 2,
        (Kind::CtState, "related") => 4,
        (Kind::CtState, "new") => 8,
        (Kind::CtDirection, "original") => 0,
        (Kind::CtDirection, "reply") => 1,
        (Kind::AddressType, "local") => 2,
        _ => return None,
    })
}

/// A whole name, which fills its field; one that ends in `*` is no key.
fn interface(name: &str) -> Option<Vec<u8>> {
    let mut bytes = name.as_bytes().to_vec();
    (bytes.len() < 16 && !name.ends_with('*')).then(|| {
        bytes.resize(16, 0);
        bytes
    })
}

/// The types of a set's key, by the names that `nft` has for them.
///
/// # Errors
/// A name that is not known here.
pub fn named(names: &[&str]) -> Result<Vec<Kind>, String> {
    names.iter().map(|name| Kind::named(name).ok_or_else(|| format!("no type {name}"))).collect()
}

/// A concatenation's number holds six bits of each part's.
pub fn type_number(kinds: &[Kind]) -> u32 {
    kinds.iter().fold(0, |number, kind| number << 6 | kind.number())
}

/// The length of a key: each part of a concatenation fills whole registers of 32 bits.
pub fn length(kinds: &[Kind]) -> usize {
    match kinds {
        [one] => one.length(),
        several => several.iter().map(|kind| kind.length().next_multiple_of(4)).sum(),
    }
}

/// The first and the last key of a box.
///
/// # Errors
/// As [`Kind::bounds`]; and where the parts are too few or too many.
pub fn corners(kinds: &[Kind], key: &[Value]) -> Result<(Vec<u8>, Vec<u8>), String> {
    if kinds.len() != key.len() {
        return Err(format!("{key:?} has not {} parts", kinds.len()));
    }
    let (mut low, mut high) = (Vec::with_capacity(32), Vec::with_capacity(32));
    for (kind, part) in kinds.iter().zip(key) {
        let (from, to) = kind.bounds(part)?;
        low.extend(from);
        high.extend(to);
        if kinds.len() > 1 {
            low.resize(low.len().next_multiple_of(4), 0);
            high.resize(high.len().next_multiple_of(4), 0);
        }
    }
    Ok((low, high))
}
