//! Whom an agent believes: the deployment's authority and nobody else.

use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest as _, Sha256};
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// TLS that trusts the one certificate, in PEM.
///
/// # Errors
/// It is no certificate.
pub fn of(certificate: &str) -> Result<Arc<ClientConfig>, String> {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    roots.add(der).map_err(|error| error.to_string())?;
    let builder = builder()?.with_root_certificates(roots);
    Ok(Arc::new(builder.with_no_client_auth()))
}

type Builder = tokio_rustls::rustls::ConfigBuilder<ClientConfig, tokio_rustls::rustls::WantsVerifier>;

fn builder() -> Result<Builder, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.map_err(|error| error.to_string())
}

/// Knows the authority by its fingerprint alone, and learns its certificate in the handshake.
#[derive(Debug)]
pub struct Pinned {
    /// SHA-256 in hexadecimal digits, from the join token.
    fingerprint: String,
    provider: Arc<CryptoProvider>,
    learned: std::sync::Mutex<Option<CertificateDer<'static>>>,
}

impl Pinned {
    pub fn new(fingerprint: &str) -> Arc<Self> {
        let (fingerprint, provider) = (fingerprint.to_owned(), Arc::new(ring::default_provider()));
        Arc::new(Self { fingerprint, provider, learned: std::sync::Mutex::default() })
    }

    /// TLS that trusts the authority of this fingerprint.
    ///
    /// # Errors
    /// No TLS can be had.
    pub fn tls(self: &Arc<Self>) -> Result<Arc<ClientConfig>, String> {
        let builder = builder()?.dangerous().with_custom_certificate_verifier(self.clone());
        Ok(Arc::new(builder.with_no_client_auth()))
    }

    /// The authority's certificate, after a handshake that succeeded.
    pub fn learned(&self) -> Option<CertificateDer<'static>> {
        self.learned.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let is_it = |certificate: &&CertificateDer<'_>| {
            let digest = Sha256::digest(certificate.as_ref());
            digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>() == self.fingerprint
        };
        let authority = intermediates.iter().find(is_it);
        let authority = authority.ok_or(Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone()).build();
        let verifier = verifier.map_err(|error| Error::General(error.to_string()))?;
        let verified =
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        *self.learned.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            Some(authority.clone().into_owned());
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
