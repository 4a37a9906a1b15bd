//! The namespaces of a lab and the cables between them, by iproute2.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::layout::{self, Layout, Segment};
use super::place::Name;
use super::service;
use crate::server::BoxError;

/// The addresses that elastic IPs come from.
pub const POOL: &str = "203.0.113.128-203.0.113.254";
/// The instances' network; the hosts' flat interfaces themselves have no address.
pub const NETWORK: &str = "10.0.0.0/20";

/// What VPCs' IPv6 blocks are cut from, of the documentation's addresses (RFC 3849): on the public segment's link, as far as
/// the router knows.
pub const POOL6: &str = "2001:db8:f0::/48";

const EVERY: Duration = Duration::from_millis(10);

const INTERNET: &str = "
link set lo up
addr add 198.51.100.10/24 dev eth0
link set eth0 up
route add default via 198.51.100.1
";
const ROUTER: &str = "
link set lo up
link add public-seg type bridge
addr add 198.51.100.1/24 dev inet0
addr add 203.0.113.1/24 dev public-seg
link set inet0 up
link set public-seg up
";
/// The same for IPv6, with the hosts' own addresses in another block than the instances'.
const INTERNET6: &str = "
addr add 2001:db8:ff::1/64 dev eth0 nodad
route add default via 2001:db8:ff::2
";
const ROUTER6: &str = "
addr add 2001:db8:ff::2/64 dev inet0 nodad
addr add 2001:db8:fe::1/64 dev public-seg nodad
";
const FLAT: &str = "
link add flat-seg type bridge
link set flat-seg up
";
const MGMT: &str = "
link set lo up
link add mgmt-seg type bridge
link set mgmt-seg up
";

/// Makes all of it.
///
/// # Errors
/// What `ip` says, or that it is missing.
pub fn make(name: &Name, layout: Layout) -> Result<(), BoxError> {
    for place in layout.places() {
        ip(&["netns", "add", &name.namespace(&place)])?;
    }
    batch(None, &cables(name, layout))?;
    for place in layout.places() {
        batch(Some(&name.namespace(&place)), &inside(layout, &place))?;
    }
    // A kernel may have been told to know no IPv6.
    if Path::new("/proc/sys/net/ipv6").exists() {
        for place in layout.places() {
            batch(Some(&name.namespace(&place)), &inside6(layout, &place))?;
        }
        forward(&name.namespace("router"), "ipv6/conf/all/forwarding")?;
    }
    forward(&name.namespace("router"), "ipv4/ip_forward")
}

/// Waits until packets pass by every cable: the kernel takes up to a second to notice that both ends are up (its link watch), and
/// what is sent before is lost.
///
/// # Errors
/// What `ip` says, or that it takes too long.
pub fn await_cables(name: &Name, layout: Layout) -> Result<(), BoxError> {
    let start = Instant::now();
    for place in layout.places() {
        while !has_carriers(&name.namespace(&place))? {
            if start.elapsed() > service::PATIENCE {
                return Err(format!("the cables of {place} do not come up").into());
            }
            std::thread::sleep(EVERY);
        }
    }
    Ok(())
}

fn has_carriers(namespace: &str) -> Result<bool, BoxError> {
    let list = ["-n", namespace, "-br", "link", "show", "type", "veth"];
    let output = Command::new("ip").args(list).stdin(Stdio::null()).output().map_err(missing)?;
    said(output.status.success(), &output.stderr)?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().all(|line| line.split_whitespace().nth(1) == Some("UP")))
}

/// The cables between the namespaces, made from outside of them.
fn cables(name: &Name, layout: Layout) -> String {
    let mut text = String::new();
    let mut cable = |port: &str, at: &str, interface: &str, place: &str| {
        let (at, place) = (name.namespace(at), name.namespace(place));
        let _ = writeln!(text, "link add {port} netns {at} type veth peer name {interface} netns {place}");
    };
    cable("inet0", "router", "eth0", "internet");
    for (port, place, segment) in layout.cables() {
        cable(&port, segment.place(), segment.interface(), &place);
    }
    text
}

