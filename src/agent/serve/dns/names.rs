//! The names that are ours. Pure.
//!
//! As in EC2 every address of a network has a name, whether or not an instance has the address: so a name
//! can be answered on any host, without knowing the others' instances.

use std::net::Ipv4Addr;

use crate::agent::names::METADATA_ADDRESS;
use crate::plan::{HostState, dns};

/// What is known of a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Known {
    Address(Ipv4Addr),
    /// The name that an address has.
    Name(String),
    /// A name of ours, in this domain, that has neither.
    Bare(String),
    /// There is no such name in this domain of ours.
    Absent(String),
    /// Not ours to answer.
    Foreign,
}

/// Looks up a name, in lower case and without its last dot.
pub fn look_up(name: &str, state: &HostState) -> Known {
    if let Some(address) = reversed(name) {
        return reverse(address, state);
    }
    // The longest domain first: networks may be in a domain and in one below it.
    let mut domains: Vec<&str> = state.networks.values().map(|network| &*network.domain).collect();
    domains.sort_by_key(|domain| std::cmp::Reverse(domain.len()));
    domains.dedup();
    for domain in domains {
        if name == domain {
            return Known::Bare(domain.to_owned());
        }
        if let Some(label) = name.strip_suffix(domain).and_then(|rest| rest.strip_suffix('.')) {
            return in_domain(label, domain, state);
        }
    }
    Known::Foreign
}

fn in_domain(label: &str, domain: &str, state: &HostState) -> Known {
    if label == "instance-data" {
        return Known::Address(METADATA_ADDRESS);
    }
    if let Some(address) = dashed("ip-", label) {
        let ours = state.networks.values().any(|net| &*net.domain == domain && net.cidr.contains(address));
        return if ours { Known::Address(address) } else { Known::Absent(domain.to_owned()) };
    }
    // `ec2-A-B-C-D.REGION.compute`, of which `REGION.compute` and `compute` are names without an address.
    let (first, rest) = label.split_once('.').unwrap_or((label, ""));
    if let Some(public) = dashed("ec2-", first).filter(|_| rest.ends_with(".compute")) {
        return match state.addresses.get(&public) {
            // From inside it is the private address, as in EC2.
            Some(address) => Known::Address(address.private_ip),
            None if let Some(private) = at_peer(public, state) => Known::Address(private),
            None if state.pools.iter().any(|pool| pool.contains(public)) => Known::Address(public),
            None => Known::Absent(domain.to_owned()),
        };
    }
    if label == "compute" || (rest == "compute" && !first.is_empty()) {
        return Known::Bare(domain.to_owned());
    }
    Known::Absent(domain.to_owned())
}

/// What an elastic address leads to in a peer VPC that wants its names told so here.
fn at_peer(public: Ipv4Addr, state: &HostState) -> Option<Ipv4Addr> {
    let mut peerings = state.vpcs.values().flat_map(|vpc| vpc.peerings.values());
    peerings.find_map(|peering| peering.names.get(&public)).copied()
}

fn reverse(address: Ipv4Addr, state: &HostState) -> Known {
    if address == METADATA_ADDRESS {
        let domain = state.networks.values().next().map_or("", |network| &*network.domain);
        return Known::Name(format!("instance-data.{domain}"));
    }
    if let Some(network) = state.networks.values().find(|network| network.cidr.contains(address)) {
        return Known::Name(dns::private_name(address, &network.domain));
    }
    // Elastic addresses without a name of their owner's choice are the business of whoever the pool is from.
    state.reverse_names.get(&address).map_or(Known::Foreign, |name| Known::Name(name.to_string()))
}

/// `ip-10-0-0-5` without its prefix; only the one way to write an address.
fn dashed(prefix: &str, label: &str) -> Option<Ipv4Addr> {
    let address = parse(label.strip_prefix(prefix)?.split('-'))?;
    let [a, b, c, d] = address.octets();
    (label == format!("{prefix}{a}-{b}-{c}-{d}")).then_some(address)
}

/// `5.0.0.10.in-addr.arpa` (RFC 1035, 3.5).
fn reversed(name: &str) -> Option<Ipv4Addr> {
    parse(name.strip_suffix(".in-addr.arpa")?.split('.').rev())
}

