//! A server beside clients that do not behave: others are served, memory stays within bounds, and nothing is left.
//!
//! Figures are compared within one run: the good client's waits beside each kind of abuse with its waits alone.

mod clock;
mod good;
mod ill;
mod odd;

use std::fs;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use good::{Good, Waits};
use ill::{KINDS, Kind};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::server::{Credentials, Folder, Server, Settings, send, signed};
use crate::sign::Signer;

/// For how long each kind goes on, at least.
const EACH: Duration = Duration::from_millis(1000);
/// By when everything that the clients held is let go, at timeouts of one second.
const LET_GO: Duration = Duration::from_secs(8);
/// What all kinds together may add to the memory of a server that has only just started: by `MAX_LARGE_BODIES` bodies of
/// `MAX_BODY`, and a thousand connections of `MAX_HEAD` (src/http).
const MEMORY_MIB: u64 = 160;
/// What an idle connection may take.
const IDLE_KIB: u64 = 20;
/// The good client's wait, of which 99 in 100 are shorter, may be so many times what it is alone, and so much more.
const TIMES: u32 = 10;
const MORE: Duration = Duration::from_millis(500);

/// The server, and who is at it.
pub struct Site {
    good: Credentials,
    ill: Credentials,
    /// What the good client tags.
    resource: String,
    /// Connections that the last kind could open.
    opened: AtomicUsize,
    server: Server,
    _folder: Folder,
}

impl Site {
    fn start(of: &str, api: &str) -> Self {
        let folder = Folder::new(of);
        let head = "quotas.rules_per_security_group = 1000\n";
        let server = Server::start(&folder.0, None, &Settings { head, api, ..Settings::default() });
        server.operate(&["network", "add", "--name", "flat", "--cidr", "10.0.0.0/16"]);
        let (good, ill) = (server.account("good"), server.account("ill"));
        let resource = server.call(&good, &[("Action", "DescribeVpcs")]).text("vpcId").unwrap().to_owned();
        let site = Self { good, ill, resource, opened: AtomicUsize::new(0), server, _folder: folder };
        site.fill();
        site
    }

    /// A thousand rules, so that the ill one's answers are long.
    fn fill(&self) {
        let group = self.server.call(&self.ill, &[("Action", "DescribeSecurityGroups")]);
        let group = group.text("groupId").unwrap().to_owned();
        let ranges: Vec<(String, String)> = (0..999)
            .map(|n| {
                (format!("IpPermissions.1.IpRanges.{n}.CidrIp"), format!("10.0.{}.{}/32", n / 250, n % 250))
            })
            .collect();
        let call = [
            ("Action", "AuthorizeSecurityGroupIngress"),
            ("GroupId", &group),
            ("IpPermissions.1.IpProtocol", "-1"),
        ];
        let given: Vec<_> = ranges.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let reply = self.server.call(&self.ill, &[&call[..], &given].concat());
        assert_eq!(reply.status, 200, "{}", reply.body);
    }

    pub fn api(&self) -> SocketAddr {
        self.server.api
    }

    pub fn signer(&self) -> Signer {
        let Credentials { key, secret } = self.ill.clone();
        let at = fogbank::auth::date(fogbank::types::Micros::now());
        Signer { key, secret, region: "us-east-1".into(), service: "ec2".into(), at }
    }

    /// A request with a long answer, after which the connection stays.
    pub fn long_request(&self) -> Vec<u8> {
        let pairs = [("Action", "DescribeSecurityGroupRules"), ("Version", "2016-11-15")];
        let bytes = self.signer().v4_post("a", "/", &[], &pairs).to_bytes();
        String::from_utf8(bytes).unwrap().replace("connection: close\r\n", "").into_bytes()
    }

