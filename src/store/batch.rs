//! What one transaction writes: many changes as few statements.

use std::collections::BTreeMap;

use super::cell::{Cell, count, text};
use super::connection::{Connection, Statement};
use super::keys;
use super::table::{Table, delete_sql, placeholders, rows_per_statement, upsert_sql};
use super::tables::every_table;
use crate::world::*;

/// What one transaction does to one table.
struct Writes {
    table: &'static str,
    columns: &'static [&'static str],
    keys: usize,
    upsert_sql: fn(usize) -> String,
    puts: Vec<Vec<Cell>>,
    deletes: Vec<Vec<Cell>>,
}

impl Writes {
    const fn of<T: Table>() -> Self {
        let (columns, keys) = (T::COLUMNS, T::KEYS);
        Self {
            table: T::NAME,
            columns,
            keys,
            upsert_sql: upsert_sql::<T>,
            puts: Vec::new(),
            deletes: Vec::new(),
        }
    }
}

/// A transaction's changes, each row once: the last change to it counts.
#[derive(Default)]
pub(super) struct Batch<'a> {
    last: BTreeMap<Key, &'a Change>,
}

impl<'a> Batch<'a> {
    pub fn of(changes: impl IntoIterator<Item = &'a Change>) -> Self {
        let key = |change: &'a Change| match change {
            Change::Put(row) => row.key(),
            Change::Delete(key) => key.clone(),
        };
        Self { last: changes.into_iter().map(|change| (key(change), change)).collect() }
    }

    fn by_table(self) -> BTreeMap<&'static str, Writes> {
        macro_rules! sort {
            ($($row:ident),*) => {{
                let mut tables = BTreeMap::new();
                for (key, change) in self.last {
                    let writes = match &key {
                        $(Key::$row(_) => tables.entry($row::NAME).or_insert_with(Writes::of::<$row>),)*
                    };
                    match change {
                        $(Change::Put(Row::$row(row)) => writes.puts.push(row.cells()),)*
                        Change::Delete(key) => writes.deletes.push(keys::cells(key)),
                    }
                }
                tables
            }};
        }
        every_table!(sort)
    }

    /// Writes all, and says which tables that was.
    pub async fn write(
        self,
        connection: &mut Connection,
        generation: u64,
    ) -> Result<Vec<&'static str>, sqlx::Error> {
        let (statements, tables) = self.statements(generation);
        connection.run_all(&statements).await?;
        Ok(tables)
    }

    /// The statements that write all, and which tables that is.
    pub fn statements(self, generation: u64) -> (Vec<Statement>, Vec<&'static str>) {
        let tables = self.by_table();
        let mut statements = Vec::new();
        // A row may take over what a deleted one had to itself, so deletes come first.
        for writes in tables.values() {
            for some in writes.deletes.chunks(rows_per_statement(writes.keys)) {
                let sql = delete_sql(writes.table, &writes.columns[..writes.keys], some.len());
                statements.push(Statement { sql, cells: some.iter().flatten().cloned().collect() });
                statements.push(bury(generation, writes.table, some));
            }
        }
        let generation = count(generation);
        for writes in tables.values() {
            for some in writes.puts.chunks(rows_per_statement(writes.columns.len() + 1)) {
                let cells =
                    some.iter().flat_map(|row| row.iter().chain(std::iter::once(&generation))).cloned();
                statements.push(Statement { sql: (writes.upsert_sql)(some.len()), cells: cells.collect() });
            }
        }
        (statements, tables.into_keys().collect())
    }
}

/// Notes what was deleted, for servers that catch up.
fn bury(generation: u64, table: &str, keys: &[Vec<Cell>]) -> Statement {
    let values = (0..keys.len()).map(|row| placeholders(row * 3, 3)).collect::<Vec<_>>().join(", ");
    let cells = keys.iter().flat_map(|key| [count(generation), text(table), text(keys::id(key))]).collect();
    Statement { sql: format!("INSERT INTO tombstones (generation, kind, id) VALUES {values}"), cells }
}
