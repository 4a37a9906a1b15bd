//! What hosts report, kept beside the World: durable, and at every server.
//!
//! Reports are not worth a generation each: a thousand hosts say every few seconds that they live. What has changed goes
//! to the database in batches that are the rarer the larger they are, and comes from there to the other servers. The
//! later report counts, by the time at which a server got it. A crash may lose the last batch: the host says it again.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use imbl::ordmap::DiffItem;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::StoreError;
use super::cell::{Cell, count, int, text};
use super::connection::{Connection, For};
use super::link::Link;
use super::publish::Publisher;
use super::table::{delete_sql, placeholders};
use crate::control::{Console, HostStatus, Status};
use crate::crash::{self, Point};
use crate::types::{InstanceId, Micros};

/// How often it is looked whether what waits is due, and how often the other servers' are fetched without a hint.
const LOOK: Duration = Duration::from_millis(50);
const FETCH: Duration = Duration::from_millis(500);
/// After a batch, the next waits for so long, and so much longer for each row in it: 2,000 rows a second at most.
const BATCH: Duration = Duration::from_millis(20);
const ROW: Duration = Duration::from_micros(500);
/// In a file, that one server alone has, nobody waits for them, and each batch is in the way of a commit.
const BATCH_OF_FILE: Duration = Duration::from_millis(250);
/// That a host was seen, and nothing else, waits for this long.
const SEEN: Duration = Duration::from_secs(5);
/// So do consoles; they are large.
const CONSOLES: Duration = Duration::from_secs(1);
/// Rows of a statement.
const ROWS: usize = 200;
/// What is said of a host or an instance that the World does not have may be news of one that it will have.
const ORPHANED: i64 = 60;
/// How long the database may take for a batch.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Keeper {
    pub link: Link,
    pub publisher: Arc<Publisher>,
    pub status: Arc<ArcSwap<Status>>,
    /// What the database is known to have.
    pub stored: Status,
    /// Up to where the other servers' reports are known.
    pub version: u64,
    pub server: Arc<str>,
    /// Another server has written.
    pub hint: Arc<Notify>,
    /// A report has come in here.
    pub news: Arc<Notify>,
    written: Option<Times>,
}

/// When each was written last.
#[derive(Clone, Copy)]
struct Times {
    hosts: Instant,
    seen: Instant,
    consoles: Instant,
    fetched: Instant,
}

/// What is to be written.
#[derive(Default)]
struct Due {
    hosts: Vec<(Arc<str>, HostStatus)>,
    gone_hosts: Vec<Arc<str>>,
    consoles: Vec<(InstanceId, Console)>,
    gone_consoles: Vec<InstanceId>,
}

impl Due {
    fn is_empty(&self) -> bool {
        self.hosts.is_empty()
            && self.gone_hosts.is_empty()
            && self.consoles.is_empty()
            && self.gone_consoles.is_empty()
    }
}

/// Reads all reports; those that cannot be understood are left out, since hosts report again.
pub(super) async fn load(connection: &mut Connection) -> Result<(Status, u64), StoreError> {
    connection.begin(For::Reading).await?;
    let read = newer(connection, 0).await;
    connection.rollback().await?;
    let (hosts, consoles, version) = read?;
    Ok((Status { hosts: hosts.into_iter().collect(), consoles: consoles.into_iter().collect() }, version))
}

type Newer = (Vec<(Arc<str>, HostStatus)>, Vec<(InstanceId, Console)>, u64);

async fn newer(connection: &mut Connection, than: u64) -> Result<Newer, sqlx::Error> {
    let version = connection.row("SELECT version FROM reports_version", &[]).await?.number("version")?;
    let than = count(than);
    let mut hosts = Vec::new();
    let sql = "SELECT host, report FROM host_reports WHERE version > $1";
    for row in connection.rows(sql, &[&than]).await? {
        match serde_json::from_str(&row.string("report")?) {
            Ok(report) => hosts.push((row.string("host")?.into(), report)),
            Err(error) => tracing::warn!(%error, "a host's report in the store cannot be understood"),
        }
    }
    let mut consoles = Vec::new();
    let sql = "SELECT instance, at, output FROM consoles WHERE version > $1";
    for row in connection.rows(sql, &[&than]).await? {
        let instance = row.string("instance")?.parse();
        if let (Ok(instance), Ok(output)) = (instance, STANDARD.decode(row.string("output")?)) {
            let at = Micros(row.int("at")?.unwrap_or_default());
            consoles.push((instance, Console { at, output: output.into() }));
        }
    }
    Ok((hosts, consoles, version))
}

impl Keeper {
    #[allow(clippy::too_many_arguments, reason = "each is a part that is shared with another task")]
    pub fn new(
        link: Link,
        publisher: Arc<Publisher>,
        status: Arc<ArcSwap<Status>>,
        stored: (Status, u64),
        server: Arc<str>,
        [hint, news]: [Arc<Notify>; 2],
    ) -> Self {
        let (stored, version) = stored;
        Self { link, publisher, status, stored, version, server, hint, news, written: None }
    }

