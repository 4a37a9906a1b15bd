//! Which state of the store is which: generations, tags and epochs.
//!
//! A generation alone does not tell: a database that was restored from a backup, or whose standby took over before it had
//! the last commits, counts the same numbers again for other states. So each commit has a random tag, kept in `commits`;
//! a server whose last commit is not there knows a history that the database has lost. It begins a new epoch then: servers
//! and agents that hold anything of another epoch read everything again. Epochs name their forerunners, so that of
//! several servers that notice the same loss only the first begins one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::cell::{count, text};
use super::connection::{Connection, DbRow, For};
use super::publish::{Publisher, Seen};
use super::{StoreError, load};
use crate::crash::{self, Point};
use crate::types::Digest;
use crate::world::World;

/// How far a new epoch's first generation is above every one that is known. What a host said of a generation of a lost
/// history must not be taken for one of the new: the numbers do not meet.
pub(super) const LEAP: u64 = 1_000_000;

/// How long reading everything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// One state of the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Mark {
    pub generation: u64,
    /// The tag of the transaction that made the generation.
    pub tag: Arc<str>,
    pub epoch: Arc<str>,
}

/// The row of `meta`.
pub(super) struct Meta {
    pub mark: Mark,
    pub schema: i64,
}

const META: &str = "SELECT generation, tag, epoch, schema FROM meta";

pub(super) async fn meta(connection: &mut Connection) -> Result<Meta, sqlx::Error> {
    read_meta(&connection.row(META, &[]).await?)
}

pub(super) fn read_meta(row: &DbRow) -> Result<Meta, sqlx::Error> {
    Ok(Meta {
        mark: Mark {
            generation: row.number("generation")?,
            tag: row.string("tag")?.into(),
            epoch: row.string("epoch")?.into(),
        },
        schema: row.int("schema")?.unwrap_or_default(),
    })
}

/// How a known state stands to the database's.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Standing {
    /// All that is newer is in these tables; there may be nothing.
    Behind(BTreeSet<String>),
    /// Everything must be read again: the way from there is not kept any more, or a row was changed by hand.
    Far,
    /// As before, and a new epoch has begun.
    Elsewhere,
    /// The database has lost it.
    Lost,
}

/// Compares a known state with a database whose last commit is `generation`, within a transaction.
pub(super) async fn standing(
    connection: &mut Connection,
    known: &Mark,
    epoch: &str,
    generation: u64,
) -> Result<Standing, sqlx::Error> {
    if *known.epoch != *epoch {
        let sql = "SELECT number FROM epochs WHERE epoch = $1";
        let known = connection.rows(sql, &[&text(&known.epoch)]).await?;
        return Ok(if known.is_empty() { Standing::Lost } else { Standing::Elsewhere });
    }
    let sql = "SELECT generation, tag, kinds FROM commits WHERE generation >= $1 ORDER BY generation";
    let commits = connection.rows(sql, &[&count(known.generation)]).await?;
    let mut kinds = BTreeSet::new();
    let mut met = false;
    for commit in &commits {
        if commit.number("generation")? == known.generation {
            met = commit.string("tag")? == *known.tag;
        } else {
            kinds.extend(commit.string("kinds")?.split(' ').map(String::from));
        }
    }
    if met {
        return Ok(if kinds.contains("*") { Standing::Far } else { Standing::Behind(kinds) });
    }
    let oldest = connection.row("SELECT min(generation) AS oldest FROM commits", &[]).await?.int("oldest")?;
    let kept = oldest.map_or(0, i64::cast_unsigned);
    Ok(if known.generation < kept && known.generation < generation { Standing::Far } else { Standing::Lost })
}

/// Begins a new epoch because the database has lost a known state, unless another server has done so meanwhile.
pub(super) async fn begin_epoch(connection: &mut Connection, known: &Mark) -> Result<(), StoreError> {
    connection.begin(For::Writing).await?;
    let begun = begin_epoch_within(connection, known).await;
    match begun {
        Ok(true) => {
            crash::point(Point::EpochBeforeCommit);
            connection.commit().await?;
            crash::point(Point::EpochCommitted);
            Ok(())
        }
        Ok(false) => Ok(connection.rollback().await?),
        Err(error) => {
            // The first error says more than one of the way back.
            let _ = connection.rollback().await;
            Err(error)
        }
    }
}

