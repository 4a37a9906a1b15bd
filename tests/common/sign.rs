//! A client's side of the signatures, for tests: SigV4 by header and by query, SigV2 by query.
//!
//! Written against AWS's documents and not against `fogbank::auth`, so that the two check each other.

use std::fmt::Write as _;

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Whose key, and when: `at` is SigV4's `20261123T083000Z`.
#[derive(Clone)]
pub struct Signer {
    pub key: String,
    pub secret: String,
    pub region: String,
    pub service: String,
    pub at: String,
}

/// A request, ready to be sent or spoilt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signed {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Signed {
    /// The bytes of the HTTP/1.1 request; the connection is closed after it.
    #[allow(dead_code)] // not every test that includes this file talks over a socket
    pub fn to_bytes(&self) -> Vec<u8> {
        let mark = if self.query.is_empty() { "" } else { "?" };
        let mut text = format!("{} {}{mark}{} HTTP/1.1\r\n", self.method, self.path, self.query);
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        for (name, value) in [("content-length", self.body.len().to_string()), ("connection", "close".into())]
        {
            if !self.headers.iter().any(|(given, _)| given == name) {
                let _ = write!(text, "{name}: {value}\r\n");
            }
        }
        let _ = write!(text, "\r\n{}", self.body);
        text.into_bytes()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}

fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => drop(write!(out, "%{other:02X}")),
        }
        out
    })
}

/// `a=1&b=2` in the order given.
pub fn form(pairs: &[(&str, &str)]) -> String {
    let pieces: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    pieces.join("&")
}

/// SigV4 sorts what is encoded.
fn sorted_v4(pairs: &[(&str, &str)]) -> String {
    let mut pieces: Vec<(String, String)> =
        pairs.iter().map(|(name, value)| (escape(name), escape(value))).collect();
    pieces.sort_unstable();
    let pieces: Vec<String> = pieces.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pieces.join("&")
}

/// SigV2 encodes what is sorted.
fn sorted_v2(pairs: &[(&str, &str)]) -> String {
    let mut pairs = pairs.to_vec();
    pairs.sort_unstable();
    form(&pairs)
}

impl Signer {
    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", &self.at[..8], self.region, self.service)
    }

    fn v4(&self, canonical_request: &str) -> String {
        let text = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            self.at,
            self.scope(),
            hex(&Sha256::digest(canonical_request))
        );
        let day = mac(format!("AWS4{}", self.secret).as_bytes(), &self.at[..8]);
        let region = mac(&day, &self.region);
        let service = mac(&region, &self.service);
        hex(&mac(&mac(&service, "aws4_request"), &text))
    }

    /// SigV4 by header; `headers` are signed besides host, content-type and x-amz-date, in lower case.
    pub fn v4_post(
        &self,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
        pairs: &[(&str, &str)],
    ) -> Signed {
        let body = form(pairs);
        let mut signed: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        signed.push(("host".into(), host.into()));
        signed.push(("content-type".into(), "application/x-www-form-urlencoded; charset=utf-8".into()));
        signed.push(("x-amz-date".into(), self.at.clone()));
        signed.sort();
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let block = signed.iter().fold(String::new(), |mut out, (name, value)| {
            let words: Vec<&str> = value.split_whitespace().collect();
            let _ = writeln!(out, "{name}:{}", words.join(" "));
            out
        });
        let hash = hex(&Sha256::digest(&body));
        let signature = self.v4(&format!("POST\n{path}\n\n{block}\n{names}\n{hash}"));
        signed.push((
            "authorization".into(),
            format!(
                "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={names}, Signature={signature}",
                self.key,
                self.scope()
            ),
        ));
        Signed { method: "POST".into(), path: path.into(), query: String::new(), headers: signed, body }
    }

    /// SigV4 by query: a presigned URL, good for `expires` seconds.
    pub fn v4_presigned(&self, host: &str, path: &str, expires: u32, pairs: &[(&str, &str)]) -> Signed {
        let credential = format!("{}/{}", self.key, self.scope());
        let expires = expires.to_string();
        let mut all = pairs.to_vec();
        all.extend([
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &self.at),
            ("X-Amz-Expires", &expires),
            ("X-Amz-SignedHeaders", "host"),
        ]);
        let query = sorted_v4(&all);
        let hash = hex(&Sha256::digest(""));
        let signature = self.v4(&format!("GET\n{path}\n{query}\nhost:{host}\n\nhost\n{hash}"));
        Signed {
            method: "GET".into(),
            path: path.into(),
            query: format!("{query}&X-Amz-Signature={signature}"),
            headers: vec![("host".into(), host.into())],
            body: String::new(),
        }
    }

    /// SigV2 with HmacSHA256 or HmacSHA1; a POST carries everything in its form.
    pub fn v2(
        &self,
        method: &str,
        algorithm: &str,
        host: &str,
        path: &str,
        pairs: &[(&str, &str)],
    ) -> Signed {
        let at = |from: usize, to: usize| &self.at[from..to];
        let stamp =
            format!("{}-{}-{}T{}:{}:{}Z", at(0, 4), at(4, 6), at(6, 8), at(9, 11), at(11, 13), at(13, 15));
        let mut all = pairs.to_vec();
        all.extend([
            ("AWSAccessKeyId", self.key.as_str()),
            ("SignatureVersion", "2"),
            ("SignatureMethod", algorithm),
            ("Timestamp", &stamp),
        ]);
        let canonical = sorted_v2(&all);
        let text = format!("{method}\n{}\n{path}\n{canonical}", host.to_ascii_lowercase());
        let digest = if algorithm == "HmacSHA1" {
            let mac = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes()).expect("any length");
            mac.chain_update(&text).finalize().into_bytes().to_vec()
        } else {
            mac(self.secret.as_bytes(), &text)
        };
        let signature = base64::engine::general_purpose::STANDARD.encode(digest);
        let whole = format!("{canonical}&Signature={}", escape(&signature));
        let mut headers = vec![("host".to_owned(), host.to_owned())];
        let (query, body) = if method == "POST" {
            headers.push(("content-type".into(), "application/x-www-form-urlencoded; charset=UTF-8".into()));
            (String::new(), whole)
        } else {
            (whole, String::new())
        };
        Signed { method: method.into(), path: path.into(), query, headers, body }
    }
}
