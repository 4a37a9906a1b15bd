//! Hosts whose server is the test.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fogbank::agent::config::HostConfig;
use fogbank::agent::reconcile::{Applied, Reconciler};
use fogbank::plan::HostState;
use tokio::sync::watch;

use crate::lab::{Lab, Ns};
use crate::state::ELASTIC;

pub const SOON: Duration = Duration::from_secs(5);

/// A host whose server is the test.
pub struct Host {
    pub ns: Ns,
    pub config: HostConfig,
    states: watch::Sender<Option<Arc<HostState>>>,
    confirm: watch::Sender<Option<Instant>>,
    pub applied: watch::Receiver<Applied>,
    agent: Option<(tokio::sync::oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Host {
    pub fn new(role: &str) -> Self {
        let ns = Ns::new(role);
        let (states, confirm) = (watch::Sender::new(None), watch::Sender::new(None));
        Self {
            ns,
            config: Lab::config(),
            states,
            confirm,
            applied: watch::channel(Applied::default()).1,
            agent: None,
        }
    }

    pub fn start(&mut self) {
        let (report, applied) = watch::channel(Applied::default());
        let (states, confirmed) = (self.states.subscribe(), self.confirm.subscribe());
        let config = self.config.clone();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = self.ns.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let agent = Reconciler::new(config).unwrap().confirmed_by(confirmed);
                tokio::select! {
                    result = agent.run(states, report) => result.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        (self.applied, self.agent) = (applied, Some((stop, thread)));
    }

    /// As a kill would, between two steps.
    pub fn stop(&mut self) {
        if let Some((stop, thread)) = self.agent.take() {
            let _ = stop.send(());
            thread.join().unwrap();
        }
    }

    pub fn tell(&self, state: &HostState) {
        self.states.send_replace(Some(Arc::new(state.clone())));
    }

    pub fn confirm(&self, at: Instant) {
        self.confirm.send_replace(Some(at));
    }

    pub fn has(&self) -> bool {
        self.ns.sh("ip -4 -o addr show dev eth0").contains(&format!(" {}/", ELASTIC[0]))
    }

    pub fn lifetime(&self) -> String {
        let text = self.ns.sh("ip -4 -o addr show dev eth0");
        let line = text.lines().find(|line| line.contains(&format!(" {}/", ELASTIC[0])));
        let after = line.unwrap_or_default().split("valid_lft ").nth(1).unwrap_or_default();
        after.split(' ').next().unwrap_or_default().to_owned()
    }

    pub fn complains_of_the_address(&self) -> bool {
        let subject = format!("address {}", ELASTIC[0]);
        self.applied.borrow().failures.iter().any(|failure| failure.subject == subject)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop();
    }
}
