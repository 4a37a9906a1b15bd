//! Databases that come back as another: restored, copied, edited by hand.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::servers::{agree, two};
use super::testing::{Bed, Cluster, TempDir, commit, eventually};
use super::{account, allocate, caller, pool, seed};
use crate::control::testing::Bench;
use crate::store::*;
use crate::types::*;

fn copy_folder(from: &Path, to: &Path) {
    let _ = std::fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

async fn epochs(bed: &Bed) -> Vec<String> {
    let mut store = bed.store().await;
    let rows = store.connection.rows("SELECT epoch FROM epochs ORDER BY number", &[]).await.unwrap();
    rows.iter().map(|row| row.string("epoch").unwrap()).collect()
}

#[tokio::test]
async fn a_restored_backup_begins_one_new_epoch() {
    let mut cluster = Cluster::new();
    let bed = Bed::postgres(&cluster);
    let (a, b) = two(&bed).await;
    seed(&a).await;
    let kept = a.submit(caller(), false, allocate).await.unwrap();
    let first = a.epoch();
    cluster.stop();
    let backup = cluster.dir.0.join("backup");
    copy_folder(&cluster.data(), &backup);
    let mut seen = vec![first];
    cluster.start();
    for _ in 0..3 {
        eventually_fresh(&a).await;
        let lost = a.submit(caller(), false, allocate).await.unwrap();
        b.submit(caller(), false, allocate).await.unwrap();
        agree(&bed, &a, &b).await;
        let before = a.world().generation;
        let mut commits = b.commits();
        cluster.stop();
        copy_folder(&backup, &cluster.data());
        cluster.start();
        // Both notice at the same time, and writes come as well.
        let (one, other, written) =
            futures_util::join!(a.fresh(), b.fresh(), b.submit(caller(), false, allocate));
        written.unwrap();
        assert_eq!((one, other), (Ok(()), Ok(())));
        agree(&bed, &a, &b).await;
        let index = &a.world().index.address_by_public_ip;
        assert!(index.contains_key(&kept));
        assert!(a.world().addresses.len() == 2, "{lost} is lost, and another is made");
        // Generations of the lost history mean nothing in the new one, whoever says them.
        assert!(a.world().generation > before + 1000);
        assert_eq!(a.epoch(), b.epoch());
        assert!(!seen.contains(&a.epoch()), "an epoch comes back");
        // One new one, whoever was first to notice.
        let lost = seen.last().unwrap().clone();
        let mut all = vec![seen[0].to_string(), lost.to_string(), a.epoch().to_string()];
        all.dedup();
        assert_eq!(epochs(&bed).await, all);
        seen.push(a.epoch());
        let anew = std::iter::from_fn(|| commits.try_recv().ok()).find(|commit| commit.changes.is_none());
        assert_eq!(anew.expect("subscribers begin anew").epoch, a.epoch());
    }
}

async fn eventually_fresh(handle: &Handle) {
    for _ in 0..1000 {
        if handle.fresh().await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the database does not come back");
}

#[tokio::test]
async fn a_backup_that_was_restored_while_no_server_ran_is_noticed() {
    let bed = Bed::sqlite();
    let a = bed.server("a").await.unwrap();
    seed(&a).await;
    let first = a.epoch();
    let backup = bed.dir.0.join("backup");
    let mut store = bed.store().await;
    store.connection.script(&format!("VACUUM INTO '{}'", backup.display())).await.unwrap();
    drop(store);
    for _ in 0..3 {
        a.submit(caller(), false, allocate).await.unwrap();
    }
    let before = a.world().generation;
    drop(a);
    // Started again on what it left, it goes on.
    let a = bed.server("a").await.unwrap();
    assert_eq!((a.epoch(), a.world().generation), (first.clone(), before));
    drop(a);
    // SQLite's own files go with the last that has it open.
    eventually("the store is closed", || !bed.dir.0.join("db-wal").exists()).await;
    std::fs::copy(&backup, bed.dir.0.join("db")).unwrap();
    let a = bed.server("a").await.unwrap();
    assert_ne!(a.epoch(), first);
    assert!(a.world().generation > before && a.world().addresses.is_empty());
    a.submit(caller(), false, allocate).await.unwrap();
}

#[tokio::test]
async fn a_hand_edit_shows_after_a_reload_and_nonsense_does_not() {
    let cluster = Cluster::new();
    let bed = Bed::postgres(&cluster);
    let (a, b) = two(&bed).await;
    seed(&a).await;
    let said = cluster.psql(&bed.place, "UPDATE pools SET name = 'elastic'");
    assert_eq!(said, "");
    a.fresh().await.unwrap();
    assert_eq!(&*a.world().pools.values().next().unwrap().name, "public");
    let reloaded = a.reload().await.unwrap();
    assert_eq!(reloaded.differences, [("pools", 1)].into());
    agree(&bed, &a, &b).await;
    assert_eq!(&*b.world().pools.values().next().unwrap().name, "elastic");

    // What cannot be read is named, all of it, and what was known stays.
    cluster.psql(&bed.place, "UPDATE pools SET last = 'nowhere'; UPDATE accounts SET id = '12'");
    let before = a.world();
    let refused = a.reload().await.unwrap_err();
    for word in ["table pools", "column last", "nowhere", "table accounts", "column id"] {
        assert!(refused.contains(word), "{refused}");
    }
    assert_eq!(a.world().generation, before.generation);
    let id = account();
    let heal = format!("UPDATE pools SET last = '203.0.113.40'; UPDATE accounts SET id = '{id}'");
    cluster.psql(&bed.place, &heal);
    a.submit(caller(), false, allocate).await.unwrap();
    assert_eq!(a.reload().await.unwrap().differences, [].into());
    agree(&bed, &a, &b).await;

    // The impossible is refused where it is written.
    let said = cluster.psql(&bed.place, "DELETE FROM pools");
    assert!(said.contains("foreign key"), "{said}");
}

#[tokio::test]
async fn sqlite_is_reloaded_too_and_its_references_are_looked_at() {
    let bed = Bed::sqlite();
    let a = bed.server("a").await.unwrap();
    seed(&a).await;
    a.submit(caller(), false, allocate).await.unwrap();
    let mut hand = bed.store().await;
    // As its shell does by default.
    hand.connection.script("PRAGMA foreign_keys = OFF; UPDATE pools SET name = 'elastic'").await.unwrap();
    assert_eq!(a.reload().await.unwrap().differences, [("pools", 1)].into());
    assert_eq!(&*a.world().pools.values().next().unwrap().name, "elastic");
    hand.connection.script("DELETE FROM pools").await.unwrap();
    let refused = a.reload().await.unwrap_err();
    assert!(refused.contains("table addresses") && refused.contains("pools"), "{refused}");
    assert!(a.world().pools.contains_key(&pool("public").id));
}

#[tokio::test]
async fn what_another_has_committed_to_a_file_is_caught_up_with_before_anything_is_decided() {
    let bed = Bed::sqlite();
    let a = bed.server("a").await.unwrap();
    seed(&a).await;
    let mut other = bed.store().await;
    let committed = "UPDATE pools SET next = '203.0.113.20', generation = (SELECT generation + 1 FROM meta); \
        UPDATE meta SET generation = generation + 1, tag = 'other'; \
        INSERT INTO commits (generation, tag, kinds) SELECT generation, tag, 'pools' FROM meta";
    other.connection.script(committed).await.unwrap();
    let ip = a.submit(caller(), false, allocate).await.unwrap();
    assert_eq!(ip, std::net::Ipv4Addr::new(203, 0, 113, 20));
    assert_eq!(bed.store().await.load().await.unwrap(), *a.world());
}

#[tokio::test]
async fn the_log_is_brought_into_the_database_beside_the_writer() {
    let bed = Bed::sqlite();
    let a = bed.server("a").await.unwrap();
    seed(&a).await;
    let Place::Sqlite(path) = &bed.place else { panic!("a file") };
    let copies = TempDir::new();
    // The database without its log.
    let copied = async |number: usize| {
        let copy = copies.0.join(number.to_string());
        std::fs::copy(path, &copy).unwrap();
        Store::open(&Place::Sqlite(copy)).await.ok()?.load().await.ok()
    };
    for number in 0..1000 {
        if copied(number).await.is_some_and(|world| world == *a.world()) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("what was committed is in the log alone");
}

#[tokio::test]
async fn a_store_is_copied_and_the_old_one_is_not_gone_back_to_unnoticed() {
    let cluster = Cluster::new();
    let old = Bed::sqlite();
    let a = old.server("a").await.unwrap();
    seed(&a).await;
    a.submit(caller(), false, allocate).await.unwrap();
    a.update_status(|status| {
        let report = crate::control::HostStatus { last_seen: Micros(1), ..Default::default() };
        status.hosts.insert("node1".into(), report);
        let output: Arc<[u8]> = Arc::from(&b"ok"[..]);
        status
            .consoles
            .insert(InstanceId::from_random(1), crate::control::Console { at: Micros::now(), output });
    });
    // Nothing is said any more of a host that there is not; what is said of an instance may be early.
    eventually("the host is forgotten", || a.status().hosts.is_empty()).await;
    let mut store = old.store().await;
    let mut stored = 0;
    for _ in 0..1000 {
        stored = reports::load(&mut store.connection).await.unwrap().0.consoles.len();
        if stored == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(stored, 1);
    let (world, first) = (a.world(), a.epoch());
    drop((a, store));

    let new = Bed { dir: TempDir::new(), place: cluster.place() };
    let copied = copy(&old.place, &new.place).await.unwrap();
    assert_eq!(copied.rows, [("accounts", 1), ("addresses", 1), ("consoles", 1), ("pools", 1)].into());
    assert!(matches!(copy(&old.place, &new.place).await, Err(CopyError::NotEmpty(_))));
    let missing = Place::Sqlite(old.dir.0.join("missing"));
    assert!(matches!(copy(&missing, &cluster.place()).await, Err(CopyError::NoSource(_))));

    // The same key file, and the memory of the old store.
    for file in ["key", "memory-a"] {
        std::fs::copy(old.dir.0.join(file), new.dir.0.join(file)).unwrap();
    }
    let (a, b) = two(&new).await;
    assert_ne!(a.epoch(), first);
    assert_eq!(a.world().addresses, world.addresses);
    assert_eq!(a.world().index, world.index);
    assert!(a.world().generation > world.generation);
    assert_eq!(a.status().consoles.len(), 1);
    b.submit(caller(), false, allocate).await.unwrap();
    agree(&new, &a, &b).await;
    assert_eq!(epochs(&new).await.len(), 2, "the copy's epoch, and no other");
    let second = a.epoch();
    drop((a, b));

    // Back again: the way is free, and as safe.
    let back = Bed::sqlite();
    copy(&new.place, &back.place).await.unwrap();
    for file in ["key", "memory-a"] {
        std::fs::copy(new.dir.0.join(file), back.dir.0.join(file)).unwrap();
    }
    let a = back.server("a").await.unwrap();
    assert_eq!(a.world().addresses.len(), 2);
    assert_ne!(a.epoch(), second);
    drop(a);

    // Whoever starts the old store once more with what it has seen since begins anew.
    std::fs::copy(back.dir.0.join("memory-a"), old.dir.0.join("memory-a")).unwrap();
    let a = old.server("a").await.unwrap();
    assert_eq!(a.world().addresses.len(), 1);
    assert!(a.epoch() != first && a.epoch() != second);
}

#[tokio::test]
async fn who_was_away_for_too_long_reads_everything() {
    let cluster = Cluster::new();
    let bed = Bed::postgres(&cluster);
    let (a, b) = two(&bed).await;
    seed(&a).await;
    b.fresh().await.unwrap();
    let epoch = a.epoch();
    // All that leads from what the others know to the present is pruned.
    cluster.psql(
        &bed.place,
        "BEGIN; UPDATE meta SET generation = generation + 5, tag = 'x'; DELETE FROM commits; DELETE FROM tombstones; \
         INSERT INTO commits (generation, tag, kinds) SELECT generation, tag, 'pools' FROM meta; \
         UPDATE pools SET name = 'elastic'; COMMIT",
    );
    a.submit(caller(), false, allocate).await.unwrap();
    agree(&bed, &a, &b).await;
    assert_eq!(&*b.world().pools.values().next().unwrap().name, "elastic");
    assert_eq!((a.epoch(), b.epoch()), (epoch.clone(), epoch));
    assert_eq!(epochs(&bed).await.len(), 1);
}

#[tokio::test]
async fn prefix_lists_with_what_names_them_and_reservations_are_copied() {
    let mut bench = Bench::small();
    let (vpc, subnet) = bench.isolated();
    let list = [("PrefixListName", "l"), ("AddressFamily", "IPv4"), ("MaxEntries", "2")];
    let list = bench.told("prefixListId", "CreateManagedPrefixList", &list);
    let group = bench.world.groups.values().find(|group| group.vpc == vpc).unwrap().id.to_string();
    let rule = [
        ("GroupId", &*group),
        ("IpPermissions.1.IpProtocol", "-1"),
        ("IpPermissions.1.PrefixListIds.1.PrefixListId", &*list),
    ];
    bench.call("AuthorizeSecurityGroupIngress", &rule).unwrap();
    let (subnet, block) = (subnet.to_string(), bench.world.subnets[&subnet].cidr.to_string());
    let part = [("SubnetId", &*subnet), ("Cidr", &*block), ("ReservationType", "explicit")];
    bench.call("CreateSubnetCidrReservation", &part).unwrap();
    let (old, new) = (Bed::sqlite(), Bed::sqlite());
    let mut store = old.store().await;
    commit(&mut store, &bench.changes).await.unwrap();
    let copied = copy(&old.place, &new.place).await.unwrap();
    let rows = ["prefix_lists", "prefix_list_versions", "subnet_cidr_reservations"];
    assert_eq!(rows.map(|table| copied.rows[table]), [1; 3]);
    assert_eq!(new.store().await.load().await.unwrap().index, bench.world.index);
}
