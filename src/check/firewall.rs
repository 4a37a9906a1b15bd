//! Other programs' rules.

use std::fs;

use super::Finding;
use crate::agent::config::HostConfig;
use crate::agent::kernel::foreign::{self, Needs};
use crate::agent::names::TRANSIT_PREFIX;

/// What this host needs: whether it has routers of VPCs, whose cables are here, and whether they take IPv6.
fn needs(host: &HostConfig) -> Needs {
    let links = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let names = links.map(|link| link.file_name().to_string_lossy().into_owned());
    let cables: Vec<_> = names.filter(|name| name.starts_with(TRANSIT_PREFIX)).collect();
    let off = |name: &String| fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6"));
    let ipv6 = cables.iter().any(|name| off(name).is_ok_and(|off| off.trim() == "0"));
    Needs { vxlan: (!cables.is_empty()).then_some(host.vxlan_port), ipv6 }
}

pub async fn findings(host: &HostConfig) -> Vec<Finding> {
    let mut all = match foreign::obstacles(needs(host)).await {
        Ok(found) if found.is_empty() => {
            vec![Finding::fine("no other firewall chain drops instances' packets")]
        }
        Ok(found) => {
            let text = |failure: crate::plan::Failure| format!("{} {}", failure.subject, failure.message);
            found.into_iter().map(|failure| Finding::stop(text(failure))).collect()
        }
        Err(error) => vec![Finding::note(format!("other programs' firewall rules cannot be read: {error}"))],
    };
    // iptables-legacy keeps its rules where nft cannot see them.
    let legacy = fs::read_to_string("/proc/net/ip_tables_names").unwrap_or_default();
    if legacy.split_whitespace().any(|table| table == "filter") {
        all.push(Finding::note(
            "iptables-legacy rules are in use, which nft does not show: see `iptables-legacy -S` for what drops \
             in FORWARD and INPUT",
        ));
    }
    all
}
