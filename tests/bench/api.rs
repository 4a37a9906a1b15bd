//! The API's rates and latencies, beside other programs that answer the same calls.

use std::path::Path;
use std::time::Duration;

use crate::bare::Bare;
use crate::cases::{CASES, Case};
use crate::disk::Appends;
use crate::figure::{Figure, Target};
use crate::load::{self, Plan, Run};
use crate::machine;
use crate::peers::Peer;
use crate::report::number;
use crate::scene::{Scene, Tenant};
use crate::server::{Credentials, Folder, Server, Settings};
use crate::size;

pub const ABOUT: &str = "A real `fogbank server`, a release build: every signature verified, every write committed to SQLite with \
    `synchronous=FULL` on the disk of the working folder before it is answered, throttling off. Nothing changes while reads are measured, so \
    that all but the first answer of a second are told again. Requests are signed beforehand and sent by one \
    thread over kept connections, one under way on each; it shares the machine's cores with the server. `moto` and `ministack` get the same calls; they \
    verify nothing and write nothing. `bare axum` is a handler that answers as many bytes without looking. `append + fdatasync` writes 4 KiB to the \
    end of a file and waits for the disk, measured before and after. A rate is in answers a second; p50 and p99 are from a request's first byte to its \
    answer's last; cpu is the processor time of a request at the server, then at the client.";

/// How long each rate is measured.
const DURING: Duration = Duration::from_secs(2);
const DURING_A_TRIAL: Duration = Duration::from_millis(300);
/// Half of how long the disk is.
const DISK: Duration = Duration::from_millis(500);
const CONNECTIONS: [usize; 2] = [1, 16];
/// Writes that are signed beforehand: hardly fewer than can be answered meanwhile, and no more than a pool has addresses for.
const OUR_WRITES: usize = 30_000;
const PEERS_WRITES: usize = 8_000;

/// What a rate is to be, as a part of another.
const OF_MOTO: f64 = 50.0;
const OF_MINISTACK: f64 = 5.0;
const OF_BARE: f64 = 0.6;
const OF_DISK_ALONE: f64 = 0.6;
const OF_DISK_TOGETHER: f64 = 1.0;

fn during() -> Duration {
    size::of(DURING, DURING_A_TRIAL)
}

/// A server with its scene.
struct Contestant {
    name: &'static str,
    process: u32,
    scene: Scene,
    writes: usize,
}

pub fn run() -> Vec<Figure> {
    let folder = Folder(machine::folder("api"));
    let server = start(&folder.0);
    let ours = ours(&server);
    let peers = [Peer::moto(&folder.0), Peer::ministack(&folder.0)];
    let contestants: Vec<Result<Contestant, String>> =
        peers.iter().map(|peer| peer.as_ref().map(theirs).map_err(Clone::clone)).collect();
    let mut figures = Vec::new();
    for case in CASES {
        for (turn, connections) in CONNECTIONS.into_iter().enumerate() {
            let mut appends = Appends::new(&folder.0);
            if case.writes {
                appends.measure(DISK);
            }
            let run = |contestant: &Contestant| measure(case, contestant, turn, connections);
            let own =
                run(&ours).unwrap_or_else(|error| panic!("{}: {error}: {}", case.name, server.last_words()));
            if case.writes {
                appends.measure(DISK);
            }
            let others: Vec<(&str, Result<Run, String>)> = ["moto", "ministack"]
                .into_iter()
                .zip(&contestants)
                .map(|(name, one)| (name, one.as_ref().map_err(Clone::clone).and_then(run)))
                .collect();
            let [moto, ministack] = &others[..] else { unreachable!("two peers") };
            let what = format!("{}, {connections} conn.", case.name);
            eprintln!("{what}: {} /s", number(own.rate()));
            // One write at a time waits for the disk, and is measured by that.
            let of_moto = (!case.writes || connections > 1).then_some(OF_MOTO);
            let first = beside(&what, &own, moto, of_moto);
            let told = format!("{}; {}", note(&own), first.note);
            figures.push(first.note(told));
            if case.writes {
                figures.extend(write_figures(&what, &own, connections, ministack, &appends));
            } else {
                let bare = bare(case, &ours, own.size, connections);
                figures.extend(read_figures(&what, &own, ministack, &bare));
            }
        }
    }
    figures
}

/// The lower of two bars is the target.
fn read_figures(what: &str, own: &Run, ministack: &(&str, Result<Run, String>), bare: &Run) -> [Figure; 2] {
    let by_ministack = ministack.1.as_ref().map_or(f64::INFINITY, |run| run.rate() * OF_MINISTACK);
    let ministack_counts = by_ministack < bare.rate() * OF_BARE;
    let other = Figure::new(what, own.rate(), "/s").beside("bare axum", bare.rate()).note(note(bare));
    [
        beside(what, own, ministack, ministack_counts.then_some(OF_MINISTACK)),
        if ministack_counts { other } else { other.target(Target::TimesAtLeast(OF_BARE)) },
    ]
}

