//! Agents without a kernel.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fogbank::agent::{self, Enrolment, Link, Server};
use fogbank::plan::message::{News, Poll, Said};
use fogbank::plan::{HostReport, HostState, InstanceReport, Phase};
use fogbank::types::MacAddr;
use tokio::sync::{Semaphore, watch};

use super::server::operate;
use super::servers::Deployment;

/// Joins at one time.
const AT_ONCE: usize = 32;
const TRIES: usize = 5;

pub struct Agents {
    states: Vec<watch::Receiver<Arc<HostState>>>,
    /// When the last one took in a state.
    last: Arc<Mutex<Instant>>,
}

impl Agents {
    /// Adds hosts and has their agents join and follow, spread over the servers.
    pub fn join(deployment: &Deployment, count: usize) -> Self {
        let feeds: Vec<String> = deployment.servers.iter().map(|server| server.feed.to_string()).collect();
        let last = Arc::new(Mutex::new(Instant::now()));
        let gate = Arc::new(Semaphore::new(AT_ONCE));
        let joining: Vec<_> = (0..count)
            .map(|number| {
                let mut feeds = feeds.clone();
                let turn = number % feeds.len();
                feeds.rotate_left(turn);
                let (gate, state_dir) = (gate.clone(), deployment.state_dir().to_owned());
                let folder = deployment.folder().join(format!("agent{number}"));
                async move {
                    let _turn = gate.acquire_owned().await.unwrap();
                    join(&format!("host{number}"), &feeds, &state_dir, &folder).await
                }
            })
            .collect();
        let states = deployment.block_on(async {
            let joining: Vec<_> = joining.into_iter().map(tokio::spawn).collect();
            let mut states = Vec::new();
            for (number, one) in joining.into_iter().enumerate() {
                let (state, states_of) = watch::channel(Arc::new(HostState::default()));
                tokio::spawn(follow(one.await.unwrap(), number, state, last.clone()));
                states.push(states_of);
            }
            states
        });
        Self { states, last }
    }

    /// Waits until something holds of every agent's state.
    pub fn until(&self, bound: Duration, what: &str, holds: impl Fn(&HostState) -> bool) {
        let begun = Instant::now();
        for (number, state) in self.states.iter().enumerate() {
            while !holds(&state.borrow()) {
                assert!(
                    begun.elapsed() < bound,
                    "host{number} never {what}: {:?}",
                    state.borrow().generation
                );
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// When the last agent took in its last state.
    pub fn last_word(&self) -> Instant {
        *self.last.lock().unwrap()
    }
}

async fn join(host: &str, feeds: &[String], state_dir: &Path, folder: &Path) -> Link {
    fs::create_dir_all(folder).unwrap();
    let token = operate(state_dir, &["host", "add", host]).await["join_token"].as_str().unwrap().to_owned();
    let mut joined = agent::join_with(&token, host, feeds, folder).await;
    for _ in 1..TRIES {
        // Hundreds at once are more than a busy machine takes in a second. A token that was not heard of is still good.
        if joined.is_err() {
            tokio::time::sleep(Duration::from_millis(500)).await;
            joined = agent::join_with(&token, host, feeds, folder).await;
        }
    }
    joined.unwrap();
    Enrolment::read(folder).unwrap().link(feeds).unwrap()
}

/// Polls for ever, and says of each state at once that it is applied.
async fn follow(link: Link, number: usize, state: watch::Sender<Arc<HostState>>, last: Arc<Mutex<Instant>>) {
    loop {
        let held = state.borrow().clone();
        let poll = Poll { epoch: held.epoch.clone(), generation: held.generation, patience_ms: 10_000 };
        let new = match link.poll(&poll).await.map(|answer| answer.news) {
            Ok(News::None) => continue,
            Ok(News::Full(state)) => state,
            Ok(News::Delta(delta)) => Arc::new(delta.applied_to(&held).unwrap()),
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        *last.lock().unwrap() = Instant::now();
        let said = said(&new, number);
        state.send_replace(new);
        while link.report(&said).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn said(state: &HostState, number: usize) -> Said {
    let running = |section: &Arc<fogbank::plan::InstanceSection>| InstanceReport {
        id: section.id,
        boot: section.boot,
        phase: Phase::Running,
    };
    let report = HostReport {
        applied: state.generation,
        instances: state.instances.values().map(running).collect(),
        flat_mac: Some(MacAddr::from_random(number as u64)),
        memory_mib: 65_536,
        ..HostReport::default()
    };
    Said { epoch: state.epoch.clone(), report, consoles: Vec::new() }
}
