//! What both ways of Signature Version 4 share: scope, canonical request, signing key, comparison.

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::clock::Stamp;
use super::key::check;
use super::{AuthError, Key, Request, Scope, host};
use crate::types::AccountId;

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
/// More headers than any client signs; hyper reads no more of them either.
const MAX_SIGNED_HEADERS: usize = 100;

/// A credential as signed: `KEY/20150830/us-east-1/ec2/aws4_request`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Credential<'a> {
    pub access_key: &'a str,
    pub day: &'a str,
    pub region: &'a str,
    pub service: &'a str,
}

impl<'a> Credential<'a> {
    /// Read from the right: an imported key id may hold a slash, the other parts may not.
    pub fn parse(text: &'a str) -> Result<Self, AuthError> {
        let parts: Vec<&str> = text.rsplitn(5, '/').collect();
        match parts[..] {
            [TERMINATOR, service, region, day, access_key]
                if [service, region, day, access_key].iter().all(|part| !part.is_empty()) =>
            {
                Ok(Self { access_key, day, region, service })
            }
            _ => Err(AuthError::incomplete(
                "Credential must have the form ACCESS-KEY-ID/YYYYMMDD/REGION/ec2/aws4_request",
            )),
        }
    }

    pub fn scope(&self) -> Scope {
        Scope { region: self.region.to_owned(), service: self.service.to_owned() }
    }
}

/// The key that signs one day's requests to one service of one region: worth caching by
/// (access key, day, region, service), as it costs four of a verification's five HMACs.
pub struct SigningKey(Zeroizing<[u8; 32]>);

impl SigningKey {
    pub fn derive(secret: &[u8], day: &str, region: &str, service: &str) -> Self {
        let mut start = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        start.extend_from_slice(b"AWS4");
        start.extend_from_slice(secret);
        let mut key = Zeroizing::new(hmac(&start, day.as_bytes()));
        for part in [region, service, TERMINATOR] {
            key = Zeroizing::new(hmac(key.as_slice(), part.as_bytes()));
        }
        Self(key)
    }

    /// The signature of a string to sign.
    pub fn sign(&self, string: &[u8]) -> [u8; 32] {
        hmac(self.0.as_slice(), string)
    }

    /// Whether `signature` is the string's, in constant time.
    fn verify(&self, string: &[u8], signature: &[u8; 32]) -> bool {
        keyed(self.0.as_slice()).chain_update(string).verify_slice(signature).is_ok()
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of every length")
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    keyed(key).chain_update(data).finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The hash of a body as SigV4 writes it: SHA-256 in lower-case hexadecimal.
pub fn payload_hash(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// 64 lower-case hexadecimal digits.
pub(super) fn parse_signature(text: &str) -> Result<[u8; 32], AuthError> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut signature = [0; 32];
    let pairs = text.as_bytes().chunks_exact(2);
    let sized = text.len() == 64;
    let read = pairs.zip(&mut signature).try_for_each(|(pair, byte)| {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        Some(())
    });
    if sized && read.is_some() {
        Ok(signature)
    } else {
        Err(AuthError::incomplete("Signature must be 64 lower-case hexadecimal digits"))
    }
}

/// The names of the signed headers: lower-case, each once, `host` among them.
pub(super) fn parse_signed_headers(text: &str) -> Result<Vec<&str>, AuthError> {
    let names: Vec<&str> = text.split(';').collect();
    if names.len() > MAX_SIGNED_HEADERS {
        return Err(AuthError::incomplete(format!(
            "SignedHeaders must name at most {MAX_SIGNED_HEADERS} headers"
        )));
    }
    let lower = |name: &&str| !name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase());
    if !names.iter().all(lower) {
        return Err(AuthError::incomplete("SignedHeaders must be lower-case names, separated by semicolons"));
    }
    if names.iter().enumerate().any(|(at, name)| names[..at].contains(name)) {
        return Err(AuthError::incomplete("SignedHeaders must name each header once"));
    }
    if !names.contains(&"host") {
        return Err(AuthError::incomplete("'host' must be a 'SignedHeader' in the AWS Authorization."));
    }
    Ok(names)
}

/// A header that may occur once.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, AuthError> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => match value.to_str() {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(AuthError::incomplete(format!("The header {name} is not readable text"))),
        },
        (Some(_), Some(_)) => Err(AuthError::incomplete(format!("The header {name} occurs more than once"))),
    }
}

