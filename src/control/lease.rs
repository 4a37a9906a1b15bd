//! What an address lease is for: an elastic IP that moves away from a host that nobody hears of goes on without it.
//!
//! A host keeps an elastic IP for as many seconds as the lease has after a server's word; then its kernel drops it. A
//! server gives its word only when it has looked at the database within [`IN_TOUCH`], so that its World is that new, and
//! a host that gets a World without the address drops it at once, and is told nothing older again by any server. So the last word that could have renewed the address was
//! given at most [`IN_TOUCH`] after the generation in which the claim began to leave, by whichever server. From when this
//! server first saw the claim leave, which is later than it happened, the lease and a margin have to pass, by a clock that
//! nobody sets and that begins anew with the process. That is enough by itself. That the host is not heard of either, at
//! any server, is asked besides: one that lives says by itself when it has let go, or why it has not.
//!
//! A host that has not applied the present lease may hold the address for longer, or for ever: there the operator's word
//! (`host fail`) is needed.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Decision, Status, claims};
use crate::types::Micros;
use crate::world::{Claim, Deployment, Space, World};

/// How lately a server must have looked at the database for its word to renew a lease.
pub const IN_TOUCH: Duration = Duration::from_secs(2);
/// What is waited for beyond the lease: [`IN_TOUCH`], the kernel's own slack, and plenty.
pub const MARGIN: Duration = Duration::from_secs(10);

/// What one server has seen of claims that a lease may end; it knows nothing when the server starts.
#[derive(Default)]
pub struct Watch {
    epoch: Arc<str>,
    leaving: BTreeMap<(Space, Ipv4Addr), Leaving>,
}

struct Leaving {
    claim: Arc<Claim>,
    /// When it was first seen to leave.
    since: Instant,
    /// What was last known of when its host was heard of, and when that was last news.
    last_seen: Micros,
    heard: Instant,
}

/// A claim that its host cannot make use of any more, unless something has changed meanwhile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    claim: Arc<Claim>,
    lease_since: u64,
    last_seen: Micros,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.claim.address, self.claim.host)
    }
}

impl Watch {
    /// Looks at the claims that leave, and says which have ended. `at` is this process's own clock, which nobody sets;
    /// `now` is the time of day, which others have noted in the reports.
    pub fn look(
        &mut self,
        world: &World,
        status: &Status,
        epoch: &Arc<str>,
        at: Instant,
        now: Micros,
    ) -> Vec<Ended> {
        let Some(deployment) = leased(world) else {
            self.leaving.clear();
            return Vec::new();
        };
        if self.epoch != *epoch {
            *self = Self { epoch: epoch.clone(), leaving: BTreeMap::new() };
        }
        self.note(world, status, at);
        let lease = i64::from(deployment.address_lease);
        let wait = Duration::from_secs(deployment.address_lease.into()) + MARGIN;
        let until = |last_seen: Micros| {
            last_seen.plus_seconds(lease).plus_seconds(i64::try_from(MARGIN.as_secs()).unwrap_or(i64::MAX))
        };
        let long_ago = |then: Instant| at.saturating_duration_since(then) >= wait;
        let ended = |leaving: &Leaving| {
            let silent = long_ago(leaving.heard) && until(leaving.last_seen) <= now;
            let ended = Ended {
                claim: leaving.claim.clone(),
                lease_since: deployment.lease_since,
                last_seen: leaving.last_seen,
            };
            (long_ago(leaving.since) && silent && stands(world, status, &ended)).then_some(ended)
        };
        self.leaving.values().filter_map(ended).collect()
    }

    fn note(&mut self, world: &World, status: &Status, at: Instant) {
        let mut before = std::mem::take(&mut self.leaving);
        let elastic = |claim: &&Arc<Claim>| claim.leaving.is_some() && matches!(claim.space, Space::Pool(_));
        for claim in world.claims.values().filter(elastic) {
            let place = (claim.space.clone(), claim.address);
            let last_seen = status.hosts.get(&claim.host).map_or(Micros(0), |host| host.last_seen);
            let known = before.remove(&place).filter(|known| known.claim == *claim);
            let (since, heard) = match known {
                Some(known) if known.last_seen == last_seen => (known.since, known.heard),
                Some(known) => (known.since, at),
                None => (at, at),
            };
            self.leaving.insert(place, Leaving { claim: claim.clone(), since, last_seen, heard });
        }
    }
}

