//! What rules cost a packet.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use fogbank::agent::reconcile::Reconciler;

use crate::crowd;
use crate::figure::{Figure, Target};
use crate::lab::{Lab, Ns, guest, sh};

pub const ABOUT: &str = "Datagrams from the internet's side to an instance with an elastic address, through a host of network namespaces: the sender, the host and \
    the instance are on one processor, so the time a datagram takes its sender is what it costs altogether. The rules are those of so many instances, each in a \
    group of 10 rules. The baseline, measured turn about in the same run, is a host that forwards with connection tracking and one DNAT rule, and filters \
    nothing. A new flow is a datagram to another port.";

const INSTANCES: [usize; 4] = [1, 100, 1_000, 10_000];
const ESTABLISHED: usize = 100_000;
const NEW: u16 = 30_000;
const ROUNDS: usize = 7;
const PLAIN: &str = "table ip plain { chain in { type nat hook prerouting priority -100; \
    ip daddr 203.0.113.100 dnat to 10.0.1.0; } }";
/// Counts what arrives, ahead of everything that costs.
const SINK: &str = "table inet sink { chain in { type filter hook prerouting priority -500; \
    meta l4proto udp counter drop; } }";

pub fn run() -> Vec<Figure> {
    let plain = Path::plain();
    let mut figures = Vec::new();
    for instances in INSTANCES {
        let ours = Path::ours(instances);
        let (mut established, mut new) = (Pairs::default(), Pairs::default());
        for _ in 0..ROUNDS {
            established.add(ours.established(), plain.established());
            new.add(ours.new_flows(), plain.new_flows());
        }
        for (what, pairs, most) in [("an established packet", established, 0.3), ("a new flow", new, 1.5)] {
            let (added, baseline) = (pairs.added(), pairs.baseline());
            figures.push(
                Figure::new(format!("{what} takes more, {instances} instances"), added, "us")
                    .target(Target::AtMost(most))
                    .note(format!("{baseline:.2} us without rules")),
            );
            figures.push(
                Figure::new(format!("{what}, {instances} instances"), 1e6 / (baseline + added), "/s")
                    .beside("without rules", 1e6 / baseline),
            );
        }
    }
    figures
}

/// The same thing with rules and without, in microseconds.
#[derive(Default)]
struct Pairs(Vec<(f64, f64)>);

impl Pairs {
    fn add(&mut self, ours: f64, plain: f64) {
        self.0.push((ours, plain));
    }

    fn added(&self) -> f64 {
        median(self.0.iter().map(|(ours, plain)| ours - plain))
    }

    fn baseline(&self) -> f64 {
        median(self.0.iter().map(|(_, plain)| *plain))
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A sender, a host and an instance.
struct Path {
    lab: Lab,
    guest: Ns,
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

    /// Without any but a translation.
    fn plain() -> Self {
        let lab = Lab::new();
        let state = crowd::state(1);
        let port = &state.ports[&crowd::eni(0)];
        let guest = guest(&lab.host, port);
        let name = fogbank::agent::names::port_name(port.eni);
        lab.host.sh(&format!(
            "sysctl -qw net.ipv4.ip_forward=1; ip link set {name} up; ip route add 10.0.1.0/32 dev {name}; \
             ip neigh add 10.0.1.0 lladdr {} dev {name}; ip addr add {}/32 dev eth0; echo \"{PLAIN}\" | nft -f -",
            port.mac,
            crowd::ELASTIC,
        ));
        Self::with_sink(lab, guest)
    }

    fn with_sink(lab: Lab, guest: Ns) -> Self {
        guest.sh(&format!("echo \"{SINK}\" | nft -f -"));
        Self { lab, guest }
    }

    /// Microseconds for each of many datagrams of one flow.
    fn established(&self) -> f64 {
        self.send(ESTABLISHED, |_| 4000)
    }

    /// Microseconds for each of many datagrams, every one of a flow of its own.
    fn new_flows(&self) -> f64 {
        sh(&format!("ip netns exec {} conntrack -F 2>/dev/null || true", self.lab.host.name()));
        self.send(NEW.into(), |number| 10_000 + number as u16)
    }

    fn send(&self, count: usize, port: impl Fn(usize) -> u16 + Send + 'static) -> f64 {
        let before = self.arrived();
        let took = self.lab.internet.run(move || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            // ARP, and the flow where there is one.
            socket.send_to(b"x", (crowd::ELASTIC, 4000)).unwrap();
            let begun = Instant::now();
            for number in 0..count {
                socket.send_to(b"x", (crowd::ELASTIC, port(number))).unwrap();
            }
            begun.elapsed().as_secs_f64() * 1e6 / count as f64
        });
        let arrived = self.arrived() - before;
        assert!(arrived >= count, "{arrived} of {count} datagrams arrived");
        took
    }

    fn arrived(&self) -> usize {
        let text = self.guest.sh("nft list chain inet sink in");
        let words: Vec<_> = text.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "packets").unwrap();
        words[at + 1].parse().unwrap()
    }
}
