//! Signature Version 2 in the query or the form, as boto 2, euca2ools 2 and libcloud sign.
//!
//! The signature covers method, host, path and all parameters, wherever they stand
//! (<https://docs.aws.amazon.com/general/latest/gr/signature-version-2.html>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;

use super::clock::{self, Stamp};
use super::key::check;
use super::{AuthError, Key, Parameters, Request, Verified, form, host};
use crate::types::Micros;

/// The parameters that say that a request is signed this way.
pub(super) const MARKS: &[&str] = &["AWSAccessKeyId", "Signature", "SignatureVersion", "SignatureMethod"];

/// The parameters that belong to the signature and not to the action.
const SIGNATURE_PARAMETERS: &[&str] =
    &["AWSAccessKeyId", "Signature", "SignatureVersion", "SignatureMethod", "Timestamp", "Expires"];

#[derive(Clone, Copy)]
enum Algorithm {
    HmacSha1,
    HmacSha256,
}

impl Algorithm {
    fn parse(name: &str) -> Result<Self, AuthError> {
        match name {
            "HmacSHA256" => Ok(Self::HmacSha256),
            "HmacSHA1" => Ok(Self::HmacSha1),
            _ => Err(AuthError::incomplete("SignatureMethod must be HmacSHA256 or HmacSHA1")),
        }
    }

    /// Whether `signature` is the string's, in constant time.
    fn verify(self, secret: &[u8], string: &str, signature: &[u8]) -> bool {
        const ANY_LENGTH: &str = "HMAC takes keys of every length";
        match self {
            Self::HmacSha1 => {
                let mac = Hmac::<Sha1>::new_from_slice(secret).expect(ANY_LENGTH);
                mac.chain_update(string).verify_slice(signature).is_ok()
            }
            Self::HmacSha256 => {
                let mac = Hmac::<Sha256>::new_from_slice(secret).expect(ANY_LENGTH);
                mac.chain_update(string).verify_slice(signature).is_ok()
            }
        }
    }
}

fn needed<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a str, AuthError> {
    parameters
        .get(name)
        .filter(|value| !value.is_empty())
        .ok_or_else(|| AuthError::incomplete(format!("The request must contain the parameter {name}")))
}

/// Exactly one of Timestamp and Expires, and it must be good now.
fn check_time(parameters: &Parameters, now: Micros) -> Result<(), AuthError> {
    let stamp = |name: &str, text: &str| {
        Stamp::parse_extended(text).ok_or_else(|| {
            AuthError::incomplete(format!("{name} must be a time of the form 2006-12-08T07:48:03Z"))
        })
    };
    match (parameters.get("Timestamp"), parameters.get("Expires")) {
        (Some(text), None) => clock::check_signed_at(&stamp("Timestamp", text)?, now),
        (None, Some(text)) => clock::check_expires(&stamp("Expires", text)?, now),
        (None, None) => Err(AuthError::incomplete("The request must contain either Timestamp or Expires")),
        (Some(_), Some(_)) => {
            Err(AuthError::incomplete("The request must contain either Timestamp or Expires, not both"))
        }
    }
}

pub(super) fn verify(
    request: &Request<'_>,
    parameters: Parameters,
    now: &Micros,
    lookup: &dyn Fn(&str) -> Option<Key>,
) -> Result<Verified, AuthError> {
    if needed(&parameters, "SignatureVersion")? != "2" {
        return Err(AuthError::incomplete("SignatureVersion must be 2; versions 0 and 1 are not secure"));
    }
    let algorithm = Algorithm::parse(needed(&parameters, "SignatureMethod")?)?;
    let access_key = needed(&parameters, "AWSAccessKeyId")?.to_owned();
    let signature = STANDARD
        .decode(needed(&parameters, "Signature")?)
        .map_err(|_| AuthError::incomplete("Signature must be base64"))?;
    check_time(&parameters, *now)?;
    let signed = parameters.all().filter(|(name, _)| name != "Signature");
    let query = form::canonical_query_v2(signed);
    let path = if request.path.is_empty() { "/" } else { request.path };
    let hosts = host::candidates(host::of(request.headers)?);
    let key = lookup(&access_key);
    let account = check(key.as_ref(), AuthError::UnknownKey, AuthError::MismatchV2, |secret| {
        hosts.iter().any(|host| {
            let string = format!("{}\n{host}\n{path}\n{query}", request.method);
            algorithm.verify(secret, &string, &signature)
        })
    })?;
    let pairs = parameters.without(SIGNATURE_PARAMETERS);
    Ok(Verified { access_key, account, scope: None, pairs })
}
