//! How soon a change of a rule is what packets meet.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use fogbank::agent::kernel::inspect;

use crate::figure::{Figure, Target};
use crate::lab::{Lab, Ns, within};
use crate::report::number;
use crate::server::{Credentials, Folder, Reply, Server, Settings, signed};
use crate::wire::Wire;
use crate::{leave, machine, size};

pub const ABOUT: &str = "A real `fogbank serve` on a host of network namespaces, with 200 instances that run there, each in 5 groups of 60 rules; the group whose \
    rule changes lets its own members in, too, of which others run on a host that is not there. Each change is a signed request on a connection of its own that \
    allows a port; the time is from its first byte to the first of the datagrams, sent from the internet's side every 0.15 ms or so, that leaves by the instance's \
    port. Then the rule is revoked, and the time is to the last datagram that leaves; the next change begins when none has left for a while. The answer waits for \
    no host but where that is said. At last another program flushes all rules of the host, some times. The baseline is a process of `nft` that writes the same table whole in a network namespace of its own.";

const INSTANCES: usize = 200;
const INSTANCES_OF_A_TRIAL: usize = 10;
const GROUPS: usize = 5;
const RULES: usize = 60;
const MEMBERS: [usize; 3] = [10, 1_000, 10_000];
const MEMBERS_OF_A_TRIAL: [usize; 3] = [10, 20, 50];
const CHANGES: u16 = 100;
const REPAIRS: usize = 5;
const FIRST_PORT: u16 = 20_000;
/// After so long no more datagrams will leave, and the host has nothing left to do.
const QUIET: Duration = Duration::from_millis(20);
/// What a change may take with the most members, as a part of what it takes with the fewest.
const FLAT: f64 = 1.25;
const SOON: Duration = Duration::from_secs(60);
const LAUNCHED: Duration = Duration::from_secs(240);

fn instances() -> usize {
    size::of(INSTANCES, INSTANCES_OF_A_TRIAL)
}

fn changes() -> u16 {
    size::of(CHANGES, CHANGES / 5)
}

pub fn run() -> Vec<Figure> {
    let scene = Scene::lay();
    let counts = size::of(MEMBERS, MEMBERS_OF_A_TRIAL);
    let (mut figures, mut medians, mut launched) = (Vec::new(), Vec::new(), 0);
    for (round, members) in counts.into_iter().enumerate() {
        scene.launch("far", members - launched, &scene.groups[..1]);
        launched = members;
        let took = scene.changes(round as u16);
        let whole = scene.whole_table();
        medians.push(quantile(&took.allowed, 0.5));
        figures.extend(took.figures(&format!("{members} members"), whole));
    }
    figures.push(
        Figure::new(format!("a rule until its packet, median, {} members", counts[2]), medians[2], "ms")
            .beside(format!("with {} members", counts[0]), medians[0])
            .target(Target::TimesAtMost(FLAT)),
    );
    let whole = scene.whole_table();
    let repaired = scene.repaired();
    figures.push(
        Figure::new(
            format!("all rules flushed by another program until ours are back, {} members", counts[2]),
            repaired,
            "ms",
        )
        .beside("nft writes the table", whole),
    );
    let waited = scene.waited();
    figures.extend(waited.figures(&format!("{} members, answers wait for hosts", counts[2]), whole));
    figures.push(
        Figure::new("an answer that waits for hosts, median", quantile(&waited.answered, 0.5), "ms")
            .note(format!("99th of 100: {} ms", number(quantile(&waited.answered, 0.99)))),
    );
    figures
}

/// What some changes took in milliseconds, sorted.
struct Took {
    /// To the first packet.
    allowed: Vec<f64>,
    /// To the answer.
    answered: Vec<f64>,
    /// To the last packet.
    revoked: Vec<f64>,
}

