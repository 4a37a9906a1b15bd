//! DHCP for one port (RFC 2131, options RFC 2132). Pure: the answer follows from the question and the state.
//!
//! There are no leases to keep: a port has one address for as long as it exists. Clients are told by the port
//! and its MAC; the client identifiers that they make up differ for one MAC and are not looked at.

use std::net::Ipv4Addr;

use dhcproto::v4::{DhcpOption, Flags, Message, MessageType, Opcode, OptionCode};
use dhcproto::{Decodable, Decoder, Encodable, Encoder, Name};
use ipnet::Ipv4Net;

use crate::agent::names::METADATA_ADDRESS;
use crate::plan::{NetworkSection, PortSection, VpcSection, dns};

/// A day, as EC2's hour would only make more noise: the address never changes.
const LEASE: u32 = 86_400;

/// BOOTP clients expect at least this much (RFC 1542, 2.1).
const SHORTEST: usize = 300;

/// The fixed part of a packet with the magic cookie (RFC 2131, 2 and 3), and two options without a length.
const FIXED: usize = 240;
const PAD: u8 = 0;
const END: u8 = 255;

/// An answer, and whom to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    pub bytes: Vec<u8>,
    pub to: Ipv4Addr,
}

/// What a port's network is, as its guest is told.
#[derive(Clone, Copy)]
pub struct Lan<'a> {
    pub network: &'a NetworkSection,
    /// `None` where it is flat.
    pub vpc: Option<&'a VpcSection>,
    pub mtu: Option<u16>,
}

/// The answer to a packet; `None` where there is nothing to say.
pub fn reply(heard: &[u8], port: &PortSection, lan: Lan<'_>) -> Option<Reply> {
    let network = lan.network;
    let request = Message::decode(&mut Decoder::new(&essence(heard)?)).ok()?;
    // A relay has no business on a port, and another MAC is not the port's.
    let relayed = request.giaddr() != Ipv4Addr::UNSPECIFIED || request.hops() != 0;
    if request.opcode() != Opcode::BootRequest || relayed || request.chaddr() != port.mac.0 {
        return None;
    }
    let (kind, address) = answer(&request, port, network)?;
    let mut reply = Message::default();
    reply
        .set_opcode(Opcode::BootReply)
        .set_xid(request.xid())
        .set_flags(request.flags())
        .set_ciaddr(if kind == MessageType::Nak { Ipv4Addr::UNSPECIFIED } else { request.ciaddr() })
        .set_yiaddr(address.unwrap_or(Ipv4Addr::UNSPECIFIED))
        .set_chaddr(&port.mac.0);
    reply.opts_mut().insert(DhcpOption::MessageType(kind));
    reply.opts_mut().insert(DhcpOption::ServerIdentifier(network.gateway));
    if kind == MessageType::Nak {
        // RFC 2131, 4.1: a client that is told no may not have the address that a unicast would go to.
        reply.set_flags(Flags::default().set_broadcast());
    } else {
        if address.is_some() {
            reply.opts_mut().insert(DhcpOption::AddressLeaseTime(LEASE));
            reply.opts_mut().insert(DhcpOption::Renewal(LEASE / 2));
            reply.opts_mut().insert(DhcpOption::Rebinding(LEASE / 8 * 7));
        }
        for option in wanted(&request, port, lan) {
            reply.opts_mut().insert(option);
        }
    }
    Some(Reply { bytes: encode(&reply)?, to: destination(&request, kind, port) })
}

/// What a client says without wanting an answer: that it gives its address back, or found it in use.
pub fn remark(heard: &[u8], port: &PortSection) -> Option<&'static str> {
    let message = Message::decode(&mut Decoder::new(&essence(heard)?)).ok()?;
    match message.opts().get(OptionCode::MessageType)? {
        _ if message.chaddr() != port.mac.0 => None,
        DhcpOption::MessageType(MessageType::Decline) => Some("declined: it found it in use"),
        DhcpOption::MessageType(MessageType::Release) => Some("released"),
        _ => None,
    }
}

/// The packet with those options alone that are looked at, and those only where their length is right: the
/// decoder asserts the lengths of many others, and a guest must not be able to end its own DHCP server.
fn essence(heard: &[u8]) -> Option<Vec<u8>> {
    let (fixed, mut rest) = heard.split_at_checked(FIXED)?;
    // A hardware address longer than its field would reach beyond it.
    if fixed.get(2).is_none_or(|length| *length != 6) {
        return None;
    }
    let mut essence = fixed.to_vec();
    loop {
        match rest {
            [] | [END, ..] => break,
            [PAD, more @ ..] => rest = more,
            [code, length, more @ ..] => {
                let (value, more) = more.split_at_checked(usize::from(*length))?;
                let wanted = match code {
                    50 | 54 => value.len() == 4,
                    53 => value.len() == 1,
                    55 => !value.is_empty(),
                    _ => false,
                };
                if wanted {
                    essence.extend_from_slice(&[*code, *length]);
                    essence.extend_from_slice(value);
                }
                rest = more;
            }
            [_] => return None,
        }
    }
    essence.push(END);
    Some(essence)
}

