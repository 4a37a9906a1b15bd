//! `fogbank lab up`: makes a lab and puts a deployment into it.

use std::fs::{self, DirBuilder};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::Instant;

use serde_json::Value;

use super::cli::UpOptions;
use super::down::down;
use super::layout::{Layout, Part, Store};
use super::place::{Lab, Name};
use super::service::{self, PATIENCE, REGION};
use super::topology::{self, NETWORK, POOL, POOL6};
use super::{database, processes};
use crate::operator;
use crate::server::{self, BoxError};

/// Makes the lab; without `--detach`, serves until a signal and removes it again.
///
/// # Errors
/// It could not be made; then nothing of it is left.
pub fn up(options: &UpOptions) -> Result<(), BoxError> {
    let name: Name = options.name.parse()?;
    let layout = Layout::new(options.hosts, options.servers, options.store)?;
    if !nix::unistd::geteuid().is_root() {
        return Err("a lab is made of network namespaces: run as root".into());
    }
    if layout.store == Store::Postgres {
        database::check()?;
    }
    // From here on a signal must find its way into `down`.
    let runtime = server::runtime()?;
    let stop = runtime.block_on(async { server::stop_signals() })?;
    Lab::claim(&name)?;
    let made = make(&name, layout, options.port);
    let lab = match made {
        Ok(lab) => lab,
        Err(error) => {
            if let Err(more) = down(&name) {
                eprintln!("fogbank: {more}");
            }
            return Err(error);
        }
    };
    println!("Lab '{name}' serves the EC2 API at {}", lab.endpoints.join(" and "));
    if options.detach {
        return Ok(());
    }
    println!("In another shell: eval \"$(fogbank lab env --name {name})\"; Ctrl-C here removes the lab.");
    runtime.block_on(stop);
    down(&name)
}

fn make(name: &Name, layout: Layout, port: u16) -> Result<Lab, BoxError> {
    let listeners = listen(port, layout.servers)?;
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
    let endpoints = addresses.iter().map(|address| format!("http://{address}")).collect();
    topology::make(name, layout)?;
    if layout.store == Store::Postgres {
        database::make(name)?;
        database::start(name)?;
    }
    for part in layout.parts().into_iter().filter(|part| *part != Part::Database) {
        service::configure(name, layout, part)?;
    }
    let servers: Vec<Part> = match layout.is_alone() {
        true => vec![Part::Serve],
        false => layout.servers().map(Part::Server).collect(),
    };
    let first = service::state_dir(name, servers.first().copied().unwrap_or(Part::Serve));
    for (part, listener) in servers.iter().zip(listeners) {
        share_key(&first, &service::state_dir(name, *part))?;
        let mut server = service::start(name, *part, Some(listener))?;
        service::await_server(name, *part, &mut server)?;
    }
    let lab = provision(name, layout, endpoints, &first)?;
    lab.write()?;
    if !layout.is_alone() {
        enrol(name, layout, &first)?;
        await_agents(name, layout)?;
    }
    Ok(lab)
}

/// One socket a server: the port that was asked for and those that follow, or any that is free.
fn listen(port: u16, servers: u8) -> Result<Vec<TcpListener>, BoxError> {
    let bind = |port: u16| TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)));
    let first = bind(port)
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}; choose another --port"))?;
    let mut listeners = vec![first];
    for offset in 1..u16::from(servers) {
        let next = if port == 0 { None } else { port.checked_add(offset) };
        let bound = next.and_then(|port| bind(port).ok());
        listeners.push(bound.map_or_else(|| bind(0), Ok)?);
    }
    Ok(listeners)
}

/// Servers of one deployment seal with one key: the first makes it, the others get a copy.
fn share_key(first: &Path, own: &Path) -> Result<(), BoxError> {
    if first == own {
        return Ok(());
    }
    DirBuilder::new().mode(0o700).create(own)?;
    // With its mode, 0600.
    fs::copy(first.join("secrets.key"), own.join("secrets.key"))?;
    Ok(())
}

/// Runs an operator's command on the server with this state folder.
fn operate(state_dir: &Path, words: &[&str]) -> Result<Value, BoxError> {
    let command = operator::parse(words)?;
    let answer = server::runtime()?.block_on(operator::ask(state_dir, &command));
    Ok(answer.ok_or("the server does not run any more")??)
}

fn field(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_default().to_owned()
}

/// What an operator does once: an account with a key, a pool, a network, an image.
fn provision(name: &Name, layout: Layout, endpoints: Vec<String>, state_dir: &Path) -> Result<Lab, BoxError> {
    let run = |words: &[&str]| operate(state_dir, words);
    run(&["pool", "add", "--name", "public", "--range", POOL])?;
    run(&["ipv6-pool", "add", "--prefix", POOL6])?;
    run(&["network", "add", "--name", "flat", "--cidr", NETWORK])?;
    let account = field(&run(&["account", "create", "--name", "lab"])?, "id");
    let key = run(&["key", "create", "--account", &account])?;
    let image = run(&["image", "register", "--name", "busybox", "--location", crate::plan::STOCK_IMAGE])?;
    Ok(Lab {
        name: name.clone(),
        layout,
        endpoints,
        access_key: field(&key, "id"),
        secret_key: field(&key, "secret"),
        account,
        region: REGION.to_owned(),
        image: field(&image, "id"),
    })
}

/// Adds every host, joins its agent by the token that this gave, and starts it.
fn enrol(name: &Name, layout: Layout, state_dir: &Path) -> Result<(), BoxError> {
    topology::await_cables(name, layout)?;
    for part in layout.hosts().map(Part::Agent) {
        let added = operate(state_dir, &["host", "add", &part.place()])?;
        service::enrol(name, part, &field(&added, "join_token"))?;
        service::start(name, part, None)?;
    }
    Ok(())
}

/// Waits until every host was heard of by a server.
fn await_agents(name: &Name, layout: Layout) -> Result<(), BoxError> {
    let start = Instant::now();
    for part in layout.hosts().map(Part::Agent) {
        let host = part.place();
        while !is_seen(name, layout, &host)? {
            let ended = processes::of_part(name, part).is_empty();
            if ended || start.elapsed() > PATIENCE {
                return Err(format!("{host} was not heard of: {}", service::log(name, part)).into());
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
    Ok(())
}

fn is_seen(name: &Name, layout: Layout, host: &str) -> Result<bool, BoxError> {
    for server in layout.servers().map(Part::Server) {
        let hosts = operate(&service::state_dir(name, server), &["host", "list"])?;
        let seen = |row: &Value| row["name"] == host && row["last_seen"].is_string();
        if hosts.as_array().is_some_and(|rows| rows.iter().any(seen)) {
            return Ok(true);
        }
    }
    Ok(false)
}
