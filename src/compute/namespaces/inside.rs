//! The way into an instance: `fogbank instance-init`, which the server runs and nobody else.
//!
//! Three short processes, each of one thread as setns(2) wants it:
//! - `hold` makes the user namespace and those that it is to own, and waits.
//! - `setup`, as root of the host, maps the users, makes the mounts, and starts
//! - `boot`, process 1: it goes into the namespaces one after the other, waits for the word to go on and becomes
//!   the image's init. Without that word it ends.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use clap::ValueEnum;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::mount::{MntFlags, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{
    Gid, Uid, chdir, dup2_stdin, dup2_stdout, pivot_root, setgid, setgroups, sethostname, setsid, setuid,
};

use super::launch::{CONSOLE, READY, ROOT, SPEC, Spec};
use super::mounts;

/// Which of the processes this one is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Stage {
    Setup,
    Hold,
    Boot,
}

/// The namespaces that belong to the instance's users, as /proc/PID/ns names them.
const OWNED: [&str; 5] = ["user", "net", "uts", "ipc", "cgroup"];

/// How many processes and threads each user of an instance may have: a fork bomb must not be the host's.
const PROCESSES: u64 = 8192;
/// How many files of an instance's process may be open, until it asks for more: as on any Linux.
const FILES: u64 = 1024;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs a stage.
///
/// # Errors
/// What the kernel says; for `boot` it ends up on the console.
pub fn instance_init(stage: Stage, arguments: &[String]) -> io::Result<()> {
    let folder = arguments.first().map(PathBuf::from).unwrap_or_default();
    match stage {
        Stage::Setup => setup(&folder),
        Stage::Hold => hold(),
        Stage::Boot => boot(&folder, arguments.get(1..).unwrap_or_default()),
    }
}

fn hold() -> io::Result<()> {
    unshare(
        CloneFlags::CLONE_NEWUSER
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWCGROUP,
    )?;
    io::stdout().write_all(b"ready\n")?;
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn setup(folder: &Path) -> io::Result<()> {
    // Away from the server's session: a Ctrl-C there is none of the instance's business.
    setsid()?;
    let spec: Spec = serde_json::from_slice(&fs::read(folder.join(SPEC))?)?;
    let holder = Holder::start()?;
    let namespaces = holder.namespaces()?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mounts::keep_to_ourselves()?;
    mounts::make(folder, &spec)?;
    setns(&namespaces[1], CloneFlags::CLONE_NEWNET)?;
    mounts::sysfs(folder)?;
    unshare(CloneFlags::CLONE_NEWPID)?;
    let console = File::options().create(true).append(true).open(folder.join(CONSOLE))?;
    for namespace in &namespaces {
        fcntl(namespace, FcntlArg::F_SETFD(FdFlag::empty()))?;
    }
    let first = Command::new("/proc/self/exe")
        .args(["instance-init", "boot"])
        .arg(folder)
        .args(namespaces.iter().map(|file| file.as_raw_fd().to_string()))
        // Its output goes to the server until it is ready.
        .stderr(console)
        .spawn()?;
    println!("{}", first.id());
    drop(holder);
    Ok(())
}

/// The process that keeps the namespaces until process 1 has them.
struct Holder(Child);

impl Holder {
    fn start() -> io::Result<Self> {
        let mut hold = Command::new("/proc/self/exe");
        hold.args(["instance-init", "hold"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = Self(hold.spawn()?);
        let mut line = String::new();
        if let Some(stdout) = holder.0.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        if line != "ready\n" {
            return Err(io::Error::other("the kernel gives no user namespace: see user.max_user_namespaces"));
        }
        for map in ["uid_map", "gid_map"] {
            fs::write(format!("/proc/{}/{map}", holder.0.id()), mounts::users())?;
        }
        Ok(holder)
    }

    fn namespaces(&self) -> io::Result<Vec<File>> {
        OWNED.iter().map(|name| File::open(format!("/proc/{}/ns/{name}", self.0.id()))).collect()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // The end of its input is the word to end.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn boot(folder: &Path, descriptors: &[String]) -> io::Result<()> {
    let open = |descriptor: &String| File::open(format!("/proc/self/fd/{descriptor}"));
    let namespaces: Vec<File> = descriptors.iter().map(open).collect::<io::Result<_>>()?;
    let [user, _, uts, ipc, cgroup] = namespaces.as_slice() else {
        return Err(io::Error::other("instance-init is for the server alone"));
    };
    mounts::proc(folder)?;
    setns(uts, CloneFlags::CLONE_NEWUTS)?;
    // The host's name is none of the instance's business; its own comes by DHCP.
    sethostname("localhost")?;
    setns(ipc, CloneFlags::CLONE_NEWIPC)?;
    setns(cgroup, CloneFlags::CLONE_NEWCGROUP)?;
    chdir(&folder.join(ROOT))?;
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    chdir("/")?;
    setns(user, CloneFlags::CLONE_NEWUSER)?;
    setgroups(&[])?;
    setgid(Gid::from_raw(0))?;
    setuid(Uid::from_raw(0))?;
    // Owned by the instance's users, so that its root can mount; what is mounted by now is locked.
    unshare(CloneFlags::CLONE_NEWNS)?;
    drop(namespaces);
    setrlimit(Resource::RLIMIT_NPROC, PROCESSES, PROCESSES)?;
    // The server has raised its own.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, FILES.min(most), most)?;
    let init = find_init()?;
    wait_for_go()?;
    let environment = [("PATH", PATH), ("HOME", "/root"), ("TERM", "linux"), ("container", "fogbank")];
    Err(Command::new(init).env_clear().envs(environment).exec())
}

fn wait_for_go() -> io::Result<()> {
    println!("{READY}");
    dup2_stdout(io::stderr().as_fd())?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    if line != "go\n" {
        return Err(io::Error::other("the server ended before the instance could start"));
    }
    dup2_stdin(File::open("/dev/null")?.as_fd())?;
    Ok(())
}

fn find_init() -> io::Result<&'static str> {
    let init = ["/sbin/init", "/init", "/bin/sh"].into_iter().find(|path| Path::new(path).exists());
    init.ok_or_else(|| io::Error::other("the image has no /sbin/init and no /bin/sh"))
}
