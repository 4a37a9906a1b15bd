//! The only place that reads or writes the kernel: links, addresses, routes, neighbours, nft, conntrack.
//!
//! Nothing here keeps a memory that it needs: each part reads what the kernel has, compares it with
//! what should be and writes the difference. What is ours is known by its mark: the table's name,
//! [`ROUTE_PROTOCOL`](crate::agent::names::ROUTE_PROTOCOL) on routes, rules, addresses and neighbour entries,
//! the prefix of interfaces. What has no such mark is never touched.

mod absent;
pub mod acls;
pub mod addresses;
pub mod announce;
mod arp;
pub mod batch;
pub mod challenge;
pub mod conntrack;
pub mod events;
pub mod fdb;
pub mod flat;
pub mod foreign;
pub mod glance;
pub mod groups;
pub mod host;
pub mod inspect;
pub mod ipv6;
pub mod json;
pub mod leaving;
pub mod links;
pub mod model;
pub mod neighbours;
pub mod nfnetlink;
pub mod nft;
pub mod orders;
pub mod paths;
mod peerings;
pub mod policy;
pub mod private_nat;
pub mod probe;
pub mod program;
pub mod regroup;
pub mod render;
pub mod routes;
pub mod sides;
pub mod subnets;
pub mod sysctl;
pub mod transit;
mod ways;
pub mod wire;
