//! One connection, to either database, and rows as they come from it.

use std::fmt::Write as _;

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Executor as _, PgConnection, Postgres, Row as _, Sqlite, SqliteConnection};

use super::CommitError;
use super::cell::Cell;

/// An open connection. The two databases are sent the same statements, but for a few that are named here.
pub(super) enum Connection {
    Sqlite(Box<SqliteConnection>),
    Postgres(Box<PgConnection>),
}

/// A statement with what is bound to its `$1`, `$2` and so on.
pub(super) struct Statement {
    pub sql: String,
    pub cells: Vec<Cell>,
}

/// Values of statements that go to SQLite together. Longer ones are worth a turn each, and texts that are seldom the same
/// again are not worth preparing.
const TOGETHER: usize = 200;

/// Values of a transaction whose text stays prepared: one of more rows is seldom the same again.
const KEPT: usize = 1000;

/// What a transaction is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum For {
    Writing,
    /// Every statement sees the same state.
    Reading,
}

macro_rules! bound {
    ($database:ty, $sql:expr, $cells:expr) => {{
        let mut query = sqlx::query::<$database>($sql);
        for cell in $cells {
            query = match cell {
                Cell::Text(value) => query.bind(value),
                Cell::Int(value) => query.bind(value),
                Cell::Bool(value) => query.bind(value),
            };
        }
        query
    }};
}

impl Connection {
    pub const fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Runs one statement; how many rows it changed.
    pub async fn run(&mut self, sql: &str, cells: &[&Cell]) -> Result<u64, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(one) => bound!(Sqlite, sql, cells).execute(&mut **one).await?.rows_affected(),
            Self::Postgres(one) => bound!(Postgres, sql, cells).execute(&mut **one).await?.rows_affected(),
        })
    }

    /// Runs statements one after the other.
    ///
    /// SQLite works in a thread of its own, and the way there and back takes longer than a small statement: a few go
    /// together.
    pub async fn run_all(&mut self, statements: &[Statement]) -> Result<(), sqlx::Error> {
        let values: usize = statements.iter().map(|one| one.cells.len()).sum();
        if !self.is_postgres() && values <= TOGETHER {
            let cells: Vec<&Cell> = statements.iter().flat_map(|one| &one.cells).collect();
            return self.run(&joined(statements), &cells).await.map(drop);
        }
        for Statement { sql, cells } in statements {
            let plain = if self.is_postgres() { None } else { unnumbered(sql) };
            self.run(plain.as_ref().unwrap_or(sql), &cells.iter().collect::<Vec<_>>()).await?;
        }
        Ok(())
    }

    /// A write transaction, from its BEGIN to its COMMIT; with SQLite in one turn. After an error it may still be open.
    pub async fn transaction(&mut self, statements: &[Statement]) -> Result<(), sqlx::Error> {
        let Self::Sqlite(one) = self else {
            self.begin(For::Writing).await?;
            self.run_all(statements).await?;
            return self.commit().await;
        };
        let cells: Vec<&Cell> = statements.iter().flat_map(|one| &one.cells).collect();
        let sql = format!("BEGIN IMMEDIATE;{}COMMIT", joined(statements));
        let kept = cells.len() <= KEPT;
        bound!(Sqlite, &sql, cells).persistent(kept).execute(&mut **one).await.map(drop)
    }

    pub async fn rows(&mut self, sql: &str, cells: &[&Cell]) -> Result<Vec<DbRow>, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(one) => {
                let rows = bound!(Sqlite, sql, cells).fetch_all(&mut **one).await?;
                rows.into_iter().map(DbRow::Sqlite).collect()
            }
            Self::Postgres(one) => {
                let rows = bound!(Postgres, sql, cells).fetch_all(&mut **one).await?;
                rows.into_iter().map(DbRow::Postgres).collect()
            }
        })
    }

    /// Hands on each row as it comes: a hundred thousand at once take several times what is made of them, and what a process
    /// once had it seldom gives back.
    pub async fn each(
        &mut self,
        sql: &str,
        cells: &[&Cell],
        mut take: impl FnMut(&DbRow),
    ) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(one) => {
                let mut rows = bound!(Sqlite, sql, cells).fetch(&mut **one);
                while let Some(row) = rows.try_next().await? {
                    take(&DbRow::Sqlite(row));
                }
            }
            Self::Postgres(one) => {
                let mut rows = bound!(Postgres, sql, cells).fetch(&mut **one);
                while let Some(row) = rows.try_next().await? {
                    take(&DbRow::Postgres(row));
                }
            }
        }
        Ok(())
    }

    /// The first row; none is an error.
    pub async fn row(&mut self, sql: &str, cells: &[&Cell]) -> Result<DbRow, sqlx::Error> {
        self.rows(sql, cells).await?.into_iter().next().ok_or(sqlx::Error::RowNotFound)
    }

    /// Runs several statements that have no parameters.
    pub async fn script(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        match self {
            Self::Sqlite(one) => one.execute(sql).await.map(drop),
            Self::Postgres(one) => one.execute(sql).await.map(drop),
        }
    }

    pub async fn begin(&mut self, what_for: For) -> Result<(), sqlx::Error> {
        let sql = match (&self, what_for) {
            (Self::Sqlite(_), For::Writing) => "BEGIN IMMEDIATE",
            (Self::Sqlite(_), For::Reading) => "BEGIN",
            (Self::Postgres(_), For::Writing) => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
            (Self::Postgres(_), For::Reading) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        self.script(sql).await
    }

    pub async fn commit(&mut self) -> Result<(), sqlx::Error> {
        self.script("COMMIT").await
    }

    pub async fn rollback(&mut self) -> Result<(), sqlx::Error> {
        self.script("ROLLBACK").await
    }

    /// What an error of a statement means for the transaction that it was in.
    pub fn judge(&self, error: sqlx::Error) -> CommitError {
        match (self, code(&error).as_deref()) {
            // Classes 22 and 23: a value or a row that the tables forbid
            // (<https://www.postgresql.org/docs/15/errcodes-appendix.html>).
            (Self::Postgres(_), Some(code)) if code.starts_with("22") || code.starts_with("23") => {
                CommitError::Constraint(error)
            }
            (Self::Postgres(_), _) => CommitError::Unavailable(error.into()),
            (Self::Sqlite(_), code) => match code.and_then(primary) {
                Some(19) => CommitError::Constraint(error),
                Some(5 | 6 | 13) => CommitError::Unavailable(error.into()),
                _ => CommitError::Fatal(error),
            },
        }
    }

    /// Whether a transaction of SQLite's that ended so is surely not committed: the tables forbid it, or another has the lock.
    pub fn is_refused(error: &sqlx::Error) -> bool {
        matches!(code(error).as_deref().and_then(primary), Some(5 | 6 | 19))
    }
}

