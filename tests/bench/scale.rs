//! The server with many instances and many hosts.

use std::time::{Duration, Instant};

use crate::agents::Agents;
use crate::database::Database;
use crate::figure::{Figure, Target};
use crate::load::cpu_of;
use crate::machine;
use crate::report::number;
use crate::server::{Credentials, Folder, Server, Settings};
use crate::servers::{Deployment, RULE_PORT, allows};
use crate::size;

pub const ABOUT: &str = "A real `fogbank server` on SQLite. Instances are made by RunInstances, a thousand at a time, over a thousand hosts that never \
    report; then the server is started again: the start is from the process's begin to its first answer, the memory is what is resident \
    then (VmRSS). An instance's share of it is the growth from the smaller number to the larger, with its interface, its rows' indexes, and whatever the \
    allocator keeps of loading them.";
pub const ABOUT_HOSTS: &str = "A real `fogbank server` on SQLite, and a thousand agents without a kernel that follow it over TLS, all in one process on the same \
    cores. A rule changes in a group that an instance on each of the hosts has; the time is from the request to the last agent that holds it.";

const HOSTS: usize = 1000;
const SIZES: [usize; 2] = [10_000, 100_000];
const HOSTS_OF_A_TRIAL: usize = 50;
const SIZES_OF_A_TRIAL: [usize; 2] = [1_000, 4_000];
const AT_ONCE: usize = 1000;
const CHANGES: u16 = 9;
const PATIENCE: Duration = Duration::from_secs(120);

fn hosts() -> usize {
    size::of(HOSTS, HOSTS_OF_A_TRIAL)
}

pub fn run() -> Vec<Figure> {
    let folder = Folder(machine::folder("scale"));
    let head = "quotas.network_interfaces = 1000000\n";
    let mut server = Server::start(&folder.0, None, &Settings { head, ..Settings::default() });
    let idle = resident_kib(&server);
    add_hosts(&server);
    let key = server.account("main");
    let image = server.operate(&["image", "register", "--name", "stock", "--location", "stock"]);
    let image = image["id"].as_str().unwrap().to_owned();
    let (mut figures, mut resident, mut made) = (Vec::new(), Vec::new(), 0);
    figures.push(Figure::new("the program", mib(program_kib()), "MiB"));
    figures.push(Figure::new("memory with nothing", mib(idle), "MiB"));
    let (hosts, sizes) = (hosts(), size::of(SIZES, SIZES_OF_A_TRIAL));
    for size in sizes {
        let begun = Instant::now();
        launch(&server, &key, &image, size - made);
        let launched = begun.elapsed().as_secs_f64() / (size - made) as f64 * 1e6;
        made = size;
        server.kill();
        let begun = Instant::now();
        server.restart(&[]);
        let took = begun.elapsed().as_secs_f64();
        let kib = resident_kib(&server);
        resident.push(kib);
        let of = format!("{size} instances, {hosts} hosts");
        figures.push(Figure::new(format!("start with {of}"), took, "s"));
        figures.push(
            Figure::new(format!("memory with {of}"), mib(kib), "MiB")
                .note(format!("a launch took {} us an instance", number(launched))),
        );
    }
    let each = (resident[1] - resident[0]) * 1024.0 / (sizes[1] - sizes[0]) as f64;
    figures.push(Figure::new("an instance in memory", each, "bytes").target(Target::AtMost(2048.0)));
    figures
}

fn add_hosts(server: &Server) {
    for number in 0..hosts() {
        server.operate(&["host", "add", &format!("host{number}")]);
    }
    server.operate(&["network", "add", "--name", "flat", "--cidr", "10.0.0.0/14"]);
}

fn program_kib() -> f64 {
    std::fs::metadata(env!("CARGO_BIN_EXE_fogbank")).unwrap().len() as f64 / 1024.0
}

fn launch(server: &Server, key: &Credentials, image: &str, count: usize) {
    let at_once = AT_ONCE.to_string();
    for _ in 0..count / AT_ONCE {
        let run =
            [("Action", "RunInstances"), ("ImageId", image), ("MinCount", &at_once), ("MaxCount", &at_once)];
        let reply = server.call(key, &run);
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
}

/// proc_pid_status(5).
fn resident_kib(server: &Server) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn mib(kib: f64) -> f64 {
    kib / 1024.0
}

pub fn fan_out() -> Vec<Figure> {
    let hosts = hosts();
    let deployment = Deployment::on(1, |_| Database::none());
    let agents = Agents::join(&deployment, hosts);
    agents.until(PATIENCE, "has its first state", |held| held.hosts.len() == hosts);
    let group = deployment.run_on_all(hosts);
    agents.until(PATIENCE, "has its instance", |held| held.ports.len() == 1 && held.places.len() == hosts);
    let server = deployment.servers[0].process();
    let cpu = cpu_of(server);
    let mut took = Vec::new();
    for port in RULE_PORT..RULE_PORT + CHANGES {
        let begun = Instant::now();
        deployment.authorize(0, &group, port);
        agents.until(PATIENCE, "has the rule", |held| allows(held, port));
        took.push(agents.last_word().duration_since(begun).as_secs_f64());
    }
    let cpu = (cpu_of(server) - cpu).as_secs_f64() * 1e3 / f64::from(CHANGES);
    took.sort_by(f64::total_cmp);
    let figure = |what: &str, value: f64| {
        Figure::new(format!("a group's change at the last of {hosts} hosts, {what}"), value, "s")
            .target(Target::AtMost(1.0))
    };
    let median = figure("median", took[took.len() / 2]);
    vec![
        median.note(format!("{} ms of the server's processor time a change", number(cpu))),
        figure(&format!("slowest of {CHANGES}"), took[took.len() - 1]),
    ]
}
