//! The instance metadata service, versions 1 and 2, for one port
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>).
//!
//! Whose metadata it is follows from the port. A question from any other source address than the port's own is
//! not answered: behind it is a router or a forger.

mod answer;
mod token;
mod tree;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

pub use token::Tokens;

use super::{Place, States};
use crate::types::{EniId, Micros};
use answer::Answer;

/// Connections of one instance at a time.
const CONNECTIONS: usize = 32;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection's whole life: nobody downloads from here.
const LIFETIME: Duration = Duration::from_secs(300);
const LARGEST_HEAD: usize = 16 * 1024;
const USUAL_TTL: u32 = 64;

/// Serves one port until dropped.
pub async fn serve(listener: TcpListener, eni: EniId, states: States, tokens: Arc<Tokens>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(port = %eni, %error, "metadata cannot accept");
                // Out of descriptors, most likely: let others give theirs back.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let (states, tokens) = (states.clone(), Arc::clone(&tokens));
        tokio::spawn(async move {
            let _permit = permit;
            // A guest that breaks off is its own affair.
            let _ = tokio::time::timeout(LIFETIME, converse(stream, peer, eni, states, tokens)).await;
        });
    }
}

async fn converse(stream: TcpStream, peer: SocketAddr, eni: EniId, states: States, tokens: Arc<Tokens>) {
    let Ok(socket) = stream.as_fd().try_clone_to_owned() else { return };
    let service = service_fn(|request: hyper::Request<Incoming>| {
        let answer = match Place::of(&states, eni) {
            Some(place) if peer.ip() == IpAddr::V4(place.port.private_ip) => {
                let answer = answer::answer(&request, &place, &tokens, Micros::now());
                limit_hops(&socket, &answer, place.instance.hop_limit);
                answer
            }
            _ => Answer::forbidden(),
        };
        async move { Ok::<_, Infallible>(http(answer)) }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(LARGEST_HEAD);
    // What a guest does wrong in HTTP is between it and hyper.
    let _ = server.serve_connection(TokioIo::new(stream), service).await;
}

/// A token may not travel further than the instance allows, e.g. into a container: packets that carry one
/// live for that many hops. Other answers travel as usual.
fn limit_hops(socket: &OwnedFd, answer: &Answer, hop_limit: u8) {
    let ttl = if answer.is_token { u32::from(hop_limit) } else { USUAL_TTL };
    let _ = SockRef::from(socket).set_ttl_v4(ttl);
}

fn http(answer: Answer) -> hyper::Response<Full<Bytes>> {
    let mut response = hyper::Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert("content-type", hyper::header::HeaderValue::from_static(answer.content_type));
    headers.insert("server", hyper::header::HeaderValue::from_static("EC2ws"));
    if let Some(seconds) = answer.token_seconds {
        headers.insert("x-aws-ec2-metadata-token-ttl-seconds", seconds.into());
    }
    response
}
