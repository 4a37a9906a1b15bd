//! The host's interfaces and those who manage them.

use std::fs;
use std::path::Path;

use super::Finding;
use crate::agent::config::HostConfig;
use crate::agent::names::PORT_PREFIX;

/// A program that takes hold of every interface it sees, unless told otherwise.
struct Manager {
    name: &'static str,
    /// There while it runs.
    runs: &'static str,
    /// Where it is told.
    told: &'static str,
    example: &'static str,
}

const MANAGERS: [Manager; 3] = [
    Manager {
        name: "NetworkManager",
        runs: "/run/NetworkManager",
        told: "/etc/NetworkManager/conf.d",
        example: "examples/networkmanager.conf",
    },
    Manager {
        name: "systemd-networkd",
        runs: "/run/systemd/netif/state",
        told: "/etc/systemd/network",
        example: "examples/networkd.network",
    },
    Manager {
        name: "dhcpcd",
        runs: "/run/dhcpcd/pid",
        told: "/etc/dhcpcd.conf",
        example: "examples/dhcpcd.conf",
    },
];

pub fn findings(host: &HostConfig) -> Vec<Finding> {
    let mut all = vec![interface("public_interface", &host.public_interface)];
    if host.flat_interface == host.public_interface {
        all.push(Finding::fine("flat_interface is public_interface: a host with one NIC"));
    } else {
        all.push(interface("flat_interface", &host.flat_interface));
    }
    all.extend(MANAGERS.iter().filter_map(manager));
    all.extend(dhcp_server());
    all
}

fn interface(setting: &str, name: &str) -> Finding {
    let folder = Path::new("/sys/class/net").join(name);
    let flags = fs::read_to_string(folder.join("flags")).ok();
    let flags = flags.and_then(|text| u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok());
    match flags {
        None => Finding::stop(format!("{setting} {name} does not exist: name one of {}", names())),
        Some(flags) if flags & 1 == 0 => {
            Finding::stop(format!("{setting} {name} is down: ip link set {name} up"))
        }
        Some(_) => match fs::read_link(folder.join("master")) {
            Ok(master) => {
                let master = master.file_name().unwrap_or_default().to_string_lossy().into_owned();
                Finding::stop(format!("{setting} {name} is a part of {master}: name {master} instead"))
            }
            Err(_) => Finding::fine(format!("{setting} {name} is up")),
        },
    }
}

fn names() -> String {
    let entries = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "lo" && !name.starts_with(PORT_PREFIX));
    names.sort();
    names.join(", ")
}

fn manager(manager: &Manager) -> Option<Finding> {
    if !Path::new(manager.runs).exists() {
        return None;
    }
    let Manager { name, told, example, .. } = manager;
    Some(match mentions_ports(Path::new(told)) {
        true => Finding::fine(format!("{name} runs and is told to leave our interfaces alone")),
        false => Finding::note(format!("{name} runs: tell it to leave our interfaces alone, see {example}")),
    })
}

/// Whether the file, or a file in the folder, has our ports' prefix in it.
fn mentions_ports(place: &Path) -> bool {
    if place.is_dir() {
        let entries = fs::read_dir(place).into_iter().flatten().flatten();
        return entries.into_iter().any(|entry| mentions_ports(&entry.path()));
    }
    fs::read_to_string(place).is_ok_and(|text| text.contains(PORT_PREFIX))
}

/// A DHCP server on every interface takes port 67 away from the ones on our ports.
fn dhcp_server() -> Option<Finding> {
    let table = fs::read_to_string("/proc/net/udp").ok()?;
    let everywhere = table.lines().any(|line| line.split_whitespace().nth(1) == Some("00000000:0043"));
    everywhere.then(|| {
        Finding::note(
            "another program listens on UDP port 67 (DHCP) of every interface: bind it to its own, e.g. \
             bind-interfaces in dnsmasq",
        )
    })
}
