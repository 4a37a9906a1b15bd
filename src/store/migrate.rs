//! Migrations: numbered SQL files, append-only, applied in order at start.

use sqlx::{Connection, Executor, SqliteConnection};

use super::StoreError;

/// Every migration, oldest first; its number is its place here, from 1.
const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_one_host.sql"),
    include_str!("../../migrations/0002_many_hosts.sql"),
];

/// Brings the schema up to ours; a new store gets this epoch.
///
/// # Errors
/// A store that a newer Fogbank has migrated: this one must not write to it.
pub(super) async fn run(connection: &mut SqliteConnection, epoch: &str) -> Result<(), StoreError> {
    let ours = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found = schema(connection).await?;
    if found > ours {
        return Err(StoreError::TooNew { found, ours });
    }
    let done = usize::try_from(found).unwrap_or_default();
    for (number, sql) in (found + 1..).zip(&MIGRATIONS[done..]) {
        let mut transaction = connection.begin().await?;
        transaction.execute(*sql).await?;
        if number == 1 {
            let first = "INSERT INTO meta (one, generation, tag, schema, epoch) VALUES (1, 0, '', 0, $1)";
            sqlx::query(first).bind(epoch).execute(&mut *transaction).await?;
        }
        sqlx::query("UPDATE meta SET schema = $1").bind(number).execute(&mut *transaction).await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// The number of the last migration that ran; 0 for a new store.
async fn schema(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let tables = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'";
    let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut *connection).await?;
    if tables == 0 {
        return Ok(0);
    }
    Ok(sqlx::query_scalar("SELECT schema FROM meta").fetch_one(&mut *connection).await?)
}
