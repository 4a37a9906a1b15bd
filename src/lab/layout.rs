//! What a lab consists of: its places, the programs in them, and how they are joined. Pure.

use std::net::Ipv4Addr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::server::BoxError;

/// The first host, and the only one of a lab that nobody asked more of.
pub const HOST: &str = "host1";
/// The place of the lab's Postgres, which has no namespace of its own.
pub const DATABASE: &str = "database";
/// Where servers listen for agents, on the management segment.
const FEED_PORT: u16 = 8774;

/// Where the deployment's state is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum, Serialize, Deserialize)]
pub enum Store {
    Sqlite,
    Postgres,
}

/// A network segment that a host has a cable to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Segment {
    /// Where elastic IPs are answered.
    Public,
    /// The instances' network.
    Flat,
    /// Between hosts and servers.
    Mgmt,
}

/// How many there are of what.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Layout {
    pub hosts: u8,
    pub servers: u8,
    pub store: Store,
}

/// A program of the lab that can be ended and started by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// `fogbank serve`: server and agent in one process on the only host.
    Serve,
    /// `fogbank server`, by its number from 1.
    Server(u8),
    /// `fogbank agent`, by its host's number from 1.
    Agent(u8),
    Database,
}

impl Part {
    /// The place whose name stands for this part.
    pub fn place(self) -> String {
        match self {
            Self::Serve => HOST.to_owned(),
            Self::Server(number) => server(number),
            Self::Agent(number) => host(number),
            Self::Database => DATABASE.to_owned(),
        }
    }

    /// The subcommand of `fogbank` that it runs; the database is no `fogbank`.
    pub fn subcommand(self) -> Option<&'static str> {
        match self {
            Self::Serve => Some("serve"),
            Self::Server(_) => Some("server"),
            Self::Agent(_) => Some("agent"),
            Self::Database => None,
        }
    }
}

/// The name of a host's place.
pub fn host(number: u8) -> String {
    format!("host{number}")
}

/// The name of a server's place.
pub fn server(number: u8) -> String {
    format!("server{number}")
}

/// A host's own address on the public segment.
pub fn public_address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(203, 0, 113, 10 + host)
}

/// A host's address on the management segment.
pub fn host_address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, 10 + host)
}

/// A server's address on the management segment.
pub fn server_address(server: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, server)
}

/// Where a server listens for agents.
pub fn feed(server: u8) -> String {
    format!("{}:{FEED_PORT}", server_address(server))
}

impl Layout {
    /// # Errors
    /// Servers that could not share their store.
    pub fn new(hosts: u8, servers: u8, store: Store) -> Result<Self, BoxError> {
        if servers > 1 && store == Store::Sqlite {
            return Err("several servers need a database that they share: add --store postgres".into());
        }
        Ok(Self { hosts, servers, store })
    }

    /// Whether one `fogbank serve` is all there is.
    pub fn is_alone(self) -> bool {
        self == Self { hosts: 1, servers: 1, store: Store::Sqlite }
    }

    pub fn hosts(self) -> impl Iterator<Item = u8> {
        1..=self.hosts
    }

    pub fn servers(self) -> impl Iterator<Item = u8> {
        1..=self.servers
    }

    /// Everything that has a network namespace.
    pub fn places(self) -> Vec<String> {
        let mut places: Vec<String> = ["internet", "router", "flat"].map(str::to_owned).to_vec();
        places.extend(self.hosts().map(host));
        if !self.is_alone() {
            places.push("mgmt".to_owned());
            places.extend(self.servers().map(server));
        }
        places
    }

    /// The parts that can be ended and started.
    pub fn parts(self) -> Vec<Part> {
        if self.is_alone() {
            return vec![Part::Serve];
        }
        let mut parts: Vec<Part> = self.servers().map(Part::Server).collect();
        parts.extend(self.hosts().map(Part::Agent));
        parts.extend((self.store == Store::Postgres).then_some(Part::Database));
        parts
    }

