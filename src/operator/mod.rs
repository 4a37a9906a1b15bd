//! The operator's subcommands: accounts, keys, pools, networks, images, hosts.
//!
//! They speak to the running server over a unix socket in the state folder (mode 0600), or open the
//! store themselves when no server runs; either way the same decisions are made by the same writer.

mod cli;
mod execute;
mod hosts;
mod print;
mod socket;
mod trace;
mod upkeep;

pub use cli::{KeyCommand, OperatorCommand, parse};
pub use execute::Operator;
pub use print::print;
pub use socket::{SOCKET, ask, listen};

use crate::store::StateDir;

/// Runs one command: by the server if one runs, else on the store itself.
///
/// # Errors
/// A message for the person at the shell.
pub async fn run(
    state_dir: &std::path::Path,
    database: Option<&str>,
    region: &str,
    command: OperatorCommand,
) -> Result<serde_json::Value, String> {
    if let Some(answer) = upkeep::run(state_dir, database, &command).await {
        return answer;
    }
    if let Some(answer) = ask(state_dir, &command).await {
        return answer;
    }
    if command.only_reads() && database.is_none() && !StateDir::database_in(state_dir).exists() {
        let folder = state_dir.display();
        return Err(format!(
            "no server runs with the state folder {folder}, and there is no store in it: name the server's by --state-dir, \
             or ask on a host where one runs"
        ));
    }
    let opened = crate::server::open_store(state_dir, database).await;
    let (handle, _state) = opened.map_err(|error| crate::server::chain(&*error))?;
    // A server that starts gives every account what it lacks in further regions.
    let others = Vec::new();
    Operator { handle, region: region.into(), others, isolated: Vec::new() }.execute(command).await
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn who_only_asks_begins_no_store() {
        let folder = std::env::temp_dir().join(format!("fogbank-operator-{}", std::process::id()));
        for words in [&["host", "list"][..], &["trace", "--from", "192.0.2.1", "--to", "192.0.2.2:80"]] {
            let command = super::parse(words).unwrap();
            let said = super::run(&folder, None, "us-east-1", command).await.unwrap_err();
            assert!(said.contains("no server runs") && said.contains("--state-dir"), "{said}");
            assert!(!folder.exists());
        }
        let command = super::parse(&["account", "create", "--name", "first"]).unwrap();
        super::run(&folder, None, "us-east-1", command).await.unwrap();
        let command = super::parse(&["account", "list"]).unwrap();
        assert!(super::run(&folder, None, "us-east-1", command).await.unwrap()[0]["name"] == "first");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
