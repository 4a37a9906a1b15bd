//! The rows: one type per table, in the store's own shape.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::types::*;

/// An account: whose resources are whose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    pub id: AccountId,
    pub name: Arc<str>,
    pub created: Micros,
}

/// An access key. The secret is sealed here; auth holds the opened one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessKey {
    pub id: Arc<str>,
    pub account: AccountId,
    /// Nonce and ciphertext; the access key id is the associated data.
    pub sealed_secret: Arc<[u8]>,
    pub created: Micros,
}

/// A pool of elastic addresses, answered on the hosts' public interfaces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pool {
    pub id: PoolId,
    pub name: Arc<str>,
    pub range: Range4,
    /// Every address at or above this one was never allocated; `None` when all have been.
    pub next: Option<Ipv4Addr>,
    pub created: Micros,
}

/// What instances get their addresses from: a flat network, which hosts join on their flat interface, or the one that
/// carries a subnet of an isolated VPC, which is made with the subnet and has its id as its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network {
    pub name: Arc<str>,
    /// The isolated VPC that it belongs to; `None`: flat.
    pub vpc: Option<VpcId>,
    pub cidr: Cidr4,
    /// The address of every host on the instances' side.
    pub gateway: Ipv4Addr,
    /// The addresses that instances get.
    pub range: Range4,
    /// Addresses in the range that belong to other machines.
    pub reserved: Arc<[Range4]>,
    pub zone: Arc<str>,
    /// What DHCP and DNS call the network, e.g. `ec2.internal`.
    pub domain: Arc<str>,
    /// As for [`Pool::next`].
    pub next: Option<Ipv4Addr>,
    /// The host that the instances' outside traffic goes through (nova-network's one controller);
    /// `None`: each host is gateway for its own instances (multi_host).
    pub gateway_host: Option<Arc<str>>,
    pub created: Micros,
}

/// What the operator, or a host's own word, has made of a host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Condition {
    Active,
    /// Gets no new instances.
    Drained,
    /// Declared dead: nothing is its own any more.
    Failed,
}

/// A token with which a host may enrol, once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Join {
    /// Of the token's secret, which is nowhere kept.
    pub digest: Digest,
    pub expires: Micros,
}

/// A compute host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Host {
    pub name: Arc<str>,
    pub zone: Arc<str>,
    /// Unique and small: what the host's next hop on the flat segment is made of.
    pub number: u16,
    pub condition: Condition,
    /// Its flat interface's address, as it last said.
    pub flat_mac: Option<MacAddr>,
    /// The longest packet that the interface takes, as it last said.
    pub flat_mtu: Option<u32>,
    pub join: Option<Join>,
    /// The key that it signs its polls with, sealed; `None` until it has enrolled.
    pub sealed_secret: Option<Arc<[u8]>>,
    pub created: Micros,
}

/// What there is once in a deployment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deployment {
    /// The authority that every server's certificate for agents comes from, in PEM.
    pub certificate: Arc<str>,
    /// The authority's key (PKCS #8), sealed.
    pub sealed_key: Arc<[u8]>,
    /// For how many seconds an elastic IP stays on a host that no server confirms; 0 for ever.
    pub address_lease: u32,
    /// The generation that made it so: a host that has not applied that may hold them for longer.
    pub lease_since: u64,
}

/// The one host that may answer for an address.
///
/// Another host is given the address only when this claim is gone, which is when its host has
/// applied a state without the address, or was declared failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    pub space: super::Space,
    pub address: Ipv4Addr,
    pub host: Arc<str>,
    /// From this generation on the host's state is without the address.
    pub leaving: Option<u64>,
}

/// A registered image: a root file system that instances start from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    pub id: ImageId,
    /// `None`: the operator's, for everybody.
    pub owner: Option<Owner>,
    pub name: Arc<str>,
    pub description: Arc<str>,
    /// A folder, or a tarball, on every host.
    pub location: Arc<str>,
    /// `x86_64` or `arm64`, as EC2 writes them.
    pub architecture: Arc<str>,
    pub created: Micros,
}

