//! A plain netlink socket to netfilter: connection tracking and the rules' generation.

use std::io;

use netlink_sys::{Socket, SocketAddr};

const NETLINK_NETFILTER: isize = 12;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// The length of a netlink message's header.
pub const HEADER: usize = 16;
/// The family header of netfilter's messages (nfgenmsg).
const FAMILY_HEADER: usize = 4;

/// A socket in the network namespace of the thread that opened it.
pub struct Nfnetlink {
    socket: Socket,
    sequence: u32,
}

impl Nfnetlink {
    /// Opens a socket for requests.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        Ok(Self { socket, sequence: 0 })
    }

    /// Asks once; what comes back are the attributes of each answer.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn ask(&mut self, kind: u16, family: u8, attributes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        self.exchange(kind, NLM_F_REQUEST | NLM_F_ACK, family, attributes)
    }

    /// Asks for everything of a kind.
    ///
    /// # Errors
    /// What the kernel says; `Interrupted` where the tables changed under the reading.
    pub fn dump(&mut self, kind: u16, family: u8, attributes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        self.exchange(kind, NLM_F_REQUEST | NLM_F_DUMP, family, attributes)
    }

    fn exchange(&mut self, kind: u16, flags: u16, family: u8, attributes: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        self.sequence = self.sequence.wrapping_add(1);
        let length = u32::try_from(HEADER + FAMILY_HEADER + attributes.len())
            .map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut message = Vec::with_capacity(length as usize);
        message.extend(length.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend([0; 4]);
        message.extend([family, 0, 0, 0]);
        message.extend(attributes);
        self.socket.send_to(&message, &SocketAddr::new(0, 0), 0)?;
        let mut answers = Vec::new();
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            if self.read(&datagram, &mut answers)? {
                return Ok(answers);
            }
        }
    }

    /// Whether the answer is complete.
    fn read(&self, datagram: &[u8], answers: &mut Vec<Vec<u8>>) -> io::Result<bool> {
        const INTERRUPTED: u16 = 0x10;
        let mut rest = datagram;
        while let Some((length, kind, flags, sequence)) = header(rest) {
            let Some(body) = rest.get(HEADER..length) else { break };
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            if sequence != self.sequence {
                continue;
            }
            if flags & INTERRUPTED != 0 && kind != NLMSG_ERROR {
                return Err(io::ErrorKind::Interrupted.into());
            }
            match kind {
                NLMSG_DONE => return Ok(true),
                NLMSG_ERROR => {
                    let code = body.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes));
                    return if code == 0 { Ok(true) } else { Err(io::Error::from_raw_os_error(-code)) };
                }
                _ => answers.extend(body.get(FAMILY_HEADER..).map(<[u8]>::to_vec)),
            }
        }
        Ok(false)
    }
}

/// Length, type, flags and sequence number of the message that begins here.
pub fn header(bytes: &[u8]) -> Option<(usize, u16, u16, u32)> {
    let length = u32::from_ne_bytes(*bytes.first_chunk()?) as usize;
    let kind = u16::from_ne_bytes(*bytes.get(4..)?.first_chunk()?);
    let flags = u16::from_ne_bytes(*bytes.get(6..)?.first_chunk()?);
    let sequence = u32::from_ne_bytes(*bytes.get(8..)?.first_chunk()?);
    (length >= HEADER).then_some((length, kind, flags, sequence))
}

/// The attributes in a message or in a nested attribute: type without flags, whole, payload.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8], &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(*bytes.first_chunk()?));
        let kind = u16::from_ne_bytes(*bytes.get(2..)?.first_chunk()?) & 0x3fff;
        let whole = bytes.get(..length).filter(|whole| whole.len() >= 4)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, whole, &whole[4..]))
    })
}

/// The payload of the first attribute of a type.
pub fn attribute(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(found, ..)| *found == kind).map(|(_, _, payload)| payload)
}

/// Writes an attribute with its padding.
pub fn write(out: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    let length = u16::try_from(4 + payload.len()).unwrap_or(u16::MAX);
    out.extend(length.to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(payload);
    out.resize(out.len().next_multiple_of(4), 0);
}
