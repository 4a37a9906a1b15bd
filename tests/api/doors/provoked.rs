//! What is in the way, used up or wrong in its own way: the faults that one has to go for.

mod instances;
mod interfaces;
mod ipv6;
mod nat;
mod peerings;
mod prefixes;
mod templates;
mod vpcs;

use super::Doors;
use super::own::{Cloud, Own, Pairs, base64, pairs, public_key, rule};
use super::spec::Action;
use crate::server::{Folder, Server, Settings, send, signed};

/// An action, how often it may succeed, the code after that, and the parameters of each call.
type Crowd = (&'static str, usize, &'static str, Box<dyn Fn(usize) -> Pairs + Sync>);
pub type Call<'a> = (&'static str, &'static str, Vec<(&'a str, &'a str)>);

/// So many tags for what is made.
fn tags(kind: &str, count: usize) -> Pairs {
    let mut given = Vec::new();
    // A specification has at most 50.
    for n in 0..count {
        let (specification, tag) = (n / 50 + 1, n % 50 + 1);
        let prefix = format!("TagSpecification.{specification}");
        if tag == 1 {
            given.push((format!("{prefix}.ResourceType"), kind.to_owned()));
        }
        given.push((format!("{prefix}.Tag.{tag}.Key"), format!("k{n}")));
    }
    given
}

impl Doors {
    fn action(&self, name: &str) -> Action {
        self.spec.actions.iter().find(|action| action.name == name).unwrap().clone()
    }

