//! The mounts of an instance, made as root of the host before the instance's users exist.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sys::stat::{Mode, SFlag, makedev, mknod, umask};

use super::launch::{ROOT, Spec, UPPER, WORK};
use super::{FIRST_USER, USERS};

const NONE: Option<&str> = None;

fn plain() -> MsFlags {
    MsFlags::MS_NOSUID | MsFlags::MS_NODEV
}

/// From here on nothing that is mounted reaches the host.
///
/// # Errors
/// What mount(2) says.
pub fn keep_to_ourselves() -> io::Result<()> {
    Ok(mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?)
}

/// Mounts all but /proc and /sys below the folder's root.
///
/// # Errors
/// What mount(2) says.
pub fn make(folder: &Path, spec: &Spec) -> io::Result<()> {
    let root = folder.join(ROOT);
    root_file_system(folder, spec)?;
    for name in ["dev", "proc", "sys", "run", "tmp"] {
        fs::create_dir_all(root.join(name))?;
    }
    let owner = format!("uid={FIRST_USER},gid={FIRST_USER}");
    let tmpfs = |at: &str, options: &str| {
        let options = format!("{options},{owner}");
        mount(Some("tmpfs"), &root.join(at), Some("tmpfs"), plain(), Some(options.as_str()))
    };
    tmpfs("run", "mode=755,size=64m")?;
    tmpfs("tmp", "mode=1777,size=512m")?;
    devices(&root, &owner)?;
    tmpfs("dev/shm", "mode=1777,size=64m")?;
    Ok(())
}

/// An overlay; where the kernel or the file system below refuses one, a copy of the image.
fn root_file_system(folder: &Path, spec: &Spec) -> io::Result<()> {
    let root = folder.join(ROOT);
    let path = |name: &str| folder.join(name).display().to_string();
    let options =
        format!("lowerdir={},upperdir={},workdir={}", spec.image.display(), path(UPPER), path(WORK));
    let (copy, unfinished) = (folder.join("copy"), folder.join("copy.new"));
    // What was begun as a copy stays one: its files are there.
    if !copy.exists() {
        if mount(Some("overlay"), &root, Some("overlay"), plain(), Some(options.as_str())).is_ok() {
            return Ok(());
        }
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished)?;
        }
        let status = Command::new("cp").arg("-a").arg(&spec.image).arg(&unfinished).status()?;
        if !status.success() {
            return Err(io::Error::other("neither an overlay nor a copy of the image could be made"));
        }
        fs::rename(unfinished, &copy)?;
    }
    mount(Some(&copy), &root, NONE, MsFlags::MS_BIND, NONE)?;
    let again = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | plain();
    Ok(mount(NONE, &root, NONE, again, NONE)?)
}

/// The devices that every program expects, and no other.
fn devices(root: &Path, owner: &str) -> io::Result<()> {
    let dev = root.join("dev");
    let options = format!("mode=755,size=1m,{owner}");
    mount(
        Some("tmpfs"),
        &dev,
        Some("tmpfs"),
        MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC,
        Some(options.as_str()),
    )?;
    let before = umask(Mode::empty());
    let nodes = [("null", 3), ("zero", 5), ("full", 7), ("random", 8), ("urandom", 9)]
        .map(|(n, minor)| (n, 1, minor));
    for (name, major, minor) in nodes.into_iter().chain([("tty", 5, 0)]) {
        mknod(&dev.join(name), SFlag::S_IFCHR, Mode::from_bits_truncate(0o666), makedev(major, minor))?;
    }
    umask(before);
    for name in ["pts", "shm"] {
        fs::create_dir(dev.join(name))?;
    }
    let group = FIRST_USER + 5;
    let options = format!("newinstance,ptmxmode=0666,mode=620,gid={group}");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    mount(Some("devpts"), &dev.join("pts"), Some("devpts"), flags, Some(options.as_str()))?;
    std::os::unix::fs::symlink("pts/ptmx", dev.join("ptmx"))?;
    for (name, target) in [("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")] {
        std::os::unix::fs::symlink(format!("/proc/self/fd{target}"), dev.join(name))?;
    }
    Ok(())
}

/// /sys as the network namespace of the caller has it.
///
/// # Errors
/// What mount(2) says.
pub fn sysfs(folder: &Path) -> io::Result<()> {
    let flags = plain() | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    Ok(mount(Some("sysfs"), &folder.join(ROOT).join("sys"), Some("sysfs"), flags, NONE)?)
}

/// /proc as the process namespace of the caller has it.
///
/// # Errors
/// What mount(2) says.
pub fn proc(folder: &Path) -> io::Result<()> {
    let flags = plain() | MsFlags::MS_NOEXEC;
    Ok(mount(Some("proc"), &folder.join(ROOT).join("proc"), Some("proc"), flags, NONE)?)
}

/// The line for uid_map and gid_map.
pub fn users() -> String {
    format!("0 {FIRST_USER} {USERS}\n")
}
