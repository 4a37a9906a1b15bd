//! The cable between an instance and its host.

use futures_util::TryStreamExt;
use netlink_packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage};
use rtnetlink::Handle;

use crate::agent::names::{PORT_MAC, port_name, unfinished_name};
use crate::plan::PortSection;
use crate::types::{EniId, MacAddr};

/// Makes the pair: the host's end with its name, alias and address, down until the agent has it under its
/// rules; the other as `ethN` in the network namespace of the process.
///
/// # Errors
/// What netlink says.
pub async fn make(ports: &[impl AsRef<PortSection>], pid: u32) -> Result<(), String> {
    let (connection, handle, _) = rtnetlink::new_connection().map_err(|error| format!("netlink: {error}"))?;
    let connection = tokio::spawn(connection);
    let mut result = Ok(());
    for port in ports {
        if result.is_ok() {
            result = make_one(&handle, port.as_ref(), pid).await;
        }
    }
    connection.abort();
    result
}

/// Removes what is left of the ports' cables; it is no error if nothing is.
///
/// # Errors
/// There is no netlink.
pub async fn remove(ports: &[EniId]) -> Result<(), String> {
    let (connection, handle, _) = rtnetlink::new_connection().map_err(|error| format!("netlink: {error}"))?;
    let connection = tokio::spawn(connection);
    for eni in ports {
        remove_old(&handle, &port_name(*eni)).await;
    }
    connection.abort();
    Ok(())
}

async fn make_one(handle: &Handle, port: &PortSection, pid: u32) -> Result<(), String> {
    let (name, unfinished) = (port_name(port.eni), unfinished_name(port.eni));
    remove_old(handle, &name).await;
    remove_old(handle, &unfinished).await;
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(format!("eth{}", port.device_index)),
        address(port.mac),
        LinkAttribute::NetNsPid(pid),
    ];
    let mut message = LinkMessage::default();
    let veth = InfoData::Veth(InfoVeth::Peer(peer));
    message.attributes = vec![
        LinkAttribute::IfName(unfinished.clone()),
        // In the creating message, so that the interface never has another.
        address(PORT_MAC),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(veth)]),
    ];
    handle.link().add(message).execute().await.map_err(|error| format!("cannot make {name}: {error}"))?;
    let failed = |error: String| format!("cannot name {name}: {error}");
    let made = handle.link().get().match_name(unfinished).execute().try_next().await;
    let made = made.map_err(|error| failed(error.to_string()))?;
    let mut named = LinkMessage::default();
    named.header.index = made.ok_or_else(|| failed("it is gone".into()))?.header.index;
    // Both at once: as soon as it has its name, the agent may move it to a router, and nobody finds it here any more.
    named.attributes =
        vec![LinkAttribute::IfName(name.clone()), LinkAttribute::IfAlias(port.eni.to_string())];
    handle.link().set(named).execute().await.map_err(|error| failed(error.to_string()))
}

/// A namespace that ended takes its interfaces along a little later: the name may still be taken.
async fn remove_old(handle: &Handle, name: &str) {
    let found = handle.link().get().match_name(name.to_owned()).execute().try_next().await;
    if let Ok(Some(link)) = found {
        // If it vanished by itself meanwhile, that is what is wanted.
        let _ = handle.link().del(link.header.index).execute().await;
    }
}

fn address(mac: MacAddr) -> LinkAttribute {
    LinkAttribute::Address(mac.0.to_vec())
}
