//! The server's part of a start: the folder, the first process, the cables, the word to go on.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::record::Record;
use super::{FIRST_USER, veth};
use crate::plan::{InstanceSection, PortSection};

pub const CONSOLE: &str = "console.log";
pub const SPEC: &str = "spec.json";
pub const UPPER: &str = "upper";
pub const WORK: &str = "work";
pub const ROOT: &str = "root";

/// How long the first process may take to be there.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the first process must know.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// The image's root file system, its files owned by the instances' users.
    pub image: PathBuf,
}

/// Starts the instance's processes.
///
/// # Errors
/// A message for the operator; then nothing of this start runs.
pub async fn launch(
    folder: &Path,
    image: &Path,
    instance: &InstanceSection,
    ports: &[Arc<PortSection>],
) -> Result<(), String> {
    lay_out(folder, &Spec { image: image.to_owned() })
        .map_err(|error| format!("cannot prepare {}: {error}", folder.display()))?;
    let mut child = spawn(folder).map_err(|error| format!("cannot start a process: {error}"))?;
    // Dropping it unsaid is the word to end.
    let go = child.stdin.take();
    let pid = timeout(PATIENCE, first_process(&mut child)).await;
    let pid = pid.map_err(|_| "its first process did not come up in time".to_owned())??;
    veth::make(ports, pid).await?;
    let mut record = Record::of(instance.boot, pid).map_err(|error| error.to_string())?;
    let written =
        |result: io::Result<()>| result.map_err(|error| format!("cannot write its record: {error}"));
    written(record.write(folder))?;
    if let Some(mut go) = go {
        go.write_all(b"go\n").await.map_err(|error| format!("its first process is gone: {error}"))?;
    }
    record.went = true;
    written(record.write(folder))
}

fn lay_out(folder: &Path, spec: &Spec) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for name in [UPPER, WORK, ROOT] {
        fs::create_dir_all(folder.join(name))?;
    }
    // The root directory of the overlay has the owner and the mode of the upper one.
    let upper = folder.join(UPPER);
    chown(&upper, Some(FIRST_USER), Some(FIRST_USER))?;
    fs::set_permissions(&upper, fs::Permissions::from_mode(0o755))?;
    fs::write(folder.join(SPEC), serde_json::to_vec(spec)?)
}

fn spawn(folder: &Path) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .arg("instance-init")
        .arg("setup")
        .arg(folder)
        .current_dir("/")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
}

/// The number of process 1, which the setup prints before it ends.
async fn first_process(setup: &mut Child) -> Result<u32, String> {
    let mut line = String::new();
    if let Some(stdout) = setup.stdout.take() {
        let read = BufReader::new(stdout).read_line(&mut line).await;
        read.map_err(|error| error.to_string())?;
    }
    let mut said = String::new();
    if let Some(mut stderr) = setup.stderr.take() {
        stderr.read_to_string(&mut said).await.map_err(|error| error.to_string())?;
    }
    let status = setup.wait().await.map_err(|error| error.to_string())?;
    match line.trim().parse() {
        Ok(pid) if status.success() => Ok(pid),
        _ => Err(format!("its namespaces could not be made: {}", said.trim())),
    }
}
