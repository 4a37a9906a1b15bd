//! The operator's word on the database: what is done beside servers, and what they are asked to look at again.

use std::path::Path;

use serde_json::{Value, json};

use super::Operator;
use super::cli::{OperatorCommand, StoreCommand};
use super::execute::Answer;
use crate::server::chain;
use crate::store::{self, Place, StateDir, Store};

/// Runs a command that no running server does; `None` for the others.
pub async fn run(state_dir: &Path, database: Option<&str>, command: &OperatorCommand) -> Option<Answer> {
    match command {
        OperatorCommand::Migrate => Some(migrate(state_dir, database).await),
        OperatorCommand::Store(StoreCommand::Copy { from, to }) => Some(copy(from, to).await),
        _ => None,
    }
}

async fn migrate(state_dir: &Path, database: Option<&str>) -> Answer {
    // A file has one user at a time; servers on Postgres find the new tables by themselves.
    let (place, _state) = match database {
        Some(database) => (database.parse::<Place>().map_err(|error| chain(&error))?, None),
        None => {
            let state = StateDir::lock(state_dir).map_err(|error| chain(&error))?;
            (Place::Sqlite(state.database()), Some(state))
        }
    };
    let store = Store::open(&place).await.map_err(|error| chain(&error))?;
    let (before, now) = store.schema();
    let done = match before {
        0 => "made all tables".to_owned(),
        same if same == now => "nothing was to be done".to_owned(),
        _ => format!("ran the migrations from {} to {now}", before + 1),
    };
    Ok(json!({"database": place.to_string(), "schema": now, "before": before, "done": done}))
}

async fn copy(from: &str, to: &str) -> Answer {
    let place = |text: &str| text.parse::<Place>().map_err(|error| chain(&error));
    let (from, to) = (place(from)?, place(to)?);
    let (_from, _to) = (hold(&from)?, hold(&to)?);
    let copied = store::copy(&from, &to).await.map_err(|error| chain(&error))?;
    Ok(json!({
        "from": from.to_string(),
        "to": to.to_string(),
        "generation": copied.generation,
        "rows": copied.rows,
        "next": "name the new database in the configuration of every server (`database = ...`) and keep secrets.key: the \
            secrets are sealed with it as before, and each further server needs a copy of it (mode 0600) in its state \
            folder; do not run a server on the old store again",
    }))
}

/// A store in a state folder is its server's while that runs.
fn hold(place: &Place) -> Result<Option<StateDir>, String> {
    let Place::Sqlite(path) = place else { return Ok(None) };
    let Some(folder) = path.parent().filter(|folder| folder.join("lock").exists()) else { return Ok(None) };
    StateDir::lock(folder).map(Some).map_err(|error| format!("{}: stop the server first", chain(&error)))
}

impl Operator {
    pub(super) async fn reload(&self) -> Answer {
        let reloaded = self.handle.reload().await?;
        // Who may serve an address follows from rows that may have changed.
        self.submit(|decision| {
            crate::control::claims::settle_all(decision);
            Ok(())
        })
        .await?;
        let differing = match reloaded.differences.is_empty() {
            true => Value::from("none"),
            false => json!(reloaded.differences),
        };
        Ok(json!({"generation": reloaded.generation, "rows that this server knew otherwise": differing}))
    }
}
