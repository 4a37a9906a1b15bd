//! SSH keys of instances: made, read as clients import them, and named by EC2's fingerprints.

use std::fmt::Write;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use rsa::BigUint;
use rsa::pkcs1::EncodeRsaPrivateKey;
use rsa::pkcs8::{DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::traits::PublicKeyParts;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use ssh_key::public::{KeyData, RsaPublicKey};
use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, Mpint, PrivateKey, PublicKey};

use crate::world::KeyType;

/// The size of keys that EC2 makes.
const RSA_BITS: usize = 2048;

/// Sizes that may be imported.
const RSA_SIZES: std::ops::RangeInclusive<usize> = 1024..=4096;

/// A key pair that was just made.
#[derive(Clone)]
pub struct NewKey {
    pub kind: KeyType,
    /// PEM, shown to the caller this once and kept nowhere.
    pub private: String,
    pub public: PublicHalf,
}

/// A public key as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicHalf {
    pub kind: KeyType,
    /// The OpenSSH line, without a comment.
    pub line: Arc<str>,
    pub fingerprint: Arc<str>,
}

/// What is wrong with a key.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    #[error("Key is not in valid OpenSSH public key format")]
    Format,
    #[error("The key is neither RSA nor ED25519")]
    Kind,
    #[error("RSA keys have from 1024 to 4096 bits")]
    Size,
    #[error("The key could not be made")]
    Made,
}

/// Makes a key pair from the kernel's random numbers. An RSA key takes a tenth of a second and more.
///
/// # Errors
/// The library could not encode it.
pub fn make(kind: KeyType) -> Result<NewKey, KeyError> {
    match kind {
        KeyType::Rsa => make_rsa(),
        KeyType::Ed25519 => make_ed25519(),
    }
}

fn make_rsa() -> Result<NewKey, KeyError> {
    let key = rsa::RsaPrivateKey::new(&mut OsRng, RSA_BITS).map_err(|_| KeyError::Made)?;
    let private = key.to_pkcs1_pem(LineEnding::LF).map_err(|_| KeyError::Made)?.to_string();
    // "The SHA-1 digest of the DER encoded private key" (API_KeyPairInfo), which is the PKCS #8 one.
    let der = key.to_pkcs8_der().map_err(|_| KeyError::Made)?;
    let fingerprint = colons(&Sha1::digest(der.as_bytes()));
    let public = RsaPublicKey::try_from(&key.to_public_key()).map_err(|_| KeyError::Made)?;
    let line = line(&PublicKey::from(KeyData::Rsa(public)))?;
    let public = PublicHalf { kind: KeyType::Rsa, line, fingerprint: fingerprint.into() };
    Ok(NewKey { kind: KeyType::Rsa, private, public })
}

fn make_ed25519() -> Result<NewKey, KeyError> {
    let key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(|_| KeyError::Made)?;
    let private = key.to_openssh(LineEnding::LF).map_err(|_| KeyError::Made)?.to_string();
    Ok(NewKey { kind: KeyType::Ed25519, private, public: half(key.public_key())? })
}

/// Reads a public key in the formats that ImportKeyPair takes: an OpenSSH line, base64 of the DER of an RSA
/// key, or RFC 4716.
///
/// # Errors
/// It is none of these, or not of a kind that EC2 takes.
pub fn read(material: &[u8]) -> Result<PublicHalf, KeyError> {
    let text = std::str::from_utf8(material).map_err(|_| KeyError::Format)?.trim();
    let key = if text.starts_with("---- BEGIN SSH2 PUBLIC KEY ----") {
        rfc4716(text)?
    } else if text.contains(' ') {
        PublicKey::from_openssh(text).map_err(|_| KeyError::Format)?
    } else {
        der(text)?
    };
    half(&key)
}

fn rfc4716(text: &str) -> Result<PublicKey, KeyError> {
    let mut base64 = String::new();
    let mut in_header = false;
    for line in text.lines().filter(|line| !line.starts_with("----")) {
        // Header lines have a colon, which base64 has not, and go on after a backslash.
        let header = in_header || line.contains(':');
        in_header = header && line.ends_with('\\');
        if !header {
            base64.push_str(line.trim());
        }
    }
    let bytes = STANDARD.decode(base64).map_err(|_| KeyError::Format)?;
    PublicKey::from_bytes(&bytes).map_err(|_| KeyError::Format)
}

