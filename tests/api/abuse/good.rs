//! A client that behaves: it reads and writes all the time, and notes how long it waits.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::server::{Credentials, Reply, signed};

/// What the client saw.
#[derive(Default)]
pub struct Good {
    reads: Vec<Duration>,
    writes: Vec<Duration>,
    /// Calls that were not answered as they should be.
    pub failures: Vec<String>,
}

/// Some way up the sorted waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Waits {
    pub half: Duration,
    pub p99: Duration,
}

fn waits(mut all: Vec<Duration>) -> Waits {
    all.sort_unstable();
    let at = |part: usize| all.get(all.len() * part / 100).copied().unwrap_or(Duration::MAX);
    Waits { half: at(50), p99: at(99) }
}

impl Good {
    /// Each call on a connection of its own, as a command has it, until it is told to stop.
    pub fn call(api: SocketAddr, by: &Credentials, resource: &str, going: &AtomicBool) -> Self {
        let mut seen = Self::default();
        for n in 0.. {
            if !going.load(Ordering::SeqCst) {
                break;
            }
            let value = n.to_string();
            let tag = [
                ("Action", "CreateTags"),
                ("ResourceId.1", resource),
                ("Tag.1.Key", "n"),
                ("Tag.1.Value", &value),
            ];
            let (reply, took) = timed(|| signed(api, by, &tag));
            seen.writes.push(took);
            seen.note("CreateTags", reply, "<return>true</return>");
            let read = [("Action", "DescribeTags"), ("Filter.1.Name", "key"), ("Filter.1.Value.1", "n")];
            for _ in 0..3 {
                let (reply, took) = timed(|| signed(api, by, &read));
                seen.reads.push(took);
                // What was answered is what the next one reads.
                seen.note("DescribeTags", reply, &format!("<value>{value}</value>"));
            }
        }
        seen
    }

    fn note(&mut self, action: &str, reply: std::io::Result<Reply>, wanted: &str) {
        match reply {
            Ok(reply) if reply.status == 200 && reply.body.contains(wanted) => {}
            other => self.failures.push(format!("{action}: {other:?}")),
        }
    }

    pub fn calls(&self) -> usize {
        self.reads.len() + self.writes.len()
    }

    pub fn reads(&self) -> Waits {
        waits(self.reads.clone())
    }

    pub fn writes(&self) -> Waits {
        waits(self.writes.clone())
    }
}

fn timed<T>(call: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    (call(), begun.elapsed())
}
