//! The `fogbank lab` subcommands.

use clap::{Args, Subcommand};

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
    /// Ends the server and its agent and starts them again; instances and packets go on meanwhile.
    Restart {
        #[arg(long, default_value = "lab")]
        name: String,
        /// Kill it (SIGKILL) instead of asking it to end.
        #[arg(long)]
        kill: bool,
    },
    /// Runs a command in a place: `internet`, `router`, `host1`, or an instance's id.
    Exec {
        #[arg(long, default_value = "lab")]
        name: String,
        /// `internet`, `router`, `flat`, `host1` or an instance's id.
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
    /// Compute hosts. One, until hosts can be added to a deployment.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=1))]
    pub hosts: u8,
    /// Where the API is served on 127.0.0.1 of this machine; 0 for any free port.
    #[arg(long, default_value_t = 8773)]
    pub port: u16,
    /// Leave it running and return when it serves.
    #[arg(long)]
    pub detach: bool,
}
