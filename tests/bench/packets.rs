//! What rules cost a packet.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use fogbank::agent::names::{PORT_MAC, port_name};
use fogbank::agent::reconcile::Reconciler;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::crowd;
use crate::figure::{Figure, Target};
use crate::lab::{Lab, Ns, guest};
use crate::machine::processor_time;
use crate::report::number;
use crate::size;

pub const ABOUT: &str = "Datagrams of one byte from the internet's side to an instance with an elastic address, through a host of network namespaces. The kernel carries \
    each one through host and instance before the next is sent, as work of its sender's: the sender's processor time is what a datagram costs altogether, \
    from one socket to before the other. The host has the rules of so many instances, each in a group of 10 rules, as its agent writes them. The baseline, turn about \
    with it in the same run, is the same host with connection tracking and one rule each for DNAT and SNAT, and nothing that filters. An established \
    packet is one of a flow that was answered before; a new flow is a datagram to a port of its own. Times are medians of short batches; rates are of one processor.";

const INSTANCES: [usize; 4] = [1, 100, 1_000, 10_000];
const INSTANCES_OF_A_TRIAL: [usize; 2] = [1, 100];
/// Datagrams of a batch.
const BATCH: usize = 1_000;
/// Batches of each kind on each side.
const BATCHES: usize = 60;
/// New flows begin here, so that no batch meets those of another.
const FIRST_PORT: usize = 5_000;
const ESTABLISHED_PORT: u16 = 4_000;
/// What the instance answers, so that a flow is established.
const GREETING: &[u8] = b"hello";
const SOON: Option<Duration> = Some(Duration::from_secs(5));
/// Microseconds.
const MOST: [(Kind, f64); 2] = [(Kind::Established, 0.3), (Kind::New, 1.5)];
/// What rules may cost with the most instances, as a part of what they cost with one.
const FLAT: f64 = 1.25;
/// Counts what is measured, ahead of everything that costs: eight bytes of UDP's and one.
const SINK: &str = "table inet sink { chain in { type filter hook prerouting priority -500; \
    meta l4proto udp udp length 9 counter drop; }; };";

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Established,
    New,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Established => "an established packet",
            Self::New => "a new flow",
        }
    }
}

pub fn run() -> Vec<Figure> {
    let mut figures = Vec::new();
    let (mut first, mut last) = ([0.0; MOST.len()], [0.0; MOST.len()]);
    for &instances in size::of(&INSTANCES[..], &INSTANCES_OF_A_TRIAL) {
        // Both anew each time: neither has flows of before.
        let (ours, plain) = (Path::ours(instances), Path::plain());
        for (at, (kind, most)) in MOST.into_iter().enumerate() {
            let [with, without] = turn_about([&ours, &plain], kind);
            let what = format!("{}, {instances} instances", kind.name());
            // As a part of what it costs without, for processors are not equally fast all the time.
            let added = (with - without) / without * 100.0;
            figures.push(
                Figure::new(format!("{what}: added"), with - without, "us")
                    .target(Target::AtMost(most))
                    .note(format!("{} us with rules, {} us without", number(with), number(without))),
            );
            figures.push(
                Figure::new(format!("{what}: rate"), 1e6 / with, "/s")
                    .beside("plain forwarding", 1e6 / without),
            );
            if first[at] == 0.0 {
                first[at] = added;
            }
            last[at] = added;
        }
    }
    for (at, (kind, _)) in MOST.into_iter().enumerate() {
        figures.push(
            Figure::new(format!("{}: added with the most instances", kind.name()), last[at], "%")
                .beside("with one", first[at])
                .target(Target::TimesAtMost(FLAT)),
        );
    }
    figures
}

/// The medians of each side, in microseconds.
fn turn_about(sides: [&Path; 2], kind: Kind) -> [f64; 2] {
    let before = sides.map(Path::arrived);
    let batches = size::of(BATCHES, 5);
    let mut took = [Vec::new(), Vec::new()];
    for batch in 0..batches {
        for (side, took) in sides.iter().zip(&mut took) {
            took.push(side.send(kind, batch));
        }
    }
    for (side, before) in sides.iter().zip(before) {
        let arrived = side.arrived() - before;
        assert!(arrived == batches * BATCH, "{arrived} of {batches} batches' datagrams arrived");
    }
    took.map(|mut took| {
        took.sort_by(f64::total_cmp);
        took[took.len() / 2]
    })
}

