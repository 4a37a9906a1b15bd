//! Two accounts that have the same things, under names of their own.

mod images;
mod interfaces;
mod ipv6;
mod nat;
mod peerings;
mod prefixes;
mod templates;
mod vpcs;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::agent::Agent;
use crate::server::{Credentials, Folder, Reply, Server, Settings, send, signed};
use crate::sign::{Signed, Signer};

pub type Pairs = Vec<(String, String)>;

/// A public half of an SSH key, as ImportKeyPair takes it.
const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPOnFFiOgl9BUxHlvjSsZ3w3fHX9QOxqOoU135Iq9awX me@here";
/// Little enough to be used up.
const QUOTAS: &str = "quotas.elastic_addresses = 60
quotas.key_pairs = 60
quotas.network_insights_analyses = 60
quotas.network_insights_paths = 60
quotas.network_interfaces = 150
quotas.security_groups_per_vpc = 100
";
const PATIENCE: Duration = Duration::from_secs(30);

/// The server, and who is at it.
pub struct Cloud {
    pub his: Own,
    pub hers: Own,
    pub agent: Option<Agent>,
    pub server: Server,
    _folder: Folder,
}

/// What one account has.
pub struct Own {
    pub who: &'static str,
    pub by: Credentials,
    things: BTreeMap<&'static str, String>,
}

pub fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

pub fn public_key() -> String {
    base64(LINE)
}

