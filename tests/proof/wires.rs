//! A world in network namespaces: hosts with real agents, instances, two segments; frames are put in and heard.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use fogbank::agent::names::{PORT_MAC, ROUTER_VXLAN, port_name};
use fogbank::plan::{Failure, host_state};
use fogbank::types::{EniId, MacAddr};
use fogbank::verdict::{Packet, Place};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::frames;
use crate::hosts::Host;
use crate::ipv6::POOL6;
use crate::lab::{Ns, sh, sweep, within};
use crate::worlds::{CLIENT, CLIENT6, Made, mac, name, own, own6};

/// The addresses in each network that the machine on the flat segment has.
pub const MACHINES: [u8; 4] = [2, 40, 64, 100];
/// ETH_P_ALL: whatever it is.
const ALL: u16 = 3;
const ROUTER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const ROUTER6: &str = "2001:db8:f0::1";

/// Of some machine that is no host's.
pub const MACHINE: MacAddr = MacAddr([2, 0, 0, 0xee, 0, 1]);

/// No kernel answers there but ours: what is heard was put in.
const QUIET: &str = "nft \"add table inet quiet; add chain inet quiet input { type filter hook input priority 0; policy drop; }; \
     add rule inet quiet input icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\"";

/// How long hosts take at most with the routers of several VPCs, on a machine that does other things beside.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where each marked packet was heard, how it looked, and who handed it over.
pub type Heard = Arc<Mutex<BTreeMap<u32, Vec<(Place, Packet, MacAddr)>>>>;

pub struct Wires {
    pub heard: Heard,
    ears: Vec<(Arc<AtomicBool>, JoinHandle<()>)>,
    mouths: BTreeMap<Place, Socket>,
    guests: BTreeMap<EniId, Ns>,
    macs: BTreeMap<EniId, MacAddr>,
    hosts: Vec<Host>,
    internet: Ns,
    machine: Ns,
}

impl Wires {
    pub fn new(made: &Made) -> Self {
        sweep();
        let (internet, machine) = (Ns::new("inet"), Ns::new("flat"));
        internet
            .sh(&format!("ip link add br0 type bridge; ip link set br0 up; ip addr add {ROUTER}/24 dev br0"));
        internet.sh(&format!("ip addr add {CLIENT}/32 dev lo; ip addr add {CLIENT6}/128 dev lo"));
        internet.sh(&format!("ip addr add {ROUTER6}/64 dev br0 nodad"));
        if made.one_nic {
            let (inet, flat) = (internet.name(), machine.name());
            sh(&format!("ip -n {inet} link add machine type veth peer name br0 netns {flat}"));
            sh(&format!("ip -n {inet} link set machine master br0 up; ip -n {flat} link set br0 up"));
        } else {
            machine.sh("ip link add br0 type bridge; ip link set br0 up");
        }
        for network in made.world.flat_networks() {
            for last in MACHINES {
                let ip = Ipv4Addr::from_bits(network.cidr.network().to_bits() + u32::from(last));
                machine.sh(&format!("ip addr add {ip}/25 dev br0"));
            }
        }
        let (hosts, guests, macs) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let (ears, mouths) = (Vec::new(), BTreeMap::new());
        let mut wires =
            Self { heard: Heard::default(), ears, mouths, guests, macs, hosts, internet, machine };
        for number in 0..made.world.hosts.len() {
            wires.add_host(made, number);
        }
        wires.add_guests(made);
        wires.apply(made);
        wires.listen();
        wires
    }

    fn add_host(&mut self, made: &Made, number: usize) {
        let mut host = Host::with_routers(&name(number));
        let flat = if made.one_nic { "eth0" } else { "eth1" };
        host.config.flat_interface = flat.into();
        let cables = [("eth0", &self.internet), ("eth1", &self.machine)];
        for (interface, segment) in cables.into_iter().take(if made.one_nic { 1 } else { 2 }) {
            let (ns, there) = (host.ns.name(), segment.name());
            let address = if interface == flat { mac(number) } else { public_mac(number) };
            sh(&format!(
                "ip -n {ns} link add {interface} address {address} type veth peer name port{number} netns {there}"
            ));
            sh(&format!("ip -n {there} link set port{number} master br0 up"));
            host.ns.sh(&format!("ip link set {interface} up"));
        }
        // Without an address it knows the way all the same.
        if made.facts.snat(&name(number)).is_some() {
            host.ns.sh(&format!("ip addr add {}/24 dev eth0", own(number)));
        } else {
            host.ns.sh("ip route add 203.0.113.0/24 dev eth0");
        }
        host.ns.sh(&format!("ip route add default via {ROUTER} dev eth0"));
        host.ns.sh(&format!(
            "ip addr add {}/64 dev eth0 nodad; ip -6 route add {POOL6} dev eth0; ip -6 route add default via {ROUTER6} dev eth0",
            own6(number)
        ));
        host.start();
        self.hosts.push(host);
    }

