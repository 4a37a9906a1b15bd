//! `fogbank trace`: whether a packet passes, by which hosts and interfaces, and which rules decide.

mod ends;

use std::net::Ipv6Addr;

use ends::Ends;
use serde_json::{Value, json};

use super::Operator;
use super::cli::TraceCommand;
use super::execute::Answer;
use crate::agent::names::{ROUTER_OUT, ROUTER_VXLAN, peering_name, port_name, transit_name};
use crate::control::reach;
use crate::types::{EniId, Micros};
use crate::verdict::{
    AclDecision, Decision, Facts, Hop, Interface, Origin, Outcome, Packet, Place, Routed, Translation,
    Transport,
};
use crate::world::World;

const ECHO: Transport = Transport::Icmp { kind: 8, code: 0 };
const ECHO6: Transport = Transport::Icmp6 { kind: 128, code: 0 };

impl Operator {
    pub(super) fn trace(&self, command: &TraceCommand) -> Answer {
        let (world, status) = (self.handle.world(), self.handle.status());
        let facts = reach::facts(&status);
        let (to, port) = ends::cut(&command.to)?;
        let ipv6 = command.ipv6 || [&command.from, to].iter().any(|end| end.parse::<Ipv6Addr>().is_ok());
        let transport = transport(command, port, ipv6)?;
        let ends = Ends { world: &world, facts: &facts, ipv6 };
        let (origin, source) = ends.origin(&command.from)?;
        let destination = ends.destination(to, &origin)?;
        let packet = Packet::new(source, destination, transport);
        let reach = reach::reach(&world, &status, Micros::now(), &origin, packet);
        let teller = Teller { world: &world, facts: &facts };
        let hops: Vec<Value> = reach.trace.hops.iter().map(|hop| teller.hop(hop)).collect();
        let (passes, end, reason) = match &reach.trace.outcome {
            Outcome::Reaches(place, packet) => {
                (true, Some(format!("{}, as {}", teller.place(place), say(packet))), None)
            }
            Outcome::Blocked(why) => (false, None, Some(why.to_string())),
        };
        Ok(json!({
            "from": teller.origin(&origin), "packet": say(&packet), "passes": passes, "reaches": end, "reason": reason,
            "hops": hops, "notes": reach.notes,
        }))
    }
}

fn transport(command: &TraceCommand, port: Option<u16>, ipv6: bool) -> Result<Transport, String> {
    let from = command.source_port;
    let protocol = command.protocol.as_deref().unwrap_or(if port.is_some() { "tcp" } else { "icmp" });
    let needs = || format!("{protocol} needs a port: --to ADDRESS:PORT");
    let has_none = |transport| match port {
        Some(_) => Err(format!("{protocol} has no ports: leave the port out")),
        None => Ok(transport),
    };
    match protocol {
        "tcp" | "6" => Ok(Transport::Tcp { from, to: port.ok_or_else(needs)? }),
        "udp" | "17" => Ok(Transport::Udp { from, to: port.ok_or_else(needs)? }),
        "icmp" if ipv6 => has_none(ECHO6),
        "icmpv6" | "58" if ipv6 => has_none(ECHO6),
        "icmp" | "1" if !ipv6 => has_none(ECHO),
        number => match number.parse() {
            Ok(number) => has_none(Transport::Other(number)),
            Err(_) => Err(format!(
                "{number:?} is no protocol: give tcp, udp, icmp, icmpv6 (with IPv6), or a number up to 255"
            )),
        },
    }
}

fn say(packet: &Packet) -> String {
    format!("{} to {} {}", packet.source, packet.destination, packet.transport)
}

/// Finds the words.
struct Teller<'a> {
    world: &'a World,
    facts: &'a Facts,
}