    /// Each call is refused with its code.
    pub fn all_refused(&mut self, calls: &[Call<'_>]) {
        for (name, code, given) in calls {
            let given = [pairs(&[("Action", name)]), pairs(given)].concat();
            self.refused(&self.action(name), &given, code);
        }
    }

    fn his(&self, thing: &str) -> String {
        self.cloud.his.get(thing).to_owned()
    }

    pub fn too_many_tags(&mut self) {
        let instance = self.his("instance");
        for (name, kind) in [
            ("AcceptAddressTransfer", "elastic-ip"),
            ("AllocateAddress", "elastic-ip"),
            ("CreateDhcpOptions", "dhcp-options"),
            ("CreateEgressOnlyInternetGateway", "egress-only-internet-gateway"),
            ("CreateInternetGateway", "internet-gateway"),
            ("CreateManagedPrefixList", "prefix-list"),
            ("CreateNatGateway", "natgateway"),
            ("CreateRouteTable", "route-table"),
            ("CreateSubnet", "subnet"),
            ("CreateSubnetCidrReservation", "subnet-cidr-reservation"),
            ("CreateVpc", "vpc"),
            ("CreateVpcPeeringConnection", "vpc-peering-connection"),
            ("AuthorizeSecurityGroupEgress", "security-group-rule"),
            ("AuthorizeSecurityGroupIngress", "security-group-rule"),
            ("CreateKeyPair", "key-pair"),
            ("CreateLaunchTemplate", "launch-template"),
            ("CreateNetworkInsightsPath", "network-insights-path"),
            ("CreateNetworkAcl", "network-acl"),
            ("CreateNetworkInterface", "network-interface"),
            ("CreateSecurityGroup", "security-group"),
            ("ImportKeyPair", "key-pair"),
            ("RegisterImage", "image"),
            ("RunInstances", "instance"),
            ("StartNetworkInsightsAnalysis", "network-insights-analysis"),
        ] {
            let case = super::case(name, &self.cloud.his).unwrap();
            let given = [case.base, tags(kind, 51)].concat();
            self.refused(&self.action(name), &given, "TagLimitExceeded");
        }
        let own = |count| -> Pairs {
            (0..count).map(|n| (format!("Tag.{}.Key", n + 1), format!("k{n}"))).collect()
        };
        let call = pairs(&[("Action", "CreateTags"), ("ResourceId.1", &instance)]);
        // It has one already.
        self.refused(&self.action("CreateTags"), &[call, own(50)].concat(), "TagLimitExceeded");
    }

    pub fn not_there(&mut self) {
        let image = self.his("image");
        let none = "ami-0123456789abcdef0";
        self.all_refused(&[
            ("AllocateAddress", "InvalidPoolID.NotFound", vec![("PublicIpv4Pool", "none")]),
            ("CreateTags", "InvalidAMIID.NotFound", vec![("ResourceId.1", none), ("Tag.1.Key", "a")]),
            ("DeleteTags", "InvalidAMIID.NotFound", vec![("ResourceId.1", none)]),
            ("CreateTags", "OperationNotPermitted", vec![("ResourceId.1", &image), ("Tag.1.Key", "a")]),
            ("DeleteTags", "OperationNotPermitted", vec![("ResourceId.1", &image)]),
            ("DescribeImages", "InvalidAMIID.NotFound", vec![("ImageId.1", none)]),
            (
                "RunInstances",
                "InvalidAMIID.NotFound",
                vec![("ImageId", none), ("MinCount", "1"), ("MaxCount", "1")],
            ),
        ]);
        for action in self.spec.actions.clone().into_iter().filter(|action| action.paged) {
            let case = super::case(&action.name, &self.cloud.his).unwrap();
            let given = [case.base, pairs(&[("NextToken", "bm9uZQ")])].concat();
            self.refused(&action, &given, "InvalidNextToken");
        }
    }

    pub fn in_the_way(&mut self) {
        let names = ["group", "group-name", "key-name", "path", "used-address", "instance", "other-instance"];
        let [group, group_name, key, path, used, instance, other] = names.map(|thing| self.his(thing));
        let default = self
            .cloud
            .done(&self.cloud.his, &[("Action", "DescribeSecurityGroups"), ("GroupName.1", "default")]);
        let default = default.text("groupId").unwrap().to_owned();
        let line = public_key();
        let own = |port| [vec![("GroupId", group.as_str())], rule(port).to_vec()].concat();
        self.all_refused(&[
            ("AuthorizeSecurityGroupIngress", "InvalidPermission.Duplicate", own("22")),
            ("AuthorizeSecurityGroupEgress", "InvalidPermission.Duplicate", own("22")),
            ("CreateKeyPair", "InvalidKeyPair.Duplicate", vec![("KeyName", &key)]),
            (
                "ImportKeyPair",
                "InvalidKeyPair.Duplicate",
                vec![("KeyName", &key), ("PublicKeyMaterial", &line)],
            ),
            (
                "ImportKeyPair",
                "InvalidKey.Format",
                vec![("KeyName", "none"), ("PublicKeyMaterial", &base64("none"))],
            ),
            (
                "CreateSecurityGroup",
                "InvalidGroup.Duplicate",
                vec![("GroupName", &group_name), ("GroupDescription", "d")],
            ),
            ("DeleteSecurityGroup", "CannotDelete", vec![("GroupId", &default)]),
            ("DeleteSecurityGroup", "DependencyViolation", vec![("GroupId", &group)]),
            (
                "DeleteNetworkInsightsPath",
                "AnalysisExistsForNetworkInsightsPath",
                vec![("NetworkInsightsPathId", &path)],
            ),
            ("ReleaseAddress", "InvalidIPAddress.InUse", vec![("AllocationId", &used)]),
            (
                "AssociateAddress",
                "Resource.AlreadyAssociated",
                vec![("AllocationId", &used), ("InstanceId", &other)],
            ),
        ]);
        let token = |name: &'static str, given: &[(&'static str, String)]| {
            let token = ("ClientToken".to_owned(), format!("token of {name}"));
            let given =
                given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<Pairs>();
            [pairs(&[("Action", name)]), given, vec![token]].concat()
        };
        let (image, spare) = (self.his("image"), self.his("spare-path"));
        for (first, second) in [
            (
                token("CreateNetworkInsightsPath", &path_between(&instance, &other)),
                token("CreateNetworkInsightsPath", &path_between(&other, &instance)),
            ),
            (
                token("StartNetworkInsightsAnalysis", &[("NetworkInsightsPathId", path)]),
                token("StartNetworkInsightsAnalysis", &[("NetworkInsightsPathId", spare)]),
            ),
            (token("RunInstances", &launch(&image, 1)), token("RunInstances", &launch(&image, 2))),
        ] {
            let reply = self.cloud.call(&self.cloud.his, &first);
            assert_eq!(reply.status, 200, "{}", reply.body);
            self.refused(&self.action(&first[0].1), &second, "IdempotentParameterMismatch");
        }
    }

    /// Addresses, hosts and rules run out.
    pub fn used_up(&mut self) {
        let server = &self.cloud.server;
        server.operate(&["pool", "add", "--name", "small", "--range", "192.0.2.1-192.0.2.1"]);
        server.operate(&["network", "add", "--name", "tiny", "--cidr", "10.9.0.0/28"]);
        let far = ["--cidr", "10.8.0.0/24", "--zone", "us-east-1z"];
        server.operate(&[&["network", "add", "--name", "far"], &far[..]].concat());
        self.cloud.done(&self.cloud.his, &[("Action", "AllocateAddress"), ("PublicIpv4Pool", "small")]);
        let subnet = |cidr: &str| {
            let given =
                [("Action", "DescribeSubnets"), ("Filter.1.Name", "cidr"), ("Filter.1.Value.1", cidr)];
            self.cloud.done(&self.cloud.his, &given).text("subnetId").unwrap().to_owned()
        };
        let (tiny, far) = (subnet("10.9.0.0/28"), subnet("10.8.0.0/24"));
        let image = self.his("image");
        let run = |more: Vec<(&'static str, String)>, count| -> Pairs {
            let given = [launch(&image, count).to_vec(), more].concat();
            let given = given.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            [pairs(&[("Action", "RunInstances")]), given].concat()
        };
        let groups: Pairs = self
            .groups("one of many", 6)
            .into_iter()
            .enumerate()
            .map(|(n, id)| (format!("SecurityGroupId.{}", n + 1), id))
            .collect();
        let too_many = [run(vec![], 1), groups].concat();
        let action = self.action("RunInstances");
        let full = run(vec![("SubnetId", tiny)], 14);
        self.refused(&action, &full, "InsufficientFreeAddressesInSubnet");
        self.refused(&action, &run(vec![("SubnetId", far)], 1), "InsufficientInstanceCapacity");
        self.refused(&action, &too_many, "SecurityGroupsPerInterfaceLimitExceeded");
        self.all_refused(&[(
            "AllocateAddress",
            "InsufficientAddressCapacity",
            vec![("PublicIpv4Pool", "small")],
        )]);
        let group = self.his("empty");
        for direction in ["Ingress", "Egress"] {
            let name = format!("AuthorizeSecurityGroup{direction}");
            let many = |from: usize, to: usize| -> Pairs {
                let range = |n: usize| {
                    (
                        format!("IpPermissions.1.IpRanges.{}.CidrIp", n + 1),
                        format!("10.0.{}.{}/32", n / 250, n % 250),
                    )
                };
                let head =
                    pairs(&[("Action", &name), ("GroupId", &group), ("IpPermissions.1.IpProtocol", "-1")]);
                [head, (from..to).map(range).collect()].concat()
            };
            assert_eq!(self.cloud.call(&self.cloud.his, &many(0, 30)).status, 200);
            self.refused(&self.action(&name), &many(30, 61), "RulesPerSecurityGroupLimitExceeded");
        }
    }

    fn groups(&self, of: &str, count: usize) -> Vec<String> {
        let make = |n| {
            let name = format!("{of} {n}");
            let given = [("Action", "CreateSecurityGroup"), ("GroupName", &*name), ("GroupDescription", "d")];
            self.cloud.done(&self.cloud.his, &given).text("groupId").unwrap().to_owned()
        };
        (0..count).map(make).collect()
    }

    /// As many of each as an account may have.
    pub fn crowds(&mut self) {
        let (one, other, path) = (self.his("instance"), self.his("other-instance"), self.his("path"));
        let line = public_key();
        let named = |name: &str, of: &str, n: usize| ((*name).to_owned(), format!("{of} {n}"));
        let crowds: [Crowd; 4] = [
            (
                "CreateNetworkInsightsPath",
                60,
                "ResourceLimitExceeded",
                Box::new(move |_| {
                    path_between(&one, &other).map(|(name, value)| (name.to_owned(), value)).to_vec()
                }),
            ),
            (
                "StartNetworkInsightsAnalysis",
                60,
                "ResourceLimitExceeded",
                Box::new(move |_| pairs(&[("NetworkInsightsPathId", &path)])),
            ),
            (
                "CreateSecurityGroup",
                100,
                "SecurityGroupLimitExceeded",
                Box::new(move |n| {
                    [pairs(&[("GroupDescription", "d")]), vec![named("GroupName", "crowd", n)]].concat()
                }),
            ),
            (
                "ImportKeyPair",
                60,
                "ResourceLimitExceeded",
                Box::new(move |n| {
                    [pairs(&[("PublicKeyMaterial", &line)]), vec![named("KeyName", "crowd", n)]].concat()
                }),
            ),
        ];
        for (name, most, code, given) in crowds {
            let whole = |n| [pairs(&[("Action", name)]), given(n)].concat();
            crowd(&self.cloud, &self.cloud.his, most, &whole);
            self.refused(&self.action(name), &whole(most), code);
        }
        let one_more = [("KeyName", "one more")].to_vec();
        self.all_refused(&[("CreateKeyPair", "ResourceLimitExceeded", one_more)]);
    }

    /// Nobody gets an address after this.
    pub fn crowd_of_addresses(&mut self) {
        let pools = self.cloud.server.operate(&["pool", "list"]);
        let large = pools.as_array().unwrap().iter().find(|pool| pool["name"] == "public").unwrap();
        let given =
            pairs(&[("Action", "AllocateAddress"), ("PublicIpv4Pool", large["id"].as_str().unwrap())]);
        crowd(&self.cloud, &self.cloud.his, 60, &|_| given.clone());
        self.refused(&self.action("AllocateAddress"), &given, "AddressLimitExceeded");
        let action = self.action("AcceptAddressTransfer");
        let case = super::case(&action.name, &self.cloud.his).unwrap();
        self.refused(&action, &case.base, "AddressLimitExceeded");
    }

    pub fn idle_and_dead(&mut self) {
        let image = self.his("image");
        let protected = [("DisableApiTermination", "true"), ("DisableApiStop", "true")];
        let given = [&[("Action", "RunInstances"), ("ImageId", &*image)], &protected[..]].concat();
        let given = [&given[..], &[("MinCount", "1"), ("MaxCount", "1")]].concat();
        let protected = self.cloud.done(&self.cloud.his, &given).text("instanceId").unwrap().to_owned();
        let (dead, address) = (self.his("spare-instance"), self.his("free-address"));
        self.cloud.until(&self.cloud.his, &protected, "running");
        self.cloud.done(&self.cloud.his, &[("Action", "TerminateInstances"), ("InstanceId.1", &dead)]);
        self.cloud.until(&self.cloud.his, &dead, "terminated");

        self.all_refused(&[
            ("StopInstances", "OperationNotPermitted", vec![("InstanceId.1", &protected)]),
            ("TerminateInstances", "OperationNotPermitted", vec![("InstanceId.1", &protected)]),
            ("StopInstances", "IncorrectInstanceState", vec![("InstanceId.1", &dead)]),
            ("StartInstances", "IncorrectInstanceState", vec![("InstanceId.1", &dead)]),
            ("RebootInstances", "IncorrectInstanceState", vec![("InstanceId.1", &dead)]),
            (
                "AssociateAddress",
                "InvalidInstanceID",
                vec![("AllocationId", &address), ("InstanceId", &dead)],
            ),
        ]);
        self.no_public_address();
        // A host that is heard of again is back.
        self.cloud.agent.take();
        self.image_in_use();
        let stopped = self.his("idle-instance");
        self.cloud.done(&self.cloud.his, &[("Action", "StopInstances"), ("InstanceId.1", &stopped)]);
        self.cloud.server.operate(&["host", "fail", "host1"]);
        self.cloud.until(&self.cloud.his, &stopped, "stopped");
        self.all_refused(&[(
            "StartInstances",
            "InsufficientInstanceCapacity",
            vec![("InstanceId.1", &stopped)],
        )]);
    }

    pub fn without_a_network(&mut self) {
        let folder = Folder::new("doors-bare");
        let server = Server::start(&folder.0, None, &Settings::default());
        let by = server.account("alone");
        let image = server.operate(&["image", "register", "--name", "stock", "--location", "stock"]);
        let run = [("Action", "RunInstances"), ("ImageId", image["id"].as_str().unwrap())];
        let run = [&run[..], &[("MinCount", "1"), ("MaxCount", "1")]].concat();
        let reply = server.call(&by, &run);
        self.expect(&self.action("RunInstances"), &reply, "MissingInput", "no network");
        let reply = server.call(&by, &[("Action", "AllocateAddress")]);
        self.expect(&self.action("AllocateAddress"), &reply, "InsufficientAddressCapacity", "no pool");
    }

    /// What has nothing to do with the action.
    pub fn at_the_door(&mut self) {
        let action = self.action("DescribeVpcs");
        let api = self.cloud.api();
        let call = pairs(&[("Action", "DescribeVpcs")]);
        let many: Pairs = (0..10_001).map(|n| (format!("A.{n}"), "1".into())).collect();
        self.refused(&action, &[call.clone(), many].concat(), "InvalidRequest");
        self.refused(&action, &pairs(&[("Action", "DescribeNothing")]), "InvalidAction");
        self.refused(&action, &pairs(&[("VpcId.1", "vpc-1")]), "MissingAction");
        self.all_refused(&[
            ("DescribeVpcs", "InvalidParameterValue", vec![("MaxResults", "0")]),
            ("DescribeVpcs", "UnknownParameter", vec![("NoSuch", "1")]),
            ("GetConsoleOutput", "MissingParameter", vec![]),
            ("DescribeInstances", "UnsupportedOperation", vec![("IncludeManagedResources", "true")]),
            (
                "DeleteKeyPair",
                "InvalidParameterCombination",
                vec![("KeyName", "a"), ("KeyPairId", "key-0123456789abcdef0")],
            ),
            ("DescribeVpcs", "DryRunOperation", vec![("DryRun", "true")]),
        ]);
        let form = "content-type: application/x-www-form-urlencoded\r\n";
        for (line, headers, body, code) in [
            ("PUT /", String::new(), String::new(), "MethodNotAllowed"),
            ("GET /none", String::new(), String::new(), "NotFound"),
            ("GET /?Action=DescribeVpcs", String::new(), String::new(), "MissingAuthenticationToken"),
            ("GET /?Action=%zz", String::new(), String::new(), "MalformedQueryString"),
            (
                "GET /?Action=DescribeVpcs",
                "authorization: Basic YTpi\r\n".into(),
                String::new(),
                "IncompleteSignature",
            ),
            (
                "GET /?Action=DescribeVpcs&SecurityToken=a&Signature=b&AWSAccessKeyId=c",
                String::new(),
                String::new(),
                "InvalidClientTokenId",
            ),
            ("POST /", format!("{form}content-length: 99999999\r\n"), String::new(), "RequestEntityTooLarge"),
        ] {
            let text = format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\r\n{body}");
            let reply = send(api, text.as_bytes()).unwrap();
            self.expect(&action, &reply, code, &text);
        }
        let case = super::case("DescribeVpcs", &self.cloud.his).unwrap();
        self.wrong_signatures(&action, &case);
        self.wrong_dates(&action, &case);
    }
}

fn path_between(from: &str, to: &str) -> [(&'static str, String); 3] {
    [("Source", from.to_owned()), ("Destination", to.to_owned()), ("Protocol", "udp".to_owned())]
}

fn launch(image: &str, count: u32) -> [(&'static str, String); 3] {
    [("ImageId", image.to_owned()), ("MinCount", count.to_string()), ("MaxCount", count.to_string())]
}

/// Calls by many at once until they are refused, which is not before there are `most`.
fn crowd(cloud: &Cloud, own: &Own, most: usize, given: &(dyn Fn(usize) -> Pairs + Sync)) {
    const AT_ONCE: usize = 16;
    std::thread::scope(|scope| {
        for first in 0..AT_ONCE {
            scope.spawn(move || {
                for n in (first..most).step_by(AT_ONCE) {
                    let given = given(n);
                    let reply = signed(cloud.api(), &own.by, &super::borrowed(&given)).unwrap();
                    if reply.status != 200 {
                        assert!(
                            reply.code().unwrap().ends_with("LimitExceeded"),
                            "{given:?}: {}",
                            reply.body
                        );
                        return;
                    }
                }
            });
        }
    });
}
