//! A real `fogbank server`, the operator and the clients at it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use fogbank::operator;
use serde_json::Value;

use super::sign::Signer;

/// How long a server may take to start, and to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// One `fogbank server`; it ends with the value, and its folder stays.
pub struct Server {
    child: Child,
    config: PathBuf,
    log: PathBuf,
    by: Vec<String>,
    command: String,
    pub state_dir: PathBuf,
    pub api: SocketAddr,
    pub feed: SocketAddr,
}

/// What a server is told beside its addresses.
pub struct Settings<'a> {
    /// Its name in the folder of all.
    pub name: &'a str,
    /// Lines at the head of its configuration, such as `database = "postgres://…"`.
    pub head: &'a str,
    /// Lines of the section `[api]`.
    pub api: &'a str,
    /// How long a write waits for the hosts that it concerns.
    pub apply_wait_ms: u32,
    /// Its environment, beside the test's own.
    pub environment: &'a [(&'a str, &'a str)],
    /// A program that starts it, such as `nsenter`.
    pub by: &'a [&'a str],
    /// What of `fogbank` it is.
    pub command: &'a str,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self {
            name: "server1",
            head: "",
            api: "",
            apply_wait_ms: 0,
            environment: &[],
            by: &[],
            command: "server",
        }
    }
}

/// With what a client signs.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub key: String,
    pub secret: String,
}

/// An answer of the API.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// What a process took so far.
pub struct Usage {
    pub cpu: Duration,
    pub resident_mib: u64,
    pub peak_mib: u64,
}

/// Two addresses on the loopback that nobody has.
fn free() -> (SocketAddr, SocketAddr) {
    let both = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [one, other] = both.each_ref().map(|listener| listener.local_addr().unwrap());
    (one, other)
}

impl Server {
    /// Starts one in a folder of its own, and waits until it answers. A server after the first of a deployment is given
    /// the first one's key file.
    pub fn start(folder: &Path, first: Option<&Self>, settings: &Settings<'_>) -> Self {
        let mut server = Self::spawn(folder, first, settings);
        server.until_it_answers();
        server
    }

    /// As [`Self::start`], without waiting.
    pub fn spawn(folder: &Path, first: Option<&Self>, settings: &Settings<'_>) -> Self {
        let name = settings.name;
        let state_dir = folder.join(name);
        fs::create_dir_all(&state_dir).unwrap();
        if let Some(first) = first {
            fs::copy(first.state_dir.join("secrets.key"), state_dir.join("secrets.key")).unwrap();
        }
        let (api, feed) = free();
        let (config, log) = (folder.join(format!("{name}.toml")), folder.join(format!("{name}.log")));
        let wait = settings.apply_wait_ms;
        // The pool is the limit where a test says nothing else, and crowds are small ones.
        let said = settings.head.contains("quotas.elastic_addresses");
        let addresses = if said { "" } else { "quotas.elastic_addresses = 1000\n" };
        let text = format!(
            "state_dir = {state_dir:?}\n{addresses}quotas.routes_per_table = 50\nquotas.images = 200\n{}[api]\nlisten = \"{api}\"\napply_wait_ms = {wait}\n{}[feed]\nlisten = \"{feed}\"\n",
            settings.head, settings.api,
        );
        fs::write(&config, text).unwrap();
        let by: Vec<String> = settings.by.iter().map(|word| (*word).to_owned()).collect();
        let command = settings.command.to_owned();
        let child = spawn(&by, &command, &config, &log, settings.environment);
        Self { child, config, log, by, command, state_dir, api, feed }
    }

    /// Starts it again where it was, after it ended, and does not wait.
    pub fn spawn_again(&mut self, environment: &[(&str, &str)]) {
        self.kill();
        self.child = spawn(&self.by, &self.command, &self.config, &self.log, environment);
    }

    /// Kills it, if it runs, and starts it again where it was.
    pub fn restart(&mut self, environment: &[(&str, &str)]) {
        self.spawn_again(environment);
        self.until_it_answers();
    }

