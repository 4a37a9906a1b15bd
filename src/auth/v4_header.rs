//! Signature Version 4 in the Authorization header.

use super::clock::{self, Stamp};
use super::v4::{self, ALGORITHM, Claim, Credential};
use super::{AuthError, Key, Parameters, Request, Rules, Verified, form};

/// The three parts of the header, as the client wrote them.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Authorization<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, in any order, with or without
    /// blanks after the commas; each part exactly once and nothing else.
    fn parse(text: &'a str) -> Result<Self, AuthError> {
        let Some((ALGORITHM, rest)) = text.trim().split_once([' ', '\t']) else {
            return Err(AuthError::incomplete(format!("Authorization must begin with {ALGORITHM}")));
        };
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for part in rest.split(',') {
            let (name, value) = part.trim().split_once('=').unwrap_or((part, ""));
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(AuthError::incomplete("Authorization has a part that is not known")),
            };
            if slot.replace(value).is_some() {
                return Err(AuthError::incomplete(format!("Authorization has more than one '{name}'")));
            }
        }
        let needs = |name: &str| {
            AuthError::incomplete(format!(
                "Authorization header requires '{name}' parameter. Authorization=…"
            ))
        };
        Ok(Self {
            credential: credential.ok_or_else(|| needs("Credential"))?,
            signed_headers: signed_headers.ok_or_else(|| needs("SignedHeaders"))?,
            signature: signature.ok_or_else(|| needs("Signature"))?,
        })
    }
}

/// When it was signed: X-Amz-Date, or the Date header; whichever it is must be signed itself.
fn signed_at(request: &Request<'_>, names: &[&str]) -> Result<Stamp, AuthError> {
    let (name, stamp) = match v4::single(request.headers, "x-amz-date")? {
        Some(text) => ("x-amz-date", Stamp::parse_basic(text)),
        None => match v4::single(request.headers, "date")? {
            Some(text) => ("date", Stamp::parse_date_header(text)),
            None => {
                return Err(AuthError::incomplete(
                    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
                ));
            }
        },
    };
    if !names.contains(&name) {
        return Err(AuthError::incomplete(format!("'{name}' must be a 'SignedHeader'")));
    }
    stamp.ok_or_else(|| {
        AuthError::incomplete(format!("Date in the header {name} must be in ISO-8601 'basic format'"))
    })
}

pub(super) fn verify(
    request: &Request<'_>,
    parameters: Parameters,
    rules: &Rules,
    lookup: &dyn Fn(&str) -> Option<Key>,
) -> Result<Verified, AuthError> {
    let header = v4::single(request.headers, "authorization")?.ok_or(AuthError::Missing)?;
    let authorization = Authorization::parse(header)?;
    let credential = Credential::parse(authorization.credential)?;
    let names = v4::parse_signed_headers(authorization.signed_headers)?;
    let signature = v4::parse_signature(authorization.signature)?;
    let stamp = signed_at(request, &names)?;
    clock::check_signed_at(&stamp, rules.now)?;
    let payload_hash = v4::payload_hash(request.body);
    v4::check_content_hash(v4::single(request.headers, "x-amz-content-sha256")?, &payload_hash)?;
    let claim = Claim {
        credential,
        stamp,
        signed_headers: authorization.signed_headers,
        names,
        canonical_query: form::canonical_query(parameters.query.iter()),
        payload_hash,
        signature,
    };
    let account = claim.verify(request, lookup)?;
    Ok(Verified {
        access_key: claim.credential.access_key.to_owned(),
        account,
        scope: Some(claim.credential.scope()),
        pairs: parameters.without(&[]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_and_order_of_the_parts_are_free() {
        let wanted = Authorization { credential: "a/b", signed_headers: "host", signature: "00" };
        for text in [
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=00",
            "AWS4-HMAC-SHA256 Credential=a/b,SignedHeaders=host,Signature=00",
            "AWS4-HMAC-SHA256\tSignature=00 ,  SignedHeaders=host,Credential=a/b",
        ] {
            assert_eq!(Authorization::parse(text), Ok(wanted.clone()), "{text}");
        }
    }

    #[test]
    fn other_headers_are_incomplete() {
        for text in [
            "",
            "AWS4-HMAC-SHA256",
            "Basic dXNlcjpwYXNz",
            "AWS AKID:c2ln",
            "AWS4-HMAC-SHA512 Credential=a, SignedHeaders=host, Signature=00",
            "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host",
            "AWS4-HMAC-SHA256 Credential=a, Credential=b, SignedHeaders=host, Signature=00",
            "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=00, Extra=1",
            "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=host, Signature=00,",
        ] {
            assert!(matches!(Authorization::parse(text), Err(AuthError::Incomplete(_))), "{text}");
        }
    }
}
