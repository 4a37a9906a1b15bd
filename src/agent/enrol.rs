//! How a host becomes one of a deployment's: by a token, once.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::ClientConfig;

use super::link::{self, Link};
use super::trust::{self, Pinned};
use crate::auth::{Secret, Signer};
use crate::crash::{self, Point};
use crate::plan::message::{JOIN_PATH, Join, SERVER_NAME, SERVICE};

/// What tokens begin with, so that one can be told from other secrets.
const PREFIX: &str = "fogbank-join-";
/// The region in a host's scope: hosts belong to the deployment, not to one of its regions.
const REGION: &str = "any";

/// What `fogbank host add` hands out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Token {
    pub host: Arc<str>,
    pub secret: String,
    /// The authority's fingerprint.
    pub authority: String,
}

impl Token {
    /// One word for a shell.
    pub fn to_word(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(text))
    }

    fn parse(word: &str) -> Option<Self> {
        let text = URL_SAFE_NO_PAD.decode(word.trim().strip_prefix(PREFIX)?).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// What an enrolled host knows of its deployment; a file of mode 0600 in the agent's folder.
#[derive(Clone, Serialize, Deserialize)]
pub struct Enrolment {
    pub host: Arc<str>,
    key: String,
    /// The authority's certificate, in PEM.
    certificate: String,
}

fn path(folder: &Path) -> PathBuf {
    folder.join("enrolment.json")
}

impl Enrolment {
    /// # Errors
    /// The host has not enrolled yet.
    pub fn read(folder: &Path) -> Result<Self, String> {
        let text = fs::read(path(folder)).map_err(|error| {
            format!(
                "this host has not joined a deployment ({}: {error}): run `fogbank host add NAME` at the server and \
                 `fogbank agent --join TOKEN` here",
                path(folder).display()
            )
        })?;
        serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path(folder).display()))
    }

    fn write(&self, folder: &Path) -> std::io::Result<()> {
        let new = path(folder).with_extension("new");
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.sync_all()?;
        crash::point(Point::EnrolmentWritten);
        fs::rename(new, path(folder))
    }

    /// The way to the servers.
    ///
    /// # Errors
    /// The certificate is none.
    pub fn link(&self, servers: &[String]) -> Result<Link, String> {
        let signer = Signer {
            access_key: self.host.to_string(),
            secret: Secret::new(self.key.clone()),
            region: REGION,
            service: SERVICE,
        };
        Ok(Link::new(servers.to_vec(), trust::of(&self.certificate)?, signer))
    }
}

/// Joins by a token, at the first of the servers that answers.
///
/// # Errors
/// The token is none or is not good; no server of its deployment answers.
pub async fn join(word: &str, host: &str, servers: &[String], folder: &Path) -> Result<Arc<str>, String> {
    let token = Token::parse(word).ok_or("this is no join token: it begins with fogbank-join-")?;
    if *token.host != *host {
        // Before the token is used up.
        return Err(format!("the token is for {}, but [host] name here is {host}", token.host));
    }
    let mut key = [0; 32];
    crate::store::random(&mut key);
    let key = STANDARD.encode(key);
    let join = Join { host: token.host.clone(), secret: token.secret, key: key.clone(), flat_mac: None };
    let body = serde_json::to_vec(&join).map_err(|error| error.to_string())?;
    let pinned = Pinned::new(&token.authority);
    let tls = pinned.tls()?;
    let mut problems = Vec::new();
    for server in servers {
        match ask(server, &tls, body.clone()).await {
            Ok(()) => {
                crash::point(Point::JoinAnswered);
                let certificate = pinned.learned().ok_or("the server showed no authority")?;
                let certificate = pem(&certificate);
                let enrolment = Enrolment { host: token.host.clone(), key, certificate };
                enrolment.write(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
                return Ok(token.host);
            }
            Err(problem) => problems.push(format!("{server}: {problem}")),
        }
    }
    Err(format!("cannot join: {}", problems.join("; ")))
}

async fn ask(server: &str, tls: &Arc<ClientConfig>, body: Vec<u8>) -> Result<(), String> {
    let mut connection = link::connect(server, tls).await?;
    let request = http::Request::post(JOIN_PATH)
        .header("host", SERVER_NAME)
        .body(Full::<Bytes>::from(body))
        .map_err(|error| error.to_string())?;
    let response = connection.send_request(request).await.map_err(|error| error.to_string())?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    match head.status.is_success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&body).into_owned()),
    }
}

/// A certificate in PEM (RFC 7468).
fn pem(certificate: &[u8]) -> String {
    let text = STANDARD.encode(certificate);
    let lines = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned());
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
}
