//! Where a store is: a file of SQLite's, or a database of Postgres.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, SqliteConnection};

use super::connection::Connection;
use super::{StateDir, checkpoint};

/// Statements that stay prepared: a batch of changes has one for each number of rows.
const STATEMENTS: usize = 400;

/// What each of our sessions asks of Postgres. A server that was cut off in the middle of a transaction must not hold the
/// others up for long: Postgres ends what idles, and what nobody listens to any more.
pub(super) const SESSION: &str = "SET lock_timeout = '8s'; SET statement_timeout = '60s'; \
    SET idle_in_transaction_session_timeout = '8s'; SET client_connection_check_interval = '2s'; \
    SET tcp_user_timeout = '8s'";

/// Where a store is.
#[derive(Clone, Debug)]
pub enum Place {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

/// The text names no database that Fogbank can use.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    #[error("{0:?} names no database: write postgres://USER@HOST/NAME, or sqlite: and a path")]
    Unknown(String),
    /// The text may hold a password: it is not repeated.
    #[error("the address of the Postgres database cannot be understood: {0}")]
    Postgres(sqlx::Error),
}

impl Place {
    /// The place that the configuration names: SQLite in the state folder where it names none.
    ///
    /// # Errors
    /// A text that names no database.
    pub fn of(database: Option<&str>, state: &StateDir) -> Result<Self, PlaceError> {
        database.map_or_else(|| Ok(Self::Sqlite(state.database())), str::parse)
    }

    pub(super) async fn connect(&self) -> Result<Connection, sqlx::Error> {
        match self {
            Self::Sqlite(path) => {
                let one = SqliteConnection::connect_with(&sqlite_options(path)).await?;
                Ok(Connection::Sqlite(Box::new(one)))
            }
            Self::Postgres(options) => {
                let mut one = Connection::Postgres(Box::new(options.connect().await?));
                one.script(SESSION).await?;
                // A read there would not see what was just written here.
                if one.row("SELECT pg_is_in_recovery() AS standby", &[]).await?.bool("standby")?
                    != Some(false)
                {
                    return Err(sqlx::Error::Configuration(
                        "this Postgres is a standby: name the primary".into(),
                    ));
                }
                Ok(one)
            }
        }
    }
}

fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // Every commit is on disk before it is answered.
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", checkpoint::LOG)
        // What one statement of many rows may have to undo would be a file in /var/tmp.
        .pragma("temp_store", "MEMORY")
        .foreign_keys(true)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging()
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            let options = PgConnectOptions::from_str(text).map_err(PlaceError::Postgres)?;
            let options = options.application_name("fogbank").statement_cache_capacity(STATEMENTS);
            return Ok(Self::Postgres(Box::new(options.disable_statement_logging())));
        }
        let path = text.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path));
        match path {
            Some(path) if !path.is_empty() => Ok(Self::Sqlite(path.into())),
            None if !text.is_empty() && !text.contains("://") => Ok(Self::Sqlite(text.into())),
            _ => Err(PlaceError::Unknown(text.to_owned())),
        }
    }
}

/// For people; without a password.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "SQLite {}", path.display()),
            Self::Postgres(options) => {
                let name = options.get_database().unwrap_or_else(|| options.get_username());
                let socket = options.get_socket().map(|path| path.display().to_string());
                let host = socket.unwrap_or_else(|| format!("{}:{}", options.get_host(), options.get_port()));
                write!(f, "Postgres database {name} at {host}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_without_its_password() {
        let place: Place = "postgres://fog:hunter2@db.example:5433/cloud".parse().unwrap();
        assert_eq!(place.to_string(), "Postgres database cloud at db.example:5433");
        let place: Place = "postgres:///cloud?host=/run/pg&user=fog".parse().unwrap();
        assert_eq!(place.to_string(), "Postgres database cloud at /run/pg");
    }

    #[test]
    fn paths_are_sqlite_and_other_schemes_nothing() {
        for text in [
            "/var/lib/fogbank/fogbank.db",
            "sqlite:/var/lib/fogbank/fogbank.db",
            "sqlite:///var/lib/fogbank/fogbank.db",
        ] {
            let place: Place = text.parse().unwrap();
            assert_eq!(place.to_string(), "SQLite /var/lib/fogbank/fogbank.db");
        }
        for text in ["mysql://a/b", "", "sqlite:"] {
            assert!(text.parse::<Place>().is_err(), "{text:?}");
        }
    }
}
