//! The calls that are measured.

use crate::scene::{GROUPS, INSTANCES, Scene, Tenant, allocate, authorize, call};

type Pairs = Vec<(String, String)>;
/// Who calls, and with what.
type Call<'a> = Result<(&'a Tenant, Pairs), String>;

/// One kind of call.
pub struct Case {
    pub name: &'static str,
    pub writes: bool,
    /// Who calls, and the call of that number.
    call: fn(&Scene, usize) -> Call<'_>,
}

pub const CASES: &[Case] = &[
    Case {
        name: "DescribeAddresses (10)",
        writes: false,
        call: |scene, _| needs(&scene.addresses).map(|_| (&scene.ten, call("DescribeAddresses", &[]))),
    },
    Case {
        name: "DescribeAddresses (1000)",
        writes: false,
        call: |scene, _| needs(&scene.addresses).map(|_| (&scene.thousand, call("DescribeAddresses", &[]))),
    },
    Case {
        name: "DescribeInstances (100)",
        writes: false,
        call: |scene, _| needs(&scene.instances).map(|_| (&scene.hundred, call("DescribeInstances", &[]))),
    },
    Case {
        name: "DescribeSecurityGroups (100 x 5)",
        writes: false,
        call: |scene, _| needs(&scene.groups).map(|_| (&scene.hundred, call("DescribeSecurityGroups", &[]))),
    },
    Case { name: "AllocateAddress", writes: true, call: |scene, _| Ok((&scene.writer, allocate())) },
    Case {
        name: "AssociateAddress",
        writes: true,
        call: |scene, number| {
            let (addresses, instances) = (needs(&scene.addresses)?, needs(&scene.instances)?);
            // Each round gives each address to the next instance: none finds it where it is already.
            let (address, round) = (number % INSTANCES, number / INSTANCES);
            let pairs = [
                ("AllocationId", addresses[address].as_str()),
                ("InstanceId", &instances[(address + round) % INSTANCES]),
                ("AllowReassociation", "true"),
            ];
            Ok((&scene.hundred, call("AssociateAddress", &pairs)))
        },
    },
    Case {
        name: "AuthorizeSecurityGroupIngress",
        writes: true,
        call: |scene, number| {
            let groups = needs(&scene.groups)?;
            Ok((&scene.hundred, authorize(&groups[number % GROUPS], number)))
        },
    },
];

fn needs(what: &Result<Vec<String>, String>) -> Result<&Vec<String>, String> {
    what.as_ref().map_err(Clone::clone)
}

/// Seconds over which the clocks of clients are spread that send the same; a signature is good for fifteen minutes.
const SPREAD: usize = 300;

impl Case {
    /// Signed requests from that number on. Those of a read are few, and are sent again and again.
    ///
    /// # Errors
    /// What the server does not take.
    pub fn requests(&self, scene: &Scene, from: usize, count: usize) -> Result<Vec<Vec<u8>>, String> {
        let count = if self.writes { count } else { count.min(SPREAD) };
        let one = |number: usize| {
            let (tenant, pairs) = (self.call)(scene, number)?;
            Ok(tenant.request((number % SPREAD) as i64, &pairs))
        };
        (from..from + count).map(one).collect()
    }
}
