//! One write transaction, from the lock to the published World.

use std::collections::BTreeMap;
use std::time::Duration;

use super::at_once;
use super::batch::Batch;
use super::cell::{Cell, count, text};
use super::connection::{Connection, For, Statement};
use super::history::{self, Mark, Meta, News, Standing};
use super::job::{Job, Outcome, decide_all};
use super::opened::{Locked, begin_write};
use super::publish::{Dated, Publisher, Seen};
use super::{Reloaded, StoreError, load};
use crate::control::Status;
use crate::crash::{self, Point};
use crate::world::{Change, World};

/// How many generations `commits` and `tombstones` reach back.
const KEPT_GENERATIONS: u64 = 10_000;
/// How often they are shortened, in generations.
const PRUNE_EVERY: u64 = 256;
/// How long Postgres may take for all up to the COMMIT, and for that; a disk may take as long as it takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a transaction was not committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A decision made what the tables forbid: a defect of ours, contained to its request.
    #[error("a constraint of the store refused the change")]
    Constraint(#[source] sqlx::Error),
    /// Nothing was written; it may go better later (disk full, locked, the database away).
    #[error("the store cannot be written now")]
    Unavailable(#[source] StoreError),
    /// The connection went while the COMMIT was under way.
    #[error("the database did not say whether it has committed")]
    Unknown { tag: String, outcomes: Vec<Outcome>, source: sqlx::Error },
    /// The database has not what this server knows.
    #[error("the database has lost commits")]
    Lost,
    /// What is on disk is not known any more; going on could build on a write that is not there.
    #[error("the store failed")]
    Fatal(#[source] sqlx::Error),
}

impl CommitError {
    /// Whether the connection is as good as before.
    pub(super) fn spares_connection(&self) -> bool {
        use StoreError::{References, Rows, Sql, TooNew};
        // lock_not_available: asked again at once, it would only be waited for as long again.
        let locked = |error: &sqlx::Error| {
            error.as_database_error().is_some_and(|error| error.code().as_deref() == Some("55P03"))
        };
        match self {
            Self::Constraint(_) | Self::Lost | Self::Unavailable(TooNew { .. } | Rows(_) | References(_)) => {
                true
            }
            Self::Unavailable(Sql(error)) => locked(error),
            Self::Unavailable(_) | Self::Unknown { .. } | Self::Fatal(_) => false,
        }
    }
}

/// Decides the jobs, commits what they change, publishes it.
pub(super) async fn transact(
    connection: &mut Connection,
    publisher: &Publisher,
    jobs: &mut [Box<dyn Job>],
    status: &Status,
    server: &str,
) -> Result<Vec<Outcome>, CommitError> {
    if !connection.is_postgres()
        && let Some(outcomes) = at_once::transact(connection, publisher, jobs, status).await?
    {
        return Ok(outcomes);
    }
    let tag = history::random_tag();
    let known = publisher.seen();
    let prepared = in_time(connection, async |connection| {
        let (mark, news) = begin(connection, &known, &tag).await?;
        crash::point(Point::StoreLocked);
        let (world, way) = match news {
            News::None => (World::clone(&known.world), Some(Dated::new())),
            News::Steps(seen, changes) => (World::clone(&seen.world), Some(changes)),
            News::All(seen) => (World::clone(&seen.world), None),
            News::Lost => return Err(CommitError::Lost),
        };
        let decided = decide_all(jobs, world, status);
        crash::point(Point::StoreDecided);
        if !decided.changes.is_empty() {
            let written = write(connection, &decided.changes, &mark, server).await;
            written.map_err(|error| connection.judge(error))?;
        }
        Ok((mark, way, decided))
    });
    let (mark, way, decided) = match prepared.await {
        Ok(prepared) => prepared,
        Err(error) => return Err(back_out(connection, error).await),
    };
    if decided.changes.is_empty() {
        connection.rollback().await.map_err(|error| connection.judge(error))?;
        return Ok(decided.outcomes);
    }
    let outcomes = commit(connection, &tag, decided.outcomes).await?;
    crash::point(Point::StoreCommitted);
    publish(publisher, &known, (mark, decided.world), decided.changes, way);
    Ok(outcomes)
}

/// Publishes what was committed. `way`: what leads from the known state to the one that was decided on; `None` where that
/// was read anew.
pub(super) fn publish(
    publisher: &Publisher,
    known: &Seen,
    (mark, world): (Mark, World),
    changes: Vec<Change>,
    way: Option<Dated>,
) {
    let generation = mark.generation;
    let after = Seen { world: World { generation, ..world }.into(), tag: mark.tag, epoch: mark.epoch };
    match way {
        Some(mut way) => {
            way.extend(changes.into_iter().map(|change| (generation, change)));
            publisher.advance(after, way);
        }
        None => drop(publisher.replace(&known.epoch, after)),
    }
    crash::point(Point::StorePublished);
}

/// Locks, and reads what others have done since.
async fn begin(connection: &mut Connection, known: &Seen, tag: &str) -> Result<(Mark, News), CommitError> {
    let Locked { before, meta: Meta { mark, .. } } = begin_write(connection, &text(tag)).await?;
    if before.is_some_and(|before| before == known.mark()) {
        return Ok((mark, News::None));
    }
    let last = mark.generation - 1;
    let standing = history::standing(connection, &known.mark(), &mark.epoch, last).await;
    let standing = standing.map_err(|error| connection.judge(error))?;
    // The tag of the last commit is overwritten; nothing is published under this one before it is committed.
    let found = Mark { generation: last, ..mark.clone() };
    Ok((mark, history::apart(connection, known, found, standing).await?))
}

pub(super) async fn write(
    connection: &mut Connection,
    changes: &[Change],
    mark: &Mark,
    server: &str,
) -> Result<(), sqlx::Error> {
    let (mut statements, kinds) = Batch::of(changes).statements(mark.generation);
    statements.push(into_history(mark, &kinds.join(" ")));
    connection.run_all(&statements).await?;
    crash::point(Point::StoreRowsWritten);
    note(connection, mark, server).await
}

/// Writes the commit into the history.
pub(super) fn into_history(mark: &Mark, kinds: &str) -> Statement {
    let sql = "INSERT INTO commits (generation, tag, kinds) VALUES ($1, $2, $3)".to_owned();
    Statement { sql, cells: vec![count(mark.generation), text(&mark.tag), text(kinds)] }
}

/// Whether the transaction of this generation shortens the history.
pub(super) const fn is_time_to_prune(generation: u64) -> bool {
    generation.is_multiple_of(PRUNE_EVERY)
}

/// Shortens the history now and then, and tells the other servers of the commit.
async fn note(connection: &mut Connection, mark: &Mark, server: &str) -> Result<(), sqlx::Error> {
    if is_time_to_prune(mark.generation) {
        let oldest: Cell = count(mark.generation.saturating_sub(KEPT_GENERATIONS));
        for table in ["commits", "tombstones"] {
            connection.run(&format!("DELETE FROM {table} WHERE generation < $1"), &[&oldest]).await?;
        }
    }
    if connection.is_postgres() {
        connection.rows("SELECT pg_notify('fogbank', $1)::text AS sent", &[&text(server)]).await?;
    }
    Ok(())
}

async fn commit(
    connection: &mut Connection,
    tag: &str,
    outcomes: Vec<Outcome>,
) -> Result<Vec<Outcome>, CommitError> {
    crash::point(Point::StoreBeforeCommit);
    let committed = if connection.is_postgres() {
        let late = |_| Err(sqlx::Error::PoolTimedOut);
        tokio::time::timeout(PATIENCE, connection.commit()).await.unwrap_or_else(late)
    } else {
        connection.commit().await
    };
    let Err(error) = committed else { return Ok(outcomes) };
    if connection.is_postgres() {
        if error.as_database_error().is_some() {
            // Postgres said no: deferred constraints are looked at now.
            let error = connection.judge(error);
            return Err(back_out(connection, error).await);
        }
        return Err(CommitError::Unknown { tag: tag.to_owned(), outcomes, source: error });
    }
    settle(connection, tag, error, outcomes).await
}

/// What became of a transaction in a file whose COMMIT may have been reached.
pub(super) async fn settle(
    connection: &mut Connection,
    tag: &str,
    error: sqlx::Error,
    outcomes: Vec<Outcome>,
) -> Result<Vec<Outcome>, CommitError> {
    let refused = Connection::is_refused(&error);
    let error = connection.judge(error);
    let error = back_out(connection, error).await;
    if refused {
        return Err(error);
    }
    // The answer was an error, but the commit may have happened.
    match fate(connection, tag).await {
        Ok(Fate::Committed) => Ok(outcomes),
        Ok(Fate::Nothing) => Err(error),
        Err(StoreError::Sql(error)) => Err(CommitError::Fatal(error)),
        Err(_) => Err(error),
    }
}

/// Ends a transaction that failed, where the connection still listens; the others end with their connection.
async fn back_out(connection: &mut Connection, error: CommitError) -> CommitError {
    if connection.is_postgres() && !error.spares_connection() {
        return error;
    }
    match connection.rollback().await {
        Err(worse) if connection.is_postgres() => CommitError::Unavailable(worse.into()),
        // SQLite ends some failed transactions by itself.
        _ => error,
    }
}

/// Bounds the time that a dead connection can take.
async fn in_time<T>(
    connection: &mut Connection,
    work: impl AsyncFnOnce(&mut Connection) -> Result<T, CommitError>,
) -> Result<T, CommitError> {
    if !connection.is_postgres() {
        return work(connection).await;
    }
    let late = |_| Err(CommitError::Unavailable(StoreError::Sql(sqlx::Error::PoolTimedOut)));
    tokio::time::timeout(PATIENCE, work(connection)).await.unwrap_or_else(late)
}

/// What became of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    Committed,
    Nothing,
}

/// Looks a transaction up by its tag. Its backend may still be at it: that holds the lock, and this waits for the lock.
pub(super) async fn fate(connection: &mut Connection, tag: &str) -> Result<Fate, StoreError> {
    connection.begin(For::Writing).await?;
    connection.run("UPDATE meta SET tag = tag", &[]).await?;
    let found = connection.rows("SELECT generation FROM commits WHERE tag = $1", &[&text(tag)]).await?;
    connection.rollback().await?;
    Ok(if found.is_empty() { Fate::Nothing } else { Fate::Committed })
}

/// Reads everything again as a new generation, so that what was changed by hand is seen, here and by every other server.
pub(super) async fn reload(
    connection: &mut Connection,
    publisher: &Publisher,
    server: &str,
) -> Result<Reloaded, CommitError> {
    let tag = history::random_tag();
    let known = publisher.seen();
    let read = in_time(connection, async |connection| {
        let mark = begin_write(connection, &text(&tag)).await?.meta.mark;
        let standing = history::standing(connection, &known.mark(), &mark.epoch, mark.generation - 1).await;
        if standing.map_err(|error| connection.judge(error))? == Standing::Lost {
            return Err(CommitError::Lost);
        }
        let broken = broken_references(connection).await.map_err(|error| connection.judge(error))?;
        if !broken.is_empty() {
            return Err(StoreError::References(broken.join("\n")).into());
        }
        let world = load::everything(connection, mark.generation).await?;
        let noted = async {
            connection.run_all(&[into_history(&mark, "*")]).await?;
            note(connection, &mark, server).await
        };
        let noted = noted.await;
        noted.map_err(|error| connection.judge(error))?;
        Ok((mark, world))
    });
    let (Mark { generation, tag, epoch }, world) = match read.await {
        Ok(read) => read,
        Err(error) => return Err(back_out(connection, error).await),
    };
    commit(connection, &tag, Vec::new()).await?;
    let differences = differences(&known.world, &world);
    publisher.replace(&known.epoch, Seen { world: world.into(), tag, epoch });
    Ok(Reloaded { generation, differences })
}

/// SQLite's shell does not look at references unless it is told to.
async fn broken_references(connection: &mut Connection) -> Result<Vec<String>, sqlx::Error> {
    if connection.is_postgres() {
        return Ok(Vec::new());
    }
    let sql = "SELECT \"table\" AS child, coalesce(rowid, 0) AS row, parent FROM pragma_foreign_key_check()";
    let say = |row: super::connection::DbRow| {
        let (child, parent) = (row.string("child")?, row.string("parent")?);
        Ok(format!("table {child}, rowid {}: names a row of {parent} that is not there", row.number("row")?))
    };
    connection.rows(sql, &[]).await?.into_iter().map(say).collect()
}

/// How many rows of each table differ.
fn differences(before: &World, after: &World) -> BTreeMap<&'static str, usize> {
    macro_rules! count {
        ($($table:ident),*) => {{
            let all = [$((stringify!($table), before.$table.diff(&after.$table).count()),)*
                ("deployment", usize::from(before.deployment != after.deployment))];
            all.into_iter().filter(|(_, rows)| *rows > 0).collect()
        }};
    }
    count!(
        accounts,
        access_keys,
        pools,
        networks,
        hosts,
        images,
        vpcs,
        subnets,
        groups,
        rules,
        key_pairs,
        insights_paths,
        insights_analyses,
        launch_templates,
        launch_template_versions,
        instances,
        enis,
        addresses,
        address_transfers,
        tags,
        claims,
        freed,
        tokens
    )
}
