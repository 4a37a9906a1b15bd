//! What was measured on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

pub fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target")
}

/// A folder for what is measured, on the disk of the working folder.
pub fn folder(of: &str) -> PathBuf {
    let path = target().join(format!("bench-{of}-{}", std::process::id()));
    fs::create_dir_all(&path).unwrap();
    let (device, kind) = mount(&path);
    assert!(kind != "tmpfs" && kind != "ramfs", "{} is in memory ({device}, {kind})", path.display());
    path
}

/// The device and the file system that a path is on, by proc_mounts(5): the last of the longest that fit.
fn mount(path: &Path) -> (String, String) {
    let mounts = read("/proc/self/mounts");
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let fit = fields.filter(|fields| fields.len() > 2 && path.starts_with(fields[1]));
    let best = fit.max_by_key(|fields| fields[1].len());
    best.map(|fields| (fields[0].to_owned(), fields[2].to_owned())).unwrap_or_default()
}

/// What the thread that asks has used, in microseconds. The kernel counts it at ticks and when it schedules (kernel/sched/fair.c, `update_curr`), so it
/// is made to.
pub fn processor_time() -> f64 {
    std::thread::yield_now();
    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as f64
}

/// One line: day, commit, processor, kernel, disk.
pub fn describe() -> String {
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("processor not known", |(_, model)| model);
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let (device, kind) = mount(Path::new(env!("CARGO_MANIFEST_DIR")));
    let kernel = read("/proc/sys/kernel/osrelease");
    let memory = read("/proc/meminfo");
    let memory = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0);
    let day = fogbank::auth::date(fogbank::types::Micros::now());
    let commit = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    let commit = commit.map(|out| String::from_utf8_lossy(&out.stdout).trim().to_owned()).unwrap_or_default();
    format!(
        "Measured {}-{}-{}, commit {commit}: {model}, {cores} cores, {} GiB, Linux {}, {kind} on {device}.",
        &day[..4],
        &day[4..6],
        &day[6..8],
        memory / 1024 / 1024,
        kernel.trim(),
    )
}
