//! What is there before anything is measured: the same at every server, made by the same calls.

use std::net::SocketAddr;

use crate::server::{Credentials, Reply, send};
use crate::sign::Signer;
use crate::size;

/// Instances of the account that has some.
pub const INSTANCES: usize = 100;
/// Groups, and rules in each.
pub const GROUPS: usize = 100;
pub const RULES: usize = 5;

/// Someone whose things nobody else sees: an account, or the same account in another region.
#[derive(Clone)]
pub struct Tenant {
    pub api: SocketAddr,
    pub credentials: Credentials,
    pub region: String,
}

impl Tenant {
    /// A signed request for a connection that stays; `ago` seconds back by its client's clock, so that requests with the
    /// same parameters differ as those of a real client do.
    pub fn request(&self, ago: i64, pairs: &[(String, String)]) -> Vec<u8> {
        let mut signed = self.sign(ago, pairs);
        signed.headers.push(("connection".into(), "keep-alive".into()));
        signed.to_bytes()
    }

    fn sign(&self, ago: i64, pairs: &[(String, String)]) -> crate::sign::Signed {
        let now = fogbank::types::Micros::now();
        let at = fogbank::auth::date(fogbank::types::Micros(now.0 - ago * 1_000_000));
        let Credentials { key, secret } = self.credentials.clone();
        let signer = Signer { key, secret, region: self.region.clone(), service: "ec2".into(), at };
        let version = ("Version", "2016-11-15");
        let pairs = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        signer.v4_post(&self.api.to_string(), "/", &[], &pairs.chain([version]).collect::<Vec<_>>())
    }

    /// Calls once.
    ///
    /// # Errors
    /// What was answered instead.
    pub fn call(&self, pairs: &[(String, String)]) -> Result<Reply, String> {
        let reply = send(self.api, &self.sign(0, pairs).to_bytes());
        let reply = reply.map_err(|error| format!("{}: {error}", pairs[0].1))?;
        if reply.status == 200 {
            return Ok(reply);
        }
        let body: String = reply.body.chars().take(300).collect();
        Err(format!("{}: {} {body}", pairs[0].1, reply.status))
    }

    fn made(&self, pairs: &[(String, String)], element: &str) -> Result<String, String> {
        let reply = self.call(pairs)?;
        let text = reply.text(element).map(str::to_owned);
        text.ok_or_else(|| format!("{}: no {element}: {:.300}", pairs[0].1, reply.body))
    }
}

/// The parameters of a call, the action first.
pub fn call(action: &str, pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = std::iter::once(("Action", action)).chain(pairs.iter().copied());
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

pub fn allocate() -> Vec<(String, String)> {
    call("AllocateAddress", &[("Domain", "vpc")])
}

/// The rule of that number for a group: each is another.
pub fn authorize(group: &str, number: usize) -> Vec<(String, String)> {
    let cidr = format!("100.{}.{}.{}/32", 64 + (number >> 16), number >> 8 & 255, number & 255);
    let more = [
        ("GroupId", group),
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", "443"),
        ("IpPermissions.1.ToPort", "443"),
        ("IpPermissions.1.IpRanges.1.CidrIp", &cidr),
    ];
    call("AuthorizeSecurityGroupIngress", &more)
}

/// A server's tenants and what they have.
pub struct Scene {
    /// Have so many addresses.
    pub ten: Tenant,
    pub thousand: Tenant,
    /// Has instances, as many addresses, and groups.
    pub hundred: Tenant,
    /// Allocates addresses.
    pub writer: Tenant,
    /// In the order of the tenants; of the last one, allocations that instances can have.
    pub addresses: Result<Vec<String>, String>,
    pub instances: Result<Vec<String>, String>,
    pub groups: Result<Vec<String>, String>,
}

impl Scene {
    /// Makes it. What a server does not take is not there.
    pub fn lay(tenants: [Tenant; 4], image: &str) -> Self {
        let [ten, thousand, hundred, writer] = tenants;
        let allocate = |tenant: &Tenant, count: usize| {
            (0..count).map(|_| tenant.made(&allocate(), "allocationId")).collect::<Result<Vec<_>, _>>()
        };
        let addresses = allocate(&ten, 10)
            .and_then(|_| allocate(&thousand, size::of(1000, 100)))
            .and_then(|_| allocate(&hundred, INSTANCES));
        let count = INSTANCES.to_string();
        let run = [("ImageId", image), ("MinCount", &count), ("MaxCount", &count)];
        let instances = hundred.call(&call("RunInstances", &run)).map(|reply| {
            let pieces = reply.body.split("<instanceId>").skip(1);
            pieces.filter_map(|piece| Some(piece.split_once('<')?.0.to_owned())).collect::<Vec<_>>()
        });
        let groups = (0..GROUPS).map(|number| group(&hundred, number)).collect();
        Self { ten, thousand, hundred, writer, addresses, instances, groups }
    }
}

fn group(tenant: &Tenant, number: usize) -> Result<String, String> {
    let name = format!("group{number}");
    let create = call("CreateSecurityGroup", &[("GroupName", &name), ("GroupDescription", "benched")]);
    let group = tenant.made(&create, "groupId")?;
    for rule in 0..RULES {
        // Beyond those that are added later.
        tenant.call(&authorize(&group, (1 << 20) + rule))?;
    }
    Ok(group)
}
