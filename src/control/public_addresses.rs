//! Public addresses that instances have by themselves: from the pool, for as long as they run
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-instance-addressing.html#concepts-public-addresses>).
//!
//! Each is an [`Address`] like an elastic one, so that packets find it in the same way, but it is marked, no action on
//! addresses knows of it, and its row goes when its instance no longer runs or an elastic address takes its place.

use std::net::Ipv4Addr;

use super::allocate;
use super::{Decision, addresses};
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Address, Association, Change, InstanceState, Key, Space, World};

/// Whose a public address is, as answers tell it: one that came by itself is EC2's own.
pub fn owner(address: &Address) -> String {
    if address.automatic { "amazon".into() } else { address.owner.account.to_string() }
}

/// An address that was taken and leads nowhere yet.
#[derive(Clone, Copy, Debug)]
pub struct Public {
    pool: PoolId,
    ip: Ipv4Addr,
}

impl Public {
    /// Takes one from the pool that AllocateAddress takes from.
    ///
    /// # Errors
    /// There is none left.
    pub fn take(decision: &mut Decision) -> Result<Self, Fault> {
        let pool = allocate::pool(&decision.world, None);
        let taken = pool.and_then(|pool| Some((pool.id, decision.take_public(pool.id, None).ok()?)));
        let (pool, ip) = taken.ok_or_else(|| {
            FaultCode::InsufficientAddressCapacity
                .with("Not enough available public addresses for the instance")
        })?;
        Ok(Self { pool, ip })
    }

    /// Leads it to a private address of an interface.
    pub fn lead_to(self, decision: &mut Decision, eni: EniId, private_ip: Ipv4Addr) {
        let association = decision.env.id(AssociationId::from_random);
        let association = Some(Association { id: association, eni, private_ip });
        let id = decision.env.id(AllocationId::from_random);
        decision.put(Address {
            id,
            owner: decision.caller.owner.clone(),
            public_ip: self.ip,
            pool: self.pool,
            association,
            transit: None,
            domain_name: None,
            automatic: true,
            allocated: decision.env.now,
        });
    }
}

/// Gives an instance that starts its public address, if it is to have one: "If the public IP address of your instance has
/// been released, it will not receive a new one if there is more than one network interface attached", and an elastic
/// address is one already.
///
/// # Errors
/// There is none left.
pub fn at_start(decision: &mut Decision, instance: InstanceId) -> Result<(), Fault> {
    let interfaces = decision.world.interfaces_of(instance);
    let [only] = interfaces.as_slice() else { return Ok(()) };
    if only.auto_public && addresses::at(&decision.world, only.id, only.private_ip).is_empty() {
        Public::take(decision)?.lead_to(decision, only.id, only.private_ip);
    }
    Ok(())
}

/// Gives back those that the decision has left without a reason to be.
pub fn settle(decision: &mut Decision<'_>) {
    let mut touched = std::collections::BTreeSet::new();
    for change in decision.changes() {
        touch(&decision.world, change, &mut touched);
    }
    for id in touched {
        let row = decision.world.addresses.get(&id).filter(|row| row.automatic).cloned();
        if let Some(row) = row.filter(|row| !has_reason(&decision.world, row)) {
            decision.delete(Key::Address(id));
            decision.give_back(Space::Pool(row.pool), row.public_ip);
        }
    }
}

fn touch(world: &World, change: &Change, touched: &mut std::collections::BTreeSet<AllocationId>) {
    let key = match change {
        Change::Put(row) => row.key(),
        Change::Delete(key) => key.clone(),
    };
    let mut all_of = |eni: EniId| touched.extend(world.addresses_of(eni).map(|row| row.id));
    match key {
        Key::Address(id) => {
            touched.insert(id);
            let led = world.addresses.get(&id).and_then(|row| row.association);
            led.iter().for_each(|to| touched.extend(world.addresses_of(to.eni).map(|row| row.id)));
        }
        Key::Eni(id) => all_of(id),
        Key::Instance(id) => world.interfaces_of(id).iter().for_each(|eni| all_of(eni.id)),
        _ => {}
    }
}

/// Whether it leads to an interface of an instance that runs, where no elastic address leads.
fn has_reason(world: &World, row: &Address) -> bool {
    use InstanceState::{Pending, Running};
    let Some(to) = row.association else { return false };
    let attachment = world.enis.get(&to.eni).and_then(|eni| eni.attachment);
    let instance = attachment.and_then(|at| world.instances.get(&at.instance));
    let runs = instance.is_some_and(|instance| matches!(instance.state, Pending | Running));
    runs && addresses::at(world, to.eni, to.private_ip).iter().all(|other| other.id == row.id)
}

#[cfg(test)]
mod tests;
