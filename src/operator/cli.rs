//! The subcommands as clap reads them and as the socket carries them.

use std::net::Ipv4Addr;

use clap::{Parser, Subcommand};
use serde::{Deserialize, Serialize};

use crate::types::{AccountId, Cidr4, ImageId, Range4};

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum OperatorCommand {
    /// Accounts: whose resources are whose.
    #[command(subcommand)]
    Account(AccountCommand),
    /// Access keys, with which clients sign.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Pools of elastic addresses.
    #[command(subcommand)]
    Pool(PoolCommand),
    /// The flat networks that instances are in.
    #[command(subcommand)]
    Network(NetworkCommand),
    /// Images that instances start from.
    #[command(subcommand)]
    Image(ImageCommand),
    /// Compute hosts.
    #[command(subcommand)]
    Host(HostCommand),
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum AccountCommand {
    /// Makes an account with its default VPC and default security group.
    Create {
        #[arg(long)]
        name: String,
        /// Twelve digits; made when left out.
        #[arg(long)]
        id: Option<AccountId>,
    },
    List,
    /// Deletes an account that has nothing any more.
    Delete {
        id: AccountId,
    },
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum KeyCommand {
    /// Makes an access key and shows its secret, this once.
    Create {
        #[arg(long)]
        account: AccountId,
        /// An existing key's id, to import it; made when left out.
        #[arg(long, requires = "secret_stdin")]
        id: Option<String>,
        /// Read an existing key's secret from standard input.
        #[arg(long, requires = "id")]
        secret_stdin: bool,
        #[arg(skip)]
        secret: Option<String>,
    },
    List,
    /// What the key signs from now on is refused.
    Delete {
        id: String,
    },
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum PoolCommand {
    /// Adds a pool: addresses that your router expects on the hosts' public segment.
    Add {
        #[arg(long)]
        name: String,
        /// FIRST-LAST, or a CIDR block.
        #[arg(long)]
        range: Range4,
    },
    List,
    Remove {
        name: String,
    },
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum NetworkCommand {
    /// Adds a flat network.
    Add {
        #[arg(long)]
        name: String,
        #[arg(long)]
        cidr: Cidr4,
        /// Every host's address on the instances' side; the block's first by default.
        #[arg(long)]
        gateway: Option<Ipv4Addr>,
        /// What instances get; all but the first four and the last by default.
        #[arg(long)]
        range: Option<Range4>,
        /// Addresses in the range that other machines have; may be given several times.
        #[arg(long)]
        reserved: Vec<Range4>,
        /// The availability zone; the region's name and `a` by default.
        #[arg(long)]
        zone: Option<String>,
        /// What instances' names end in.
        #[arg(long, default_value = "ec2.internal")]
        domain: String,
    },
    List,
    Remove {
        name: String,
    },
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum ImageCommand {
    /// Registers a root file system.
    Register {
        #[arg(long)]
        name: String,
        /// Its path, or `stock` for the one that each host makes from busybox.
        #[arg(long)]
        location: String,
        /// ami- and 17 or 8 digits; made when left out.
        #[arg(long)]
        id: Option<ImageId>,
    },
    List,
    Deregister {
        id: ImageId,
    },
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum HostCommand {
    /// Makes a host known, or moves it to another zone.
    Add {
        name: String,
        #[arg(long)]
        zone: Option<String>,
    },
    /// Hosts, the generation each has applied, and what each could not do.
    List,
}

#[derive(Parser)]
#[command(no_binary_name = true)]
struct Words {
    #[command(subcommand)]
    command: OperatorCommand,
}

/// A command as a person would type it, without the program's name.
///
/// # Errors
/// clap's message.
pub fn parse(words: &[&str]) -> Result<OperatorCommand, clap::Error> {
    Words::try_parse_from(words).map(|words| words.command)
}
