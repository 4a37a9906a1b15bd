//! Reading: everything at start, and what is newer than the own generation afterwards.

use std::collections::BTreeSet;

use super::cell::{ReadError, Reader, Shared, count};
use super::connection::{Connection, DbRow};
use super::publish::Dated;
use super::table::Table;
use super::tables::every_table;
use super::{StoreError, keys};
use crate::world::*;

/// Reads every row; the World's generation is the one given.
///
/// # Errors
/// Rows that are not what their table says are errors that name each; none is left out.
pub(super) async fn everything(connection: &mut Connection, generation: u64) -> Result<World, StoreError> {
    let begun = connection.row("SELECT max(begun) AS begun FROM epochs", &[]).await?.number("begun")?;
    let mut world = World { generation, begun, ..World::default() };
    let mut bad = Vec::new();
    macro_rules! load {
        ($($row:ident),*) => {
            $(for (_, row) in table::<$row>(connection, None, &mut bad).await? {
                world.apply(&Change::put(row));
            })*
        };
    }
    every_table!(load);
    if bad.is_empty() { Ok(world) } else { Err(StoreError::Rows(bad)) }
}

/// Reads what is newer than a generation, in the tables that were written to; oldest first.
///
/// Only the last state of each row is there to be read: changes that were overtaken are not in the list.
///
/// # Errors
/// As above.
pub(super) async fn newer(
    connection: &mut Connection,
    than: u64,
    kinds: &BTreeSet<String>,
) -> Result<Dated, StoreError> {
    let mut changes = Dated::new();
    let mut bad = Vec::new();
    let sql = "SELECT generation, kind, id FROM tombstones WHERE generation > $1";
    for row in connection.rows(sql, &[&count(than)]).await? {
        let (kind, id) = (row.string("kind")?, row.string("id")?);
        match keys::parse(&kind, &id) {
            Ok(Some(key)) => changes.push((row.number("generation")?, Change::Delete(key))),
            Ok(None) => {}
            Err(problem) => {
                let problem = format!("{kind}: {problem}");
                bad.push(ReadError { table: "tombstones", row: id, column: "id", problem });
            }
        }
    }
    macro_rules! load {
        ($($row:ident),*) => {
            $(if kinds.contains($row::NAME) {
                for (generation, row) in table::<$row>(connection, Some(than), &mut bad).await? {
                    changes.push((generation, Change::put(row)));
                }
            })*
        };
    }
    every_table!(load);
    // Stable: what was deleted and made again is deleted first.
    changes.sort_by_key(|(generation, _)| *generation);
    if bad.is_empty() { Ok(changes) } else { Err(StoreError::Rows(bad)) }
}

async fn table<T: Table>(
    connection: &mut Connection,
    newer: Option<u64>,
    bad: &mut Vec<ReadError>,
) -> Result<Vec<(u64, T)>, StoreError> {
    let select = format!("SELECT {}, generation FROM {}", T::COLUMNS.join(", "), T::NAME);
    let (sql, than) = match newer {
        Some(than) => (format!("{select} WHERE generation > $1"), vec![count(than)]),
        None => (select, Vec::new()),
    };
    let mut read = Vec::new();
    let (rows, shared) = (&mut read, Shared::default());
    let take = move |row: &DbRow| {
        let reader = Reader { table: T::NAME, row, shared: &shared };
        match T::read(&reader).and_then(|made| Ok((reader.number("generation")?, made))) {
            Ok(row) => rows.push(row),
            Err(error) => bad.push(error),
        }
    };
    connection.each(&sql, &than.iter().collect::<Vec<_>>(), take).await?;
    Ok(read)
}
