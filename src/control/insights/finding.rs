//! What is found of a path, as it is kept: a picture of the moment when it was asked.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::control::View;
use crate::control::reach::{self, Reach};
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::verdict::{
    AclDecision, Blocked, Decision, Facts, Hop, Interface, Origin, Outcome, Packet, Place, Routed,
    Translation, Transport,
};
use crate::world::{Eni, InsightsPath, Subnet, World};

/// Where a client's ephemeral port may be.
const SOURCE_PORT: u16 = 40_000;

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Finding {
    /// Why nothing could be found out.
    pub failed: Option<String>,
    pub found: bool,
    pub steps: Vec<Step>,
    pub reasons: Vec<Reason>,
    pub warning: Option<String>,
}

/// One thing on the way: an instance, an interface, a group, a host.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Step {
    pub id: String,
    pub name: Option<String>,
    pub attached_to: Option<InstanceId>,
    pub place: Option<(SubnetId, VpcId)>,
    pub rule: Option<Rule>,
    pub inbound: Option<Header>,
    pub outbound: Option<Header>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Rule {
    pub id: RuleId,
    pub group: GroupId,
    pub egress: bool,
    pub cidr: Option<String>,
    pub traffic: Traffic,
}

/// How the packet looks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Header {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub udp: bool,
    pub from_port: u16,
    pub to_port: u16,
}

/// Why it does not pass.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Reason {
    pub code: String,
    pub egress: Option<bool>,
    pub component: Option<String>,
    pub interface: Option<EniId>,
    pub groups: Vec<GroupId>,
    pub address: Option<IpAddr>,
    pub state: Option<String>,
    #[serde(default)]
    pub acl: Option<NetworkAclId>,
    #[serde(default)]
    pub subnet: Option<SubnetId>,
    #[serde(default)]
    pub route_table: Option<RouteTableId>,
}

impl Finding {
    /// Asks now.
    pub fn of(view: &View, path: &InsightsPath) -> Self {
        match ends(view, path) {
            Ok((source, destination)) => Self::between(view, path, &source, &destination),
            Err(missing) => {
                let failed = Some(format!("The request failed due to missing component {missing}"));
                Self { failed, ..Self::default() }
            }
        }
    }

    fn between(view: &View, path: &InsightsPath, source: &Eni, target: &Target) -> Self {
        let destination = target.address;
        let origin = Origin::Interface(source.id);
        let ask = |to: u16| {
            let from = SOURCE_PORT;
            let transport = if path.udp { Transport::Udp { from, to } } else { Transport::Tcp { from, to } };
            let packet = Packet::new(path.source_ip.unwrap_or(source.private_ip), destination, transport);
            reach::reach(view.world, view.status, view.now, &origin, packet)
        };
        let mut reach = ask(path.destination_port.unwrap_or(SOURCE_PORT));
        if path.destination_port.is_none() {
            // Any port: where the rules change their mind, one of these passes if any does.
            let mut others = edges(view.world, path.udp).into_iter().map(ask);
            let passes = |reach: &Reach| matches!(reach.trace.outcome, Outcome::Reaches(..));
            if !passes(&reach) {
                reach = others.find(passes).unwrap_or(reach);
            }
        }
        let elsewhere = target.is_missed(&reach.trace.outcome);
        let found = matches!(reach.trace.outcome, Outcome::Reaches(..)) && !elsewhere;
        let teller = Teller { view, facts: reach::facts(view.status) };
        let reasons = match &reach.trace.outcome {
            Outcome::Blocked(why) => vec![teller.reason(*why, &reach, source)],
            Outcome::Reaches(..) if elsewhere => {
                let (code, interface) = ("NO_PATH".into(), target.interface);
                vec![Reason { code, interface, address: Some(destination), ..Reason::default() }]
            }
            Outcome::Reaches(..) => Vec::new(),
        };
        let steps = if found { teller.steps(&reach, source) } else { Vec::new() };
        let warning = (!reach.notes.is_empty()).then(|| reach.notes.join("; "));
        Self { failed: None, found, steps, reasons, warning }
    }

    pub fn to_json(&self) -> Result<Arc<str>, Fault> {
        let text = serde_json::to_string(self);
        text.map(Into::into).map_err(|error| FaultCode::InternalError.with(error.to_string()))
    }

    pub fn from_json(text: &str) -> Result<Self, Fault> {
        serde_json::from_str(text).map_err(|error| FaultCode::InternalError.with(error.to_string()))
    }
}

/// Where a path leads to.
struct Target {
    address: IpAddr,
    /// Which interface must be there, as other VPCs have the same addresses.
    interface: Option<EniId>,
}

impl Target {
    fn is_missed(&self, outcome: &Outcome) -> bool {
        match (self.interface, outcome) {
            (Some(wanted), Outcome::Reaches(Place::Interface(id), _)) => *id != wanted,
            (Some(_), Outcome::Reaches(..)) => true,
            (None, _) | (_, Outcome::Blocked(_)) => false,
        }
    }
}

