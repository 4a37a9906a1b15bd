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
use crate::agent::names::{PORT_PREFIX, TABLE};
use crate::plan::Failure;

/// The chains in the way, as failures to report.
///
/// # Errors
/// `nft` cannot be run.
pub async fn obstacles() -> Result<Vec<Failure>, NftError> {
    // Terse: the elements of sets can be many, and nothing here looks at them.
    let text = nft(&["-j", "-t", "list", "ruleset"], &[]).await?;
    Ok(in_the_way(&String::from_utf8_lossy(&text)))
}

/// The obstacles as last seen. Looking costs one `nft` process, which may take a second beside
/// another program's large sets: it is done when somebody changed rules, and not often.
#[derive(Debug, Default)]
pub struct Obstacles {
    seen: Option<(Instant, u32)>,
    pub failures: Vec<Failure>,
}

impl Obstacles {
    /// Looks again if there is reason to; says whether something else was found than before.
    pub async fn refresh(&mut self, not_within: Duration) -> bool {
        let Ok(generation) = inspect::generation() else { return false };
        let fresh = |seen: &(Instant, u32)| seen.1 == generation || seen.0.elapsed() < not_within;
        if self.seen.as_ref().is_some_and(fresh) {
            return false;
        }
        self.seen = Some((Instant::now(), generation));
        let failures = obstacles().await.unwrap_or_else(|error| {
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
fn in_the_way(text: &str) -> Vec<Failure> {
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
        judges_us(chain)
            && chain.table != TABLE
            && ends_in_drop(chain, &rules)
            && !lets_us_pass(chain, &rules)
    };
    let found: BTreeSet<Failure> = chains.filter(drops).map(failure).collect();
    found.into_iter().collect()
}

/// Forwarded packets are the instances' traffic; those for the host are DHCP, DNS and metadata.
fn judges_us(chain: &Chain<'_>) -> bool {
    matches!(chain.hook, Some(NfHook::Forward | NfHook::Input))
        && matches!(chain.family, NfFamily::IP | NfFamily::INet)
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

/// Whether some rule of that table accepts by our ports' names: then somebody has thought of us.
fn lets_us_pass(chain: &Chain<'_>, rules: &[&Rule<'_>]) -> bool {
    rules.iter().filter(|rule| is_in(rule, chain)).any(|rule| {
        let accepts = rule.expr.iter().any(|statement| matches!(statement, Statement::Accept(_)));
        let names =
            serde_json::to_string(&rule.expr).is_ok_and(|text| text.contains(&format!("\"{PORT_PREFIX}")));
        accepts && names
    })
}

fn failure(chain: &Chain<'_>) -> Failure {
    let family = if chain.family == NfFamily::IP { "ip" } else { "inet" };
    let (table, name) = (&chain.table, &chain.name);
    let (what, also) = match chain.hook {
        Some(NfHook::Input) => ("DHCP, DNS and metadata of instances", String::new()),
        _ => ("packets to and from instances", format!(", and the same with oifname \"{PORT_PREFIX}*\"")),
    };
    Failure {
        subject: format!("firewall chain {family} {table} {name}"),
        message: format!(
            "belongs to another program and drops {what}: let them pass, e.g. \
             `nft insert rule {family} {table} {name} iifname \"{PORT_PREFIX}*\" accept`{also}, in that program's own way"
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
        let text = json!({"nftables": objects}).to_string();
        in_the_way(&text).into_iter().map(|failure| failure.subject).collect()
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
