//! Which processes belong to a lab, found from what the kernel knows of them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::place::Name;

/// How long processes may take to end when asked, and when killed.
const GRACE: Duration = Duration::from_secs(10);
const EVERY: Duration = Duration::from_millis(20);

/// Ends every process of the lab: asks, waits, kills, waits. Whatever still runs then is returned.
pub fn end(name: &Name) -> Vec<i32> {
    // The server first: while it runs, it would start its instances again.
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        for pid in of_lab(name) {
            // A process that ended meanwhile is what is wanted.
            let _ = kill(Pid::from_raw(pid), signal);
        }
        let start = Instant::now();
        while start.elapsed() < GRACE {
            let left = of_lab(name);
            if left.is_empty() {
                return left;
            }
            std::thread::sleep(EVERY);
        }
    }
    of_lab(name)
}

/// Ends the server of a host, which is told by its configuration file.
pub fn end_server(name: &Name, configuration: &Path, signal: Signal) {
    let serves = |pid: &i32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0);
        words.any(|word| word == configuration.as_os_str().as_encoded_bytes())
            && words.any(|word| word == b"serve")
    };
    for pid in of_lab(name).into_iter().filter(serves) {
        // A process that ended meanwhile is what is wanted.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

/// The processes in the lab's network namespaces, and those whose mounts lie in its folder: instances
/// that outlived their host's namespace.
fn of_lab(name: &Name) -> Vec<i32> {
    let namespaces = namespaces(name);
    let own = mount_namespace(std::process::id().cast_signed());
    let mark = format!("/fogbank-lab/{name}/");
    let belongs = |pid: &i32| {
        let net = fs::metadata(format!("/proc/{pid}/ns/net")).map(|file| (file.dev(), file.ino()));
        let mounts = || fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        net.is_ok_and(|net| namespaces.contains(&net))
            || (mount_namespace(*pid) != own && mounts().contains(&mark))
    };
    let own_pid = std::process::id().cast_signed();
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != own_pid).filter(belongs).collect()
}

fn mount_namespace(pid: i32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/mnt")).ok()
}

/// Device and inode of each of the lab's named namespaces.
fn namespaces(name: &Name) -> Vec<(u64, u64)> {
    let entries = fs::read_dir(Path::new("/run/netns")).into_iter().flatten();
    let prefix = name.namespace("");
    let ours = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    ours.filter_map(|entry| fs::metadata(entry.path()).ok()).map(|file| (file.dev(), file.ino())).collect()
}