/// Whose packet it is, and where to; else what is not there any more.
fn ends(view: &View, path: &InsightsPath) -> Result<(Arc<Eni>, Target), ResourceId> {
    let eni = |id: ResourceId| {
        let found = match id {
            ResourceId::Instance(instance) => view.world.interfaces_of(instance).into_iter().next(),
            ResourceId::NetworkInterface(eni) => view.world.enis.get(&eni).cloned(),
            _ => None,
        };
        found.filter(|eni| eni.owner == view.caller.owner).ok_or(id)
    };
    let source = eni(path.source)?;
    let destination = match (path.destination_ip, path.destination) {
        (Some(address), _) => Target { address: address.into(), interface: None },
        (None, Some(id)) => {
            let eni = eni(id)?;
            Target { address: eni.private_ip.into(), interface: Some(eni.id) }
        }
        (None, None) => return Err(path.source),
    };
    Ok((source, destination))
}

/// The first port of every range that a rule has.
fn edges(world: &World, udp: bool) -> std::collections::BTreeSet<u16> {
    let first = |traffic: Traffic| match traffic {
        Traffic::Tcp(range) if !udp => Some(range.from()),
        Traffic::Udp(range) if udp => Some(range.from()),
        _ => None,
    };
    world.rules.values().filter_map(|rule| first(rule.traffic)).collect()
}

struct Teller<'a> {
    view: &'a View<'a>,
    facts: Facts,
}

