//! Namespaces: made by a test, removed with it, and swept by the next run if it was killed.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fogbank::agent::config::{HostConfig, RulesBy};
use fogbank::agent::names::{PORT_MAC, port_name};
use fogbank::agent::reconcile::{Applied, Reconciler};
use fogbank::plan::{HostState, PortSection};
use tokio::sync::watch;

pub const PREFIX: &str = "fbt-";
static NEXT: AtomicU32 = AtomicU32::new(0);

/// Runs a command and returns what it printed; it must succeed.
pub fn sh(line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{line}: {}{text}", String::from_utf8_lossy(&output.stderr));
    text
}

/// A network namespace.
#[derive(Debug)]
pub struct Ns(String);

impl Ns {
    pub fn new(role: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}-{number}-{role}", std::process::id());
        sh(&format!("ip netns add {name} && ip -n {name} link set lo up"));
        Self(name)
    }

    /// Its name under /run/netns.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Runs a shell line inside.
    pub fn sh(&self, line: &str) -> String {
        sh(&format!("ip netns exec {} sh -c '{line}'", self.0))
    }

    /// Runs a function on a thread inside.
    pub fn spawn<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        spawn_in(&self.0, f)
    }

    /// Runs a function inside and waits for it.
    pub fn run<T: Send + 'static>(&self, f: impl FnOnce() -> T + Send + 'static) -> T {
        self.spawn(f).join().unwrap()
    }
}

fn spawn_in<T: Send + 'static>(ns: &str, f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    let file = File::open(Path::new("/run/netns").join(ns)).unwrap();
    thread::spawn(move || {
        nix::sched::setns(&file, nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        drop(file);
        f()
    })
}

/// Runs a function in the namespace of that name and waits for it.
#[allow(dead_code)]
pub fn run_in<T: Send + 'static>(ns: &str, f: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_in(ns, f).join().unwrap()
}

impl Drop for Ns {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// Deletes every namespace whose name begins so.
#[allow(dead_code)]
pub fn remove_all(prefix: &str) {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(prefix) {
            let _ = Command::new("ip").args(["netns", "del", &name]).status();
        }
    }
}

/// What a killed run left behind.
pub fn sweep() {
    for entry in fs::read_dir("/run/netns").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = Command::new("ip").args(["netns", "del", &name]).status();
        }
    }
}

/// Waits for a condition, for at most so long.
pub fn within(bound: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if start.elapsed() > bound {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

pub const CLIENT: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
pub const HOST: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

/// The internet, one host with two interfaces, a machine on the flat network.
pub struct Lab {
    pub internet: Ns,
    pub host: Ns,
    pub lan: Ns,
    pub instances: Vec<Ns>,
    pub config: HostConfig,
    agent: Option<Agent>,
}

struct Agent {
    states: watch::Sender<Option<Arc<HostState>>>,
    applied: watch::Receiver<Applied>,
    thread: JoinHandle<()>,
    stop: tokio::sync::oneshot::Sender<()>,
}

impl Lab {
    pub fn new() -> Self {
        sweep();
        let lab = Self {
            internet: Ns::new("inet"),
            host: Ns::new("host"),
            lan: Ns::new("lan"),
            instances: vec![],
            config: Self::config(),
            agent: None,
        };
        let (internet, host, lan) = (&lab.internet.0, &lab.host.0, &lab.lan.0);
        sh(&format!("ip -n {host} link add eth0 type veth peer name eth0 netns {internet}"));
        sh(&format!("ip -n {host} link add eth1 type veth peer name eth0 netns {lan}"));
        host_sh(host, "addr add 203.0.113.2/24 dev eth0; ip link set eth0 up; ip link set eth1 up");
        host_sh(host, "route add default via 203.0.113.1");
        host_sh(internet, "addr add 203.0.113.1/24 dev eth0; ip link set eth0 up");
        host_sh(internet, "addr add 198.51.100.9/32 dev lo");
        host_sh(lan, "addr add 10.0.0.200/24 dev eth0; ip link set eth0 up");
        lab
    }

    pub fn config() -> HostConfig {
        HostConfig {
            name: "one".into(),
            public_interface: "eth0".into(),
            flat_interface: "eth1".into(),
            snat_address: None,
            resolvers: vec![],
            vxlan_port: 4799,
            namespaces: format!("{PREFIX}vpc"),
            instances_dir: "/nonexistent".into(),
            rules_by: RulesBy::Netlink,
        }
    }

    /// Makes an instance as a driver would, with the addresses that DHCP would give.
    pub fn instance(&mut self, port: &PortSection) {
        let guest = guest(&self.host, port);
        self.instances.push(guest);
    }

    /// Starts an agent; the one before, if any, is stopped first.
    pub fn start(&mut self, state: Option<HostState>) {
        self.stop();
        let (states, receiver) = watch::channel(state.map(Arc::new));
        let (sender, applied) = watch::channel(Applied::default());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let config = self.config.clone();
        let thread = self.host.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let agent = Reconciler::new(config).unwrap();
                tokio::select! {
                    result = agent.run(receiver, sender) => result.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        self.agent = Some(Agent { states, applied, thread, stop });
    }

    /// Stops the agent between two steps, as a kill would.
    pub fn stop(&mut self) {
        if let Some(agent) = self.agent.take() {
            let _ = agent.stop.send(());
            agent.thread.join().unwrap();
        }
    }

    /// Hands the agent a state and waits until it has been applied without a failure.
    pub fn apply(&mut self, state: &HostState) {
        let applied = self.try_apply(state);
        assert!(applied.failures.is_empty(), "{:?}", applied.failures);
    }

    /// Hands the agent a state and waits until it has done what it can.
    pub fn try_apply(&mut self, state: &HostState) -> Applied {
        let mut state = state.clone();
        state.generation = u64::from(NEXT.fetch_add(1, Ordering::Relaxed)) + 1;
        let generation = state.generation;
        if self.agent.is_none() {
            self.start(Some(state));
        } else if let Some(agent) = &self.agent {
            agent.states.send_replace(Some(Arc::new(state)));
        }
        let agent = self.agent.as_ref().unwrap();
        let done = within(Duration::from_secs(10), || agent.applied.borrow().generation == generation);
        assert!(done, "not applied");
        self.applied()
    }

    /// What the agent last said.
    pub fn applied(&self) -> Applied {
        self.agent.as_ref().unwrap().applied.borrow().clone()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.stop();
    }
}

/// An instance on a host, as a driver and DHCP would make it.
pub fn guest(host: &Ns, port: &PortSection) -> Ns {
    let guest = Ns::new("vm");
    let (host, vm, name) = (&host.0, &guest.0, port_name(port.eni));
    sh(&format!(
        "ip -n {host} link add {name} address {PORT_MAC} type veth peer name eth0 address {} netns {vm}",
        port.mac
    ));
    sh(&format!("ip -n {host} link set {name} alias {}", port.eni));
    sh(&format!("ip netns exec {vm} sysctl -qw net.ipv6.conf.all.disable_ipv6=0"));
    let address = port.private_ip;
    host_sh(
        vm,
        &format!("addr add {address}/24 dev eth0; ip link set eth0 up; ip route add default via 10.0.0.1"),
    );
    guest
}

fn host_sh(ns: &str, rest: &str) {
    sh(&format!("ip netns exec {ns} sh -ec 'ip {rest}'"));
}