    /// Keeps the reports until nobody is left who has any.
    pub async fn run(mut self, mut users: mpsc::Receiver<std::convert::Infallible>) {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (hint, news) = (self.hint.clone(), self.news.clone());
        loop {
            let hinted = tokio::select! {
                () = self.link.restore(), if !self.link.is_up() => false,
                () = hint.notified() => true,
                () = news.notified(), if self.is_rested() => false,
                _ = look.tick() => false,
                _ = users.recv() => return,
            };
            if self.link.is_up() {
                let kept = tokio::time::timeout(PATIENCE, self.keep(hinted)).await;
                if let Err(error) = kept.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
                    self.failed(&error);
                }
            }
        }
    }

    /// Whether the last batch is so long ago that a small one may go at once.
    fn is_rested(&self) -> bool {
        self.written.is_none_or(|times| times.hosts.elapsed() >= self.rest())
    }

    const fn rest(&self) -> Duration {
        if self.link.is_postgres() { BATCH } else { BATCH_OF_FILE }
    }

    fn failed(&mut self, error: &sqlx::Error) {
        if self.link.is_postgres() {
            self.link.lost(error);
        } else {
            // A file that another process has locked, or a full disk: the next round tries again.
            tracing::warn!(%error, "hosts' reports could not be kept");
        }
    }

    async fn keep(&mut self, hinted: bool) -> Result<(), sqlx::Error> {
        let now = Instant::now();
        let mut times =
            *self.written.get_or_insert(Times { hosts: now, seen: now, consoles: now, fetched: now });
        self.forget_orphans();
        let status = self.status.load_full();
        let due = self.due(&status, now, &mut times);
        if !due.is_empty() {
            self.write(&due).await?;
        }
        if self.link.is_postgres() && (hinted || now - times.fetched >= FETCH) {
            times.fetched = now;
            self.fetch().await?;
        }
        self.written = Some(times);
        Ok(())
    }

    /// What is said of hosts and instances that are gone goes too.
    fn forget_orphans(&self) {
        let world = self.publisher.world();
        let now = Micros::now();
        let old = |at: Micros| at.plus_seconds(ORPHANED) < now;
        let status = self.status.load();
        let hosts = status
            .hosts
            .iter()
            .filter(|(name, host)| !world.hosts.contains_key(*name) && old(host.last_seen));
        let hosts: Vec<Arc<str>> = hosts.map(|(name, _)| name.clone()).collect();
        let consoles = status.consoles.iter();
        let consoles = consoles.filter(|(id, console)| !world.instances.contains_key(*id) && old(console.at));
        let consoles: Vec<InstanceId> = consoles.map(|(id, _)| *id).collect();
        if hosts.is_empty() && consoles.is_empty() {
            return;
        }
        self.status.rcu(|status| {
            let mut status = Status::clone(status);
            hosts.iter().for_each(|name| drop(status.hosts.remove(name)));
            consoles.iter().for_each(|id| drop(status.consoles.remove(id)));
            status
        });
    }

    fn due(&self, status: &Status, now: Instant, times: &mut Times) -> Due {
        let mut due = Due::default();
        let mut urgent = false;
        for change in self.stored.hosts.diff(&status.hosts) {
            match change {
                DiffItem::Add(name, host) => {
                    urgent = true;
                    due.hosts.push((name.clone(), host.clone()));
                }
                DiffItem::Update { old: (_, old), new: (name, host) } => {
                    urgent |= HostStatus { last_seen: host.last_seen, ..old.clone() } != *host;
                    due.hosts.push((name.clone(), host.clone()));
                }
                DiffItem::Remove(name, _) => {
                    urgent = true;
                    due.gone_hosts.push(name.clone());
                }
            }
        }
        let rows = u32::try_from(due.hosts.len()).unwrap_or(u32::MAX);
        if now - times.seen >= SEEN || (urgent && now - times.hosts >= self.rest() + ROW.saturating_mul(rows))
        {
            (times.hosts, times.seen) = (now, now);
        } else {
            due = Due::default();
        }
        if now - times.consoles >= CONSOLES {
            times.consoles = now;
            for change in self.stored.consoles.diff(&status.consoles) {
                match change {
                    DiffItem::Add(id, console) | DiffItem::Update { new: (id, console), .. } => {
                        due.consoles.push((*id, console.clone()));
                    }
                    DiffItem::Remove(id, _) => due.gone_consoles.push(*id),
                }
            }
        }
        due
    }

    async fn write(&mut self, due: &Due) -> Result<(), sqlx::Error> {
        let _turn = self.link.turn().await;
        let Some(connection) = self.link.up() else { return Ok(()) };
        let written = write(connection, due, &self.server).await;
        let version = match written {
            Ok(version) => version,
            Err(error) => {
                // The first error says more than one of the way back.
                let _ = connection.rollback().await;
                return Err(error);
            }
        };
        if version == self.version + 1 {
            // Nobody else has written in between.
            self.version = version;
        }
        self.stored.hosts.extend(due.hosts.iter().cloned());
        due.gone_hosts.iter().for_each(|name| drop(self.stored.hosts.remove(name)));
        self.stored.consoles.extend(due.consoles.iter().cloned());
        due.gone_consoles.iter().for_each(|id| drop(self.stored.consoles.remove(id)));
        Ok(())
    }

    /// Takes in what the other servers have written.
    async fn fetch(&mut self) -> Result<(), sqlx::Error> {
        let Some(connection) = self.link.up() else { return Ok(()) };
        let sql = "SELECT version FROM reports_version";
        if connection.row(sql, &[]).await?.number("version")? == self.version {
            return Ok(());
        }
        connection.begin(For::Reading).await?;
        let (hosts, consoles, version) = newer(connection, self.version).await?;
        connection.rollback().await?;
        self.version = version;
        self.stored.hosts.extend(hosts.iter().cloned());
        self.stored.consoles.extend(consoles.iter().cloned());
        self.status.rcu(|status| {
            let mut status = Status::clone(status);
            for (name, host) in &hosts {
                if status.hosts.get(name).is_none_or(|known| known.last_seen < host.last_seen) {
                    status.hosts.insert(name.clone(), host.clone());
                }
            }
            for (id, console) in &consoles {
                if status.consoles.get(id).is_none_or(|known| known.at < console.at) {
                    status.consoles.insert(*id, console.clone());
                }
            }
            status
        });
        Ok(())
    }
}

