//! A small world for the tests of decisions: one account, one network, one host, one image.

use std::sync::Arc;

use super::quotas::Quotas;
use super::{Caller, Decision, Env, HostStatus, Status, View, defaults};
use crate::query::{self, Fault, FaultCode};
use crate::types::*;
use crate::world::*;

/// A World that tests decide on, one step after the other.
pub struct Bench {
    pub world: World,
    pub status: Status,
    pub caller: Caller,
    pub now: Micros,
    /// The changes made so far.
    pub changes: Vec<Change>,
    seed: u64,
}

impl Bench {
    /// Network `flat` 10.0.0.0/24 with the instances' range .16 to .31 in us-east-1a, host `node1`,
    /// pool 203.0.113.0/28, one image, and the default VPC of the one account.
    pub fn small() -> Self {
        let account = "111122223333".parse().unwrap();
        let owner = Owner { account, region: "us-east-1".into() };
        let caller = Caller {
            owner: owner.clone(),
            access_key: "AKIAEXAMPLE".into(),
            endpoint: "127.0.0.1:8773".into(),
            quotas: Arc::new(Quotas {
                elastic_addresses: 1000,
                routes_per_table: 50,
                images: 200,
                ..Quotas::default()
            }),
            isolated: false,
        };
        let now = Micros(1_700_000_000_000_000);
        let mut bench = Self {
            world: World::default(),
            status: Status::default(),
            caller,
            now,
            changes: Vec::new(),
            seed: 1,
        };
        bench.put(Account { id: account, name: "main".into(), created: now });
        bench.network("flat", "10.0.0.0/24", "us-east-1a");
        bench.host("node1", "us-east-1a");
        let range: Range4 = "203.0.113.0/28".parse().unwrap();
        bench.put(Pool {
            id: PoolId::from_random(1),
            name: "public".into(),
            range,
            next: Some(range.first()),
            created: now,
        });
        bench.put(Image {
            id: ImageId::from_random(1),
            owner: None,
            name: "busybox".into(),
            description: "test".into(),
            location: "/images/busybox".into(),
            architecture: "x86_64".into(),
            created: now,
        });
        bench.decide(|decision| defaults::ensure(decision, &owner));
        bench
    }

    /// Adds a network; its instances' range is .16 to .31.
    pub fn network(&mut self, name: &str, cidr: &str, zone: &str) {
        let cidr: Cidr4 = cidr.parse().unwrap();
        let at = |offset: u32| (cidr.network().to_bits() + offset).into();
        let row = Network {
            vpc: None,
            name: name.into(),
            cidr,
            gateway: at(1),
            range: Range4::new(at(16), at(31)).unwrap(),
            reserved: Arc::new([]),
            zone: zone.into(),
            domain: "ec2.internal".into(),
            next: Some(at(16)),
            gateway_host: None,
            created: self.now,
        };
        self.put(row);
    }

    pub fn host(&mut self, name: &str, zone: &str) {
        let status = HostStatus { applied: u64::MAX, ..HostStatus::default() };
        self.status.hosts.insert(name.into(), status);
        let number = u16::try_from(self.world.hosts.len() + 1).unwrap();
        self.put(Host {
            name: name.into(),
            zone: zone.into(),
            number,
            condition: Condition::Active,
            flat_mac: Some(MacAddr::from_random(number.into())),
            flat_mtu: None,
            join: None,
            sealed_secret: None,
            created: self.now,
        });
    }

    /// Adds an isolated VPC 10.1.0.0/16 with one subnet 10.1.1.0/24 in us-east-1a and all that comes with them.
    pub fn isolated(&mut self) -> (VpcId, SubnetId) {
        let (owner, created) = (self.caller.owner.clone(), self.now);
        let number = u32::try_from(self.world.vpcs.len()).unwrap();
        let seed = 1000 + u64::from(number);
        let (vpc, subnet) = (VpcId::from_random(seed), SubnetId::from_random(seed));
        let network: Arc<str> = subnet.to_string().into();
        self.put(Vpc {
            id: vpc,
            owner: owner.clone(),
            cidr: "10.1.0.0/16".parse().unwrap(),
            blocks: Arc::new([]),
            blocks6: Arc::new([]),
            is_default: false,
            dhcp_options: DhcpOptionsId::from_random(seed),
            dns_support: true,
            dns_hostnames: false,
            vni: Some(number),
            created,
        });
        let cidr: Cidr4 = "10.1.1.0/24".parse().unwrap();
        let at = |offset: u32| (cidr.network().to_bits() + offset).into();
        self.put(Network {
            name: network.clone(),
            vpc: Some(vpc),
            cidr,
            gateway: at(1),
            range: Range4::new(at(4), at(254)).unwrap(),
            reserved: Arc::new([]),
            zone: "us-east-1a".into(),
            domain: "ec2.internal".into(),
            next: Some(at(4)),
            gateway_host: None,
            created,
        });
        self.put(Subnet {
            id: subnet,
            owner: owner.clone(),
            vpc,
            cidr,
            zone: "us-east-1a".into(),
            network,
            is_default: false,
            map_public_ip: false,
            block6: None,
            assign_ipv6: false,
            created,
        });
        let table = RouteTableId::from_random(seed);
        self.put(RouteTable { id: table, owner: owner.clone(), vpc, number: 1, created });
        let id = RouteTableAssociationId::from_random(seed);
        self.put(RouteTableAssociation { id, owner: owner.clone(), vpc, table, subnet: None });
        self.edge(vpc, subnet, seed);
        self.put(Group {
            id: GroupId::from_random(seed),
            owner,
            vpc,
            name: defaults::DEFAULT_GROUP.into(),
            description: "default VPC security group".into(),
            created,
        });
        (vpc, subnet)
    }

