//! Netlink messages, one behind the other, and the attributes in them.

use super::super::nfnetlink::write;

const REQUEST: u16 = 1;
const ACK: u16 = 4;
/// NFNL_SUBSYS_NFTABLES.
const NFTABLES: u8 = 10;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NESTED: u16 = 0x8000;

/// Messages that are to be one transaction.
#[derive(Default)]
pub struct Messages {
    bytes: Vec<u8>,
    /// Where each message begins; its number on the wire is one more, for the first is the batch's own.
    begins: Vec<usize>,
}

impl Messages {
    pub fn is_empty(&self) -> bool {
        self.begins.is_empty()
    }

    /// In bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// One message to nf_tables.
    pub fn push(&mut self, kind: u8, flags: u16, family: u8, fill: impl FnOnce(&mut Vec<u8>)) {
        self.begins.push(self.bytes.len());
        let (kind, number) = (u16::from(NFTABLES) << 8 | u16::from(kind), self.begins.len() as u32);
        message(&mut self.bytes, kind, flags, number, [family, 0, 0, 0], fill);
    }

    /// The batch, and the number of the message that is answered where everything before it was well.
    pub fn batch(&self) -> (Vec<u8>, u32) {
        let mut out = Vec::with_capacity(self.bytes.len() + 64);
        message(&mut out, BATCH_BEGIN, 0, 0, [0, 0, 0, NFTABLES], |_| {});
        let last = out.len() + self.begins.last().copied().unwrap_or_default();
        out.extend(&self.bytes);
        if let Some(flags) = out.get_mut(last + 6..last + 8) {
            let asked = u16::from_ne_bytes([flags[0], flags[1]]) | ACK;
            flags.copy_from_slice(&asked.to_ne_bytes());
        }
        let number = self.begins.len() as u32;
        message(&mut out, BATCH_END, 0, number + 1, [0, 0, 0, NFTABLES], |_| {});
        (out, number)
    }

    /// The message of a number.
    pub fn numbered(&self, number: u32) -> Option<&[u8]> {
        let begin = *self.begins.get((number as usize).checked_sub(1)?)?;
        self.bytes.get(begin..)
    }
}

fn message(
    out: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    number: u32,
    header: [u8; 4],
    fill: impl FnOnce(&mut Vec<u8>),
) {
    let begin = out.len();
    out.extend([0; 4]);
    out.extend(kind.to_ne_bytes());
    out.extend((REQUEST | flags).to_ne_bytes());
    out.extend(number.to_ne_bytes());
    out.extend([0; 4]);
    out.extend(header);
    fill(out);
    let length = (out.len() - begin) as u32;
    out[begin..begin + 4].copy_from_slice(&length.to_ne_bytes());
}

/// An attribute that holds others.
pub fn nest(out: &mut Vec<u8>, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    let begin = out.len();
    out.extend([0; 2]);
    out.extend((kind | NESTED).to_ne_bytes());
    fill(out);
    let length = (out.len() - begin) as u16;
    out[begin..begin + 2].copy_from_slice(&length.to_ne_bytes());
}

/// A number in the network's order.
pub fn be32(out: &mut Vec<u8>, kind: u16, number: u32) {
    write(out, kind, &number.to_be_bytes());
}

/// A string with its end.
pub fn text(out: &mut Vec<u8>, kind: u16, text: &str) {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    write(out, kind, &bytes);
}
