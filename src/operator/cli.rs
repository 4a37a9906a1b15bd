//! The subcommands as clap reads them and as the socket carries them.

use std::net::Ipv4Addr;

use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};

use crate::types::{AccountId, Cidr4, Cidr6, ImageId, Range4};

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
    /// IPv6 prefixes, of which VPCs get their blocks.
    #[command(subcommand)]
    Ipv6Pool(Ipv6PoolCommand),
    /// The flat networks that instances are in.
    #[command(subcommand)]
    Network(NetworkCommand),
    /// Images that instances start from.
    #[command(subcommand)]
    Image(ImageCommand),
    /// Compute hosts.
    #[command(subcommand)]
    Host(HostCommand),
    /// What holds for all hosts.
    #[command(subcommand)]
    Deployment(DeploymentCommand),
    /// Says whether a packet passes, by which hosts and interfaces it goes, and which rules decide.
    Trace(TraceCommand),
    /// The database that everything is in.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Brings the configured database up to this version's tables, and says what that was.
    Migrate,
}

impl OperatorCommand {
    /// Whether it changes nothing, and asks for what a store must be there for.
    pub const fn only_reads(&self) -> bool {
        matches!(
            self,
            Self::Account(AccountCommand::List)
                | Self::Key(KeyCommand::List)
                | Self::Pool(PoolCommand::List)
                | Self::Ipv6Pool(Ipv6PoolCommand::List)
                | Self::Network(NetworkCommand::List)
                | Self::Image(ImageCommand::List)
                | Self::Host(HostCommand::List)
                | Self::Deployment(DeploymentCommand::Show)
                | Self::Store(StoreCommand::Reload)
                | Self::Trace(_)
        )
    }
}

#[derive(Clone, Debug, Args, Serialize, Deserialize)]
pub struct TraceCommand {
    /// An instance, a network interface, an address (of an instance, or of another machine) or a host's name.
    #[arg(long)]
    pub from: String,
    /// The same, and a port: i-0123456789abcdef0:22, 203.0.113.7:443, [2001:db8::7]:443. Without a port an ICMP echo is asked about.
    #[arg(long)]
    pub to: String,
    /// tcp, udp, icmp or a protocol's number; tcp by default where there is a port.
    #[arg(long)]
    pub protocol: Option<String>,
    #[arg(long, default_value_t = 40_000)]
    pub source_port: u16,
    /// By the instances' IPv6 addresses; where one end is such an address there is no need to say so.
    #[arg(long)]
    #[serde(default)]
    pub ipv6: bool,
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum StoreCommand {
    /// Has every server read everything again, so that what was changed by hand is seen.
    Reload,
    /// Copies a store that no server runs on into an empty database.
    Copy {
        /// The path of a SQLite store (fogbank.db in the state folder), or postgres://…
        from: String,
        /// postgres://…, or a path.
        to: String,
    },
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
pub enum Ipv6PoolCommand {
    /// Adds a prefix that your router leads to the hosts' public segment. Each VPC that asks for IPv6
    /// (AmazonProvidedIpv6CidrBlock) gets a /56 of it, each of its subnets a /64 of that.
    Add {
        /// A prefix from /16 to /56.
        #[arg(long)]
        prefix: Cidr6,
    },
    List,
    /// Removes a prefix of which no VPC has a block.
    Remove {
        prefix: Cidr6,
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
    /// Which way the outside is for a network's instances.
    #[command(group(clap::ArgGroup::new("way").required(true)))]
    Gateway {
        name: String,
        /// By this host, for the instances of all hosts.
        #[arg(long, group = "way")]
        host: Option<String>,
        /// By each instance's own host.
        #[arg(long, group = "way")]
        distributed: bool,
    },
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
    /// Makes a host known, or moves it to another zone; shows a token with which it can join once.
    Add {
        name: String,
        #[arg(long)]
        zone: Option<String>,
    },
    /// Hosts, how far each is behind, when it was last heard of, and what it could not do.
    List,
    /// Gives a host no new instances; those that it has stay.
    Drain { name: String },
    /// Gives a drained host new instances again.
    Undrain { name: String },
    /// Declares a host dead, by your word that it is off: its instances are stopped, and its addresses go
    /// to others at once.
    Fail { name: String },
    /// Forgets a host that has nothing any more.
    Remove { name: String },
}

#[derive(Clone, Debug, Subcommand, Serialize, Deserialize)]
pub enum DeploymentCommand {
    /// What holds for all hosts.
    Show,
    /// For how long an elastic IP stays on a host that no server confirms.
    AddressLease {
        /// 5 to 86400; 0 for as long as the host runs.
        seconds: u32,
    },
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