/// What is set up inside a place. A segment is a bridge, as a switch would be.
fn inside(layout: Layout, place: &str) -> String {
    let mut text = match place {
        "internet" => INTERNET.to_owned(),
        "router" => ROUTER.to_owned(),
        "flat" => FLAT.to_owned(),
        "mgmt" => MGMT.to_owned(),
        _ => machine(layout, place),
    };
    for (port, _, segment) in layout.cables().iter().filter(|(_, _, segment)| segment.place() == place) {
        let bridge = match segment {
            Segment::Public => "public-seg",
            Segment::Flat => "flat-seg",
            Segment::Mgmt => "mgmt-seg",
        };
        let _ = writeln!(text, "link set {port} master {bridge}\nlink set {port} up");
    }
    text
}

/// What is set up inside a place for IPv6, on its public side: nothing else has any.
fn inside6(layout: Layout, place: &str) -> String {
    match place {
        "internet" => INTERNET6.to_owned(),
        "router" => format!("{ROUTER6}route add {POOL6} dev public-seg\n"),
        _ => match layout.hosts().find(|number| layout::host(*number) == place) {
            Some(number) => format!(
                "addr add 2001:db8:fe::1{number}/64 dev public0 nodad\nroute add default via 2001:db8:fe::1\n"
            ),
            None => String::new(),
        },
    }
}

/// The interfaces of a host or a server.
fn machine(layout: Layout, place: &str) -> String {
    let mut text = "link set lo up\n".to_owned();
    if let Some(number) = layout.hosts().find(|number| layout::host(*number) == place) {
        let _ = write!(
            text,
            "addr add {}/24 dev public0\nlink set public0 up\nlink set flat0 up\nroute add default via 203.0.113.1\n",
            layout::public_address(number)
        );
        if !layout.is_alone() {
            let address = layout::host_address(number);
            let _ = write!(text, "addr add {address}/24 dev mgmt0\nlink set mgmt0 up\n");
        }
    }
    if let Some(number) = layout.servers().find(|number| layout::server(*number) == place) {
        let address = layout::server_address(number);
        let _ = write!(text, "addr add {address}/24 dev mgmt0\nlink set mgmt0 up\n");
    }
    text
}

/// Takes the far ends of a place's cables down, or up: the place itself loses its carrier and nothing else,
/// as when somebody pulls a plug.
///
/// # Errors
/// There is no such cable, or what `ip` says.
pub fn plug(
    name: &Name,
    layout: Layout,
    place: &str,
    only: Option<Segment>,
    up: bool,
) -> Result<(), BoxError> {
    for (at, port) in layout.ports(place, only)? {
        ip(&["-n", &name.namespace(at), "link", "set", &port, if up { "up" } else { "down" }])?;
    }
    Ok(())
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

fn forward(namespace: &str, switch: &str) -> Result<(), BoxError> {
    ip(&["netns", "exec", namespace, "sh", "-c", &format!("echo 1 > /proc/sys/net/{switch}")])
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

#[cfg(test)]
mod tests {
    use super::super::layout::Store;
    use super::*;

    #[test]
    fn hosts_get_their_cables_and_no_address_on_the_flat_segment() {
        let layout = Layout::new(2, 1, Store::Sqlite).unwrap();
        let name: Name = "t1".parse().unwrap();
        let cables = cables(&name, layout);
        assert!(
            cables.contains("link add port2 netns fb-t1-flat type veth peer name flat0 netns fb-t1-host2\n")
        );
        assert!(
            cables.contains(
                "link add server1 netns fb-t1-mgmt type veth peer name mgmt0 netns fb-t1-server1\n"
            )
        );
        let host = inside(layout, "host2");
        assert!(host.contains("addr add 203.0.113.12/24 dev public0\n"), "{host}");
        assert!(host.contains("addr add 192.0.2.12/24 dev mgmt0\n"), "{host}");
        assert!(!host.lines().any(|line| line.starts_with("addr") && line.contains("flat0")), "{host}");
        assert!(inside(layout, "router").contains("link set port2 master public-seg\n"));
    }

    #[test]
    fn the_only_host_has_two_cables() {
        let alone = Layout::new(1, 1, Store::Sqlite).unwrap();
        assert!(!cables(&"t1".parse().unwrap(), alone).contains("mgmt"));
        assert!(!inside(alone, "host1").contains("mgmt"));
    }
}