/// A sender, a host and an instance.
struct Path {
    lab: Lab,
    guest: Ns,
    /// Of the guest, wherever it is used.
    instance: UdpSocket,
}

impl Path {
    /// With an agent's rules.
    fn ours(instances: usize) -> Self {
        let lab = Lab::new();
        let state = Arc::new(crowd::state(instances));
        let port = &state.ports[&crowd::eni(0)];
        let guest = guest(&lab.host, port);
        let (config, told) = (lab.config.clone(), state.clone());
        lab.host.run(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let applied =
                runtime.block_on(async move { Reconciler::new(config).unwrap().apply(&told).await });
            assert!(applied.failures.is_empty(), "{:?}", applied.failures);
        });
        Self::with_sink(lab, guest)
    }

    /// Without any but translations.
    fn plain() -> Self {
        let lab = Lab::new();
        let state = crowd::state(1);
        let port = &state.ports[&crowd::eni(0)];
        let guest = guest(&lab.host, port);
        let name = port_name(port.eni);
        let (elastic, private, mac) = (crowd::ELASTIC, port.private_ip, port.mac);
        lab.host.sh(&format!(
            "sysctl -qw net.ipv4.ip_forward=1; ip link set {name} up; ip addr add 10.0.0.1/32 dev {name}; ip route add {private}/32 dev {name}; \
             ip neigh add {private} lladdr {mac} dev {name}; ip addr add {elastic}/32 dev eth0; \
             echo \"table ip plain {{ \
             chain in {{ type nat hook prerouting priority -100; ip daddr {elastic} dnat to {private}; }}; \
             chain out {{ type nat hook postrouting priority 100; ip saddr {private} snat to {elastic}; }}; }};\" | nft -f -",
        ));
        Self::with_sink(lab, guest)
    }

    fn with_sink(lab: Lab, guest: Ns) -> Self {
        guest.sh(&format!("ip neigh add 10.0.0.1 lladdr {PORT_MAC} dev eth0; echo \"{SINK}\" | nft -f -"));
        let instance = guest.run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, ESTABLISHED_PORT)).unwrap());
        instance.set_read_timeout(SOON).unwrap();
        Self { lab, guest, instance }
    }

    /// Microseconds for each datagram of a batch.
    fn send(&self, kind: Kind, batch: usize) -> f64 {
        let port = move |number: usize| match kind {
            Kind::Established => ESTABLISHED_PORT,
            Kind::New => (FIRST_PORT + batch * BATCH + number) as u16,
        };
        let instance = self.instance.try_clone().unwrap();
        self.lab.internet.run(move || {
            stay_on_one_processor();
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            greet(&socket, &instance);
            let begun = processor_time();
            for number in 0..BATCH {
                socket.send_to(b"x", (crowd::ELASTIC, port(number))).unwrap();
            }
            (processor_time() - begun) / BATCH as f64
        })
    }

    fn arrived(&self) -> usize {
        let text = self.guest.sh("nft list chain inet sink in");
        let words: Vec<_> = text.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "packets").unwrap();
        words[at + 1].parse().unwrap()
    }
}

/// There and back, which makes a flow established.
fn greet(socket: &UdpSocket, instance: &UdpSocket) {
    let mut buffer = [0; GREETING.len()];
    socket.set_read_timeout(SOON).unwrap();
    socket.send_to(GREETING, (crowd::ELASTIC, ESTABLISHED_PORT)).unwrap();
    let (_, from) = instance.recv_from(&mut buffer).expect("the greeting came");
    instance.send_to(GREETING, from).unwrap();
    socket.recv_from(&mut buffer).expect("its answer came");
}

/// The thread that asks; on the last processor, for interrupts are often for the first.
fn stay_on_one_processor() {
    let mut one = CpuSet::new();
    one.set(available_parallelism().map_or(1, usize::from) - 1).unwrap();
    sched_setaffinity(Pid::from_raw(0), &one).unwrap();
}