    /// The interfaces of instances that a host serves.
    fn add_guests(&mut self, made: &Made) {
        for host in &self.hosts {
            let state = host_state(&made.world, &host_name(host));
            for port in state.ports.values() {
                let guest = Ns::new("vm");
                let (ns, vm, link) = (host.ns.name(), guest.name(), port_name(port.eni));
                let gateway = state.networks[&port.network].gateway;
                sh(&format!(
                    "ip -n {ns} link add {link} address {PORT_MAC} type veth peer name eth0 address {} netns {vm}",
                    port.mac
                ));
                sh(&format!("ip -n {ns} link set {link} alias {}", port.eni));
                guest.sh(&format!("ip addr add {}/25 dev eth0; ip link set eth0 up", port.private_ip));
                guest.sh(&format!("ip route add default via {gateway}"));
                self.guests.insert(port.eni, guest);
                self.macs.insert(port.eni, port.mac);
            }
        }
    }

    fn apply(&self, made: &Made) {
        for host in &self.hosts {
            let mut state = host_state(&made.world, &host_name(host));
            state.generation = 1;
            host.tell(&state);
        }
        for host in &self.hosts {
            let unknown = made.world.hosts[&*host_name(host)].flat_mac.is_none();
            // A host without a public address says so, rightly, and one that was not heard of yet has no VXLAN.
            let rightly = |failure: &Failure| {
                failure.message.contains("no IPv4 address")
                    || unknown && failure.subject == format!("interface {ROUTER_VXLAN}")
            };
            let applied = || host.applied.borrow().clone();
            let done = || applied().generation == 1 && applied().failures.iter().all(rightly);
            assert!(within(PATIENCE, done), "{:?}", applied());
        }
    }

    fn listen(&mut self) {
        self.internet.sh(QUIET);
        self.machine.sh(QUIET);
        let mut wire = |ns: &Ns, interface: &'static str, place: Place| {
            // Opened once: to close such a socket takes the kernel longer than to send a packet.
            let (mouth, socket) = ns.run(move || (open(interface, 0), open(interface, ALL)));
            self.mouths.insert(place.clone(), mouth);
            let (stop, heard) = (Arc::new(AtomicBool::new(false)), self.heard.clone());
            let until = stop.clone();
            let thread = std::thread::spawn(move || hear(&socket, &until, &place, &heard));
            self.ears.push((stop, thread));
        };
        wire(&self.internet, "br0", Place::Outside);
        wire(&self.machine, "br0", Place::Flat);
        for (eni, guest) in &self.guests {
            guest.sh(QUIET);
            // What an instance is to forward for others ends here.
            guest.sh("echo 0 > /proc/sys/net/ipv4/ip_forward");
            wire(guest, "eth0", Place::Interface(*eni));
        }
    }

    /// Puts frames on an instance's own interface, or on a segment.
    pub fn put(&self, at: &Place, frames: &[Vec<u8>]) {
        for frame in frames {
            self.mouths[at].send(frame).unwrap();
        }
    }

    /// The address that frames from a place have.
    pub fn mac_at(&self, place: &Place) -> MacAddr {
        match place {
            Place::Interface(eni) => self.macs[eni],
            _ => MACHINE,
        }
    }

    pub fn serves(&self, eni: EniId) -> bool {
        self.guests.contains_key(&eni)
    }
}

impl Drop for Wires {
    fn drop(&mut self) {
        for (stop, _) in &self.ears {
            stop.store(true, Ordering::Relaxed);
        }
        for (_, thread) in self.ears.drain(..) {
            let _ = thread.join();
        }
    }
}

fn host_name(host: &Host) -> String {
    let name = host.ns.name();
    name[name.rfind('-').unwrap() + 1..].to_owned()
}

/// The address of a host's public interface, where that is one of its own.
pub fn public_mac(host: usize) -> MacAddr {
    MacAddr([2, 0, 0, 0xfe, 0, host as u8 + 1])
}

/// A socket for the frames of one protocol on an interface; of none with 0, which can send all the same.
fn open(interface: &str, ethertype: u16) -> Socket {
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0))).unwrap();
    let index = nix::net::if_::if_nametoindex(interface).unwrap();
    // More than an unprivileged socket may have (socket(7)): a busy machine looks away for a while.
    nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBufForce, &(8 << 20)).unwrap();
    socket.bind(&link(index, ethertype)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    socket
}

/// `sockaddr_ll` for a protocol on an interface.
#[allow(unsafe_code)]
fn link(index: u32, ethertype: u16) -> SockAddr {
    // SAFETY: sockaddr_ll is plain old data that fits the storage, and its length is what it says.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let address = storage.cast::<nix::libc::sockaddr_ll>();
            (*address).sll_family = nix::libc::AF_PACKET as u16;
            (*address).sll_protocol = ethertype.to_be();
            (*address).sll_ifindex = index.cast_signed();
            *length = size_of::<nix::libc::sockaddr_ll>() as u32;
            Ok(())
        })
    }
    .unwrap();
    address
}

fn hear(socket: &Socket, stop: &AtomicBool, place: &Place, heard: &Heard) {
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        match nix::sys::socket::recvfrom::<nix::sys::socket::LinkAddr>(socket.as_raw_fd(), &mut buffer) {
            Ok((length, from)) => {
                // What goes out by this interface is heard, too.
                let out = from.is_some_and(|from| from.pkttype() == nix::libc::PACKET_OUTGOING);
                if let (Some((mark, packet, from)), false) = (frames::read(&buffer[..length]), out) {
                    heard.lock().unwrap().entry(mark).or_default().push((place.clone(), packet, from));
                }
            }
            Err(error) => assert!(
                matches!(std::io::Error::from(error).kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "{error}"
            ),
        }
    }
}
