//! An agent that aborts at any passage of any place of a pass leaves a kernel that breaks no promise, and that the next
//! agent makes what it would have made of an empty one.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use fogbank::agent::names::port_name;
use fogbank::agent::reconcile::Reconciler;
use fogbank::crash::{Part, Point, VARIABLE};
use fogbank::plan::*;
use fogbank::types::MacAddr;
use nix::sys::resource::{Resource, setrlimit};

use crate::kernel::{Kernel, mapped};
use crate::lab::{CLIENT, Lab};
use crate::probe::{Flow, Server};
use crate::state::*;

/// Says which test is to be the agent that aborts.
const CHILD: &str = "crash::the_agent_that_aborts";
/// Places are gone through side by side; what they wait for is not the processor.
const LANES: usize = 3;

fn network(state: &HostState, name: &str, third: u8) -> Arc<NetworkSection> {
    Arc::new(NetworkSection {
        name: name.into(),
        cidr: format!("10.0.{third}.0/24").parse().unwrap(),
        gateway: [10, 0, third, 1].into(),
        range: format!("10.0.{third}.4-10.0.{third}.199").parse().unwrap(),
        ..NetworkSection::clone(&state.networks["flat"])
    })
}

/// Another host with one instance: the fifth or the sixth.
fn peer(state: &mut HostState, name: &str, number: u8, instance: usize) {
    let mac = MacAddr([2, 0, 0, 0, 2, number]);
    let section = PeerSection { name: name.into(), next_hop: next_hop(number.into()), mac, flat_mtu: None };
    let eni = port(instance, &[]).eni;
    let (network, host) = ("flat".into(), name.into());
    let place = PlaceSection {
        eni,
        private_ip: ip(instance),
        secondary_ips: [].into(),
        ipv6: [].into(),
        network,
        host,
    };
    state.hosts = Arc::new([(name.into(), Arc::new(section))].into());
    state.places = Arc::new([(eni, Arc::new(place))].into());
}

/// What the host is to be, one after the other: between them everything comes, moves and goes.
fn states() -> [HostState; 4] {
    let with = |ports: &[usize], elastic: &[(usize, usize)]| {
        let ports: Vec<_> = ports.iter().map(|n| port(*n, &[1])).collect();
        let state = HostState { host: "one".into(), ..wide(&with_ports(empty(), &ports), 1) };
        elastic.iter().fold(state, |state, (at, n)| associate(&state, ELASTIC[*at], *n))
    };
    let mut first = with(&[1, 2], &[(0, 1), (1, 2)]);
    peer(&mut first, "two", 2, 5);
    let mut more = with(&[1, 2, 3], &[(0, 1), (2, 3)]);
    more.networks.insert("other".into(), network(&more, "other", 1));
    peer(&mut more, "two", 2, 6);
    let mut moved = with(&[1, 2, 3], &[(0, 2), (2, 3)]);
    moved.networks.insert("other".into(), network(&more, "other", 1));
    peer(&mut moved, "three", 3, 6);
    let last = with(&[1, 2], &[(0, 2)]);
    [first, more, moved, last]
}

/// Not a test by itself: the process that a test ends in the middle. Follows the states after the first.
#[test]
#[ignore = "run by the tests of this file, in a process and a namespace of its own"]
fn the_agent_that_aborts() {
    if std::env::var(VARIABLE).is_err() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut agent = Reconciler::new(Lab::config()).unwrap();
        for (at, state) in states().into_iter().enumerate().skip(1) {
            println!("\nstate {at}");
            let applied = agent.apply(&Arc::new(state)).await;
            assert_eq!(applied.failures, []);
        }
    });
}

/// Runs it in the host until it aborts; at which state it did, or `None` where it came to its end.
fn abort_at(lab: &Lab, point: Point, passage: usize) -> Option<usize> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", lab.host.name()]).arg(std::env::current_exe().unwrap());
    command.args([CHILD, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(VARIABLE, format!("{}:{passage}", point.name())).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        assert!(text.contains("state 3"), "it did not run: {text}");
        return None;
    }
    assert_eq!(output.status.signal(), Some(nix::libc::SIGABRT), "{text}{complaints}");
    assert!(complaints.contains(&format!("crash: {}", point.name())), "{complaints}");
    let last = text.lines().rev().find_map(|line| line.strip_prefix("state "));
    Some(last.unwrap().parse().unwrap())
}

