//! Other programs' rules.

use std::fs;

use super::Finding;
use crate::agent::config::HostConfig;
use crate::agent::kernel::foreign;
use crate::agent::names::TRANSIT_PREFIX;

/// Whether this host has routers of VPCs: their cables are here.
fn has_routers() -> bool {
    let links = fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    links.into_iter().any(|link| link.file_name().to_string_lossy().starts_with(TRANSIT_PREFIX))
}

pub async fn findings(host: &HostConfig) -> Vec<Finding> {
    let mut all = match foreign::obstacles(has_routers().then_some(host.vxlan_port)).await {
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
