//! Ends the flows of addresses that went: the next instance that has one must not inherit what was let in for the last.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv6Addr;
use std::sync::Arc;

use super::everywhere;
use crate::agent::kernel::conntrack::{CT_DELETE, CT_GET, TUPLE_ORIG, TUPLE_REPLY, identity};
use crate::agent::kernel::host::Pass;
use crate::agent::kernel::nfnetlink::{Nfnetlink, attribute};
use crate::plan::HostState;
use crate::types::{Cidr6, EniId};

const AF_INET6: u8 = 10;

/// What a pass must know of the last one.
#[derive(Default)]
pub struct Flows {
    /// The instances' addresses: whose interface, on which host; `None` before the first pass, when flows may be left of a time
    /// without an agent.
    places: Option<BTreeMap<Ipv6Addr, (EniId, Arc<str>)>>,
    /// What has gone, and its flows not yet.
    gone: BTreeSet<Ipv6Addr>,
    /// Whether there was nothing of IPv6, and nothing is left: then nobody looks.
    pub idle: bool,
}

impl Flows {
    /// Whether nothing that has gone waits for its flows to end.
    pub fn all_cut(&self) -> bool {
        self.gone.is_empty()
    }

    /// Ends those of addresses that are elsewhere than at the last pass, or nowhere.
    pub async fn cut(&mut self, pass: &mut Pass<'_>) {
        let places = everywhere(pass.state);
        let blocks = pass.state.vpcs.values().any(|vpc| !vpc.cidrs6.is_empty());
        let before = self.places.take();
        let due = before.is_none() && blocks && pass.side.is_router();
        let before = before.unwrap_or_default();
        let left = before.into_iter().filter(|(ip, place)| places.get(ip) != Some(place));
        self.gone.extend(left.map(|(ip, _)| ip));
        if !due && self.gone.is_empty() {
            self.places = Some(places);
            return;
        }
        let keep = Keep::new(pass.state, self.gone.clone());
        let error = match tokio::task::spawn_blocking(move || cut(&keep)).await {
            Ok(Ok(count)) => {
                tracing::debug!(count, "flows of IPv6 cut");
                self.gone.clear();
                self.places = Some(places);
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        pass.fail("connection tracking".into(), format!("flows of removed addresses may live on: {error}"));
        // Tried again as after a start: what is nobody's goes, and what has gone is remembered.
        self.places = if due { None } else { Some(places) };
    }
}

/// Which flows stay: those whose ends are instances' that are there, as far as they are in the VPC's own blocks.
struct Keep {
    gone: BTreeSet<Ipv6Addr>,
    blocks: Vec<Cidr6>,
    there: BTreeSet<Ipv6Addr>,
}

impl Keep {
    /// By the state, and what went since.
    fn new(state: &HostState, gone: BTreeSet<Ipv6Addr>) -> Self {
        let blocks = state.vpcs.values().flat_map(|vpc| vpc.cidrs6.iter().copied()).collect();
        Self { gone, blocks, there: everywhere(state).into_keys().collect() }
    }

    fn is_stale(&self, address: Ipv6Addr) -> bool {
        let nobodys =
            || self.blocks.iter().any(|block| block.contains(address)) && !self.there.contains(&address);
        self.gone.contains(&address) || nobodys()
    }
}

/// The two ends, as one direction names them.
fn ends(message: &[u8], tuple: u16) -> Option<[Ipv6Addr; 2]> {
    let ip = attribute(attribute(message, tuple)?, 1)?;
    // CTA_IP_V6_SRC, CTA_IP_V6_DST.
    let address = |kind| attribute(ip, kind)?.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets));
    Some([address(3)?, address(4)?])
}

/// Deletes the stale flows, and only those; says how many.
///
/// # Errors
/// What the kernel says; one flow that cannot be deleted does not keep the others.
fn cut(keep: &Keep) -> io::Result<usize> {
    let mut socket = Nfnetlink::open()?;
    let (mut cut, mut failed) = (0, None);
    for message in socket.dump(CT_GET, AF_INET6, &[])? {
        let ends = [TUPLE_ORIG, TUPLE_REPLY].into_iter().filter_map(|tuple| ends(&message, tuple));
        if !ends.flatten().any(|address| keep.is_stale(address)) {
            continue;
        }
        match socket.ask(CT_DELETE, AF_INET6, &identity(&message)) {
            Ok(_) => cut += 1,
            // It ended by itself.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(cut), Err)
}
