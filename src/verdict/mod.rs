//! Whether a packet passes, which way it goes, and which rule says so: read off the World, one packet at a time.
//!
//! This is the second opinion on everything that `plan` and `agent` make of a World. It is written from AWS's
//! documentation (<https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html>,
//! <https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html>) and from what the specification
//! promises, in the plainest way there is: every rule is looked at, every address is searched for. It shares no code with
//! what makes the hosts' rules; tests compare the two, and the kernel, packet by packet. `fogbank trace` prints it.

mod groups;
mod packet;
mod places;
mod trace;
mod walk;

pub use groups::Decision;
pub use packet::{Packet, Transport};
pub use places::{Facts, HostFacts};
pub use trace::{Blocked, Hop, Interface, Origin, Outcome, Place, Service, Trace, Translation};
pub use walk::verdict;
