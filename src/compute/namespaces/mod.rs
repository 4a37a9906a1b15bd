//! Instances as sets of Linux namespaces: mounts, processes, host name, IPC, network, users.
//!
//! The root file system is an overlay of a read-only image and the instance's writable layer. Users
//! are mapped to a range of their own (user_namespaces(7)): the instance's root is nobody on the host,
//! owns the instance's network namespace and can mount nothing of the host. Process 1 is the image's own
//! /sbin/init. It is no child of the server and outlives it; a record in the instance's folder and /proc
//! tell a new server what runs.

mod image;
mod inside;
mod launch;
mod mounts;
mod record;
mod stock;
mod veth;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};

pub use inside::{Stage, instance_init};

use super::{Cables, Driver, Found, Plug};
use crate::agent::config::HostConfig;
use crate::crash::{self, Point};
use crate::plan::{InstanceSection, PortSection};
use crate::types::InstanceId;
use record::Record;

/// Where the instances' users begin on the host, and how many each has. High enough to be nobody's.
const FIRST_USER: u32 = 1_879_048_192;
const USERS: u32 = 65_536;

/// How long an instance may take to shut down before it is ended.
const GRACE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(10);

/// What a console shows at most, as in EC2, and how long the file may grow.
const CONSOLE_TAIL: u64 = 64 * 1024;
const CONSOLE_FILE: u64 = 4 * 1024 * 1024;

/// The process 1 of a running instance, as the host numbers it.
pub fn init_pid(instances_dir: &Path, id: InstanceId) -> Option<u32> {
    Record::read(&instances_dir.join(id.to_string()))?.running_pid()
}

/// The driver.
pub struct Namespaces {
    /// The `fogbank` that instances are started with.
    program: PathBuf,
    instances_dir: PathBuf,
    images: image::Images,
    /// How long each console was when it was last read.
    consoles: Mutex<BTreeMap<InstanceId, u64>>,
}

impl Namespaces {
    pub fn new(config: &HostConfig) -> Self {
        let images = image::Images::new(config.instances_dir.join("images"));
        let instances_dir = config.instances_dir.clone();
        Self { program: "/proc/self/exe".into(), instances_dir, images, consoles: Mutex::default() }
    }

    /// Starts instances with another `fogbank` than the one that runs: for programs that are none.
    pub fn with_program(self, program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), ..self }
    }

    fn folder(&self, id: InstanceId) -> PathBuf {
        self.instances_dir.join(id.to_string())
    }

    async fn end(&self, id: InstanceId, grace: Duration) -> Result<(), String> {
        let folder = self.folder(id);
        for (signal, patience) in [(Signal::SIGTERM, grace), (Signal::SIGKILL, GRACE)] {
            let Some(pid) = Record::read(&folder).and_then(|record| record.running_pid()) else {
                return Ok(());
            };
            // If it ended in between, that is what is wanted.
            let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
            let start = Instant::now();
            while start.elapsed() < patience {
                if init_pid(&self.instances_dir, id).is_none() {
                    crash::point(Point::InstanceEnded);
                    return self.unplug(&folder).await;
                }
                sleep(POLL).await;
            }
        }
        Err("its processes do not end, not even killed; see what they wait for in /proc/PID/stack".into())
    }

    /// Takes the cables away now. The kernel would take them with the network namespace, but a little
    /// later, and not while somebody looks into it from outside.
    async fn unplug(&self, folder: &Path) -> Result<(), String> {
        match Record::read(folder) {
            Some(record) if !record.ports.is_empty() => {
                let enis: Vec<_> = record.ports.iter().map(|plug| plug.eni).collect();
                veth::remove(&enis).await
            }
            _ => Ok(()),
        }
    }
}

impl Driver for Namespaces {
    fn list(&self) -> io::Result<Vec<Found>> {
        let entries = match fs::read_dir(&self.instances_dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<InstanceId>().ok());
        let found = |id| match Record::read(&self.folder(id)) {
            Some(record) => Found { id, boot: record.boot, life: record.life(), plugs: record.plugs() },
            None => Found { id, boot: 0, life: super::Life::Interrupted, plugs: Vec::new() },
        };
        Ok(ids.map(found).collect())
    }

    async fn start(
        &self,
        instance: Arc<InstanceSection>,
        ports: Vec<Arc<PortSection>>,
    ) -> Result<(), String> {
        let id = instance.id;
        // An interrupted start may have left a process that waits for its word to go.
        self.end(id, Duration::ZERO).await?;
        let folder = self.folder(id);
        // An instance keeps the image that its layer was begun on, whatever became of the image since.
        let image = match launch::image_of(&folder) {
            Some(image) => image,
            None => self.images.prepare(&instance.image_location).await?,
        };
        launch::launch(&self.program, &folder, &image, &instance, &ports).await
    }

    /// A server that ends in between has recorded too few: the next one makes those anew, and the guest takes them for
    /// others.
    async fn plug(&self, id: InstanceId, cables: Cables) -> Result<(), String> {
        let folder = self.folder(id);
        let gone = || "it has ended meanwhile".to_owned();
        let mut record = Record::read(&folder).ok_or_else(gone)?;
        let written =
            |result: io::Result<()>| result.map_err(|error| format!("cannot write its record: {error}"));
        veth::remove(&cables.out).await?;
        record.ports.retain(|plug| !cables.out.contains(&plug.eni));
        written(record.write(&folder))?;
        for port in &cables.new {
            let pid = record.running_pid().ok_or_else(gone)?;
            veth::make(std::slice::from_ref(port), pid).await?;
            record.ports.push(Plug::from(&**port));
            written(record.write(&folder))?;
        }
        Ok(())
    }

    async fn stop(&self, id: InstanceId) -> Result<(), String> {
        self.end(id, GRACE).await
    }

    async fn destroy(&self, id: InstanceId) -> Result<(), String> {
        self.end(id, GRACE).await?;
        crash::point(Point::InstanceUnplugged);
        self.consoles.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        let folder = self.folder(id);
        match tokio::task::spawn_blocking(move || fs::remove_dir_all(folder)).await {
            Ok(Err(error)) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("cannot remove its folder: {error}"))
            }
            Ok(_) => {
                crash::point(Point::InstanceRemoved);
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn console(&self, id: InstanceId) -> Option<Arc<[u8]>> {
        let path = self.folder(id).join(launch::CONSOLE);
        let length = fs::metadata(&path).ok()?.len();
        let mut seen = self.consoles.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.insert(id, length).unwrap_or(0) == length {
            return None;
        }
        let tail = tail(&path, length).ok()?;
        if length > CONSOLE_FILE && shorten(&path, &tail).is_ok() {
            seen.insert(id, tail.len() as u64);
        }
        Some(tail.into())
    }
}

fn tail(path: &Path, length: u64) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(path)?;
    file.seek(SeekFrom::Start(length.saturating_sub(CONSOLE_TAIL)))?;
    let mut bytes = Vec::new();
    file.take(CONSOLE_TAIL).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Cuts a console's file down to its end. The instance appends, so it goes on behind what is written here.
fn shorten(path: &Path, tail: &[u8]) -> io::Result<()> {
    fs::OpenOptions::new().write(true).open(path)?.set_len(0)?;
    fs::OpenOptions::new().append(true).open(path)?.write_all(tail)
}
