//! The deployment's own authority: it signs servers' certificates, and agents trust nothing else.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};

use super::FeedError;
use crate::control::Decision;
use crate::plan::message::SERVER_NAME;
use crate::query::Fault;
use crate::store::{Handle, KeyFile};
use crate::world::Deployment;

/// What the authority's key is sealed for.
const SEALED_FOR: &str = "deployment authority";

/// A new authority, for a deployment that has none.
///
/// # Errors
/// No key could be made.
pub fn make(key_file: &KeyFile) -> Result<Deployment, rcgen::Error> {
    let key = KeyPair::generate()?;
    let certificate: Arc<str> = parameters()?.self_signed(&key)?.pem().into();
    let sealed_key = key_file.seal(SEALED_FOR, &key.serialize_der()).into();
    Ok(Deployment { certificate, sealed_key, address_lease: 0, lease_since: 0 })
}

/// The authority's own parameters: always the same, so that a certificate made later has the same issuer.
fn parameters() -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters.distinguished_name.push(DnType::CommonName, "fogbank authority");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(parameters)
}

/// Puts an authority into a store that has none.
///
/// # Errors
/// It could not be made or written.
pub fn ensure(
    handle: &Handle,
) -> Result<impl FnMut(&mut Decision<'_>) -> Result<(), Fault> + use<>, rcgen::Error> {
    let mut made = match handle.world().deployment {
        Some(_) => None,
        None => Some(make(handle.key_file())?),
    };
    Ok(move |decision: &mut Decision<'_>| {
        // Another server may have been first.
        if let (None, Some(row)) = (&decision.world.deployment, made.take()) {
            made = Some(row.clone());
            decision.put(row);
        }
        Ok(())
    })
}

/// What a join token names the authority by: SHA-256 over its certificate, in hexadecimal digits.
///
/// # Errors
/// The row holds no certificate.
pub fn fingerprint(deployment: &Deployment) -> Result<String, FeedError> {
    let certificate = certificate(deployment)?;
    Ok(Sha256::digest(&certificate).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn certificate(deployment: &Deployment) -> Result<CertificateDer<'static>, FeedError> {
    CertificateDer::from_pem_slice(deployment.certificate.as_bytes())
        .map_err(|error| FeedError::Authority(error.to_string()))
}

/// A server's side of TLS: a certificate of this process alone, made now, behind it the authority's.
///
/// # Errors
/// The authority's key does not open, or is of no use.
pub fn acceptor(deployment: &Deployment, key_file: &KeyFile) -> Result<TlsAcceptor, FeedError> {
    let wrong = |error: rcgen::Error| FeedError::Authority(error.to_string());
    let key = key_file
        .open_secret(SEALED_FOR, &deployment.sealed_key)
        .map_err(|_| FeedError::Authority("its key does not open with this key file".into()))?;
    let key = KeyPair::try_from(key.as_slice()).map_err(wrong)?;
    let issuer = Issuer::new(parameters().map_err(wrong)?, key);
    let own = KeyPair::generate().map_err(wrong)?;
    let names = CertificateParams::new(vec![SERVER_NAME.to_owned()]).map_err(wrong)?;
    let leaf = names.signed_by(&own, &issuer).map_err(wrong)?;
    let chain = vec![leaf.der().clone(), certificate(deployment)?];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| FeedError::Authority(error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
