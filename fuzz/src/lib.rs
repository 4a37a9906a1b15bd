//! What the fuzz targets do with their bytes; tests/fuzz.rs runs the same as property tests.
//!
//! None of these may panic, and nothing that was not signed with the key may be verified.

use fogbank::auth::{self, Key, Pair, Request, Rules, Secret, form};
use fogbank::query;
use fogbank::types::{AccountId, Micros};
use http::{HeaderMap, HeaderName, HeaderValue};

#[path = "../../tests/common/sign.rs"]
pub mod sign;
use sign::{Signed, Signer};

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2026-11-23T08:30:00Z
const NOW: Micros = Micros(1_795_422_600 * Micros::SECOND);
const AT: &str = "20261123T083000Z";

/// The form decoder, and the decoder of actions behind it.
pub fn form(data: &[u8]) {
    let Ok(mut pairs) = form::decode(data) else { return };
    if let Err(fault) = query::decode(&pairs) {
        let answer = query::encode_fault(&fault, "id");
        assert!(answer.ends_with("<RequestID>id</RequestID></Response>"));
    }
    let again = form::decode(form::canonical_query(pairs.iter()).as_bytes()).expect("our own encoding");
    pairs.sort_by_key(form::encode_pair);
    assert_eq!(again, pairs);
}

/// The Authorization header and what else SigV4 reads: lines of authorization, date, content hash,
/// query; the rest is the body.
pub fn sigv4_header(data: &[u8]) {
    let mut lines = data.splitn(5, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (authorization, date, hash, query, body) = (line(), line(), line(), line(), line());
    let headers = [
        ("host", &b"localhost:8773"[..]),
        ("authorization", authorization),
        ("x-amz-date", date),
        ("x-amz-content-sha256", hash),
    ];
    let used = headers.into_iter().filter(|(_, value)| !value.is_empty());
    refuse("POST", &String::from_utf8_lossy(query), used, body);
}

/// A presigned URL's query.
pub fn presigned(data: &[u8]) {
    let query = format!("X-Amz-Algorithm=AWS4-HMAC-SHA256&{}", String::from_utf8_lossy(data));
    refuse("GET", &query, [("host", &b"localhost"[..])], b"");
}

/// A SigV2 form.
pub fn sigv2(data: &[u8]) {
    let body = [&b"SignatureVersion=2&"[..], data].concat();
    refuse("POST", "", [("host", &b"localhost"[..])], &body);
}

/// Any parameters, signed every way, are verified and come back as they were.
pub fn round_trip(data: &[u8]) {
    let Ok(mut pairs) = form::decode(data) else { return };
    pairs.retain(|(name, _)| !is_signature(name));
    pairs.sort();
    pairs.dedup_by(|one, other| one.0 == other.0);
    let borrowed: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
    let signer = Signer {
        key: KEY.into(),
        secret: SECRET.into(),
        region: "us-east-1".into(),
        service: "ec2".into(),
        at: AT.into(),
    };
    for signed in [
        signer.v4_post("localhost", "/", &[], &borrowed),
        signer.v4_presigned("localhost", "/", 60, &borrowed),
        signer.v2("GET", "HmacSHA256", "localhost", "/", &borrowed),
        signer.v2("POST", "HmacSHA1", "localhost", "/", &borrowed),
    ] {
        let mut verified = verify_signed(&signed).expect("a good signature");
        verified.sort();
        assert_eq!(verified, pairs);
    }
}

fn is_signature(name: &str) -> bool {
    let v2 = ["AWSAccessKeyId", "Signature", "SignatureVersion", "SignatureMethod", "Timestamp", "Expires"];
    name.starts_with("X-Amz-") || name == "SecurityToken" || v2.contains(&name)
}

fn lookup(id: &str) -> Option<Key> {
    (id == KEY).then(|| Key { secret: Secret::new(SECRET), account: AccountId::from_random(1) })
}

fn verify_signed(signed: &Signed) -> Result<Vec<Pair>, auth::AuthError> {
    let headers = signed.headers.iter().map(|(name, value)| {
        (name.parse::<HeaderName>().expect("a name"), value.parse::<HeaderValue>().expect("a value"))
    });
    let headers: HeaderMap = headers.collect();
    let request = Request {
        method: &signed.method,
        path: &signed.path,
        query: &signed.query,
        headers: &headers,
        body: signed.body.as_bytes(),
    };
    auth::verify(&request, &Rules { now: NOW, sigv2: true }, lookup).map(|verified| verified.pairs)
}

/// Bytes that nobody signed: whatever they are, they must be refused.
fn refuse<'a>(
    method: &str,
    query: &str,
    headers: impl IntoIterator<Item = (&'static str, &'a [u8])>,
    body: &[u8],
) {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let Ok(value) = HeaderValue::from_bytes(value) else { return };
        map.insert(name, value);
    }
    let request = Request { method, path: "/", query, headers: &map, body };
    auth::verify(&request, &Rules { now: NOW, sigv2: true }, lookup).expect_err("nobody signed this");
}