/// The database's own code for an error of its.
fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code().map(String::from))
}

/// The primary one of SQLite's result codes: <https://www.sqlite.org/rescode.html>.
fn primary(code: &str) -> Option<i32> {
    code.parse::<i32>().ok().map(|code| code & 0xff)
}

/// The statements as one text, with their values numbered through where they are not in order.
fn joined(statements: &[Statement]) -> String {
    if let Some(plain) = statements.iter().map(|one| unnumbered(&one.sql)).collect::<Option<Vec<_>>>() {
        return plain.iter().flat_map(|sql| [sql, ";"]).collect();
    }
    let (mut out, mut before) = (String::new(), 0);
    for Statement { sql, cells } in statements {
        let (head, values) = pieces(sql);
        out.push_str(head);
        for (number, rest) in values {
            let _ = write!(out, "${}{rest}", number + before);
        }
        out.push(';');
        before += cells.len();
    }
    out
}

/// The text with its values in order and without their numbers; `None` where they are not in order. SQLite takes a numbered
/// value for one with a name, which it looks for among all before it: of a thousand rows that is most of the work.
fn unnumbered(sql: &str) -> Option<String> {
    let (head, values) = pieces(sql);
    let mut out = head.to_owned();
    for (at, (number, rest)) in values.enumerate() {
        if number != at + 1 {
            return None;
        }
        out.push('?');
        out.push_str(rest);
    }
    Some(out)
}

/// What comes before the first value, and each value's number with what follows it.
fn pieces(sql: &str) -> (&str, impl Iterator<Item = (usize, &str)>) {
    // Our statements have this sign before a number and nowhere else.
    let mut pieces = sql.split('$');
    let head = pieces.next().unwrap_or_default();
    let values = pieces.map(|piece| {
        let digits = piece.len() - piece.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        (piece[..digits].parse().unwrap_or_default(), &piece[digits..])
    });
    (head, values)
}

/// A row of either database.
pub(super) enum DbRow {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

macro_rules! column {
    ($name:ident, $type:ty) => {
        pub fn $name(&self, column: &str) -> Result<Option<$type>, sqlx::Error> {
            match self {
                Self::Sqlite(row) => row.try_get(column),
                Self::Postgres(row) => row.try_get(column),
            }
        }
    };
}

impl DbRow {
    column!(text, String);
    column!(int, i64);
    column!(bool, bool);

    /// The first column, where it is text: the row's key or the start of it.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Sqlite(row) => row.try_get(0).ok(),
            Self::Postgres(row) => row.try_get(0).ok(),
        }
    }

    /// A column that is never null.
    pub fn number(&self, column: &str) -> Result<u64, sqlx::Error> {
        Ok(self.int(column)?.unwrap_or_default().cast_unsigned())
    }

    /// A column that is never null.
    pub fn string(&self, column: &str) -> Result<String, sqlx::Error> {
        Ok(self.text(column)?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::cell::int;

    #[test]
    fn values_are_numbered_through() {
        let statement =
            |sql: &str, values: i64| Statement { sql: sql.into(), cells: (0..values).map(int).collect() };
        let both = [
            statement("INSERT INTO a VALUES ($1, $2), ($3, $10)", 10),
            statement("DELETE FROM b WHERE c = $1", 1),
        ];
        assert_eq!(joined(&both), "INSERT INTO a VALUES ($1, $2), ($3, $10);DELETE FROM b WHERE c = $11;");
    }

    #[test]
    fn only_values_in_order_need_no_numbers() {
        let plain = unnumbered("INSERT INTO a VALUES ($1, $2), ($3, $4) ON CONFLICT (b) DO NOTHING");
        assert_eq!(plain.unwrap(), "INSERT INTO a VALUES (?, ?), (?, ?) ON CONFLICT (b) DO NOTHING");
        assert_eq!(unnumbered("BEGIN").unwrap(), "BEGIN");
        for odd in ["UPDATE a SET b = $1 WHERE c = $1", "UPDATE a SET b = $2 WHERE c = $1", "SELECT $2"] {
            assert_eq!(unnumbered(odd), None, "{odd}");
        }
    }
}
