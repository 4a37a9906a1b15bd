//! `fogbank lab up`: makes a lab and puts a deployment into it.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use super::cli::UpOptions;
use super::down::down;
use super::place::{Lab, Name};
use super::processes;
use super::topology::{self, FLAT_INTERFACE, HOST, NETWORK, POOL, PUBLIC_INTERFACE};
use crate::operator::{self, OperatorCommand};
use crate::server::{self, BoxError};

const REGION: &str = "us-east-1";

/// How long the server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// Makes the lab; without `--detach`, serves until a signal and removes it again.
///
/// # Errors
/// It could not be made; then nothing of it is left.
pub fn up(options: &UpOptions) -> Result<(), BoxError> {
    let name: Name = options.name.parse()?;
    if !nix::unistd::geteuid().is_root() {
        return Err("a lab is made of network namespaces: run as root".into());
    }
    // From here on a signal must find its way into `down`.
    let runtime = server::runtime()?;
    let stop = runtime.block_on(async { server::stop_signals() })?;
    Lab::claim(&name)?;
    let made = make(&name, options.port);
    let lab = match made {
        Ok(lab) => lab,
        Err(error) => {
            if let Err(more) = down(&name) {
                eprintln!("fogbank: {more}");
            }
            return Err(error);
        }
    };
    println!("Lab '{name}' serves the EC2 API at {}", lab.endpoint);
    if options.detach {
        return Ok(());
    }
    println!("In another shell: eval \"$(fogbank lab env --name {name})\"; Ctrl-C here removes the lab.");
    runtime.block_on(stop);
    down(&name)
}

fn make(name: &Name, port: u16) -> Result<Lab, BoxError> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)))
        .map_err(|error| format!("cannot listen on 127.0.0.1:{port}: {error}; choose another --port"))?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    topology::make(name)?;
    let folder = name.host_folder(HOST);
    fs::create_dir(&folder)?;
    fs::write(configuration_file(name), configuration(name))?;
    let mut server = start(name, listener)?;
    let state_dir = folder.join("state");
    await_server(&mut server, &state_dir, &folder.join("serve.log"))?;
    let lab = provision(name, endpoint, &state_dir)?;
    lab.write()?;
    Ok(lab)
}

/// Ends the server and starts it again on the port that it had.
///
/// # Errors
/// There is no such lab, or the server does not come up again.
pub fn restart(name: &Name, kill: bool) -> Result<(), BoxError> {
    let lab = Lab::read(name)?;
    let signal = if kill { Signal::SIGKILL } else { Signal::SIGTERM };
    processes::end_server(name, &configuration_file(name), signal);
    let address: SocketAddr = lab.endpoint.trim_start_matches("http://").parse()?;
    let mut server = start(name, bind_again(address)?)?;
    let folder = name.host_folder(HOST);
    await_server(&mut server, &folder.join("state"), &folder.join("serve.log"))
}

/// The port is free when the last thread of the old server is gone, which is after its process looks gone.
fn bind_again(address: SocketAddr) -> Result<TcpListener, BoxError> {
    let start = Instant::now();
    loop {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            bound => return Ok(bound?),
        }
    }
}

fn configuration_file(name: &Name) -> PathBuf {
    name.host_folder(HOST).join("fogbank.toml")
}

fn configuration(name: &Name) -> String {
    let folder = name.host_folder(HOST);
    format!(
        "state_dir = \"{state}\"\nregion = \"{REGION}\"\n\n[host]\nname = \"{HOST}\"\n\
         public_interface = \"{PUBLIC_INTERFACE}\"\nflat_interface = \"{FLAT_INTERFACE}\"\n\
         resolvers = [\"198.51.100.10:53\"]\ninstances_dir = \"{instances}\"\n",
        state = folder.join("state").display(),
        instances = name.instances(HOST).display(),
    )
}

/// Starts the server in the host's namespace, in a session of its own, with the listening socket of
/// the machine's loopback as descriptor 3. The shell moves the descriptor; that is all it is for.
fn start(name: &Name, listener: TcpListener) -> Result<Child, BoxError> {
    let folder = name.host_folder(HOST);
    let log = File::options().create(true).append(true).open(folder.join("serve.log"))?;
    let program = std::env::current_exe()?;
    Command::new("sh")
        .args(["-c", "exec 3<&0 </dev/null; exec setsid ip netns exec \"$@\"", "sh"])
        .arg(name.namespace(HOST))
        .arg(program)
        .arg("--config")
        .arg(configuration_file(name))
        .arg("serve")
        .env("LISTEN_FDS", "1")
        .env_remove("LISTEN_PID")
        .stdin(Stdio::from(OwnedFd::from(listener)))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|error| format!("cannot start the server: {error}").into())
}

fn await_server(server: &mut Child, state_dir: &Path, log: &Path) -> Result<(), BoxError> {
    let list: OperatorCommand = serde_json::from_value(serde_json::json!({"Host": "List"}))?;
    let runtime = server::runtime()?;
    let start = Instant::now();
    loop {
        if let Some(answer) = runtime.block_on(operator::ask(state_dir, &list)) {
            return answer.map(drop).map_err(Into::into);
        }
        let ended = server.try_wait()?;
        if ended.is_some() || start.elapsed() > PATIENCE {
            let said = fs::read_to_string(log).unwrap_or_default();
            return Err(format!("the server did not start: {}", said.trim()).into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What an operator does once: an account with a key, a pool, a network, an image.
fn provision(name: &Name, endpoint: String, state_dir: &Path) -> Result<Lab, BoxError> {
    let runtime = server::runtime()?;
    let run = |words: &[&str]| -> Result<Value, BoxError> {
        let command = operator::parse(words)?;
        Ok(runtime.block_on(operator::run(state_dir, None, REGION, command))?)
    };
    let field = |answer: &Value, name: &str| answer[name].as_str().unwrap_or_default().to_owned();
    run(&["pool", "add", "--name", "public", "--range", POOL])?;
    run(&["network", "add", "--name", "flat", "--cidr", NETWORK])?;
    let account = field(&run(&["account", "create", "--name", "lab"])?, "id");
    let key = run(&["key", "create", "--account", &account])?;
    let image = run(&["image", "register", "--name", "busybox", "--location", crate::plan::STOCK_IMAGE])?;
    Ok(Lab {
        name: name.clone(),
        endpoint,
        access_key: field(&key, "id"),
        secret_key: field(&key, "secret"),
        account,
        region: REGION.to_owned(),
        image: field(&image, "id"),
    })
}
