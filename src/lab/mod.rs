//! A whole cluster inside network namespaces of one machine, to try things out and for tests.
//!
//! ```text
//!   internet ---- router ---- public segment ---- host1 ---- flat segment
//!  198.51.100.10          203.0.113.0/24       |  |  |      10.0.0.0/20
//!                                              instances
//! ```
//!
//! With several hosts, servers or Postgres, each host runs an agent, each server has a namespace of its
//! own, and a management segment (192.0.2.0/24) joins them.
//!
//! The machine's own interfaces, routes, switches and firewall are not touched. What a lab leaves is
//! found by name (namespaces `fb-NAME-…`, the folder [`place::ROOT`]`/NAME`), so that `down` clears it
//! after a `kill -9` too.

mod cli;
mod database;
mod down;
mod exec;
mod layout;
mod parts;
mod place;
mod processes;
mod service;
mod topology;
mod up;

use std::process::ExitCode;

pub use cli::LabCommand;

use crate::server::BoxError;
use place::Lab;

/// Runs a `fogbank lab` subcommand.
///
/// # Errors
/// A message for the person at the shell.
pub fn run(command: LabCommand) -> Result<ExitCode, BoxError> {
    match command {
        LabCommand::Up(options) => up::up(&options)?,
        LabCommand::Down { name } => down::down(&name.parse()?)?,
        LabCommand::Restart { name, kill, place } => parts::restart(&name.parse()?, place.as_deref(), kill)?,
        LabCommand::Stop { name, kill, place } => parts::stop(&name.parse()?, &place, kill)?,
        LabCommand::Start { name, place } => parts::start(&name.parse()?, &place)?,
        LabCommand::Cut { name, only, place } => parts::plug(&name.parse()?, &place, only, false)?,
        LabCommand::Join { name, only, place } => parts::plug(&name.parse()?, &place, only, true)?,
        LabCommand::Exec { name, place, command } => return exec::exec(&name.parse()?, &place, &command),
        LabCommand::Env { name } => print!("{}", Lab::read(&name.parse()?)?.exports()),
        LabCommand::List => {
            for name in place::list()? {
                println!("{name}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
