//! One host's state, cut into what its own network namespace must be and what each VPC's router must be. Pure.
//!
//! A router is programmed as a host is: its public interface is the cable to the host, its flat interface the VXLAN device,
//! its elastic addresses are those in transit. So there is one code for both, and one set of tests.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::agent::kernel::subnets;
use crate::agent::names::vxlan_mac;
use crate::plan::{AddressSection, HostState, MAX_TRANSIT, PeerSection, PlaceSection, transit};
use crate::types::{Range4, VpcId};

/// What a router must be.
#[derive(Clone, PartialEq, Debug)]
pub struct Router {
    /// For the kernel.
    pub kernel: Arc<HostState>,
    /// What its instances are told: with elastic addresses as the world knows them.
    pub told: Arc<HostState>,
}

/// A state, cut.
pub struct Split {
    whole: Arc<HostState>,
    pub host: Arc<HostState>,
    pub routers: BTreeMap<VpcId, Router>,
    /// Whether it differs from the one before in groups alone.
    pub only_groups: bool,
}

impl Split {
    /// Cuts a state. Where it differs from the one before in groups alone, the cut is there already.
    pub fn of(state: &Arc<HostState>, before: Option<&Self>) -> Self {
        let whole = state.clone();
        match before.filter(|before| before.whole.differs_in_groups_alone(state)) {
            Some(before) => {
                let again = |cut: &HostState| Arc::new(cut.with_groups_of(state));
                let router =
                    |router: &Router| Router { kernel: again(&router.kernel), told: again(&router.told) };
                let routers = before.routers.iter().map(|(vpc, old)| (*vpc, router(old))).collect();
                Self { whole, host: again(&before.host), routers, only_groups: true }
            }
            None => Self { whole, host: Arc::new(host(state)), routers: routers(state), only_groups: false },
        }
    }
}

/// What the host's own network namespace must be: without isolated VPCs, but for the ways to their routers.
pub fn host(state: &HostState) -> HostState {
    let flat = |network: &str| state.networks.get(network).is_some_and(|network| network.vpc.is_none());
    let mut own = state.clone();
    own.networks.retain(|_, network| network.vpc.is_none());
    let routed = state.ports.values().filter(|port| !flat(&port.network));
    let routed = routed.flat_map(|port| port.ipv6.iter().map(|ip| (*ip, port.vpc)));
    own.routed6 = Arc::new(routed.collect());
    // Their addresses are their VPC's, and may be somebody else's on the flat networks.
    for vpc in own.vpcs.values_mut().filter(|vpc| !vpc.private_nat_gateways.is_empty()) {
        Arc::make_mut(vpc).private_nat_gateways.clear();
    }
    own.ports.retain(|_, port| flat(&port.network));
    if state.places.values().any(|place| !flat(&place.network)) {
        Arc::make_mut(&mut own.places).retain(|_, place| flat(&place.network));
    }
    for address in own.addresses.values_mut() {
        if let Some(at) = address.transit {
            *address = Arc::new(AddressSection { private_ip: at.address, ..AddressSection::clone(address) });
        }
    }
    own
}

/// What the router of each VPC that is here must be.
pub fn routers(state: &HostState) -> BTreeMap<VpcId, Router> {
    state.vpcs.keys().map(|vpc| (*vpc, router(state, *vpc))).collect()
}

fn router(state: &HostState, vpc: VpcId) -> Router {
    let within = |network: &str| state.networks.get(network).is_some_and(|network| network.vpc == Some(vpc));
    let mut told = state.clone();
    told.vpcs.retain(|id, _| *id == vpc);
    told.networks.retain(|_, network| network.vpc == Some(vpc));
    told.ports.retain(|_, port| within(&port.network));
    told.instances.retain(|id, _| told.ports.values().any(|port| port.instance == *id));
    told.addresses.retain(|_, address| address.transit.is_some_and(|at| at.vpc == vpc));
    let places = state.places.iter().filter(|(_, place)| within(&place.network));
    told.places = Arc::new(places.map(|(id, place)| (*id, Arc::<PlaceSection>::clone(place))).collect());
    let mut kernel = told.clone();
    kernel.address_lease = 0;
    kernel.pools = unmapped();
    kernel.hosts = Arc::new(state.hosts.iter().map(|(name, peer)| (name.clone(), behind(peer))).collect());
    // What leads to a NAT gateway leads to no interface: only answers come in by it.
    let gateways: Vec<_> = subnets::nat_gateways(state).map(|gateway| gateway.transit).collect();
    let inward = told.addresses.values().filter_map(|address| {
        if gateways.contains(&address.transit?.address) {
            return None;
        }
        let public_ip = address.transit?.address;
        let section = AddressSection { public_ip, transit: None, ..AddressSection::clone(address) };
        Some((public_ip, Arc::new(section)))
    });
    kernel.addresses = inward.collect();
    Router { kernel: Arc::new(kernel), told: Arc::new(told) }
}

/// Another host as a router knows it: by the address of its VXLAN devices.
fn behind(peer: &Arc<PeerSection>) -> Arc<PeerSection> {
    Arc::new(PeerSection { mac: vxlan_mac(peer.next_hop), ..PeerSection::clone(peer) })
}

/// Addresses in transit that lead nowhere lead nowhere here, too.
fn unmapped() -> Arc<[Range4]> {
    let first = Ipv4Addr::from_bits(transit(1).to_bits() - 1);
    Range4::new(first, transit(MAX_TRANSIT)).into_iter().collect()
}
