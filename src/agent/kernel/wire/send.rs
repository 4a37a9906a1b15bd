//! Hands a batch to the kernel and hears what came of it.

use std::io;
use std::os::fd::AsFd;

use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};

use super::super::nfnetlink::{HEADER, attribute, header};
use super::Batch;

const NETLINK_NETFILTER: isize = 12;
const NLMSG_ERROR: u16 = 2;
/// The family header of netfilter's messages (nfgenmsg).
const FAMILY_HEADER: usize = 4;
/// What a socket takes at once without being asked for more, and some.
const AT_ONCE: usize = 128 * 1024;

/// Why a batch was not carried out. The kernel then has what it had before.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("cannot talk to nf_tables: {0}")]
    Talk(#[from] io::Error),
    #[error("nf_tables refused {what}: {why}")]
    Refused { what: String, why: io::Error },
    #[error("rules that cannot be written: {0}")]
    Unsayable(String),
}

/// A socket to nf_tables in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Wire {
    socket: Socket,
}

impl Wire {
    /// # Errors
    /// What the kernel says.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        Ok(Self { socket })
    }

    /// Carries out a batch: all of it, or nothing.
    ///
    /// # Errors
    /// The first of what the kernel refused.
    pub fn carry_out(&mut self, batch: &Batch) -> Result<(), Failed> {
        if let Some(problem) = &batch.unsayable {
            return Err(Failed::Unsayable(problem.clone()));
        }
        if batch.messages.is_empty() {
            return Ok(());
        }
        let (bytes, last) = batch.messages.batch();
        if bytes.len() > AT_ONCE {
            // As `nft` does it; needs CAP_NET_ADMIN, as everything here does.
            setsockopt(&self.socket.as_fd(), sockopt::SndBufForce, &(2 * bytes.len()))
                .map_err(io::Error::from)?;
        }
        self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
        self.heard(batch, last)
    }

    /// The kernel has answered when the sending returns: what is not there by then does not come.
    fn heard(&mut self, batch: &Batch, last: u32) -> Result<(), Failed> {
        let (mut done, mut refused) = (false, None);
        loop {
            let datagram = match self.socket.recv_from_full() {
                Ok((datagram, _)) => datagram,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    // So many complaints that the last ones were lost: those that are there come next.
                    let lost = error.raw_os_error() == Some(nix::libc::ENOBUFS);
                    refused.get_or_insert(Failed::Talk(error));
                    if lost {
                        continue;
                    }
                    break;
                }
            };
            let Some((_, NLMSG_ERROR, _, number)) = header(&datagram) else { continue };
            let code = datagram.get(HEADER..).and_then(|body| body.first_chunk());
            match code.map_or(0, |bytes| i32::from_ne_bytes(*bytes)) {
                0 => done |= number == last,
                code => {
                    let (what, why) = (describe(batch, number), io::Error::from_raw_os_error(-code));
                    refused.get_or_insert(Failed::Refused { what, why });
                }
            }
        }
        match refused {
            Some(failed) => Err(failed),
            None if done => Ok(()),
            None => Err(Failed::Talk(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

/// What a message was about, for people.
fn describe(batch: &Batch, number: u32) -> String {
    let Some(message) = batch.messages.numbered(number) else { return "the transaction".into() };
    let Some((length, kind, ..)) = header(message) else { return "a message".into() };
    let (verb, what, name) = match kind & 0xff {
        0 => ("add", "table", 1),
        2 => ("delete", "table", 1),
        3 => ("add", "chain", 3),
        5 => ("delete", "chain", 3),
        6 => ("add", "a rule of chain", 2),
        8 => ("flush", "chain", 2),
        9 => ("add", "set", 2),
        11 => ("delete", "set", 2),
        12 => ("add", "elements of set", 2),
        14 => ("delete", "elements of set", 2),
        _ => ("do", "message", 1),
    };
    let body = message.get(HEADER + FAMILY_HEADER..length).unwrap_or_default();
    let name = attribute(body, name).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    format!("to {verb} {what} {}", name.unwrap_or_default().trim_end_matches('\0'))
}
