//! The lab's own Postgres: a cluster in the lab's folder, reached by a unix socket in there and nothing else.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::User;

use super::layout::{DATABASE, Part};
use super::place::{Name, ROOT};
use super::service;
use crate::server::BoxError;

/// The role and the database.
const FOGBANK: &str = "fogbank";
/// Where Debian's package has the programs, which are not on the path.
const DEBIAN: &str = "/usr/lib/postgresql/15/bin";
const EVERY: Duration = Duration::from_millis(10);

/// Where servers find it.
pub fn url(name: &Name) -> String {
    format!("postgres:///{FOGBANK}?host={}&user={FOGBANK}", folder(name).display())
}

fn folder(name: &Name) -> PathBuf {
    name.place_folder(DATABASE)
}

/// The cluster's files; its processes' working directory, by which they are found.
pub fn data(name: &Name) -> PathBuf {
    folder(name).join("data")
}

/// A program of Postgres.
///
/// # Errors
/// It is not there; the message says what to install.
fn program(called: &str) -> Result<PathBuf, BoxError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(PathBuf::from(DEBIAN)).chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(called)).find(|program| program.is_file()).ok_or_else(|| {
        format!("--store postgres needs Postgres 15, and there is no {called}: `apt install postgresql-15`")
            .into()
    })
}

/// Says what is missing, before anything is made.
///
/// # Errors
/// Postgres is not installed.
pub fn check() -> Result<(), BoxError> {
    program("initdb").and(program("postgres")).map(drop)
}

/// Postgres refuses to run as root.
fn user() -> Result<User, BoxError> {
    for name in ["postgres", "nobody"] {
        if let Some(user) = User::from_name(name)? {
            return Ok(user);
        }
    }
    Err("Postgres refuses to run as root, and there is no user 'postgres' or 'nobody'".into())
}

/// The words that run what follows as that user.
fn as_user(user: &User) -> [String; 5] {
    let (uid, gid) = (format!("--reuid={}", user.uid), format!("--regid={}", user.gid));
    ["setpriv".to_owned(), uid, gid, "--clear-groups".to_owned(), "--".to_owned()]
}

/// Makes the cluster and the database in it.
///
/// # Errors
/// What Postgres says.
pub fn make(name: &Name) -> Result<(), BoxError> {
    let user = user()?;
    // The user must get through to its own folder; what else is on the way is closed to it.
    for folder in [Path::new(ROOT), &name.folder()] {
        fs::set_permissions(folder, Permissions::from_mode(0o711))?;
    }
    DirBuilder::new().mode(0o700).create(folder(name))?;
    chown(folder(name), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    let run = |program: PathBuf, arguments: &[&str], input: &str| -> Result<(), BoxError> {
        let [first, words @ ..] = as_user(&user);
        let mut command = Command::new(first);
        command.args(words).arg(program).args(arguments);
        settle(&mut command, name).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| format!("cannot run setpriv: {error}"))?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        said(&child.wait_with_output()?)
    };
    let data = data(name).to_string_lossy().into_owned();
    let settings = ["-U", FOGBANK, "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale"];
    run(program("initdb")?, &[&["-D", data.as_str()], settings.as_slice()].concat(), "")?;
    let create = format!("CREATE DATABASE {FOGBANK};\n");
    run(
        program("postgres")?,
        &["--single", "-D", &data, "-c", "log_min_messages=warning", "postgres"],
        &create,
    )
}

/// The working directory and an environment in which no variable of the caller's counts.
fn settle<'a>(command: &'a mut Command, name: &Name) -> &'a mut Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.current_dir(folder(name)).env_clear().env("PATH", path).env("LC_ALL", "C")
}

fn said(output: &Output) -> Result<(), BoxError> {
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stderr.as_slice(), &output.stdout].concat();
    Err(format!("the database could not be made: {}", String::from_utf8_lossy(&text).trim()).into())
}

/// Starts it and waits until it takes connections.
///
/// # Errors
/// It ended, with what it said, or takes too long.
pub fn start(name: &Name) -> Result<(), BoxError> {
    let user = user()?;
    let status = data(name).join("postmaster.pid");
    // A killed one leaves its own, which would be taken for the new one's; who calls has seen that none runs.
    for left in [&status, &folder(name).join(".s.PGSQL.5432.lock")] {
        if left.exists() {
            fs::remove_file(left)?;
        }
    }
    let log = File::options().create(true).append(true).open(folder(name).join("postgres.log"))?;
    let mut command = Command::new("setsid");
    // Shared memory that a killed one leaves goes with a namespace of its own.
    command.args(["ip", "netns", "exec", &name.namespace("mgmt"), "unshare", "--ipc", "--"]);
    command.args(as_user(&user)).arg(program("postgres")?).arg("-D").arg(data(name));
    command.arg("-k").arg(folder(name));
    for setting in [
        "listen_addresses=",
        // What a process wrote outlives the process; a lab does not outlive the machine.
        "fsync=off",
        "shared_buffers=32MB",
        "max_wal_size=128MB",
        "dynamic_shared_memory_type=mmap",
    ] {
        command.args(["-c", setting]);
    }
    settle(&mut command, name).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let mut child = command.spawn().map_err(|error| format!("cannot start the database: {error}"))?;
    await_ready(name, &status, &mut child)
}

fn await_ready(name: &Name, status: &Path, child: &mut Child) -> Result<(), BoxError> {
    let start = Instant::now();
    // The eighth line says how far it is (src/include/utils/pidfile.h).
    let ready = || fs::read_to_string(status).is_ok_and(|text| is_ready(&text));
    while !ready() {
        if child.try_wait()?.is_some() || start.elapsed() > service::PATIENCE {
            return Err(format!("the database did not start: {}", service::log(name, Part::Database)).into());
        }
        std::thread::sleep(EVERY);
    }
    Ok(())
}

fn is_ready(postmaster_pid: &str) -> bool {
    postmaster_pid.lines().nth(7).is_some_and(|line| line.trim() == "ready")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_status_line_counts() {
        assert!(is_ready("1\n/data\n1\n5432\n/run\n\n  5432001 0\nready   \n"));
        assert!(!is_ready("1\n/ready\n1\n5432\n/run\n\n  5432001 0\nstarting\n"));
        assert!(!is_ready("1\n/data\n"));
    }
}
