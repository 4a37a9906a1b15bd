//! Migrations: numbered SQL files, append-only, applied in order at start.

use super::StoreError;
use super::cell::{int, text};
use super::connection::{Connection, For};
use crate::crash::{self, Point};
use crate::types::Digest;

/// One step of the schema.
struct Migration {
    /// In the SQL that both know.
    both: &'static str,
    /// For one of them alone, afterwards.
    sqlite: &'static str,
    postgres: &'static str,
}

/// A file of migrations/, and that of the same name in the folders named.
macro_rules! migration {
    ($file:literal) => {
        Migration { both: include_str!(concat!("../../migrations/", $file)), sqlite: "", postgres: "" }
    };
    ($file:literal, postgres) => {
        Migration {
            postgres: include_str!(concat!("../../migrations/postgres/", $file)),
            ..migration!($file)
        }
    };
    ($file:literal, sqlite, postgres) => {
        Migration {
            sqlite: include_str!(concat!("../../migrations/sqlite/", $file)),
            ..migration!($file, postgres)
        }
    };
}

/// Every migration, oldest first; its number is its place here, from 1.
const MIGRATIONS: &[Migration] = &[
    migration!("0001_one_host.sql"),
    migration!("0002_many_hosts.sql"),
    migration!("0003_many_servers.sql", postgres),
    migration!("0004_epochs_begin.sql"),
    migration!("0005_leases_begin.sql"),
    migration!("0006_insights.sql", postgres),
    migration!("0007_vpcs.sql", sqlite, postgres),
    migration!("0008_addresses.sql", postgres),
    migration!("0009_launch_templates.sql", postgres),
    migration!("0010_nat_gateways.sql", postgres),
    migration!("0011_peerings.sql", sqlite, postgres),
    migration!("0012_ipv6.sql", postgres),
    migration!("0013_prefix_lists.sql", sqlite, postgres),
    migration!("0014_private_nat_gateways.sql", postgres),
];

/// The schema that this Fogbank knows.
pub(super) const SCHEMA: i64 = MIGRATIONS.len() as i64;

/// Postgres: whoever migrates holds this lock; any number that nobody else has in the same database.
const LOCK: i64 = 0x666f_6762_616e_6b00;

/// Brings the schema up to ours, and says where it was: 0 for a new store.
///
/// # Errors
/// A store that a newer Fogbank has migrated: this one must not write to it.
pub(super) async fn run(connection: &mut Connection) -> Result<i64, StoreError> {
    let before = schema(connection).await?;
    let mut found = before;
    while found != SCHEMA {
        if found > SCHEMA {
            return Err(StoreError::TooNew { found, ours: SCHEMA });
        }
        if connection.is_postgres() {
            // Longer than a request may take: another server may be at it, or tables large.
            connection.script("SET lock_timeout = '60s'; SET statement_timeout = 0").await?;
        }
        connection.begin(For::Writing).await?;
        let stepped = step(connection).await;
        match stepped {
            Ok(()) => {
                crash::point(Point::MigrationBeforeCommit);
                connection.commit().await?;
                crash::point(Point::MigrationCommitted);
            }
            Err(error) => {
                // The first error says more than one of the way back.
                let _ = connection.rollback().await;
                return Err(error);
            }
        }
        found = schema(connection).await?;
    }
    if connection.is_postgres() {
        connection.script(super::place::SESSION).await?;
    }
    Ok(before)
}

/// Runs the next migration, if another server has not done it meanwhile.
async fn step(connection: &mut Connection) -> Result<(), StoreError> {
    if connection.is_postgres() {
        connection.rows("SELECT pg_advisory_xact_lock($1) AS done", &[&int(LOCK)]).await?;
    }
    let found = schema(connection).await?;
    let Some(next) = usize::try_from(found).ok().and_then(|done| MIGRATIONS.get(done)) else {
        return Ok(());
    };
    if found > 0 {
        // The row that every writer locks first: they wait, and then find the new number.
        connection.run("UPDATE meta SET schema = $1", &[&int(found + 1)]).await?;
    }
    connection.script(next.both).await?;
    let own = if connection.is_postgres() { next.postgres } else { next.sqlite };
    if !own.is_empty() {
        connection.script(own).await?;
    }
    if found == 0 {
        let mut epoch = [0; 16];
        super::random(&mut epoch);
        let first = "INSERT INTO meta (one, generation, tag, schema, epoch) VALUES (1, 0, '', 1, $1)";
        connection.run(first, &[&text(Digest(epoch))]).await?;
    }
    Ok(())
}

/// The number of the last migration that ran; 0 for a new store.
async fn schema(connection: &mut Connection) -> Result<i64, StoreError> {
    let tables = if connection.is_postgres() {
        "SELECT CASE WHEN to_regclass('meta') IS NULL THEN 0 ELSE 1 END::bigint AS there"
    } else {
        "SELECT count(*) AS there FROM sqlite_master WHERE type = 'table' AND name = 'meta'"
    };
    if connection.row(tables, &[]).await?.int("there")? == Some(1) {
        return Ok(connection.row("SELECT schema FROM meta", &[]).await?.int("schema")?.unwrap_or_default());
    }
    Ok(0)
}
