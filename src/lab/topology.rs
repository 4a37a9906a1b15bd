//! The namespaces of a lab and the cables between them, by iproute2.

use std::io::Write;
use std::process::{Command, Stdio};

use super::place::Name;
use crate::server::BoxError;

/// The addresses that elastic IPs come from.
pub const POOL: &str = "203.0.113.128-203.0.113.254";
/// The instances' network; the host's flat interface itself has no address.
pub const NETWORK: &str = "10.0.0.0/20";
/// The only host's name.
pub const HOST: &str = "host1";
pub const PUBLIC_INTERFACE: &str = "public0";
pub const FLAT_INTERFACE: &str = "flat0";

const PLACES: [&str; 4] = ["internet", "router", "flat", HOST];

/// Makes the namespaces and joins them. `{internet}` and so on stand for the namespaces' names.
///
/// The public segment and the flat one are bridges in namespaces of their own, as switches would be.
const CABLES: &str = "
link add inet0 netns {router} type veth peer name eth0 netns {internet}
link add public-seg netns {router} type bridge
link add port1 netns {router} type veth peer name public0 netns {host1}
link add flat-seg netns {flat} type bridge
link add port1 netns {flat} type veth peer name flat0 netns {host1}
";
const INTERNET: &str = "
link set lo up
addr add 198.51.100.10/24 dev eth0
link set eth0 up
route add default via 198.51.100.1
";
const ROUTER: &str = "
link set lo up
link set port1 master public-seg
addr add 198.51.100.1/24 dev inet0
addr add 203.0.113.1/24 dev public-seg
link set inet0 up
link set port1 up
link set public-seg up
";
const FLAT: &str = "
link set port1 master flat-seg
link set port1 up
link set flat-seg up
";
const HOST1: &str = "
link set lo up
addr add 203.0.113.11/24 dev public0
link set public0 up
link set flat0 up
route add default via 203.0.113.1
";

/// Makes all of it.
///
/// # Errors
/// What `ip` says, or that it is missing.
pub fn make(name: &Name) -> Result<(), BoxError> {
    for place in PLACES {
        ip(&["netns", "add", &name.namespace(place)])?;
    }
    let mut cables = CABLES.to_owned();
    for place in PLACES {
        cables = cables.replace(&format!("{{{place}}}"), &name.namespace(place));
    }
    batch(None, &cables)?;
    for (place, commands) in [("internet", INTERNET), ("router", ROUTER), ("flat", FLAT), (HOST, HOST1)] {
        batch(Some(&name.namespace(place)), commands)?;
    }
    forward(&name.namespace("router"))
}

/// Removes every namespace of the lab; cables and bridges go with them.
///
/// # Errors
/// What `ip` says.
pub fn remove(name: &Name) -> Result<(), BoxError> {
    let output = Command::new("ip").args(["netns", "list"]).output().map_err(missing)?;
    let prefix = name.namespace("");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for namespace in text.lines().filter_map(|line| line.split_whitespace().next()) {
        if namespace.starts_with(&prefix) {
            ip(&["netns", "delete", namespace])?;
        }
    }
    Ok(())
}

fn forward(namespace: &str) -> Result<(), BoxError> {
    ip(&["netns", "exec", namespace, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
}

fn ip(arguments: &[&str]) -> Result<(), BoxError> {
    let output = Command::new("ip").args(arguments).stdin(Stdio::null()).output().map_err(missing)?;
    said(output.status.success(), &output.stderr)
}

/// Runs many `ip` commands in one process.
fn batch(namespace: Option<&str>, commands: &str) -> Result<(), BoxError> {
    let mut command = Command::new("ip");
    if let Some(namespace) = namespace {
        command.args(["-n", namespace]);
    }
    let mut child = command
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(commands.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    said(output.status.success(), &output.stderr)
}

fn said(success: bool, stderr: &[u8]) -> Result<(), BoxError> {
    match success {
        true => Ok(()),
        false => Err(format!("ip: {}", String::from_utf8_lossy(stderr).trim()).into()),
    }
}

fn missing(error: std::io::Error) -> BoxError {
    format!("cannot run `ip` ({error}): install iproute2").into()
}
