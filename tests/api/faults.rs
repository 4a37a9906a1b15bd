//! What a server does when its disk is full or read-only, or its database locked: it refuses what it cannot write, goes
//! on reading, does nothing by halves, and goes on by itself when it can.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fogbank::store::Place;
use sqlx::{Connection, Executor};

use crate::crash::{load, sqlite};
use crate::database::Database;
use crate::server::{Credentials, Folder, Reply, Server, Settings};

/// How long what is not possible may take to be refused, and what is possible again to be done.
const REFUSED: Duration = Duration::from_secs(15);
const SOON: Duration = Duration::from_secs(10);
/// How long a read may take beside all that.
const READ: Duration = Duration::from_millis(1500);

/// A mount namespace in which a folder is a small disk of its own; the machine has no such mount.
struct Disk {
    holder: Child,
    folder: PathBuf,
}

impl Disk {
    fn new(folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let script = format!("mount -t tmpfs -o size=4m,mode=700 none {folder:?} && echo ready && read line");
        let mut command = Command::new("unshare");
        command.args(["-m", "--propagation", "private", "sh", "-c", &script]);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self { holder, folder: folder.to_owned() }
    }

    /// The folder, as everybody sees it.
    fn path(&self) -> PathBuf {
        let root = format!("/proc/{}/root", self.holder.id());
        Path::new(&root).join(self.folder.strip_prefix("/").unwrap())
    }

    fn server(&self, above: &Path) -> Server {
        let pid = self.holder.id().to_string();
        let settings = Settings { by: &["nsenter", "-t", &pid, "-m", "--"], ..Settings::default() };
        let mut server = Server::spawn(above, None, &settings);
        server.state_dir = self.path();
        server
    }

