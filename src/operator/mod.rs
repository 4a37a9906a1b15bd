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
    let opened = crate::server::open_store(state_dir, database).await;
    let (handle, _state) = opened.map_err(|error| crate::server::chain(&*error))?;
    Operator { handle, region: region.into() }.execute(command).await
}