fn parse<'a>(parts: impl Iterator<Item = &'a str>) -> Option<Ipv4Addr> {
    let octets: Option<Vec<u8>> = parts.map(|part| part.parse().ok()).collect();
    let octets: [u8; 4] = octets?.try_into().ok()?;
    Some(octets.into())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::plan::{AddressSection, NetworkSection};
    use crate::types::EniId;

    pub fn state() -> HostState {
        let mut state = HostState::default();
        let network = NetworkSection {
            vpc: None,
            range: "10.0.0.0/24".parse().unwrap(),
            reserved: [].into(),
            exit: crate::plan::Exit::Here,
            cidr6: None,
            name: "flat".into(),
            cidr: "10.0.0.0/20".parse().unwrap(),
            gateway: Ipv4Addr::new(10, 0, 0, 1),
            domain: "ec2.internal".into(),
        };
        state.networks.insert("flat".into(), network.into());
        let (public_ip, private_ip) = (Ipv4Addr::new(203, 0, 113, 7), Ipv4Addr::new(10, 0, 0, 9));
        let address = AddressSection { public_ip, private_ip, eni: EniId::from_random(1), transit: None };
        state.addresses.insert(public_ip, address.into());
        state.pools = ["203.0.113.0/28".parse().unwrap()].into();
        state
    }

    #[test]
    fn names_go_forth_and_back() {
        let state = state();
        for address in [Ipv4Addr::new(10, 0, 0, 9), Ipv4Addr::new(10, 0, 15, 250)] {
            let name = dns::private_name(address, "ec2.internal");
            assert_eq!(look_up(&name, &state), Known::Address(address));
            let [a, b, c, d] = address.octets();
            let reverse = format!("{d}.{c}.{b}.{a}.in-addr.arpa");
            assert_eq!(look_up(&reverse, &state), Known::Name(name));
        }
    }

    #[test]
    fn an_elastic_address_has_the_name_that_its_owner_gave_it_and_no_other() {
        let mut state = state();
        let name: std::sync::Arc<str> = "mail.example.com".into();
        state.reverse_names = std::sync::Arc::new([(Ipv4Addr::new(203, 0, 113, 8), name)].into());
        let named = look_up("8.113.0.203.in-addr.arpa", &state);
        assert_eq!(named, Known::Name("mail.example.com".into()));
        assert_eq!(look_up("7.113.0.203.in-addr.arpa", &state), Known::Foreign);
        // Where it leads is for its domain to say.
        assert_eq!(look_up("mail.example.com", &state), Known::Foreign);
    }

    #[test]
    fn a_public_name_leads_to_the_private_address_from_inside() {
        let state = state();
        let name = |address: [u8; 4]| dns::public_name(address.into(), &"us-east-1".into(), "ec2.internal");
        assert_eq!(look_up(&name([203, 0, 113, 7]), &state), Known::Address([10, 0, 0, 9].into()));
        assert_eq!(look_up(&name([203, 0, 113, 8]), &state), Known::Address([203, 0, 113, 8].into()));
        assert_eq!(look_up(&name([198, 51, 100, 1]), &state), Known::Absent("ec2.internal".into()));
    }

    #[test]
    fn what_is_ours_is_never_asked_elsewhere_and_what_is_not_always() {
        let state = state();
        for absent in
            ["x.ec2.internal", "ip-10-0-16-1.ec2.internal", "ip-010-0-0-9.ec2.internal", "a.b.ec2.internal"]
        {
            assert_eq!(look_up(absent, &state), Known::Absent("ec2.internal".into()), "{absent}");
        }
        for bare in ["ec2.internal", "us-east-1.compute.ec2.internal"] {
            assert_eq!(look_up(bare, &state), Known::Bare("ec2.internal".into()), "{bare}");
        }
        for foreign in ["example.org", "notec2.internal", "1.1.168.192.in-addr.arpa", "in-addr.arpa", ""] {
            assert_eq!(look_up(foreign, &state), Known::Foreign, "{foreign}");
        }
    }
}
