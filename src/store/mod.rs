//! SQL: the only place that names sqlx.
//!
//! The store keeps rows and nothing else; what they mean is the World's business. It has three
//! jobs: commit a list of changes in one transaction, load everything at start, and say which of the
//! two went wrong and how. See DESIGN in docs/ARCHITECTURE.md for why there is one writer.

mod at_once;
mod batch;
mod cell;
mod checkpoint;
mod connection;
mod copy;
mod follower;
mod handle;
mod history;
mod job;
mod keys;
mod link;
mod load;
mod lock;
mod memory;
mod migrate;
mod opened;
mod place;
mod publish;
mod reports;
mod seal;
mod start;
mod table;
mod tables;
mod transact;
mod writer;

#[cfg(test)]
mod tests;

pub use copy::{Copied, CopyError, copy};
pub use handle::Handle;
pub use job::Done;
pub use lock::{LockError, StateDir};
pub use opened::{Store, StoreError};
pub use place::{Place, PlaceError};
pub use publish::Commit;
pub use seal::{KeyFile, KeyFileError, SealError};
pub use start::{StartError, WriterSettings, exit, start};
pub use transact::CommitError;

use crate::query::{Fault, FaultCode};

/// What reading everything again has found.
#[derive(Clone, Debug)]
pub struct Reloaded {
    pub generation: u64,
    /// How many rows of each table are not what this server knew.
    pub differences: std::collections::BTreeMap<&'static str, usize>,
}

/// The answer to whatever needs the database while it is not there.
fn away() -> Fault {
    FaultCode::ServiceUnavailable.with("The server's database cannot be used now: try again in a moment")
}

/// Fills with random bytes from the kernel.
pub(crate) fn random(bytes: &mut [u8]) {
    // getrandom(2) fails only where the system call does not exist (before Linux 3.17).
    if let Err(error) = getrandom::fill(bytes) {
        tracing::error!(%error, "no random bytes");
        std::process::abort();
    }
}