/// Writes a batch; its version.
async fn write(connection: &mut Connection, due: &Due, server: &str) -> Result<u64, sqlx::Error> {
    // A crash may lose the last batch: nobody waits for the disk.
    if connection.is_postgres() {
        connection.begin(For::Writing).await?;
        connection.script("SET LOCAL synchronous_commit = off").await?;
    } else {
        connection.script("PRAGMA synchronous = NORMAL").await?;
        connection.begin(For::Writing).await?;
    }
    // Locks, too: versions become visible in their order.
    let sql = "UPDATE reports_version SET version = version + 1 RETURNING version";
    let version = connection.row(sql, &[]).await?.number("version")?;
    let mut rows = Vec::with_capacity(due.hosts.len());
    for (name, host) in &due.hosts {
        let report = serde_json::to_string(host).map_err(|error| sqlx::Error::Encode(error.into()))?;
        rows.push([text(name), int(host.last_seen.0), text(report), count(version)]);
    }
    upsert(connection, "host_reports", ["host", "seen", "report"], &rows).await?;
    let row = |(id, console): &(InstanceId, Console)| {
        [text(id), int(console.at.0), text(STANDARD.encode(&console.output)), count(version)]
    };
    let rows: Vec<_> = due.consoles.iter().map(row).collect();
    upsert(connection, "consoles", ["instance", "at", "output"], &rows).await?;
    delete(connection, "host_reports", "host", due.gone_hosts.iter().map(text).collect()).await?;
    delete(connection, "consoles", "instance", due.gone_consoles.iter().map(text).collect()).await?;
    if connection.is_postgres() {
        let sent = format!("{server} reports");
        connection.rows("SELECT pg_notify('fogbank', $1)::text AS sent", &[&text(sent)]).await?;
    }
    crash::point(Point::ReportsBeforeCommit);
    connection.commit().await?;
    crash::point(Point::ReportsCommitted);
    Ok(version)
}

/// Columns: the key, the time that decides, what is said; `version` follows.
async fn upsert(
    connection: &mut Connection,
    table: &str,
    [key, time, said]: [&str; 3],
    rows: &[[Cell; 4]],
) -> Result<(), sqlx::Error> {
    for some in rows.chunks(ROWS) {
        let values = (0..some.len()).map(|row| placeholders(row * 4, 4)).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "INSERT INTO {table} ({key}, {time}, {said}, version) VALUES {values} ON CONFLICT ({key}) DO UPDATE SET \
             {time} = excluded.{time}, {said} = excluded.{said}, version = excluded.version \
             WHERE excluded.{time} > {table}.{time}"
        );
        connection.run(&sql, &some.iter().flatten().collect::<Vec<_>>()).await?;
    }
    Ok(())
}

async fn delete(
    connection: &mut Connection,
    table: &str,
    key: &str,
    gone: Vec<Cell>,
) -> Result<(), sqlx::Error> {
    for some in gone.chunks(ROWS) {
        let sql = delete_sql(table, &[key], some.len());
        connection.run(&sql, &some.iter().collect::<Vec<_>>()).await?;
    }
    Ok(())
}
