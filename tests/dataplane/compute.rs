//! Instances come, outlive their server, keep their files and go without a trace.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use fogbank::agent::config::HostConfig;
use fogbank::agent::names::{PORT_MAC, PORT_PREFIX, port_name};
use fogbank::compute::{self, ComputeReport, Namespaces, init_pid};
use fogbank::plan::{Failure, HostState, InstanceSection, Phase, PortSection, STOCK_IMAGE};
use fogbank::types::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::{oneshot, watch};

use crate::lab::{self, Lab, Ns, PREFIX, sh, within};
use crate::state;

const LONG: Duration = Duration::from_secs(30);
const PORT: usize = 1;

/// A host with nothing but a driver on it.
pub struct Bench {
    pub host: Ns,
    pub folder: PathBuf,
    driver: Option<Driver>,
    seen: Arc<Mutex<Seen>>,
}

struct Driver {
    states: watch::Sender<Option<Arc<HostState>>>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

#[derive(Clone, Default, Debug)]
struct Seen {
    phases: BTreeMap<InstanceId, (u64, Phase)>,
    failures: Vec<Failure>,
    console: String,
}

impl Seen {
    fn take(&mut self, report: ComputeReport) {
        self.phases = report.instances.iter().map(|seen| (seen.id, (seen.boot, seen.phase))).collect();
        self.failures = report.failures;
        for (_, tail) in report.consoles {
            self.console = String::from_utf8_lossy(&tail).into_owned();
        }
    }
}

pub fn id() -> InstanceId {
    state::port(PORT, &[]).instance
}

pub fn wanted(run: bool, boot: u64, image_location: &str) -> HostState {
    let section = InstanceSection {
        run,
        boot,
        image_location: image_location.into(),
        tokens_required: true,
        ..state::instance(&state::port(PORT, &[]))
    };
    let ports = if run { vec![state::port(PORT, &[])] } else { vec![] };
    let mut state = state::with_ports(state::empty(), &ports);
    state.instances.insert(section.id, Arc::new(section));
    state
}

impl Bench {
    pub fn new() -> Self {
        let host = Ns::new("compute");
        static NEXT: AtomicU32 = AtomicU32::new(0);
        sweep();
        let name = format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        Self { host, folder, driver: None, seen: Arc::default() }
    }

    /// A driver that knows nothing of an earlier one.
    pub fn start(&mut self, state: HostState) {
        self.stop();
        *self.seen.lock().unwrap() = Seen::default();
        let (states, receiver) = watch::channel(Some(Arc::new(state)));
        let (stop, stopped) = oneshot::channel::<()>();
        let (seen, config) = (Arc::clone(&self.seen), self.config());
        let thread = self.host.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let driver = Namespaces::new(&config).with_program(env!("CARGO_BIN_EXE_fogbank"));
                tokio::select! {
                    () = compute::run(driver, receiver, |report| seen.lock().unwrap().take(report)) => {}
                    _ = stopped => {}
                }
            });
        });
        self.driver = Some(Driver { states, stop, thread });
    }

    fn config(&self) -> HostConfig {
        HostConfig { instances_dir: self.folder.clone(), ..Lab::config() }
    }

    pub fn stop(&mut self) {
        if let Some(driver) = self.driver.take() {
            let _ = driver.stop.send(());
            driver.thread.join().unwrap();
        }
    }

    pub fn want(&self, state: HostState) {
        self.driver.as_ref().unwrap().states.send_replace(Some(Arc::new(state)));
    }

    pub fn reaches(&self, boot: u64, phase: Phase) {
        let reached = within(LONG, || self.seen.lock().unwrap().phases.get(&id()) == Some(&(boot, phase)));
        let seen = self.seen.lock().unwrap().clone();
        assert!(reached, "{phase:?} of boot {boot}: {seen:?}");
    }

    pub fn says(&self, words: &str) {
        let said = within(LONG, || self.seen.lock().unwrap().console.contains(words));
        let console = self.seen.lock().unwrap().console.clone();
        assert!(said, "{words}: {console}");
    }

    pub fn pid(&self) -> Option<u32> {
        init_pid(&self.folder, id())
    }

    /// A path of the instance as the host sees it.
    pub fn inside(&self, path: &str) -> PathBuf {
        Path::new("/proc").join(self.pid().unwrap().to_string()).join("root").join(path)
    }

    /// Runs a shell line in the instance, as its root; the line may end the instance and so itself.
    fn guest(&self, line: &str) -> String {
        sh(&format!(
            "nsenter -t {} -U -m -u -i -n -p -S 0 -G 0 -r -w sh -c '{line}' 2>&1; true",
            self.pid().unwrap()
        ))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop();
        clear(&self.folder);
    }
}

