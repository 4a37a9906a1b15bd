//! The `fogbank` processes of a lab: their configuration, start and sign of life.

use std::fs::{self, DirBuilder, File};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::database;
use super::layout::{self, Layout, Part, Segment, Store};
use super::place::Name;
use super::processes;
use crate::operator::{self, OperatorCommand};
use crate::server::{self, BoxError};

pub const REGION: &str = "us-east-1";
/// Where each account has a default VPC to itself.
const FURTHER_REGION: &str = "eu-central-1";

/// How long a process may take to start, or to do what it does once.
pub const PATIENCE: Duration = Duration::from_secs(30);
const EVERY: Duration = Duration::from_millis(10);

/// The configuration file of a part, by which its process is found too.
pub fn configuration_file(name: &Name, part: Part) -> PathBuf {
    name.place_folder(&part.place()).join("fogbank.toml")
}

/// The state folder of a part, with its operator's socket.
pub fn state_dir(name: &Name, part: Part) -> PathBuf {
    name.place_folder(&part.place()).join("state")
}

fn log_file(name: &Name, part: Part) -> PathBuf {
    name.place_folder(&part.place()).join(format!("{}.log", part.subcommand().unwrap_or("postgres")))
}

/// What the part's process has said so far.
pub fn log(name: &Name, part: Part) -> String {
    fs::read_to_string(log_file(name, part)).unwrap_or_default().trim().to_owned()
}

/// Makes the part's folder and writes its configuration.
///
/// # Errors
/// They cannot be written.
pub fn configure(name: &Name, layout: Layout, part: Part) -> Result<(), BoxError> {
    DirBuilder::new().mode(0o700).create(name.place_folder(&part.place()))?;
    fs::write(configuration_file(name, part), configuration(name, layout, part))?;
    Ok(())
}

fn configuration(name: &Name, layout: Layout, part: Part) -> String {
    let state = format!("state_dir = \"{}\"\n", state_dir(name, part).display());
    // Who plays here has the whole pool, and has asked nobody.
    let region = format!(
        "region = \"{REGION}\"\nisolated_regions = [\"{FURTHER_REGION}\"]\nquotas.elastic_addresses = 1000\n"
    );
    match part {
        Part::Serve => format!("{state}{region}\n{}", host_table(name, layout::HOST)),
        Part::Server(number) => {
            let database = match layout.store {
                Store::Sqlite => String::new(),
                Store::Postgres => format!("database = \"{}\"\n", database::url(name)),
            };
            format!("{state}{region}{database}\n[feed]\nlisten = \"{}\"\n", layout::feed(number))
        }
        Part::Agent(number) => {
            let servers: Vec<_> =
                layout.servers().map(|server| format!("\"{}\"", layout::feed(server))).collect();
            let host = host_table(name, &layout::host(number));
            format!("{state}\n{host}\n[agent]\nservers = [{}]\n", servers.join(", "))
        }
        Part::Database => String::new(),
    }
}

fn host_table(name: &Name, host: &str) -> String {
    format!(
        "[host]\nname = \"{host}\"\npublic_interface = \"{}\"\nflat_interface = \"{}\"\n\
         resolvers = [\"198.51.100.10:53\"]\ninstances_dir = \"{}\"\nnamespaces = \"{}\"\n",
        Segment::Public.interface(),
        Segment::Flat.interface(),
        name.instances(host).display(),
        // Several hosts share one machine's names.
        name.namespace(host),
    )
}

/// `fogbank`, to be run in the part's namespace with the part's configuration.
fn fogbank(name: &Name, part: Part, before: &mut Command) -> Result<(), BoxError> {
    before
        .arg(name.namespace(&part.place()))
        .arg(std::env::current_exe()?)
        .arg("--config")
        .arg(configuration_file(name, part))
        .args(part.subcommand())
        .env_remove("LISTEN_PID")
        .env_remove("LISTEN_FDS")
        .stdout(Stdio::null())
        .stderr(File::options().create(true).append(true).open(log_file(name, part))?);
    Ok(())
}