    /// As `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    pub fn until_it_answers(&mut self) {
        let begun = Instant::now();
        while !self.answers() {
            let ended = self.ended();
            assert!(ended.is_none(), "the server ended ({ended:?}): {}", self.last_words());
            assert!(begun.elapsed() < PATIENCE, "the server does not answer: {}", self.last_words());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the operator's socket is served; the API's is from before.
    pub fn answers(&self) -> bool {
        let list = operator::parse(&["host", "list"]).unwrap();
        block_on(operator::ask(&self.state_dir, &list)).is_some()
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(4000)..]).into_owned()
    }

    /// As the operator at it.
    pub fn operate(&self, words: &[&str]) -> Value {
        block_on(operate(&self.state_dir, words))
    }

    /// Makes an account and a key for it.
    pub fn account(&self, name: &str) -> Credentials {
        let account = self.operate(&["account", "create", "--name", name]);
        let key = self.operate(&["key", "create", "--account", account["id"].as_str().unwrap()]);
        let text = |field: &str| key[field].as_str().unwrap().to_owned();
        Credentials { key: text("id"), secret: text("secret") }
    }

    /// A call of the API, signed by SigV4's header as of now.
    ///
    /// # Errors
    /// The connection's: no whole answer came.
    pub fn try_call(&self, by: &Credentials, pairs: &[(&str, &str)]) -> std::io::Result<Reply> {
        signed(self.api, by, pairs)
    }

    /// As [`Self::try_call`], where an answer must come.
    pub fn call(&self, by: &Credentials, pairs: &[(&str, &str)]) -> Reply {
        self.try_call(by, pairs).unwrap_or_else(|error| panic!("{pairs:?}: {error}: {}", self.last_words()))
    }

    /// proc_pid_stat(5), proc_pid_status(5).
    pub fn usage(&self) -> Usage {
        let read = |what: &str| fs::read_to_string(format!("/proc/{}/{what}", self.child.id())).unwrap();
        let stat = read("stat");
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
        let status = read("status");
        let mib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
        };
        // A tick is 10 ms on every Linux that we run on (USER_HZ).
        let cpu = Duration::from_millis(ticks * 10);
        Usage { cpu, resident_mib: mib("VmRSS:"), peak_mib: mib("VmHWM:") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            println!("{} said last: {}", self.config.display(), self.last_words());
        }
    }
}

fn spawn(by: &[String], subcommand: &str, config: &Path, log: &Path, environment: &[(&str, &str)]) -> Child {
    let log = File::options().create(true).append(true).open(log).unwrap();
    let words: Vec<_> = by.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_fogbank")]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg("--config").arg(config).arg(subcommand).envs(environment.iter().copied());
    command.stdin(Stdio::null()).stderr(log).spawn().unwrap()
}

/// A call signed by SigV4's header as of now, on a connection of its own.
///
/// # Errors
/// The connection's: no whole answer came.
pub fn signed(api: SocketAddr, by: &Credentials, pairs: &[(&str, &str)]) -> std::io::Result<Reply> {
    let at = fogbank::auth::date(fogbank::types::Micros::now());
    let Credentials { key, secret } = by.clone();
    let signer = Signer { key, secret, region: "us-east-1".into(), service: "ec2".into(), at };
    let given = pairs.iter().any(|(name, _)| *name == "Version");
    let version: &[_] = if given { &[] } else { &[("Version", "2016-11-15")] };
    let request = signer.v4_post(&api.to_string(), "/", &[], &[pairs, version].concat());
    send(api, &request.to_bytes())
}

/// Sends the bytes on a connection of their own and reads the answer to its end.
///
/// # Errors
/// The connection's, and an answer that is none.
pub fn send(to: SocketAddr, bytes: &[u8]) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let whole = text.split_once("\r\n\r\n").and_then(|(head, body)| {
        let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
        Some(Reply { status, head: head.to_owned(), body: body.to_owned() })
    });
    whole.ok_or_else(|| std::io::Error::other(format!("no answer but {text:?}")))
}

impl Reply {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// What the first element of that name has in it.
    pub fn text(&self, element: &str) -> Option<&str> {
        let start = self.body.find(&format!("<{element}>"))? + element.len() + 2;
        let end = self.body[start..].find(&format!("</{element}>"))?;
        Some(&self.body[start..start + end])
    }

    /// The code of an error.
    pub fn code(&self) -> Option<&str> {
        self.text("Code")
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// As the operator at the server of that state folder.
pub async fn operate(state_dir: &Path, words: &[&str]) -> Value {
    let answer = operator::ask(state_dir, &operator::parse(words).unwrap()).await;
    answer.unwrap().unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// A folder of a test's own, gone with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(of: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fogbank-{of}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
