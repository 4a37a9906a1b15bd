//! Stores for tests: folders that go away, and a Postgres of the test's own.

use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};

use crate::store::*;
use crate::world::Change;

pub struct TempDir(pub PathBuf);

impl TempDir {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("fogbank-store-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Where Debian has the programs, which are not on the path.
const DEBIAN: &str = "/usr/lib/postgresql/15/bin";

/// A cluster in a folder of its own, reached by a unix socket in there; gone with the value, and with the thread that
/// started it.
pub struct Cluster {
    pub dir: TempDir,
    user: Option<User>,
    running: Option<Child>,
    schemas: AtomicUsize,
    /// Tests do not outlive the machine; measurements are of a database that does.
    pub fsync: bool,
}

impl Cluster {
    pub fn new() -> Self {
        let dir = TempDir::new();
        let user = geteuid().is_root().then(|| {
            let found = ["postgres", "nobody"].into_iter().find_map(|name| User::from_name(name).unwrap());
            found.expect("Postgres refuses to run as root: a user 'postgres' or 'nobody' is needed")
        });
        if let Some(user) = &user {
            chown(&dir.0, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
        }
        std::fs::set_permissions(&dir.0, std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut cluster = Self { dir, user, running: None, schemas: AtomicUsize::new(0), fsync: false };
        let made = cluster
            .program("initdb")
            .args(["-U", "fogbank", "--auth=trust", "--no-sync", "--encoding=UTF8", "--no-locale", "-D"])
            .arg(cluster.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        cluster.start();
        cluster
    }

    pub fn data(&self) -> PathBuf {
        self.dir.0.join("data")
    }

    fn program(&self, called: &str) -> Command {
        program(called, self.user.as_ref(), &self.dir.0)
    }

    pub fn start(&mut self) {
        let _ = std::fs::remove_file(self.data().join("postmaster.pid"));
        let log = std::fs::File::options().create(true).append(true).open(self.dir.0.join("log")).unwrap();
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(&self.dir.0);
        let fsync = if self.fsync { "fsync=on" } else { "fsync=off" };
        for setting in ["listen_addresses=", fsync, "shared_buffers=16MB", "max_wal_size=64MB"] {
            command.args(["-c", setting]);
        }
        command.args(["-c", "dynamic_shared_memory_type=mmap", "-c", "autovacuum=off"]);
        self.running = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
        let start = Instant::now();
        // The eighth line says how far it is (src/include/utils/pidfile.h).
        let ready = || {
            let text = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            text.lines().nth(7).is_some_and(|line| line.trim() == "ready")
        };
        while !ready() {
            let log = || std::fs::read_to_string(self.dir.0.join("log")).unwrap_or_default();
            assert!(start.elapsed() < Duration::from_secs(60), "Postgres did not start: {}", log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// At once, as if the machine had lost its power.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            let _ = kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGQUIT);
            let _ = child.wait();
        }
    }

    /// A shell at a database, as a person would use it.
    pub fn shell(&self, place: &Place) -> Shell {
        let Place::Postgres(options) = place else { panic!("not Postgres") };
        let options = options.get_options().unwrap_or_default().to_owned();
        Shell { dir: self.dir.0.clone(), user: self.user.clone(), options }
    }

    pub fn psql(&self, place: &Place, sql: &str) -> String {
        self.shell(place).run(sql)
    }

    /// An empty database: a schema that no other has.
    pub fn place(&self) -> Place {
        let schema = format!("s{}", self.schemas.fetch_add(1, Ordering::Relaxed));
        let folder = self.dir.0.display();
        let text =
            format!("postgres:///postgres?host={folder}&user=fogbank&options=-csearch_path%3D{schema}");
        let place: Place = text.parse().unwrap();
        assert_eq!(self.psql(&place, &format!("CREATE SCHEMA {schema}")), "");
        place
    }
}

fn program(called: &str, user: Option<&User>, dir: &Path) -> Command {
    let path = Path::new(DEBIAN).join(called);
    assert!(
        path.is_file(),
        "there is no {}: the store's tests need Postgres 15 (`apt install postgresql-15`)",
        path.display()
    );
    let mut command = match user {
        None => Command::new(path),
        Some(user) => {
            let mut command = Command::new("setpriv");
            let (uid, gid) = (format!("--reuid={}", user.uid), format!("--regid={}", user.gid));
            command.args([&uid, &gid, "--clear-groups", "--pdeathsig=QUIT", "--"]).arg(path);
            command
        }
    };
    command.current_dir(dir).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// psql, with which hands edit.
#[derive(Clone)]
pub struct Shell {
    dir: PathBuf,
    user: Option<User>,
    options: String,
}

impl Shell {
    /// What it says, or what it complains of.
    pub fn run(&self, sql: &str) -> String {
        let mut command = program("psql", self.user.as_ref(), &self.dir);
        command.args(["-h", &self.dir.to_string_lossy(), "-U", "fogbank", "-d", "postgres", "-qtAX"]);
        command.args(["-v", "ON_ERROR_STOP=1"]).env("PGOPTIONS", &self.options);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let said = child.wait_with_output().unwrap();
        let text = if said.status.success() { said.stdout } else { said.stderr };
        String::from_utf8_lossy(&text).trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A store, and the folder of its servers.
pub struct Bed {
    pub dir: TempDir,
    pub place: Place,
}

impl Bed {
    pub fn sqlite() -> Self {
        let dir = TempDir::new();
        let place = Place::Sqlite(dir.0.join("db"));
        Self { dir, place }
    }

    pub fn postgres(cluster: &Cluster) -> Self {
        Self { dir: TempDir::new(), place: cluster.place() }
    }

    pub async fn store(&self) -> Store {
        Store::open(&self.place).await.unwrap()
    }

    /// Starts a server; they all have the same key file, and each its own memory.
    pub async fn server(&self, name: &str) -> Result<Handle, StartError> {
        let mut store = Store::open(&self.place).await?;
        let any = store.takes_any_key().await?;
        let key_file = KeyFile::open(&self.dir.0.join("key"), any).unwrap();
        let memory = self.dir.0.join(format!("memory-{name}"));
        start(store, WriterSettings { key_file, memory, give_up: |error| panic!("{error:?}") }).await
    }
}

/// Commits changes without a server, as the generation that comes next.
pub async fn commit(store: &mut Store, changes: &[Change]) -> Result<u64, CommitError> {
    let tag = cell::text(history::random_tag());
    let mark = opened::begin_write(&mut store.connection, &tag).await?.meta.mark;
    transact::write(&mut store.connection, changes, &mark, "test").await.unwrap();
    store.connection.commit().await.unwrap();
    Ok(mark.generation)
}

/// Waits until it holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
