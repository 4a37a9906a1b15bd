//! Switches under /proc/sys/net, each for one interface and never for `all`.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use netlink_packet_route::link::{AfSpecInet, AfSpecInet6, AfSpecUnspec};

use super::ipv6;
use crate::agent::names::port_name;
use crate::plan::PortSection;

/// A switch's path below /proc/sys/net and the value it must have.
pub type Switch = (String, &'static str);

/// What of a port its switches follow from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Port {
    pub name: String,
    /// Whether it is for its own addresses alone.
    pub checked: bool,
    /// Whether it carries IPv6.
    pub ipv6: bool,
}

impl Port {
    /// As the state has it.
    pub fn of(port: &PortSection) -> Self {
        let (checked, ipv6) = (port.source_dest_check, !port.ipv6.is_empty());
        Self { name: port_name(port.eni), checked, ipv6 }
    }
}

/// IPv6 off, before the interface is up, or it would have announced itself; or as ours have it.
fn ipv6(name: &str, carried: bool) -> Vec<Switch> {
    if carried {
        return ipv6::switches::ours(name);
    }
    ["disable_ipv6", "accept_ra"]
        .map(|key| format!("ipv6/conf/{name}/{key}"))
        .into_iter()
        .zip(["1", "0"])
        .collect()
}

/// An instance's port.
pub fn port(port: &Port) -> Vec<Switch> {
    let name = &port.name;
    let v4 = |key: &str| format!("ipv4/conf/{name}/{key}");
    let mut switches = ipv6(name, port.ipv6);
    switches.extend([
        (v4("rp_filter"), if port.checked { "1" } else { "0" }),
        (v4("accept_redirects"), "0"),
        (v4("send_redirects"), "0"),
        // The first proxied answer would otherwise take up to a second.
        (format!("ipv4/neigh/{name}/proxy_delay"), "0"),
        (v4("proxy_arp"), "1"),
        (v4("forwarding"), "1"),
    ]);
    switches
}

/// A cable between a host and a router, and a router's VXLAN device: nobody is asked for anything there. What comes by one has
/// any source, and goes back the same way.
pub fn transit(name: &str, carries_ipv6: bool) -> Vec<Switch> {
    let v4 = |key: &str| format!("ipv4/conf/{name}/{key}");
    let mut switches = ipv6(name, carries_ipv6);
    switches.extend([
        (v4("rp_filter"), "0"),
        (v4("arp_ignore"), "8"),
        (v4("accept_redirects"), "0"),
        (v4("send_redirects"), "0"),
        (v4("forwarding"), "1"),
    ]);
    switches
}

/// A router's own `all`, which counts beside each interface's: its network namespace may begin with the machine's.
pub fn router() -> Switch {
    ("ipv4/conf/all/rp_filter".into(), "0")
}

/// The public interface; without arp_ignore it would answer for the gateways, too.
pub fn public(name: &str) -> Vec<Switch> {
    vec![(format!("ipv4/conf/{name}/arp_ignore"), "1"), (format!("ipv4/conf/{name}/forwarding"), "1")]
}

/// The flat interface; without arp_announce the gateway's address would be announced on it. Where a gateway host is the
/// way out (`relays`), the world's answers come by it while the host itself would go another way: its rp_filter must be
/// loose. That a source is real is for our own rules to see.
pub fn flat(name: &str, relays: bool) -> Vec<Switch> {
    let mut switches = vec![
        (format!("ipv4/conf/{name}/arp_ignore"), "1"),
        (format!("ipv4/conf/{name}/arp_announce"), "2"),
        (format!("ipv4/neigh/{name}/proxy_delay"), "0"),
        (format!("ipv4/conf/{name}/forwarding"), "1"),
    ];
    if relays {
        switches.push((format!("ipv4/conf/{name}/rp_filter"), "2"));
    }
    switches
}

