//! Packets decide: every test builds a host, its instances and the internet out of network
//! namespaces of its own, lets the agent program the host, and sends packets.
//!
//! Needs root. The machine's own network is not touched.

#![allow(clippy::unwrap_used)]

mod compute;
mod crash;
mod crash_compute;
mod elastic;
mod host;
mod hosts;
mod ipv6;
mod kernel;
mod lab;
mod many;
mod owner;
mod probe;
mod routers;
mod serve;
mod state;
mod watch;
