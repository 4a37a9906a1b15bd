//! What a router is plugged into: the host, the other hosts' routers, and its ports.

use std::collections::BTreeSet;
use std::os::fd::AsRawFd;

use futures_util::TryStreamExt;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, InfoVxlan, LinkAttribute, LinkInfo, LinkMessage,
};
use rtnetlink::Handle;

use super::namespaces::{self, Namespace};
use crate::agent::config::HostConfig;
use crate::agent::names::*;
use crate::plan::{HostState, VpcSection};
use crate::types::{EniId, MacAddr, VpcId, VpcPeeringConnectionId};

/// Plugs one router in, from the host's side.
pub struct Cables<'a> {
    handle: &'a Handle,
    config: &'a HostConfig,
    namespace: &'a Namespace,
    /// The names of the interfaces that are in it.
    links: Vec<String>,
}

fn address(mac: MacAddr) -> LinkAttribute {
    LinkAttribute::Address(mac.0.to_vec())
}

impl<'a> Cables<'a> {
    /// Looks at what is in the namespace.
    pub fn of(handle: &'a Handle, config: &'a HostConfig, namespace: &'a Namespace) -> Self {
        Self { handle, config, namespace, links: namespace.links() }
    }

    /// The cable to the host. Both ends are down until they are behind their rules.
    ///
    /// # Errors
    /// What netlink says.
    pub async fn transit(&self, vpc: VpcId) -> Result<(), String> {
        let name = transit_name(vpc);
        let there = self.index(&name).await;
        if there.is_some() && self.has(ROUTER_OUT) {
            return Ok(());
        }
        if let Some(index) = there {
            // Its other end was in a namespace that is no more.
            let _ = self.handle.link().del(index).execute().await;
        }
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(ROUTER_OUT.to_owned()),
            address(ROUTER_MAC),
            LinkAttribute::NetNsFd(self.namespace.as_raw_fd()),
        ];
        let mut message = LinkMessage::default();
        let veth = InfoData::Veth(InfoVeth::Peer(peer));
        message.attributes = vec![
            LinkAttribute::IfName(name.clone()),
            address(TRANSIT_MAC),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(veth)]),
        ];
        self.add(message, &name).await
    }

    /// The VXLAN device: made from the host's namespace, whose packets its own are, and at home in the router's. One that is not
    /// `known` to be as it must may be of another number, or another port, and listen where no rule looks.
    ///
    /// # Errors
    /// What netlink says.
    pub async fn vxlan(&self, state: &HostState, vpc: &VpcSection, known: bool) -> Result<(), String> {
        let Some(own) = state.hosts.get(&state.host) else {
            // A host that the others do not know has no part in it.
            if self.has(ROUTER_VXLAN) {
                namespaces::delete_link(&self.namespace.name, ROUTER_VXLAN);
            }
            return Ok(());
        };
        if self.has(ROUTER_VXLAN) {
            let is =
                || namespaces::vxlan_is(&self.namespace.name, vpc.vni, own.next_hop, self.config.vxlan_port);
            if known || is() {
                return Ok(());
            }
            namespaces::delete_link(&self.namespace.name, ROUTER_VXLAN);
        }
        let mut message = LinkMessage::default();
        let info = vec![
            InfoVxlan::Id(vpc.vni),
            InfoVxlan::Local(own.next_hop),
            InfoVxlan::Port(self.config.vxlan_port),
            InfoVxlan::Learning(false),
            // Packets take the number of their route table along.
            InfoVxlan::Gbp,
        ];
        let info = vec![LinkInfo::Kind(InfoKind::Vxlan), LinkInfo::Data(InfoData::Vxlan(info))];
        message.attributes = vec![
            LinkAttribute::IfName(ROUTER_VXLAN.to_owned()),
            address(vxlan_mac(own.next_hop)),
            LinkAttribute::NetNsFd(self.namespace.as_raw_fd()),
            LinkAttribute::LinkInfo(info),
        ];
        self.add(message, ROUTER_VXLAN).await
    }

    /// Brings ports in that their driver has made on the host.
    ///
    /// # Errors
    /// What netlink says of the first that cannot be moved.
    pub async fn ports(&self, ports: &[EniId]) -> Result<(), String> {
        let mut failed = Ok(());
        for eni in ports {
            let name = port_name(*eni);
            let Some(index) = self.index(&name).await else { continue };
            // One of an earlier start may still be there.
            if self.has(&name) {
                namespaces::delete_link(&self.namespace.name, &name);
            }
            let mut message = LinkMessage::default();
            message.header.index = index;
            message.attributes = vec![LinkAttribute::NetNsFd(self.namespace.as_raw_fd())];
            if let Err(error) = self.handle.link().set(message).execute().await {
                failed = failed.and(Err(format!("cannot move {name}: {error}")));
            }
        }
        failed
    }

    async fn add(&self, message: LinkMessage, name: &str) -> Result<(), String> {
        self.handle
            .link()
            .add(message)
            .execute()
            .await
            .map_err(|error| format!("cannot make {name}: {error}"))
    }

    /// An interface of the host's.
    async fn index(&self, name: &str) -> Option<u32> {
        let found = self.handle.link().get().match_name(name.to_owned()).execute().try_next().await;
        found.ok().flatten().map(|link| link.header.index)
    }

    /// Whether the router has an interface of this name.
    fn has(&self, name: &str) -> bool {
        self.links.iter().any(|link| link == name)
    }

    /// Takes away ports of interfaces that no instance has any more, which their driver does not find on the host, and cables
    /// of peering connections that are no more.
    pub fn unplug(&self, attached: &BTreeSet<EniId>, peerings: &BTreeSet<VpcPeeringConnectionId>) {
        let ports = attached.iter().map(|eni| port_name(*eni));
        let wanted: BTreeSet<_> = ports.chain(peerings.iter().map(|id| peering_name(*id))).collect();
        let ours = |link: &str| link.starts_with(PORT_PREFIX) || link.starts_with(PEERING_PREFIX);
        let left = self.links.iter().filter(|link| ours(link) && !wanted.contains(*link));
        left.for_each(|link| namespaces::delete_link(&self.namespace.name, link));
    }

    /// The cable between two routers that stands for a peering connection: made here, both of whose ends are elsewhere.
    ///
    /// # Errors
    /// What netlink says.
    pub async fn peering(&self, id: VpcPeeringConnectionId, other: &Self) -> Result<(), String> {
        let name = peering_name(id);
        match (self.has(&name), other.has(&name)) {
            (true, true) => return Ok(()),
            // Not the other end of anything that is there: of an id that ends as this one does.
            (true, false) => namespaces::delete_link(&self.namespace.name, &name),
            (false, true) => namespaces::delete_link(&other.namespace.name, &name),
            (false, false) => {}
        }
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(name.clone()),
            address(PEERING_MAC),
            LinkAttribute::NetNsFd(other.namespace.as_raw_fd()),
        ];
        let mut message = LinkMessage::default();
        let veth = InfoData::Veth(InfoVeth::Peer(peer));
        message.attributes = vec![
            LinkAttribute::IfName(name.clone()),
            address(PEERING_MAC),
            LinkAttribute::NetNsFd(self.namespace.as_raw_fd()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(veth)]),
        ];
        self.add(message, &name).await
    }
}
