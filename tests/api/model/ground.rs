//! What histories run on: servers of one database, a network, a pool, an image and a host.

use std::collections::BTreeMap;
use std::path::Path;

use crate::server::{Credentials, Reply, Server, Settings};

use super::host::Host;
use super::instances::NETWORK;
use super::line::Line;
use super::world::{Pool, ip_text};

pub struct Ground {
    pub servers: Vec<Server>,
    pub lines: Vec<Line>,
    pub host: Host,
    pub image: String,
    /// The pool that comes first by name.
    pub pool: Pool,
    pub highest: u32,
    pub tally: Tally,
    histories: u32,
    turn: usize,
}

impl Ground {
    pub fn prepare(folder: &Path, servers: usize, head: &str) -> Self {
        let mut all: Vec<Server> = Vec::new();
        for number in 1..=servers {
            let name = format!("server{number}");
            let settings = Settings { name: &name, head, ..Settings::default() };
            all.push(Server::start(folder, all.first(), &settings));
        }
        let operate = |words: &[&str]| all[0].operate(words);
        operate(&["network", "add", "--name", "flat", "--cidr", &format!("{}/16", ip_text(NETWORK.0))]);
        operate(&["pool", "add", "--name", "first", "--range", "198.18.0.0/16"]);
        let image = operate(&["image", "register", "--name", "stock", "--location", "stock"]);
        let image = image["id"].as_str().unwrap().to_owned();
        let host_folder = folder.join("host");
        std::fs::create_dir_all(&host_folder).unwrap();
        let host = Host::join(&all, &host_folder);
        host.report(&[]);
        let pool = Pool { name: "first".into(), range: (0xc612_0000, 0xc612_ffff) };
        let tally = Tally::default();
        let lines = all.iter().map(|server| Line::to(server.api)).collect();
        Self { servers: all, lines, host, image, pool, highest: 0, tally, histories: 0, turn: 0 }
    }

    /// Asks the server whose turn it is.
    pub fn ask(&mut self, by: &Credentials, pairs: &[(&str, &str)]) -> Reply {
        self.turn += 1;
        let at = self.turn % self.servers.len();
        let reply = self.lines[at].call(by, pairs);
        reply.unwrap_or_else(|error| panic!("{pairs:?}: {error}: {}", self.servers[at].last_words()))
    }

    /// As `kill -9` does, and a start after it.
    pub fn restart(&mut self, at: usize) {
        self.servers[at].restart(&[]);
        self.lines[at].hang_up();
    }

    pub fn next_number(&mut self) -> u32 {
        self.histories += 1;
        self.histories
    }
}

/// Which actions were answered how.
#[derive(Default, Debug)]
pub struct Tally {
    pub codes: BTreeMap<&'static str, BTreeMap<String, usize>>,
    pub calls: usize,
    pub done: usize,
}

impl Tally {
    /// `code` is empty for success.
    pub fn count(&mut self, action: &'static str, code: &str) {
        self.calls += 1;
        self.done += usize::from(code.is_empty());
        *self.codes.entry(action).or_default().entry(code.to_owned()).or_default() += 1;
    }

    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.done += other.done;
        for (action, codes) in other.codes {
            for (code, count) in codes {
                *self.codes.entry(action).or_default().entry(code).or_default() += count;
            }
        }
    }
}