pub fn pairs(given: &[(&str, &str)]) -> Pairs {
    given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub fn borrowed(pairs: &Pairs) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// SigV4's date, so many seconds from now.
pub fn date(seconds: i64) -> String {
    fogbank::auth::date(fogbank::types::Micros::now().plus_seconds(seconds))
}

impl Cloud {
    pub fn start(of: &str) -> Self {
        let folder = Folder::new(of);
        let server = Server::start(&folder.0, None, &Settings { head: QUOTAS, ..Settings::default() });
        server.operate(&["network", "add", "--name", "flat", "--cidr", "10.0.0.0/16"]);
        server.operate(&["pool", "add", "--name", "public", "--range", "203.0.113.1-203.0.113.250"]);
        server.operate(&["ipv6-pool", "add", "--prefix", "2001:db8:f0::/54"]);
        server.operate(&["image", "register", "--name", "stock", "--location", "stock"]);
        let agent = Agent::join(&server, &folder.0, "host1");
        let (mut his, mut hers) = (Own::make(&server, "his"), Own::make(&server, "hers"));
        let friend = peerings::Friend::make(&server);
        [&mut his, &mut hers].into_iter().for_each(|own| friend.meet(&server, own));
        offer(&server, &mut his, &mut hers);
        offer(&server, &mut hers, &mut his);
        Self { his, hers, agent: Some(agent), server, _folder: folder }
    }

    pub fn api(&self) -> SocketAddr {
        self.server.api
    }

    /// The generation of the state, which every change raises.
    pub fn generation(&self) -> u64 {
        let reply =
            send(self.api(), b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
        reply.body.trim().strip_prefix("ok generation=").unwrap().parse().unwrap()
    }

    /// A call that must succeed.
    pub fn done(&self, own: &Own, given: &[(&str, &str)]) -> Reply {
        let reply = self.server.call(&own.by, given);
        assert_eq!(reply.status, 200, "{given:?}: {}", reply.body);
        reply
    }

    pub fn call(&self, own: &Own, given: &Pairs) -> Reply {
        self.server.call(&own.by, &borrowed(given))
    }

    /// Waits until one of its instances is in a state.
    pub fn until(&self, own: &Own, instance: &str, state: &str) {
        until(self.api(), &own.by, instance, state);
    }

    /// What the account can see of everything that it has.
    pub fn dump(&self, own: &Own) -> Vec<String> {
        const LISTS: [&str; 26] = [
            "DescribeNetworkAcls",
            "DescribeDhcpOptions",
            "DescribeEgressOnlyInternetGateways",
            "DescribeInternetGateways",
            "DescribeNatGateways",
            "DescribeManagedPrefixLists",
            "DescribeRouteTables",
            "DescribeAddresses",
            "DescribeAddressesAttribute",
            "DescribeAddressTransfers",
            "DescribeInstances",
            "DescribeInstanceStatus",
            "DescribeKeyPairs",
            "DescribeNetworkInterfaces",
            "DescribeNetworkInsightsPaths",
            "DescribeNetworkInsightsAnalyses",
            "DescribeSecurityGroups",
            "DescribeSecurityGroupRules",
            "DescribeSubnets",
            "DescribeTags",
            "DescribeVpcs",
            "DescribeVpcPeeringConnections",
            "DescribeImages",
            "DescribeLaunchTemplates",
            "DescribeAvailabilityZones",
            "DescribeRegions",
        ];
        let list = |action: &&str| {
            let reply = self.done(own, &[("Action", action)]);
            // The id of the request is another each time.
            let id = reply.text("requestId").unwrap().to_owned();
            let counted = reply.body.replace(&id, "");
            // Subnets count free addresses, of which others take some.
            let mut pieces = counted.split("<availableIpAddressCount>");
            let first = pieces.next().unwrap_or_default().to_owned();
            pieces.fold(first, |told, piece| told + piece.split_once('<').unwrap().1)
        };
        LISTS.iter().map(list).collect()
    }
}

impl Own {
    pub fn get(&self, thing: &str) -> &str {
        self.things.get(thing).unwrap_or_else(|| panic!("{} has no {thing}", self.who))
    }

    /// Everything that has a name or an id of its own; what the other one has to give, and what is a friend's, is not.
    pub fn things(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let others = ["friend", "friends-vpc", "gift-ip", "peer-account"];
        let own = self.things.iter().filter(move |(thing, _)| !others.contains(thing));
        own.map(|(thing, name)| (*thing, name.as_str()))
    }

    pub fn signer(&self) -> Signer {
        let Credentials { key, secret } = self.by.clone();
        Signer { key, secret, region: "us-east-1".into(), service: "ec2".into(), at: date(0) }
    }

    fn make(server: &Server, who: &'static str) -> Self {
        let mut own = Self { who, by: server.account(who), things: BTreeMap::new() };
        let mut maker = Maker { api: server.api, own: &mut own };
        maker.found();
        maker.groups();
        maker.instances();
        maker.addresses();
        maker.paths();
        maker.vpcs();
        maker.interfaces();
        maker.acls();
        maker.images();
        maker.templates();
        maker.nat();
        maker.ipv6();
        maker.prefixes();
        own
    }
}

/// The way of an account to its things.
struct Maker<'a> {
    api: SocketAddr,
    own: &'a mut Own,
}

impl Maker<'_> {
    fn call(&self, given: &[(&str, &str)]) -> Reply {
        let reply = signed(self.api, &self.own.by, given).unwrap();
        assert_eq!(reply.status, 200, "{given:?}: {}", reply.body);
        reply
    }

    fn keep(&mut self, thing: &'static str, name: &str) {
        self.own.things.insert(thing, name.to_owned());
    }

    /// Calls, and keeps what an element of the answer says.
    fn make(&mut self, thing: &'static str, element: &str, given: &[(&str, &str)]) -> String {
        let reply = self.call(given);
        let name = reply.text(element).unwrap_or_else(|| panic!("{given:?}: {}", reply.body)).to_owned();
        self.keep(thing, &name);
        name
    }

    /// What is there from the start.
    fn found(&mut self) {
        self.make("vpc", "vpcId", &[("Action", "DescribeVpcs")]);
        self.make("subnet", "subnetId", &[("Action", "DescribeSubnets")]);
        self.make("image", "imageId", &[("Action", "DescribeImages")]);
        let key = public_key();
        for (thing, id) in [("key-name", "key"), ("spare-key-name", "spare-key")] {
            let name = format!("{} {thing}", self.own.who);
            self.keep(thing, &name);
            let given = [("Action", "ImportKeyPair"), ("KeyName", &*name), ("PublicKeyMaterial", &key)];
            self.make(id, "keyPairId", &given);
        }
    }

    fn groups(&mut self) {
        for (thing, id) in
            [("group-name", "group"), ("spare-group-name", "spare-group"), ("empty-name", "empty")]
        {
            let name = format!("{} {thing}", self.own.who);
            self.keep(thing, &name);
            let given = [("Action", "CreateSecurityGroup"), ("GroupName", &*name), ("GroupDescription", "d")];
            self.make(id, "groupId", &given);
        }
        let group = self.own.get("group").to_owned();
        for (thing, direction, port) in [
            ("rule", "Ingress", "22"),
            ("spare-rule", "Ingress", "23"),
            ("egress-rule", "Egress", "22"),
            ("spare-egress-rule", "Egress", "23"),
        ] {
            let action = format!("AuthorizeSecurityGroup{direction}");
            let given = [("Action", &*action), ("GroupId", &group)];
            let given: Vec<_> = given.into_iter().chain(rule(port)).collect();
            self.make(thing, "securityGroupRuleId", &given);
        }
        for (thing, direction) in [("group-rule", "Ingress"), ("egress-group-rule", "Egress")] {
            let action = format!("AuthorizeSecurityGroup{direction}");
            let of_itself = [
                ("Action", &*action),
                ("GroupId", &group),
                ("IpPermissions.1.IpProtocol", "tcp"),
                ("IpPermissions.1.FromPort", "24"),
                ("IpPermissions.1.ToPort", "24"),
                ("IpPermissions.1.Groups.1.GroupId", &group),
            ];
            self.make(thing, "securityGroupRuleId", &of_itself);
        }
    }

    fn instances(&mut self) {
        let (image, group) = (self.own.get("image").to_owned(), self.own.get("group").to_owned());
        for thing in ["instance", "other-instance", "spare-instance", "idle-instance"] {
            let given = [
                ("Action", "RunInstances"),
                ("ImageId", &*image),
                ("MinCount", "1"),
                ("MaxCount", "1"),
                ("SecurityGroupId.1", &group),
            ];
            let id = self.make(thing, "instanceId", &given);
            until(self.api, &self.own.by, &id, "running");
        }
        let id = self.own.get("instance").to_owned();
        let of = [
            ("Action", "DescribeNetworkInterfaces"),
            ("Filter.1.Name", "attachment.instance-id"),
            ("Filter.1.Value.1", &id),
        ];
        self.make("interface", "networkInterfaceId", &of);
        self.make("private-ip", "privateIpAddress", &of);
    }

    fn addresses(&mut self) {
        for (thing, ip) in [
            ("used-address", "used-ip"),
            ("free-address", "free-ip"),
            ("spare-address", "spare-ip"),
            ("named-address", "named-ip"),
            ("offered-address", "offered-ip"),
        ] {
            let reply = self.call(&[("Action", "AllocateAddress")]);
            self.keep(thing, reply.text("allocationId").unwrap());
            self.keep(ip, reply.text("publicIp").unwrap());
        }
        let (address, instance) =
            (self.own.get("used-address").to_owned(), self.own.get("instance").to_owned());
        let given = [("Action", "AssociateAddress"), ("AllocationId", &*address), ("InstanceId", &instance)];
        self.make("association", "associationId", &given);
        let (named, name) =
            (self.own.get("named-address").to_owned(), format!("{}.example.com", self.own.who));
        self.call(&[("Action", "ModifyAddressAttribute"), ("AllocationId", &named), ("DomainName", &name)]);
        self.keep("ptr-record", &format!("{name}."));
    }

    fn paths(&mut self) {
        let from = self.own.get("instance").to_owned();
        let to = self.own.get("other-instance").to_owned();
        let given = [
            ("Action", "CreateNetworkInsightsPath"),
            ("Source", &*from),
            ("Destination", &to),
            ("Protocol", "tcp"),
            ("DestinationPort", "22"),
        ];
        for thing in ["path", "spare-path"] {
            self.make(thing, "networkInsightsPathId", &given);
        }
        let path = self.own.get("path").to_owned();
        for thing in ["analysis", "spare-analysis"] {
            let given = [("Action", "StartNetworkInsightsAnalysis"), ("NetworkInsightsPathId", &*path)];
            self.make(thing, "networkInsightsAnalysisId", &given);
        }
        let tag =
            [("Action", "CreateTags"), ("ResourceId.1", &*from), ("Tag.1.Key", "a"), ("Tag.1.Value", "b")];
        self.call(&tag);
    }
}