fn write_figures(
    what: &str,
    own: &Run,
    connections: usize,
    ministack: &(&str, Result<Run, String>),
    appends: &Appends,
) -> [Figure; 2] {
    let (together, of_disk) = match connections {
        1 => (None, OF_DISK_ALONE),
        _ => (Some(OF_MINISTACK), OF_DISK_TOGETHER),
    };
    let disk = Figure::new(what, own.rate(), "/s").beside("append + fdatasync", appends.rate());
    [beside(what, own, ministack, together), disk.target(Target::TimesAtLeast(of_disk))]
}

/// Our rate beside a peer's, or why there is none.
fn beside(what: &str, own: &Run, (name, run): &(&str, Result<Run, String>), times: Option<f64>) -> Figure {
    let figure = Figure::new(what, own.rate(), "/s");
    match run {
        Ok(run) => {
            let figure = figure.beside(*name, run.rate()).note(format!("{name}: {}", note(run)));
            times.into_iter().fold(figure, |figure, times| figure.target(Target::TimesAtLeast(times)))
        }
        Err(error) => figure.note(format!("no {name}: {}", error.replace(['\n', '|'], " "))),
    }
}

fn note(run: &Run) -> String {
    format!(
        "p50 {} us, p99 {} us, cpu {} + {} us",
        number(run.quantile(0.5)),
        number(run.quantile(0.99)),
        number(run.each(run.server_cpu)),
        number(run.each(run.own_cpu)),
    )
}

/// Sends one case's requests; those of a later turn are others.
fn measure(case: &Case, to: &Contestant, turn: usize, connections: usize) -> Result<Run, String> {
    let requests = case.requests(&to.scene, turn * to.writes, to.writes)?;
    let plan = Plan {
        to: to.scene.ten.api,
        requests: &requests,
        again: !case.writes,
        connections,
        during: during(),
        server: to.process,
    };
    let run = load::run(&plan).map_err(|error| format!("{}: {error}", to.name))?;
    match run.refused {
        0 => Ok(run),
        some => Err(format!("{some} of {} calls refused: {}", run.count(), run.first_refusal)),
    }
}

/// The same requests to a server that knows the answer.
fn bare(case: &Case, ours: &Contestant, size: usize, connections: usize) -> Run {
    let bare = Bare::start(size);
    let requests = case.requests(&ours.scene, 0, ours.writes).unwrap();
    let (to, server) = (bare.api, bare.process());
    load::run(&Plan { to, requests: &requests, again: true, connections, during: during(), server }).unwrap()
}

fn start(folder: &Path) -> Server {
    // There are more addresses, and rules in a group, in the end than EC2 allows.
    let head = "quotas.rules_per_security_group = 100000\nquotas.elastic_addresses = 1000000\n";
    let server = Server::start(folder, None, &Settings { head, ..Settings::default() });
    server.operate(&["host", "add", "one"]);
    server.operate(&["network", "add", "--name", "flat", "--cidr", "10.0.0.0/16"]);
    // RFC 2544's range for benchmarks; nothing is sent there.
    server.operate(&["pool", "add", "--name", "public", "--range", "198.18.0.0-198.18.255.255"]);
    server
}

fn ours(server: &Server) -> Contestant {
    let image = server.operate(&["image", "register", "--name", "stock", "--location", "stock"]);
    let tenant = |name: &str| Tenant {
        api: server.api,
        credentials: server.account(name),
        region: "us-east-1".into(),
    };
    let scene =
        Scene::lay(["ten", "thousand", "hundred", "writer"].map(tenant), image["id"].as_str().unwrap());
    Contestant {
        name: "fogbank",
        process: server.process(),
        scene,
        writes: size::of(OUR_WRITES, OUR_WRITES / 10),
    }
}

/// Accounts are hard to have there; regions see nothing of each other either.
fn theirs(peer: &Peer) -> Contestant {
    let tenant = |region: &str| Tenant {
        api: peer.api,
        credentials: Credentials { key: "AKIAIOSFODNN7EXAMPLE".into(), secret: "secret".into() },
        region: region.into(),
    };
    let regions = ["us-west-1", "us-west-2", "us-east-1", "eu-west-1"];
    // An image that moto knows.
    let scene = Scene::lay(regions.map(tenant), "ami-12c6146b");
    Contestant {
        name: peer.name,
        process: peer.process(),
        scene,
        writes: size::of(PEERS_WRITES, PEERS_WRITES / 10),
    }
}