impl Teller<'_> {
    fn steps(&self, reach: &Reach, source: &Eni) -> Vec<Step> {
        let mut steps = self.interface(source);
        let mut packet = reach.trace.packet;
        steps[0].outbound = header(&packet);
        for hop in &reach.trace.hops {
            steps.extend(hop.egress.as_ref().and_then(|decision| self.group(decision)));
            steps.extend(hop.acl_egress.as_ref().and_then(|decision| self.acl(decision)));
            steps.extend(hop.route.as_ref().and_then(|route| self.table(route)));
            let inbound = header(&packet);
            for translation in &hop.translations {
                match *translation {
                    Translation::Source(_, to) => packet.source = to,
                    Translation::Destination(_, to) => packet.destination = to,
                }
            }
            let name = Some(self.interfaces(hop));
            steps.push(Step {
                id: hop.host.to_string(),
                name,
                inbound,
                outbound: header(&packet),
                ..Step::default()
            });
            steps.extend(hop.acl_ingress.as_ref().and_then(|decision| self.acl(decision)));
            steps.extend(hop.ingress.as_ref().and_then(|decision| self.group(decision)));
        }
        if let Outcome::Reaches(Place::Interface(id), _) = &reach.trace.outcome
            && let Some(target) = self.own(*id)
        {
            let mut target = self.interface(target);
            target.reverse();
            target[0].inbound = header(&packet);
            steps.extend(target);
        }
        steps
    }

    /// Of other accounts nothing is told.
    fn own(&self, id: EniId) -> Option<&Eni> {
        let row = self.view.world.enis.get(&id)?;
        (row.owner == self.view.caller.owner).then_some(&**row)
    }

    /// An instance and its interface.
    fn interface(&self, eni: &Eni) -> Vec<Step> {
        let instance = eni.attachment.map(|attachment| attachment.instance);
        let vpc = self.view.world.subnets.get(&eni.subnet).map(|subnet| subnet.vpc);
        let place = vpc.map(|vpc| (eni.subnet, vpc));
        let mut steps: Vec<Step> =
            instance.iter().map(|id| Step { id: id.to_string(), ..Step::default() }).collect();
        steps.push(Step { id: eni.id.to_string(), attached_to: instance, place, ..Step::default() });
        steps
    }

    /// The first rule that lets it pass.
    fn group(&self, decision: &Decision) -> Option<Step> {
        self.own(decision.interface)?;
        let (group, id) = *decision.allowed_by.first()?;
        let row = self.view.world.rules.get(&id)?;
        let cidr = match &row.target {
            RuleTarget::Cidr4(block) => Some(block.to_string()),
            RuleTarget::Cidr6(block) => Some(block.to_string()),
            RuleTarget::Group { .. } | RuleTarget::PrefixList(_) => None,
        };
        let egress = row.direction == Direction::Egress;
        let rule = Rule { id, group, egress, cidr, traffic: row.traffic };
        Some(Step { id: group.to_string(), rule: Some(rule), ..Step::default() })
    }

    /// A network ACL that was asked.
    fn acl(&self, decision: &AclDecision) -> Option<Step> {
        let row = self.view.world.network_acls.get(&decision.acl?)?;
        let own = row.owner == self.view.caller.owner;
        own.then(|| Step { id: row.id.to_string(), ..Step::default() })
    }

    /// A route table that was asked.
    fn table(&self, route: &Routed) -> Option<Step> {
        let row = self.view.world.route_tables.get(&route.table)?;
        let own = row.owner == self.view.caller.owner;
        own.then(|| Step { id: row.id.to_string(), ..Step::default() })
    }

    fn interfaces(&self, hop: &Hop) -> String {
        let name = |interface: Interface| {
            let facts = self.facts.hosts.get(&hop.host);
            match interface {
                Interface::Port(id) if self.own(id).is_some() => id.to_string(),
                Interface::Port(_) => "an instance's port".into(),
                Interface::Public => {
                    facts.map_or_else(|| "public".into(), |host| host.public_interface.to_string())
                }
                Interface::Flat => {
                    facts.map_or_else(|| "flat".into(), |host| host.flat_interface.to_string())
                }
                Interface::Own => "the host itself".into(),
                Interface::Cable(_) if hop.vpc.is_some() => "the internet gateway".into(),
                Interface::Cable(_) => "a VPC's router".into(),
                Interface::Vxlan => "the VPC's routers on other hosts".into(),
                Interface::Peering(id) => id.to_string(),
            }
        };
        match hop.left {
            Some(left) => format!("{} to {}", name(hop.entered), name(left)),
            None => name(hop.entered),
        }
    }

    /// With the codes of
    /// <https://docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html>.
    fn reason(&self, why: Blocked, reach: &Reach, source: &Eni) -> Reason {
        let hop = reach.trace.hops.last();
        let component = hop.map(|hop| hop.host.to_string());
        let address = Some(reach.trace.packet.destination);
        let code = match why {
            Blocked::Egress | Blocked::Ingress => "ENI_SG_RULES_MISMATCH",
            Blocked::NetworkAclEgress | Blocked::NetworkAclIngress => "SUBNET_ACL_RESTRICTION",
            Blocked::BlackHole => "BAD_STATE_ROUTE",
            Blocked::ForgedSource | Blocked::DestinationCheck => "ENI_SOURCE_DEST_CHECK_RESTRICTION",
            Blocked::NotRunning | Blocked::HostUnknown => "BAD_STATE",
            Blocked::NoAssociation => "IGW_PUBLIC_IP_ASSOCIATION_FOR_INGRESS",
            Blocked::NoPublicAddress => "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS",
            Blocked::NoRoute
            | Blocked::NowhereToGo
            | Blocked::NoIpv6
            | Blocked::ClosedToOutside
            | Blocked::NobodyHasIt
            | Blocked::NotForwarded
            | Blocked::BeyondThePeer
            | Blocked::BackWhereItCameFrom => "NO_ROUTE_TO_DESTINATION",
            Blocked::HostIsProtected | Blocked::OnlyHostsServeDhcp | Blocked::Unasked => "NO_PATH",
        };
        let reason = Reason { code: code.into(), component, address, ..Reason::default() };
        let decided = match why {
            Blocked::Egress => hop.and_then(|hop| hop.egress.as_ref()).map(|decision| (true, decision)),
            Blocked::Ingress => hop.and_then(|hop| hop.ingress.as_ref()).map(|decision| (false, decision)),
            _ => None,
        };
        if let Some((egress, decision)) = decided {
            let own = self.own(decision.interface).is_some();
            let interface = own.then_some(decision.interface);
            let groups = if own { decision.groups.clone() } else { Vec::new() };
            return Reason { egress: Some(egress), interface, groups, ..reason };
        }
        let acl = hop.and_then(|hop| match why {
            Blocked::NetworkAclEgress => hop.acl_egress.as_ref(),
            Blocked::NetworkAclIngress => hop.acl_ingress.as_ref(),
            _ => None,
        });
        if let Some(decision) = acl {
            let of_caller = |row: &&Arc<Subnet>| row.owner == self.view.caller.owner;
            let own = self.view.world.subnets.get(&decision.subnet).filter(of_caller).is_some();
            let (acl, subnet) = (decision.acl.filter(|_| own), own.then_some(decision.subnet));
            let egress = Some(decision.direction == Direction::Egress);
            return Reason { egress, acl, subnet, ..reason };
        }
        match why {
            Blocked::NoRoute | Blocked::BlackHole => {
                let route_table = table_of(self.view.world, source);
                Reason { route_table, subnet: Some(source.subnet), ..reason }
            }
            Blocked::ForgedSource => Reason { interface: Some(source.id), ..reason },
            Blocked::NotRunning if reach.trace.hops.is_empty() => {
                let instance = source.attachment.map(|attachment| attachment.instance);
                let row = instance.and_then(|id| self.view.world.instances.get(&id));
                let state = row.map(|row| row.state.name().to_owned());
                Reason { component: instance.map(|id| id.to_string()), state, ..reason }
            }
            _ => reason,
        }
    }
}

fn table_of(world: &World, eni: &Eni) -> Option<RouteTableId> {
    world.route_table_of(eni.vpc, eni.subnet).map(|table| table.id)
}

fn header(packet: &Packet) -> Option<Header> {
    let Packet { source, destination, transport } = *packet;
    let (udp, from_port, to_port) = match transport {
        Transport::Tcp { from, to } => (false, from, to),
        Transport::Udp { from, to } => (true, from, to),
        Transport::Icmp { .. } | Transport::Icmp6 { .. } | Transport::Other(_) => return None,
    };
    Some(Header { source, destination, udp, from_port, to_port })
}