/// One offers an address to the other.
fn offer(server: &Server, from: &mut Own, to: &mut Own) {
    let account = server.call(&to.by, &[("Action", "GetCallerIdentity"), ("Version", "2011-06-15")]);
    let account = account.text("Account").unwrap_or_else(|| panic!("{}", account.body)).to_owned();
    let address = from.get("offered-address").to_owned();
    let given =
        [("Action", "EnableAddressTransfer"), ("AllocationId", &*address), ("TransferAccountId", &account)];
    let reply = server.call(&from.by, &given);
    assert_eq!(reply.status, 200, "{}", reply.body);
    to.things.insert("gift-ip", from.get("offered-ip").to_owned());
    from.things.insert("peer-account", account);
}

fn until(api: SocketAddr, by: &Credentials, instance: &str, state: &str) {
    let begun = Instant::now();
    let given = [("Action", "DescribeInstances"), ("InstanceId.1", instance)];
    // The state is the first name in an instance.
    while signed(api, by, &given).unwrap().text("name") != Some(state) {
        assert!(begun.elapsed() < PATIENCE, "{instance} is never {state}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// One rule, as IpPermissions say it.
pub fn rule(port: &str) -> [(&str, &str); 4] {
    [
        ("IpPermissions.1.IpProtocol", "tcp"),
        ("IpPermissions.1.FromPort", port),
        ("IpPermissions.1.ToPort", port),
        ("IpPermissions.1.IpRanges.1.CidrIp", "198.51.100.0/24"),
    ]
}

/// Sends what was signed, and reads the answer.
pub fn answer(api: SocketAddr, request: &Signed) -> Reply {
    send(api, &request.to_bytes()).unwrap_or_else(|error| panic!("{request:?}: {error}"))
}