impl Took {
    fn figures(&self, with: &str, whole_table: f64) -> [Figure; 3] {
        let of = |what: &str, value| Figure::new(format!("{what}, {with}"), value, "ms");
        [
            of("a rule until its packet, median", quantile(&self.allowed, 0.5))
                .beside("nft writes the table", whole_table)
                .target(Target::AtMost(5.0)),
            of("a rule until its packet, 99th of 100", quantile(&self.allowed, 0.99))
                .beside("nft writes the table", whole_table)
                .target(Target::AtMost(20.0)),
            of("a revoke until the last packet, median", quantile(&self.revoked, 0.5))
                .note(format!("99th of 100: {} ms", number(quantile(&self.revoked, 0.99)))),
        ]
    }
}

fn millis(from: Instant, to: Instant) -> f64 {
    to.saturating_duration_since(from).as_secs_f64() * 1e3
}

/// Waits without a pause.
fn within_all_the_time(bound: Duration, condition: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < bound {
        if condition() {
            return true;
        }
    }
    false
}

/// When the first datagram to a port left.
fn first_of(port: u16, seen: &Receiver<(u16, Instant)>) -> Instant {
    loop {
        let (one, at) = seen.recv_timeout(SOON).expect("no packet passed");
        if one == port {
            return at;
        }
    }
}

/// When the last datagram left, once that is a while ago.
fn quiet_since(last: &Mutex<Instant>) -> Instant {
    let quiet = || last.lock().unwrap().elapsed() > QUIET;
    assert!(within(SOON, quiet), "packets pass after a revoke");
    *last.lock().unwrap()
}

/// The smallest that so large a part does not exceed.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    sorted[((sorted.len() as f64 * part).ceil() as usize).clamp(1, sorted.len()) - 1]
}

/// The host and what is on it.
struct Scene {
    server: std::cell::RefCell<Server>,
    lab: Lab,
    key: Credentials,
    image: String,
    groups: Vec<String>,
    public: Ipv4Addr,
    mac: [u8; 6],
    config: std::path::PathBuf,
    _folder: Folder,
}

impl Scene {
    fn lay() -> Self {
        let lab = Lab::new();
        let folder = Folder(machine::folder("rules"));
        let host = format!(
            "[host]\nname = \"one\"\npublic_interface = \"eth0\"\nflat_interface = \"eth1\"\nvxlan_port = 4799\n\
             instances_dir = {:?}\nnamespaces = \"{}\"\n",
            folder.0.join("instances"),
            Lab::config().namespaces,
        );
        let by = ["ip", "netns", "exec", lab.host.name()];
        let head = "quotas.network_interfaces = 100000\n";
        let settings =
            Settings { name: "one", head, api: &host, by: &by, command: "serve", ..Settings::default() };
        let server = Server::start(&folder.0, None, &settings);
        let key = server.account("main");
        server.operate(&["host", "add", "far"]);
        server.operate(&["network", "add", "--name", "flat", "--cidr", "10.0.0.0/16"]);
        server.operate(&["pool", "add", "--name", "public", "--range", "203.0.113.64/26"]);
        let root = quiet_image(&folder.0);
        let image = server.operate(&["image", "register", "--name", "quiet", "--location", &root]);
        let image = image["id"].as_str().unwrap().to_owned();
        let config = folder.0.join("one.toml");
        let (groups, public, mac) = (Vec::new(), Ipv4Addr::UNSPECIFIED, [0; 6]);
        let server = std::cell::RefCell::new(server);
        let mut scene = Self { server, lab, key, image, groups, public, mac, config, _folder: folder };
        scene.groups = (0..GROUPS).map(|number| scene.group(number)).collect();
        scene.launch("one", instances(), &scene.groups);
        scene.settle();
        scene
    }

    fn call(&self, pairs: &[(&str, &str)]) -> Reply {
        let (api, key) = (self.server.borrow().api, self.key.clone());
        let pairs: Vec<_> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.lab.host.run(move || call(api, &key, &pairs))
    }

