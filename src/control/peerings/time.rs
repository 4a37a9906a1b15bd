//! What becomes of peering connections with time.

use super::*;

/// The connection as it is by now, whether or not anybody has looked since: a request that nobody has answered has expired.
pub fn as_of(row: &Arc<Peering>, now: Micros) -> Peering {
    match row.state {
        PeeringState::Pending if row.expires <= now => {
            Peering { state: PeeringState::Expired, ended: Some(row.expires), ..(**row).clone() }
        }
        _ => (**row).clone(),
    }
}

/// Those that something is to become of.
fn passed(world: &World, now: Micros) -> impl Iterator<Item = VpcPeeringConnectionId> + '_ {
    world.index.peerings_due.iter().take_while(move |(at, _)| *at <= now).map(|(_, id)| *id)
}

/// Whether [`tick`] would change anything.
pub fn due(world: &World, now: Micros) -> bool {
    passed(world, now).next().is_some()
}

/// Lets requests expire, and forgets what nobody is told of any more, with all tags.
pub fn tick(decision: &mut Decision<'_>) {
    let now = decision.env.now;
    let ids: Vec<_> = passed(&decision.world, now).collect();
    for id in ids {
        let Some(row) = decision.world.peerings.get(&id).cloned() else { continue };
        let row = as_of(&row, now);
        if row.due().is_some_and(|at| at > now) {
            decision.put(row);
            continue;
        }
        decision.untag_all(ResourceId::VpcPeeringConnection(id));
        decision.untag_all(ResourceId::PeeringAccepter(id.at_accepter()));
        decision.delete(Key::Peering(id));
    }
}
