//! What the door needs of the rest of the server.

use std::future::Future;
use std::sync::Arc;

use crate::auth::Key;
use crate::control::{Caller, Status};
use crate::query::{Action, Fault, Response};
use crate::world::World;

/// The answer to a write.
pub struct Written {
    pub response: Response,
    /// Which hosts have applied it, for the header `x-fogbank-applied`; `None` where none is concerned.
    pub applied: Option<String>,
}

/// State to read and a writer to hand writes to; tests put a small one in its place.
pub trait Backend: Send + Sync + 'static {
    /// The published World; every call may give a newer one.
    fn world(&self) -> Arc<World>;

    /// The hosts' latest reports.
    fn status(&self) -> Arc<Status>;

    /// What an access key id stands for, from memory.
    fn key(&self, access_key: &str) -> Option<Key>;

    /// Makes sure that the published World has everything that was answered before this call, by whichever
    /// server.
    fn fresh(&self) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Decides and commits a write. A DryRun that would succeed comes back as the fault DryRunOperation.
    ///
    /// The answer comes after the commit, and after the hosts that it concerns have applied it, as far as they
    /// are waited for. A caller that goes away does not undo what was handed in.
    fn submit(&self, caller: Caller, action: Action) -> impl Future<Output = Result<Written, Fault>> + Send;

    /// Writes that wait for the writer, for the metrics.
    fn queue_length(&self) -> usize;
}