    /// The default network ACL of a VPC, as that of a subnet.
    fn edge(&mut self, vpc: VpcId, subnet: SubnetId, seed: u64) {
        let (owner, created, acl) = (self.caller.owner.clone(), self.now, NetworkAclId::from_random(seed));
        self.put(NetworkAcl { id: acl, owner: owner.clone(), vpc, is_default: true, created });
        for direction in [Direction::Ingress, Direction::Egress] {
            self.put(AclEntry {
                acl,
                owner: owner.clone(),
                direction,
                number: 100,
                allow: true,
                traffic: Traffic::All,
                cidr: defaults::everything().into(),
                created,
            });
        }
        self.put(AclAssociation { id: NetworkAclAssociationId::from_random(seed), owner, acl, subnet });
    }

    pub fn put(&mut self, row: impl Into<crate::world::Row>) {
        let (row, generation) = (row.into(), self.world.generation);
        self.decide(|decision| decision.put(row));
        self.world.generation = generation;
    }

    /// Runs one decision and keeps what it did.
    pub fn decide<T>(&mut self, run: impl FnOnce(&mut Decision<'_>) -> T) -> T {
        self.attempt(|decision| Ok::<_, std::convert::Infallible>(run(decision))).unwrap()
    }

    /// Runs one decision and keeps what it did unless it failed.
    pub fn attempt<T, E>(&mut self, run: impl FnOnce(&mut Decision<'_>) -> Result<T, E>) -> Result<T, E> {
        let mut seed = self.seed;
        let mut random = || {
            // SplitMix64: different numbers, the same in each run.
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let env = Env::new(self.now, &mut random);
        let mut decision = Decision::new(self.world.clone(), &self.status, &self.caller, env);
        let result = run(&mut decision);
        let (world, changes) = decision.finish();
        self.seed = seed;
        if result.is_ok() {
            self.world = world;
            self.world.generation += 1;
            self.changes.extend(changes);
        }
        result
    }

    /// A call over the API, by its parameters; the answer's XML.
    pub fn call(&mut self, action: &str, given: &[(&str, &str)]) -> Result<String, Fault> {
        const VERSION: &str = "2016-11-15";
        let pairs = [&[("Version", VERSION), ("Action", action)], given].concat();
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let action = query::decode(&pairs)?.action;
        let response = match query::dispatch_read(&self.view(), &action) {
            Some(read) => read,
            None => self.attempt(|decision| query::dispatch_write(decision, &action).unwrap()),
        };
        response.map(|response| query::encode_response(&response, VERSION, "id"))
    }

    /// The same, of which one element counts.
    pub fn told(&mut self, element: &str, action: &str, given: &[(&str, &str)]) -> String {
        let xml = self.call(action, given).unwrap_or_else(|fault| panic!("{action} {given:?}: {fault}"));
        let found = texts(&xml, element);
        found.first().unwrap_or_else(|| panic!("no {element} in {xml}")).clone()
    }

    /// The same, which is refused with this code.
    pub fn refused(&mut self, action: &str, given: &[(&str, &str)]) -> FaultCode {
        let before = self.world.clone();
        let fault = self.call(action, given).unwrap_err();
        assert_eq!(self.world, before, "what is refused changes nothing");
        fault.code
    }

    pub fn view(&self) -> View<'_> {
        View { world: &self.world, status: &self.status, caller: &self.caller, now: self.now }
    }
}

/// The texts of all elements of this name, in their order.
pub fn texts(xml: &str, element: &str) -> Vec<String> {
    let open = format!("<{element}>");
    let text = |piece: &str| piece.split('<').next().unwrap_or_default().to_owned();
    xml.split(&open).skip(1).map(text).collect()
}

/// One instance of the bench's image with everything by default.
pub fn run_request() -> crate::query::api::RunInstancesRequest {
    use crate::query::api::RunInstancesRequest;
    RunInstancesRequest {
        dry_run: false,
        image_id: Some(ImageId::from_random(1)),
        launch_template: None,
        min_count: 1,
        max_count: 1,
        instance_type: None,
        key_name: None,
        user_data: None,
        security_groups: Vec::new(),
        security_group_ids: Vec::new(),
        subnet_id: None,
        private_ip_address: None,
        ipv6_address_count: None,
        ipv6_addresses: Vec::new(),
        network_interfaces: Vec::new(),
        placement: None,
        client_token: None,
        tag_specifications: Vec::new(),
        instance_initiated_shutdown_behavior: None,
        disable_api_termination: None,
        disable_api_stop: None,
        metadata_options: None,
        monitoring: None,
        ebs_optimized: None,
        hibernation_options: None,
        enclave_options: None,
        maintenance_options: None,
    }
}
