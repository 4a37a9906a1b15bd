//! Other programs' firewall chains that would drop what our rules let pass.
//!
//! An accept of ours ends our own chain only: a base chain of another table at the same hook still
//! judges the packet (nft(8), "accept"). Docker, ufw and firewalld all have one that drops. Those are
//! named, with the command that lets our ports through; they are never touched. This is read for
//! people, at leisure: nothing of ours is ever decided by it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use nftables::schema::{Chain, NfListObject, Rule};
use nftables::stmt::Statement;
use nftables::types::{NfChainPolicy, NfFamily, NfHook};

use super::inspect;
use super::program::{NftError, nft};
use crate::agent::names::{PORT_PREFIX, TABLE, TRANSIT_PREFIX};
use crate::plan::Failure;

/// What of ours chains of others must let pass, beside the packets of ports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Needs {
    /// The port between VPCs' routers, where there are any here.
    pub vxlan: Option<u16>,
    /// Whether routers here carry IPv6: it goes by their cables.
    pub ipv6: bool,
}

/// The chains in the way, as failures to report.
///
/// # Errors
/// `nft` cannot be run.
pub async fn obstacles(needs: Needs) -> Result<Vec<Failure>, NftError> {
    // Terse: the elements of sets can be many, and nothing here looks at them.
    let text = nft(&["-j", "-t", "list", "ruleset"], &[]).await?;
    Ok(in_the_way(&String::from_utf8_lossy(&text), needs))
}

/// The obstacles as last seen. Looking costs one `nft` process, which may take a second beside
/// another program's large sets: it is done when somebody changed rules, and not often.
#[derive(Clone, Debug, Default)]
pub struct Obstacles {
    seen: Option<(Instant, (u32, Needs))>,
    pub failures: Vec<Failure>,
}

impl Obstacles {
    /// Looks again if there is reason to; says whether something else was found than before.
    pub async fn refresh(&mut self, needs: Needs, not_within: Duration) -> bool {
        let Ok(generation) = inspect::generation() else { return false };
        let now = (generation, needs);
        let fresh = |(at, seen): &(Instant, _)| *seen == now || at.elapsed() < not_within;
        if self.seen.as_ref().is_some_and(fresh) {
            return false;
        }
        self.seen = Some((Instant::now(), now));
        let failures = obstacles(needs).await.unwrap_or_else(|error| {
            let message = format!("cannot be looked at: {error}");
            vec![Failure { subject: "other programs' firewall".into(), message }]
        });
        let changed = failures != self.failures;
        self.failures = failures;
        changed
    }
}

/// What `nft -j list ruleset` says, as far as it is understood: an object of a kind unknown to the
/// `nftables` crate is passed over, as it can be no base chain.
fn in_the_way(text: &str, needs: Needs) -> Vec<Failure> {
    let document: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let objects = document["nftables"].as_array().cloned().unwrap_or_default();
    let objects: Vec<NfListObject<'_>> =
        objects.into_iter().filter_map(|object| serde_json::from_value(object).ok()).collect();
    let chains = objects.iter().filter_map(|object| match object {
        NfListObject::Chain(chain) => Some(chain),
        _ => None,
    });
    let rules: Vec<_> = objects
        .iter()
        .filter_map(|object| match object {
            NfListObject::Rule(rule) => Some(rule),
            _ => None,
        })
        .collect();
    let drops = |chain: &&Chain<'_>| {
        judges_us(chain, needs)
            && chain.table != TABLE
            && ends_in_drop(chain, &rules)
            && !lets_us_pass(chain, &rules, needs.vxlan)
    };
    let found: BTreeSet<Failure> = chains.filter(drops).map(|chain| failure(chain, needs.vxlan)).collect();
    found.into_iter().collect()
}

/// Forwarded packets are the instances' traffic; those for the host are DHCP, DNS and metadata.
/// Of IPv6 a host serves nothing: routers do.
fn judges_us(chain: &Chain<'_>, needs: Needs) -> bool {
    match chain.family {
        NfFamily::IP | NfFamily::INet => matches!(chain.hook, Some(NfHook::Forward | NfHook::Input)),
        NfFamily::IP6 => needs.ipv6 && chain.hook == Some(NfHook::Forward),
        _ => false,
    }
}

