//! Several servers on one Postgres, and what they do when it goes away or comes back as another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::testing::{Bed, Cluster, eventually};
use super::{allocate, caller, pool, seed};
use crate::control::{Console, HostStatus};
use crate::query::FaultCode;
use crate::store::*;
use crate::types::*;
use crate::world::*;

pub async fn two(bed: &Bed) -> (Handle, Handle) {
    let a = bed.server("a").await.unwrap();
    let b = bed.server("b").await.unwrap();
    (a, b)
}

/// Both see the same, and it is what the database has.
pub async fn agree(bed: &Bed, a: &Handle, b: &Handle) {
    a.fresh().await.unwrap();
    b.fresh().await.unwrap();
    assert_eq!(*a.world(), *b.world());
    assert_eq!(bed.store().await.load().await.unwrap(), *a.world());
}

#[tokio::test]
async fn what_one_server_answered_the_other_has() {
    let cluster = Cluster::new();
    let bed = Bed::postgres(&cluster);
    let (a, b) = two(&bed).await;
    seed(&a).await;
    let mut commits = b.commits();
    let mut world = World::clone(&b.world());
    for round in 0..20 {
        let (one, other) = if round % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let ip = one.submit(caller(), false, allocate).await.unwrap();
        other.fresh().await.unwrap();
        assert!(other.world().index.address_by_public_ip.contains_key(&ip), "{ip} is not seen at once");
    }
    // Steps come without gaps, whoever made them.
    while let Ok(commit) = commits.try_recv() {
        assert_eq!(*commit.before, world);
        commit.changes.as_ref().unwrap().iter().for_each(|change| world.apply(change));
        world.generation = commit.after.generation;
        assert_eq!(world, *commit.after);
    }
    assert_eq!(world, *b.world());
    agree(&bed, &a, &b).await;

    // So does an operator's command at the other's machine.
    let listed = async |handle: &Handle| {
        let operator = crate::operator::Operator {
            handle: handle.clone(),
            region: "us-east-1".into(),
            others: Vec::new(),
            isolated: Vec::new(),
        };
        let list = crate::operator::parse(&["account", "list"]).unwrap();
        operator.execute(list).await.unwrap().as_array().unwrap().len()
    };
    for round in 0..10 {
        let create = move |decision: &mut crate::control::Decision<'_>| {
            crate::control::operator::create_account(decision, None, &format!("account{round}"))
        };
        a.submit(caller(), false, create).await.unwrap();
        assert_eq!(listed(&b).await, 2 + round);
    }

    // Who only listens hears of it, too.
    let ip = a.submit(caller(), false, allocate).await.unwrap();
    eventually("a change is heard of", || b.world().index.address_by_public_ip.contains_key(&ip)).await;
    a.submit(caller(), false, |decision| {
        let key = decision.world.addresses.keys().next().copied().unwrap();
        decision.delete(Key::Address(key));
        Ok(())
    })
    .await
    .unwrap();
    agree(&bed, &a, &b).await;
}