fn clear(folder: &Path) {
    if let Some(pid) = init_pid(folder, id()) {
        let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
        within(LONG, || init_pid(folder, id()).is_none());
    }
    let _ = fs::remove_dir_all(folder);
}

/// What a killed run left behind.
fn sweep() {
    lab::sweep();
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            clear(&entry.path());
        }
    }
}

/// The namespace as each process in it names it.
fn namespace(pid: u32, kind: &str) -> PathBuf {
    fs::read_link(format!("/proc/{pid}/ns/{kind}")).unwrap()
}

fn processes_in(namespace: &Path, kind: &str) -> usize {
    let is_zombie = |of: &Path| fs::read_to_string(of.join("stat")).is_ok_and(|stat| stat.contains(") Z "));
    let is_in = |of: &Path| fs::read_link(of.join("ns").join(kind)).is_ok_and(|found| found == namespace);
    let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    // Whoever is process 1 of the machine takes in the zombies when it pleases.
    entries.filter(|of| is_in(of) && !is_zombie(of)).count()
}

#[test]
fn an_instance_outlives_its_server_keeps_its_files_and_goes_without_a_trace() {
    let mut bench = Bench::new();
    bench.start(wanted(true, 1, STOCK_IMAGE));
    bench.reaches(1, Phase::Running);
    bench.says("udhcpc: started");
    let port = state::port(PORT, &[]);
    let link = bench.host.sh(&format!("ip -d link show {}", port_name(port.eni)));
    assert!(link.contains(&format!("link/ether {PORT_MAC}")), "{link}");
    assert!(link.contains(&format!("alias {}", port.eni)), "{link}");
    assert!(link.contains("state DOWN"), "the agent raises it, not the driver: {link}");
    assert!(bench.guest("cat /sys/class/net/eth0/address").contains(&port.mac.to_string()));
    fs::write(bench.inside("root/kept"), "kept").unwrap();
    fs::write(bench.inside("run/lost"), "lost").unwrap();

    let pid = bench.pid();
    bench.start(wanted(true, 1, STOCK_IMAGE));
    bench.reaches(1, Phase::Running);
    assert_eq!(bench.pid(), pid, "a new driver takes on what runs");

    bench.want(wanted(false, 1, STOCK_IMAGE));
    bench.reaches(1, Phase::Stopped);
    bench.says("init: shutting down");
    assert_eq!(bench.pid(), None);
    assert!(!bench.host.sh("ip -o link").contains(PORT_PREFIX), "its cable goes with it");

    bench.want(wanted(true, 2, STOCK_IMAGE));
    bench.reaches(2, Phase::Running);
    assert_eq!(fs::read_to_string(bench.inside("root/kept")).unwrap(), "kept");
    assert!(!bench.inside("run/lost").exists());

    let namespaces = ["pid", "net", "mnt"].map(|kind| (namespace(bench.pid().unwrap(), kind), kind));
    bench.want(state::empty());
    bench.reaches(0, Phase::Gone);
    for (namespace, kind) in &namespaces {
        assert_eq!(processes_in(namespace, kind), 0, "{kind}");
    }
    assert!(!bench.folder.join(id().to_string()).exists());
    assert!(!bench.host.sh("ip -o link").contains(PORT_PREFIX));
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(bench.folder.to_str().unwrap()), "{mounts}");
}

#[test]
fn a_shutdown_from_within_is_an_exit_and_another_boot_starts_again() {
    let mut bench = Bench::new();
    bench.start(wanted(true, 1, STOCK_IMAGE));
    bench.reaches(1, Phase::Running);
    bench.says("udhcpc: started");
    bench.guest("poweroff");
    bench.reaches(1, Phase::Exited);
    // A server that starts now does not take the exit for a start that failed.
    bench.start(wanted(true, 1, STOCK_IMAGE));
    bench.reaches(1, Phase::Exited);
    bench.want(wanted(true, 2, STOCK_IMAGE));
    bench.reaches(2, Phase::Running);
    let first = bench.pid();
    bench.want(wanted(true, 3, STOCK_IMAGE));
    bench.reaches(3, Phase::Running);
    assert_ne!(bench.pid(), first);
}

