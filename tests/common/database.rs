//! A Postgres cluster of the test's own, on a unix socket in the test's folder.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where Debian's package has the programs, which are not on the path.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

pub struct Database {
    folder: PathBuf,
    child: Option<Child>,
}

impl Database {
    /// The store is SQLite's.
    pub fn none() -> Self {
        Self { folder: PathBuf::new(), child: None }
    }

    pub fn start(folder: &Path) -> Self {
        let folder = folder.join("postgres");
        assert!(Path::new(PROGRAMS).exists(), "this needs Postgres 15: apt install postgresql-15");
        fs::create_dir(&folder).unwrap();
        let user = nix::unistd::User::from_name("postgres").unwrap().unwrap();
        chown(&folder, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        fs::set_permissions(folder.parent().unwrap(), fs::Permissions::from_mode(0o711)).unwrap();
        let data = folder.join("data");
        let as_user = |program: &str| {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]);
            command.arg(Path::new(PROGRAMS).join(program)).current_dir(&folder).env_clear();
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        };
        let made = as_user("initdb")
            .args(["-U", "fogbank", "--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8", "-D"])
            .arg(&data)
            .status();
        assert!(made.unwrap().success(), "initdb");
        let child = as_user("postgres")
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&folder)
            .args(["-c", "listen_addresses=", "-c", "shared_buffers=64MB"])
            .spawn()
            .unwrap();
        let database = Self { folder, child: Some(child) };
        database.until_ready(&data.join("postmaster.pid"));
        database
    }

    /// By the eighth line of postmaster.pid (src/include/utils/pidfile.h).
    fn until_ready(&self, pid_file: &Path) {
        let begun = Instant::now();
        let ready = || {
            let text = fs::read_to_string(pid_file).unwrap_or_default();
            text.lines().nth(7).is_some_and(|line| line.trim() == "ready")
        };
        while !ready() {
            assert!(begun.elapsed() < Duration::from_secs(30), "Postgres does not start");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The line of a server's configuration.
    pub fn setting(&self) -> String {
        match self.child {
            Some(_) => {
                let folder = self.folder.display();
                format!("database = \"postgres:///postgres?host={folder}&user=fogbank\"\n")
            }
            None => String::new(),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // At once; see pg_ctl(1), "immediate".
            let leader = nix::unistd::Pid::from_raw(child.id().cast_signed());
            let _ = nix::sys::signal::kill(leader, nix::sys::signal::Signal::SIGQUIT);
            let _ = child.wait();
        }
    }
}