/// A security group. Its rules are rows of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    pub id: GroupId,
    pub owner: Owner,
    pub vpc: VpcId,
    pub name: Arc<str>,
    pub description: Arc<str>,
    pub created: Micros,
}

/// One rule of a security group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    pub id: RuleId,
    pub owner: Owner,
    pub group: GroupId,
    pub direction: Direction,
    pub traffic: Traffic,
    pub target: RuleTarget,
    pub description: Option<Arc<str>>,
    pub created: Micros,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyType {
    Rsa,
    Ed25519,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyPair {
    pub id: KeyPairId,
    pub owner: Owner,
    pub name: Arc<str>,
    pub kind: KeyType,
    pub fingerprint: Arc<str>,
    /// The OpenSSH line, as the metadata service hands it to instances.
    pub public_key: Arc<str>,
    pub created: Micros,
}

/// A path that Reachability Analyzer is asked about
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_NetworkInsightsPath.html>).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InsightsPath {
    pub id: InsightsPathId,
    pub owner: Owner,
    /// An instance or a network interface.
    pub source: ResourceId,
    /// The same; `None` where only an address is asked about.
    pub destination: Option<ResourceId>,
    pub source_ip: Option<Ipv4Addr>,
    pub destination_ip: Option<Ipv4Addr>,
    /// Of UDP, else of TCP.
    pub udp: bool,
    /// `None`: any.
    pub destination_port: Option<u16>,
    pub created: Micros,
}

/// What was found of a path, when it was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InsightsAnalysis {
    pub id: InsightsAnalysisId,
    pub owner: Owner,
    pub path: InsightsPathId,
    pub found: bool,
    /// The way and the reasons, in JSON: a picture of that moment, which no later change touches.
    pub finding: Arc<str>,
    pub started: Micros,
}

/// A launch template. Its versions are rows of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaunchTemplate {
    pub id: LaunchTemplateId,
    pub owner: Owner,
    pub name: Arc<str>,
    pub default_version: u64,
    /// The number that the next version gets: none is given twice.
    pub next_version: u64,
    pub created: Micros,
}

/// A version of a launch template: it never changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaunchTemplateVersion {
    pub template: LaunchTemplateId,
    /// From 1.
    pub number: u64,
    pub description: Option<Arc<str>>,
    /// Parameters of RunInstances by their names on the wire: a list of pairs in JSON.
    pub data: Arc<str>,
    pub created: Micros,
}

