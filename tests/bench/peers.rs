//! Other programs that answer EC2's calls, from PyPI, in the versions of requirements.txt.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long one may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that could be started.
pub struct Peer {
    pub name: &'static str,
    child: Child,
    pub api: SocketAddr,
}

/// Where `make bench` installs them.
fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench-venv/bin")
}

impl Peer {
    /// Starts `moto_server`, which verifies no signatures and keeps everything in memory.
    ///
    /// # Errors
    /// Why it is not there.
    pub fn moto(folder: &Path) -> Result<Self, String> {
        let address = free();
        let arguments = ["-H", "127.0.0.1", "-p", &address.port().to_string()].map(String::from);
        Self::start("moto", "moto_server", &arguments, &[], folder, address)
    }

    /// Starts `ministack`, which verifies no signatures and keeps everything in memory.
    ///
    /// # Errors
    /// Why it is not there.
    pub fn ministack(folder: &Path) -> Result<Self, String> {
        let address = free();
        let port = address.port().to_string();
        // Two of its services would listen on every address of this machine.
        let environment = [
            ("BIND_HOST", "127.0.0.1"),
            ("GATEWAY_PORT", &port),
            ("IOT_MTLS_ENABLED", "0"),
            ("SFTP_ENABLED", "0"),
            ("SERVICES", "ec2"),
            ("LOG_LEVEL", "WARNING"),
        ];
        Self::start("ministack", "ministack", &[], &environment, folder, address)
    }

    fn start(
        name: &'static str,
        program: &str,
        arguments: &[String],
        environment: &[(&str, &str)],
        folder: &Path,
        api: SocketAddr,
    ) -> Result<Self, String> {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let mut command = Command::new(programs().join(program));
        // What it finds of the environment could lead it elsewhere.
        command.args(arguments).current_dir(&folder).env_clear().env("HOME", &folder).env("TMPDIR", &folder);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("{program} cannot be started: {error}"))?;
        let mut peer = Self { name, child, api };
        peer.until_it_listens()?;
        match beyond_loopback(peer.process()) {
            Some(address) => Err(format!("{program} listens on {address}, beyond this machine")),
            None => Ok(peer),
        }
    }

    fn until_it_listens(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        while TcpStream::connect(self.api).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("{} ended with {status}", self.name));
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!("{} does not listen", self.name));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A listening socket of the process that others than this machine could reach, by proc_net_tcp(5): addresses are there
/// in hexadecimal, 127.0.0.1 as 0100007F.
fn beyond_loopback(process: u32) -> Option<String> {
    const LISTENING: &str = "0A";
    let sockets = fs::read_dir(format!("/proc/{process}/fd")).ok()?;
    let sockets: Vec<String> = sockets
        .filter_map(|entry| Some(fs::read_link(entry.ok()?.path()).ok()?.to_string_lossy().into_owned()))
        .collect();
    let listed = ["tcp", "tcp6"].map(|file| fs::read_to_string(format!("/proc/{process}/net/{file}")));
    let listed: String = listed.into_iter().flatten().collect();
    listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).find_map(|fields| {
        let (address, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let own = sockets.contains(&format!("socket:[{inode}]"));
        let local = address.starts_with("0100007F:");
        (own && *state == LISTENING && !local).then(|| (*address).to_owned())
    })
}
