//! A silent host's elastic IP goes on when its lease has ended: once, by whichever server, and not for one that is cut off.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::servers::{agree, two};
use super::testing::{Bed, Cluster, eventually};
use super::{caller, seed};
use crate::control::{HostStatus, hosts};
use crate::operator::Operator;
use crate::plan::message::{News, Poll};
use crate::server::Ticker;
use crate::store::*;
use crate::types::*;
use crate::world::*;

const IP: std::net::Ipv4Addr = std::net::Ipv4Addr::new(203, 0, 113, 20);

fn place() -> (Space, std::net::Ipv4Addr) {
    (Space::Pool(PoolId::from_random(7)), IP)
}

/// A host that has applied a lease of 5 seconds, and an elastic IP that moves away from it.
async fn leave(handle: &Handle) {
    seed(handle).await;
    let made = handle.submit(caller(), false, |decision| {
        let (certificate, sealed_key) = (Arc::from("none"), Arc::from(&b"none"[..]));
        decision.put(Deployment { certificate, sealed_key, address_lease: 0, lease_since: 0 });
        hosts::add(decision, "node1", None)?;
        hosts::set_address_lease(decision, 5)
    });
    made.await.unwrap();
    let applied = handle.world().deployment.as_ref().unwrap().lease_since;
    let status = HostStatus { applied, last_seen: Micros::now(), ..HostStatus::default() };
    handle.update_status(|all| drop(all.hosts.insert("node1".into(), status.clone())));
    let left = handle.submit(caller(), false, |decision| {
        let leaving = Some(decision.world.generation + 1);
        let (space, address) = place();
        decision.put(Claim { space, address, host: "node1".into(), leaving });
        Ok(())
    });
    left.await.unwrap();
}

fn ticker(handle: &Handle) -> Ticker {
    Ticker::new(Operator {
        handle: handle.clone(),
        region: "us-east-1".into(),
        others: Vec::new(),
        isolated: Vec::new(),
    })
}

#[tokio::test]
async fn a_silent_hosts_address_is_released_once_by_two_servers() {
    let cluster = Cluster::new();
    let bed = Bed::postgres(&cluster);
    let (a, b) = two(&bed).await;
    leave(&a).await;
    b.fresh().await.unwrap();
    eventually("the report is at both", || b.status().hosts.contains_key("node1")).await;
    eventually("both have looked", || a.in_touch() && b.in_touch()).await;
    let (mut one, mut other) = (ticker(&a), ticker(&b));
    let (start, now) = (Instant::now(), Micros::now());
    let at = |seconds| (start + Duration::from_secs(seconds), now.plus_seconds(seconds.cast_signed()));
    for seconds in [0, 10, 14] {
        let (at, now) = at(seconds);
        one.once(at, now).await.unwrap();
        other.once(at, now).await.unwrap();
    }
    a.fresh().await.unwrap();
    assert!(a.world().claims.contains_key(&place()), "too early");
    // It is heard of through the other server: the wait begins anew.
    b.update_status(|all| all.hosts.get_mut("node1").unwrap().last_seen = now.plus_seconds(14));
    eventually("that it lives is at both", || a.status().hosts == b.status().hosts).await;
    for seconds in [15, 28] {
        let (at, now) = at(seconds);
        one.once(at, now).await.unwrap();
        other.once(at, now).await.unwrap();
    }
    a.fresh().await.unwrap();
    assert!(a.world().claims.contains_key(&place()), "heard of meanwhile");
    let before = a.world().generation;
    let ((at, _), now) = (at(31), now.plus_seconds(31));
    let (first, second) = tokio::join!(one.once(at, now), other.once(at, now));
    first.unwrap();
    second.unwrap();
    agree(&bed, &a, &b).await;
    assert!(!a.world().claims.contains_key(&place()));
    assert_eq!(a.world().generation, before + 1, "once");
}

#[tokio::test]
async fn a_server_without_its_database_neither_confirms_nor_releases() {
    let mut cluster = Cluster::new();
    let bed = Bed::postgres(&cluster);
    let a = bed.server("a").await.unwrap();
    leave(&a).await;
    eventually("it has looked", || a.in_touch()).await;
    let hub = crate::feed::Hub::new(Operator {
        handle: a.clone(),
        region: "us-east-1".into(),
        others: Vec::new(),
        isolated: Vec::new(),
    });
    tokio::spawn(hub.clone().run());
    let confirms = async || hub.poll(&"node1".into(), &Default::default()).await.confirms;
    assert!(confirms().await);
    let mut ticker = ticker(&a);
    let (start, now) = (Instant::now(), Micros::now());
    ticker.once(start, now).await.unwrap();
    cluster.stop();
    eventually("it is out of touch", || !a.in_touch()).await;
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert!(!confirms().await);
    // A host that another server has told more is not told what was before; one that holds nothing is told something.
    let (epoch, generation) = (a.epoch(), a.world().generation + 1);
    let ahead = Poll { epoch: epoch.clone(), generation, patience_ms: 100 };
    let elsewhere = Poll { epoch: "another".into(), ..ahead.clone() };
    for poll in [&ahead, &elsewhere] {
        assert_eq!(hub.poll(&"node1".into(), poll).await.news, News::None);
    }
    let told = hub.poll(&"node1".into(), &Poll::default()).await.news;
    assert!(matches!(told, News::Full(_)));
    ticker.once(start + Duration::from_secs(60), now.plus_seconds(60)).await.unwrap();
    cluster.start();
    eventually("it is in touch again", || a.in_touch()).await;
    assert!(confirms().await);
    // The database does not have what it was told: a backup was restored.
    for poll in [&ahead, &elsewhere] {
        let answer = hub.poll(&"node1".into(), poll).await;
        assert!(matches!(answer.news, News::Full(_)) && answer.confirms);
    }
    assert!(a.world().claims.contains_key(&place()));
}