/// Starts the part in its namespace, in a session of its own. A listening socket of the machine's loopback
/// becomes descriptor 3: the shell moves the descriptor. Not by `ip netns exec`, under whose mounts the network namespaces of
/// VPCs' routers would end with the agent.
///
/// # Errors
/// It cannot be started.
pub fn start(name: &Name, part: Part, listener: Option<TcpListener>) -> Result<Child, BoxError> {
    let script = match listener {
        Some(_) => "exec 3<&0 </dev/null; at=$1; shift; exec setsid nsenter --net=/run/netns/$at -- \"$@\"",
        None => "at=$1; shift; exec setsid nsenter --net=/run/netns/$at -- \"$@\"",
    };
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]);
    fogbank(name, part, &mut command)?;
    match listener {
        Some(listener) => {
            command.env("LISTEN_FDS", "1").stdin(Stdio::from(OwnedFd::from(listener)));
        }
        None => {
            command.stdin(Stdio::null());
        }
    }
    let started = command.spawn();
    started.map_err(|error| format!("cannot start {}: {error}", part.place()).into())
}

/// Listens on the machine's loopback. The port is free when the last thread of an old server is gone, which is
/// after its process looks gone.
///
/// # Errors
/// Another program has the port.
pub fn bind_again(address: SocketAddr) -> Result<TcpListener, BoxError> {
    let start = Instant::now();
    loop {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && start.elapsed() < PATIENCE => {
                std::thread::sleep(EVERY);
            }
            bound => return Ok(bound?),
        }
    }
}

/// Waits until a part's process is in its namespace, where [`processes::of_part`] finds it: who stops the part
/// from then on stops this one.
///
/// # Errors
/// It ended, with what it said, or takes too long.
pub fn await_process(name: &Name, part: Part, child: &mut Child) -> Result<(), BoxError> {
    let start = Instant::now();
    while processes::of_part(name, part).is_empty() {
        if child.try_wait()?.is_some() || start.elapsed() > PATIENCE {
            return Err(format!("{} did not start: {}", part.place(), log(name, part)).into());
        }
        std::thread::sleep(EVERY);
    }
    Ok(())
}

/// Waits until a server answers its operator.
///
/// # Errors
/// It ended, with what it said, or takes too long.
pub fn await_server(name: &Name, part: Part, server: &mut Child) -> Result<(), BoxError> {
    let list: OperatorCommand = serde_json::from_value(serde_json::json!({"Host": "List"}))?;
    let runtime = server::runtime()?;
    let state_dir = state_dir(name, part);
    let start = Instant::now();
    loop {
        if let Some(answer) = runtime.block_on(operator::ask(&state_dir, &list)) {
            return answer.map(drop).map_err(Into::into);
        }
        let ended = server.try_wait()?;
        if ended.is_some() || start.elapsed() > PATIENCE {
            return Err(format!("{} did not start: {}", part.place(), log(name, part)).into());
        }
        std::thread::sleep(EVERY);
    }
}

/// Enrols a host: its agent keeps a key of its own and the deployment's CA.
///
/// # Errors
/// What the agent says, or that it takes too long.
pub fn enrol(name: &Name, part: Part, token: &str) -> Result<(), BoxError> {
    let mut command = Command::new("ip");
    command.args(["netns", "exec"]);
    fogbank(name, part, &mut command)?;
    let mut child = command.args(["--join", token]).stdin(Stdio::null()).spawn()?;
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > PATIENCE {
            child.kill()?;
        }
        std::thread::sleep(EVERY);
    };
    match status.success() {
        true => Ok(()),
        false => Err(format!("{} could not join: {}", part.place(), log(name, part)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_configuration_names_what_the_part_needs() {
        let name: Name = "t1".parse().unwrap();
        let layout = Layout::new(2, 2, Store::Postgres).unwrap();
        let text = |part| configuration(&name, layout, part).parse::<toml::Table>().unwrap();
        let server = text(Part::Server(2));
        assert_eq!(server["feed"]["listen"].as_str(), Some("192.0.2.2:8774"));
        assert!(server["database"].as_str().unwrap().starts_with("postgres://"));
        assert!(!server.contains_key("host"));
        let agent = text(Part::Agent(2));
        assert_eq!(agent["agent"]["servers"].as_array().unwrap().len(), 2);
        assert_eq!(agent["host"]["name"].as_str(), Some("host2"));
        assert!(!agent.contains_key("database"));
    }

    #[test]
    fn the_only_host_has_the_configuration_of_serve() {
        let alone = Layout::new(1, 1, Store::Sqlite).unwrap();
        let text = configuration(&"t1".parse().unwrap(), alone, Part::Serve);
        let config: crate::config::Config = toml::from_str(&text).unwrap();
        assert_eq!(config.state_dir, std::path::Path::new("/run/fogbank-lab/t1/host1/state"));
    }
}
