//! A write transaction in one turn, for a store that nobody else writes to.
//!
//! SQLite works in a thread of its own, and the way there and back costs more than a small statement. In a file the
//! published World is the newest there is: jobs are decided on it first, and everything from the lock to the COMMIT goes
//! to the thread together. Its first statement fails where the file holds another state than that World's, as after an
//! operator's repair by hand; then, and where anything else is not as usual, the long way ([`super::transact`]) is gone.

use super::batch::Batch;
use super::cell::{Cell, count, int, text};
use super::connection::{Connection, Statement};
use super::history::{self, Mark};
use super::job::{Job, Outcome, decide_all};
use super::publish::{Publisher, Seen};
use super::transact::{CommitError, into_history, is_time_to_prune, publish, settle};
use crate::control::Status;
use crate::crash::{self, Point};
use crate::world::{Change, World};

/// Values of a transaction that goes in one turn: more are worth turns of their own.
const VALUES: usize = 4_000;

/// No generation is NULL: in a file with another state than the known one this statement fails.
const GUARD: &str = "UPDATE meta SET tag = $1, generation = \
    CASE WHEN generation = $2 AND tag = $3 AND epoch = $4 AND schema <= $5 THEN generation + 1 END";

/// Decides the jobs, commits what they change, publishes it; `None` where the long way must be gone: nothing has happened
/// then.
pub(super) async fn transact(
    connection: &mut Connection,
    publisher: &Publisher,
    jobs: &mut [Box<dyn Job>],
    status: &Status,
) -> Result<Option<Vec<Outcome>>, CommitError> {
    let known = publisher.seen();
    let generation = known.world.generation + 1;
    if is_time_to_prune(generation) || crash::is_within_transaction() {
        return Ok(None);
    }
    let decided = decide_all(jobs, World::clone(&known.world), status);
    crash::point(Point::StoreDecided);
    if decided.changes.is_empty() {
        return Ok(Some(decided.outcomes));
    }
    let mark = Mark { generation, tag: history::random_tag().into(), epoch: known.epoch.clone() };
    let statements = statements(&known, &mark, &decided.changes);
    let values: usize = statements.iter().map(|one| one.cells.len()).sum();
    if values > VALUES {
        return Ok(None);
    }
    let committed = match connection.transaction(&statements).await {
        Ok(()) => Ok(decided.outcomes),
        Err(error) => settle(connection, &mark.tag, error, decided.outcomes).await,
    };
    let outcomes = match committed {
        Ok(outcomes) => outcomes,
        // The state is another than the known one, or a decision broke a constraint: which one is seen on the long way.
        Err(CommitError::Constraint(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    crash::point(Point::StoreCommitted);
    publish(publisher, &known, (mark, decided.world), decided.changes, Some(Vec::new()));
    Ok(Some(outcomes))
}

fn statements(known: &Seen, mark: &Mark, changes: &[Change]) -> Vec<Statement> {
    let schema = int(super::migrate::SCHEMA);
    let was: [Cell; 3] = [count(known.world.generation), text(&known.tag), text(&known.epoch)];
    let cells = [text(&mark.tag)].into_iter().chain(was).chain([schema]).collect();
    let (rows, kinds) = Batch::of(changes).statements(mark.generation);
    let guard = Statement { sql: GUARD.to_owned(), cells };
    let history = into_history(mark, &kinds.join(" "));
    [guard].into_iter().chain(rows).chain([history]).collect()
}
