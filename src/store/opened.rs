//! An open store: its place, a connection, and why it cannot be used.

use super::cell::{Cell, ReadError, text};
use super::connection::Connection;
use super::place::Place;
use super::publish::Seen;
use super::{CommitError, KeyFile, history, migrate};
use crate::crash::{self, Point};

/// The store cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store's schema is {found}, this Fogbank knows {ours}: install the newer Fogbank again")]
    TooNew { found: i64, ours: i64 },
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Rows(Vec<ReadError>),
    #[error("{0}")]
    References(String),
    #[error("the store cannot be read")]
    Sql(#[from] sqlx::Error),
    #[error("{0} cannot be opened")]
    Open(String, #[source] sqlx::Error),
}

/// An open store, migrated.
pub struct Store {
    pub(super) place: Place,
    pub(super) connection: Connection,
    schema_before: i64,
}

impl Store {
    /// Connects, creates and migrates as needed.
    ///
    /// # Errors
    /// It cannot be opened, or a newer Fogbank has written it.
    pub async fn open(place: &Place) -> Result<Self, StoreError> {
        let connected = place.connect().await;
        let mut connection = connected.map_err(|error| StoreError::Open(place.to_string(), error))?;
        let schema_before = migrate::run(&mut connection).await?;
        Ok(Self { place: place.clone(), connection, schema_before })
    }

    /// The schema's number before it was opened, 0 for a new store, and its number now.
    pub const fn schema(&self) -> (i64, i64) {
        (self.schema_before, migrate::SCHEMA)
    }

    /// Whether nothing in the store is sealed yet: any key file will do.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn takes_any_key(&mut self) -> Result<bool, StoreError> {
        let sql = "SELECT (SELECT count(*) FROM meta WHERE key_check IS NOT NULL) \
            + (SELECT count(*) FROM access_keys) + (SELECT count(*) FROM deployment) \
            + (SELECT count(*) FROM hosts WHERE sealed_secret IS NOT NULL) AS sealed";
        Ok(self.connection.row(sql, &[]).await?.int("sealed")? == Some(0))
    }

    /// Whether the key file is the one that everything in the store is sealed with. The first key file is noted.
    pub(super) async fn accepts(&mut self, key_file: &KeyFile) -> Result<bool, StoreError> {
        let ours = text(hex(&key_file.seal(KEY_CHECK, KEY_CHECK.as_bytes())));
        let sql = "UPDATE meta SET key_check = $1 WHERE key_check IS NULL";
        self.connection.run(sql, &[&ours]).await?;
        crash::point(Point::KeyNoted);
        let noted = self.connection.row("SELECT key_check FROM meta", &[]).await?.string("key_check")?;
        Ok(unhex(&noted).is_some_and(|sealed| key_file.open_secret(KEY_CHECK, &sealed).is_ok()))
    }

    /// Reads everything.
    ///
    /// # Errors
    /// Rows that are not what their table says are errors that name each; none is left out.
    pub async fn load(&mut self) -> Result<crate::world::World, StoreError> {
        let seen = self.load_seen().await?;
        Ok(crate::world::World::clone(&seen.world))
    }

    pub(super) async fn load_seen(&mut self) -> Result<Seen, StoreError> {
        history::read_all(&mut self.connection).await
    }
}

/// What is sealed to know the key file by.
const KEY_CHECK: &str = "fogbank";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    text.as_bytes().chunks(2).map(digits).collect()
}

/// A write transaction that has begun.
pub(super) struct Locked {
    /// The last commit, where the database says it in the same turn.
    pub before: Option<history::Mark>,
    pub meta: history::Meta,
}

/// A write transaction: the lock first, so that nobody else decides meanwhile.
pub(super) async fn begin_write(connection: &mut Connection, tag: &Cell) -> Result<Locked, CommitError> {
    let begun = lock(connection, tag).await;
    let locked = begun.map_err(|error| connection.judge(error))?;
    history::check_schema(locked.meta.schema)?;
    Ok(locked)
}

const LOCK: &str =
    "UPDATE meta SET generation = generation + 1, tag = $1 RETURNING generation, tag, epoch, schema";
const BEGIN_AND_LOCK: &str = "BEGIN IMMEDIATE; SELECT generation, tag, epoch, schema FROM meta; \
    UPDATE meta SET generation = generation + 1, tag = $1 RETURNING generation, tag, epoch, schema";

async fn lock(connection: &mut Connection, tag: &Cell) -> Result<Locked, sqlx::Error> {
    if connection.is_postgres() {
        connection.begin(super::connection::For::Writing).await?;
        // Alone in its statement: what follows sees what the last holder of the lock has committed.
        let meta = history::read_meta(&connection.row(LOCK, &[tag]).await?)?;
        return Ok(Locked { before: None, meta });
    }
    let rows = connection.rows(BEGIN_AND_LOCK, &[tag]).await?;
    let [before, after] = &rows[..] else { return Err(sqlx::Error::RowNotFound) };
    Ok(Locked { before: Some(history::read_meta(before)?.mark), meta: history::read_meta(after)? })
}
