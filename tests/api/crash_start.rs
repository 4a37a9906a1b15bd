//! A server that aborts anywhere in its start, and a host that aborts while it joins, start and join all the same.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use fogbank::crash::{Part, Point, VARIABLE};
use nix::sys::resource::{Resource, setrlimit};

use crate::crash::{LEAP, PATIENCE, await_abort, load, of, order, sqlite};
use crate::server::{Folder, Server, Settings};

#[test]
fn aborted_anywhere_in_its_first_start_a_server_starts_all_the_same() {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).unwrap();
    let folder = Folder::new("crash-start");
    let mut passages = BTreeMap::new();
    let epochs = [Point::EpochBeforeCommit, Point::EpochCommitted];
    for point in of(Part::Start).filter(|point| !epochs.contains(point)) {
        for passage in 1.. {
            let name = order(point, passage);
            let environment = [(VARIABLE, name.as_str())];
            let settings = Settings { name: &name, environment: &environment, ..Settings::default() };
            let mut server = Server::spawn(&folder.0, None, &settings);
            if !ends_or_answers(&mut server) {
                break;
            }
            await_abort(&mut server, point);
            server.restart(&[]);
            let keys = server.account("main");
            let reply = server.call(&keys, &[("Action", "DescribeVpcs")]);
            assert_eq!(reply.status, 200, "{name}: {}", reply.body);
            server.restart(&[]);
            assert_eq!(server.call(&keys, &[("Action", "DescribeVpcs")]).status, 200, "{name}");
            *passages.entry(point.name()).or_insert(0) += 1;
        }
        assert!(passages.contains_key(point.name()), "{} is never passed", point.name());
    }
    println!("{passages:?}");
}

/// Whether it ended, as against served.
fn ends_or_answers(server: &mut Server) -> bool {
    let begun = Instant::now();
    loop {
        if server.ended().is_some() {
            return true;
        }
        if server.answers() {
            return false;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", server.last_words());
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn aborted_while_a_restored_backup_begins_its_epoch_one_epoch_begins() {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).unwrap();
    for point in [Point::EpochBeforeCommit, Point::EpochCommitted] {
        let folder = Folder::new(point.name());
        let mut server = Server::start(&folder.0, None, &Settings::default());
        server.operate(&["pool", "add", "--name", "public", "--range", "203.0.113.1-203.0.113.9"]);
        let keys = server.account("main");
        let place = sqlite(&server.state_dir);
        let at = |name: &str| server_file(&folder.0, name);
        server.kill();
        let files = ["fogbank.db", "fogbank.db-wal"];
        let backup = |file: &str| folder.0.join(format!("backup of {file}"));
        for file in files {
            std::fs::copy(at(file), backup(file)).unwrap();
        }
        server.restart(&[]);
        assert_eq!(server.call(&keys, &[("Action", "AllocateAddress")]).status, 200);
        server.kill();
        std::fs::remove_file(at("fogbank.db-shm")).unwrap();
        for file in files {
            std::fs::copy(backup(file), at(file)).unwrap();
        }
        server.spawn_again(&[(VARIABLE, &order(point, 1))]);
        await_abort(&mut server, point);
        server.restart(&[]);
        let reply = server.call(&keys, &[("Action", "DescribeAddresses")]);
        assert!(reply.status == 200 && reply.text("publicIp").is_none(), "{}", reply.body);
        server.restart(&[]);
        server.kill();
        let after = load(&place);
        let leaps = after.generation / LEAP;
        assert_eq!((leaps, after.begun / LEAP), (1, 1), "{}: {}", point.name(), after.generation);
    }
}

fn server_file(folder: &Path, name: &str) -> std::path::PathBuf {
    folder.join("server1").join(name)
}

/// `fogbank agent` with these words, in a folder of its own; environment beside. One that is only asked to run has a network of
/// its own, which is empty, and not for long: were it to run, it would program the machine's.
fn agent(folder: &Path, feed: &str, words: &[&str], environment: &[(&str, &str)]) -> Output {
    let config = folder.join("agent.toml");
    let state = folder.join("host");
    let host = "[host]\nname = \"one\"\npublic_interface = \"lo\"\nflat_interface = \"lo\"\n";
    let text = format!("state_dir = {state:?}\n{host}[agent]\nservers = [\"{feed}\"]\n");
    std::fs::write(&config, text).unwrap();
    let program = env!("CARGO_BIN_EXE_fogbank");
    let mut command = Command::new("timeout");
    command.arg("60");
    if words.is_empty() {
        command.args(["unshare", "--net", "--"]);
    }
    command
        .arg(program)
        .arg("--config")
        .arg(&config)
        .arg("agent")
        .args(words)
        .envs(environment.iter().copied());
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_host_that_aborts_while_it_joins_joins_with_the_next_token_and_never_by_halves() {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).unwrap();
    for point in [Point::JoinAnswered, Point::EnrolmentWritten] {
        let folder = Folder::new(point.name());
        let server = Server::start(&folder.0, None, &Settings::default());
        let feed = server.feed.to_string();
        let invite = || server.operate(&["host", "add", "one"])["join_token"].as_str().unwrap().to_owned();
        let join = |token: &str, environment: &[(&str, &str)]| {
            agent(&folder.0, &feed, &["--join", token], environment)
        };
        let token = invite();
        let aborted = join(&token, &[(VARIABLE, &order(point, 1))]);
        assert_eq!(aborted.status.signal(), Some(nix::libc::SIGABRT), "{aborted:?}");
        let told = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
        let not_yet = agent(&folder.0, &feed, &[], &[]);
        assert!(told(&not_yet).contains("has not joined"), "{not_yet:?}");
        let used = join(&token, &[]);
        assert!(told(&used).contains("the token is not good"), "{used:?}");
        let joined = join(&invite(), &[]);
        assert!(joined.status.success(), "{joined:?}");
    }
}
