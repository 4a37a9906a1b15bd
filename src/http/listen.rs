//! The listening socket: bound here, or handed over by whoever started the process.
//!
//! systemd's socket activation (`LISTEN_FDS=1`, descriptor 3; sd_listen_fds(3)) is also how a lab
//! gives a server in a network namespace of its own a socket on the machine's loopback.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Where inherited descriptors begin, by sd_listen_fds(3).
const FIRST_INHERITED: RawFd = 3;
const BACKLOG: i32 = 1024;

/// There is nothing to listen on.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("cannot listen on {address}: {source}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("LISTEN_FDS={0}: exactly one listening socket can be handed over")]
    Count(String),
    #[error("LISTEN_FDS=1, but descriptor 3 is not a listening TCP socket")]
    NotListening,
    #[error("cannot prepare the listening socket: {0}")]
    Prepare(#[from] io::Error),
}

/// The inherited socket if there is one, else a new one on `address`.
pub(super) fn inherited_or_bound(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let listener = match inherited()? {
        Some(listener) => listener,
        None => bind(address).map_err(|source| ListenError::Bind { address, source })?,
    };
    listener.set_nonblocking(true)?;
    Ok(listener)
}

pub(super) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the last run's connections in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Whether LISTEN_FDS and LISTEN_PID speak to this process; LISTEN_PID may be absent.
fn is_for_us(count: Option<&str>, pid: Option<&str>, own_pid: u32) -> Result<bool, ListenError> {
    match count {
        None | Some("" | "0") => Ok(false),
        Some(_) if pid.is_some_and(|pid| pid != own_pid.to_string()) => Ok(false),
        Some("1") => Ok(true),
        Some(other) => Err(ListenError::Count(other.to_owned())),
    }
}

fn inherited() -> Result<Option<TcpListener>, ListenError> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let variable = |name| std::env::var(name).ok();
    let (count, pid) = (variable("LISTEN_FDS"), variable("LISTEN_PID"));
    if !is_for_us(count.as_deref(), pid.as_deref(), std::process::id())? || TAKEN.swap(true, Ordering::SeqCst)
    {
        return Ok(None);
    }
    // F_GETFD on a number needs no ownership: it tells whether the descriptor is open at all.
    // SAFETY: fcntl with F_GETFD takes an integer and touches no memory.
    #[allow(unsafe_code)]
    let open = unsafe { nix::libc::fcntl(FIRST_INHERITED, nix::libc::F_GETFD) } >= 0;
    if !open {
        return Err(ListenError::NotListening);
    }
    // SAFETY: descriptor 3 is open, was given to this process by LISTEN_FDS, and TAKEN lets only
    // one caller ever come here, so that nothing else in the process owns it.
    #[allow(unsafe_code)]
    let socket = Socket::from(unsafe { OwnedFd::from_raw_fd(FIRST_INHERITED) });
    adopt(socket).map(Some)
}

fn adopt(socket: Socket) -> Result<TcpListener, ListenError> {
    let listening = SockRef::from(&socket).is_listener().unwrap_or(false);
    let inet = socket.local_addr().is_ok_and(|address| address.as_socket().is_some());
    if !listening || !inet {
        return Err(ListenError::NotListening);
    }
    // Instances and helpers must not inherit the API's socket.
    socket.set_cloexec(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_socket_for_this_process_counts() {
        for (count, pid, wanted) in [
            (None, None, false),
            (Some("0"), Some("7"), false),
            (Some("1"), None, true),
            (Some("1"), Some("7"), true),
            (Some("1"), Some("8"), false),
        ] {
            assert_eq!(is_for_us(count, pid, 7).unwrap(), wanted, "{count:?} {pid:?}");
        }
        assert!(is_for_us(Some("2"), None, 7).is_err());
    }

    #[test]
    fn only_a_listening_tcp_socket_is_adopted() {
        let listening = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listening.local_addr().unwrap();
        assert_eq!(adopt(listening.into()).unwrap().local_addr().unwrap(), address);
        let udp = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        assert!(matches!(adopt(udp), Err(ListenError::NotListening)));
        let idle = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        assert!(matches!(adopt(idle), Err(ListenError::NotListening)));
    }
}
