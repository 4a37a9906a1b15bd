//! Root file systems: made once a host from a folder, a tarball or the stock image, owned by the instances' users.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::sync::Mutex;

use super::{FIRST_USER, USERS, stock};
use crate::plan::STOCK_IMAGE;
use crate::types::Digest;

/// The prepared images of a host.
pub struct Images {
    folder: PathBuf,
    /// One image is prepared at a time: two instances of one image must not both make it.
    preparing: Mutex<()>,
}

impl Images {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, preparing: Mutex::new(()) }
    }

    /// The root file system of the image at this location.
    ///
    /// # Errors
    /// A message for the operator.
    pub async fn prepare(&self, location: &str) -> Result<PathBuf, String> {
        let _one = self.preparing.lock().await;
        let (folder, location) = (self.folder.clone(), location.to_owned());
        let prepared = tokio::task::spawn_blocking(move || {
            prepare(&folder, &location)
                .map_err(|error| format!("cannot prepare the image {location}: {error}"))
        });
        prepared.await.map_err(|error| error.to_string())?
    }
}

fn prepare(images: &Path, location: &str) -> io::Result<PathBuf> {
    let ready = images.join(key(location)?);
    if ready.exists() {
        return Ok(ready);
    }
    let unfinished = ready.with_extension("new");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    // Images may hold what the host's users must not read.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(images)?;
    fs::create_dir(&unfinished)?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755))?;
    let source = Path::new(location);
    if location == STOCK_IMAGE {
        stock::make(&unfinished)?;
    } else if source.is_dir() {
        run(Command::new("cp").args(["-a", "--reflink=auto"]).arg(source.join(".")).arg(&unfinished))?;
    } else {
        let mut tar = Command::new("tar");
        run(tar.args(["--numeric-owner", "-xpf"]).arg(source).arg("-C").arg(&unfinished))?;
    }
    give_away(&unfinished)?;
    fs::rename(&unfinished, &ready)?;
    Ok(ready)
}

/// The folder's name: another one when the source has changed, so that running instances keep theirs.
fn key(location: &str) -> io::Result<String> {
    let version = if location == STOCK_IMAGE {
        stock::version()?
    } else {
        let source = fs::metadata(location).map_err(|error| explain(location, error))?;
        format!("{location} {} {}", source.mtime(), source.len())
    };
    Ok(Digest::of(version.as_bytes()).to_string())
}

fn explain(location: &str, error: io::Error) -> io::Error {
    match (location, error.kind()) {
        ("", _) => io::Error::other("it is not registered any more; register it again under its id"),
        (_, io::ErrorKind::NotFound) => {
            io::Error::other("there is no such folder or tarball on this host; put it there")
        }
        _ => error,
    }
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

/// Gives every file to the instances' users: 0 becomes their root, and so on.
fn give_away(path: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    let shift = |id: u32| FIRST_USER + id.min(USERS - 1);
    lchown(path, Some(shift(metadata.uid())), Some(shift(metadata.gid())))?;
    if metadata.is_symlink() {
        return Ok(());
    }
    // Changing the owner takes the set-user-id bit away.
    fs::set_permissions(path, metadata.permissions())?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            give_away(&entry?.path())?;
        }
    }
    Ok(())
}
