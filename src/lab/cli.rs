//! The `fogbank lab` subcommands.

use clap::{Args, Subcommand};

use super::layout::{Segment, Store};

/// A cluster of network namespaces on this machine.
#[derive(Subcommand, Debug)]
pub enum LabCommand {
    /// Makes a lab and serves it until Ctrl-C.
    Up(UpOptions),
    /// Removes a lab, or whatever is left of one.
    Down {
        #[arg(long, default_value = "lab")]
        name: String,
    },
    /// Ends a server, an agent or the database and starts it again; instances and packets go on meanwhile.
    Restart {
        #[arg(long, default_value = "lab")]
        name: String,
        /// Kill it (SIGKILL) instead of asking it to end.
        #[arg(long)]
        kill: bool,
        /// `server1`, `host1` (its agent), `database`; the first server when left out.
        place: Option<String>,
    },
    /// Ends a server, an agent or the database, and leaves it so.
    Stop {
        #[arg(long, default_value = "lab")]
        name: String,
        /// Kill it (SIGKILL) instead of asking it to end.
        #[arg(long)]
        kill: bool,
        /// `server1`, `host1` (its agent), `database`.
        place: String,
    },
    /// Starts a server, an agent or the database that ended.
    Start {
        #[arg(long, default_value = "lab")]
        name: String,
        /// `server1`, `host1` (its agent), `database`.
        place: String,
    },
    /// Pulls the cables of a host or a server: it goes on by itself, cut off.
    Cut {
        #[arg(long, default_value = "lab")]
        name: String,
        /// Only the cable to this segment.
        #[arg(long)]
        only: Option<Segment>,
        place: String,
    },
    /// Puts the cables of a host or a server in again.
    Join {
        #[arg(long, default_value = "lab")]
        name: String,
        /// Only the cable to this segment.
        #[arg(long)]
        only: Option<Segment>,
        place: String,
    },
    /// Runs a command in a place: `internet`, `router`, `host1`, or an instance's id.
    Exec {
        #[arg(long, default_value = "lab")]
        name: String,
        /// `internet`, `router`, `flat`, `mgmt`, `host1`, `server1` or an instance's id.
        place: String,
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
    /// Prints shell exports for clients: `eval "$(fogbank lab env)"`.
    Env {
        #[arg(long, default_value = "lab")]
        name: String,
    },
    /// Names the labs that there are.
    List,
}

#[derive(Args, Debug)]
pub struct UpOptions {
    /// Up to twelve small letters and digits; several labs can run beside each other.
    #[arg(long, default_value = "lab")]
    pub name: String,
    /// Compute hosts.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub hosts: u8,
    /// Servers of the EC2 API; several need `--store postgres`.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=8))]
    pub servers: u8,
    /// Where the deployment's state is kept; `postgres` is a cluster of the lab's own.
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    pub store: Store,
    /// Where the API is served on 127.0.0.1 of this machine; 0 for any free port. Further servers have the next ones.
    #[arg(long, default_value_t = 8773)]
    pub port: u16,
    /// Leave it running and return when it serves.
    #[arg(long)]
    pub detach: bool,
}
