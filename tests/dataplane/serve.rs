//! What a host serves to its instances, asked by the clients that guests have.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use fogbank::agent::names::RESOLVER_ADDRESS;
use fogbank::agent::serve;
use fogbank::plan::{HostState, PortSection};
use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::A;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::sync::watch;

use crate::lab::*;
use crate::state::*;

const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const LONG: Duration = Duration::from_secs(10);

/// A host that serves its ports, until dropped.
struct Serving {
    states: Option<watch::Sender<Option<Arc<HostState>>>>,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    fn start(lab: &Lab, state: &HostState) -> Self {
        let (states, receiver) = watch::channel(Some(Arc::new(state.clone())));
        let config = Arc::new(lab.config.clone());
        let thread = lab.host.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve::run(config, receiver, None)).unwrap();
        });
        Self { states: Some(states), thread: Some(thread) }
    }

    fn want(&self, state: &HostState) {
        self.states.as_ref().unwrap().send_replace(Some(Arc::new(state.clone())));
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // The sender gone is the end.
        self.states = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn served(ports: &[PortSection]) -> HostState {
    let mut state = with_ports(empty(), ports);
    for port in ports {
        state.instances.insert(port.instance, Arc::new(instance(port)));
    }
    state
}

/// A host with instances, their ports open to everybody, before anything is served.
fn host(ports: &[PortSection]) -> (Lab, HostState) {
    let mut lab = Lab::new();
    for port in ports {
        lab.instance(port);
    }
    let state = wide(&served(ports), 1);
    lab.apply(&state);
    (lab, state)
}

/// What a path of the metadata service says to an instance; empty where it is not answered.
fn metadata(guest: &Ns, options: &str, path: &str) -> String {
    guest.sh(&format!("curl -s -f -m 1 {options} http://169.254.169.254/latest/{path} || true"))
}

/// A folder of its own for a DHCP client's files, removed with it.
pub struct Client(PathBuf);

impl Client {
    /// `script` is called for each event of the client; what it is told is in the environment.
    pub fn new(role: &str, script: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("{PREFIX}{}-{role}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let client = Self(folder);
        let script = format!("#!/bin/sh\n{script}\n").replace("TOLD", &client.path("told"));
        fs::write(client.path("script"), script).unwrap();
        fs::set_permissions(client.path("script"), fs::Permissions::from_mode(0o755)).unwrap();
        client
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    /// Whether the client was told this, word for word.
    #[track_caller]
    pub fn was_told(&self, lines: &[&str]) {
        let told = fs::read_to_string(self.path("told")).unwrap_or_default();
        for line in lines {
            assert!(told.lines().any(|told| told == *line), "{line} is not among:\n{told}");
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn udhcpc_and_dhclient_are_told_everything() {
    let (lab, state) = host(&[port(1, &[1])]);
    let _serving = Serving::start(&lab, &state);
    let guest = &lab.instances[0];
    guest.sh("ip addr flush dev eth0");
    let udhcpc = Client::new("udhcpc", "[ \"$1\" != bound ] || env > TOLD");
    guest.sh(&format!(
        "env -i PATH=\"$PATH\" /bin/busybox udhcpc -f -q -n -t 20 -T 1 -i eth0 -s {} -O mtu -O staticroutes -O search 2>&1",
        udhcpc.path("script")
    ));
    udhcpc.was_told(&[
        "ip=10.0.0.11",
        "subnet=255.255.255.0",
        "broadcast=10.0.0.255",
        "router=10.0.0.1",
        "serverid=10.0.0.1",
        "dns=10.0.0.1",
        "lease=86400",
        "mtu=1500",
        "hostname=ip-10-0-0-11",
        "domain=lab",
        "search=lab",
        "staticroutes=169.254.169.254/32 10.0.0.1 0.0.0.0/0 10.0.0.1",
    ]);
    // Told its address, dhclient is ended by its own script.
    let dhclient = Client::new("dhclient", "[ \"$reason\" != BOUND ] || { env > TOLD; kill $PPID; }");
    let asks = "option classless code 121 = array of unsigned integer 8;\n\
        request subnet-mask, routers, domain-name-servers, domain-search, interface-mtu, classless;\n";
    fs::write(dhclient.path("conf"), asks).unwrap();
    let [conf, leases, pid, script] = ["conf", "leases", "pid", "script"].map(|name| dhclient.path(name));
    guest.sh(&format!(
        "env -i PATH=\"$PATH\" timeout 20 dhclient -4 -1 -d -cf {conf} -lf {leases} -pf {pid} -sf {script} eth0 2>&1 || true"
    ));
    dhclient.was_told(&[
        "new_ip_address=10.0.0.11",
        "new_subnet_mask=255.255.255.0",
        "new_routers=10.0.0.1",
        "new_domain_name_servers=10.0.0.1",
        "new_dhcp_server_identifier=10.0.0.1",
        "new_interface_mtu=1500",
        "new_domain_search=lab.",
        "new_classless=32 169 254 169 254 10 0 0 1 0 10 0 0 1",
    ]);
}

#[test]
fn an_instance_is_no_dhcp_server() {
    let (lab, _) = host(&[port(1, &[1]), port(2, &[1])]);
    let victim = lab.instances[1].run(|| {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 68)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    });
    let offer = |from: u16| {
        lab.instances[0].run(move || {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, from)).unwrap();
            socket.set_broadcast(true).unwrap();
            for to in [ip(2), Ipv4Addr::new(10, 0, 0, 255), Ipv4Addr::BROADCAST] {
                let _ = socket.send_to(&from.to_be_bytes(), (to, 68));
            }
        });
    };
    let mut heard = [0; 2];
    let arrived = within(LONG, || {
        offer(67);
        // The way is open to everything else.
        offer(66);
        victim.recv_from(&mut heard).is_ok()
    });
    assert!(arrived);
    while victim.recv_from(&mut heard).is_ok() {
        assert_eq!(u16::from_be_bytes(heard), 66, "an offer arrived");
    }
}

#[test]
fn metadata_is_the_ports_own_and_a_neighbours_address_gets_none() {
    let (mut lab, mut state) = host(&[port(1, &[1]), port(2, &[1])]);
    let serving = Serving::start(&lab, &state);
    let own = |lab: &Lab, n: usize| {
        let id = port(n, &[]).instance.to_string();
        within(LONG, || metadata(&lab.instances[n - 1], "", "meta-data/instance-id") == id)
    };
    assert!(own(&lab, 1) && own(&lab, 2));
    let token = "-X PUT -H \"X-aws-ec2-metadata-token-ttl-seconds: 60\"";
    let token = metadata(&lab.instances[0], token, "api/token");
    let shown = |n: usize| {
        let options = format!("-H \"X-aws-ec2-metadata-token: {token}\"");
        metadata(&lab.instances[n], &options, "meta-data/local-ipv4")
    };
    assert_eq!([shown(0), shown(1)], [ip(1).to_string(), String::new()], "another's token is no token");
    // Behind a port whose sources are not checked, too.
    lab.instances[0].sh("ip addr add 10.0.0.12/32 dev eth0");
    for source_dest_check in [true, false] {
        state.ports.insert(port(1, &[]).eni, Arc::new(PortSection { source_dest_check, ..port(1, &[1]) }));
        lab.apply(&state);
        serving.want(&state);
        let forged = metadata(&lab.instances[0], "--interface 10.0.0.12", "meta-data/instance-id");
        assert_eq!(forged, "", "source_dest_check {source_dest_check}");
        assert!(own(&lab, 1) && own(&lab, 2));
    }
    // An interface that was made anew is served anew.
    drop(lab.instances.pop());
    let name = fogbank::agent::names::port_name(port(2, &[]).eni);
    assert!(within(LONG, || lab.host.sh("ip -o link").lines().all(|line| !line.contains(&name))));
    lab.instance(&port(2, &[1]));
    assert!(own(&lab, 2));
}

fn ask(guest: &Ns, server: Ipv4Addr, name: &str, tcp: bool) -> Option<Message> {
    let mut question = Message::new();
    question.set_id(7).set_recursion_desired(true);
    question.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    let question = question.to_vec().unwrap();
    let reply = guest.run(move || if tcp { ask_tcp(server, &question) } else { ask_udp(server, &question) });
    Message::from_vec(&reply.ok()?).ok().filter(|reply| reply.id() == 7)
}

fn ask_udp(server: Ipv4Addr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.connect((server, 53))?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    socket.send(question)?;
    let mut reply = vec![0; 4096];
    let length = socket.recv(&mut reply)?;
    reply.truncate(length);
    Ok(reply)
}

fn ask_tcp(server: Ipv4Addr, question: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((server, 53))?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    stream.write_all(&(question.len() as u16).to_be_bytes())?;
    stream.write_all(question)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply)?;
    Ok(reply)
}

/// A resolver on the host that knows one answer, for so many questions.
fn upstream(host: &Ns, port: u16, questions: usize) -> JoinHandle<()> {
    let socket = host.run(move || UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
    socket.set_read_timeout(Some(LONG)).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        for _ in 0..questions {
            let Ok((length, from)) = socket.recv_from(&mut buffer) else { return };
            let mut reply = Message::from_vec(&buffer[..length]).unwrap();
            let name = reply.queries()[0].name().clone();
            reply.set_message_type(MessageType::Response);
            reply.add_answer(Record::from_rdata(name, 60, RData::A(A::new(192, 0, 2, 80))));
            socket.send_to(&reply.to_vec().unwrap(), from).unwrap();
        }
    })
}

#[test]
fn names_are_resolved_on_both_addresses_by_udp_and_tcp() {
    let mut lab = Lab::new();
    lab.config.resolvers = vec!["127.0.0.1:5399".parse().unwrap()];
    lab.instance(&port(1, &[1]));
    let state = wide(&served(&[port(1, &[1])]), 1);
    lab.apply(&state);
    let _serving = Serving::start(&lab, &state);
    let guest = &lab.instances[0];
    let address = |reply: &Message| reply.answers().first().map(|record| record.data().clone());
    for (server, tcp) in
        [(GATEWAY, false), (GATEWAY, true), (RESOLVER_ADDRESS, false), (RESOLVER_ADDRESS, true)]
    {
        let mut reply = None;
        let answered = within(LONG, || {
            reply = ask(guest, server, "ip-10-0-0-12.lab.", tcp);
            reply.is_some()
        });
        assert!(answered, "{server} {tcp}");
        assert_eq!(address(&reply.unwrap()), Some(RData::A(A(ip(2)))), "{server} {tcp}");
    }
    let absent = ask(guest, GATEWAY, "nobody.lab.", false).unwrap();
    assert_eq!(absent.response_code(), ResponseCode::NXDomain);
    let upstream = upstream(&lab.host, 5399, 1);
    let other = ask(guest, GATEWAY, "example.org.", false).unwrap();
    assert_eq!(address(&other), Some(RData::A(A::new(192, 0, 2, 80))));
    upstream.join().unwrap();
    // Asked from another address than the port's, even one that is the guest's, it says nothing.
    guest.sh("ip addr add 10.0.0.99/32 dev eth0; ip route add 10.0.0.1 dev eth0 src 10.0.0.99");
    assert_eq!(ask(guest, GATEWAY, "ip-10-0-0-12.lab.", false), None);
}
