//! The store against the World: what is committed is what is loaded.

mod calls;
mod interfaces;
mod ipv6;
mod lease;
#[path = "../../../tests/common/linear.rs"]
#[allow(dead_code)] // not every test that includes this file loses answers
mod linear;
mod measure;
mod property;
mod proxy;
mod restore;
mod servers;
mod testing;
mod together;
mod vpcs;

use std::sync::Arc;

use self::testing::{Bed, Cluster};
use super::*;
use crate::control::Caller;
use crate::control::quotas::Quotas;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::*;

pub fn account() -> AccountId {
    "123456789012".parse().unwrap()
}

pub fn caller() -> Caller {
    Caller {
        owner: Owner { account: account(), region: "us-east-1".into() },
        access_key: "AKIATEST".into(),
        endpoint: "127.0.0.1:8773".into(),
        quotas: Arc::new(Quotas { elastic_addresses: 1000, ..Quotas::default() }),
        isolated: false,
    }
}

pub fn pool(name: &str) -> Pool {
    Pool {
        id: PoolId::from_random(7),
        name: name.into(),
        range: "203.0.113.10-203.0.113.40".parse().unwrap(),
        next: Some("203.0.113.10".parse().unwrap()),
        created: Micros(1),
    }
}

/// An account, a pool and an address: rows that refer to each other.
pub async fn seed(handle: &Handle) {
    let seeded = handle.submit(caller(), false, |decision| {
        decision.put(Account { id: account(), name: "test".into(), created: Micros(1) });
        decision.put(pool("public"));
        Ok(())
    });
    seeded.await.unwrap();
}

pub fn allocate(decision: &mut crate::control::Decision<'_>) -> Result<std::net::Ipv4Addr, Fault> {
    let ip = decision
        .take_public(PoolId::from_random(7), None)
        .map_err(|_| FaultCode::InternalError.with("none"))?;
    let id = decision.env.id(AllocationId::from_random);
    let (owner, allocated) = (decision.caller.owner.clone(), decision.env.now);
    decision.put(Address {
        id,
        owner,
        public_ip: ip,
        pool: PoolId::from_random(7),
        transit: None,
        association: None,
        domain_name: None,
        automatic: false,
        allocated,
    });
    Ok(ip)
}

/// Each test by itself on SQLite, and all of them, each on a database of its own, in one Postgres.
macro_rules! on_both {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(super::Bed::sqlite()).await;
            })*
        }

        #[tokio::test]
        async fn all_of_it_on_postgres() {
            let cluster = Cluster::new();
            $(println!("{}", stringify!($test));
            $test(Bed::postgres(&cluster)).await;)*
        }
    };
}

on_both! {
    what_was_answered_is_there_after_a_restart,
    a_fault_and_a_dry_run_leave_nothing,
    a_panic_is_one_callers_internal_error,
    requests_at_once_share_commits_and_only_the_guilty_fails,
    subscribers_learn_what_changed_and_callers_what_they_did,
}

async fn what_was_answered_is_there_after_a_restart(bed: Bed) {
    let handle = bed.server("a").await.unwrap();
    seed(&handle).await;
    let ip = handle.submit(caller(), false, allocate).await.unwrap();
    let before = handle.world();
    assert!(before.index.address_by_public_ip.contains_key(&ip));
    let mut store = bed.store().await;
    assert_eq!(store.load().await.unwrap(), *before);
}

async fn a_fault_and_a_dry_run_leave_nothing(bed: Bed) {
    let handle = bed.server("a").await.unwrap();
    seed(&handle).await;
    let generation = handle.world().generation;
    let failed = handle.submit(caller(), false, |decision| {
        allocate(decision)?;
        Err::<(), _>(FaultCode::InvalidParameterValue.with("after all"))
    });
    assert_eq!(failed.await.unwrap_err().code, FaultCode::InvalidParameterValue);
    let dry = handle.submit(caller(), true, allocate).await.unwrap_err();
    assert_eq!(dry.code, FaultCode::DryRunOperation);
    assert_eq!(handle.world().generation, generation);
    assert!(handle.world().addresses.is_empty());
}

