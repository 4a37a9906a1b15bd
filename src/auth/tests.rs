//! Known requests, each rule refused by its own error, and properties over spoilt requests.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde::Deserialize;

use super::sign::{Signed, Signer};
use super::*;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2026-11-23T08:30:00Z
const NOW: Micros = Micros(1_795_422_600 * Micros::SECOND);
const AT: &str = "20261123T083000Z";

fn account() -> AccountId {
    AccountId::from_random(1)
}

fn lookup(id: &str) -> Option<Key> {
    (id == KEY).then(|| Key { secret: Secret::new(SECRET), account: account() })
}

fn header_map(headers: &[(String, String)]) -> Option<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = HeaderName::try_from(name.as_str()).ok()?;
        map.append(name, HeaderValue::try_from(value.as_str()).ok()?);
    }
    Some(map)
}

fn verify_at(now: Micros, signed: &Signed) -> Result<Verified, AuthError> {
    let headers = header_map(&signed.headers).expect("test headers are valid");
    let request = Request {
        method: &signed.method,
        path: &signed.path,
        query: &signed.query,
        headers: &headers,
        body: signed.body.as_bytes(),
    };
    verify(&request, &Rules { now, sigv2: true }, lookup)
}

fn check(signed: &Signed) -> Result<Verified, AuthError> {
    verify_at(NOW, signed)
}

fn signer() -> Signer {
    Signer {
        key: KEY.into(),
        secret: SECRET.into(),
        region: "us-east-1".into(),
        service: "ec2".into(),
        at: AT.into(),
    }
}

const PAIRS: [(&str, &str); 3] =
    [("Action", "DescribeAddresses"), ("Version", "2016-11-15"), ("Filter.1.Value.1", "a b+ü*~")];

fn every_way() -> Vec<Signed> {
    let signer = signer();
    vec![
        signer.v4_post("localhost:8773", "/", &[("x-other", "  two   words ")], &PAIRS),
        signer.v4_presigned("localhost:8773", "/services/Cloud", 60, &PAIRS),
        signer.v2("GET", "HmacSHA256", "localhost:8773", "/", &PAIRS),
        signer.v2("POST", "HmacSHA1", "localhost:8773", "/services/Cloud/", &PAIRS),
    ]
}

fn owned(pairs: &[(&str, &str)]) -> Vec<Pair> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: String,
}

#[test]
fn what_botocore_signs_is_verified() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("vectors/botocore.json")).unwrap();
    assert!(vectors.len() >= 12);
    for vector in vectors {
        let Vector { name, method, path, query, headers, body } = vector;
        let signed = Signed { method, path, query, headers: headers.into_iter().collect(), body };
        let verified = check(&signed).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((verified.access_key.as_str(), verified.account), (KEY, account()), "{name}");
        assert_eq!(verified.scope.is_some(), !name.starts_with("v2"), "{name}");
        let action = if name.contains("sts") { "GetCallerIdentity" } else { "" };
        assert!(verified.pairs.iter().any(|(n, v)| n == "Action" && v.ends_with(action)), "{name}");
        let ours = |n: &str| n.starts_with("X-Amz-") || n.starts_with("Signature") || n == "Timestamp";
        assert!(!verified.pairs.iter().any(|(n, _)| ours(n)), "{name}: {:?}", verified.pairs);
    }
}

/// Requests caught from a client that cannot be given a time of our choice.
fn check_caught(vectors: &str, at: i64) {
    let vectors: Vec<Vector> = serde_json::from_str(vectors).unwrap();
    assert!(!vectors.is_empty());
    for Vector { name, method, path, query, headers, body } in vectors {
        let signed = Signed { method, path, query, headers: headers.into_iter().collect(), body };
        let verified = verify_at(Micros(at * Micros::SECOND), &signed);
        assert_eq!(verified.map(|verified| verified.account), Ok(account()), "{name}");
    }
}

/// As curl 7.88 signs by `--aws-sigv4 aws:amz:us-east-1:ec2`, which the README shows.
#[test]
fn what_curl_signs_is_verified() {
    // 2026-11-23T09:22:57Z
    check_caught(include_str!("vectors/curl.json"), 1_795_425_777);
}

/// boto 2.49 with its EC2Connection: both versions, GET and POST, with a port and without one.
#[test]
fn what_boto_2_signs_is_verified() {
    // 2026-11-23T09:34:36Z
    check_caught(include_str!("vectors/boto2.json"), 1_795_426_476);
}

