//! The names that instances have: EC2's, with the network's domain behind.

use std::net::Ipv4Addr;

use crate::types::Region;

fn dashed(prefix: &str, address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{prefix}-{a}-{b}-{c}-{d}")
}

/// An instance's host name, without a domain: `ip-10-0-0-5`.
pub fn host_name(address: Ipv4Addr) -> String {
    dashed("ip", address)
}

/// The name of a private address: `ip-10-0-0-5.DOMAIN`.
pub fn private_name(address: Ipv4Addr, domain: &str) -> String {
    format!("{}.{domain}", host_name(address))
}

/// The name of an elastic address, in a zone of its own under the network's domain so that it can
/// never be taken for a private one: `ec2-203-0-113-5.REGION.compute.DOMAIN`.
pub fn public_name(address: Ipv4Addr, region: &Region, domain: &str) -> String {
    format!("{}.{region}.compute.{domain}", dashed("ec2", address))
}