#[tokio::test]
async fn hosts_reports_are_at_every_server_and_survive() {
    let cluster = Cluster::new();
    for bed in [Bed::postgres(&cluster), Bed::sqlite()] {
        let shared = matches!(bed.place, Place::Postgres(_));
        let a = bed.server("a").await.unwrap();
        let b = if shared { bed.server("b").await.unwrap() } else { a.clone() };
        let (host, instance): (Arc<str>, _) = ("node1".into(), InstanceId::from_random(1));
        let report = HostStatus { applied: 7, last_seen: Micros::now(), ..HostStatus::default() };
        let console = Console { at: report.last_seen, output: Arc::from(&b"login: \xff"[..]) };
        a.update_status(|status| {
            status.hosts.insert(host.clone(), report.clone());
            status.consoles.insert(instance, console.clone());
        });
        eventually("reports reach the other server", || *b.status() == *a.status()).await;
        if shared {
            // The later counts, also where it is written first.
            let later =
                HostStatus { applied: 9, last_seen: report.last_seen.plus_seconds(1), ..report.clone() };
            b.update_status(|status| drop(status.hosts.insert(host.clone(), later.clone())));
            a.update_status(|status| status.hosts.get_mut(&host).unwrap().applied = 8);
            eventually("the later report counts", || a.status().hosts.get(&host) == Some(&later)).await;
            assert_eq!(b.status().hosts.get(&host), Some(&later));
        }
        let mut last = bed.store().await;
        let start = Instant::now();
        loop {
            let (stored, _) = reports::load(&mut last.connection).await.unwrap();
            if stored == *a.status() {
                break;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "reports are kept");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let again = bed.server("c").await.unwrap();
        assert_eq!(*again.status(), *a.status());
    }
}

#[tokio::test]
async fn a_server_needs_the_key_file_of_the_store() {
    let bed = Bed::sqlite();
    drop(bed.server("a").await.unwrap());
    std::fs::remove_file(bed.dir.0.join("key")).unwrap();
    let path = bed.dir.0.join("another");
    let key_file = KeyFile::open(&path, true).unwrap();
    let settings = WriterSettings { key_file, memory: bed.dir.0.join("memory-a"), give_up: exit };
    let refused = start(bed.store().await, settings).await.err();
    assert!(matches!(refused, Some(StartError::KeyFile)), "{refused:?}");
    assert!(!bed.store().await.takes_any_key().await.unwrap());
}

#[tokio::test]
async fn a_lost_database_is_a_fault_at_once_and_comes_back() {
    let mut cluster = Cluster::new();
    let bed = Bed::postgres(&cluster);
    let (a, b) = two(&bed).await;
    seed(&a).await;
    let ip = a.submit(caller(), false, allocate).await.unwrap();
    cluster.stop();
    for _ in 0..3 {
        let start = Instant::now();
        assert_eq!(a.fresh().await.unwrap_err().code, FaultCode::ServiceUnavailable);
        let refused = a.submit(caller(), false, allocate).await.unwrap_err();
        assert_eq!(refused.code, FaultCode::ServiceUnavailable);
        assert!(start.elapsed() < Duration::from_secs(1), "callers wait {:?}", start.elapsed());
    }
    cluster.start();
    let start = Instant::now();
    while b.fresh().await.is_err()
        || a.submit(caller(), true, allocate).await.unwrap_err().code != FaultCode::DryRunOperation
    {
        assert!(start.elapsed() < Duration::from_secs(20), "the database does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(b.world().index.address_by_public_ip.contains_key(&ip));
    a.submit(caller(), false, allocate).await.unwrap();
    agree(&bed, &a, &b).await;

    // A restart between two calls is nobody's trouble, but for the moment where a look of the server's own fell into it.
    cluster.stop();
    cluster.start();
    let start = Instant::now();
    while a.fresh().await.is_err() || b.fresh().await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(5), "the database does not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    a.submit(caller(), false, allocate).await.unwrap();
    agree(&bed, &a, &b).await;
}

const CUT: &str =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'";

#[tokio::test]
async fn a_connection_that_is_cut_leaves_nothing_half_done() {
    let cluster = Cluster::new();
    let bed = Bed::postgres(&cluster);
    let (a, b) = two(&bed).await;
    seed(&a).await;
    let before = a.world().generation;
    let shell = cluster.shell(&bed.place);
    let mut cut = false;
    // In the midst of the transaction: the decision is made while it is open.
    let made = a.submit(caller(), false, move |decision| {
        if !std::mem::replace(&mut cut, true) {
            assert_eq!(shell.run(CUT), "t");
        }
        allocate(decision)
    });
    // It is begun anew on another connection, and made once.
    made.await.unwrap();
    agree(&bed, &a, &b).await;
    assert_eq!(a.world().generation, before + 1);
    assert_eq!(a.world().addresses.len(), 1);

    // Where no connection lasts, the caller hears that, and nothing is left.
    let shell = cluster.shell(&bed.place);
    let refused = a.submit(caller(), false, move |decision| {
        assert_eq!(shell.run(CUT), "t");
        allocate(decision)
    });
    assert_eq!(refused.await.unwrap_err().code, FaultCode::ServiceUnavailable);
    b.submit(caller(), false, allocate).await.unwrap();
    agree(&bed, &a, &b).await;
    assert_eq!(b.world().generation, before + 2);
}

#[tokio::test]
async fn servers_that_start_again_change_nothing() {
    let cluster = Cluster::new();
    let bed = Bed::postgres(&cluster);
    let (a, b) = two(&bed).await;
    seed(&a).await;
    a.submit(caller(), false, |decision| {
        crate::control::claims::settle_all(decision);
        Ok(())
    })
    .await
    .unwrap();
    let before = a.world().generation;
    for handle in [&b, &bed.server("c").await.unwrap()] {
        handle
            .submit(caller(), false, |decision| {
                crate::control::claims::settle_all(decision);
                Ok(())
            })
            .await
            .unwrap();
    }
    agree(&bed, &a, &b).await;
    assert_eq!(a.world().generation, before);
}

#[tokio::test]
async fn a_newer_schema_is_read_and_not_written() {
    let cluster = Cluster::new();
    let bed = Bed::postgres(&cluster);
    let (a, b) = two(&bed).await;
    seed(&a).await;
    cluster.psql(&bed.place, "UPDATE meta SET schema = schema + 1");
    let refused = a.submit(caller(), false, allocate).await.unwrap_err();
    assert_eq!(refused.code, FaultCode::ServiceUnavailable);
    assert!(refused.message.contains("upgraded"), "{}", refused.message);
    b.fresh().await.unwrap();
    assert!(matches!(bed.server("c").await, Err(StartError::Store(StoreError::TooNew { .. }))));
    cluster.psql(&bed.place, "UPDATE meta SET schema = schema - 1");
    a.submit(caller(), false, allocate).await.unwrap();
    agree(&bed, &a, &b).await;
    assert!(a.world().pools.contains_key(&pool("public").id));
}
