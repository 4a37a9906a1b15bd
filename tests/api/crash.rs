//! A server that aborts at any place of a write has done each call whole or not at all, and whatever it has answered; the
//! next one serves as if nothing had been.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::{Duration, Instant};

use fogbank::crash::{Part, Point, VARIABLE};
use fogbank::store::{Place, Store};
use fogbank::types::RuleTarget;
use fogbank::world::World;
use nix::sys::resource::{Resource, setrlimit};

use crate::database::Database;
use crate::dice::{Dice, seeds};
use crate::load::{Client, facts};
use crate::server::{Folder, Server, Settings};

const CLIENTS: usize = 4;
/// How often each place is aborted at, each time at another passage.
const ROUNDS: u64 = 2;
/// Passages that a start alone may make, and how many more there may be until the abort.
const EARLIEST: usize = 8;
const SPREAD: usize = 40;
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How far a new epoch's first generation is above those of the one before, see `store::history`.
pub const LEAP: u64 = 1_000_000;

pub fn of(part: Part) -> impl Iterator<Item = Point> {
    Point::ALL.iter().copied().filter(move |point| point.part() == part)
}

pub fn order(point: Point, passage: usize) -> String {
    format!("{}:{passage}", point.name())
}

/// The store as it lies there, without a server.
pub fn load(place: &Place) -> World {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { Store::open(place).await.unwrap().load().await.unwrap() })
}

pub fn sqlite(state_dir: &Path) -> Place {
    Place::Sqlite(state_dir.join("fogbank.db"))
}

/// Waits until the server has ended by itself: by the abort, and at that place.
pub fn await_abort(server: &mut Server, point: Point) {
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = server.ended() {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "{} is not passed", point.name());
        std::thread::sleep(Duration::from_millis(2));
    };
    let words = server.last_words();
    assert_eq!(status.signal(), Some(nix::libc::SIGABRT), "{}: {words}", point.name());
    // Another thread may have had the last word.
    let at = words.rsplit("crash: ").next().and_then(|rest| rest.lines().next());
    assert_eq!(at, Some(point.name()), "{words}");
}

/// What no history may break.
fn assert_sound(world: &World, place: &str) {
    let mut holders = BTreeMap::<Ipv4Addr, usize>::new();
    for row in world.addresses.values() {
        *holders.entry(row.public_ip).or_default() += 1;
        if let Some(association) = row.association {
            let eni = world.enis.get(&association.eni);
            assert_eq!(eni.map(|eni| eni.private_ip), Some(association.private_ip), "{place}: {row:?}");
        }
    }
    assert!(holders.values().all(|count| *count == 1), "{place}: an address was given twice: {holders:?}");
    for row in world.rules.values() {
        assert!(world.groups.contains_key(&row.group), "{place}: a rule of no group: {row:?}");
        if let RuleTarget::Group { group: id, .. } = &row.target {
            assert!(world.groups.contains_key(id), "{place}: a rule that names no group: {row:?}");
        }
    }
    for row in world.freed.values() {
        assert!(!holders.contains_key(&row.address), "{place}: {} is freed and held", row.address);
    }
}

/// A server under load that is aborted and started again, as often as one likes.
struct Bench {
    server: Server,
    place: Place,
    clients: Vec<Client>,
}

impl Bench {
    fn new(server: Server, place: Place, seed: u64) -> Self {
        server.operate(&["host", "add", "one"]);
        server.operate(&["network", "add", "--name", "flat", "--cidr", "10.0.0.0/16"]);
        server.operate(&["pool", "add", "--name", "public", "--range", "203.0.113.1-203.0.113.60"]);
        let image = server.operate(&["image", "register", "--name", "stock", "--location", "stock"]);
        let image = image["id"].as_str().unwrap();
        let client = |n: usize| Client::new(&server, &format!("c{n}"), image, Dice::new(seed + n as u64));
        let clients = (0..CLIENTS).map(client).collect();
        Self { server, place, clients }
    }

    fn abort_at(&mut self, point: Point, passage: usize) {
        let place = order(point, passage);
        self.server.restart(&[(VARIABLE, &place)]);
        let server = &self.server;
        std::thread::scope(|scope| {
            for client in &mut self.clients {
                scope.spawn(|| client.write(server));
            }
        });
        await_abort(&mut self.server, point);
        let crashed = load(&self.place);
        assert_sound(&crashed, &place);
        for client in &mut self.clients {
            client.settle(facts(&crashed, client.account));
        }
        self.server.restart(&[]);
        self.describe(&crashed);
        self.server.kill();
        let after = load(&self.place);
        assert!(after.generation < LEAP, "{place}: a crash began a new epoch");
        assert_eq!(World { generation: 0, ..after }, World { generation: 0, ..crashed }, "{place}");
    }

    /// What is described is what lies there.
    fn describe(&self, world: &World) {
        for client in &self.clients {
            let said = |action, element: &str| {
                let reply = self.server.call(&client.keys, &[("Action", action)]);
                assert_eq!(reply.status, 200, "{}", reply.body);
                let opening = format!("<{element}>");
                let parts = reply.body.split(&opening).skip(1);
                let mut all: Vec<_> = parts.map(|part| part.split('<').next().unwrap().to_owned()).collect();
                all.sort();
                all
            };
            let mine = world.addresses.values().filter(|row| row.owner.account == client.account);
            let mut there: Vec<_> = mine.map(|row| row.public_ip.to_string()).collect();
            there.sort();
            assert_eq!(said("DescribeAddresses", "publicIp"), there);
            let rules = world.rules.values().filter(|row| row.owner.account == client.account);
            let mut there: Vec<_> = rules.map(|row| row.id.to_string()).collect();
            there.sort();
            assert_eq!(said("DescribeSecurityGroupRules", "securityGroupRuleId"), there);
        }
    }
}

fn go_through(mut bench: Bench, seed: u64, store: &str) {
    let mut dice = Dice::new(seed);
    let mut aborts = 0;
    for _ in 0..seeds(ROUNDS).len() {
        for point in of(Part::Writer) {
            bench.abort_at(point, EARLIEST + dice.below(SPREAD));
            aborts += 1;
        }
    }
    let (done, refused) = bench
        .clients
        .iter()
        .fold((0, 0), |(done, refused), client| (done + client.acknowledged, refused + client.refused));
    println!("{store}, FOGBANK_SEED={seed}: {aborts} aborts, {done} calls acknowledged, {refused} refused");
}

#[test]
fn aborted_anywhere_in_a_write_sqlite_has_what_was_answered_and_nothing_by_halves() {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).unwrap();
    let seed = seeds(1)[0];
    let folder = Folder::new("crash-sqlite");
    let server = Server::start(&folder.0, None, &Settings::default());
    let place = sqlite(&server.state_dir);
    go_through(Bench::new(server, place, seed), seed, "SQLite");
}

#[test]
fn aborted_anywhere_in_a_write_postgres_has_what_was_answered_and_nothing_by_halves() {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).unwrap();
    let seed = seeds(1)[0];
    let folder = Folder::new("crash-postgres");
    let database = Database::start(&folder.0);
    let head = database.setting();
    let server = Server::start(&folder.0, None, &Settings { head: &head, ..Settings::default() });
    let place = head.split('"').nth(1).unwrap().parse().unwrap();
    go_through(Bench::new(server, place, seed), seed, "Postgres");
}