fn ends_in_drop(chain: &Chain<'_>, rules: &[&Rule<'_>]) -> bool {
    let last = rules.iter().rfind(|rule| is_in(rule, chain) && rule.chain == chain.name);
    let dropping = |rule: &&&Rule<'_>| {
        let matches =
            rule.expr.iter().any(|statement| matches!(statement, Statement::Match(_) | Statement::XT(_)));
        let drops =
            rule.expr.iter().any(|statement| matches!(statement, Statement::Drop(_) | Statement::Reject(_)));
        drops && !matches
    };
    chain.policy == Some(NfChainPolicy::Drop) || last.as_ref().is_some_and(dropping)
}

fn is_in(rule: &Rule<'_>, chain: &Chain<'_>) -> bool {
    rule.family == chain.family && rule.table == chain.table
}

/// Whether rules of that table accept by our interfaces' names, and VXLAN by its port: then somebody has thought of us.
fn lets_us_pass(chain: &Chain<'_>, rules: &[&Rule<'_>], vxlan: Option<u16>) -> bool {
    let accepts =
        |rule: &&&Rule<'_>| rule.expr.iter().any(|statement| matches!(statement, Statement::Accept(_)));
    let accepting: Vec<_> = rules.iter().filter(|rule| is_in(rule, chain)).filter(accepts).collect();
    let named = |what: &str| {
        let names =
            |rule: &&&&Rule<'_>| serde_json::to_string(&rule.expr).is_ok_and(|text| text.contains(what));
        accepting.iter().any(|rule| names(&rule))
    };
    let port = |port: u16| match chain.hook {
        Some(NfHook::Input) => named(&port.to_string()),
        _ => named(&format!("\"{TRANSIT_PREFIX}")),
    };
    if chain.family == NfFamily::IP6 {
        return named(&format!("\"{TRANSIT_PREFIX}"));
    }
    named(&format!("\"{PORT_PREFIX}")) && vxlan.is_none_or(port)
}