async fn begin_epoch_within(connection: &mut Connection, known: &Mark) -> Result<bool, StoreError> {
    let tag = text(random_tag());
    connection.run("UPDATE meta SET generation = generation + 1, tag = $1", &[&tag]).await?;
    let Meta { mark, schema } = meta(connection).await?;
    check_schema(schema)?;
    if standing(connection, known, &mark.epoch, mark.generation - 1).await? != Standing::Lost {
        return Ok(false);
    }
    let generation = count(mark.generation.max(known.generation) + LEAP);
    let epoch = text(random_tag());
    tracing::warn!(
        known = known.generation,
        found = mark.generation - 1,
        "the database has lost what this server knew: it was restored, or a standby took over; a new epoch begins"
    );
    // The lost one is a forerunner, too: others that know it find that it has ended.
    for (epoch, begun) in [(&text(&known.epoch), &count(0)), (&epoch, &generation)] {
        let sql = "INSERT INTO epochs (epoch, number, begun) SELECT $1, coalesce(max(number), 0) + 1, $2 FROM epochs \
            WHERE true ON CONFLICT (epoch) DO NOTHING";
        connection.run(sql, &[epoch, begun]).await?;
    }
    connection.run("UPDATE meta SET generation = $1, epoch = $2", &[&generation, &epoch]).await?;
    let commit = "INSERT INTO commits (generation, tag, kinds) VALUES ($1, $2, '*')";
    connection.run(commit, &[&generation, &tag]).await?;
    Ok(true)
}

/// A server may write what it knows all of.
pub(super) fn check_schema(found: i64) -> Result<(), StoreError> {
    let ours = super::migrate::SCHEMA;
    if found > ours { Err(StoreError::TooNew { found, ours }) } else { Ok(()) }
}

/// What no other transaction, and no other epoch, is called.
pub(super) fn random_tag() -> String {
    let mut tag = [0; 16];
    super::random(&mut tag);
    Digest(tag).to_string()
}

/// Reads everything, in a transaction of its own.
pub(super) async fn read_all(connection: &mut Connection) -> Result<Seen, StoreError> {
    reading(connection, async |connection| {
        let Mark { generation, tag, epoch } = meta(connection).await?.mark;
        let world = Arc::new(load::everything(connection, generation).await?);
        Ok(Seen { world, tag, epoch })
    })
    .await
}

/// Publishes the database's present state, if it is not published yet.
pub(super) async fn bring_up(connection: &mut Connection, publisher: &Publisher) -> Result<(), StoreError> {
    if connection.is_postgres() {
        return in_time(bring_up_at_length(connection, publisher)).await;
    }
    bring_up_at_length(connection, publisher).await
}

/// Bounds the time that a dead connection can take.
pub(super) async fn in_time<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(PATIENCE, work).await.unwrap_or(Err(StoreError::Sql(sqlx::Error::PoolTimedOut)))
}

async fn bring_up_at_length(connection: &mut Connection, publisher: &Publisher) -> Result<(), StoreError> {
    loop {
        // Before the snapshot: what is published was committed, so the snapshot must have it.
        let known = publisher.seen();
        let news = reading(connection, async |connection| news(connection, &known).await).await?;
        match news {
            News::None => return Ok(()),
            News::Steps(after, changes) => {
                publisher.advance(after, changes);
                return Ok(());
            }
            News::All(after) => {
                if publisher.replace(&known.epoch, after) {
                    return Ok(());
                }
            }
            News::Lost => begin_epoch(connection, &known.mark()).await?,
        }
    }
}

/// What the database has beyond a known state.
pub(super) enum News {
    None,
    Steps(Seen, super::publish::Dated),
    All(Seen),
    Lost,
}

async fn news(connection: &mut Connection, known: &Seen) -> Result<News, StoreError> {
    let found = meta(connection).await?.mark;
    if found == known.mark() {
        return Ok(News::None);
    }
    let standing = standing(connection, &known.mark(), &found.epoch, found.generation).await?;
    apart(connection, known, found, standing).await
}

/// Reads what leads from a known state to the database's, within a transaction.
pub(super) async fn apart(
    connection: &mut Connection,
    known: &Seen,
    found: Mark,
    standing: Standing,
) -> Result<News, StoreError> {
    let Mark { generation, tag, epoch } = found;
    Ok(match standing {
        Standing::Lost => News::Lost,
        Standing::Behind(_) if generation == known.world.generation => News::None,
        Standing::Behind(kinds) => {
            let changes = load::newer(connection, known.world.generation, &kinds).await?;
            let mut world = World::clone(&known.world);
            changes.iter().for_each(|(_, change)| world.apply(change));
            world.generation = generation;
            News::Steps(Seen { world: Arc::new(world), tag, epoch }, changes)
        }
        Standing::Far | Standing::Elsewhere => {
            let world = Arc::new(load::everything(connection, generation).await?);
            News::All(Seen { world, tag, epoch })
        }
    })
}

/// Runs statements that see one state.
async fn reading<T>(
    connection: &mut Connection,
    read: impl AsyncFnOnce(&mut Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.begin(For::Reading).await?;
    let found = read(connection).await;
    let ended = connection.rollback().await;
    let found = found?;
    ended?;
    Ok(found)
}