#[derive(Deserialize)]
struct Published {
    name: String,
    host: String,
    service: String,
    method: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: String,
    signature: String,
}

/// Requests and signatures as AWS published them: the signing guide and its test suite.
#[test]
fn what_aws_published_is_verified() {
    let cases: Vec<Published> = serde_json::from_str(include_str!("vectors/aws.json")).unwrap();
    assert!(!cases.is_empty());
    for Published { name, host, service, method, query, mut headers, body, signature } in cases {
        headers.insert("host".into(), host);
        headers.insert("x-amz-date".into(), "20150830T123600Z".into());
        let names: Vec<&str> = headers.keys().map(String::as_str).collect();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={KEY}/20150830/us-east-1/{service}/aws4_request, \
             SignedHeaders={}, Signature={signature}",
            names.join(";")
        );
        headers.insert("authorization".into(), authorization);
        let headers = headers.into_iter().collect();
        let signed = Signed { method, path: "/".into(), query, headers, body };
        let at = Micros(1_440_938_160 * Micros::SECOND);
        assert_eq!(verify_at(at, &signed).map(|verified| verified.account), Ok(account()), "{name}");
    }
}

/// The example of AWS's page on Signature Version 2.
#[test]
fn the_published_sigv2_example_is_verified() {
    let headers = header_map(&owned(&[("host", "elasticmapreduce.amazonaws.com")])).unwrap();
    let query = "AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Action=DescribeJobFlows&SignatureMethod=HmacSHA256&\
                 SignatureVersion=2&Timestamp=2011-10-03T15%3A19%3A30&Version=2009-03-31&\
                 Signature=i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf%2FMj6vPxyYIs%3D";
    let request = Request { method: "GET", path: "/", query, headers: &headers, body: b"" };
    let rules = Rules { now: Micros(1_317_655_170 * Micros::SECOND), sigv2: true };
    let secret = || Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    let verified = verify(&request, &rules, |_| Some(Key { secret: secret(), account: account() })).unwrap();
    assert_eq!(verified.pairs, owned(&[("Action", "DescribeJobFlows"), ("Version", "2009-03-31")]));
    let off = Rules { sigv2: false, ..rules };
    assert_eq!(verify(&request, &off, |_| None), Err(AuthError::SigV2Off));
}

#[test]
fn our_own_signer_agrees_and_the_pairs_come_back() {
    for signed in every_way() {
        let verified = check(&signed).unwrap_or_else(|error| panic!("{error}: {signed:?}"));
        let mut pairs = verified.pairs;
        pairs.sort();
        let mut wanted = owned(&PAIRS);
        wanted.sort();
        assert_eq!(pairs, wanted);
    }
}

#[test]
fn each_kind_of_wrong_key_has_its_own_error() {
    let wrong = Signer { secret: "wrong".into(), ..signer() };
    let unknown = Signer { key: "AKIDUNKNOWN".into(), ..signer() };
    let host = "localhost";
    let ways: [&dyn Fn(&Signer) -> Signed; 3] =
        [&|s| s.v4_post(host, "/", &[], &PAIRS), &|s| s.v4_presigned(host, "/", 60, &PAIRS), &|s| {
            s.v2("POST", "HmacSHA256", host, "/", &PAIRS)
        }];
    let mismatch = [AuthError::MismatchV4, AuthError::MismatchV4, AuthError::MismatchV2];
    for (way, mismatch) in ways.iter().zip(mismatch) {
        assert_eq!(check(&way(&wrong)), Err(mismatch));
        assert_eq!(check(&way(&unknown)), Err(AuthError::UnknownKey));
    }
}

#[test]
fn old_and_future_requests_have_expired() {
    for signed in every_way() {
        for seconds in [-901, 901] {
            let error = verify_at(NOW.plus_seconds(seconds), &signed).unwrap_err();
            assert!(matches!(error, AuthError::Expired(_)), "{error}");
        }
    }
}

