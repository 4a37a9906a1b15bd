//! Other names: the question goes to the host's resolvers as it is, and the answer comes back as it is.
//!
//! Only the id is replaced, by a random one of ours; each question has a socket of its own with a port that the
//! kernel chose, connected, so that nobody but the resolver can answer (RFC 5452).

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};

use crate::agent::config::HostConfig;

/// How long one resolver may take before the next is asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many resolvers are asked, as in resolv.conf(5).
const RESOLVERS: usize = 3;

const HEADER: usize = 12;

/// How a question came and its answer goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// An answer that is too long says so, and is asked for again by TCP.
    Udp,
    Tcp,
}

/// The resolvers of the configuration, else of the host; never ourselves.
pub fn resolvers(config: &HostConfig, gateways: &[Ipv4Addr]) -> Vec<SocketAddr> {
    let mut all = config.resolvers.clone();
    if all.is_empty() {
        // Read each time: DHCP clients and VPNs rewrite it.
        all = parse(&std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default());
    }
    all.retain(|resolver| !gateways.iter().any(|gateway| IpAddr::V4(*gateway) == resolver.ip()));
    all.truncate(RESOLVERS);
    all
}

fn parse(text: &str) -> Vec<SocketAddr> {
    let address = |line: &str| {
        let mut words = line.split_whitespace();
        let is_server = words.next() == Some("nameserver");
        is_server.then(|| words.next()?.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53))).flatten()
    };
    text.lines().filter_map(address).collect()
}

/// The first resolver's answer; `None` when none answers.
pub async fn forward(question: &[u8], resolvers: &[SocketAddr], way: Way) -> Option<Vec<u8>> {
    let own_id = question.first_chunk::<2>()?;
    for resolver in resolvers {
        let mut asked = question.to_vec();
        let mut id = [0; 2];
        getrandom::fill(&mut id).ok()?;
        asked.get_mut(..2)?.copy_from_slice(&id);
        let exchange = async {
            match way {
                Way::Udp => udp(&asked, *resolver).await,
                Way::Tcp => tcp(&asked, *resolver).await,
            }
        };
        match timeout(PATIENCE, exchange).await {
            Ok(Ok(mut reply)) => {
                reply.get_mut(..2)?.copy_from_slice(own_id);
                return Some(reply);
            }
            Ok(Err(error)) => tracing::debug!(%resolver, %error, "a resolver did not answer"),
            Err(_) => tracing::debug!(%resolver, "a resolver did not answer in time"),
        }
    }
    None
}

async fn udp(asked: &[u8], resolver: SocketAddr) -> io::Result<Vec<u8>> {
    let any: IpAddr = if resolver.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        std::net::Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(resolver).await?;
    socket.send(asked).await?;
    let mut buffer = vec![0; usize::from(u16::MAX)];
    let end = Instant::now() + PATIENCE;
    loop {
        let length = timeout_at(end, socket.recv(&mut buffer)).await??;
        let reply = buffer.get(..length).unwrap_or_default();
        // Something else than the answer is left lying, whoever sent it.
        if fits(asked, reply) {
            return Ok(reply.to_vec());
        }
    }
}

async fn tcp(asked: &[u8], resolver: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(resolver).await?;
    let length = u16::try_from(asked.len()).map_err(io::Error::other)?;
    let mut message = length.to_be_bytes().to_vec();
    message.extend_from_slice(asked);
    stream.write_all(&message).await?;
    let mut reply = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut reply).await?;
    match fits(asked, &reply) {
        true => Ok(reply),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is to another question")),
    }
}

/// Whether this is an answer to the question: its id, its flag, and the question itself, whose letters may come
/// back in another case.
fn fits(asked: &[u8], reply: &[u8]) -> bool {
    let (Some(question), Some(repeated)) = (question(asked), reply.get(HEADER..)) else { return false };
    let is_answer = reply.get(2).is_some_and(|flags| flags & 0x80 != 0);
    let repeats = repeated.get(..question.len()).is_some_and(|text| text.eq_ignore_ascii_case(question));
    is_answer && reply.get(..2) == asked.get(..2) && repeats
}

/// The bytes of the question: labels up to the root, type, class.
fn question(message: &[u8]) -> Option<&[u8]> {
    let body = message.get(HEADER..)?;
    let mut at = 0;
    loop {
        match usize::from(*body.get(at)?) {
            0 => break,
            length if length < 64 => at += length + 1,
            _ => return None,
        }
    }
    body.get(..at + 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x03www\x07example\0\0\x01\0\x01";

    fn changed(at: usize, byte: u8) -> Vec<u8> {
        let mut reply = ASKED.to_vec();
        reply[2] |= 0x80;
        reply[at] = byte;
        reply
    }

    #[test]
    fn only_the_answer_to_the_question_counts() {
        assert!(fits(ASKED, &changed(3, 0x80)));
        assert!(fits(ASKED, &changed(13, b'W')), "letters may come back in another case");
        assert!(!fits(ASKED, ASKED), "a question is no answer");
        assert!(!fits(ASKED, &changed(0, 0)), "another id");
        assert!(!fits(ASKED, &changed(13, b'x')), "another name");
        assert!(!fits(ASKED, &changed(26, 2)), "another type");
        assert!(!fits(ASKED, b"\x12\x34\x80\0"), "cut short");
    }

    #[test]
    fn the_hosts_resolvers_are_read_and_we_are_not_among_them() {
        let text = "# nameserver 9.9.9.9\nnameserver 10.0.0.1\nsearch x\nnameserver ::1\nnameserver bad\n";
        assert_eq!(parse(text), ["10.0.0.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        let config: HostConfig = toml::from_str(
            "name='a'\npublic_interface='a'\nflat_interface='b'\nresolvers=['10.0.0.1:53', '192.0.2.1:53']",
        )
        .unwrap();
        assert_eq!(resolvers(&config, &[Ipv4Addr::new(10, 0, 0, 1)]), ["192.0.2.1:53".parse().unwrap()]);
    }
}
