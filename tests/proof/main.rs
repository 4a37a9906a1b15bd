//! Proof that what the hosts' rules do is what the World says: random worlds and packets, judged three times over.
//!
//! - `fogbank::verdict` reads the answer off the World, rule by rule;
//! - `tracer` walks the packet through the rules that `plan` and `render` make, as netfilter would;
//! - `kernel` sends it through real kernels.
//!
//! `FOGBANK_SEED` runs one world again; `FOGBANK_SOAK=N` makes the run N times as long.

#![allow(clippy::unwrap_used)]

mod agree;
mod cases;
mod cases6;
mod changes;
mod dice;
mod drift;
mod flows;
mod frames;
mod history;
mod ipv6;
mod kernel;
mod nat;
mod over;
mod parts;
mod replay;
mod returns;
mod rules;
mod stage;
mod through;
mod tracer;
mod vpcs;
mod wires;
mod worlds;
mod writers;

#[path = "../dataplane/hosts.rs"]
#[allow(dead_code)]
mod hosts;
#[path = "../dataplane/lab.rs"]
#[allow(dead_code)]
mod lab;
#[path = "../dataplane/state.rs"]
#[allow(dead_code)]
mod state;
