//! Host states as tests want them.

use std::net::Ipv4Addr;
use std::sync::Arc;

use fogbank::plan::*;
use fogbank::types::*;

pub const ELASTIC: [Ipv4Addr; 3] =
    [Ipv4Addr::new(203, 0, 113, 100), Ipv4Addr::new(203, 0, 113, 101), Ipv4Addr::new(203, 0, 113, 102)];

pub fn ip(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, 10 + n as u8)
}

pub fn group(n: usize) -> GroupId {
    GroupId::from_random(0xa000 + n as u64)
}

fn range(text: &str) -> Range4 {
    text.parse().unwrap()
}

/// The flat network and a pool; no instances.
pub fn empty() -> HostState {
    let network = NetworkSection {
        range: range("10.0.0.4-10.0.0.199"),
        reserved: [].into(),
        exit: fogbank::plan::Exit::Here,
        cidr6: None,
        name: "flat".into(),
        vpc: None,
        cidr: "10.0.0.0/24".parse().unwrap(),
        gateway: Ipv4Addr::new(10, 0, 0, 1),
        domain: "lab".into(),
    };
    HostState {
        networks: [("flat".into(), Arc::new(network))].into(),
        pools: [range("203.0.113.100-203.0.113.110")].into(),
        ..HostState::default()
    }
}

pub fn port(n: usize, groups: &[usize]) -> PortSection {
    PortSection {
        eni: EniId::from_random(0xe0 + n as u64),
        instance: InstanceId::from_random(n as u64),
        device_index: 0,
        network: "flat".into(),
        mac: MacAddr([2, 0, 0, 0, 1, n as u8]),
        private_ip: ip(n),
        secondary_ips: [].into(),
        ipv6: Arc::new([]),
        groups: groups.iter().map(|g| group(*g)).collect(),
        source_dest_check: true,
        public_ip: None,
        subnet: SubnetId::from_random(1),
        subnet_cidr: "10.0.0.0/24".parse().unwrap(),
        subnet_cidr6: None,
        vpc: VpcId::from_random(1),
        vpc_cidr: "10.0.0.0/24".parse().unwrap(),
        group_names: [].into(),
        account: "123456789012".parse().unwrap(),
    }
}

/// The instance of a port: it runs, and may ask for metadata without a token.
pub fn instance(port: &PortSection) -> InstanceSection {
    InstanceSection {
        id: port.instance,
        run: true,
        boot: 1,
        image: ImageId::from_random(1),
        image_location: STOCK_IMAGE.into(),
        user_data: None,
        key_name: None,
        public_key: None,
        reservation: ReservationId::from_random(1),
        launch_index: 0,
        instance_type: "m1.small".into(),
        zone: "nova".into(),
        region: Region::from("us-east-1"),
        account: port.account,
        launched: Micros(0),
        tokens_required: false,
        hop_limit: 1,
        metadata_enabled: true,
        interfaces: vec![port.eni],
        tags: vec![],
    }
}

/// Adds ports and, where missing, their groups; members are kept up to date.
pub fn with_ports(mut state: HostState, ports: &[PortSection]) -> HostState {
    for port in ports {
        state.ports.insert(port.eni, Arc::new(port.clone()));
    }
    for port in ports {
        for id in port.groups.iter() {
            let members =
                state.ports.values().filter(|p| p.groups.contains(id)).map(|p| p.private_ip).collect();
            let section = MembersSection { ipv4: members, ipv6: vec![] };
            state.members.insert(*id, Arc::new(section));
            state.groups.entry(*id).or_insert_with(|| Arc::new(fresh(*id)));
        }
    }
    state
}

/// A new group: nothing in, everything out.
fn fresh(id: GroupId) -> GroupSection {
    let everything = ProtocolBox { addresses: range("0.0.0.0/0"), protocol: Protocol::All };
    let egress = RuleSet { protocols: vec![everything], ..RuleSet::default() };
    GroupSection { id, ingress: RuleSet::default(), egress }
}

pub fn edit(state: &HostState, n: usize, f: impl FnOnce(&mut GroupSection)) -> HostState {
    let mut state = state.clone();
    let mut section = (*state.groups[&group(n)]).clone();
    f(&mut section);
    state.groups.insert(group(n), Arc::new(section));
    state
}

pub fn ports_box(addresses: &str, protocol: u8, from: u16, to: u16) -> PortBox {
    PortBox { addresses: range(addresses), protocol, ports: PortRange::new(from, to).unwrap() }
}

pub fn all_box(addresses: &str) -> ProtocolBox {
    ProtocolBox { addresses: range(addresses), protocol: Protocol::All }
}

/// Lets everything in from everywhere.
pub fn wide(state: &HostState, n: usize) -> HostState {
    edit(state, n, |group| group.ingress.protocols = vec![all_box("0.0.0.0/0")])
}

pub fn associate(state: &HostState, public: Ipv4Addr, n: usize) -> HostState {
    let mut state = state.clone();
    let eni = EniId::from_random(0xe0 + n as u64);
    let section = AddressSection { public_ip: public, private_ip: ip(n), eni, transit: None };
    state.addresses.insert(public, Arc::new(section));
    state
}
