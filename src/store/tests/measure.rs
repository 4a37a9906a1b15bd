//! Figures, printed: `cargo test --lib store::tests::measure -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use super::servers::two;
use super::testing::{Bed, Cluster};
use super::{caller, seed};
use crate::control::HostStatus;
use crate::store::*;
use crate::types::*;
use crate::world::*;

fn show(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!("{what}: p50 {:?}, p99 {:?}, most {:?} ({} times)", at(50), at(99), at(100), times.len());
}

async fn write(handle: &Handle, n: u64) -> Duration {
    let start = Instant::now();
    let put = move |decision: &mut crate::control::Decision<'_>| {
        let resource = ResourceId::Instance(InstanceId::from_random(n % 64));
        let (owner, key) = (decision.caller.owner.clone(), "k".into());
        decision.put(Tag { owner, resource, key, value: n.to_string().into() });
        Ok(())
    };
    handle.submit(caller(), false, put).await.unwrap();
    start.elapsed()
}

async fn fresh(handle: &Handle) -> Duration {
    let start = Instant::now();
    handle.fresh().await.unwrap();
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints figures, decides nothing"]
async fn figures() {
    let mut cluster = Cluster::new();
    cluster.stop();
    cluster.fsync = true;
    cluster.start();
    for (name, bed) in [("SQLite", Bed::sqlite()), ("Postgres", Bed::postgres(&cluster))] {
        let (a, b) = if name == "SQLite" {
            let a = bed.server("a").await.unwrap();
            (a.clone(), a)
        } else {
            two(&bed).await
        };
        seed(&a).await;
        let mut times = [Vec::new(), Vec::new(), Vec::new()];
        for n in 0..500 {
            let (one, other) = if n % 2 == 0 { (&a, &b) } else { (&b, &a) };
            times[0].push(write(one, n).await);
            times[1].push(fresh(other).await);
            times[2].push(fresh(other).await);
        }
        let [writes, behind, current] = times;
        show(&format!("{name}: a write, the servers in turn"), writes);
        show(&format!("{name}: a read at the other server right after"), behind);
        show(&format!("{name}: a read where nothing is new"), current);
        let (a, b) = (&a, &b);
        let start = Instant::now();
        let busy = (0..16_u64).map(|n| async move {
            let handle = if n % 2 == 0 { a } else { b };
            let mut times = Vec::new();
            for k in 0..50 {
                times.push(write(handle, n * 50 + k).await);
            }
            times
        });
        let times: Vec<Duration> = futures_util::future::join_all(busy).await.into_iter().flatten().collect();
        let rate = 800.0 / start.elapsed().as_secs_f64();
        show(&format!("{name}: a write, 16 clients at the two servers, {rate:.0} a second"), times);
        reports(name, a, b).await;
    }
}

/// A thousand hosts that report every 5 seconds, half of them to each server.
async fn reports(name: &str, a: &Handle, b: &Handle) {
    a.submit(caller(), false, |decision| {
        for n in 0..1000_u16 {
            decision.put(Host {
                flat_mtu: None,
                name: format!("node{n}").into(),
                zone: "us-east-1a".into(),
                number: n + 1,
                condition: Condition::Active,
                flat_mac: None,
                join: None,
                sealed_secret: None,
                created: Micros(1),
            });
        }
        Ok(())
    })
    .await
    .unwrap();
    let start = Instant::now();
    let used = || nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).unwrap();
    let before = used().user_time() + used().system_time();
    for round in 0..200_u64 {
        for n in (0..1000).filter(|n| n % 200 == round) {
            let report = HostStatus { applied: 7, last_seen: Micros::now(), ..HostStatus::default() };
            let to = if n % 2 == 0 { a } else { b };
            to.update_status(|status| drop(status.hosts.insert(format!("node{n}").into(), report.clone())));
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let spent = used().user_time() + used().system_time() - before;
    println!("{name}: reports of 1,000 hosts for {:?}: {spent} of CPU in both servers", start.elapsed());
}