    /// A group with one rule less than it is to have while one is changed.
    fn group(&self, number: usize) -> String {
        let name = format!("group{number}");
        let create =
            [("Action", "CreateSecurityGroup"), ("GroupName", &name), ("GroupDescription", "benched")];
        let group = self.call(&create).text("groupId").unwrap().to_owned();
        let own = [
            ("Action", "AuthorizeSecurityGroupIngress"),
            ("GroupId", &group),
            ("IpPermissions.1.IpProtocol", "tcp"),
            ("IpPermissions.1.FromPort", "22"),
            ("IpPermissions.1.ToPort", "22"),
            ("IpPermissions.1.Groups.1.GroupId", &group),
        ];
        self.call(&own);
        for rule in 2..RULES {
            let cidr = format!("198.18.{number}.{rule}/32");
            self.call(&allow("AuthorizeSecurityGroupIngress", &group, "1000", &cidr));
        }
        group
    }

    fn launch(&self, host: &str, count: usize, groups: &[String]) {
        let names: Vec<_> = (1..=groups.len()).map(|number| format!("SecurityGroupId.{number}")).collect();
        let mut left = count;
        while left > 0 {
            let now = left.min(500);
            let count = now.to_string();
            let mut run = vec![
                ("Action", "RunInstances"),
                ("ImageId", &self.image),
                ("MinCount", &count),
                ("MaxCount", &count),
                ("Placement.Tenancy", "host"),
                ("Placement.HostId", host),
            ];
            run.extend(names.iter().map(String::as_str).zip(groups.iter().map(String::as_str)));
            self.call(&run);
            left -= now;
        }
    }

    /// Waits until all run, and gives the first an elastic address.
    fn settle(&mut self) {
        let running = [
            ("Action", "DescribeInstances"),
            ("Filter.1.Name", "instance-state-name"),
            ("Filter.1.Value.1", "running"),
        ];
        let mut reply = self.call(&running);
        let all = within(LAUNCHED, || {
            std::thread::sleep(Duration::from_millis(200));
            reply = self.call(&running);
            reply.body.matches("<instanceState>").count() == instances()
        });
        assert!(all, "not all instances run");
        let allocated = self.call(&[("Action", "AllocateAddress"), ("Domain", "vpc")]);
        self.public = allocated.text("publicIp").unwrap().parse().unwrap();
        self.call(&[
            ("Action", "AssociateAddress"),
            ("AllocationId", allocated.text("allocationId").unwrap()),
            ("InstanceId", reply.text("instanceId").unwrap()),
        ]);
        let mac: Vec<_> = reply.text("macAddress").unwrap().split(':').collect();
        self.mac = std::array::from_fn(|at| u8::from_str_radix(mac[at], 16).unwrap());
    }

    /// Allows and revokes one port after another.
    fn changes(&self, round: u16) -> Took {
        let wire = Wire::open(&self.lab.internet, &self.lab.host, self.public, self.mac);
        let (api, key, group) = (self.server.borrow().api, self.key.clone(), self.groups[0].clone());
        let (port, last) = (wire.port.clone(), wire.last.clone());
        let run = self.lab.host.spawn(move || {
            let (mut allowed, mut answered, mut revoked) = (Vec::new(), Vec::new(), Vec::new());
            let first = FIRST_PORT + round * (CHANGES + 1);
            // Of the first, nothing is kept: it waits for what was launched before.
            for number in first..=first + changes() {
                port.store(number, Ordering::Relaxed);
                let rule = |action| owned(&allow(action, &group, &number.to_string(), "0.0.0.0/0"));
                let begun = Instant::now();
                call(api, &key, &rule("AuthorizeSecurityGroupIngress"));
                answered.push(millis(begun, Instant::now()));
                allowed.push(millis(begun, first_of(number, &wire.seen)));
                let begun = Instant::now();
                call(api, &key, &rule("RevokeSecurityGroupIngress"));
                revoked.push(millis(begun, quiet_since(&last)));
            }
            for took in [&mut allowed, &mut answered, &mut revoked] {
                took.remove(0);
                took.sort_by(f64::total_cmp);
            }
            wire.close();
            Took { allowed, answered, revoked }
        });
        run.join().unwrap()
    }

