//! Signature Version 4 in the query: presigned URLs.

use super::clock::{self, Stamp};
use super::v4::{self, ALGORITHM, Claim, Credential};
use super::{AuthError, Key, MAX_EXPIRES_SECONDS, Parameters, Request, Rules, Verified, form};

const SIGNATURE: &str = "X-Amz-Signature";

/// The parameters that belong to the signature and not to the action.
pub(super) const SIGNATURE_PARAMETERS: &[&str] = &[
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Content-Sha256",
    SIGNATURE,
];

/// A signature parameter's value; it must stand in the query, which the signature covers by name.
fn needed<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, AuthError> {
    let found = parameters.query.iter().find(|(given, _)| given == name);
    found.map(|(_, value)| value.as_str()).ok_or_else(|| {
        AuthError::incomplete(format!(
            "AWS query-string parameters must include '{name}' in the query string"
        ))
    })
}

fn expires(parameters: &Parameters) -> Result<i64, AuthError> {
    let text = needed(parameters, "X-Amz-Expires")?;
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let seconds = digits.then(|| text.parse::<i64>().ok()).flatten();
    seconds.filter(|seconds| (1..=MAX_EXPIRES_SECONDS).contains(seconds)).ok_or_else(|| {
        AuthError::incomplete(format!(
            "X-Amz-Expires must be a number of seconds from 1 to {MAX_EXPIRES_SECONDS}"
        ))
    })
}

pub(super) fn verify(
    request: &Request<'_>,
    parameters: Parameters,
    rules: &Rules,
    lookup: &dyn Fn(&str) -> Option<Key>,
) -> Result<Verified, AuthError> {
    if parameters.body.iter().any(|(name, _)| SIGNATURE_PARAMETERS.contains(&name.as_str())) {
        return Err(AuthError::incomplete(
            "X-Amz-* parameters must stand in the query string, not in the body",
        ));
    }
    if needed(&parameters, "X-Amz-Algorithm")? != ALGORITHM {
        return Err(AuthError::incomplete(format!("X-Amz-Algorithm must be {ALGORITHM}")));
    }
    let credential = Credential::parse(needed(&parameters, "X-Amz-Credential")?)?;
    let signed_headers = needed(&parameters, "X-Amz-SignedHeaders")?;
    let names = v4::parse_signed_headers(signed_headers)?;
    let signature = v4::parse_signature(needed(&parameters, SIGNATURE)?)?;
    let stamp = Stamp::parse_basic(needed(&parameters, "X-Amz-Date")?).ok_or_else(|| {
        AuthError::incomplete("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    })?;
    clock::check_presigned(&stamp, expires(&parameters)?, rules.now)?;
    let payload_hash = v4::payload_hash(request.body);
    v4::check_content_hash(v4::single(request.headers, "x-amz-content-sha256")?, &payload_hash)?;
    v4::check_content_hash(parameters.get("X-Amz-Content-Sha256"), &payload_hash)?;
    let signed = parameters.query.iter().filter(|(name, _)| name != SIGNATURE);
    let claim = Claim {
        credential,
        stamp,
        signed_headers,
        names,
        canonical_query: form::canonical_query(signed),
        payload_hash,
        signature,
    };
    let account = claim.verify(request, lookup)?;
    let (access_key, scope) = (claim.credential.access_key.to_owned(), claim.credential.scope());
    let pairs = parameters.without(SIGNATURE_PARAMETERS);
    Ok(Verified { access_key, account, scope: Some(scope), pairs })
}
