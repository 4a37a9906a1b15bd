//! Reading a request's body within its limits.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use http_body_util::BodyExt;

/// Bytes that a body may have.
pub(super) const MAX_BODY: usize = 1024 * 1024;
/// Bytes that are read and thrown away before the answer: closing a connection on a client that
/// still sends resets it, and the client never sees why.
const MAX_DRAINED: usize = 8 * MAX_BODY;

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
/// `waits` says that the client asked before sending (`Expect: 100-continue`): a body declared too
/// long is then refused without reading it.
pub(super) async fn read(body: Body, waits: bool, timeout: Duration) -> Result<Vec<u8>, BodyError> {
    let declared = body.size_hint().lower();
    if declared > MAX_DRAINED as u64 || (waits && declared > MAX_BODY as u64) {
        return Err(BodyError::TooLarge);
    }
    tokio::time::timeout(timeout, collect(body)).await.unwrap_or(Err(BodyError::TooSlow))
}

async fn collect(mut body: Body) -> Result<Vec<u8>, BodyError> {
    let mut kept = Vec::new();
    let mut seen = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Broken)?;
        let data = frame.data_ref().map(AsRef::as_ref).unwrap_or_default();
        seen = seen.saturating_add(data.len());
        if seen > MAX_DRAINED {
            return Err(BodyError::TooLarge);
        }
        if seen > MAX_BODY {
            kept = Vec::new();
        } else {
            kept.extend_from_slice(data);
        }
    }
    if seen > MAX_BODY { Err(BodyError::TooLarge) } else { Ok(kept) }
}
