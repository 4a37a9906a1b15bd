//! What the door needs of the rest of the server.

use std::future::Future;
use std::sync::Arc;

use crate::auth::Key;
use crate::control::{Caller, Status};
use crate::query::{Action, Fault, Response};
use crate::world::World;

/// State to read and a writer to hand writes to; tests put a small one in its place.
pub trait Backend: Send + Sync + 'static {
    /// The published World; every call may give a newer one.
    fn world(&self) -> Arc<World>;

    /// The hosts' latest reports.
    fn status(&self) -> Arc<Status>;

    /// What an access key id stands for, from memory.
    fn key(&self, access_key: &str) -> Option<Key>;

    /// Decides and commits a write. A DryRun that would succeed comes back as the fault DryRunOperation.
    ///
    /// The answer comes after the commit. A caller that goes away does not undo what was handed in.
    fn submit(&self, caller: Caller, action: Action) -> impl Future<Output = Result<Response, Fault>> + Send;

    /// Writes that wait for the writer, for the metrics.
    fn queue_length(&self) -> usize;
}