/// What is said, and the address that is given with it.
fn answer(
    request: &Message,
    port: &PortSection,
    network: &NetworkSection,
) -> Option<(MessageType, Option<Ipv4Addr>)> {
    let kind = match request.opts().get(OptionCode::MessageType) {
        Some(DhcpOption::MessageType(kind)) => *kind,
        _ => return None,
    };
    let for_another = matches!(
        request.opts().get(OptionCode::ServerIdentifier),
        Some(DhcpOption::ServerIdentifier(server)) if *server != network.gateway
    );
    match kind {
        MessageType::Discover => Some((MessageType::Offer, Some(port.private_ip))),
        MessageType::Request if for_another => None,
        MessageType::Request => {
            let asked = match request.opts().get(OptionCode::RequestedIpAddress) {
                Some(DhcpOption::RequestedIpAddress(asked)) => *asked,
                _ => request.ciaddr(),
            };
            match asked == port.private_ip {
                true => Some((MessageType::Ack, Some(port.private_ip))),
                false => Some((MessageType::Nak, None)),
            }
        }
        MessageType::Inform => Some((MessageType::Ack, None)),
        // Given back or refused: it stays the port's all the same.
        _ => None,
    }
}

/// Who has an address already is told there; everybody else by broadcast, which hears the only guest there is.
fn destination(request: &Message, kind: MessageType, port: &PortSection) -> Ipv4Addr {
    match kind != MessageType::Nak && request.ciaddr() == port.private_ip {
        true => port.private_ip,
        false => Ipv4Addr::BROADCAST,
    }
}

/// The options that were asked for, and the three without which no client can work.
fn wanted(request: &Message, port: &PortSection, lan: Lan<'_>) -> Vec<DhcpOption> {
    let always = [OptionCode::SubnetMask, OptionCode::Router, OptionCode::DomainNameServer];
    let asked = match request.opts().get(OptionCode::ParameterRequestList) {
        Some(DhcpOption::ParameterRequestList(codes)) => codes.as_slice(),
        _ => &[],
    };
    let mut codes: Vec<OptionCode> = always.into_iter().chain(asked.iter().copied()).collect();
    codes.sort();
    codes.dedup();
    codes.into_iter().filter_map(|code| option(code, port, lan)).collect()
}

fn option(code: OptionCode, port: &PortSection, lan: Lan<'_>) -> Option<DhcpOption> {
    let network = lan.network;
    if let Some(vpc) = lan.vpc
        && let Some(told) = option_of_vpc(code, vpc)
    {
        return told;
    }
    let mask = Ipv4Net::from(network.cidr).netmask();
    Some(match code {
        OptionCode::SubnetMask => DhcpOption::SubnetMask(mask),
        OptionCode::Router => DhcpOption::Router(vec![network.gateway]),
        OptionCode::DomainNameServer => DhcpOption::DomainNameServer(vec![network.gateway]),
        OptionCode::Hostname => DhcpOption::Hostname(dns::host_name(port.private_ip)),
        OptionCode::DomainName => DhcpOption::DomainName(network.domain.to_string()),
        OptionCode::BroadcastAddr => DhcpOption::BroadcastAddr(network.cidr.last()),
        OptionCode::InterfaceMtu => DhcpOption::InterfaceMtu(lan.mtu?),
        OptionCode::DomainSearch => DhcpOption::DomainSearch(vec![Name::from_ascii(&network.domain).ok()?]),
        OptionCode::ClasslessStaticRoute => DhcpOption::ClasslessStaticRoute(routes(network)),
        _ => return None,
    })
}

/// What a VPC's set of DHCP options decides: `None` for what it does not.
fn option_of_vpc(code: OptionCode, vpc: &VpcSection) -> Option<Option<DhcpOption>> {
    let told = &vpc.dhcp;
    let list = |list: Vec<Ipv4Addr>| Some(list).filter(|list| !list.is_empty());
    let addresses = |of: &[Ipv4Addr]| list(of.to_vec());
    Some(match code {
        OptionCode::DomainNameServer => {
            let servers = told.name_servers.iter().filter_map(|server| server.or(vpc.resolver()));
            list(servers.collect()).map(DhcpOption::DomainNameServer)
        }
        OptionCode::DomainName => {
            told.domain_name.as_ref().map(|name| DhcpOption::DomainName(name.to_string()))
        }
        OptionCode::DomainSearch => {
            let name = told.domain_name.as_ref().and_then(|name| Name::from_ascii(name).ok());
            name.map(|name| DhcpOption::DomainSearch(vec![name]))
        }
        OptionCode::NtpServers => addresses(&told.ntp_servers).map(DhcpOption::NtpServers),
        OptionCode::NetBiosNameServers => {
            addresses(&told.netbios_name_servers).map(DhcpOption::NetBiosNameServers)
        }
        OptionCode::NetBiosNodeType => {
            told.netbios_node_type.map(|kind| DhcpOption::NetBiosNodeType(kind.into()))
        }
        _ => return None,
    })
}

