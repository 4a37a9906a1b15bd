//! A small world for the tests of decisions: one account, one network, one host, one image.

use std::sync::Arc;

use super::{Caller, Decision, Env, HostStatus, Status, View, defaults};
use crate::types::*;
use crate::world::{Account, Change, Condition, Host, Image, Network, Pool, World};

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
            join: None,
            sealed_secret: None,
            created: self.now,
        });
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

    pub fn view(&self) -> View<'_> {
        View { world: &self.world, status: &self.status, caller: &self.caller, now: self.now }
    }
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
