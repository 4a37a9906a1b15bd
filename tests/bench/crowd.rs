//! A host with as many instances as one likes, without a World.

use std::net::Ipv4Addr;
use std::sync::Arc;

use fogbank::plan::*;
use fogbank::types::*;

/// Instances of a group, and rules in it.
const OF_A_GROUP: usize = 20;
pub const RULES: usize = 10;
/// The first instance; the others follow.
const FIRST: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
/// What leads to the first instance.
pub const ELASTIC: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 100);

fn everywhere() -> Range4 {
    "0.0.0.0/0".parse().unwrap()
}

pub fn eni(n: usize) -> EniId {
    EniId::from_random(0xe0 + n as u64)
}

fn port(n: usize) -> PortSection {
    let groups = [GroupId::from_random((n / OF_A_GROUP) as u64)];
    PortSection {
        eni: eni(n),
        instance: InstanceId::from_random(n as u64),
        device_index: 0,
        network: "flat".into(),
        mac: MacAddr([2, 0, 0, 1, (n >> 8) as u8, n as u8]),
        private_ip: Ipv4Addr::from_bits(FIRST.to_bits() + n as u32),
        secondary_ips: [].into(),
        ipv6: [].into(),
        groups: groups.into(),
        source_dest_check: true,
        public_ip: None,
        subnet: SubnetId::from_random(1),
        subnet_cidr: "10.0.0.0/16".parse().unwrap(),
        subnet_cidr6: None,
        vpc: VpcId::from_random(1),
        vpc_cidr: "10.0.0.0/16".parse().unwrap(),
        group_names: [].into(),
        account: "123456789012".parse().unwrap(),
    }
}

/// Lets in nine ports from nine addresses, and UDP from everywhere.
fn group(id: GroupId) -> GroupSection {
    let one = |rule: usize| PortBox {
        addresses: format!("198.18.0.{rule}-198.18.0.{rule}").parse().unwrap(),
        protocol: 6,
        ports: PortRange::new(1000 + rule as u16, 1000 + rule as u16).unwrap(),
    };
    let udp = PortBox { addresses: everywhere(), protocol: 17, ports: PortRange::new(1, 65_535).unwrap() };
    let ingress = RuleSet { ports: (1..RULES).map(one).chain([udp]).collect(), ..RuleSet::default() };
    let all = ProtocolBox { addresses: everywhere(), protocol: Protocol::All };
    let egress = RuleSet { protocols: vec![all], ..RuleSet::default() };
    GroupSection { id, ingress, egress }
}

/// A host's state with so many running instances, the first of which has an elastic address.
pub fn state(instances: usize) -> HostState {
    let network = NetworkSection {
        range: "10.0.0.4-10.0.255.250".parse().unwrap(),
        reserved: [].into(),
        exit: Exit::Here,
        cidr6: None,
        name: "flat".into(),
        vpc: None,
        cidr: "10.0.0.0/16".parse().unwrap(),
        gateway: Ipv4Addr::new(10, 0, 0, 1),
        domain: "lab".into(),
    };
    let ports: Vec<_> = (0..instances).map(port).collect();
    let groups = ports.iter().flat_map(|port| port.groups.iter().copied());
    let address = AddressSection {
        public_ip: ELASTIC,
        private_ip: ports[0].private_ip,
        eni: ports[0].eni,
        transit: None,
    };
    HostState {
        generation: 1,
        networks: [("flat".into(), Arc::new(network))].into(),
        groups: groups.map(|id| (id, Arc::new(group(id)))).collect(),
        ports: ports.into_iter().map(|port| (port.eni, Arc::new(port))).collect(),
        addresses: [(ELASTIC, Arc::new(address))].into(),
        pools: ["203.0.113.64-203.0.113.127".parse().unwrap()].into(),
        ..HostState::default()
    }
}
