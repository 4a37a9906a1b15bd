//! What others do to our objects is undone, by as few writes as can be, and what is theirs is left as it is.

mod damage;
mod monitor;
mod routers;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use damage::Damage;
use fogbank::agent::names::port_name;
use fogbank::plan::HostState;
use monitor::{Monitor, Written};

use crate::dice::{Dice, seeds};
use crate::history::History;
use crate::lab::{sweep, within};
use crate::stage::{Dump, Stage, difference};
use crate::worlds::name;

const WORLDS: u64 = 4;
const AT_ONCE: usize = 4;

/// How often several damages come together, after each has come alone.
const TOGETHER: usize = 8;

/// Sooner than everything is looked at anyhow. That it takes no second is for tests that have the machine for themselves.
const BOUND: Duration = Duration::from_secs(6);

/// Things of others, of every kind that we write ourselves, at places where a careless agent would take them for its own.
const THEIRS: &str = "
    set -e; nft add table ip fogbank; nft add chain ip fogbank input
    nft add set ip fogbank gateways \"{ type ipv4_addr ; elements = { 192.0.2.1, 192.0.2.2 } ; }\"
    nft add rule ip fogbank input ip saddr @gateways counter accept
    nft add table inet theirs; nft add chain inet theirs forward \"{ type filter hook forward priority 0 ; policy accept ; }\"
    nft add rule inet theirs forward iifname \"fbp*\" counter
    ip link add theirs0 type veth peer name theirs1; ip link set theirs0 up; ip link set theirs1 alias eni-theirs
    ip link add theirs2 type bridge; ip link set theirs1 master theirs2
    tc qdisc add dev theirs0 root pfifo limit 7
    ip addr add 192.0.2.9/24 dev theirs0; ip addr add 203.0.113.77/32 dev eth0; ip addr add 192.0.2.10/32 dev eth0
    ip route add 198.51.100.0/25 via 203.0.113.1 proto static; ip route add blackhole 198.51.100.128/25 proto 143
    ip route add 198.51.100.64/32 dev eth0 proto static table 14201; ip route add 198.51.100.65/32 dev eth0 metric 4242
    ip route add 198.51.100.66/32 dev eth0 proto 142 table 14200; ip route add 198.51.100.67/32 dev eth0 proto 142 table 99
    ip rule add pref 14200 from 198.51.100.0/24 lookup 99; ip rule add pref 14202 from 198.51.100.9 lookup 99 protocol 143
    ip neigh add 203.0.113.50 dev eth0 lladdr 2:0:0:0:8:1 nud permanent
    ip neigh add 169.254.130.9 dev eth0 lladdr 2:0:0:0:8:2 nud permanent
    ip neigh add 10.0.0.120 dev FLAT lladdr 2:0:0:0:8:3 nud permanent
    ip neigh add proxy 10.0.0.121 dev FLAT; ip neigh add proxy 10.0.0.122 dev eth0 protocol 143
    echo 1 > /proc/sys/net/ipv4/conf/theirs0/forwarding; echo 1 > /proc/sys/net/ipv4/conf/theirs0/arp_ignore
";