    fn remount(&self, how: &str) {
        let pid = self.holder.id().to_string();
        let options = format!("remount,{how}");
        let mut command = Command::new("nsenter");
        command.args(["-t", &pid, "-m", "--", "mount", "-o", &options]).arg(&self.folder);
        assert!(command.status().unwrap().success(), "{how}");
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut filler = File::create(self.path().join("filler")).unwrap();
        let block = [0; 4096];
        let error = loop {
            if let Err(error) = filler.write_all(&block) {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }

    fn make_room(&self) {
        fs::remove_file(self.path().join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// A group whose tag is written again and again: the last value that was acknowledged is the one that must be there.
struct Writer {
    keys: Credentials,
    group: String,
    number: usize,
    acknowledged: usize,
}

impl Writer {
    fn new(server: &Server) -> Self {
        let keys = server.account("main");
        let create = [("Action", "CreateSecurityGroup"), ("GroupName", "g"), ("GroupDescription", "g")];
        let group = server.call(&keys, &create).text("groupId").unwrap().to_owned();
        let mut writer = Self { keys, group, number: 0, acknowledged: 0 };
        assert_eq!(writer.write(server).status, 200);
        writer
    }

    fn write(&mut self, server: &Server) -> Reply {
        self.number += 1;
        let value = self.number.to_string();
        let tag = [("ResourceId.1", &*self.group), ("Tag.1.Key", "k"), ("Tag.1.Value", &value)];
        let reply = server.call(&self.keys, &[&[("Action", "CreateTags")][..], &tag].concat());
        match reply.status {
            200 => self.acknowledged = self.number,
            503 => assert_eq!(reply.code(), Some("ServiceUnavailable"), "{}", reply.body),
            _ => panic!("{}", reply.body),
        }
        reply
    }

    /// Reads go on, and show what was acknowledged.
    fn read(&self, server: &Server) {
        let begun = Instant::now();
        let reply = server.call(&self.keys, &[("Action", "DescribeTags")]);
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.text("value"), Some(&*self.acknowledged.to_string()), "{}", reply.body);
        assert!(begun.elapsed() < READ, "a read took {:?}", begun.elapsed());
    }

    /// Writes are possible again, soon and by themselves.
    fn recovers(&mut self, server: &Server) {
        let begun = Instant::now();
        while self.write(server).status != 200 {
            assert!(begun.elapsed() < SOON, "it does not recover: {}", server.last_words());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.read(server);
    }

    fn is_on_disk(&self, place: &Place) {
        let world = load(place);
        let values: Vec<_> = world.tags.values().map(|tag| tag.value.to_string()).collect();
        assert_eq!(values, [self.acknowledged.to_string()]);
    }
}

#[test]
fn a_full_disk_refuses_writes_and_nothing_else_until_there_is_room() {
    let folder = Folder::new("full");
    let disk = Disk::new(&folder.0.join("server1"));
    let mut server = disk.server(&folder.0);
    server.until_it_answers();
    let mut writer = Writer::new(&server);
    for _ in 0..2 {
        disk.fill();
        // What is there of the log is written over first.
        let begun = Instant::now();
        while writer.write(&server).status == 200 {
            assert!(begun.elapsed() < SOON, "a full disk takes everything");
        }
        for _ in 0..20 {
            writer.write(&server);
            writer.read(&server);
        }
        disk.make_room();
        writer.recovers(&server);
    }
    // Killed on a full disk, it starts there, reads, and has what it had acknowledged.
    disk.fill();
    while writer.write(&server).status == 200 {}
    server.kill();
    server.spawn_again(&[]);
    server.until_it_answers();
    writer.read(&server);
    disk.make_room();
    writer.recovers(&server);
    server.kill();
    for file in ["fogbank.db", "fogbank.db-wal"] {
        fs::copy(disk.path().join(file), folder.0.join(file)).unwrap();
    }
    writer.is_on_disk(&sqlite(&folder.0));
}

#[test]
fn a_read_only_folder_stops_a_start_with_its_name_and_loses_nothing() {
    let folder = Folder::new("read-only");
    let disk = Disk::new(&folder.0.join("server1"));
    let mut server = disk.server(&folder.0);
    server.until_it_answers();
    let mut writer = Writer::new(&server);
    server.kill();
    disk.remount("ro");
    server.spawn_again(&[]);
    let begun = Instant::now();
    let status = loop {
        assert!(
            begun.elapsed() < SOON && !server.answers(),
            "it serves from a folder that it cannot write to"
        );
        if let Some(status) = server.ended() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(1));
    let words = server.last_words();
    assert!(words.contains(disk.folder.to_str().unwrap()) && words.contains("Read-only"), "{words}");
    disk.remount("rw");
    server.restart(&[]);
    writer.recovers(&server);
}

/// Holds the lock of the store's writers for as long as the work takes.
fn locked(place: &str, statements: [&'static str; 2], work: impl FnOnce()) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let Some(path) = place.strip_prefix("sqlite:") {
        let mut other = runtime.block_on(sqlx::SqliteConnection::connect(path)).unwrap();
        runtime.block_on(async { other.execute(statements[0]).await.unwrap() });
        work();
        runtime.block_on(async { other.execute(statements[1]).await.unwrap() });
    } else {
        let mut other = runtime.block_on(sqlx::PgConnection::connect(place)).unwrap();
        runtime.block_on(async { other.execute(statements[0]).await.unwrap() });
        work();
        runtime.block_on(async { other.execute(statements[1]).await.unwrap() });
    }
}

/// A lock that is held for a moment is waited for; one that stays has writes refused, and reads go on.
fn waits_and_then_refuses(server: &Server, place: &str, statements: [&'static str; 2]) -> Writer {
    let mut writer = Writer::new(server);
    std::thread::scope(|scope| {
        let mut waiting = None;
        locked(place, statements, || {
            let begun = Instant::now();
            waiting = Some(scope.spawn(|| writer.write(server).status));
            while begun.elapsed() < Duration::from_millis(700) {
                assert!(!waiting.as_ref().unwrap().is_finished(), "it wrote past the lock");
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        assert_eq!(waiting.unwrap().join().unwrap(), 200, "it did not wait");
    });
    let mut took = Duration::ZERO;
    locked(place, statements, || {
        let begun = Instant::now();
        let number = writer.number;
        let reply = std::thread::scope(|scope| {
            let reader =
                Writer { keys: writer.keys.clone(), group: String::new(), number, acknowledged: number };
            let waiting = scope.spawn(|| writer.write(server));
            while !waiting.is_finished() {
                reader.read(server);
                std::thread::sleep(Duration::from_millis(50));
            }
            waiting.join().unwrap()
        });
        took = begun.elapsed();
        assert_eq!(reply.status, 503, "{}", reply.body);
    });
    println!("{place}: a write that could not be was refused after {took:.1?}");
    assert!(took < REFUSED, "refused only after {took:?}");
    writer.recovers(server);
    writer
}

#[test]
fn a_locked_database_is_waited_for_and_then_refuses_writes_and_goes_on_by_itself() {
    let folder = Folder::new("locked");
    let mut server = Server::start(&folder.0, None, &Settings::default());
    let place = sqlite(&server.state_dir);
    let path = format!("sqlite:{}", server.state_dir.join("fogbank.db").display());
    let writer = waits_and_then_refuses(&server, &path, ["BEGIN IMMEDIATE", "ROLLBACK"]);
    server.kill();
    writer.is_on_disk(&place);
}

#[test]
fn a_lock_on_postgres_is_waited_for_and_then_refuses_writes_and_goes_on_by_itself() {
    let folder = Folder::new("locked-postgres");
    let database = Database::start(&folder.0);
    let head = database.setting();
    let mut server = Server::start(&folder.0, None, &Settings { head: &head, ..Settings::default() });
    let url = head.split('"').nth(1).unwrap();
    let writer = waits_and_then_refuses(&server, url, ["BEGIN; UPDATE meta SET tag = tag", "ROLLBACK"]);
    server.kill();
    writer.is_on_disk(&url.parse().unwrap());
}
