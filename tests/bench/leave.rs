//! Nothing of a run stays: neither where a part fails or hangs, nor where the run is interrupted, nor, at the next run, where it
//! was killed.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{lab, machine};

/// What runs that are no more have left.
pub fn clear() {
    let dead = |process: &str| !Path::new("/proc").join(process).exists();
    for folder in folders().filter(|folder| process_of(folder).is_some_and(dead)) {
        remove(&folder);
    }
    lab::sweep();
}

/// Ends this run's processes and removes its folders and namespaces; for when values are not dropped any more.
pub fn at_once() {
    let own = std::process::id().to_string();
    for process in processes() {
        if parent(process).is_some_and(|parent| parent.to_string() == own) {
            let _ = kill(process, Signal::SIGKILL);
        }
    }
    for folder in folders().filter(|folder| process_of(folder) == Some(&own)) {
        remove(&folder);
    }
    lab::remove_all(&format!("{}{own}-", lab::PREFIX));
}

/// Ends what was started with a folder, and what has something mounted from it: instances, which outlive their host's agent.
pub fn end_instances(folder: &Path) {
    let folder = format!("{}/", folder.display());
    let own = Pid::this();
    let within = |process: &Pid| {
        let named = |file: &str| {
            let text = fs::read(format!("/proc/{process}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&text).contains(&folder)
        };
        named("cmdline") || named("mountinfo")
    };
    for process in processes().filter(|process| *process != own && within(process)) {
        let _ = kill(process, Signal::SIGKILL);
    }
}

fn remove(folder: &Path) {
    end_instances(folder);
    let _ = fs::remove_dir_all(folder);
}

/// Those of all runs: the last part of their names is the process that made them.
fn folders() -> impl Iterator<Item = PathBuf> {
    let of = |folder: PathBuf, begin: &'static str| {
        let found = fs::read_dir(folder).into_iter().flatten().flatten();
        found.map(|entry| entry.path()).filter(move |path| {
            path.is_dir() && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(begin))
        })
    };
    of(machine::target(), "bench-").chain(of(std::env::temp_dir(), "fogbank-fanout-"))
}

fn process_of(folder: &Path) -> Option<&str> {
    let (_, process) = folder.file_name()?.to_str()?.rsplit_once('-')?;
    process.parse::<u32>().ok().map(|_| process)
}

fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).map(Pid::from_raw)
}

/// The fourth field of proc_pid_stat(5); the second one may have anything in it, but ends with a parenthesis.
fn parent(process: Pid) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()
}
