//! A rule as the expressions of nf_tables: what is loaded into registers, compared there, and done.

use super::super::model::*;
use super::super::nfnetlink::write;
use super::kinds::Kind;
use super::message::{be32, nest, text};
use super::verdict;

/// NFT_REG_VERDICT, and the first of the registers of 32 bits (NFT_REG32_00).
const VERDICT_REGISTER: u32 = 0;
const FIRST: u32 = 8;
/// Where a port is put beside an address: behind the registers that an address may fill.
const BESIDE: u32 = FIRST + 4;

/// NFT_CMP_*, and NFT_RANGE_NEQ.
const EQUAL: u32 = 0;
const UNEQUAL: u32 = 1;
const AT_MOST: u32 = 3;
const AT_LEAST: u32 = 5;
const OUTSIDE: u32 = 1;

/// NFT_META_*.
const MARK: u32 = 3;
const IN_NAME: u32 = 6;
const OUT_NAME: u32 = 7;
const IN_TYPE: u32 = 8;
const VERSION: u32 = 15;
const PROTOCOL: u32 = 16;
/// ARPHRD_ETHER, in the host's order.
const ETHERNET: u16 = 1;
const IPV4: u8 = 2;

/// NFT_PAYLOAD_*_HEADER.
const LINK: u32 = 0;
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

/// NFT_CT_*.
const STATE: u32 = 0;
const DIRECTION: u32 = 1;
const STATUS: u32 = 2;
const DESTINATION_IP: u32 = 20;
/// IPS_SRC_NAT and IPS_DST_NAT, which are bits 4 and 5 of a flow's status.
const SNAT: u32 = 1 << 4;
const DNAT: u32 = 1 << 5;

