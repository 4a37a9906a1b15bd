//! COMMITs whose answer is lost: a proxy between server and Postgres cuts the connection there.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::servers::agree;
use super::testing::{Bed, Cluster, TempDir};
use super::{allocate, caller, seed};
use crate::query::FaultCode;
use crate::store::*;

/// What happens to the next COMMIT.
const PASS: u8 = 0;
/// It never arrives.
const LOSE: u8 = 1;
/// It arrives, and its answer does not.
const ANSWER: u8 = 2;
/// It arrives when everybody believes the connection long gone.
const LATE: u8 = 3;

/// The simple query `COMMIT`, as the protocol has it
/// (<https://www.postgresql.org/docs/15/protocol-message-formats.html>).
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

struct Proxy {
    dir: TempDir,
    next: Arc<AtomicU8>,
}

impl Proxy {
    fn new(cluster: &Cluster) -> Self {
        let proxy = Self { dir: TempDir::new(), next: Arc::new(AtomicU8::new(PASS)) };
        let name = ".s.PGSQL.5432";
        let listener = UnixListener::bind(proxy.dir.0.join(name)).unwrap();
        let (behind, next) = (cluster.dir.0.join(name), proxy.next.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = connect(&behind).await;
                tokio::spawn(carry(client, server, next.clone()));
            }
        });
        proxy
    }

    /// The same database, by way of the proxy.
    fn place(&self, bed: &Bed) -> Place {
        let Place::Postgres(options) = &bed.place else { panic!("not Postgres") };
        Place::Postgres(Box::new((**options).clone().socket(&self.dir.0)))
    }
}

async fn connect(path: &Path) -> UnixStream {
    UnixStream::connect(path).await.unwrap()
}

async fn carry(client: UnixStream, server: UnixStream, next: Arc<AtomicU8>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await.map(drop) });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
        let sent = &buffer[..length];
        let fate = if sent == COMMIT { next.swap(PASS, Ordering::SeqCst) } else { PASS };
        if fate != PASS {
            back.abort();
            let _ = back.await;
            drop(from_client);
            if fate == LATE {
                // Longer than it takes to connect and look.
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            if fate != LOSE {
                to_server.write_all(sent).await.unwrap();
                // Postgres acts on what it was sent before it sees the end.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            return;
        }
        if to_server.write_all(sent).await.is_err() {
            return;
        }
    }
    back.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_is_lost_is_looked_up() {
    let cluster = Cluster::new();
    let bed = Bed::postgres(&cluster);
    let proxy = Proxy::new(&cluster);
    let a = bed.server("a").await.unwrap();
    seed(&a).await;
    let by_proxy = Bed { dir: TempDir::new(), place: proxy.place(&bed) };
    std::fs::copy(bed.dir.0.join("key"), by_proxy.dir.0.join("key")).unwrap();
    let b = by_proxy.server("b").await.unwrap();
    let mut addresses = 0;
    for fate in [LOSE, ANSWER, LATE, LOSE, ANSWER] {
        proxy.next.store(fate, Ordering::SeqCst);
        let made = b.submit_noting(caller(), false, allocate).await;
        assert_eq!(proxy.next.load(Ordering::SeqCst), PASS, "no COMMIT was seen");
        if fate == LOSE {
            assert_eq!(made.unwrap_err().code, FaultCode::ServiceUnavailable);
        } else {
            let (ip, done) = made.unwrap();
            assert!(b.world().index.address_by_public_ip.contains_key(&ip), "what is answered is published");
            assert_eq!(done.unwrap().generation, b.world().generation);
            addresses += 1;
        }
        agree(&bed, &a, &b).await;
        assert_eq!(a.world().addresses.len(), addresses);
    }
    b.submit(caller(), false, allocate).await.unwrap();
}
