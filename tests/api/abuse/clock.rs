//! A server whose clock jumps.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fogbank::auth::date;
use fogbank::types::Micros;

use crate::doors::agent::Agent;
use crate::server::{Credentials, Folder, Reply, Server, Settings, send};
use crate::sign::Signer;

const HOUR: i64 = 3600;
const PATIENCE: Duration = Duration::from_secs(20);

struct Clock {
    file: File,
    ahead: i64,
}

impl Clock {
    /// The file, and the library that reads it: built here, as whoever has built the program can.
    fn make(folder: &Path) -> (Self, [String; 2]) {
        let (path, library) = (folder.join("clock"), folder.join("clock.so"));
        fs::write(&path, 0_i64.to_ne_bytes()).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/abuse/clock.c");
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
        assert!(built.unwrap().success());
        let file = File::options().write(true).open(&path).unwrap();
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        (Self { file, ahead: 0 }, [text(&library), text(&path)])
    }

    /// Sets the server's clock so many seconds from ours.
    fn set(&mut self, ahead: i64) {
        self.ahead = ahead;
        self.file.write_all_at(&(ahead * 1_000_000_000).to_ne_bytes(), 0).unwrap();
    }
}

struct Bench {
    server: Server,
    by: Credentials,
    image: String,
}

impl Bench {
    fn call_at(&self, ahead: i64, pairs: &[(&str, &str)]) -> Reply {
        let Credentials { key, secret } = self.by.clone();
        let at = date(Micros::now().plus_seconds(ahead));
        let signer = Signer { key, secret, region: "us-east-1".into(), service: "ec2".into(), at };
        let pairs = [pairs, &[("Version", "2016-11-15")]].concat();
        send(self.server.api, &signer.v4_post("a", "/", &[], &pairs).to_bytes()).unwrap()
    }

    fn done_at(&self, ahead: i64, pairs: &[(&str, &str)]) -> Reply {
        let reply = self.call_at(ahead, pairs);
        assert_eq!(reply.status, 200, "{pairs:?} at {ahead}: {}", reply.body);
        reply
    }

    fn run(&self, ahead: i64, token: &str) -> Reply {
        let run = [("Action", "RunInstances"), ("ImageId", &*self.image), ("ClientToken", token)];
        self.call_at(ahead, &[&run[..], &[("MinCount", "1"), ("MaxCount", "1")]].concat())
    }