#[test]
fn the_port_may_be_signed_or_not() {
    for (signed_host, sent_host) in
        [("localhost", "localhost:8773"), ("localhost:80", "localhost"), ("localhost", "LOCALHOST:8773")]
    {
        for mut signed in [
            signer().v4_post(signed_host, "/", &[], &PAIRS),
            signer().v4_presigned(signed_host, "/", 60, &PAIRS),
            signer().v2("GET", "HmacSHA256", signed_host, "/", &PAIRS),
        ] {
            set(&mut signed, "host", Some(sent_host));
            assert!(check(&signed).is_ok(), "{signed_host} {sent_host}");
            set(&mut signed, "host", Some("elsewhere"));
            assert!(check(&signed).is_err());
        }
    }
}

#[test]
fn scopes_are_verified_as_given() {
    let odd = Signer { region: "undefined-4711".into(), service: "127".into(), ..signer() };
    let verified = check(&odd.v4_post("localhost", "/", &[], &PAIRS)).unwrap();
    assert_eq!(verified.scope, Some(Scope { region: "undefined-4711".into(), service: "127".into() }));
}

/// Replaces a header, or takes it away.
fn set(signed: &mut Signed, name: &str, value: Option<&str>) {
    signed.headers.retain(|(given, _)| given != name);
    signed.headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
}

fn v4_with(change: impl FnOnce(&mut Signed)) -> Result<Verified, AuthError> {
    let mut signed = signer().v4_post("localhost", "/", &[], &PAIRS);
    change(&mut signed);
    check(&signed)
}

fn edit_authorization(signed: &mut Signed, from: &str, to: &str) {
    let (_, value) = signed.headers.iter_mut().find(|(name, _)| name == "authorization").unwrap();
    assert!(value.contains(from));
    *value = value.replace(from, to);
}

#[test]
fn what_sigv4_must_cover_is_demanded() {
    let incomplete = |change: fn(&mut Signed)| {
        let result = v4_with(change);
        assert!(matches!(result, Err(AuthError::Incomplete(_))), "{result:?}");
    };
    incomplete(|s| edit_authorization(s, "content-type;host;x-amz-date", "content-type;x-amz-date"));
    incomplete(|s| edit_authorization(s, "content-type;host;x-amz-date", "content-type;host"));
    incomplete(|s| edit_authorization(s, "content-type;host;x-amz-date", "host;host;x-amz-date"));
    incomplete(|s| edit_authorization(s, "content-type;host;x-amz-date", "absent;host;x-amz-date"));
    incomplete(|s| edit_authorization(s, "content-type;host;x-amz-date", "Host;host;x-amz-date"));
    incomplete(|s| edit_authorization(s, "/20261123/", "/20261122/"));
    incomplete(|s| edit_authorization(s, "/aws4_request", "/aws4"));
    incomplete(|s| edit_authorization(s, "Signature=", "Signature=A"));
    incomplete(|s| set(s, "host", None));
    incomplete(|s| s.headers.push(("host".into(), "localhost".into())));
    incomplete(|s| set(s, "x-amz-date", None));
    incomplete(|s| set(s, "x-amz-date", Some("yesterday")));
    incomplete(|s| s.headers.push(("authorization".into(), "AWS4-HMAC-SHA256 x=y".into())));
}

#[test]
fn the_real_body_is_always_hashed() {
    let hash = payload_hash(signer().v4_post("localhost", "/", &[], &PAIRS).body.as_bytes());
    assert!(v4_with(|s| set(s, "x-amz-content-sha256", Some(&hash))).is_ok());
    for declared in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "", &hash[1..]] {
        let result = v4_with(|s| set(s, "x-amz-content-sha256", Some(declared)));
        assert!(matches!(result, Err(AuthError::ContentHash(_))), "{declared}");
    }
    assert_eq!(v4_with(|s| s.body.push('x')), Err(AuthError::MismatchV4));
}

#[test]
fn missing_doubled_and_borrowed_credentials_are_refused() {
    assert_eq!(v4_with(|s| set(s, "authorization", None)), Err(AuthError::Missing));
    for extra in ["X-Amz-Signature=00", "AWSAccessKeyId=a", "X-Amz-Expires=1"] {
        assert_eq!(v4_with(|s| s.query = extra.into()), Err(AuthError::TwoMethods), "{extra}");
    }
    let session = v4_with(|s| set(s, "x-amz-security-token", Some("t")));
    assert_eq!(session, Err(AuthError::SessionToken));
    for pair in ["&SecurityToken=t", "&X-Amz-Security-Token=t"] {
        assert_eq!(v4_with(|s| s.body.push_str(pair)), Err(AuthError::SessionToken));
    }
    for mut signed in every_way() {
        let place = if signed.body.is_empty() { &mut signed.query } else { &mut signed.body };
        place.push_str("&Action=TerminateInstances");
        assert_eq!(check(&signed), Err(AuthError::Form(FormError::Duplicate("Action".into()))));
    }
}