async fn a_panic_is_one_callers_internal_error(bed: Bed) {
    let handle = bed.server("a").await.unwrap();
    seed(&handle).await;
    let panicked = handle.submit(caller(), false, |_| -> Result<(), Fault> { panic!("in a decision") }).await;
    assert_eq!(panicked.unwrap_err().code, FaultCode::InternalError);
    handle.submit(caller(), false, allocate).await.unwrap();
}

async fn requests_at_once_share_commits_and_only_the_guilty_fails(bed: Bed) {
    let handle = bed.server("a").await.unwrap();
    seed(&handle).await;
    let before = handle.world().generation;
    let good = (0..10).map(|_| handle.submit(caller(), false, allocate));
    // The tables forbid a second pool of that name; `decide` does not check it here.
    let bad = handle.submit(caller(), false, |decision| {
        decision.put(Pool { id: PoolId::from_random(8), ..pool("public") });
        Ok(())
    });
    let (good, bad) = futures_util::join!(futures_util::future::join_all(good), bad);
    let mut addresses: Vec<_> = good.into_iter().map(Result::unwrap).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 10);
    assert_eq!(bad.unwrap_err().code, FaultCode::InternalError);
    let mut store = bed.store().await;
    assert_eq!(store.load().await.unwrap(), *handle.world());

    // The same without a guilty one: far fewer commits than requests.
    let start = handle.world().generation;
    let many = (0..200).map(|n| {
        handle.submit(caller(), false, move |decision| {
            let key: Arc<str> = format!("k{n}").into();
            let resource = ResourceId::Instance(InstanceId::from_random(1));
            decision.put(Tag { owner: decision.caller.owner.clone(), resource, key, value: "v".into() });
            Ok(())
        })
    });
    futures_util::future::join_all(many).await.into_iter().for_each(Result::unwrap);
    assert!(
        handle.world().generation - start < 50,
        "{} commits for 200 requests",
        handle.world().generation - start
    );
    assert!(handle.world().generation > before);
}

/// Follows the steps and says each one's World.
fn steps(commits: &mut tokio::sync::broadcast::Receiver<Arc<Commit>>) -> Vec<Arc<Commit>> {
    std::iter::from_fn(|| commits.try_recv().ok()).collect()
}

async fn subscribers_learn_what_changed_and_callers_what_they_did(bed: Bed) {
    let handle = bed.server("a").await.unwrap();
    let mut commits = handle.commits();
    let mut world = World::clone(&handle.world());
    seed(&handle).await;
    let many = (0..20).map(|_| handle.submit_noting(caller(), false, allocate));
    let made = futures_util::future::join_all(many).await;
    let (_, nothing) = handle.submit_noting(caller(), false, |_| Ok(())).await.unwrap();
    assert!(nothing.is_none());
    for commit in steps(&mut commits) {
        assert_eq!(*commit.before, world);
        commit.changes.iter().flatten().for_each(|change| world.apply(change));
        world.generation = commit.after.generation;
        assert_eq!(*commit.after, world);
        assert_eq!(commit.epoch, handle.epoch());
    }
    assert_eq!(world, *handle.world());
    for made in made {
        let (ip, done) = made.unwrap();
        let done = done.unwrap();
        let mut world = World::clone(&done.before);
        assert!(!world.index.address_by_public_ip.contains_key(&ip));
        done.changes.iter().for_each(|change| world.apply(change));
        world.generation = done.generation;
        assert_eq!(world, *done.after);
        assert!(world.index.address_by_public_ip.contains_key(&ip));
    }
}

#[tokio::test]
async fn two_processes_do_not_share_a_state_folder() {
    let dir = testing::TempDir::new();
    let held = StateDir::lock(&dir.0).unwrap();
    assert!(matches!(StateDir::lock(&dir.0), Err(LockError::InUse { .. })));
    drop(held);
    StateDir::lock(&dir.0).unwrap();
}
