//! Network namespaces under names, as ip-netns(8) keeps them.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::process::Command;

use crate::agent::config::HostConfig;
use crate::agent::names::ROUTER_VXLAN;
use crate::types::VpcId;

const FOLDER: &str = "/run/netns";

/// The name of a VPC's router.
pub fn name(config: &HostConfig, vpc: VpcId) -> String {
    format!("{}-{vpc}", config.namespaces)
}

/// The routers' namespaces that there are.
pub fn list(config: &HostConfig) -> Vec<(VpcId, String)> {
    let entries = fs::read_dir(FOLDER).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let ours = |name: String| {
        let vpc = name.strip_prefix(&config.namespaces)?.strip_prefix('-')?.parse().ok()?;
        Some((vpc, name))
    };
    names.filter_map(ours).collect()
}

/// A namespace that is there.
pub struct Namespace {
    pub name: String,
    /// Which one it is: a name may be given to another.
    pub id: u64,
    file: File,
}

impl Namespace {
    /// The one with this name, made if there is none.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn ensure(name: &str) -> Result<Self, String> {
        if let Some(there) = Self::open(name) {
            return Ok(there);
        }
        // What is left of the name after a restart of the machine, or of an attempt that failed.
        if path(name).exists() {
            let _ = fs::remove_file(path(name));
        }
        ip(&["netns", "add", name])?;
        ip(&["-n", name, "link", "set", "lo", "up"])?;
        Self::open(name).ok_or_else(|| format!("{} is no network namespace", path(name).display()))
    }

    /// `None` where the name stands for nothing.
    fn open(name: &str) -> Option<Self> {
        let file = File::open(path(name)).ok()?;
        let kind = nix::sys::statfs::fstatfs(&file).ok()?.filesystem_type();
        let id = file.metadata().ok()?.ino();
        (kind == nix::sys::statfs::NSFS_MAGIC).then(|| Self { name: name.to_owned(), id, file })
    }

    /// Another hold of it.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn file(&self) -> Result<File, String> {
        self.file.try_clone().map_err(|error| error.to_string())
    }
}

impl Namespace {
    /// The names of the interfaces that are in it; none where it cannot be looked into.
    pub fn links(&self) -> Vec<String> {
        let Ok(file) = self.file() else { return Vec::new() };
        // By a thread of its own, as one that has gone into a namespace is lost for anything else.
        let look = move || {
            nix::sched::setns(&file, nix::sched::CloneFlags::CLONE_NEWNET).ok()?;
            let found = nix::net::if_::if_nameindex().ok()?;
            Some(found.iter().map(|link| link.name().to_string_lossy().into_owned()).collect::<Vec<_>>())
        };
        let thread = std::thread::Builder::new().name("fogbank-look".to_owned()).spawn(look);
        thread.ok().and_then(|thread| thread.join().ok().flatten()).unwrap_or_default()
    }
}

impl AsRawFd for Namespace {
    fn as_raw_fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(FOLDER).join(name)
}

/// Deletes a namespace, with everything in it.
///
/// # Errors
/// What `ip` says.
pub fn delete(name: &str) -> Result<(), String> {
    if path(name).exists() { ip(&["netns", "del", name]) } else { Ok(()) }
}

/// Deletes an interface of a namespace, if it is there.
pub fn delete_link(namespace: &str, link: &str) {
    // That it is gone is what is wanted.
    let _ = ip(&["-n", namespace, "link", "del", link]);
}

/// Whether a namespace's VXLAN device has this number, address and port.
pub fn vxlan_is(namespace: &str, vni: u32, local: Ipv4Addr, port: u16) -> bool {
    let shown = Command::new("timeout")
        .args([PATIENCE, "ip", "-n", namespace, "-d", "-j", "link", "show", ROUTER_VXLAN])
        .output();
    let found =
        shown.ok().and_then(|output| serde_json::from_slice::<serde_json::Value>(&output.stdout).ok());
    let Some(found) = found else { return false };
    let data = &found[0]["linkinfo"]["info_data"];
    data["id"] == vni && data["local"] == local.to_string() && data["port"] == port
}

/// How long, in seconds, `ip` may take.
const PATIENCE: &str = "5";

/// Runs `ip` where process 1 mounts: under `ip netns exec`, or a service manager that shuts us in, mounts of ours would end
/// with us, and the namespaces with them.
fn ip(words: &[&str]) -> Result<(), String> {
    let mut command = match (fs::read_link("/proc/1/ns/mnt"), fs::read_link("/proc/self/ns/mnt")) {
        (Ok(first), Ok(own)) if first != own => {
            let mut command = Command::new("timeout");
            command.args([PATIENCE, "nsenter", "--mount=/proc/1/ns/mnt", "ip"]);
            command
        }
        _ => {
            let mut command = Command::new("timeout");
            command.args([PATIENCE, "ip"]);
            command
        }
    };
    let output = command.args(words).output().map_err(|error| format!("cannot run ip: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("ip {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}
