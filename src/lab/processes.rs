//! Which processes belong to a lab, found from what the kernel knows of them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::layout::Part;
use super::place::Name;
use super::{database, service};
use crate::server::BoxError;

/// How long processes may take to end when asked, and when killed.
const GRACE: Duration = Duration::from_secs(10);
const EVERY: Duration = Duration::from_millis(20);

/// Ends every process of the lab: asks, waits, kills, waits. Whatever still runs then is returned.
pub fn end(name: &Name) -> Vec<i32> {
    // Servers and agents first: while they run, they would start their instances again.
    for word in [Signal::SIGTERM, Signal::SIGKILL] {
        signal(&of_lab(name), word);
        if gone(|| of_lab(name)).is_empty() {
            break;
        }
    }
    of_lab(name)
}

/// Ends one part of the lab and waits until it has ended.
///
/// # Errors
/// It goes on.
pub fn end_part(name: &Name, part: Part, killed: bool) -> Result<(), BoxError> {
    match part {
        _ if killed => {}
        // By a SIGTERM Postgres waits for its clients, and each of its processes has its own idea of signals.
        Part::Database => signal(database_leader(name).as_slice(), Signal::SIGINT),
        _ => signal(&of_part(name, part), Signal::SIGTERM),
    }
    let left = || {
        let pids = of_part(name, part);
        if killed {
            // Each time: one that another was just starting is not among the first.
            signal(&pids, Signal::SIGKILL);
        }
        pids
    };
    match gone(left).as_slice() {
        [] => Ok(()),
        left => Err(format!("{} does not end (processes {left:?}); --kill ends it", part.place()).into()),
    }
}

fn signal(pids: &[i32], signal: Signal) {
    for pid in pids {
        // A process that ended meanwhile is what is wanted.
        let _ = kill(Pid::from_raw(*pid), signal);
    }
}

/// Waits until there are none, and returns those that are still there.
fn gone(find: impl Fn() -> Vec<i32>) -> Vec<i32> {
    let start = Instant::now();
    loop {
        let left = find();
        if left.is_empty() || start.elapsed() > GRACE {
            return left;
        }
        std::thread::sleep(EVERY);
    }
}

/// The processes of a part: the database's by where they work, others by their configuration file.
pub fn of_part(name: &Name, part: Part) -> Vec<i32> {
    let Some(subcommand) = part.subcommand() else {
        let data = database::data(name);
        return all().filter(|pid| works_in(*pid, &data)).collect();
    };
    let configuration = service::configuration_file(name, part);
    let serves = |pid: &i32| {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = command.split(|byte| *byte == 0);
        words.any(|word| word == configuration.as_os_str().as_encoded_bytes())
            && words.any(|word| word == subcommand.as_bytes())
    };
    of_lab(name).into_iter().filter(serves).collect()
}

/// The process that started the database's others.
fn database_leader(name: &Name) -> Option<i32> {
    let text = fs::read_to_string(database::data(name).join("postmaster.pid")).ok()?;
    let leader = text.lines().next()?.trim().parse().ok()?;
    of_part(name, Part::Database).contains(&leader).then_some(leader)
}

/// Whether it is a process of Postgres with this working directory; a person's shell may be there too.
fn works_in(pid: i32, folder: &Path) -> bool {
    let link = |of: &str| fs::read_link(format!("/proc/{pid}/{of}"));
    link("cwd").is_ok_and(|cwd| cwd.starts_with(folder))
        && link("exe").is_ok_and(|exe| exe.file_name().is_some_and(|called| called == "postgres"))
}

/// The processes in the lab's network namespaces, those whose mounts lie in its folder (instances that
/// outlived their host's namespace), and its database.
fn of_lab(name: &Name) -> Vec<i32> {
    let namespaces = namespaces(name);
    let own = mount_namespace(std::process::id().cast_signed());
    let mark = format!("/fogbank-lab/{name}/");
    let data = database::data(name);
    let belongs = |pid: &i32| {
        let net = fs::metadata(format!("/proc/{pid}/ns/net")).map(|file| (file.dev(), file.ino()));
        let mounts = || fs::read_to_string(format!("/proc/{pid}/mountinfo")).unwrap_or_default();
        net.is_ok_and(|net| namespaces.contains(&net))
            || (mount_namespace(*pid) != own && mounts().contains(&mark))
            || works_in(*pid, &data)
    };
    all().filter(belongs).collect()
}

/// Every process but this one.
fn all() -> impl Iterator<Item = i32> {
    let own_pid = std::process::id().cast_signed();
    let entries = fs::read_dir("/proc").into_iter().flatten();
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(move |pid| *pid != own_pid)
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