    fn until_state(&self, ahead: i64, instance: &str, state: Option<&str>) {
        let begun = Instant::now();
        let filter = [("Filter.1.Name", "instance-id"), ("Filter.1.Value.1", instance)];
        let given = [&[("Action", "DescribeInstances")], &filter[..]].concat();
        while self.done_at(ahead, &given).text("name") != state {
            assert!(begun.elapsed() < PATIENCE, "{instance} is never {state:?} at {ahead}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What must be true whatever the clock says: signatures are good at the server's time and at no other, what is
    /// written is read and has the next generation, a token is remembered, and the host hears of it.
    fn holds(&self, ahead: i64, group: &str, reservation: &str) {
        let far = ahead.abs() > 15 * 60;
        let at_ours = self.call_at(0, &[("Action", "DescribeVpcs")]);
        assert_eq!(at_ours.code(), far.then_some("RequestExpired"), "at {ahead}: {}", at_ours.body);
        let value = ahead.to_string();
        let tag =
            [("Action", "CreateTags"), ("ResourceId.1", group), ("Tag.1.Key", "at"), ("Tag.1.Value", &value)];
        self.done_at(ahead, &tag);
        let tags = self.done_at(
            ahead,
            &[("Action", "DescribeTags"), ("Filter.1.Name", "key"), ("Filter.1.Value.1", "at")],
        );
        assert_eq!(tags.text("value"), Some(&*value));
        assert_eq!(self.run(ahead, "first").text("reservationId"), Some(reservation), "at {ahead}");
        self.holds_host(ahead, group);
    }

    /// The agent learns the server's time by the Date of an answer that refuses it, and is heard again.
    fn holds_host(&self, ahead: i64, group: &str) {
        let port = (ahead.rem_euclid(60_000) + 1).to_string();
        let rule = crate::doors::own::rule(&port);
        let begun = Instant::now();
        // What is not there to be revoked is no error in the default VPC.
        for action in ["RevokeSecurityGroupIngress", "AuthorizeSecurityGroupIngress"].iter().cycle() {
            let given = [&[("Action", *action), ("GroupId", group)], &rule[..]].concat();
            let reply = self.done_at(ahead, &given);
            if reply.header("x-fogbank-applied").is_some_and(|applied| applied.contains("applied=host1")) {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "the host is never heard of at {ahead}: {}", reply.head);
        }
    }

    /// A host that was heard of when the clock was ahead, and dies when it is set right, is away.
    fn a_dead_host_is_not_waited_for(&self, clock: &mut Clock, agent: Agent, group: &str) {
        clock.set(HOUR);
        self.holds_host(HOUR, group);
        drop(agent);
        clock.set(0);
        let rule = crate::doors::own::rule("7");
        let begun = Instant::now();
        // What is not there to be revoked is no error in the default VPC.
        for action in ["RevokeSecurityGroupIngress", "AuthorizeSecurityGroupIngress"].iter().cycle() {
            let given = [&[("Action", *action), ("GroupId", group)], &rule[..]].concat();
            let asked = Instant::now();
            let reply = self.done_at(0, &given);
            // It is not waited for any more, which would be two seconds.
            let pending =
                reply.header("x-fogbank-applied").is_some_and(|hosts| hosts.contains("pending=host1"));
            if pending && asked.elapsed() < Duration::from_secs(1) {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "a dead host is waited for, as it was heard of in an hour");
        }
    }
}

#[test]
fn a_clock_that_jumps_forth_and_back_harms_nobody() {
    let folder = Folder::new("abuse-clock");
    let (mut clock, [library, path]) = Clock::make(&folder.0);
    let environment = [("LD_PRELOAD", &*library), ("TEST_CLOCK", &*path)];
    let settings = Settings { apply_wait_ms: 2000, environment: &environment, ..Settings::default() };
    let server = Server::start(&folder.0, None, &settings);
    server.operate(&["network", "add", "--name", "flat", "--cidr", "10.0.0.0/16"]);
    let image = server.operate(&["image", "register", "--name", "stock", "--location", "stock"]);
    let agent = Agent::join(&server, &folder.0, "host1");
    let by = server.account("main");
    let bench = Bench { by, image: image["id"].as_str().unwrap().to_owned(), server };
    let group = bench.done_at(0, &[("Action", "DescribeSecurityGroups")]).text("groupId").unwrap().to_owned();
    let made = bench.run(0, "first");
    let (kept, instance) = (made.text("reservationId").unwrap(), made.text("instanceId").unwrap());
    bench.until_state(0, instance, Some("running"));
    let short = bench.run(0, "second").text("instanceId").unwrap().to_owned();
    bench.until_state(0, &short, Some("running"));
    let mut generation = 0;
    for ahead in [0, HOUR, -HOUR, 0, 24 * HOUR, -24 * HOUR, 600, -600, 0] {
        clock.set(ahead);
        assert_eq!(clock.ahead, ahead);
        bench.holds(ahead, &group, kept);
        let text =
            send(bench.server.api, b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        let now: u64 = text.body.trim().strip_prefix("ok generation=").unwrap().parse().unwrap();
        assert!(now > generation, "{generation} and then {now} at {ahead}");
        generation = now;
    }
    // What ends an hour after it was terminated is not forgotten before, whatever the clock said meanwhile.
    bench.done_at(0, &[("Action", "TerminateInstances"), ("InstanceId.1", &short)]);
    bench.until_state(0, &short, Some("terminated"));
    clock.set(-HOUR);
    bench.until_state(-HOUR, &short, Some("terminated"));
    clock.set(HOUR + 60);
    bench.until_state(HOUR + 60, &short, None);
    assert_eq!(bench.run(HOUR + 60, "second").code(), Some("IdempotentInstanceTerminated"));
    // A token is remembered for two days, and is good again afterwards.
    clock.set(50 * HOUR);
    let begun = Instant::now();
    let again = loop {
        let again = bench.run(50 * HOUR, "first");
        assert_eq!(again.status, 200, "{}", again.body);
        if again.text("reservationId") != Some(kept) {
            break again;
        }
        assert!(begun.elapsed() < PATIENCE, "the token is never forgotten");
        std::thread::sleep(Duration::from_millis(50));
    };
    clock.set(0);
    bench.holds(0, &group, again.text("reservationId").unwrap());
    bench.until_state(0, instance, Some("running"));
    bench.a_dead_host_is_not_waited_for(&mut clock, agent, &group);
}
