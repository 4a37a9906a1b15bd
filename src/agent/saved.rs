//! The last state on disk, for a host that starts while no server can be reached.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use crate::plan::HostState;

/// Where the state is kept. It is written in the background: what is not on disk yet is what the
/// servers said last, and they are asked first.
pub struct Saved {
    path: PathBuf,
    latest: watch::Sender<Option<Arc<HostState>>>,
}

impl Saved {
    /// Keeps the state in a folder of the agent's own.
    pub fn at(folder: &Path) -> Self {
        let (latest, states) = watch::channel(None);
        let path = folder.join("state.json");
        tokio::spawn(write_on(path.clone(), states));
        Self { path, latest }
    }

    /// Has the state written.
    pub fn keep(&self, state: &Arc<HostState>) {
        self.latest.send_replace(Some(state.clone()));
    }

    /// The state that was written last; one that cannot be read is none.
    pub fn read(&self) -> Option<Arc<HostState>> {
        let text = fs::read(&self.path).ok()?;
        match serde_json::from_slice(&text) {
            Ok(state) => {
                tracing::warn!("no server can be reached: starting from the saved state");
                Some(Arc::new(state))
            }
            Err(error) => {
                tracing::error!(%error, path = %self.path.display(), "the saved state cannot be read");
                None
            }
        }
    }
}

async fn write_on(path: PathBuf, mut states: watch::Receiver<Option<Arc<HostState>>>) {
    while states.changed().await.is_ok() {
        let Some(state) = states.borrow_and_update().clone() else { continue };
        let to = path.clone();
        let written = tokio::task::spawn_blocking(move || write(&to, &state)).await;
        if let Err(error) = written.map_err(io::Error::other).and_then(|written| written) {
            tracing::warn!(%error, path = %path.display(), "the state cannot be saved");
        }
    }
}

/// Whole or not at all.
fn write(path: &Path, state: &HostState) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec(state)?)?;
    file.sync_all()?;
    fs::rename(new, path)
}
