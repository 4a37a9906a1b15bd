//! Hosts as people have them: with one NIC, and with another program's firewall.

use std::time::Duration;

use fogbank::agent::kernel::sysctl;
use fogbank::agent::names::port_name;

use crate::lab::*;
use crate::probe::{Kind::*, Server, open, shut};
use crate::state::*;

#[test]
fn one_nic_is_enough() {
    let mut lab = Lab::new();
    lab.config.flat_interface = lab.config.public_interface.clone();
    let (one, two) = (port(1, &[1]), port(2, &[2]));
    lab.instance(&one);
    lab.instance(&two);
    let state = associate(&wide(&with_ports(empty(), &[one, two]), 1), ELASTIC[0], 1);
    lab.apply(&state);
    let _server = Server::start(&lab.instances[0], 80);
    let _client = Server::start(&lab.internet, 80);
    let _closed = Server::start(&lab.instances[1], 80);
    assert_eq!(open(&lab.internet, ELASTIC[0], Tcp(80)), CLIENT.to_string());
    assert_eq!(open(&lab.instances[0], CLIENT, Tcp(80)), ELASTIC[0].to_string());
    assert_eq!(open(&lab.instances[1], CLIENT, Tcp(80)), HOST.to_string());
    open(&lab.instances[1], ip(1), Tcp(80));
    shut(&lab.instances[0], ip(2), Tcp(80));
    // A machine of the private network on the same cable finds the instance by its own address.
    lab.internet.sh("ip addr add 10.0.0.200/24 dev eth0");
    assert_eq!(open(&lab.internet, ip(1), Tcp(80)), "10.0.0.200");
    shut(&lab.internet, ip(2), Tcp(80));
}

#[test]
fn a_foreign_chain_that_drops_us_is_named_and_its_own_rules_let_us_pass() {
    let mut lab = Lab::new();
    // As Docker leaves it.
    lab.host.sh("nft add table ip filter");
    lab.host
        .sh("nft add chain ip filter FORWARD { type filter hook forward priority 0 \\; policy drop \\; }");
    let one = port(1, &[1]);
    lab.instance(&one);
    let state = associate(&wide(&with_ports(empty(), &[one]), 1), ELASTIC[0], 1);
    lab.try_apply(&state);
    let _server = Server::start(&lab.instances[0], 80);
    let named =
        || lab.applied().failures.iter().any(|failure| failure.subject == "firewall chain ip filter FORWARD");
    assert!(within(Duration::from_secs(5), named), "{:?}", lab.applied());
    shut(&lab.internet, ELASTIC[0], Tcp(80));
    for way in ["iifname", "oifname"] {
        lab.host.sh(&format!("nft insert rule ip filter FORWARD {way} \"fbp*\" accept"));
    }
    open(&lab.internet, ELASTIC[0], Tcp(80));
}

#[test]
fn a_switch_of_a_port_that_others_turn_is_turned_back() {
    let mut lab = Lab::new();
    let one = port(1, &[1]);
    lab.instance(&one);
    lab.apply(&with_ports(empty(), std::slice::from_ref(&one)));
    let switches = sysctl::port(&sysctl::Port::of(&one));
    assert!(switches.iter().all(|(switch, _)| switch.contains(&port_name(one.eni))));
    for (switch, value) in switches {
        let path = format!("/proc/sys/net/{switch}");
        let other = if value == "0" { "1" } else { "0" };
        lab.host.sh(&format!("echo {other} > {path}"));
        let back = || lab.host.sh(&format!("cat {path}")).trim() == value;
        assert!(within(Duration::from_secs(5), back), "{switch} stays {other}");
    }
}
