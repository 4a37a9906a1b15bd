//! Secrets at rest: sealed with a key file, so that a copy of the database alone gives nothing away.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::crash::{self, Point};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;

/// The key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error(
        "the key file {path} is missing: the secrets in the store cannot be opened without it; restore it from the backup that has the store"
    )]
    Missing { path: PathBuf },
    #[error(
        "the key file {path} can be read by others: chmod 600 it, and replace the access keys if someone may have read it"
    )]
    Mode { path: PathBuf },
    #[error("the key file {path} does not hold 64 hexadecimal digits")]
    Malformed { path: PathBuf },
    #[error("cannot use the key file {path}")]
    Io { path: PathBuf, source: std::io::Error },
}

/// A sealed secret does not open: it was changed, or sealed with another key or for another access key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of access key does not open with this key file")]
pub struct SealError;

/// The opened key file.
pub struct KeyFile {
    cipher: XChaCha20Poly1305,
}

impl KeyFile {
    /// Reads the key file, or makes it where the store is new.
    ///
    /// # Errors
    /// A file that is missing beside an existing store, readable by others, or malformed.
    pub fn open(path: &Path, store_is_new: bool) -> Result<Self, KeyFileError> {
        let io = |source| KeyFileError::Io { path: path.to_owned(), source };
        if !path.exists() {
            if !store_is_new {
                return Err(KeyFileError::Missing { path: path.to_owned() });
            }
            create(path).map_err(io)?;
        }
        if fs::metadata(path).map_err(io)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyFileError::Mode { path: path.to_owned() });
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(io)?);
        let key = decode(text.trim()).ok_or_else(|| KeyFileError::Malformed { path: path.to_owned() })?;
        Ok(Self { cipher: XChaCha20Poly1305::new(&Key::from(*key)) })
    }

    /// Seals a secret: a random nonce, then the ciphertext. The access key id is bound to it, so that
    /// rows cannot be swapped.
    pub fn seal(&self, access_key: &str, secret: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_BYTES];
        crate::store::random(&mut nonce);
        let payload = Payload { msg: secret, aad: access_key.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        // XChaCha20-Poly1305 refuses only messages of 256 GiB.
        let mut out = nonce.to_vec();
        out.extend(sealed.unwrap_or_default());
        out
    }

    /// Opens what `seal` made.
    ///
    /// # Errors
    /// The bytes, the access key id or the key file are not those that it was sealed with.
    pub fn open_secret(&self, access_key: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES).ok_or(SealError)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| SealError)?;
        let payload = Payload { msg: sealed, aad: access_key.as_bytes() };
        self.cipher.decrypt(&XNonce::from(nonce), payload).map(Zeroizing::new).map_err(|_| SealError)
    }
}

/// Whole or not at all: one that was begun would stop every start.
fn create(path: &Path) -> std::io::Result<()> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    crate::store::random(&mut *key);
    let digits: Zeroizing<String> = Zeroizing::new(key.iter().map(|byte| format!("{byte:02x}")).collect());
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    crash::point(Point::KeyFileMade);
    writeln!(file, "{}", *digits)?;
    file.sync_all()?;
    crash::point(Point::KeyFileWritten);
    fs::rename(new, path)?;
    // Its name, too, is on disk before anything is sealed with it.
    fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()?;
    crash::point(Point::KeyFileNamed);
    Ok(())
}

fn decode(text: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("fogbank-seal-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_secret_opens_for_its_own_access_key_only() {
        let dir = dir("opens");
        let key = KeyFile::open(&dir.join("key"), true).unwrap();
        let sealed = key.seal("AKIA1", b"secret");
        assert_eq!(*key.open_secret("AKIA1", &sealed).unwrap(), b"secret");
        assert!(key.open_secret("AKIA2", &sealed).is_err());
        let mut changed = sealed;
        *changed.last_mut().unwrap() ^= 1;
        assert!(key.open_secret("AKIA1", &changed).is_err());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_missing_or_readable_key_file_stops_the_start() {
        let dir = dir("stops");
        let path = dir.join("key");
        assert!(matches!(KeyFile::open(&path, false), Err(KeyFileError::Missing { .. })));
        KeyFile::open(&path, true).unwrap();
        KeyFile::open(&path, false).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(KeyFile::open(&path, false), Err(KeyFileError::Mode { .. })));
        fs::remove_dir_all(dir).unwrap();
    }
}
