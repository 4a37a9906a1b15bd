//! Several real servers on one database.

use std::path::{Path, PathBuf};

use super::database::Database;
use super::server::{Credentials, Folder, Reply, Server, Settings};
use fogbank::plan::HostState;

pub const RULE_PORT: u16 = 4000;

/// Everything that is removed in the end, in that order.
pub struct Deployment {
    pub servers: Vec<Server>,
    key: Credentials,
    image: String,
    runtime: tokio::runtime::Runtime,
    _database: Database,
    folder: Folder,
}

impl Deployment {
    pub fn start(count: usize) -> Self {
        let sqlite = std::env::var("FOGBANK_SQLITE").is_ok();
        Self::on(count, |folder| if sqlite { Database::none() } else { Database::start(folder) })
    }

    /// On the database that is made in the deployment's folder.
    pub fn on(count: usize, database: impl Fn(&Path) -> Database) -> Self {
        let folder = Folder::new("fanout");
        let database = database(&folder.0);
        let head = database.setting();
        let mut servers = Vec::new();
        for number in 1..=count {
            let name = format!("server{number}");
            let settings =
                Settings { name: &name, head: &head, apply_wait_ms: 20_000, ..Settings::default() };
            servers.push(Server::start(&folder.0, servers.first(), &settings));
        }
        let key = servers[0].account("main");
        servers[0].operate(&["network", "add", "--name", "flat", "--cidr", "10.0.0.0/16"]);
        let image = servers[0].operate(&["image", "register", "--name", "stock", "--location", "stock"]);
        let image = image["id"].as_str().unwrap().to_owned();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        Self { servers, key, image, runtime, _database: database, folder }
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    pub fn state_dir(&self) -> &Path {
        &self.servers[0].state_dir
    }

    pub fn folder(&self) -> &PathBuf {
        &self.folder.0
    }

    fn call(&self, server: usize, pairs: &[(&str, &str)]) -> Reply {
        let reply = self.servers[server].call(&self.key, pairs);
        assert_eq!(reply.status, 200, "{pairs:?}: {}", reply.body);
        reply
    }

    /// Runs one instance on each host, all of one group, and returns the group.
    pub fn run_on_all(&self, count: usize) -> String {
        let reply = self.call(
            0,
            &[("Action", "CreateSecurityGroup"), ("GroupName", "all"), ("GroupDescription", "on every host")],
        );
        let group = reply.text("groupId").unwrap().to_owned();
        let count = count.to_string();
        self.call(
            self.servers.len() - 1,
            &[
                ("Action", "RunInstances"),
                ("ImageId", &self.image),
                ("MinCount", &count),
                ("MaxCount", &count),
                ("SecurityGroupId.1", &group),
            ],
        );
        group
    }

    pub fn authorize(&self, server: usize, group: &str, port: u16) -> Reply {
        let port = port.to_string();
        self.call(
            server,
            &[
                ("Action", "AuthorizeSecurityGroupIngress"),
                ("GroupId", group),
                ("IpPermissions.1.IpProtocol", "tcp"),
                ("IpPermissions.1.FromPort", &port),
                ("IpPermissions.1.ToPort", &port),
                ("IpPermissions.1.IpRanges.1.CidrIp", "198.51.100.0/24"),
            ],
        )
    }
}

/// Whether a state lets a TCP port in.
pub fn allows(state: &HostState, port: u16) -> bool {
    let within = |range: &fogbank::types::PortRange| range.from() <= port && port <= range.to();
    state.groups.values().any(|group| group.ingress.ports.iter().any(|one| within(&one.ports)))
}
