//! The store on SQLite: load everything, commit a list of changes.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, Executor, SqliteConnection};

use super::cell::{Cell, ReadError, Reader, text};
use super::table::{Table, delete_sql, rows_per_statement, upsert_sql};
use super::tables::space_word;
use crate::world::*;

/// How many generations `commits` and `tombstones` reach back.
const KEPT_GENERATIONS: i64 = 10_000;

/// The store cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store's schema is {found}, this Fogbank knows {ours}: install the newer Fogbank again")]
    TooNew { found: i64, ours: i64 },
    #[error(transparent)]
    Row(#[from] ReadError),
    #[error("the store cannot be read")]
    Sql(#[from] sqlx::Error),
}

/// Why a transaction was not committed.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A decision made what the tables forbid: a defect of ours, contained to its request.
    #[error("a constraint of the store refused the change")]
    Constraint(#[source] sqlx::Error),
    /// Nothing was written; it may go better later (disk full, locked).
    #[error("the store cannot write now")]
    Unavailable(#[source] sqlx::Error),
    /// What is on disk is not known any more; going on could build on a write that is not there.
    #[error("the store failed")]
    Fatal(#[source] sqlx::Error),
}

/// An open store. There is one connection: one writer is all that SQLite allows anyway.
pub struct Store {
    connection: SqliteConnection,
}

impl Store {
    /// Opens the file, creates and migrates it as needed.
    ///
    /// # Errors
    /// It cannot be opened, or a newer Fogbank has written it.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // Every commit is on disk before it is answered.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        let mut epoch = [0; 16];
        super::random(&mut epoch);
        super::migrate::run(&mut connection, &crate::types::Digest(epoch).to_string()).await?;
        Ok(Self { connection })
    }

    /// Reads everything.
    ///
    /// # Errors
    /// A row that is not what its table says is an error that names it; none is left out.
    pub async fn load(&mut self) -> Result<World, StoreError> {
        let mut world = World::default();
        let generation: i64 =
            sqlx::query_scalar("SELECT generation FROM meta").fetch_one(&mut self.connection).await?;
        world.generation = generation.cast_unsigned();
        self.load_table::<Account>(&mut world).await?;
        self.load_table::<AccessKey>(&mut world).await?;
        self.load_table::<Pool>(&mut world).await?;
        self.load_table::<Network>(&mut world).await?;
        self.load_table::<Host>(&mut world).await?;
        self.load_table::<Image>(&mut world).await?;
        self.load_table::<Vpc>(&mut world).await?;
        self.load_table::<Subnet>(&mut world).await?;
        self.load_table::<Group>(&mut world).await?;
        self.load_table::<Rule>(&mut world).await?;
        self.load_table::<KeyPair>(&mut world).await?;
        self.load_table::<Instance>(&mut world).await?;
        self.load_table::<Eni>(&mut world).await?;
        self.load_table::<Address>(&mut world).await?;
        self.load_table::<Tag>(&mut world).await?;
        self.load_table::<Claim>(&mut world).await?;
        self.load_table::<Deployment>(&mut world).await?;
        self.load_table::<Freed>(&mut world).await?;
        self.load_table::<Token>(&mut world).await?;
        Ok(world)
    }

    /// Reads everything, and which state of the store it is.
    pub(super) async fn load_seen(&mut self) -> Result<super::publish::Seen, StoreError> {
        let world = std::sync::Arc::new(self.load().await?);
        let (tag, epoch): (String, String) =
            sqlx::query_as("SELECT tag, epoch FROM meta").fetch_one(&mut self.connection).await?;
        Ok(super::publish::Seen { world, tag: tag.into(), epoch: epoch.into() })
    }

    async fn load_table<T: Table>(&mut self, world: &mut World) -> Result<(), StoreError>
    where
        Row: From<T>,
    {
        let sql = format!("SELECT {} FROM {}", T::COLUMNS.join(", "), T::NAME);
        for row in sqlx::query(&sql).fetch_all(&mut self.connection).await? {
            world.apply(&Change::put(T::read(&Reader { table: T::NAME, row: &row })?));
        }
        Ok(())
    }

    /// Commits the changes as the next generation.
    ///
    /// # Errors
    /// Nothing of the changes is written then, but see [`CommitError::Fatal`].
    pub async fn commit(
        &mut self,
        generation: u64,
        tag: &str,
        changes: &[Change],
    ) -> Result<(), CommitError> {
        let result = self.transact(generation.cast_signed(), tag, changes).await;
        match result {
            Ok(()) => Ok(()),
            Err(error) => {
                // The answer was lost, but perhaps not the commit.
                let seen: Result<Option<i64>, _> =
                    sqlx::query_scalar("SELECT generation FROM commits WHERE tag = $1")
                        .bind(tag)
                        .fetch_optional(&mut self.connection)
                        .await;
                match seen {
                    Ok(Some(_)) => Ok(()),
                    Ok(None) => Err(classify(error)),
                    Err(_) => Err(CommitError::Fatal(error)),
                }
            }
        }
    }

    async fn transact(&mut self, generation: i64, tag: &str, changes: &[Change]) -> Result<(), sqlx::Error> {
        let mut transaction = self.connection.begin_with("BEGIN IMMEDIATE").await?;
        let next = "UPDATE meta SET generation = generation + 1, tag = $1 RETURNING generation";
        let next: i64 = sqlx::query_scalar(next).bind(tag).fetch_one(&mut *transaction).await?;
        if next != generation {
            return Err(sqlx::Error::Protocol(format!("the store is at {next}, the server at {generation}")));
        }
        let mut batch = Batch::default();
        changes.iter().for_each(|change| batch.add(change));
        batch.write(&mut transaction, generation).await?;
        let done = "INSERT INTO commits (generation, tag) VALUES ($1, $2)";
        sqlx::query(done).bind(generation).bind(tag).execute(&mut *transaction).await?;
        if generation % 256 == 0 {
            for table in ["commits", "tombstones"] {
                let sql = format!("DELETE FROM {table} WHERE generation < $1");
                sqlx::query(&sql).bind(generation - KEPT_GENERATIONS).execute(&mut *transaction).await?;
            }
        }
        transaction.commit().await
    }
}

fn classify(error: sqlx::Error) -> CommitError {
    // Primary result codes: <https://www.sqlite.org/rescode.html>.
    let code =
        error.as_database_error().and_then(|error| error.code()?.parse::<i32>().ok()).map(|code| code & 0xff);
    match code {
        Some(19) => CommitError::Constraint(error),
        Some(5 | 6 | 13) => CommitError::Unavailable(error),
        _ => CommitError::Fatal(error),
    }
}

/// What one transaction does to one table.
#[derive(Default)]
struct Writes {
    columns: &'static [&'static str],
    keys: usize,
    upsert_sql: Option<fn(usize) -> String>,
    puts: Vec<Vec<Cell>>,
    deletes: Vec<Vec<Cell>>,
}

/// A transaction's changes by table, each row once: the last change to it counts.
#[derive(Default)]
struct Batch<'a> {
    last: BTreeMap<Key, &'a Change>,
}

