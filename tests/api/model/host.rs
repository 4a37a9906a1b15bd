//! The deployment's one host, which runs nothing and says what it is told to say.

use std::path::Path;
use std::time::{Duration, Instant};

use fogbank::agent::{self, Enrolment, Link, Server as _};
use fogbank::plan::message::{News, Poll, Said};
use fogbank::plan::{HostReport, InstanceReport, Phase};
use fogbank::types::MacAddr;

use super::instances::Heard;
use crate::server::Server;

pub const NAME: &str = "host1";

pub struct Host {
    runtime: tokio::runtime::Runtime,
    link: Link,
}

/// An instance, its boot, and what is said of it.
pub type Word = (String, u64, Heard);

impl Host {
    pub fn join(servers: &[Server], folder: &Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let feeds: Vec<String> = servers.iter().map(|server| server.feed.to_string()).collect();
        let token = servers[0].operate(&["host", "add", NAME])["join_token"].as_str().unwrap().to_owned();
        runtime.block_on(agent::join_with(&token, NAME, &feeds, folder)).unwrap();
        let link = Enrolment::read(folder).unwrap().link(&feeds).unwrap();
        Self { runtime, link }
    }

    /// Reports once, to whichever server hears it.
    pub fn report(&self, words: &[Word]) {
        let phase = |heard| match heard {
            Heard::Running => Phase::Running,
            Heard::Exited => Phase::Exited,
            Heard::Failed => Phase::Failed,
            Heard::Stopped => Phase::Stopped,
            Heard::Gone => Phase::Gone,
        };
        let instance = |(id, boot, heard): &Word| InstanceReport {
            id: id.parse().unwrap(),
            boot: *boot,
            phase: phase(*heard),
        };
        let instances = words.iter().map(instance).collect();
        let poll = Poll { patience_ms: 0, ..Poll::default() };
        let answer = self.patiently(async || self.link.poll(&poll).await);
        let News::Full(state) = answer.news else { panic!("a whole state comes first: {:?}", answer.news) };
        let report = HostReport {
            applied: state.generation,
            instances,
            flat_mac: Some(MacAddr::from_random(1)),
            memory_mib: 1 << 20,
            ..HostReport::default()
        };
        let said = Said { epoch: state.epoch.clone(), report, consoles: Vec::new() };
        self.patiently(async || self.link.report(&said).await);
    }

    /// A server that was killed is back soon, and until then there may be another.
    fn patiently<T>(&self, ask: impl AsyncFn() -> Result<T, String>) -> T {
        let begun = Instant::now();
        loop {
            match self.runtime.block_on(ask()) {
                Ok(answer) => return answer,
                Err(problem) => assert!(begun.elapsed() < Duration::from_secs(20), "{problem}"),
            }
        }
    }
}