/// What a list of interfaces says of one's switches (`IFLA_INET_CONF`, `IFLA_INET6_CONF`; include/uapi/linux/if_link.h), beside
/// which their files need not be read: eight files of each of a thousand ports would be most of what a pass with nothing to do takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Told {
    v4: Option<[(&'static str, i32); 5]>,
    v6: Option<[(&'static str, i32); 2]>,
}

impl Told {
    /// From an interface's attributes.
    pub fn of(specs: &[AfSpecUnspec]) -> Self {
        let mut told = Self::default();
        for spec in specs {
            match spec {
                AfSpecUnspec::Inet(list) => told.v4 = list.iter().find_map(v4_told),
                AfSpecUnspec::Inet6(list) => told.v6 = list.iter().find_map(v6_told),
                _ => {}
            }
        }
        told
    }

    /// Sets those of an interface's switches that did not stand as they must, and looks after those of which nothing was said.
    /// Each file that is opened takes as long as a route does.
    ///
    /// # Errors
    /// The first that could not be set, and why; the others are.
    pub fn ensure(&self, switches: &[Switch]) -> Result<(), (Switch, io::Error)> {
        let one = |switch: &Switch| match self.stood(switch) {
            Some(true) => Ok(()),
            Some(false) => set(switch),
            None => ensure(switch),
        };
        let all = switches.iter().map(|switch| one(switch).map_err(|error| (switch.clone(), error)));
        all.fold(Ok(()), Result::and)
    }

    /// Whether it stood as it must; `None` where nothing was said of it.
    fn stood(&self, (path, value): &Switch) -> Option<bool> {
        let mut steps = path.split('/');
        let (Some(family), Some("conf"), Some(_), Some(key)) =
            (steps.next(), steps.next(), steps.next(), steps.next())
        else {
            return None;
        };
        let told = match family {
            "ipv4" => self.v4.as_ref().map(|told| &told[..]),
            _ => self.v6.as_ref().map(|told| &told[..]),
        };
        let told = told.into_iter().flatten().find(|(name, _)| *name == key);
        told.map(|(_, stood)| value.parse() == Ok(*stood))
    }
}

fn v4_told(spec: &AfSpecInet) -> Option<[(&'static str, i32); 5]> {
    let AfSpecInet::DevConf(conf) = spec else { return None };
    Some([
        ("rp_filter", conf.rp_filter),
        ("accept_redirects", conf.accept_redirects),
        ("send_redirects", conf.send_redirects),
        ("proxy_arp", conf.proxy_arp),
        ("forwarding", conf.forwarding),
    ])
}

fn v6_told(spec: &AfSpecInet6) -> Option<[(&'static str, i32); 2]> {
    let AfSpecInet6::DevConf(conf) = spec else { return None };
    Some([("disable_ipv6", conf.disable_ipv6), ("accept_ra", conf.accept_ra)])
}

/// Whether the host forwards for everybody (`net.ipv4.ip_forward`).
pub fn is_router() -> bool {
    read("ipv4/conf/all/forwarding").is_ok_and(|value| value.trim() == "1")
}

fn path(switch: &str) -> PathBuf {
    PathBuf::from("/proc/sys/net").join(switch)
}

/// A switch is a number: one read is all of it, and there are thousands of them.
fn read(switch: &str) -> io::Result<String> {
    let mut text = [0; 32];
    let length = File::open(path(switch))?.read(&mut text)?;
    Ok(String::from_utf8_lossy(&text[..length]).into_owned())
}

/// Whether there is such a switch now; its interface may be gone.
pub fn exists(switch: &Switch) -> bool {
    path(&switch.0).exists()
}

/// Whether there is the switch and it stands so.
pub fn reads((switch, value): &Switch) -> bool {
    read(switch).is_ok_and(|text| text.trim() == *value)
}

/// Whether the switch is there and stands otherwise.
pub fn is_off((switch, value): &Switch) -> bool {
    match read(switch) {
        Ok(text) => text.trim() != *value,
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// Whether the switch stands as it must.
fn holds((switch, value): &Switch) -> bool {
    match read(switch) {
        Ok(text) => text.trim() == *value,
        // A kernel without IPv6 needs no switch to keep it off.
        Err(error) => error.kind() == io::ErrorKind::NotFound && switch.starts_with("ipv6/"),
    }
}

/// Sets the switch where it stands otherwise.
///
/// # Errors
/// Why it could not be written.
pub fn ensure(switch: &Switch) -> io::Result<()> {
    if holds(switch) { Ok(()) } else { set(switch) }
}

fn set((switch, value): &Switch) -> io::Result<()> {
    fs::write(path(switch), value)
}
