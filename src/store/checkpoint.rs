//! Brings what is committed from SQLite's write-ahead log into its database, beside the writer.
//!
//! SQLite does so within a COMMIT when the log has grown long, and that one takes ten times as long as others. A passive
//! checkpoint by another connection is in nobody's way (<https://www.sqlite.org/wal.html#ckpt>); where it does not keep up,
//! SQLite's own bounds the log still ([`LOG`]), with less to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::StoreError;
use super::place::Place;
use crate::world::World;

/// How many pages the log may have before a COMMIT itself empties it: 16 MiB.
pub(super) const LOG: &str = "4000";
/// After a commit, others follow: they go together.
const PAUSE: Duration = Duration::from_millis(200);

/// Follows the commits of a file until there is nobody who could make one.
pub(super) async fn keep_short(place: Place, mut worlds: watch::Receiver<Arc<World>>) {
    let mut connection = None;
    while worlds.changed().await.is_ok() {
        tokio::time::sleep(PAUSE).await;
        worlds.mark_unchanged();
        let done = async {
            let open = match connection.take() {
                Some(open) => open,
                None => place.connect().await?,
            };
            connection.insert(open).rows("PRAGMA wal_checkpoint(PASSIVE)", &[]).await?;
            Ok::<_, StoreError>(())
        };
        if let Err(error) = done.await {
            connection = None;
            // The writer's own does it.
            tracing::debug!(%error, "the log was not brought into the database");
        }
    }
}