macro_rules! of_row {
    ($row:expr, $call:ident, $($variant:ident),*) => {
        match $row { $(Row::$variant(row) => $call(&**row),)* }
    };
}

struct Put {
    table: &'static str,
    writes: Writes,
}

fn put<T: Table>(row: &T) -> Put {
    let writes = Writes {
        columns: T::COLUMNS,
        keys: T::KEYS,
        upsert_sql: Some(upsert_sql::<T>),
        puts: vec![row.cells()],
        deletes: Vec::new(),
    };
    Put { table: T::NAME, writes }
}

fn delete<T: Table>(cells: Vec<Cell>) -> Put {
    let writes = Writes {
        columns: T::COLUMNS,
        keys: T::KEYS,
        upsert_sql: Some(upsert_sql::<T>),
        puts: Vec::new(),
        deletes: vec![cells],
    };
    Put { table: T::NAME, writes }
}

fn delete_key(key: &Key) -> Put {
    match key {
        Key::Account(id) => delete::<Account>(vec![text(id)]),
        Key::AccessKey(id) => delete::<AccessKey>(vec![text(id)]),
        Key::Pool(id) => delete::<Pool>(vec![text(id)]),
        Key::Network(name) => delete::<Network>(vec![text(name)]),
        Key::Host(name) => delete::<Host>(vec![text(name)]),
        Key::Image(id) => delete::<Image>(vec![text(id)]),
        Key::Vpc(id) => delete::<Vpc>(vec![text(id)]),
        Key::Subnet(id) => delete::<Subnet>(vec![text(id)]),
        Key::Group(id) => delete::<Group>(vec![text(id)]),
        Key::Rule(id) => delete::<Rule>(vec![text(id)]),
        Key::KeyPair(id) => delete::<KeyPair>(vec![text(id)]),
        Key::Instance(id) => delete::<Instance>(vec![text(id)]),
        Key::Eni(id) => delete::<Eni>(vec![text(id)]),
        Key::Address(id) => delete::<Address>(vec![text(id)]),
        Key::Tag((resource, key)) => delete::<Tag>(vec![text(resource), text(key)]),
        Key::Claim((space, address)) => delete::<Claim>(vec![text(space_word(space)), text(address)]),
        Key::Deployment(()) => delete::<Deployment>(vec![text("deployment")]),
        Key::Freed((space, address)) => delete::<Freed>(vec![text(space_word(space)), text(address)]),
        Key::Token((owner, action, token)) => {
            delete::<Token>(vec![text(owner.account), text(&owner.region), text(action), text(token)])
        }
    }
}

