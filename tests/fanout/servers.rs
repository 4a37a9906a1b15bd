//! Real servers, and the operator and the client at them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fogbank::operator::{self, OperatorCommand};
use fogbank::plan::HostState;
use serde_json::Value;

use super::PATIENCE;
use super::database::Database;
use super::sign::Signer;

pub const RULE_PORT: u16 = 4000;

/// Everything that is removed in the end.
pub struct Deployment {
    pub servers: Vec<Process>,
    key: (String, String),
    image: String,
    runtime: tokio::runtime::Runtime,
    pub folder: PathBuf,
    _database: Database,
}

/// One `fogbank server`.
pub struct Process {
    child: Child,
    state_dir: PathBuf,
    pub api: SocketAddr,
    pub feed: SocketAddr,
}

/// What a process took so far.
pub struct Usage {
    pub cpu: Duration,
    pub peak_mib: u64,
}

impl Process {
    /// proc_pid_stat(5), proc_pid_status(5).
    pub fn usage(&self) -> Usage {
        let read = |what: &str| fs::read_to_string(format!("/proc/{}/{what}", self.child.id())).unwrap();
        let stat = read("stat");
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        let status = read("status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        // A tick is 10 ms on every Linux that we run on (USER_HZ).
        Usage { cpu: Duration::from_millis(ticks * 10), peak_mib: peak / 1024 }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for at in 1..=self.servers.len() {
                let log = fs::read_to_string(self.folder.join(format!("server{at}.log"))).unwrap_or_default();
                let from = log.char_indices().rev().nth(4000).map_or(0, |(at, _)| at);
                println!("server{at} said last: {}", &log[from..]);
            }
        }
        self.servers.clear();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// An address on the loopback that nobody has.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Deployment {
    pub fn start(count: usize) -> Self {
        let folder = std::env::temp_dir().join(format!("fogbank-fanout-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let database = Database::start(&folder);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let none = (String::new(), String::new());
        let mut deployment = Self {
            servers: Vec::new(),
            key: none,
            image: String::new(),
            runtime,
            folder,
            _database: database,
        };
        for _ in 0..count {
            deployment.add_server();
        }
        deployment.prepare();
        deployment
    }

    fn add_server(&mut self) {
        let name = format!("server{}", self.servers.len() + 1);
        let state_dir = self.folder.join(&name);
        fs::create_dir_all(&state_dir).unwrap();
        if let Some(first) = self.servers.first() {
            fs::copy(first.state_dir.join("secrets.key"), state_dir.join("secrets.key")).unwrap();
        }
        let (api, feed) = (free(), free());
        let config = self.folder.join(format!("{name}.toml"));
        let text = format!(
            "state_dir = {state_dir:?}\n{}[api]\nlisten = \"{api}\"\napply_wait_ms = 20000\n[feed]\nlisten = \"{feed}\"\n",
            self._database.setting(),
        );
        fs::write(&config, text).unwrap();
        let log = File::create(self.folder.join(format!("{name}.log"))).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_fogbank"))
            .arg("--config")
            .arg(&config)
            .arg("server")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.servers.push(Process { child, state_dir, api, feed });
        let begun = Instant::now();
        let server = self.servers.last().unwrap();
        while self.runtime.block_on(operator::ask(&server.state_dir, &parse(&["host", "list"]))).is_none() {
            let log = fs::read_to_string(self.folder.join(format!("{name}.log"))).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "{name} does not answer: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// As the operator at one of the servers.
    pub fn operate(&self, words: &[&str]) -> Value {
        self.runtime.block_on(operate(&self.servers[0].state_dir, words))
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn state_dir(&self) -> &Path {
        &self.servers[0].state_dir
    }

    fn prepare(&mut self) {
        let account = self.operate(&["account", "create", "--name", "main"]);
        let key = self.operate(&["key", "create", "--account", account["id"].as_str().unwrap()]);
        let text = |field: &str| key[field].as_str().unwrap().to_owned();
        self.key = (text("id"), text("secret"));
        self.operate(&["network", "add", "--name", "flat", "--cidr", "10.0.0.0/16"]);
        let image = self.operate(&["image", "register", "--name", "stock", "--location", "stock"]);
        self.image = image["id"].as_str().unwrap().to_owned();
    }

    /// A call of the API; the whole answer with its headers.
    fn call(&self, server: usize, pairs: &[(&str, &str)]) -> String {
        let server = self.servers[server].api;
        let at = fogbank::auth::date(fogbank::types::Micros::now());
        let (key, secret) = self.key.clone();
        let signer = Signer { key, secret, region: "us-east-1".into(), service: "ec2".into(), at };
        let version = [("Version", "2016-11-15")];
        let pairs: Vec<_> = pairs.iter().chain(&version).copied().collect();
        let request = signer.v4_post(&server.to_string(), "/", &[], &pairs);
        let mut stream = TcpStream::connect(server).unwrap();
        stream.write_all(&request.to_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 200"), "{pairs:?}: {reply}");
        reply
    }

    /// Runs one instance on each host, all of one group, and returns the group.
    pub fn run_on_all(&self, count: usize) -> String {
        let reply = self.call(
            0,
            &[("Action", "CreateSecurityGroup"), ("GroupName", "all"), ("GroupDescription", "on every host")],
        );
        let group = between(&reply, "<groupId>", "</groupId>").to_owned();
        let count = count.to_string();
        self.call(
            self.servers.len() - 1,
            &[
                ("Action", "RunInstances"),
                ("ImageId", &self.image),
                ("MinCount", &count),
                ("MaxCount", &count),
                ("SecurityGroupId.1", &group),
            ],
        );
        group
    }

    pub fn authorize(&self, server: usize, group: &str, port: u16) -> String {
        let port = port.to_string();
        self.call(
            server,
            &[
                ("Action", "AuthorizeSecurityGroupIngress"),
                ("GroupId", group),
                ("IpPermissions.1.IpProtocol", "tcp"),
                ("IpPermissions.1.FromPort", &port),
                ("IpPermissions.1.ToPort", &port),
                ("IpPermissions.1.IpRanges.1.CidrIp", "198.51.100.0/24"),
            ],
        )
    }
}

fn parse(words: &[&str]) -> OperatorCommand {
    operator::parse(words).unwrap()
}

/// As the operator at the server of that state folder.
pub async fn operate(state_dir: &Path, words: &[&str]) -> Value {
    let answer = operator::ask(state_dir, &parse(words)).await;
    answer.unwrap().unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let start = text.find(before).unwrap() + before.len();
    &text[start..start + text[start..].find(after).unwrap()]
}

/// A header of a reply.
pub fn header<'a>(reply: &'a str, name: &str) -> Option<&'a str> {
    let head = reply.split("\r\n\r\n").next()?;
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Whether a state lets a TCP port in.
pub fn allows(state: &HostState, port: u16) -> bool {
    let within = |range: &fogbank::types::PortRange| range.from() <= port && port <= range.to();
    state.groups.values().any(|group| group.ingress.ports.iter().any(|one| within(&one.ports)))
}