    fn metric(&self, name: &str) -> u64 {
        let reply =
            send(self.api(), b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        let line = reply.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap().parse().unwrap()
    }

    /// Open files and threads.
    fn holds(&self) -> (usize, usize) {
        let count =
            |what: &str| fs::read_dir(format!("/proc/{}/{what}", self.server.process())).unwrap().count();
        (count("fd"), count("task"))
    }

    /// The most memory from now on is counted anew: proc_pid_clear_refs(5).
    fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.server.process()), "5").unwrap();
    }

    /// The good client, alone or beside something.
    fn good_beside(&self, ill: Option<&Kind>, most: Duration) -> Good {
        let going = AtomicBool::new(true);
        std::thread::scope(|scope| {
            let ill = ill.map(|kind| scope.spawn(|| (kind.act)(self, &going)));
            let good = scope.spawn(|| Good::call(self.api(), &self.good, &self.resource, &going));
            let begun = Instant::now();
            while begun.elapsed() < most && !good.is_finished() {
                std::thread::sleep(Duration::from_millis(10));
            }
            going.store(false, Ordering::SeqCst);
            let good = good.join().unwrap();
            if let Some(ill) = ill {
                ill.join().unwrap();
            }
            good
        })
    }

    /// Waits until no connection and no file of the clients is left, and says how long that took.
    fn until_let_go(&self, name: &str, before: (usize, usize)) -> Duration {
        let begun = Instant::now();
        loop {
            // The one that asks is one.
            let (connections, (files, _)) = (self.metric("fogbank_connections"), self.holds());
            if connections <= 1 && files <= before.0 {
                return begun.elapsed();
            }
            let late = begun.elapsed() >= LET_GO;
            assert!(
                !late,
                "after {name}: {connections} connections, and {files} files instead of {}",
                before.0
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Threads for long calculations stay a while.
    fn until_threads_end(&self, before: (usize, usize)) {
        let begun = Instant::now();
        while self.holds().1 > before.1 {
            assert!(begun.elapsed() < LET_GO, "{} threads instead of {}", self.holds().1, before.1);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A longer run is by `FOGBANK_SOAK`, a shorter one by a part of a kind's name in `FOGBANK_ABUSE`.
fn each() -> Duration {
    EACH * std::env::var("FOGBANK_SOAK").map_or(1, |n| n.parse().expect("FOGBANK_SOAK is a number"))
}

fn raise_files() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    assert!(most > 11_000, "10,000 connections need more than {most} open files: raise `ulimit -Hn`");
}

#[test]
fn good_clients_are_served_beside_each_kind_of_abuse() {
    raise_files();
    let seconds = "header_timeout_seconds = 1\nbody_timeout_seconds = 1\nwrite_timeout_seconds = 1\n";
    let site = Site::start("abuse", seconds);
    // Threads that are there for good begin with the first calls.
    site.good_beside(None, EACH / 4);
    let (first, before) = (site.server.usage(), site.holds());
    let alone = site.good_beside(None, each());
    assert!(alone.failures.is_empty(), "{:?}", alone.failures.first());
    println!("alone: {} calls, reads {:?}, writes {:?}", alone.calls(), alone.reads(), alone.writes());
    let wanted = std::env::var("FOGBANK_ABUSE").unwrap_or_default();
    let mut wrong = Vec::new();
    for kind in KINDS.iter().filter(|kind| kind.name.contains(&wanted)) {
        site.forget_peak();
        let beside = site.good_beside(Some(kind), each());
        let let_go = site.until_let_go(kind.name, before);
        let grown = site.server.usage().peak_mib.saturating_sub(first.resident_mib);
        println!(
            "{}: {} calls, reads {:?}, writes {:?}, {grown} MiB, let go after {let_go:.1?}",
            kind.name,
            beside.calls(),
            beside.reads(),
            beside.writes(),
        );
        let bound = |alone: Waits| alone.p99 * TIMES + MORE;
        let slow = beside.reads().p99 > bound(alone.reads()) || beside.writes().p99 > bound(alone.writes());
        if slow || grown > MEMORY_MIB || !beside.failures.is_empty() {
            let failures = (beside.failures.len(), beside.failures.first());
            wrong.push(format!(
                "{}: reads {:?}, writes {:?}, {grown} MiB, {failures:?}",
                kind.name,
                beside.reads(),
                beside.writes()
            ));
        }
    }
    site.until_threads_end(before);
    assert!(
        wrong.is_empty(),
        "alone reads {:?}, writes {:?}; beside {wrong:#?}",
        alone.reads(),
        alone.writes()
    );
}

#[test]
fn ten_thousand_idle_connections_are_held_where_the_operator_wants_them() {
    raise_files();
    let site = Site::start("abuse-idle", "max_connections = 12000\n");
    site.good_beside(None, EACH / 4);
    let (first, before) = (site.server.usage(), site.holds());
    let alone = site.good_beside(None, EACH);
    let kind = KINDS.iter().find(|kind| kind.name.contains("idle")).unwrap();
    let beside = site.good_beside(Some(kind), 4 * EACH);
    let grown = site.server.usage().peak_mib.saturating_sub(first.resident_mib);
    println!(
        "alone reads {:?}, writes {:?}; beside {} idle connections reads {:?}, writes {:?}, {grown} MiB",
        alone.reads(),
        alone.writes(),
        site.opened.load(Ordering::SeqCst),
        beside.reads(),
        beside.writes(),
    );
    assert!(beside.failures.is_empty(), "{:?}", beside.failures.first());
    assert!(site.opened.load(Ordering::SeqCst) >= 10_000, "{} are held", site.opened.load(Ordering::SeqCst));
    assert!(grown * 1024 <= 10_000 * IDLE_KIB, "{grown} MiB");
    let bound = |alone: Waits| alone.p99 * TIMES + MORE;
    assert!(beside.reads().p99 <= bound(alone.reads()) && beside.writes().p99 <= bound(alone.writes()));
    site.until_let_go(kind.name, before);
}

/// Who begins many large bodies and ends none has his share of the room for them, and no more.
#[test]
fn large_bodies_of_one_peer_leave_room_for_others() {
    let site = Site::start("abuse-large", "");
    let kind = KINDS.iter().find(|kind| kind.name.starts_with("large bodies")).unwrap();
    let going = AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| (kind.act)(&site, &going));
        let begun = Instant::now();
        while site.metric("fogbank_connections") < 100 {
            assert!(begun.elapsed() < LET_GO, "they never come");
            std::thread::sleep(Duration::from_millis(5));
        }
        let names: Vec<String> =
            (0..4_000).map(|n| format!("Filter.{}.Value.{}", n / 200 + 1, n % 200 + 1)).collect();
        let filters: Vec<String> = (1..=20).map(|n| format!("Filter.{n}.Name")).collect();
        let mut given = vec![("Action", "DescribeVpcs")];
        given.extend(filters.iter().map(|name| (name.as_str(), "vpc-id")));
        given.extend(names.iter().map(|name| (name.as_str(), &*site.resource)));
        assert!(given.iter().map(|(name, value)| name.len() + value.len() + 2).sum::<usize>() > 100_000);
        let begun = Instant::now();
        let reply = signed(site.api(), &site.good, &given);
        going.store(false, Ordering::SeqCst);
        assert_eq!(reply.unwrap().status, 200);
        assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    });
}