fn der(text: &str) -> Result<PublicKey, KeyError> {
    let bytes = STANDARD.decode(text).map_err(|_| KeyError::Format)?;
    let key = rsa::RsaPublicKey::from_public_key_der(&bytes).map_err(|_| KeyError::Format)?;
    let positive = |number: &BigUint| Mpint::from_positive_bytes(&number.to_bytes_be());
    let (e, n) = (positive(key.e()), positive(key.n()));
    let key = RsaPublicKey { e: e.map_err(|_| KeyError::Format)?, n: n.map_err(|_| KeyError::Format)? };
    Ok(PublicKey::from(KeyData::Rsa(key)))
}

/// By its numbers: the library's own conversion refuses keys under 2048 bits, which EC2 takes.
fn to_rsa(key: &RsaPublicKey) -> Result<rsa::RsaPublicKey, KeyError> {
    let number =
        |mpint: &Mpint| mpint.as_positive_bytes().map(BigUint::from_bytes_be).ok_or(KeyError::Format);
    rsa::RsaPublicKey::new(number(&key.n)?, number(&key.e)?).map_err(|_| KeyError::Format)
}

/// A public key without its private half: fingerprinted as an imported one.
fn half(key: &PublicKey) -> Result<PublicHalf, KeyError> {
    let (kind, fingerprint) = match key.key_data() {
        KeyData::Rsa(public) => {
            let public = to_rsa(public)?;
            if !RSA_SIZES.contains(&(public.n().bits())) {
                return Err(KeyError::Size);
            }
            // In spite of the API's page it is the MD5 of the DER form, as openssl shows it.
            let der = public.to_public_key_der().map_err(|_| KeyError::Format)?;
            (KeyType::Rsa, colons(&Md5::digest(der.as_bytes())))
        }
        KeyData::Ed25519(_) => {
            let bytes = key.to_bytes().map_err(|_| KeyError::Format)?;
            (KeyType::Ed25519, STANDARD.encode(Sha256::digest(bytes)))
        }
        _ => return Err(KeyError::Kind),
    };
    Ok(PublicHalf { kind, line: line(key)?, fingerprint: fingerprint.into() })
}

fn line(key: &PublicKey) -> Result<Arc<str>, KeyError> {
    let mut bare = key.clone();
    bare.set_comment("");
    bare.to_openssh().map(|line| line.trim().into()).map_err(|_| KeyError::Format)
}

fn colons(digest: &[u8]) -> String {
    let mut text = String::new();
    for (at, byte) in digest.iter().enumerate() {
        let _ = write!(text, "{}{byte:02x}", if at == 0 { "" } else { ":" });
    }
    text
}

#[cfg(test)]
mod vectors;

#[cfg(test)]
mod tests {
    use super::vectors::*;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fingerprints_are_those_that_openssl_and_ssh_keygen_show() {
        assert_eq!(&*read(RSA_LINE.as_bytes()).unwrap().fingerprint, RSA_MD5);
        let key = read(ED25519_LINE.as_bytes()).unwrap();
        assert_eq!(key.fingerprint.trim_end_matches('='), ED25519_SHA256);
        assert_eq!(key.kind, KeyType::Ed25519);
    }

    #[test]
    fn all_formats_of_a_key_are_the_same_key() {
        let line = read(RSA_LINE.as_bytes()).unwrap();
        assert_eq!(read(RSA_DER.as_bytes()).unwrap(), line);
        assert_eq!(read(RSA_RFC4716.as_bytes()).unwrap(), line);
    }

    #[test]
    fn a_made_key_can_be_imported_and_is_the_same() {
        let made = make(KeyType::Ed25519).unwrap();
        assert!(made.private.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----\n"));
        assert_eq!(read(made.public.line.as_bytes()).unwrap(), made.public);
    }

    #[test]
    fn rsa_keys_are_pkcs1_and_fingerprinted_by_their_private_half() {
        let made = make(KeyType::Rsa).unwrap();
        assert!(made.private.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
        assert_eq!(made.public.fingerprint.len(), 59, "SHA-1");
        assert_eq!(read(made.public.line.as_bytes()).unwrap().line, made.public.line);
    }

    #[test]
    fn other_keys_are_refused() {
        let ecdsa = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBG";
        for bad in ["", "ssh-rsa", "ssh-rsa AAAA", "x y z", ecdsa, "AAAA"] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
        }
    }
}