    /// The same by a server whose answers wait.
    fn waited(&self) -> Took {
        let config = fs::read_to_string(&self.config).unwrap();
        fs::write(&self.config, config.replace("apply_wait_ms = 0", "apply_wait_ms = 5000")).unwrap();
        self.server.borrow_mut().restart(&[]);
        let describe = [("Action", "DescribeAddresses")];
        assert!(within(SOON, || self.call(&describe).status == 200));
        self.changes(MEMBERS.len() as u16)
    }

    /// How long the host is without rules after somebody has flushed them, by the generation that the kernel counts: the
    /// median, in milliseconds.
    fn repaired(&self) -> f64 {
        let host = self.lab.host.name().to_owned();
        let once = move || {
            let before = inspect::generation().unwrap();
            let flush = Command::new("ip").args(["netns", "exec", &host, "nft", "flush", "ruleset"]).spawn();
            let since = |more| {
                let there = || inspect::generation().unwrap() >= before + more;
                assert!(within_all_the_time(SOON, there), "the rules are not back");
                Instant::now()
            };
            let (flushed, back) = (since(1), since(2));
            assert!(flush.unwrap().wait().unwrap().success());
            millis(flushed, back)
        };
        let mut took: Vec<_> = (0..REPAIRS)
            .map(|_| {
                let took = self.lab.host.run(once.clone());
                // The pass that repaired has looked at everything.
                std::thread::sleep(Duration::from_millis(500));
                took
            })
            .collect();
        took.sort_by(f64::total_cmp);
        quantile(&took, 0.5)
    }

    /// What a process of `nft` takes for the whole table, in milliseconds.
    fn whole_table(&self) -> f64 {
        let scratch = Ns::new("scratch");
        let path = self.config.with_extension("nft");
        let table = self.lab.host.sh("nft list table inet fogbank");
        fs::write(&path, format!("add table inet fogbank\ndelete table inet fogbank\n{table}")).unwrap();
        let write = || {
            let begun = Instant::now();
            scratch.sh(&format!("nft -f {}", path.display()));
            begun.elapsed().as_secs_f64() * 1e3
        };
        let mut took: Vec<_> = (0..9).map(|_| write()).collect();
        took.sort_by(f64::total_cmp);
        quantile(&took, 0.5)
    }
}

/// An image that does nothing: what its instances do is not to be measured.
fn quiet_image(folder: &Path) -> String {
    let root = folder.join("image");
    for part in ["bin", "sbin", "proc", "dev", "tmp", "etc", "sys"] {
        fs::create_dir_all(root.join(part)).unwrap();
    }
    fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
    let init = root.join("sbin/init");
    fs::write(
        &init,
        "#!/bin/busybox sh\n/bin/busybox ip link set eth0 up\nexec /bin/busybox sleep 2147483647\n",
    )
    .unwrap();
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755)).unwrap();
    root.to_str().unwrap().to_owned()
}

/// Instances outlive their host's agent.
impl Drop for Scene {
    fn drop(&mut self) {
        self.server.borrow_mut().kill();
        leave::end_instances(self.config.parent().unwrap());
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn call(api: std::net::SocketAddr, key: &Credentials, pairs: &[(String, String)]) -> Reply {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let begun = Instant::now();
    let reply =
        signed(api, key, &pairs).unwrap_or_else(|e| panic!("{pairs:?} {e} after {:?}", begun.elapsed()));
    assert_eq!(reply.status, 200, "{pairs:?}: {}", reply.body);
    reply
}

fn allow<'a>(action: &'a str, group: &'a str, port: &'a str, cidr: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("Action", action),
        ("GroupId", group),
        ("IpPermissions.1.IpProtocol", "udp"),
        ("IpPermissions.1.FromPort", port),
        ("IpPermissions.1.ToPort", port),
        ("IpPermissions.1.IpRanges.1.CidrIp", cidr),
    ]
}
