//! What the operator decides of hosts, and what hosts may decide of themselves: joining, draining,
//! failing, and which of them is a network's gateway.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::operator::{name, refuse};
use super::{Decision, defaults, lifecycle, regions};
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Condition, Deployment, Host, Instance, InstanceState, Join, Key, Network, World};

/// How long a join token is good for.
const JOIN_SECONDS: i64 = 24 * 3600;

/// Makes a host known, or sets its zone.
///
/// # Errors
/// A name that cannot be one.
pub fn add(decision: &mut Decision, called: &str, zone: Option<&str>) -> Result<(), Fault> {
    let old = decision.world.hosts.get(called).cloned();
    let zone = match (zone, &old) {
        (Some(zone), _) => name(zone)?,
        (None, Some(old)) => old.zone.clone(),
        (None, None) => format!("{}a", decision.caller.owner.region).into(),
    };
    let host = match &old {
        Some(old) => Host { zone, ..(**old).clone() },
        None => Host {
            name: name(called)?,
            zone,
            number: free_number(&decision.world).ok_or_else(|| refuse("there is no room for more hosts"))?,
            condition: Condition::Active,
            flat_mac: None,
            flat_mtu: None,
            join: None,
            sealed_secret: None,
            created: decision.env.now,
        },
    };
    let is_new_zone = !regions::zones(&decision.world).contains(&host.zone);
    if old.as_deref() != Some(&host) {
        decision.put(host);
    }
    if is_new_zone {
        defaults::ensure_all(decision);
    }
    Ok(())
}

/// The least number that no host has.
fn free_number(world: &World) -> Option<u16> {
    let used: BTreeSet<u16> = world.hosts.values().map(|host| host.number).collect();
    (1..=crate::plan::MAX_HOSTS).find(|number| !used.contains(number))
}

fn find(world: &World, called: &str) -> Result<Arc<Host>, Fault> {
    let host = world.hosts.get(called).cloned();
    host.ok_or_else(|| refuse(format!("there is no host {called}: see `fogbank host list`")))
}

/// Lets a host enrol once, with the secret that the digest is of. A host that has enrolled before may
/// do so again, with another key: the old one ends then.
///
/// # Errors
/// No such host.
pub fn invite(decision: &mut Decision, called: &str, digest: Digest) -> Result<(), Fault> {
    let host = find(&decision.world, called)?;
    let join = Some(Join { digest, expires: decision.env.now.plus_seconds(JOIN_SECONDS) });
    decision.put(Host { join, ..(*host).clone() });
    Ok(())
}

/// Takes a host in: its token is used up, its key is the one given, sealed.
///
/// # Errors
/// A token that is not this host's, was used or is too old; they are told apart for nobody.
pub fn enrol(
    decision: &mut Decision,
    called: &str,
    secret: &str,
    sealed_secret: Arc<[u8]>,
    flat_mac: Option<MacAddr>,
) -> Result<(), Fault> {
    let refused = || {
        FaultCode::AuthFailure.with(
            "the token is not good: it was used, is older than a day, or is of another host; make one with `fogbank \
             host add NAME`",
        )
    };
    let host = decision.world.hosts.get(called).cloned().ok_or_else(refused)?;
    let join = host.join.ok_or_else(refused)?;
    if join.digest != Digest::of(secret.as_bytes()) || join.expires < decision.env.now {
        return Err(refused());
    }
    let flat_mac = flat_mac.or(host.flat_mac);
    decision.put(Host { join: None, sealed_secret: Some(sealed_secret), flat_mac, ..(*host).clone() });
    Ok(())
}

/// Gives a host no new instances, or takes that back.
///
/// # Errors
/// No such host, or one that has failed.
pub fn drain(decision: &mut Decision, called: &str, drained: bool) -> Result<(), Fault> {
    let host = find(&decision.world, called)?;
    if host.condition == Condition::Failed {
        return Err(refuse(format!(
            "{called} is declared failed and gets nothing new: it is active again when it returns"
        )));
    }
    let condition = if drained { Condition::Drained } else { Condition::Active };
    if host.condition != condition {
        decision.put(Host { condition, ..(*host).clone() });
    }
    Ok(())
}