#[test]
fn an_instance_has_no_power_over_its_host() {
    let mut bench = Bench::new();
    bench.start(wanted(true, 1, STOCK_IMAGE));
    bench.reaches(1, Phase::Running);
    bench.says("udhcpc: started");
    // Each only opens or asks: were it allowed, it would do no harm to the machine that runs the test.
    for forbidden in [
        ": >> /proc/sys/kernel/panic",
        ": >> /proc/sysrq-trigger",
        ": >> /sys/kernel/uevent_seqnum",
        ": < /proc/kcore",
        "mknod /tmp/null c 1 3",
        "mount -o remount,rw /sys",
        "umount /sys",
        "umount /proc",
    ] {
        let answer = bench.guest(&format!("( {forbidden} ) >/dev/null 2>&1 && echo could || echo could not"));
        assert_eq!(answer.trim(), "could not", "{forbidden}");
    }
    let [own, guest] = [std::process::id(), bench.pid().unwrap()];
    for kind in ["user", "mnt", "pid", "net", "uts", "ipc", "cgroup"] {
        assert_ne!(namespace(own, kind), namespace(guest, kind), "{kind}");
    }
    // What a script says on the console by its name arrives there.
    bench.guest("echo by name > /dev/console");
    bench.says("by name");
}

#[test]
fn what_cannot_start_fails_and_says_why() {
    let mut bench = Bench::new();
    bench.start(wanted(true, 1, "/nonexistent/image.tar"));
    bench.reaches(1, Phase::Failed);
    let told = bench.seen.lock().unwrap().failures[0].message.clone();
    assert!(told.contains("/nonexistent/image.tar") && told.contains("put it there"), "{told}");
    // An image without an init: the reason is on the console, and in the failure.
    let empty = bench.folder.join("empty");
    fs::create_dir_all(empty.join("etc")).unwrap();
    bench.want(wanted(true, 2, empty.to_str().unwrap()));
    bench.reaches(2, Phase::Failed);
    let told = bench.seen.lock().unwrap().failures[0].message.clone();
    assert!(told.contains("/sbin/init"), "{told}");
    bench.want(state::empty());
    bench.reaches(0, Phase::Gone);
}

#[test]
fn interfaces_come_and_go_while_an_instance_runs() {
    let mut bench = Bench::new();
    let second = PortSection { instance: id(), device_index: 1, ..state::port(2, &[]) };
    let with_second = || state::with_ports(wanted(true, 1, STOCK_IMAGE), std::slice::from_ref(&second));
    let has = |bench: &Bench, name: &str, address: MacAddr| {
        bench.guest(&format!("cat /sys/class/net/{name}/address")).contains(&address.to_string())
    };
    bench.start(wanted(true, 1, STOCK_IMAGE));
    bench.reaches(1, Phase::Running);
    bench.says("init: eth0 is there");
    let (pid, first) = (bench.pid(), bench.guest("cat /sys/class/net/eth0/ifindex"));

    bench.want(with_second());
    assert!(within(LONG, || has(&bench, "eth1", second.mac)), "it is plugged");
    bench.says("init: eth1 is there");
    let index = bench.guest("cat /sys/class/net/eth1/ifindex");

    // A server that comes anew finds it plugged.
    bench.start(with_second());
    bench.reaches(1, Phase::Running);
    let third = PortSection { instance: id(), device_index: 2, ..state::port(3, &[]) };
    bench.want(state::with_ports(wanted(true, 1, STOCK_IMAGE), &[second.clone(), third.clone()]));
    assert!(within(LONG, || has(&bench, "eth2", third.mac)), "one more is plugged");
    assert_eq!(bench.guest("cat /sys/class/net/eth1/ifindex"), index, "and no other");

    // What somebody pulls out is plugged again.
    bench.host.sh(&format!("ip link del {}", port_name(second.eni)));
    assert!(within(LONG, || has(&bench, "eth1", second.mac)), "it is plugged again");
    assert_ne!(bench.guest("cat /sys/class/net/eth1/ifindex"), index);

    // At another place it is another interface.
    let moved = PortSection { device_index: 3, ..second.clone() };
    bench.want(state::with_ports(wanted(true, 1, STOCK_IMAGE), &[moved]));
    assert!(within(LONG, || has(&bench, "eth3", second.mac)), "it is plugged elsewhere");
    bench.says("init: eth1 is gone");

    bench.want(wanted(true, 1, STOCK_IMAGE));
    let gone = || !bench.host.sh("ip -o link").contains(&port_name(second.eni));
    assert!(within(LONG, gone), "it is unplugged");
    bench.says("init: eth3 is gone");
    assert_eq!((bench.pid(), bench.guest("cat /sys/class/net/eth0/ifindex")), (pid, first), "the rest stays");

    // It ends with all of its cables.
    bench.want(with_second());
    assert!(within(LONG, || has(&bench, "eth1", second.mac)));
    bench.want(wanted(false, 1, STOCK_IMAGE));
    bench.reaches(1, Phase::Stopped);
    assert!(!bench.host.sh("ip -o link").contains(PORT_PREFIX));
}
