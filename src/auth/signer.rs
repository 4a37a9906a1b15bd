//! The other side of SigV4: how an agent signs what it asks a server.

use super::Secret;
use super::form;
use super::v4::{ALGORITHM, SigningKey, payload_hash};
use crate::types::Micros;

/// Signs requests that have no query, by header.
#[derive(Clone, Debug)]
pub struct Signer {
    pub access_key: String,
    pub secret: Secret,
    pub region: &'static str,
    pub service: &'static str,
}

/// A time as `X-Amz-Date` has it.
pub fn date(at: Micros) -> String {
    let format = time::macros::format_description!("[year][month][day]T[hour][minute][second]Z");
    let at = time::OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1_000_000));
    at.ok().and_then(|at| at.format(format).ok()).unwrap_or_default()
}

impl Signer {
    /// The Authorization header of a POST with the headers Host and X-Amz-Date and nothing else signed.
    pub fn authorization(&self, host: &str, path: &str, date: &str, body: &[u8]) -> String {
        let names = "host;x-amz-date";
        let hash = payload_hash(body);
        let query = form::canonical_query(std::iter::empty());
        let request = format!("POST\n{path}\n{query}\nhost:{host}\nx-amz-date:{date}\n\n{names}\n{hash}");
        let day = date.get(..8).unwrap_or_default();
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let string = format!("{ALGORITHM}\n{date}\n{scope}\n{}", payload_hash(request.as_bytes()));
        let key = SigningKey::derive(self.secret.expose(), day, self.region, self.service);
        let signature: String =
            key.sign(string.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Key, Request, Rules, verify_opaque};
    use super::*;

    #[test]
    fn what_is_signed_is_verified_and_what_is_changed_is_not() {
        let secret = Secret::new(*b"host-secret");
        let signer =
            Signer { access_key: "node-1.rack".into(), secret: secret.clone(), region: "any", service: "s" };
        let now = Micros(1_700_000_000_000_000);
        let date = date(now);
        assert_eq!(date, "20231114T221320Z");
        let body = br#"{"generation":7}"#;
        let mut headers = http::HeaderMap::new();
        headers.insert("host", "fogbank-server".parse().unwrap());
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("x-amz-date", date.parse().unwrap());
        let signed = signer.authorization("fogbank-server", "/poll", &date, body);
        headers.insert("authorization", signed.parse().unwrap());
        let key = Key { secret, account: crate::types::AccountId::from_random(0) };
        let verify = |path, body| {
            let request = Request { method: "POST", path, query: "", headers: &headers, body };
            verify_opaque(&request, &Rules { now, sigv2: false }, |_| Some(key.clone()))
        };
        assert_eq!(verify("/poll", &body[..]).unwrap().access_key, "node-1.rack");
        assert!(verify("/poll", b"{}").is_err());
        assert!(verify("/report", &body[..]).is_err());
    }
}