fn lab() -> Lab {
    let mut lab = Lab::new();
    for n in 1..=3 {
        lab.instance(&port(n, &[1]));
    }
    lab
}

/// Where the host is when the agent that will abort starts.
fn begin(lab: &mut Lab, first: &HostState) {
    lab.apply(first);
    // A driver's new interface is down.
    lab.host.sh(&format!("ip link set {} down", port_name(port(3, &[]).eni)));
}

/// The third port is not the state's at the end, and nobody undoes its switches: its driver takes it away.
fn kernel(lab: &Lab) -> Kernel {
    let ports = [1, 2].map(|n| port_name(port(n, &[]).eni));
    Kernel::of(&lab.host, &["eth0", "eth1", &ports[0], &ports[1]])
}

/// What holds at every moment, also while nobody works on it.
fn assert_honest(lab: &Lab, states: &[HostState], at: usize, place: &str) {
    let (now, before) = (&states[at], &states[at - 1]);
    let (there, map) = (Kernel::addresses(&lab.host), mapped(&lab.host));
    let to = |state: &HostState, public| state.addresses.get(public).map(|section| section.private_ip);
    for public in &ELASTIC {
        let (is_there, leads) = (there.contains(&public.to_string()), map.get(public).copied());
        let (new, old) = (to(now, public), to(before, public));
        assert!(leads.is_none() || leads == new || leads == old, "{place}: {public} leads to {leads:?}");
        if is_there && old.is_none() {
            assert_eq!(leads, new, "{place}: {public} is answered before there are rules for it");
        }
        if !is_there && new.is_none() {
            assert_eq!(leads, None, "{place}: {public} went before its rules");
        }
    }
    let third = port_name(port(3, &[]).eni);
    let is_new = now.ports.contains_key(&port(3, &[]).eni);
    if is_new && lab.host.sh(&format!("ip -o link show {third}")).contains("state UP") {
        let rules = lab.host.sh("nft list table inet fogbank");
        assert!(rules.contains(&third), "{place}: the port is up and no rule knows it");
    }
}

/// Aborts at every passage of a place, one after the other; how many there were.
fn go_through(lab: &mut Lab, point: Point, ends: &[Kernel; 2]) -> usize {
    let states = states();
    let mut passage = 0;
    loop {
        passage += 1;
        begin(lab, &states[0]);
        let inward = |lab: &Lab, at: usize| Flow::open(&lab.internet, ELASTIC[at], 80);
        let mut flows = [inward(lab, 0), inward(lab, 1), Flow::open(&lab.instances[1], CLIENT, 81)];
        lab.stop();
        let place = format!("{}:{passage}", point.name());
        let Some(at) = abort_at(lab, point, passage) else { break };
        assert_honest(lab, &states, at, &place);
        // What comes next is what was to come, or that all is as before.
        let (end, state) = if passage % 2 == 1 { (1, &states[3]) } else { (0, &states[0]) };
        lab.apply(state);
        if end == 1 {
            for (n, flow) in flows.iter_mut().enumerate() {
                assert!(!flow.lives(), "{place}: flow {n} lives on");
            }
        }
        assert_eq!(kernel(lab).difference(&ends[end]), "", "{place}, then state {}", 3 * end);
        lab.stop();
    }
    passage - 1
}

#[test]
fn aborted_anywhere_in_a_pass_it_breaks_no_promise_and_the_next_agent_converges() {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).unwrap();
    let [first, .., last] = states();
    let ends = [&first, &last].map(|state| {
        let mut lab = lab();
        lab.apply(state);
        kernel(&lab)
    });
    let points: Vec<_> = Point::ALL.iter().copied().filter(|point| point.part() == Part::Kernel).collect();
    let next = std::sync::atomic::AtomicUsize::new(0);
    let passages = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let mut lab = lab();
                let _servers = [0, 1].map(|at| Server::start(&lab.instances[at], 80));
                let _outside = Server::start(&lab.internet, 81);
                while let Some(point) = points.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let count = go_through(&mut lab, *point, &ends);
                    assert!(count > 0, "{} is never passed", point.name());
                    passages.fetch_add(count, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} places, {} passages", points.len(), passages.into_inner());
}
