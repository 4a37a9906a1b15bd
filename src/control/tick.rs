//! What passes with time: terminated instances, deleted NAT gateways, peering connections, client tokens and transfers of addresses are
//! forgotten.

use super::{Decision, nat_gateways, peerings};
use crate::types::{Micros, ResourceId};
use crate::world::{Key, World};

/// "Terminated instances remain visible after termination (for approximately one hour)"
/// (API_TerminateInstances).
const INSTANCE_SECONDS: i64 = 3600;

/// How long a client token is remembered; EC2 promises 24 hours at least
/// (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html>).
const TOKEN_SECONDS: i64 = 48 * 3600;

/// Forgets what is too old; to be run every few seconds when [`due`] says so.
pub fn tick(decision: &mut Decision<'_>) {
    let now = decision.env.now;
    let instances: Vec<_> = decision
        .world
        .index
        .terminated
        .iter()
        .take_while(|(at, _)| passed(*at, INSTANCE_SECONDS, now))
        .map(|(_, id)| *id)
        .collect();
    for id in instances {
        decision.untag_all(ResourceId::Instance(id));
        decision.delete(Key::Instance(id));
    }
    nat_gateways::forget(decision);
    peerings::tick(decision);
    let tokens: Vec<_> = decision
        .world
        .index
        .tokens_by_age
        .iter()
        .take_while(|(at, _)| passed(*at, TOKEN_SECONDS, now))
        .map(|(_, key)| key.clone())
        .collect();
    for key in tokens {
        decision.delete(Key::Token(key));
    }
    let transfers: Vec<_> = decision
        .world
        .index
        .transfers_by_end
        .iter()
        .take_while(|(end, _)| *end <= now)
        .map(|(_, key)| key.clone())
        .collect();
    for key in transfers {
        decision.delete(Key::AddressTransfer(key));
    }
}

/// Whether [`tick`] would change anything: no transaction is worth nothing.
pub fn due(world: &World, now: Micros) -> bool {
    let old = |at: Option<Micros>, seconds| at.is_some_and(|at| passed(at, seconds, now));
    old(world.index.terminated.get_min().map(|(at, _)| *at), INSTANCE_SECONDS)
        || old(world.index.tokens_by_age.get_min().map(|(at, _)| *at), TOKEN_SECONDS)
        || nat_gateways::is_forgettable(world, now)
        || peerings::due(world, now)
        || old(world.index.transfers_by_end.get_min().map(|(end, _)| *end), 0)
}

fn passed(at: Micros, seconds: i64, now: Micros) -> bool {
    at.plus_seconds(seconds) <= now
}