/// Declares a host dead, by the operator's word that it is off: its instances are stopped, and what
/// it answered for can be answered for by others at once.
///
/// # Errors
/// No such host.
pub fn fail(decision: &mut Decision, called: &str) -> Result<(), Fault> {
    let host = find(&decision.world, called)?;
    if host.condition == Condition::Failed {
        return Ok(());
    }
    decision.put(Host { condition: Condition::Failed, ..(*host).clone() });
    let instances: Vec<_> = decision.world.instances_on(called).cloned().collect();
    for row in instances {
        match row.state {
            InstanceState::ShuttingDown => lifecycle::terminated(decision, &row),
            InstanceState::Stopped | InstanceState::Terminated => {}
            InstanceState::Pending | InstanceState::Running | InstanceState::Stopping => {
                let state_reason = lifecycle::reason(lifecycle::HOST_FAILED);
                let (state, state_since) = (InstanceState::Stopped, decision.env.now);
                decision.put(Instance { state, state_since, state_reason, ..(*row).clone() });
            }
        }
    }
    Ok(())
}

/// Whether a failed host has come back: it has applied the newest state, in which nothing is its own,
/// and says that it holds nothing.
pub fn returned(world: &World, report: &crate::plan::HostReport) -> Option<Host> {
    let host = world.hosts.get(&report.host).filter(|host| host.condition == Condition::Failed)?;
    let clean = report.applied >= world.generation && report.holding.is_empty();
    clean.then(|| Host { condition: Condition::Active, ..(**host).clone() })
}

/// Forgets a host.
///
/// # Errors
/// No such host; it has instances or NAT gateways, is a gateway, or may still answer for addresses.
pub fn remove(decision: &mut Decision, called: &str) -> Result<(), Fault> {
    find(&decision.world, called)?;
    let instances = decision.world.instances_on(called).filter(|row| row.terminated.is_none()).count();
    if instances > 0 {
        return Err(refuse(format!("{called} has {instances} instances: terminate them first")));
    }
    let gateways = decision.world.nat_gateways_on(called).count();
    if gateways > 0 {
        return Err(refuse(format!(
            "{called} has {gateways} NAT gateways: drain it, and they go to another host of its zone; where there is none, \
             they go with `fogbank host fail {called}`"
        )));
    }
    let gateway = |row: &&Arc<Network>| row.gateway_host.as_deref() == Some(called);
    if let Some(network) = decision.world.networks.values().find(gateway) {
        return Err(refuse(format!(
            "{called} is the gateway of network {}: name another with `fogbank network gateway`",
            network.name
        )));
    }
    if decision.world.claims_of(called).next().is_some() {
        return Err(refuse(format!(
            "{called} may still answer for addresses: wait until it has applied their removal, or declare it dead with \
             `fogbank host fail {called}`"
        )));
    }
    let terminated: Vec<_> = decision.world.instances_on(called).map(|row| row.id).collect();
    for id in terminated {
        decision.untag_all(ResourceId::Instance(id));
        decision.delete(Key::Instance(id));
    }
    decision.delete(Key::Host(called.into()));
    Ok(())
}

/// Leads a network's outside traffic through one host, or with `None` through each instance's own.
///
/// # Errors
/// No such network or host; a host that has failed.
pub fn set_gateway(decision: &mut Decision, network: &str, host: Option<&str>) -> Result<(), Fault> {
    let row = decision.world.flat_networks().find(|row| *row.name == *network).cloned();
    let row =
        row.ok_or_else(|| refuse(format!("there is no network {network}: see `fogbank network list`")))?;
    let gateway_host = match host {
        None => None,
        Some(called) => {
            let host = find(&decision.world, called)?;
            if host.condition == Condition::Failed {
                return Err(refuse(format!("{called} is declared failed: name another host")));
            }
            Some(host.name.clone())
        }
    };
    if row.gateway_host != gateway_host {
        decision.put(Network { gateway_host, ..(*row).clone() });
    }
    Ok(())
}

/// For how many seconds an elastic IP stays on a host that no server confirms; 0 for ever.
///
/// # Errors
/// More than a day, or so little that a poll or two could not be missed.
pub fn set_address_lease(decision: &mut Decision, seconds: u32) -> Result<(), Fault> {
    if seconds != 0 && !(5..=86_400).contains(&seconds) {
        return Err(refuse("an address lease has 5 to 86400 seconds, or 0 for none"));
    }
    let row = decision.world.deployment.clone();
    let row = row.ok_or_else(|| refuse("start the server once before: it makes the deployment"))?;
    if row.address_lease != seconds {
        let lease_since = decision.world.generation + 1;
        decision.put(Deployment { address_lease: seconds, lease_since, ..(*row).clone() });
    }
    Ok(())
}