impl Teller<'_> {
    fn hop(&self, hop: &Hop) -> Value {
        let translations = hop.translations.iter().map(|translation| match translation {
            Translation::Source(from, to) => format!("source {from} becomes {to}"),
            Translation::Destination(from, to) => format!("destination {from} becomes {to}"),
        });
        json!({
            "host": hop.host,
            "vpc": hop.vpc,
            "enters": self.interface(hop, hop.entered),
            "acl_egress": hop.acl_egress.as_ref().map(asked),
            "egress": hop.egress.as_ref().map(decided),
            "route": hop.route.as_ref().map(routed),
            "translations": translations.collect::<Vec<_>>(),
            "acl_ingress": hop.acl_ingress.as_ref().map(asked),
            "ingress": hop.ingress.as_ref().map(decided),
            "leaves": hop.left.map(|left| self.interface(hop, left)),
        })
    }

    /// As `ip link` names it, on the host or in its router.
    fn interface(&self, hop: &Hop, interface: Interface) -> String {
        let facts = self.facts.hosts.get(&hop.host);
        match interface {
            Interface::Port(id) => port_name(id),
            Interface::Public => {
                facts.map_or_else(|| "the public interface".into(), |host| host.public_interface.to_string())
            }
            Interface::Flat => {
                facts.map_or_else(|| "the flat interface".into(), |host| host.flat_interface.to_string())
            }
            Interface::Own => "the host itself".into(),
            Interface::Cable(_) if hop.vpc.is_some() => ROUTER_OUT.into(),
            Interface::Cable(vpc) => transit_name(vpc),
            Interface::Vxlan => ROUTER_VXLAN.into(),
            Interface::Peering(id) => peering_name(id),
        }
    }

    fn eni(&self, id: EniId) -> String {
        let attachment = self.world.enis.get(&id).and_then(|eni| eni.attachment);
        match attachment {
            Some(attachment) => format!("{} ({id})", attachment.instance),
            None => id.to_string(),
        }
    }

    fn origin(&self, origin: &Origin) -> String {
        match origin {
            Origin::Interface(id) => self.eni(*id),
            Origin::Outside => "outside".into(),
            Origin::Flat => "a machine on the flat segment".into(),
            Origin::Host(name) => format!("host {name}"),
        }
    }

    fn place(&self, place: &Place) -> String {
        match place {
            Place::Interface(id) => self.eni(*id),
            Place::Service(service) => format!("{service:?} at the host").to_lowercase(),
            Place::Outside => "the outside".into(),
            Place::Flat => "a machine on the flat segment".into(),
            Place::Host(name) => format!("host {name}"),
        }
    }
}

fn decided(decision: &Decision) -> Value {
    let rules = decision.allowed_by.iter().map(|(group, rule)| json!({"rule": rule, "group": group}));
    json!({"allowed_by": rules.collect::<Vec<_>>(), "groups": decision.groups})
}

fn asked(decision: &AclDecision) -> Value {
    json!({"acl": decision.acl, "subnet": decision.subnet, "entry": decision.entry, "allowed": decision.allowed})
}

fn routed(route: &Routed) -> Value {
    json!({"table": route.table, "destination": route.destination.to_string(), "to": route.leads.to_string()})
}

/// The answer for people; `None` for other commands' answers.
pub(super) fn text(answer: &Value) -> Option<String> {
    let hops = answer.get("hops")?.as_array()?;
    let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines = vec![format!("{}: {}", words(&answer["from"]), words(&answer["packet"]))];
    for hop in hops {
        let router = hop["vpc"].as_str().map(|vpc| format!(", router of {vpc}")).unwrap_or_default();
        lines.push(format!("  {}{router}: enters by {}", words(&hop["host"]), words(&hop["enters"])));
        lines.extend(acl(&hop["acl_egress"], "out"));
        lines.extend(decision(&hop["egress"], "out"));
        lines.extend(route(&hop["route"]));
        lines.extend(
            hop["translations"].as_array().into_iter().flatten().map(|line| format!("    {}", words(line))),
        );
        lines.extend(acl(&hop["acl_ingress"], "in"));
        lines.extend(decision(&hop["ingress"], "in"));
        lines.extend(hop["leaves"].as_str().map(|interface| format!("    leaves by {interface}")));
    }
    lines.push(match answer["passes"].as_bool() {
        Some(true) => format!("passes: it reaches {}", words(&answer["reaches"])),
        _ => format!("blocked: {}", words(&answer["reason"])),
    });
    lines.extend(
        answer["notes"].as_array().into_iter().flatten().map(|note| format!("note: {}", words(note))),
    );
    Some(lines.join("\n") + "\n")
}

fn decision(decision: &Value, way: &str) -> Option<String> {
    let words = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rules = decision.get("allowed_by")?.as_array()?;
    let allowed: Vec<_> =
        rules.iter().map(|rule| format!("{} of {}", words(&rule["rule"]), words(&rule["group"]))).collect();
    if !allowed.is_empty() {
        return Some(format!("    let {way} by {}", allowed.join(", ")));
    }
    let groups: Vec<_> = decision["groups"].as_array().into_iter().flatten().map(words).collect();
    Some(format!("    let {way} by no rule of {}", groups.join(", ")))
}

fn acl(decision: &Value, way: &str) -> Option<String> {
    let (subnet, allowed) = (decision["subnet"].as_str()?, decision["allowed"].as_bool()?);
    let word = if allowed { "let" } else { "not let" };
    let by = match (decision["acl"].as_str(), decision["entry"].as_u64()) {
        (Some(acl), Some(entry)) => format!("entry {entry} of {acl}"),
        (Some(acl), None) => format!("{acl}: no entry matches"),
        (None, _) => "no network ACL".to_owned(),
    };
    let of = if way == "out" { "out of" } else { "into" };
    Some(format!("    {word} {of} {subnet} by {by}"))
}

fn route(route: &Value) -> Option<String> {
    let (table, to) = (route["table"].as_str()?, route["to"].as_str()?);
    Some(format!("    by the route {} of {table} to {to}", route["destination"].as_str()?))
}
