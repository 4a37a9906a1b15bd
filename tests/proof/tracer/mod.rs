//! Walks a packet through the rules that hosts were given, as netfilter would.
//!
//! The rules are our own values, as rendered; a form that the tracer does not know ends the test. It stands for the kernel a million times a
//! run; `kernel` holds it, and the verdict, against the real one.

mod conntrack;
mod host;
mod lookup;
mod segments;
mod tables;

pub use conntrack::reversed;
pub use host::Parcel;
pub use segments::{Arrival, Segments};
