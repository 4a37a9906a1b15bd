//! Hosts whose server is the test.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fogbank::agent::config::HostConfig;
use fogbank::agent::reconcile::{Applied, Reconciler};
use fogbank::agent::routers::Routers;
use fogbank::plan::HostState;
use tokio::sync::watch;

use crate::lab::{Lab, Ns, remove_all};
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
    /// Whether the agent makes the routers of VPCs, too.
    routers: bool,
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
            routers: false,
        }
    }

    /// One that has routers of VPCs, whose namespaces go with it.
    #[allow(dead_code)]
    pub fn with_routers(role: &str) -> Self {
        let mut host = Self::new(role);
        host.config.namespaces = host.ns.name().to_owned();
        host.routers = true;
        host
    }

    pub fn start(&mut self) {
        let (report, applied) = watch::channel(Applied::default());
        let (states, confirmed) = (self.states.subscribe(), self.confirm.subscribe());
        let (config, routers) = (self.config.clone(), self.routers);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let thread = self.ns.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let agent = Reconciler::new(config.clone()).unwrap().confirmed_by(confirmed);
                let ended = async {
                    let _ = stopped.await;
                };
                if !routers {
                    tokio::select! {
                        result = agent.run(states, report) => result.unwrap(),
                        () = ended => {}
                    }
                    return;
                }
                let (own_states, own) = watch::channel(None);
                let (own_report, own_applied) = watch::channel(Applied::default());
                let routers = Routers::new(Arc::new(config)).unwrap();
                tokio::select! {
                    result = agent.run(own, own_report) => result.unwrap(),
                    result = routers.run(states, own_states, own_applied, report) => result.unwrap(),
                    () = ended => {}
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
        if self.routers {
            remove_all(&format!("{}-", self.config.namespaces));
        }
    }
}