/// Refuses a declared content hash that is not the hash of the body that came.
pub(super) fn check_content_hash(declared: Option<&str>, actual: &str) -> Result<(), AuthError> {
    match declared {
        None => Ok(()),
        Some(declared) if declared == actual => Ok(()),
        Some("UNSIGNED-PAYLOAD") => Err(AuthError::ContentHash("the body must be signed")),
        Some(text) if text.starts_with("STREAMING-") => {
            Err(AuthError::ContentHash("streaming signatures are not taken"))
        }
        Some(_) => Err(AuthError::ContentHash("the body has another SHA-256")),
    }
}

/// A SigV4 signature with all that it claims to cover, parsed and not yet verified.
pub(super) struct Claim<'a> {
    pub credential: Credential<'a>,
    pub stamp: Stamp,
    /// As the client wrote it.
    pub signed_headers: &'a str,
    pub names: Vec<&'a str>,
    /// Encoded and sorted, without the signature.
    pub canonical_query: String,
    pub payload_hash: String,
    pub signature: [u8; 32],
}

impl Claim<'_> {
    /// The account of the key that signed, if it did.
    pub fn verify(
        &self,
        request: &Request<'_>,
        lookup: &dyn Fn(&str) -> Option<Key>,
    ) -> Result<AccountId, AuthError> {
        let Credential { access_key, day, region, service } = &self.credential;
        if *day != self.stamp.day() {
            return Err(AuthError::incomplete(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                 '{day}' != '{}'",
                self.stamp.day()
            )));
        }
        let hosts = host::candidates(host::of(request.headers)?);
        // What is wrong with the headers is wrong whichever host was signed, and is told before any key is looked for.
        let first = self.string_to_sign(request, &hosts[0])?;
        let key = lookup(access_key);
        check(key.as_ref(), AuthError::UnknownKey, AuthError::MismatchV4, |secret| {
            let signing = SigningKey::derive(secret, day, region, service);
            let signed = |string: &str| signing.verify(string.as_bytes(), &self.signature);
            let others = || hosts[1..].iter().filter_map(|host| self.string_to_sign(request, host).ok());
            signed(&first) || others().any(|string| signed(&string))
        })
    }

    /// What a client that sent this request has signed, if it took this for the host.
    fn string_to_sign(&self, request: &Request<'_>, host: &str) -> Result<String, AuthError> {
        let Credential { day, region, service, .. } = &self.credential;
        // The paths served here have nothing to encode or normalise: they are signed as sent.
        let path = if request.path.is_empty() { "/" } else { request.path };
        let headers = self.canonical_headers(request.headers, host)?;
        let mut hash = Sha256::new();
        for line in [request.method, "\n", path, "\n", &self.canonical_query, "\n"] {
            hash.update(line);
        }
        hash.update(&headers);
        for line in ["\n", self.signed_headers, "\n", &self.payload_hash] {
            hash.update(line);
        }
        let (stamp, hash) = (&self.stamp.basic, hex(&hash.finalize()));
        Ok(format!("{ALGORITHM}\n{stamp}\n{day}/{region}/{service}/{TERMINATOR}\n{hash}"))
    }

    fn canonical_headers(&self, headers: &HeaderMap, host: &str) -> Result<Vec<u8>, AuthError> {
        let mut block = Vec::new();
        for name in &self.names {
            let absent = || {
                AuthError::incomplete(format!(
                    "'{name}' is named as a SignedHeader, but it does not exist in the HTTP request"
                ))
            };
            block.extend_from_slice(name.as_bytes());
            block.push(b':');
            if *name == "host" {
                block.extend_from_slice(host.as_bytes());
            } else {
                let header = HeaderName::try_from(*name).map_err(|_| absent())?;
                let values: Vec<_> = headers.get_all(&header).iter().collect();
                if values.is_empty() {
                    return Err(absent());
                }
                for (at, value) in values.into_iter().enumerate() {
                    if at > 0 {
                        block.push(b',');
                    }
                    collapse_blanks(&mut block, value.as_bytes());
                }
            }
            block.push(b'\n');
        }
        Ok(block)
    }
}

/// Appends a header's value with outer blanks removed and inner runs of them made one.
fn collapse_blanks(out: &mut Vec<u8>, value: &[u8]) {
    let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    for (at, word) in words.enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(word);
    }
}