/// EC2's instance states, with their codes
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html>).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum InstanceState {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl InstanceState {
    pub const fn code(self) -> i64 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// How an instance may use the metadata service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MetadataOptions {
    /// Only with a token (IMDSv2).
    pub tokens_required: bool,
    /// IP hop limit of the token's answer, 1 to 64.
    pub hop_limit: u8,
    pub enabled: bool,
    /// Whether tags are served, too.
    pub instance_tags: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Instance {
    pub id: InstanceId,
    pub owner: Owner,
    pub reservation: ReservationId,
    /// Position in its reservation, from 0.
    pub launch_index: u32,
    pub image: ImageId,
    pub instance_type: Arc<str>,
    pub key_name: Option<Arc<str>>,
    /// The key's line at launch: deleting the key pair does not change the instance.
    pub public_key: Option<Arc<str>>,
    /// Decoded from base64; at most 16 KiB.
    pub user_data: Option<Arc<[u8]>>,
    pub host: Arc<str>,
    pub zone: Arc<str>,
    pub state: InstanceState,
    /// EC2's code for why it left `running`, e.g. `Client.UserInitiatedShutdown`, and its message.
    pub state_reason: Option<(Arc<str>, Arc<str>)>,
    /// Counts starts and reboots: an agent that runs another number starts again.
    pub boot: u64,
    pub metadata: MetadataOptions,
    /// Whether a shutdown from within terminates: `InstanceInitiatedShutdownBehavior`.
    pub terminate_on_shutdown: bool,
    pub disable_api_termination: bool,
    pub disable_api_stop: bool,
    pub launched: Micros,
    /// When it was terminated, for the reaper.
    pub terminated: Option<Micros>,
    /// The last boot that the agent reported as running or ended; see `control::observed`.
    pub seen_boot: u64,
    /// When it came into its state.
    pub state_since: Micros,
    /// The client token of the launch, if it had one.
    pub client_token: Option<Arc<str>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attachment {
    pub id: AttachmentId,
    pub instance: InstanceId,
    pub device_index: u32,
    pub delete_on_termination: bool,
    pub attached: Micros,
}

/// A network interface: owns the MAC, the private address and the groups.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Eni {
    pub id: EniId,
    pub owner: Owner,
    pub vpc: VpcId,
    pub subnet: SubnetId,
    /// The subnet's network, repeated for the index of private addresses.
    pub network: Arc<str>,
    pub description: Arc<str>,
    pub mac: MacAddr,
    /// The primary one.
    pub private_ip: Ipv4Addr,
    /// In the order in which they were assigned.
    pub secondary_ips: Arc<[Ipv4Addr]>,
    /// In the order in which they were assigned. Hosts answer for them where they answer for the primary private one.
    pub ipv6: Arc<[Ipv6Addr]>,
    pub groups: Arc<[GroupId]>,
    pub source_dest_check: bool,
    /// Whether an instance that starts with it alone gets a public address.
    pub auto_public: bool,
    pub attachment: Option<Attachment>,
    pub created: Micros,
}

impl Eni {
    /// Its private addresses, the primary one first.
    pub fn private_ips(&self) -> impl Iterator<Item = Ipv4Addr> {
        std::iter::once(self.private_ip).chain(self.secondary_ips.iter().copied())
    }
}

/// Where an elastic address leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Association {
    pub id: AssociationId,
    pub eni: EniId,
    pub private_ip: Ipv4Addr,
}

/// An allocated elastic IP address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    pub id: AllocationId,
    pub owner: Owner,
    pub public_ip: Ipv4Addr,
    pub pool: PoolId,
    pub association: Option<Association>,
    /// While it leads into an isolated VPC: the number of its place between the host and the VPC's router, see
    /// [`crate::plan::transit`].
    pub transit: Option<u16>,
    /// The name that reverse DNS has for it, in lower case and without its last dot.
    pub domain_name: Option<Arc<str>>,
    /// EC2's own: an instance has it while it runs, and nobody can call it his
    /// (see [`crate::control::public_addresses`]).
    pub automatic: bool,
    pub allocated: Micros,
}

/// An elastic address on its way from its owner to another account
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/transfer-EIPs-intro-ec2.html>).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AddressTransfer {
    /// Who offers it.
    pub owner: Owner,
    pub allocation: AllocationId,
    pub public_ip: Ipv4Addr,
    /// Who may take it.
    pub to: AccountId,
    pub expires: Micros,
    /// When it was taken: the address is the other account's since.
    pub accepted: Option<Micros>,
}

impl AddressTransfer {
    /// "Accepted transfers are visible to the source account for 14 days" (API_DescribeAddressTransfers).
    const VISIBLE: i64 = 14 * 24 * 3600;

    /// From when on there is no such transfer any more.
    pub fn end(&self) -> Micros {
        self.accepted.map_or(self.expires, |at| at.plus_seconds(Self::VISIBLE))
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tag {
    pub owner: Owner,
    pub resource: ResourceId,
    pub key: Arc<str>,
    pub value: Arc<str>,
}

/// An address that was used before and may be used again, oldest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Freed {
    pub space: super::Space,
    pub address: Ipv4Addr,
    pub freed: Micros,
    /// The generation that freed it: hosts that have not come so far may still trust it.
    pub freed_at: u64,
}

/// A client token: (owner, action, token).
pub type TokenKey = (Owner, Arc<str>, Arc<str>);

/// What a call with a client token made, so that a replay describes it again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    pub key: TokenKey,
    /// Of the request's parameters: the same token with others is IdempotentParameterMismatch.
    pub parameters: Digest,
    /// The reservation or other id that was made.
    pub made: Arc<str>,
    pub created: Micros,
}
