//! Flows in a kernel's connection tracking: put there as if packets had made them, and listed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use fogbank::agent::kernel::nfnetlink::{Nfnetlink, attribute, write};
use fogbank::plan::{Exit, HostState};
use fogbank::types::EniId;
use netlink_sys::{Socket, SocketAddr};

use crate::lab::Ns;
use crate::worlds::CLIENT;

/// Source and destination of the first packet and of the answer, and a number that is the flow's own.
pub type Flow = ([Ipv4Addr; 4], u16);

/// What a flow lives by: it must end with any of these, and not sooner.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Need {
    /// The interface that has the address.
    Interface(Ipv4Addr, EniId),
    Mapped(Ipv4Addr, Ipv4Addr),
    /// The way out of the network of an address.
    Exit(Ipv4Addr, String),
}

/// What a state gives flows to live by.
pub fn given(state: &HostState) -> BTreeSet<Need> {
    let mut all = BTreeSet::new();
    for (ip, eni, network) in instances(state) {
        all.insert(Need::Interface(ip, eni));
        let exit = state.networks.get(network.as_str()).map(|network| way_out(&network.exit));
        all.extend(exit.map(|exit| Need::Exit(ip, exit)));
    }
    all.extend(state.addresses.values().map(|a| Need::Mapped(a.public_ip, a.private_ip)));
    all
}

/// For an instance of its own a host is the same way out whether it is that for others', too, or not.
fn way_out(exit: &Exit) -> String {
    match exit {
        Exit::Here | Exit::ForAll => "this host".into(),
        Exit::By(gateway) => gateway.to_string(),
    }
}

fn instances(state: &HostState) -> BTreeSet<(Ipv4Addr, EniId, String)> {
    let here = state.ports.values().map(|port| (port.private_ip, port.eni, port.network.to_string()));
    let there = state.places.values().filter(|place| place.host != state.host);
    here.chain(there.map(|place| (place.private_ip, place.eni, place.network.to_string()))).collect()
}

/// Flows that packets would make under a state, and what each lives by; numbered from `first`.
pub fn made(state: &HostState, first: u16, own: Ipv4Addr) -> BTreeMap<Flow, Vec<Need>> {
    let mut flows = BTreeMap::new();
    let mut add = |ends, needs| {
        let number = first + flows.len() as u16;
        flows.insert((ends, number), needs)
    };
    let all = instances(state);
    let given = given(state);
    for a in state.addresses.values() {
        let of =
            |need: &&Need| matches!(need, Need::Interface(ip, _) | Need::Exit(ip, _) if *ip == a.private_ip);
        let mut needs: Vec<_> = given.iter().filter(of).cloned().collect();
        if needs.len() == 2 {
            needs.push(Need::Mapped(a.public_ip, a.private_ip));
            add([CLIENT, a.public_ip, a.private_ip, CLIENT], needs);
        }
    }
    for port in state.ports.values() {
        let ip = port.private_ip;
        let interface = Need::Interface(ip, port.eni);
        let exit = &state.networks[&port.network].exit;
        let elastic = state.addresses.values().find(|a| a.private_ip == ip);
        if let (Exit::Here | Exit::ForAll, None) = (exit, elastic) {
            let needs = vec![interface.clone(), Need::Exit(ip, way_out(exit))];
            add([ip, CLIENT, CLIENT, own], needs);
        }
        for (other, eni, _) in all.iter().filter(|(other, ..)| *other != ip) {
            add([ip, *other, *other, ip], vec![interface.clone(), Need::Interface(*other, *eni)]);
        }
    }
    flows
}

/// The flows that are there.
pub fn list(ns: &Ns) -> BTreeSet<Flow> {
    ns.run(|| {
        let messages = Nfnetlink::open().unwrap().dump(1 << 8 | 1, 2, &[]).unwrap();
        messages.iter().filter_map(|message| read(message)).collect()
    })
}

fn read(message: &[u8]) -> Option<Flow> {
    let (one, other) = (attribute(message, 1)?, attribute(message, 2)?);
    let address =
        |tuple, kind| Some(Ipv4Addr::from(*attribute(attribute(tuple, 1)?, kind)?.first_chunk::<4>()?));
    let number = u16::from_be_bytes(*attribute(attribute(one, 2)?, 2)?.first_chunk()?);
    Some(([address(one, 1)?, address(one, 2)?, address(other, 1)?, address(other, 2)?], number))
}

/// Puts flows there, as UDP.
pub fn put(ns: &Ns, flows: impl Iterator<Item = Flow>) {
    let flows: Vec<_> = flows.collect();
    ns.run(move || {
        let mut socket = Socket::new(12).unwrap();
        socket.bind_auto().unwrap();
        for flow in &flows {
            socket.send_to(&message(flow), &SocketAddr::new(0, 0), 0).unwrap();
            let (answer, _) = socket.recv_from_full().unwrap();
            let code = i32::from_ne_bytes(answer[16..20].try_into().unwrap());
            assert_eq!(code, 0, "{flow:?}: {}", std::io::Error::from_raw_os_error(-code));
        }
    });
}

/// IPCTNL_MSG_CT_NEW, to be made anew and acknowledged.
fn message((ends, number): &Flow) -> Vec<u8> {
    const NESTED: u16 = 0x8000;
    let tuple = |from: Ipv4Addr, to: Ipv4Addr, ports: [u16; 2]| {
        let (mut ip, mut transport, mut tuple) = (Vec::new(), Vec::new(), Vec::new());
        write(&mut ip, 1, &from.octets());
        write(&mut ip, 2, &to.octets());
        write(&mut transport, 1, &[17]);
        write(&mut transport, 2, &ports[0].to_be_bytes());
        write(&mut transport, 3, &ports[1].to_be_bytes());
        write(&mut tuple, 1 | NESTED, &ip);
        write(&mut tuple, 2 | NESTED, &transport);
        tuple
    };
    let mut body = vec![2, 0, 0, 0];
    write(&mut body, 1 | NESTED, &tuple(ends[0], ends[1], [*number, 7]));
    write(&mut body, 2 | NESTED, &tuple(ends[2], ends[3], [7, *number]));
    write(&mut body, 7, &600_u32.to_be_bytes());
    let mut message = Vec::new();
    message.extend((16 + body.len() as u32).to_ne_bytes());
    message.extend((1_u16 << 8).to_ne_bytes());
    message.extend(0x605_u16.to_ne_bytes());
    message.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    message.extend(body);
    message
}