/// A client that takes these does not look at the router option (RFC 3442): the default route is among them.
fn routes(network: &NetworkSection) -> Vec<(Ipv4Net, Ipv4Addr)> {
    let metadata = Ipv4Net::new_assert(METADATA_ADDRESS, 32);
    vec![(metadata, network.gateway), (Ipv4Net::default(), network.gateway)]
}

fn encode(message: &Message) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    message.encode(&mut Encoder::new(&mut bytes)).ok()?;
    if bytes.len() < SHORTEST {
        bytes.resize(SHORTEST, 0);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::plan::DhcpSection;
    use crate::types::*;
    use proptest::prelude::*;

    fn port() -> PortSection {
        PortSection {
            eni: EniId::from_random(1),
            instance: InstanceId::from_random(1),
            device_index: 0,
            network: "flat".into(),
            mac: MacAddr([2, 0, 0, 0, 0, 9]),
            private_ip: Ipv4Addr::new(10, 0, 0, 9),
            secondary_ips: [].into(),
            ipv6: [].into(),
            groups: [].into(),
            source_dest_check: true,
            public_ip: None,
            subnet: SubnetId::from_random(1),
            subnet_cidr: "10.0.0.0/20".parse().unwrap(),
            subnet_cidr6: None,
            vpc: VpcId::from_random(1),
            vpc_cidr: "10.0.0.0/20".parse().unwrap(),
            group_names: [].into(),
            account: AccountId::from_random(1),
        }
    }

    fn network() -> NetworkSection {
        NetworkSection {
            range: "10.0.0.0/24".parse().unwrap(),
            reserved: [].into(),
            exit: crate::plan::Exit::Here,
            cidr6: None,
            name: "flat".into(),
            vpc: None,
            cidr: "10.0.0.0/20".parse().unwrap(),
            gateway: Ipv4Addr::new(10, 0, 0, 1),
            domain: "ec2.internal".into(),
        }
    }

    fn lan(network: &NetworkSection, mtu: Option<u16>) -> Lan<'_> {
        Lan { network, vpc: None, mtu }
    }

    fn request(kind: MessageType, more: Vec<DhcpOption>) -> Message {
        let mut message = Message::default();
        message.set_opcode(Opcode::BootRequest).set_xid(7).set_chaddr(&port().mac.0);
        message.opts_mut().insert(DhcpOption::MessageType(kind));
        for option in more {
            message.opts_mut().insert(option);
        }
        message
    }

    fn answered(message: &Message) -> Option<(Message, Ipv4Addr)> {
        let mut bytes = Vec::new();
        message.encode(&mut Encoder::new(&mut bytes)).unwrap();
        let reply = reply(&bytes, &port(), lan(&network(), Some(1450)))?;
        assert!(reply.bytes.len() >= SHORTEST);
        Some((Message::decode(&mut Decoder::new(&reply.bytes)).unwrap(), reply.to))
    }

    #[test]
    fn an_offer_holds_the_ports_address_and_what_was_asked_for() {
        let asked = vec![OptionCode::InterfaceMtu, OptionCode::ClasslessStaticRoute, OptionCode::NtpServers];
        let (offer, to) =
            answered(&request(MessageType::Discover, vec![DhcpOption::ParameterRequestList(asked)])).unwrap();
        assert_eq!((offer.yiaddr(), to), (port().private_ip, Ipv4Addr::BROADCAST));
        assert_eq!(offer.xid(), 7);
        let get = |code| offer.opts().get(code).cloned();
        assert_eq!(get(OptionCode::MessageType), Some(DhcpOption::MessageType(MessageType::Offer)));
        assert_eq!(get(OptionCode::Router), Some(DhcpOption::Router(vec![network().gateway])));
        assert_eq!(
            get(OptionCode::SubnetMask),
            Some(DhcpOption::SubnetMask(Ipv4Addr::new(255, 255, 240, 0)))
        );
        assert_eq!(get(OptionCode::InterfaceMtu), Some(DhcpOption::InterfaceMtu(1450)));
        assert_eq!(get(OptionCode::Hostname), None, "was not asked for");
        let Some(DhcpOption::ClasslessStaticRoute(routes)) = get(OptionCode::ClasslessStaticRoute) else {
            panic!()
        };
        assert!(routes.contains(&(Ipv4Net::default(), network().gateway)), "the default route is among them");
    }

    #[test]
    fn what_a_vpcs_set_of_options_says_is_told_and_nothing_instead_of_what_it_does_not() {
        let (network, server) = (network(), Ipv4Addr::new(192, 0, 2, 53));
        let mut vpc = VpcSection {
            id: VpcId::from_random(1),
            vni: 1,
            cidrs: ["10.0.0.0/16".parse().unwrap()].into(),
            cidrs6: [].into(),
            dns_support: true,
            dns_hostnames: false,
            dhcp: DhcpSection {
                domain_name: Some("shop.example".into()),
                name_servers: vec![Some(server), None],
                ntp_servers: vec![server],
                netbios_name_servers: vec![server],
                netbios_node_type: Some(2),
            },
            nat_gateways: BTreeMap::new(),
            private_nat_gateways: BTreeMap::new(),
            peerings: BTreeMap::new(),
            tables: BTreeMap::new(),
            tables6: BTreeMap::new(),
        };
        let told = |vpc: &VpcSection, code| {
            option(code, &port(), Lan { network: &network, vpc: Some(vpc), mtu: Some(1450) })
        };
        let resolver = Ipv4Addr::new(10, 0, 0, 2);
        let name = "shop.example".to_owned();
        let wanted = [
            DhcpOption::DomainNameServer(vec![server, resolver]),
            DhcpOption::DomainSearch(vec![Name::from_ascii(&name).unwrap()]),
            DhcpOption::DomainName(name),
            DhcpOption::NtpServers(vec![server]),
            DhcpOption::NetBiosNameServers(vec![server]),
            DhcpOption::NetBiosNodeType(2.into()),
        ];
        for option in &wanted {
            assert_eq!(told(&vpc, option.into()).as_ref(), Some(option));
        }
        vpc.dns_support = false;
        let alone = Some(DhcpOption::DomainNameServer(vec![server]));
        assert_eq!(told(&vpc, OptionCode::DomainNameServer), alone, "there is no resolver");
        vpc.dhcp = DhcpSection::default();
        for option in &wanted {
            assert_eq!(told(&vpc, option.into()), None);
        }
    }

    #[test]
    fn only_the_ports_own_address_is_acknowledged() {
        let ask = |ip: [u8; 4]| {
            let asked = DhcpOption::RequestedIpAddress(ip.into());
            let (reply, _) = answered(&request(MessageType::Request, vec![asked])).unwrap();
            reply.opts().get(OptionCode::MessageType).cloned()
        };
        assert_eq!(ask([10, 0, 0, 9]), Some(DhcpOption::MessageType(MessageType::Ack)));
        assert_eq!(ask([10, 0, 0, 10]), Some(DhcpOption::MessageType(MessageType::Nak)));
    }

    #[test]
    fn a_renewal_is_answered_to_the_address() {
        let mut renew = request(MessageType::Request, vec![]);
        renew.set_ciaddr(port().private_ip);
        assert_eq!(answered(&renew).unwrap().1, port().private_ip);
    }

    #[test]
    fn others_are_not_answered() {
        let mut other_mac = request(MessageType::Discover, vec![]);
        other_mac.set_chaddr(&[2, 0, 0, 0, 0, 10]);
        let mut relayed = request(MessageType::Discover, vec![]);
        relayed.set_giaddr([10, 0, 0, 7]);
        let other = DhcpOption::ServerIdentifier(Ipv4Addr::new(10, 0, 0, 66));
        let for_another = request(MessageType::Request, vec![other]);
        let release = request(MessageType::Release, vec![]);
        for message in [other_mac, relayed, for_another, release] {
            assert_eq!(answered(&message), None);
        }
    }

    #[test]
    fn an_address_given_back_is_remarked() {
        let remarked = |kind| {
            let mut bytes = Vec::new();
            request(kind, vec![]).encode(&mut Encoder::new(&mut bytes)).unwrap();
            remark(&bytes, &port())
        };
        assert!(remarked(MessageType::Release).is_some() && remarked(MessageType::Decline).is_some());
        assert_eq!(remarked(MessageType::Discover), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = reply(&bytes, &port(), lan(&network(), None));
        }

        #[test]
        fn any_change_of_a_real_packet_is_borne(at in 0_usize..300, byte: u8) {
            let mut bytes = Vec::new();
            let codes = vec![OptionCode::Router, OptionCode::DomainSearch];
            let message = request(MessageType::Discover, vec![DhcpOption::ParameterRequestList(codes)]);
            message.encode(&mut Encoder::new(&mut bytes)).unwrap();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let _ = reply(&bytes, &port(), lan(&network(), None));
        }
    }
}