impl<'a> Batch<'a> {
    fn add(&mut self, change: &'a Change) {
        let key = match change {
            Change::Put(row) => row.key(),
            Change::Delete(key) => key.clone(),
        };
        self.last.insert(key, change);
    }

    async fn write(self, connection: &mut SqliteConnection, generation: i64) -> Result<(), sqlx::Error> {
        let mut tables: BTreeMap<&'static str, Writes> = BTreeMap::new();
        for change in self.last.into_values() {
            let Put { table, writes } = match change {
                Change::Put(row) => of_row!(
                    row, put, Account, AccessKey, Pool, Network, Host, Image, Vpc, Subnet, Group, Rule,
                    KeyPair, Instance, Eni, Address, Tag, Claim, Deployment, Freed, Token
                ),
                Change::Delete(key) => delete_key(key),
            };
            let all = tables.entry(table).or_default();
            (all.columns, all.keys, all.upsert_sql) = (writes.columns, writes.keys, writes.upsert_sql);
            all.puts.extend(writes.puts);
            all.deletes.extend(writes.deletes);
        }
        // A row may take over what a deleted one had to itself, so deletes come first.
        for (table, writes) in &tables {
            for some in writes.deletes.chunks(rows_per_statement(writes.keys)) {
                let sql = delete_sql(table, &writes.columns[..writes.keys], some.len());
                let cells: Vec<&Cell> = some.iter().flatten().collect();
                run(connection, &sql, &cells).await?;
                bury(connection, generation, table, some).await?;
            }
        }
        for writes in tables.values() {
            for some in writes.puts.chunks(rows_per_statement(writes.columns.len() + 1)) {
                let sql = writes.upsert_sql.map(|sql| sql(some.len())).unwrap_or_default();
                let generation = [Cell::Int(Some(generation))];
                let cells: Vec<&Cell> = some.iter().flat_map(|row| row.iter().chain(&generation)).collect();
                run(connection, &sql, &cells).await?;
            }
        }
        Ok(())
    }
}

/// Notes what was deleted, for servers that catch up.
async fn bury(
    connection: &mut SqliteConnection,
    generation: i64,
    table: &str,
    keys: &[Vec<Cell>],
) -> Result<(), sqlx::Error> {
    for key in keys {
        let words = key.iter().map(|cell| if let Cell::Text(Some(text)) = cell { text.as_str() } else { "" });
        let id = words.collect::<Vec<_>>().join(" ");
        let sql = "INSERT INTO tombstones (generation, kind, id) VALUES ($1, $2, $3)";
        sqlx::query(sql).bind(generation).bind(table).bind(id).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn run(connection: &mut SqliteConnection, sql: &str, cells: &[&Cell]) -> Result<(), sqlx::Error> {
    let mut query = sqlx::query(sql);
    for cell in cells {
        query = match cell {
            Cell::Text(value) => query.bind(value),
            Cell::Int(value) => query.bind(value),
            Cell::Bool(value) => query.bind(value),
        };
    }
    connection.execute(query).await.map(drop)
}