#[test]
fn presigned_and_sigv2_parameters_are_checked_one_by_one() {
    let presigned = signer().v4_presigned("localhost", "/", 60, &PAIRS);
    let v2 = signer().v2("POST", "HmacSHA256", "localhost", "/", &PAIRS);
    let spoil = |from: &str, to: &str| {
        let mut signed = if presigned.query.contains(from) { presigned.clone() } else { v2.clone() };
        assert!(signed.query.contains(from) || signed.body.contains(from), "{from}");
        signed.query = signed.query.replace(from, to);
        signed.body = signed.body.replace(from, to);
        let result = check(&signed);
        assert!(matches!(result, Err(AuthError::Incomplete(_))), "{from} {to}: {result:?}");
    };
    for seconds in ["0", "604801", "-1", "", "+60", "6e1", "99999999999999999999"] {
        spoil("X-Amz-Expires=60", &format!("X-Amz-Expires={seconds}"));
    }
    for name in ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders"] {
        spoil(&format!("X-Amz-{name}="), &format!("x-amz-{name}="));
    }
    spoil("SignatureVersion=2", "SignatureVersion=1");
    spoil("SignatureMethod=HmacSHA256", "SignatureMethod=HmacMD5");
    spoil("Timestamp=", "TimeStamp=");
    spoil("Timestamp=2026", "Expires=2026-11-23T08%3A31%3A00&Timestamp=2026");
    spoil("AWSAccessKeyId=AKIDEXAMPLE", "AWSAccessKeyId=");
    let mut far = v2.clone();
    far.body = far.body.replace("Timestamp=2026-11-23", "Expires=2027-11-23");
    assert!(matches!(check(&far), Err(AuthError::Incomplete(_))));
}

proptest! {
    /// Any one byte changed in what is signed is refused, or means what was signed.
    #[test]
    fn a_changed_byte_is_refused(way in 0usize..4, part in 0usize..5, at: prop::sample::Index, byte in 0x20u8..0x7f) {
        let original = every_way().swap_remove(way);
        let mut spoilt = original.clone();
        let text = match part {
            0 => &mut spoilt.path,
            1 => &mut spoilt.query,
            2 => &mut spoilt.body,
            3 => &mut spoilt.method,
            _ => { let i = at.index(spoilt.headers.len()); &mut spoilt.headers[i].1 }
        };
        if text.is_empty() { return Ok(()); }
        let i = at.index(text.len());
        text.replace_range(i..=i, &char::from(byte).to_string());
        let headers = header_map(&spoilt.headers);
        prop_assume!(headers.is_some());
        if let Ok(verified) = check(&spoilt) {
            prop_assert_eq!(verified, check(&original).unwrap(), "{:?}", spoilt);
        }
    }

    /// Whatever comes, there is an answer.
    #[test]
    fn junk_never_panics(
        method in "GET|POST|PUT", path in "[ -~]{0,20}", query in "[ -~é]{0,200}", body: Vec<u8>,
        authorization in "(AWS4-HMAC-SHA256 )?[ -~]{0,200}", date in "[0-9TZ:-]{0,30}",
    ) {
        let named = [("host", "h:1"), ("authorization", authorization.as_str()), ("x-amz-date", date.as_str())];
        for kept in 0..4 {
            let headers = header_map(&owned(&named[..kept])).unwrap();
            let request = Request { method: &method, path: &path, query: &query, headers: &headers, body: &body };
            let result = verify(&request, &Rules { now: NOW, sigv2: true }, lookup);
            prop_assert!(result.is_err());
        }
    }

    /// What is encoded for signing decodes to itself.
    #[test]
    fn encoding_round_trips(pairs in prop::collection::vec(("[^\\p{Cc}\u{fffe}\u{ffff}]{1,8}", "[^\\p{Cc}\u{fffe}\u{ffff}]{0,8}"), 0..8)) {
        let mut wanted = pairs.clone();
        wanted.sort_by_key(form::encode_pair);
        prop_assert_eq!(form::decode(form::canonical_query(pairs.iter()).as_bytes()), Ok(wanted));
    }
}
