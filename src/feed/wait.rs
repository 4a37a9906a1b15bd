//! Waits until the hosts that a write concerns have applied it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Hub;
use super::hub::AWAY;
use crate::plan::concern;
use crate::store::Done;
use crate::types::Micros;

/// Another server that says of a host neither that it was seen nor that it is away has gone silent itself.
const SILENT_SECONDS: i64 = 12;
/// How often hosts are looked at that report to another server.
const LOOK: Duration = Duration::from_millis(10);

/// Which of the hosts that a write concerns have applied it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Applied {
    pub generation: u64,
    pub hosts: BTreeMap<Arc<str>, bool>,
}

impl fmt::Display for Applied {
    /// `generation=17; applied=host1,host3; pending=host2`, as the header `x-fogbank-applied` has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "generation={}", self.generation)?;
        for (word, wanted) in [("applied", true), ("pending", false)] {
            let hosts = self.hosts.iter().filter(|(_, applied)| **applied == wanted);
            let names: Vec<&str> = hosts.map(|(host, _)| &**host).collect();
            if !names.is_empty() {
                write!(f, "; {word}={}", names.join(","))?;
            }
        }
        Ok(())
    }
}

impl Hub {
    /// Waits for the hosts that were heard of lately, at most for `bound`; `None` where no host is concerned.
    pub async fn wait_applied(&self, done: &Done, bound: Duration) -> Option<Applied> {
        let concerned = concern(&done.before, &done.after, &done.changes).of(&done.after);
        let mut applied = Applied {
            generation: done.generation,
            hosts: concerned.into_iter().map(|host| (host, false)).collect(),
        };
        if applied.hosts.is_empty() {
            return None;
        }
        let until = Instant::now() + bound;
        let mut reported = self.reported.subscribe();
        let late = |host: &Arc<str>| {
            let (reached, live) = self.host_progress(host);
            live && reached < done.generation
        };
        // One after the other: with a thousand hosts, each report must not be a look at all of them.
        for host in applied.hosts.keys() {
            while late(host) && Instant::now() < until {
                let look = (Instant::now() + LOOK).min(until);
                let _ = tokio::time::timeout_at(look.into(), reported.changed()).await;
            }
        }
        for (host, reached) in &mut applied.hosts {
            *reached = self.host_progress(host).0 >= done.generation;
        }
        Some(applied)
    }

    /// How far a host has come, and whether it was heard of within a second, here or at another server: one that changes
    /// its server is known at both for a moment, and at neither alone.
    fn host_progress(&self, host: &Arc<str>) -> (u64, bool) {
        let (here, heard) = self.progress(host);
        let heard_here = heard.is_some_and(|heard| heard.elapsed() < AWAY);
        let status = self.operator.handle.status();
        let Some(status) = status.hosts.get(host) else { return (here, heard_here) };
        // What was heard in the time to come was heard when the clock was wrong.
        let now = Micros::now();
        let lately = status.last_seen.plus_seconds(-SILENT_SECONDS) < now
            && now < status.last_seen.plus_seconds(SILENT_SECONDS);
        let heard_there = !status.away && lately;
        (here.max(status.applied), heard_here || heard_there)
    }
}
