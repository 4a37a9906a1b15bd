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
use crate::compute::Plug;
use crate::crash::{self, Point};
use crate::plan::{InstanceSection, PortSection};

pub const CONSOLE: &str = "console.log";
pub const SPEC: &str = "spec.json";
pub const UPPER: &str = "upper";
pub const WORK: &str = "work";
pub const ROOT: &str = "root";

/// What process 1 says when only the word to go on is missing.
pub const READY: &str = "ready";

/// How long the first process may take to be there; where there are no overlays it copies the image.
const PATIENCE: Duration = Duration::from_secs(60);

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
    program: &Path,
    folder: &Path,
    image: &Path,
    instance: &InstanceSection,
    ports: &[Arc<PortSection>],
) -> Result<(), String> {
    lay_out(folder, &Spec { image: image.to_owned() })
        .map_err(|error| format!("cannot prepare {}: {error}", folder.display()))?;
    crash::point(Point::InstanceLaidOut);
    let mut child = spawn(program, folder).map_err(|error| format!("cannot start a process: {error}"))?;
    // Dropping it unsaid is the word to end.
    let go = child.stdin.take();
    let pid = timeout(PATIENCE, first_process(&mut child, folder)).await;
    let pid = pid.map_err(|_| "its first process did not come up in time".to_owned())??;
    crash::point(Point::InstanceSpawned);
    veth::make(ports, pid).await?;
    crash::point(Point::InstancePlugged);
    let mut record = Record::of(instance.boot, pid).map_err(|error| error.to_string())?;
    record.ports = ports.iter().map(|port| Plug::from(&**port)).collect();
    let written =
        |result: io::Result<()>| result.map_err(|error| format!("cannot write its record: {error}"));
    written(record.write(folder))?;
    crash::point(Point::InstanceRecorded);
    if let Some(mut go) = go {
        go.write_all(b"go\n").await.map_err(|error| format!("its first process is gone: {error}"))?;
    }
    crash::point(Point::InstanceWent);
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

fn spawn(program: &Path, folder: &Path) -> io::Result<Child> {
    Command::new(program)
        .arg("instance-init")
        .arg("setup")
        .arg(folder)
        .current_dir("/")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// The number of process 1, which the setup prints before it ends; then process 1 says that it is ready.
async fn first_process(setup: &mut Child, folder: &Path) -> Result<u32, String> {
    let text = |error: io::Error| error.to_string();
    let mut said = setup.stdout.take().map(BufReader::new).ok_or("its output is taken")?;
    let mut pid = String::new();
    said.read_line(&mut pid).await.map_err(text)?;
    let mut complaint = String::new();
    if let Some(mut stderr) = setup.stderr.take() {
        stderr.read_to_string(&mut complaint).await.map_err(text)?;
    }
    let status = setup.wait().await.map_err(text)?;
    let Some(pid) = pid.trim().parse().ok().filter(|_| status.success()) else {
        return Err(format!("its namespaces could not be made: {}", complaint.trim()));
    };
    let mut ready = String::new();
    said.read_line(&mut ready).await.map_err(text)?;
    if ready.trim() == READY {
        return Ok(pid);
    }
    let console = fs::read(folder.join(CONSOLE)).unwrap_or_default();
    let last = String::from_utf8_lossy(&console).trim().lines().next_back().unwrap_or_default().to_owned();
    Err(format!("its first process ended: {last}"))
}

/// The image that an earlier start of the instance took, while it is there.
pub fn image_of(folder: &Path) -> Option<PathBuf> {
    let spec: Spec = serde_json::from_slice(&fs::read(folder.join(SPEC)).ok()?).ok()?;
    spec.image.is_dir().then_some(spec.image)
}