/// Lets go of claims for hosts that cannot: whoever is to have the address has it from then on.
pub fn release(decision: &mut Decision<'_>, ended: &[Ended]) {
    for one in ended {
        // Another server may have been first, and the host may have been heard of.
        if stands(&decision.world, decision.status, one) {
            claims::end(decision, (one.claim.space.clone(), one.claim.address));
        }
    }
}

fn leased(world: &World) -> Option<&Deployment> {
    world.deployment.as_deref().filter(|deployment| deployment.address_lease > 0)
}

/// Whether nothing has changed since the claim was found to have ended, and its host holds elastic IPs by this lease.
fn stands(world: &World, status: &Status, ended: &Ended) -> bool {
    let claim = &ended.claim;
    let same = world.claims.get(&(claim.space.clone(), claim.address)) == Some(claim);
    let lease = leased(world).filter(|deployment| deployment.lease_since == ended.lease_since);
    let host = status.hosts.get(&claim.host).filter(|host| host.last_seen == ended.last_seen);
    // What it applied in a history that was lost says nothing of this one.
    let by_lease = |applied: u64| applied >= ended.lease_since && applied >= world.begun;
    same && lease.is_some() && host.is_some_and(|host| by_lease(host.applied))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::control::hosts;
    use crate::control::testing::Bench;
    use crate::types::PoolId;

    const LEASE: u32 = 5;
    const IP: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);

    fn place() -> (Space, Ipv4Addr) {
        (Space::Pool(PoolId::from_random(1)), IP)
    }

    /// The claim of node1 leaves, and the host has applied the lease and not the removal.
    fn bench() -> Bench {
        let mut bench = Bench::small();
        let deployment =
            Deployment { certificate: "".into(), sealed_key: Arc::new([]), address_lease: 0, lease_since: 0 };
        bench.put(deployment);
        bench.attempt(|decision| hosts::set_address_lease(decision, LEASE)).unwrap();
        heard(&mut bench, 0);
        leave(&mut bench);
        bench
    }

    fn leave(bench: &mut Bench) {
        let (space, address) = place();
        let leaving = Some(bench.world.generation + 1);
        bench.put(Claim { space, address, host: "node1".into(), leaving });
        bench.world.generation += 1;
    }

    /// The host is heard of at this second, and is where it was.
    fn heard(bench: &mut Bench, second: i64) {
        let applied = bench.world.deployment.as_ref().unwrap().lease_since;
        let last_seen = bench.now.plus_seconds(second);
        let status = crate::control::HostStatus { applied, last_seen, ..Default::default() };
        bench.status.hosts.insert("node1".into(), status);
    }

    fn look(watch: &mut Watch, bench: &Bench, at: Instant, second: i64) -> Vec<Ended> {
        watch.look(&bench.world, &bench.status, &"epoch".into(), at, bench.now.plus_seconds(second))
    }

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_silent_hosts_claim_ends_once_the_lease_and_the_margin_have_passed() {
        let (mut bench, mut watch, start) = (bench(), Watch::default(), Instant::now());
        assert_eq!(look(&mut watch, &bench, start, 0), []);
        assert_eq!(look(&mut watch, &bench, after(start, 14), 14), []);
        // Neither clock alone ends it.
        assert_eq!(look(&mut watch, &bench, after(start, 14), 1_000_000), []);
        assert_eq!(look(&mut watch, &bench, after(start, 15), 14), []);
        let ended = look(&mut watch, &bench, after(start, 15), 15);
        assert_eq!(ended.len(), 1);
        // A server that has just started has seen nothing yet.
        assert_eq!(look(&mut Watch::default(), &bench, after(start, 15), 15), []);
        bench.decide(|decision| release(decision, &ended));
        assert!(!bench.world.claims.contains_key(&place()));
        let before = bench.changes.len();
        bench.decide(|decision| release(decision, &ended));
        assert_eq!(bench.changes.len(), before, "it ends once");
    }

    #[test]
    fn what_changes_meanwhile_keeps_the_claim() {
        let start = Instant::now();
        type Case = (&'static str, fn(&mut Bench));
        let cases: [Case; 5] = [
            ("heard of", |bench| heard(bench, 3)),
            ("leaves anew", leave),
            ("another lease", |bench| bench.attempt(|d| hosts::set_address_lease(d, 6)).unwrap()),
            ("no lease", |bench| bench.attempt(|d| hosts::set_address_lease(d, 0)).unwrap()),
            ("lost commits", |bench| bench.world.begun = 1_000_000),
        ];
        for (what, change) in cases {
            let (mut bench, mut watch) = (bench(), Watch::default());
            look(&mut watch, &bench, start, 0);
            let ended = look(&mut watch, &bench, after(start, 15), 15);
            assert_eq!(ended.len(), 1);
            change(&mut bench);
            bench.decide(|decision| release(decision, &ended));
            assert!(bench.world.claims.contains_key(&place()), "{what}");
            assert_eq!(look(&mut watch, &bench, after(start, 16), 16), [], "{what}");
        }
    }

    #[test]
    fn a_host_that_has_not_applied_the_lease_and_private_addresses_wait_for_the_operator() {
        let start = Instant::now();
        let mut bench = bench();
        let old = bench.status.hosts["node1"].applied - 1;
        let mut watch = Watch::default();
        look(&mut watch, &bench, start, 0);
        bench.status.hosts.get_mut("node1").unwrap().applied = old;
        assert_eq!(look(&mut watch, &bench, after(start, 1000), 1000), []);
        bench.status.hosts.remove("node1");
        assert_eq!(look(&mut watch, &bench, after(start, 9000), 9000), []);
        heard(&mut bench, 0);
        let private =
            Claim { space: Space::Network("flat".into()), ..(*bench.world.claims[&place()]).clone() };
        bench.put(private);
        look(&mut watch, &bench, after(start, 10_000), 10_000);
        assert_eq!(look(&mut watch, &bench, after(start, 20_000), 20_000).len(), 1, "the elastic one only");
    }

    /// One server of the model.
    #[derive(Default)]
    struct Server {
        /// The last second at which it looked at the database.
        looked: Option<u64>,
        knows_move: bool,
        /// When it last heard of the host.
        heard: i64,
    }

    proptest! {
        /// Two servers, one host, links between that come and go, restarts, a clock that is set: when the claim is
        /// released, the host's kernel has dropped the address.
        #[test]
        fn no_claim_ends_while_its_host_may_hold_the_address(
            moved in 0_u64..40,
            steps in prop::collection::vec((0_u8..16, 0_u8..32, -40_i64..40), 20..120),
            bias in 0_u8..16,
        ) {
            let (mut bench, mut watch, start) = (bench(), Watch::default(), Instant::now());
            let leaving = bench.world.claims[&place()].clone();
            bench.put(Claim { leaving: None, ..(*leaving).clone() });
            let mut servers = [Server::default(), Server::default()];
            let (mut kernel, mut knows, mut clock, mut noted) = (0, false, 0_i64, 0_i64);
            for (second, (cuts, event, jump)) in steps.into_iter().enumerate() {
                let second = second as u64;
                if second == moved {
                    bench.put(Claim::clone(&leaving));
                }
                // Bits: server 0 and 1 to the database, the host to server 0 and 1. Some links are mostly down.
                let up = |bit: u8| cuts & (1 << bit) != 0 && (bias & (1 << bit) == 0 || event < 4);
                match event {
                    4 => watch = Watch::default(),
                    5 => clock += jump,
                    _ => {}
                }
                for (bit, server) in [0, 1].into_iter().zip(&mut servers) {
                    if up(bit) {
                        server.looked = Some(second);
                        server.knows_move = second >= moved;
                        noted = noted.max(server.heard);
                    }
                    if up(bit + 2) {
                        server.heard = second as i64;
                        knows |= server.knows_move;
                        let in_touch = server.looked.is_some_and(|then| second - then <= IN_TOUCH.as_secs());
                        if in_touch && !knows {
                            kernel = second + u64::from(LEASE);
                        }
                        if knows {
                            kernel = kernel.min(second);
                        }
                    }
                }
                if up(0) {
                    heard(&mut bench, noted);
                }
                let at = after(start, second);
                let ended = look(&mut watch, &bench, at, second as i64 + clock);
                bench.decide(|decision| release(decision, &ended));
                if !bench.world.claims.contains_key(&place()) {
                    prop_assert!(kernel <= second, "released at {second}, held until {kernel}");
                    return Ok(());
                }
            }
        }
    }
}
