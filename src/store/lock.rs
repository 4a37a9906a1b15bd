//! The state folder: one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// The state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("cannot use the state folder {path}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("the state folder {path} is in use by another process")]
    InUse { path: PathBuf },
}

/// A process that was killed is gone from all lists some moments before the kernel has closed its files.
const PATIENCE: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(10);

fn patiently(mut file: File) -> Result<Flock<File>, Errno> {
    let begun = Instant::now();
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Ok(lock),
            Err((same, Errno::EWOULDBLOCK)) if begun.elapsed() < PATIENCE => file = same,
            Err((_, error)) => return Err(error),
        }
        std::thread::sleep(EVERY);
    }
}

/// A locked state folder; the lock goes with the process, however it ends.
pub struct StateDir {
    path: PathBuf,
    _lock: Flock<File>,
}

impl StateDir {
    /// Makes the folder if need be (mode 0700) and locks it.
    ///
    /// # Errors
    /// Another process has it, or it cannot be made.
    pub fn lock(path: &Path) -> Result<Self, LockError> {
        let io = |source| LockError::Io { path: path.to_owned(), source };
        if !path.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        }
        // Secrets and other tenants' user-data are in here.
        let mode = fs::metadata(path).map_err(io)?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(io)?;
        }
        let lock = path.join("lock");
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(lock).map_err(io)?;
        let lock = patiently(file).map_err(|error| match error {
            Errno::EWOULDBLOCK => LockError::InUse { path: path.to_owned() },
            other => io(other.into()),
        })?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The store's file.
    pub fn database(&self) -> PathBuf {
        Self::database_in(&self.path)
    }

    /// Where a SQLite store is in a state folder.
    pub fn database_in(path: &Path) -> PathBuf {
        path.join("fogbank.db")
    }

    /// The key that seals secrets.
    pub fn key_file(&self) -> PathBuf {
        self.path.join("secrets.key")
    }

    /// Where the last state that was published is remembered.
    pub fn memory(&self) -> PathBuf {
        self.path.join("last-published")
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}
