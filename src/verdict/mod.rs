//! Whether a packet passes, which way it goes, and which rule says so: read off the World, one packet at a time.
//!
//! This is the second opinion on everything that `plan` and `agent` make of a World. It is written from AWS's
//! documentation (<https://docs.aws.amazon.com/vpc/latest/userguide/security-group-rules.html>,
//! <https://docs.aws.amazon.com/vpc/latest/userguide/infrastructure-security.html>) and from what the specification
//! promises, in the plainest way there is: every rule is looked at, every address is searched for. It shares no code with
//! what makes the hosts' rules; tests compare the two, and the kernel, packet by packet. `fogbank trace` prints it.
//!
//! A packet is judged on its way there. What is answered comes back by connection tracking, which groups and translation
//! heed; but from an isolated VPC the answer is one packet more for network ACLs, and needs a route of the subnet's table
//! that leads back.
//!
//! Both families of IP are judged by the same code. What differs: IPv6 is carried by isolated VPCs alone and translated nowhere, an
//! instance speaks with its router on the link, and who may begin from outside is whom the target's route table answers through
//! an internet gateway.

mod acls;
mod groups;
mod link;
mod packet;
mod places;
mod routers;
mod routes;
#[cfg(test)]
mod tests;
mod trace;
mod walk;

pub use acls::AclDecision;
pub use groups::Decision;
pub use packet::{Packet, Transport};
pub use places::{Facts, HostFacts};
pub use routes::{Leads, Routed};
pub use trace::{Blocked, Hop, Interface, Origin, Outcome, Place, Service, Trace, Translation};
pub use walk::verdict;