fn failure(chain: &Chain<'_>, vxlan: Option<u16>) -> Failure {
    let family = match chain.family {
        NfFamily::IP => "ip",
        NfFamily::IP6 => "ip6",
        _ => "inet",
    };
    let (table, name) = (&chain.table, &chain.name);
    let six = chain.family == NfFamily::IP6;
    let prefix = if six { TRANSIT_PREFIX } else { PORT_PREFIX };
    let (what, also) = match chain.hook {
        _ if six => (
            "IPv6 packets to and from instances",
            format!(", and the same with oifname \"{TRANSIT_PREFIX}*\""),
        ),
        Some(NfHook::Input) => {
            let also =
                vxlan.map(|port| format!(", and the same with `udp dport {port}`, for VPCs between hosts"));
            ("DHCP, DNS and metadata of instances", also.unwrap_or_default())
        }
        _ => {
            let also = vxlan.map(|_| format!(", and both with \"{TRANSIT_PREFIX}*\", for VPCs"));
            let also = also.unwrap_or_default();
            ("packets to and from instances", format!(", and the same with oifname \"{PORT_PREFIX}*\"{also}"))
        }
    };
    Failure {
        subject: format!("firewall chain {family} {table} {name}"),
        message: format!(
            "belongs to another program and drops {what}: let them pass, e.g. \
             `nft insert rule {family} {table} {name} iifname \"{prefix}*\" accept`{also}, in that program's own way"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn chain(table: &str, name: &str, hook: &str, policy: &str) -> Value {
        json!({"chain": {"family": "ip", "table": table, "name": name, "handle": 1,
            "type": "filter", "hook": hook, "prio": 0, "policy": policy}})
    }

    fn rule(table: &str, chain: &str, expr: &Value) -> Value {
        json!({"rule": {"family": "ip", "table": table, "chain": chain, "handle": 2, "expr": expr}})
    }

    fn subjects(objects: &[Value]) -> Vec<String> {
        subjects_with(objects, None)
    }

    fn subjects_with(objects: &[Value], vxlan: Option<u16>) -> Vec<String> {
        subjects_where(objects, Needs { vxlan, ipv6: false })
    }

    fn subjects_where(objects: &[Value], needs: Needs) -> Vec<String> {
        let text = json!({"nftables": objects}).to_string();
        in_the_way(&text, needs).into_iter().map(|failure| failure.subject).collect()
    }

    #[test]
    fn dockers_policy_is_named_until_our_ports_are_let_through() {
        let forward = chain("filter", "FORWARD", "forward", "drop");
        assert_eq!(subjects(std::slice::from_ref(&forward)), ["firewall chain ip filter FORWARD"]);
        let ours = json!([
            {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "fbp*"}},
            {"accept": null}
        ]);
        assert!(subjects(&[forward, rule("filter", "DOCKER-USER", &ours)]).is_empty());
    }

    #[test]
    fn with_routers_their_cables_and_vxlan_are_to_be_let_through_too() {
        let accept = |left: Value, right: Value| json!([{"match": {"op": "==", "left": left, "right": right}}, {"accept": null}]);
        let by_name = |name: &str| accept(json!({"meta": {"key": "iifname"}}), json!(name));
        let forward = chain("filter", "FORWARD", "forward", "drop");
        let input = chain("filter", "INPUT", "input", "drop");
        let ports = rule("filter", "FORWARD", &by_name("fbp*"));
        let both = ["firewall chain ip filter FORWARD", "firewall chain ip filter INPUT"];
        assert_eq!(subjects_with(&[forward.clone(), input.clone(), ports.clone()], Some(4799)), both);
        let cables = rule("filter", "FORWARD", &by_name("fbt*"));
        let left =
            subjects_with(&[forward.clone(), input.clone(), ports.clone(), cables.clone()], Some(4799));
        assert_eq!(left, both[1..]);
        let dport = accept(json!({"payload": {"protocol": "udp", "field": "dport"}}), json!(4799));
        let vxlan = rule("filter", "INPUT", &dport);
        assert!(subjects_with(&[forward, input, ports, cables, vxlan], Some(4799)).is_empty());
    }

    #[test]
    fn chains_of_ipv6_are_named_where_it_is_carried_until_the_cables_are_let_through() {
        let six = |mut object: Value, kind: &str| {
            object[kind]["family"] = json!("ip6");
            object
        };
        let forward = six(chain("filter", "FORWARD", "forward", "drop"), "chain");
        let input = six(chain("filter", "INPUT", "input", "drop"), "chain");
        let needs = Needs { vxlan: Some(4799), ipv6: true };
        assert_eq!(subjects_where(&[forward.clone(), input], needs), ["firewall chain ip6 filter FORWARD"]);
        assert!(subjects_where(std::slice::from_ref(&forward), Needs { ipv6: false, ..needs }).is_empty());
        let cables = json!([
            {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "fbt*"}},
            {"accept": null}
        ]);
        let cables = six(rule("filter", "FORWARD", &cables), "rule");
        assert!(subjects_where(&[forward, cables], needs).is_empty());
    }

    #[test]
    fn a_last_rule_that_rejects_everything_is_as_good_as_a_policy() {
        let input = chain("firewalld", "filter_INPUT", "input", "accept");
        let rest = json!([{"reject": {"type": "icmpx", "expr": "admin-prohibited"}}]);
        let found = subjects(&[input.clone(), rule("firewalld", "filter_INPUT", &rest)]);
        assert_eq!(found, ["firewall chain ip firewalld filter_INPUT"]);
        let some = json!([
            {"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth9"}},
            {"drop": null}
        ]);
        assert!(subjects(&[input, rule("firewalld", "filter_INPUT", &some)]).is_empty());
    }

    #[test]
    fn our_own_table_and_other_hooks_are_not_in_the_way() {
        let objects = [
            chain(TABLE, "forward", "forward", "drop"),
            chain("filter", "OUTPUT", "output", "drop"),
            json!({"something new": {"family": "ip"}}),
        ];
        assert!(subjects(&objects).is_empty());
    }
}
