//! A driver that aborts at any passage of any place while an instance starts, boots again and ends leaves nothing that
//! the next driver does not make an end of.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fogbank::agent::config::HostConfig;
use fogbank::agent::names::PORT_PREFIX;
use fogbank::compute::{self, Namespaces};
use fogbank::crash::{Part, Point, VARIABLE};
use fogbank::plan::{HostState, InstanceReport, Phase, STOCK_IMAGE};
use nix::sys::resource::{Resource, setrlimit};
use tokio::sync::watch;

use crate::compute::{Bench, id, wanted};
use crate::lab::{Lab, within};
use crate::state::empty;

const CHILD: &str = "crash_compute::the_driver_that_aborts";
/// Where its instances are.
const FOLDER: &str = "FOGBANK_TEST_FOLDER";
const LANES: usize = 2;
const SOON: std::time::Duration = std::time::Duration::from_secs(20);

/// What is wanted, one after the other, and the report that says that it is so.
fn steps() -> [(HostState, u64, Phase); 3] {
    let runs = |boot| (wanted(true, boot, STOCK_IMAGE), boot, Phase::Running);
    [runs(1), runs(2), (empty(), 0, Phase::Gone)]
}

/// Not a test by itself: the process that a test ends in the middle.
#[test]
#[ignore = "run by the test of this file, in a process and a namespace of its own"]
fn the_driver_that_aborts() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let config = HostConfig { instances_dir: folder.into(), ..Lab::config() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let driver = Namespaces::new(&config).with_program(env!("CARGO_BIN_EXE_fogbank"));
        let (states, receiver) = watch::channel(None);
        let (reports, mut seen) = watch::channel((Vec::new(), 0));
        let drives = compute::run(driver, receiver, |report| {
            let console: String =
                report.consoles.iter().map(|(_, tail)| String::from_utf8_lossy(tail)).collect();
            reports.send_modify(|(instances, boots)| {
                *instances = report.instances;
                *boots = console.matches("udhcpc: started").count().max(*boots);
            });
        });
        let follows = async {
            for (at, (state, boot, phase)) in steps().into_iter().enumerate() {
                println!("\nstate {at}");
                states.send_replace(Some(Arc::new(state)));
                let is_so = |(all, boots): &(Vec<InstanceReport>, usize)| {
                    // One that cannot shut down by itself yet is only ended after seconds.
                    *boots as u64 >= boot && all.iter().any(|one| (one.boot, one.phase) == (boot, phase))
                };
                seen.wait_for(is_so).await.unwrap();
            }
        };
        tokio::select! { () = drives => {} () = follows => {} }
    });
}

/// Runs it on the bench until it aborts; at which step it did, or `None` where it came to its end.
fn abort_at(bench: &Bench, point: Point, passage: usize) -> Option<usize> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", bench.host.name()]).arg(std::env::current_exe().unwrap());
    command.args([CHILD, "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(VARIABLE, format!("{}:{passage}", point.name())).env(FOLDER, &bench.folder);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().rev().find_map(|line| line.strip_prefix("state ")).unwrap_or("none");
    if output.status.success() {
        assert_eq!(last, "2", "{text}");
        return None;
    }
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.signal(), Some(nix::libc::SIGABRT), "{text}{complaints}");
    Some(last.parse().unwrap())
}

/// The process namespaces in which something has the folder's mounts: one for each instance that lives or is left over.
fn lives(folder: &Path) -> BTreeSet<PathBuf> {
    let mark = folder.to_str().unwrap().to_owned();
    let own = fs::read_link("/proc/self/ns/mnt").unwrap();
    let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let other = |of: &PathBuf| fs::read_link(of.join("ns/mnt")).is_ok_and(|mounts| mounts != own);
    let has = |of: &PathBuf| fs::read_to_string(of.join("mountinfo")).is_ok_and(|text| text.contains(&mark));
    entries.filter(|of| other(of) && has(of)).filter_map(|of| fs::read_link(of.join("ns/pid")).ok()).collect()
}

fn go_through(point: Point) -> usize {
    let mut passage = 0;
    loop {
        passage += 1;
        let mut bench = Bench::new();
        let Some(at) = abort_at(&bench, point, passage) else { return passage - 1 };
        let place = format!("{}:{passage}", point.name());
        println!("{place}: in step {at}");
        let wants_it = at < 2;
        if wants_it {
            let (state, boot, phase) = steps()[at].clone();
            bench.start(state);
            bench.reaches(boot, phase);
            bench.says("udhcpc: started");
            assert!(within(SOON, || lives(&bench.folder).len() == 1), "{place}: {:?}", lives(&bench.folder));
            fs::write(bench.inside("root/kept"), "kept").unwrap();
            assert_eq!(bench.host.sh("ip -o link").matches(PORT_PREFIX).count(), 1, "{place}");
            bench.want(empty());
        } else {
            bench.start(empty());
        }
        let folder = bench.folder.join(id().to_string());
        assert!(within(SOON, || !folder.exists()), "{place}: its folder is there");
        let left = || lives(&bench.folder);
        assert!(within(SOON, || left().is_empty()), "{place}: processes are there: {:?}", left());
        let links = || bench.host.sh("ip -o link");
        assert!(within(SOON, || !links().contains(PORT_PREFIX)), "{place}: {}", links());
    }
}

#[test]
fn aborted_anywhere_while_an_instance_starts_or_ends_it_starts_and_ends() {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).unwrap();
    let points: Vec<_> = Point::ALL.iter().copied().filter(|point| point.part() == Part::Compute).collect();
    let (next, passages) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let count = go_through(*point);
                    assert!(count > 0, "{} is never passed", point.name());
                    passages.fetch_add(count, Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} places, {} passages", points.len(), passages.into_inner());
}
