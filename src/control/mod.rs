//! Decisions: pure functions from the World and a command to changes and an answer.
//!
//! No SQL, HTTP, XML, clock or randomness in here: [`Env`] hands in the time and random bits, and
//! everything a decision does to the state is a list of [`Change`]s. That makes each decision a
//! value that a test can compare.

pub mod account;
mod address_attributes;
mod address_transfers;
pub mod addresses;
pub mod allocate;
pub mod claims;
pub mod defaults;
mod dispatch;
pub mod egress_gateways;
mod env;
pub mod filter;
pub mod groups;
pub mod hosts;
pub mod idempotency;
pub mod images;
pub mod insights;
pub mod instances;
pub mod internet_gateways;
pub mod ipv6;
pub mod key_pairs;
pub mod launch_templates;
pub mod lease;
pub mod lifecycle;
pub mod nat_gateways;
pub mod network_acls;
pub mod network_interfaces;
mod observed;
pub mod peerings;
pub mod prefix_lists;
pub mod public_addresses;
pub mod quotas;
pub mod reach;
pub mod regions;
pub mod routes;
pub mod rules;
mod status;
pub mod sts;
pub mod tagging;
pub mod tags;
#[cfg(test)]
pub mod testing;
mod tick;
mod transit;
pub mod volumes;
pub mod vpcs;

pub mod operator;

pub use env::Env;
pub use observed::{concerns, observed};
pub use status::{Console, HostStatus, Status};
pub use tick::{due, tick};

use std::sync::Arc;

use crate::types::{Micros, Owner};
use crate::world::{Change, Key, Row, World};

/// Who asks: the account and region that every lookup goes through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    pub owner: Owner,
    /// The key that signed.
    pub access_key: Arc<str>,
    /// The host, and port, under which the caller reached us: the request's Host.
    pub endpoint: Arc<str>,
    pub quotas: Arc<quotas::Quotas>,
    /// Whether default VPCs of the region are isolated ones, and not the flat networks.
    pub isolated: bool,
}

/// What a read sees: one published World and the hosts' reports.
pub struct View<'a> {
    pub world: &'a World,
    pub status: &'a Status,
    pub caller: &'a Caller,
    pub now: Micros,
}

/// A write being decided: a World of its own that already shows its changes.
///
/// Dropping it undoes everything, so a decision that fails half way leaves nothing.
pub struct Decision<'a> {
    pub world: World,
    pub status: &'a Status,
    pub caller: &'a Caller,
    pub env: Env<'a>,
    /// The World that it began with.
    before: World,
    changes: Vec<Change>,
}

impl<'a> Decision<'a> {
    /// Starts from a World; cloning one is cheap.
    pub fn new(world: World, status: &'a Status, caller: &'a Caller, env: Env<'a>) -> Self {
        Self { before: world.clone(), world, status, caller, env, changes: Vec::new() }
    }

    /// Inserts or replaces a row.
    pub fn put(&mut self, row: impl Into<Row>) {
        self.change(Change::put(row));
    }

    /// Deletes a row.
    pub fn delete(&mut self, key: Key) {
        self.change(Change::Delete(key));
    }

    fn change(&mut self, change: Change) {
        self.world.apply(&change);
        self.changes.push(change);
    }

    /// The reader's view of the state with the changes so far.
    pub fn view(&self) -> View<'_> {
        View { world: &self.world, status: self.status, caller: self.caller, now: self.env.now }
    }

    /// The changes so far.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The World after the decision, and the changes that lead to it; claims, places in transit and those of
    /// NAT gateways, and public addresses that come by themselves, follow.
    pub fn finish(mut self) -> (World, Vec<Change>) {
        let before = std::mem::take(&mut self.before);
        public_addresses::settle(&mut self);
        transit::settle(&mut self, &before);
        nat_gateways::place::settle(&mut self);
        claims::settle(&mut self, &before);
        (self.world, self.changes)
    }
}
