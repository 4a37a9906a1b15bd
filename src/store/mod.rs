//! SQL: the only place that names sqlx.
//!
//! The store keeps rows and nothing else; what they mean is the World's business. It has three
//! jobs: commit a list of changes in one transaction, load everything at start, and say which of the
//! two went wrong and how. See DESIGN in docs/ARCHITECTURE.md for why there is one writer.

mod cell;
mod handle;
mod job;
mod lock;
mod migrate;
mod publish;
mod seal;
mod sqlite;
mod table;
mod tables;
mod writer;

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;

pub use handle::Handle;
pub use job::Done;
pub use lock::{LockError, StateDir};
pub use publish::Commit;
pub use seal::{KeyFile, KeyFileError, SealError};
pub use sqlite::{CommitError, Store, StoreError};
pub use writer::{StartError, WriterSettings, exit, start};

/// Fills with random bytes from the kernel.
pub(crate) fn random(bytes: &mut [u8]) {
    // getrandom(2) fails only where the system call does not exist (before Linux 3.17).
    if let Err(error) = getrandom::fill(bytes) {
        tracing::error!(%error, "no random bytes");
        std::process::abort();
    }
}
