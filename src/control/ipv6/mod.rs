//! Where IPv6 addresses come from: the operator's prefixes, of which VPCs get blocks, of which subnets get theirs, of
//! which interfaces get addresses.

mod allocate;
mod prefixes;
#[cfg(test)]
mod tests;

pub use allocate::{NoBlock, Unavailable};
pub use prefixes::{add, blocks, remove, used};