    /// The part that runs at a place.
    ///
    /// # Errors
    /// Nothing of that name runs here.
    pub fn part(self, place: &str) -> Result<Part, BoxError> {
        let parts = self.parts();
        let names: Vec<String> = parts.iter().map(|part| part.place()).collect();
        let found = parts.into_iter().find(|part| part.place() == place);
        found.ok_or_else(|| format!("nothing runs at '{place}': name {}", names.join(", ")).into())
    }

    /// The ports where a place's cables end on the segments: the switch's namespace, and the port there.
    ///
    /// # Errors
    /// The place has no cable, or none to this segment.
    pub fn ports(self, place: &str, only: Option<Segment>) -> Result<Vec<(&'static str, String)>, BoxError> {
        let found: Vec<(&str, String)> = self
            .cables()
            .into_iter()
            .filter(|(_, end, segment)| end == place && only.is_none_or(|only| only == *segment))
            .map(|(port, _, segment)| (segment.place(), port))
            .collect();
        if found.is_empty() {
            let segment = only.map_or(String::new(), |only| format!(" on the {} segment", only.name()));
            return Err(format!("'{place}' has no cable{segment}: name a host or a server").into());
        }
        Ok(found)
    }

    /// Every cable to a segment: its port there, the place at its other end, the segment.
    pub fn cables(self) -> Vec<(String, String, Segment)> {
        let mut cables = Vec::new();
        for number in self.hosts() {
            let segments = [Segment::Public, Segment::Flat, Segment::Mgmt];
            let there = segments.into_iter().filter(|segment| *segment != Segment::Mgmt || !self.is_alone());
            cables.extend(there.map(|segment| (format!("port{number}"), host(number), segment)));
        }
        if !self.is_alone() {
            cables.extend(self.servers().map(|number| (server(number), server(number), Segment::Mgmt)));
        }
        cables
    }
}

impl Segment {
    /// The place that has the segment's switch.
    pub fn place(self) -> &'static str {
        match self {
            Self::Public => "router",
            Self::Flat => "flat",
            Self::Mgmt => "mgmt",
        }
    }

    /// The name of the interface at a cable's other end.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Public => "public0",
            Self::Flat => "flat0",
            Self::Mgmt => "mgmt0",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Flat => "flat",
            Self::Mgmt => "management",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many() -> Layout {
        Layout::new(3, 2, Store::Postgres).unwrap()
    }

    #[test]
    fn several_servers_need_a_shared_store() {
        assert!(Layout::new(1, 2, Store::Sqlite).is_err());
        assert!(Layout::new(8, 1, Store::Sqlite).is_ok());
        assert!(!Layout::new(1, 1, Store::Postgres).unwrap().is_alone());
    }

    #[test]
    fn one_host_runs_one_process_without_a_management_segment() {
        let alone = Layout::new(1, 1, Store::Sqlite).unwrap();
        assert_eq!(alone.places(), ["internet", "router", "flat", "host1"]);
        assert_eq!(alone.part("host1").unwrap(), Part::Serve);
        assert!(alone.part("server1").is_err());
        assert!(alone.ports("host1", Some(Segment::Mgmt)).is_err());
        assert_eq!(alone.ports("host1", None).unwrap().len(), 2);
    }

    #[test]
    fn each_part_is_found_by_its_place() {
        assert_eq!(many().parts().len(), 6);
        for part in many().parts() {
            assert_eq!(many().part(&part.place()).unwrap(), part);
        }
        let error = many().part("host4").unwrap_err().to_string();
        assert!(error.ends_with("server1, server2, host1, host2, host3, database"), "{error}");
    }

    #[test]
    fn no_two_cables_end_in_one_port() {
        let mut ports: Vec<_> =
            many().cables().into_iter().map(|(port, _, segment)| (segment.place(), port)).collect();
        assert_eq!(ports.len(), 3 * 3 + 2);
        ports.sort();
        ports.dedup();
        assert_eq!(ports.len(), 3 * 3 + 2);
    }

    #[test]
    fn servers_and_hosts_never_share_an_address() {
        let most = Layout::new(8, 8, Store::Postgres).unwrap();
        let mut all: Vec<_> =
            most.hosts().map(host_address).chain(most.servers().map(server_address)).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 16);
    }
}
