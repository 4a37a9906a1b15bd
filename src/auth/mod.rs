//! Who asks: SigV4 and SigV2, by header and by query.
//!
//! [`verify`] takes a request exactly as it came in and answers who signed it and the decoded
//! parameters that the signature covers. Nothing else of the request reaches the decoder, so what
//! was verified and what is executed are the same bytes by structure.
//!
//! Three ways to sign are known: SigV4 by the Authorization header, SigV4 by the query
//! (a presigned URL), and SigV2 by the query or form
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>,
//! <https://docs.aws.amazon.com/general/latest/gr/signature-version-2.html>).
//! Exactly one must be used. No clock, key store or I/O in here: the caller hands them in.
//! There is no replay cache: equal calls within one second are legal EC2.

mod clock;
mod error;
pub mod form;
mod host;
mod key;
mod signer;
mod v2;
mod v4;
mod v4_header;
mod v4_query;

pub use clock::seconds_of_date;
pub use error::AuthError;
pub use form::{FormError, Pair};
pub use key::{Key, Secret};
pub use signer::{Signer, date};
pub use v4::{SigningKey, payload_hash};

use http::HeaderMap;

use crate::types::{AccountId, Micros};

/// Seconds that a client's clock may differ from ours, either way.
pub const MAX_SKEW_SECONDS: i64 = 15 * 60;
/// Seconds that a presigned request may stay valid: seven days, as AWS has it.
pub const MAX_EXPIRES_SECONDS: i64 = 7 * 24 * 3600;

/// A request as it came from the socket.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub method: &'a str,
    /// As sent, still encoded.
    pub path: &'a str,
    /// As sent, without the question mark.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// What the verification needs to know besides the request.
#[derive(Clone, Copy)]
pub struct Rules {
    pub now: Micros,
    /// Whether SigV2 is taken at all.
    pub sigv2: bool,
}

/// The names in a SigV4 credential scope, as the client signed them; nothing is known about them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scope {
    pub region: String,
    pub service: String,
}

/// Who signed, and what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    pub access_key: String,
    pub account: AccountId,
    /// `None` for SigV2, which names no region.
    pub scope: Option<Scope>,
    /// Query first, then form: decoded once, without the signature's own parameters.
    pub pairs: Vec<Pair>,
}

/// How a request says that it is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Method {
    V4Header,
    V4Query,
    V2,
}

/// The decoded parameters of a request, by where they stood.
struct Parameters {
    query: Vec<Pair>,
    body: Vec<Pair>,
}

impl Parameters {
    fn all(&self) -> impl Iterator<Item = &Pair> {
        self.query.iter().chain(&self.body)
    }

    fn named(&self, wanted: &[&str]) -> bool {
        self.all().any(|(name, _)| wanted.contains(&name.as_str()))
    }

    /// The value of a signature parameter; duplicates were refused before.
    fn get(&self, wanted: &str) -> Option<&str> {
        self.all().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    fn without(self, names: &[&str]) -> Vec<Pair> {
        let mut pairs = self.query;
        pairs.extend(self.body);
        pairs.retain(|(name, _)| !names.contains(&name.as_str()));
        pairs
    }
}

/// Verifies a request's signature and decodes what it covers.
///
/// `lookup` finds an access key by its id; a key that it does not know costs as much time as one
/// whose signature is wrong.
pub fn verify(
    request: &Request<'_>,
    rules: &Rules,
    lookup: impl Fn(&str) -> Option<Key>,
) -> Result<Verified, AuthError> {
    let parameters = Parameters {
        query: form::decode(request.query.as_bytes())?,
        body: form::decode_body(request.method, request.headers, request.body)?,
    };
    form::refuse_duplicates(parameters.all())?;
    let method = method_of(request, &parameters)?;
    refuse_session_token(request, &parameters)?;
    match method {
        Method::V4Header => v4_header::verify(request, parameters, rules, &lookup),
        Method::V4Query => v4_query::verify(request, parameters, rules, &lookup),
        Method::V2 if rules.sigv2 => v2::verify(request, parameters, &rules.now, &lookup),
        Method::V2 => Err(AuthError::SigV2Off),
    }
}

/// Verifies a SigV4 header over a body that is no form; the request has no parameters.
///
/// # Errors
/// As [`verify`]'s.
pub fn verify_opaque(
    request: &Request<'_>,
    rules: &Rules,
    lookup: impl Fn(&str) -> Option<Key>,
) -> Result<Verified, AuthError> {
    let parameters = Parameters { query: Vec::new(), body: Vec::new() };
    v4_header::verify(request, parameters, rules, &lookup)
}

fn method_of(request: &Request<'_>, parameters: &Parameters) -> Result<Method, AuthError> {
    let header = request.headers.contains_key(http::header::AUTHORIZATION);
    let found = [
        (header, Method::V4Header),
        (parameters.named(v4_query::SIGNATURE_PARAMETERS), Method::V4Query),
        (parameters.named(v2::MARKS), Method::V2),
    ];
    let mut used = found.into_iter().filter_map(|(present, method)| present.then_some(method));
    match (used.next(), used.next()) {
        (None, _) => Err(AuthError::Missing),
        (Some(method), None) => Ok(method),
        (Some(_), Some(_)) => Err(AuthError::TwoMethods),
    }
}

/// We hand out no temporary credentials, so a token can only belong to somebody else's.
fn refuse_session_token(request: &Request<'_>, parameters: &Parameters) -> Result<(), AuthError> {
    let header = request.headers.contains_key("x-amz-security-token");
    let parameter = parameters.named(&["X-Amz-Security-Token", "SecurityToken"]);
    if header || parameter { Err(AuthError::SessionToken) } else { Ok(()) }
}

/// The client's side, shared with the integration tests.
#[cfg(test)]
#[path = "../../tests/common/sign.rs"]
pub(crate) mod sign;
#[cfg(test)]
mod tests;
