//! The resolver of one port: instances' names from the host's state, other names from the host's own resolvers.

mod answer;
mod forward;
mod names;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use super::{Place, States};
use crate::agent::config::HostConfig;
use crate::agent::routers::{Lookups, Question};
use crate::types::EniId;
use answer::Answer;
pub use forward::{Way, forward};

/// Whom other names are asked of.
pub struct Asks {
    pub config: Arc<HostConfig>,
    /// Of the host's own network namespace; `None`: we are in it.
    pub lookups: Option<Lookups>,
}

impl Asks {
    async fn forward(&self, question: &[u8], gateways: &[Ipv4Addr], way: Way) -> Option<Vec<u8>> {
        let resolvers = forward::resolvers(&self.config, gateways);
        let Some(lookups) = &self.lookups else { return forward(question, &resolvers, way).await };
        let (answer, answered) = oneshot::channel();
        // Where too many wait, it is asked again.
        lookups.try_send(Question { message: question.to_vec(), resolvers, way, answer }).ok()?;
        answered.await.ok().flatten()
    }
}

/// Questions and connections of one instance at a time; more are dropped, and asked again.
const QUESTIONS: usize = 128;
const CONNECTIONS: usize = 16;

/// How long a connection may lie idle.
const IDLE: Duration = Duration::from_secs(10);

/// The largest UDP question that is looked at: EDNS clients send up to 4,096 bytes.
const DATAGRAM: usize = 4096;

/// Answers datagrams until dropped.
pub async fn serve_udp(socket: UdpSocket, eni: EniId, states: States, asks: Arc<Asks>) {
    let socket = Arc::new(socket);
    let room = Arc::new(Semaphore::new(QUESTIONS));
    let mut buffer = vec![0; DATAGRAM];
    loop {
        let (length, peer) = match socket.recv_from(&mut buffer).await {
            Ok(heard) => heard,
            Err(error) => {
                tracing::debug!(port = %eni, %error, "DNS cannot hear");
                // An ICMP error of an answer before, told once.
                tokio::task::yield_now().await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&room).try_acquire_owned() else { continue };
        let question = buffer.get(..length).unwrap_or_default().to_vec();
        let (socket, states, asks) = (Arc::clone(&socket), states.clone(), Arc::clone(&asks));
        tokio::spawn(async move {
            let _permit = permit;
            if let Some(reply) = reply(&question, peer, eni, &states, &asks, Way::Udp).await
                && let Err(error) = socket.send_to(&reply, peer).await
            {
                tracing::debug!(port = %eni, %error, "a DNS answer could not be sent");
            }
        });
    }
}

/// Answers connections until dropped.
pub async fn serve_tcp(listener: TcpListener, eni: EniId, states: States, asks: Arc<Asks>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, peer)) = listener.accept().await else {
            // Out of descriptors, most likely: let others give theirs back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (states, asks) = (states.clone(), Arc::clone(&asks));
        tokio::spawn(async move {
            let _permit = permit;
            // A guest that breaks off is its own affair.
            let _ = converse(stream, peer, eni, &states, &asks).await;
        });
    }
}

async fn converse(
    mut stream: TcpStream,
    peer: SocketAddr,
    eni: EniId,
    states: &States,
    asks: &Asks,
) -> io::Result<()> {
    loop {
        let length = timeout(IDLE, stream.read_u16()).await??;
        let mut question = vec![0; usize::from(length)];
        timeout(IDLE, stream.read_exact(&mut question)).await??;
        let Some(reply) = reply(&question, peer, eni, states, asks, Way::Tcp).await else { return Ok(()) };
        let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
        let mut message = length.to_be_bytes().to_vec();
        message.extend_from_slice(&reply);
        timeout(IDLE, stream.write_all(&message)).await??;
    }
}

/// `None` where nothing is to be said.
async fn reply(
    question: &[u8],
    peer: SocketAddr,
    eni: EniId,
    states: &States,
    asks: &Asks,
    way: Way,
) -> Option<Vec<u8>> {
    let place = Place::of(states, eni)?;
    // What follows a question that was let through comes through for as long as connection tracking knows of that.
    if place.vpc().is_some_and(|vpc| !vpc.dns_support) {
        return None;
    }
    // Whoever else asks behind this port is no instance of ours.
    if !place.port.private_ips().any(|ip| peer.ip() == IpAddr::V4(ip)) {
        return None;
    }
    match answer::answer(question, &place.state) {
        Answer::Nothing => None,
        Answer::Here(reply) => Some(reply),
        Answer::Elsewhere => {
            let gateways: Vec<_> = place.state.networks.values().map(|network| network.gateway).collect();
            match asks.forward(question, &gateways, way).await {
                Some(reply) => Some(reply),
                None => answer::server_failure(question),
            }
        }
    }
}
