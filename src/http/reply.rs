//! Answers: XML with a request id.

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};

use super::request_id::RequestId;
use crate::query::{self, Fault};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// A reply of any status whose body is XML.
pub(super) fn xml(status: StatusCode, id: RequestId, body: impl Into<Body>) -> Response<Body> {
    let mut reply = Response::new(body.into());
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml;charset=UTF-8"));
    // Answers may hold private keys and are nobody else's in any case.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    reply
}

/// A fault with its own status.
pub(super) fn fault(fault: &Fault, id: RequestId) -> Response<Body> {
    let status = StatusCode::from_u16(fault.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    xml(status, id, query::encode_fault(fault, &id.to_string()))
}

/// Plain text, for health and metrics.
pub(super) fn text(status: StatusCode, text: impl Into<String>) -> Response<Body> {
    let mut reply = Response::new(Body::from(text.into()));
    *reply.status_mut() = status;
    reply
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    reply
}