/// Makes a set of the rule's own: its name and number.
pub trait Anonymous: FnMut(Kind, &[(Value, Data)]) -> Result<(&'static str, u32), String> {}
impl<F: FnMut(Kind, &[(Value, Data)]) -> Result<(&'static str, u32), String>> Anonymous for F {}

/// The expressions of one rule, and what it has established about the packet.
pub struct Expressions<A> {
    out: Vec<u8>,
    anonymous: A,
    is_ipv4: bool,
    is_ethernet: bool,
    protocol: Option<u8>,
}

/// A set as a lookup names it.
enum Which<'a> {
    Named(&'a str),
    Anonymous(&'static str, u32),
}

impl<A: Anonymous> Expressions<A> {
    /// The bytes of a rule's expressions.
    ///
    /// # Errors
    /// What cannot be said so.
    pub fn of(rule: &Rule, family: Family, anonymous: A) -> Result<Vec<u8>, String> {
        let mut this = Self {
            out: Vec::with_capacity(256),
            anonymous,
            is_ipv4: family != Family::Inet,
            is_ethernet: false,
            protocol: None,
        };
        for condition in &rule.matches {
            this.condition(condition)?;
        }
        this.action(&rule.action)?;
        Ok(this.out)
    }

    fn push(&mut self, name: &str, fill: impl FnOnce(&mut Vec<u8>)) {
        nest(&mut self.out, 1, |out| {
            text(out, 1, name);
            nest(out, 2, fill);
        });
    }

    fn compare(&mut self, operator: u32, bytes: &[u8]) {
        self.push("cmp", |out| {
            be32(out, 1, FIRST);
            be32(out, 2, operator);
            nest(out, 3, |out| write(out, 1, bytes));
        });
    }

    fn meta(&mut self, key: u32, register: u32) {
        self.push("meta", |out| {
            be32(out, 2, key);
            be32(out, 1, register);
        });
    }

    fn payload(&mut self, base: u32, offset: u32, length: usize, register: u32) {
        self.push("payload", |out| {
            be32(out, 1, register);
            be32(out, 2, base);
            be32(out, 3, offset);
            be32(out, 4, length as u32);
        });
    }

    fn ct(&mut self, key: u32, direction: Option<u8>, register: u32) {
        self.push("ct", |out| {
            be32(out, 2, key);
            be32(out, 1, register);
            if let Some(direction) = direction {
                write(out, 3, &[direction]);
            }
        });
    }

    /// What must be so of a packet for the field to be there, where the rule has not said it yet.
    fn require(&mut self, field: Field) {
        let ipv4 = matches!(field, Field::Source | Field::Destination | Field::IcmpType | Field::IcmpCode);
        if ipv4 && !self.is_ipv4 {
            self.meta(VERSION, FIRST);
            self.compare(EQUAL, &[IPV4]);
            self.is_ipv4 = true;
        }
        if field == Field::EtherSource && !self.is_ethernet {
            self.meta(IN_TYPE, FIRST);
            self.compare(EQUAL, &ETHERNET.to_ne_bytes());
            self.is_ethernet = true;
        }
        let protocol = match field {
            Field::TcpDestPort => Some(6),
            Field::UdpDestPort | Field::UdpSourcePort => Some(17),
            Field::IcmpType | Field::IcmpCode => Some(1),
            Field::Icmp6Type | Field::Icmp6Code => Some(58),
            _ => None,
        };
        if let Some(number) = protocol.filter(|number| self.protocol != Some(*number)) {
            self.meta(PROTOCOL, FIRST);
            self.compare(EQUAL, &[number]);
            self.protocol = Some(number);
        }
    }

    /// Loads a field into the registers from this one on.
    fn load(&mut self, field: Field, register: u32) {
        let length = Kind::of(field).length();
        match field {
            Field::InInterface => self.meta(IN_NAME, register),
            Field::OutInterface => self.meta(OUT_NAME, register),
            Field::IpVersion => self.meta(VERSION, register),
            Field::Protocol => self.meta(PROTOCOL, register),
            Field::Mark => self.meta(MARK, register),
            Field::EtherSource => self.payload(LINK, 6, length, register),
            Field::Source => self.payload(NETWORK, 12, length, register),
            Field::Destination => self.payload(NETWORK, 16, length, register),
            Field::Source6 => self.payload(NETWORK, 8, length, register),
            Field::Destination6 => self.payload(NETWORK, 24, length, register),
            Field::ArpSenderMac => self.payload(NETWORK, 8, length, register),
            Field::ArpSenderAddress => self.payload(NETWORK, 14, length, register),
            Field::UdpSourcePort => self.payload(TRANSPORT, 0, length, register),
            Field::AnyDestPort | Field::TcpDestPort | Field::UdpDestPort => {
                self.payload(TRANSPORT, 2, length, register)
            }
            Field::IcmpType | Field::Icmp6Type => self.payload(TRANSPORT, 0, length, register),
            Field::IcmpCode | Field::Icmp6Code => self.payload(TRANSPORT, 1, length, register),
            Field::CtState => self.ct(STATE, None, register),
            Field::CtDirection => self.ct(DIRECTION, None, register),
            // The flow's destination as the answers have it.
            Field::AnsweredAt => self.ct(DESTINATION_IP, Some(1), register),
            Field::SourceKind => self.push("fib", |out| {
                const ADDRESS_TYPE: u32 = 3;
                const OF_SOURCE: u32 = 1;
                be32(out, 1, register);
                be32(out, 2, ADDRESS_TYPE);
                be32(out, 3, OF_SOURCE);
            }),
            Field::NextHop => self.push("rt", |out| {
                be32(out, 1, register);
                be32(out, 2, 1);
            }),
        }
    }

    /// Loads the fields one behind the other, each from a register of 32 bits on.
    fn load_all(&mut self, fields: &[Field]) {
        fields.iter().for_each(|field| self.require(*field));
        let mut register = FIRST;
        for field in fields {
            self.load(*field, register);
            register += Kind::of(*field).length().div_ceil(4) as u32;
        }
    }

    fn lookup(&mut self, set: &Which<'_>, inverted: bool, into: Option<u32>) {
        self.push("lookup", |out| {
            let (Which::Named(name) | Which::Anonymous(name, _)) = set;
            text(out, 1, name);
            be32(out, 2, FIRST);
            if let Some(register) = into {
                be32(out, 3, register);
            }
            if let Which::Anonymous(_, number) = set {
                be32(out, 4, *number);
            }
            if inverted {
                be32(out, 5, 1);
            }
        });
    }

    fn condition(&mut self, condition: &Match) -> Result<(), String> {
        match condition {
            Match::Fields(fields, is, Right::Set(name)) => {
                self.load_all(fields);
                self.lookup(&Which::Named(name), !is, None);
            }
            Match::Fields(fields, is, right) => {
                let [field] = fields[..] else { return Err(format!("{fields:?} with no set")) };
                self.load_all(fields);
                let values = if let Right::OneOf(values) = right { &values[..] } else { &[] };
                if let (Right::Is(value), _) | (_, [value]) = (right, values) {
                    return self.is(Kind::of(field), *is, value);
                }
                let list: Vec<_> = values.iter().map(|one| (one.clone(), Data::Nothing)).collect();
                let (name, number) = (self.anonymous)(Kind::of(field), &list)?;
                self.lookup(&Which::Anonymous(name, number), !is, None);
            }
            Match::Dnat(set) => self.status(DNAT, *set),
            Match::Snat(set) => self.status(SNAT, *set),
            Match::Oftener(rate) => self.push("limit", |out| {
                const EACH_SECOND: u64 = 1;
                const OVER: u32 = 1;
                write(out, 1, &u64::from(*rate).to_be_bytes());
                write(out, 2, &EACH_SECOND.to_be_bytes());
                be32(out, 3, 2 * rate);
                be32(out, 4, 0);
                be32(out, 5, OVER);
            }),
        }
        Ok(())
    }

    /// What was loaded is, or is not, a value.
    fn is(&mut self, kind: Kind, is: bool, value: &Value) -> Result<(), String> {
        if let Value::Interface(name) = value
            && let Some(beginning) = name.strip_suffix('*')
        {
            self.compare(if is { EQUAL } else { UNEQUAL }, beginning.as_bytes());
            return Ok(());
        }
        let (low, high) = kind.bounds(value)?;
        if let Value::Block6(block) = value {
            self.mask(&(!0u128).checked_shl(128 - u32::from(block.prefix_len())).unwrap_or(0).to_be_bytes());
            self.compare(if is { EQUAL } else { UNEQUAL }, &low);
        } else if low == high {
            self.compare(if is { EQUAL } else { UNEQUAL }, &low);
        } else if is {
            self.compare(AT_LEAST, &low);
            self.compare(AT_MOST, &high);
        } else {
            self.push("range", |out| {
                be32(out, 1, FIRST);
                be32(out, 2, OUTSIDE);
                nest(out, 3, |out| write(out, 1, &low));
                nest(out, 4, |out| write(out, 1, &high));
            });
        }
        Ok(())
    }

    /// Keeps these bits of what was loaded.
    fn mask(&mut self, bits: &[u8]) {
        self.push("bitwise", |out| {
            be32(out, 1, FIRST);
            be32(out, 2, FIRST);
            be32(out, 3, bits.len() as u32);
            nest(out, 4, |out| write(out, 1, bits));
            nest(out, 5, |out| write(out, 1, &vec![0; bits.len()]));
        });
    }

    /// Whether a bit of the flow's status is set.
    fn status(&mut self, bit: u32, set: bool) {
        self.ct(STATUS, None, FIRST);
        self.mask(&bit.to_ne_bytes());
        self.compare(if set { UNEQUAL } else { EQUAL }, &0u32.to_ne_bytes());
    }

    fn action(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Verdict(is) => self.push("immediate", |out| {
                be32(out, 1, VERDICT_REGISTER);
                nest(out, 2, |out| verdict(out, is));
            }),
            Action::Dispatch(key, map) => {
                self.load_all(&[*key]);
                self.lookup(&Which::Named(map), false, Some(VERDICT_REGISTER));
            }
            Action::Choose(key, choices) => {
                self.load_all(&[*key]);
                let list: Vec<_> =
                    choices.iter().map(|(is, then)| (is.clone(), Data::Verdict(then.clone()))).collect();
                let (name, number) = (self.anonymous)(Kind::of(*key), &list)?;
                self.lookup(&Which::Anonymous(name, number), false, Some(VERDICT_REGISTER));
            }
            Action::Snat(to) => self.nat(0, to, None),
            Action::Dnat(to, port) => self.nat(1, to, *port),
            Action::Mark(key, map) => {
                self.load_all(&[*key]);
                self.lookup(&Which::Named(map), false, Some(FIRST));
                self.mark();
            }
            Action::MarkAs(mark) => {
                self.immediate(FIRST, &mark.to_ne_bytes());
                self.mark();
            }
        }
        Ok(())
    }

    /// The packet's mark becomes what was loaded.
    fn mark(&mut self) {
        self.push("meta", |out| {
            be32(out, 2, MARK);
            be32(out, 3, FIRST);
        });
    }

    fn immediate(&mut self, register: u32, bytes: &[u8]) {
        self.push("immediate", |out| {
            be32(out, 1, register);
            nest(out, 2, |out| write(out, 1, bytes));
        });
    }

    /// NFT_NAT_SNAT is 0, NFT_NAT_DNAT 1.
    fn nat(&mut self, kind: u32, to: &Target, port: Option<u16>) {
        match to {
            Target::Address(address) => self.immediate(FIRST, &address.octets()),
            Target::Map(key, map) => {
                self.load_all(&[*key]);
                self.lookup(&Which::Named(map), false, Some(FIRST));
            }
        }
        if let Some(port) = port {
            self.immediate(BESIDE, &port.to_be_bytes());
        }
        self.push("nat", |out| {
            be32(out, 1, kind);
            be32(out, 2, IPV4.into());
            be32(out, 3, FIRST);
            if port.is_some() {
                be32(out, 5, BESIDE);
            }
        });
    }
}