/// Everything of theirs, word by word.
const LOOK: &str = "
    nft -a list table inet theirs; nft -a list table ip fogbank
    for link in theirs0 theirs1 theirs2; do ip -d link show $link; ip addr show dev $link; tc qdisc show dev $link; done
    ip addr show dev eth0 to 203.0.113.77; ip addr show dev eth0 to 192.0.2.10; tc qdisc show dev eth0
    ip route show table all proto static; ip route show table all proto 143; ip route show table 14200; ip route show table 99
    ip route show proto boot; ip -d rule show from 198.51.100.0/24
    ip neigh show nud permanent | grep 2:00:00:00:08:0 || ip neigh show nud permanent | grep 02:00:00:00:08
    ip neigh show proxy | grep -e 10.0.0.121 -e 10.0.0.122
    cat /proc/sys/net/ipv4/conf/theirs0/* /proc/sys/net/ipv4/conf/all/* /proc/sys/net/ipv4/conf/default/*
";

#[test]
fn damage_is_repaired_by_the_fewest_writes_and_nothing_of_others_is_touched() {
    sweep();
    let seeds = seeds(WORLDS);
    let done = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for part in seeds.chunks(seeds.len().div_ceil(AT_ONCE)) {
            let done = &done;
            scope.spawn(move || part.iter().for_each(|seed| Scene::new(*seed).run(done)));
        }
    });
    let done = done.into_inner().unwrap();
    println!("{} damages of {} kinds", done.values().sum::<usize>(), done.len());
    println!("{done:?}");
}

struct Scene {
    seed: u64,
    dice: Dice,
    stage: Stage,
    state: HostState,
}

impl Scene {
    /// A host with ports, and if it can be with ways to others, that has lived for a while.
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (history, number, state) = loop {
            // Odd ones have no isolated VPCs, whose routers have a test of their own.
            let history = History::new(dice.next() | 1, 4);
            let number = dice.below(history.hosts);
            let state = history.states(&name(number)).pop().unwrap();
            if state.ports.len() > 1 && !state.addresses.is_empty() && state.hosts.len() > 1 {
                break (history, number, state);
            }
        };
        let mut stage = Stage::new(number, history.one_nic);
        stage.host.ns.sh(&THEIRS.replace("FLAT", &stage.host.config.flat_interface));
        stage.plug(&state);
        stage.tell(&state);
        assert_eq!(stage.failures(), [], "FOGBANK_SEED={seed}");
        Self { seed, dice, stage, state }
    }

    fn theirs(&self) -> String {
        self.stage.host.ns.sh(LOOK)
    }

    fn run(mut self, done: &Mutex<BTreeMap<&'static str, usize>>) {
        let (wanted, theirs) = (self.stage.dump(&self.state), self.theirs());
        self.rest_writes_nothing();
        let count = |damage: &Damage| *done.lock().unwrap().entry(damage.kind).or_default() += 1;
        for n in 0.. {
            let damages = damage::all(&self.stage, &self.state, &mut self.dice);
            let Some(damage) = damages.get(n) else { break };
            self.alone(damage, &wanted);
            count(damage);
            if n % 8 == 0 {
                assert_eq!(self.theirs(), theirs, "FOGBANK_SEED={}, {damage:?}: what is theirs", self.seed);
            }
        }
        self.port_of_another(&wanted);
        for round in 0..TOGETHER {
            let mut damages = damage::all(&self.stage, &self.state, &mut self.dice);
            // Half of it happens while no agent runs.
            if round % 2 == 0 {
                self.stage.stop();
            }
            let number = 2 + self.dice.below(3);
            let several: Vec<_> =
                (0..number).map(|_| damages.swap_remove(self.dice.below(damages.len()))).collect();
            for damage in &several {
                // One may have taken away already what another is about.
                self.stage.host.ns.sh(&format!("{{\n{}\n}} 2>/dev/null || true", damage.line));
                count(damage);
            }
            // Of a silent one nobody hears where the pass for the others was sooner.
            if round % 2 == 0 {
                self.stage.tell(&self.state);
            }
            if several.iter().any(Damage::is_silent) {
                self.stage.look(&self.state);
            }
            self.repaired(&several, &wanted);
        }
        assert_eq!(self.theirs(), theirs, "FOGBANK_SEED={}: what is theirs", self.seed);
        self.rest_writes_nothing();
    }

    /// An interface that says whose it is is left to that, and named.
    fn port_of_another(&mut self, wanted: &Dump) {
        let port = self.state.ports.values().next().unwrap().eni;
        let named = |scene: &Self, count: usize| {
            let subject = format!("port {port}");
            let failures =
                || scene.stage.failures().into_iter().filter(|failure| failure.subject == subject).count();
            assert!(within(BOUND, || failures() == count), "{:?}", scene.stage.failures());
        };
        let line = |alias: String| format!("ip link set {} alias {alias}", port_name(port));
        self.stage.host.ns.sh(&line("eni-0123456789abcdef0".into()));
        named(self, 1);
        self.stage.host.ns.sh(&line(port.to_string()));
        named(self, 0);
        self.repaired(&[], wanted);
    }

    /// However often it looks.
    fn rest_writes_nothing(&mut self) {
        let monitor = Monitor::new(self.stage.host.ns.name());
        let before = monitor.transactions();
        let state = self.state.clone();
        let _ = monitor.written();
        for _ in 0..5 {
            self.stage.tell(&state);
            self.stage.look(&state);
        }
        assert_eq!(monitor.written(), Written::default(), "FOGBANK_SEED={}: nothing to do", self.seed);
        assert_eq!(monitor.transactions(), before, "FOGBANK_SEED={}: nothing to do", self.seed);
    }

    fn alone(&mut self, damage: &Damage, wanted: &Dump) {
        let monitor = Monitor::new(self.stage.host.ns.name());
        let before = monitor.transactions();
        self.stage.host.ns.sh(&damage.line);
        if damage.is_silent() {
            // Another pass may have come between and mended it.
            let seen = || {
                self.stage.host.ns.sh(&damage.line);
                self.stage.dump(&self.state) != *wanted
            };
            assert!((0..5).any(|_| seen()), "{damage:?} does no damage");
            self.stage.look(&self.state);
        }
        self.repaired(std::slice::from_ref(damage), wanted);
        // One look more, which finds nothing to do.
        self.stage.look(&self.state);
        let (written, transactions) = (monitor.written(), monitor.transactions() - before);
        let told =
            format!("FOGBANK_SEED={}, {damage:?}: {written:?}, {transactions} transactions", self.seed);
        assert_eq!(written.objects, damage.objects, "{told}");
        // The damage itself is one.
        assert_eq!(transactions, 2 * damage.transactions, "{told}");
    }

    fn repaired(&self, damages: &[Damage], wanted: &Dump) {
        let mut got = Dump::new();
        let same = within(BOUND, || {
            got = self.stage.dump(&self.state);
            got == *wanted
        });
        let seed = self.seed;
        assert!(same, "FOGBANK_SEED={seed}, not repaired: {damages:?}\n{}", difference(&got, wanted));
    }
}
