//! Reading a request's body within its limits.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::shares::{Share, Shares};

/// Bytes that a body may have.
pub(super) const MAX_BODY: usize = 1024 * 1024;
/// Bytes that are read and thrown away before the answer: closing a connection on a client that
/// still sends resets it, and the client never sees why.
const MAX_DRAINED: usize = 8 * MAX_BODY;

/// Bytes of a body that need no permit: nearly every request is smaller.
const SMALL_BODY: usize = 64 * 1024;
/// Larger bodies in memory at one time; with [`MAX_BODY`] the bound of what strangers can make us hold.
const MAX_LARGE_BODIES: usize = 64;
/// How many of these one peer may have: who begins many and ends none leaves room for others.
const MAX_LARGE_OF_PEER: usize = 16;

/// Room for large bodies.
pub(super) struct Room {
    all: Semaphore,
    of_peers: Shares<IpAddr>,
}

impl Default for Room {
    fn default() -> Self {
        Self { all: Semaphore::new(MAX_LARGE_BODIES), of_peers: Shares::new(MAX_LARGE_OF_PEER) }
    }
}

/// A body, with the permit to hold it.
pub(super) struct Held<'a> {
    bytes: Vec<u8>,
    permit: Option<(Share, SemaphorePermit<'a>)>,
}

impl Held<'_> {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a body could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BodyError {
    TooLarge,
    TooSlow,
    /// The connection broke, or the framing was wrong.
    Broken,
}

/// The whole body, at most [`MAX_BODY`] bytes, read within `timeout`.
///
/// `from` is the peer. `waits` says that the client asked before sending (`Expect: 100-continue`): a body declared too
/// long is then refused without reading it.
pub(super) async fn read(
    body: Body,
    from: IpAddr,
    waits: bool,
    room: &Room,
    timeout: Duration,
) -> Result<Held<'_>, BodyError> {
    let declared = body.size_hint().lower();
    if declared > MAX_DRAINED as u64 || (waits && declared > MAX_BODY as u64) {
        return Err(BodyError::TooLarge);
    }
    tokio::time::timeout(timeout, collect(body, from, room)).await.unwrap_or(Err(BodyError::TooSlow))
}

async fn collect(mut body: Body, from: IpAddr, room: &Room) -> Result<Held<'_>, BodyError> {
    let mut held = Held { bytes: Vec::new(), permit: None };
    let mut seen = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Broken)?;
        let data = frame.data_ref().map(AsRef::as_ref).unwrap_or_default();
        seen = seen.saturating_add(data.len());
        if seen > MAX_DRAINED {
            return Err(BodyError::TooLarge);
        }
        if seen > MAX_BODY {
            // Only drained from here on.
            held = Held { bytes: Vec::new(), permit: None };
            continue;
        }
        if seen > SMALL_BODY && held.permit.is_none() {
            let own = room.of_peers.take(from).await;
            held.permit = Some((own, room.all.acquire().await.map_err(|_| BodyError::Broken)?));
        }
        held.bytes.extend_from_slice(data);
    }
    if seen > MAX_BODY { Err(BodyError::TooLarge) } else { Ok(held) }
}
