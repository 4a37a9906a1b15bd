//! The last state on disk, for a host that starts while no server can be reached.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::crash::{self, Point};
use crate::plan::HostState;

/// Between two writings of a state that changes all the time.
const BETWEEN: Duration = Duration::from_secs(1);

/// Where the state is kept. It is written in the background: what is not on disk yet is what the
/// servers said last, and they are asked first.
pub struct Saved {
    path: PathBuf,
    latest: watch::Sender<Option<Arc<HostState>>>,
}

/// What is in the file.
#[derive(Serialize, Deserialize)]
struct Contents<S> {
    /// The kernel's own name for the time since it started (random(4)).
    boot_id: String,
    state: S,
}

/// A state from the disk.
pub struct Kept {
    pub state: Arc<HostState>,
    /// Whether the machine has been off since: others may have taken over what it answered for.
    pub rebooted: bool,
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
    pub fn read(&self) -> Option<Kept> {
        let text = fs::read(&self.path).ok()?;
        match serde_json::from_slice::<Contents<HostState>>(&text) {
            Ok(contents) => {
                let rebooted = contents.boot_id != boot_id();
                tracing::warn!(rebooted, "no server can be reached: starting from the saved state");
                Some(Kept { state: Arc::new(contents.state), rebooted })
            }
            Err(error) => {
                tracing::error!(%error, path = %self.path.display(), "the saved state cannot be read");
                None
            }
        }
    }
}

/// One that cannot be read is unlike every other.
fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

async fn write_on(path: PathBuf, mut states: watch::Receiver<Option<Arc<HostState>>>) {
    while states.changed().await.is_ok() {
        let Some(state) = states.borrow_and_update().clone() else { continue };
        let to = path.clone();
        let written = tokio::task::spawn_blocking(move || write(&to, &state)).await;
        if let Err(error) = written.map_err(io::Error::other).and_then(|written| written) {
            tracing::warn!(%error, path = %path.display(), "the state cannot be saved");
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Whole or not at all.
fn write(path: &Path, state: &HostState) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(&serde_json::to_vec(&Contents { boot_id: boot_id(), state })?)?;
    file.sync_all()?;
    crash::point(Point::StateWritten);
    fs::rename(new, path)?;
    crash::point(Point::StateSaved);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_and_a_reboot_shows() {
        let folder = std::env::temp_dir().join(format!("fogbank-saved-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (latest, path) = (watch::Sender::new(None), folder.join("state.json"));
        let saved = Saved { path: path.clone(), latest };
        assert!(saved.read().is_none());
        let state = HostState { generation: 7, host: "node1".into(), ..HostState::default() };
        write(&path, &state).unwrap();
        let kept = saved.read().unwrap();
        assert_eq!((&*kept.state, kept.rebooted), (&state, false));
        let text = fs::read_to_string(&path).unwrap().replace(&boot_id(), "before");
        fs::write(&path, text).unwrap();
        assert!(saved.read().unwrap().rebooted);
        fs::remove_dir_all(folder).unwrap();
    }
}
