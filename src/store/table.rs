//! One table: its columns, and how a row becomes cells and back.

use super::cell::{Cell, ReadError, Reader};

/// A row type that has a table. The columns leave out `generation`, which every table has.
pub(super) trait Table: Sized {
    const NAME: &'static str;
    /// The key's columns come first.
    const COLUMNS: &'static [&'static str];
    const KEYS: usize;

    /// In the order of COLUMNS.
    fn cells(&self) -> Vec<Cell>;

    fn read(row: &Reader<'_>) -> Result<Self, ReadError>;
}

/// `INSERT … ON CONFLICT … DO UPDATE` for so many rows.
pub(super) fn upsert_sql<T: Table>(rows: usize) -> String {
    let columns = T::COLUMNS.join(", ");
    let width = T::COLUMNS.len() + 1;
    let values = (0..rows).map(|row| placeholders(row * width, width)).collect::<Vec<_>>().join(", ");
    let keys = T::COLUMNS[..T::KEYS].join(", ");
    let updates = T::COLUMNS[T::KEYS..]
        .iter()
        .chain(&["generation"])
        .map(|column| format!("{column} = excluded.{column}"));
    let updates = updates.collect::<Vec<_>>().join(", ");
    format!(
        "INSERT INTO {} ({columns}, generation) VALUES {values} ON CONFLICT ({keys}) DO UPDATE SET {updates}",
        T::NAME
    )
}

/// `DELETE` for so many keys.
pub(super) fn delete_sql(table: &str, keys: &[&str], rows: usize) -> String {
    let each = |row: usize| {
        let terms = keys.iter().enumerate().map(|(i, key)| format!("{key} = ${}", row * keys.len() + i + 1));
        format!("({})", terms.collect::<Vec<_>>().join(" AND "))
    };
    format!("DELETE FROM {table} WHERE {}", (0..rows).map(each).collect::<Vec<_>>().join(" OR "))
}

/// `($5, $6, …)`, so many after the first `from`.
pub(super) fn placeholders(from: usize, count: usize) -> String {
    let numbers = (from + 1..=from + count).map(|number| format!("${number}")).collect::<Vec<_>>();
    format!("({})", numbers.join(", "))
}

/// How many rows one statement takes, below the 32,766 parameters that SQLite allows.
pub(super) const fn rows_per_statement(width: usize) -> usize {
    let fit = 30_000 / width;
    if fit > 500 { 500 } else { fit }
}
