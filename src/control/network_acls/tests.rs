use super::*;
use crate::control::testing::Bench;
use crate::query::Filter;

struct Edge {
    bench: Bench,
    vpc: VpcId,
    subnet: SubnetId,
}

impl Edge {
    fn new() -> Self {
        let mut bench = Bench::small();
        let (vpc, subnet) = bench.isolated();
        Self { bench, vpc, subnet }
    }

    fn create(&mut self, vpc_id: VpcId) -> Result<output::NetworkAcl, Fault> {
        let request = CreateNetworkAclRequest {
            dry_run: false,
            vpc_id,
            tag_specifications: Vec::new(),
            client_token: Some("once".into()),
        };
        self.bench.attempt(|decision| decision.create_network_acl(&request)).map(|made| made.network_acl)
    }

    fn told(&self, filters: &[(&str, &str)]) -> Vec<output::NetworkAcl> {
        let filters = filters
            .iter()
            .map(|(name, value)| Filter { name: (*name).into(), values: vec![(*value).into()] });
        let request = DescribeNetworkAclsRequest {
            dry_run: false,
            network_acl_ids: Vec::new(),
            filters: filters.collect(),
            max_results: None,
            next_token: None,
        };
        self.bench.view().describe_network_acls(&request).unwrap().network_acls
    }
}

fn entry(acl: NetworkAclId, number: i64, protocol: &str) -> CreateNetworkAclEntryRequest {
    CreateNetworkAclEntryRequest {
        dry_run: false,
        network_acl_id: acl,
        rule_number: number,
        protocol: protocol.into(),
        rule_action: "deny".into(),
        egress: false,
        cidr_block: Some("192.0.2.0/24".parse().unwrap()),
        ipv6_cidr_block: None,
        icmp: Some(input::IcmpTypeCode { kind: Some(8), code: Some(-1) }),
        port_range: Some(input::PortRange { from: Some(80), to: Some(90) }),
    }
}

#[test]
fn a_new_one_lets_nothing_pass_and_is_made_once_for_its_token() {
    let mut edge = Edge::new();
    let acl = edge.create(edge.vpc).unwrap();
    let told: Vec<_> =
        acl.entries.iter().map(|one| (one.egress, one.rule_number, &*one.rule_action)).collect();
    assert_eq!(told, [(true, 32767, "deny"), (false, 32767, "deny")]);
    assert!(!acl.is_default && acl.associations.is_empty());
    assert_eq!(edge.create(edge.vpc).unwrap().network_acl_id, acl.network_acl_id);
    let of_vpc = edge.told(&[("vpc-id", &edge.vpc.to_string())]);
    assert_eq!(of_vpc.len(), 2, "the default one is there, too");
}

#[test]
fn protocols_are_told_as_numbers_with_what_belongs_to_them() {
    let mut edge = Edge::new();
    let acl = edge.create(edge.vpc).unwrap().network_acl_id;
    for (number, protocol) in [(1, "tcp"), (2, "17"), (3, "icmp"), (4, "-1"), (5, "47"), (6, "58")] {
        edge.bench
            .attempt(|decision| decision.create_network_acl_entry(&entry(acl, number, protocol)))
            .unwrap();
    }
    let told = edge.told(&[("network-acl-id", &acl.to_string())]).remove(0);
    let told = told.entries.iter().filter(|one| !one.egress).map(|one| {
        let ports = one.port_range.as_ref().map(|range| (range.from, range.to));
        (&*one.protocol, ports, one.icmp_type_code.as_ref().map(|icmp| (icmp.kind, icmp.code)))
    });
    let range = Some((80, 90));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            ("6", range, None),
            ("17", range, None),
            ("1", None, Some((8, -1))),
            ("-1", None, None),
            ("47", None, None),
            ("58", None, Some((-1, -1))),
            ("-1", None, None),
        ]
    );
}

#[test]
fn what_is_no_traffic_is_refused() {
    let mut edge = Edge::new();
    let acl = edge.create(edge.vpc).unwrap().network_acl_id;
    let full = entry(acl, 1, "tcp");
    let ports = |from, to| Some(input::PortRange { from, to });
    let icmp = |kind, code| Some(input::IcmpTypeCode { kind, code });
    for (request, code) in [
        (CreateNetworkAclEntryRequest { protocol: "256".into(), ..full.clone() }, "InvalidParameterValue"),
        (CreateNetworkAclEntryRequest { protocol: "gre".into(), ..full.clone() }, "InvalidParameterValue"),
        (CreateNetworkAclEntryRequest { port_range: None, ..full.clone() }, "MissingParameter"),
        (
            CreateNetworkAclEntryRequest { port_range: ports(Some(1), None), ..full.clone() },
            "MissingParameter",
        ),
        (
            CreateNetworkAclEntryRequest { port_range: ports(Some(2), Some(1)), ..full.clone() },
            "InvalidParameterValue",
        ),
        (CreateNetworkAclEntryRequest { cidr_block: None, ..full.clone() }, "MissingParameter"),
        (
            CreateNetworkAclEntryRequest { protocol: "1".into(), icmp: None, ..full.clone() },
            "MissingParameter",
        ),
        (
            CreateNetworkAclEntryRequest { protocol: "1".into(), icmp: icmp(Some(-1), Some(0)), ..full },
            "InvalidParameterValue",
        ),
    ] {
        let fault = edge.bench.attempt(|decision| decision.create_network_acl_entry(&request)).unwrap_err();
        assert_eq!(fault.code.as_str(), code, "{request:?}");
    }
}

#[test]
fn an_entry_is_made_once_replaced_in_its_place_and_deleted_by_direction_and_number() {
    let mut edge = Edge::new();
    let acl = edge.create(edge.vpc).unwrap().network_acl_id;
    let new = entry(acl, 100, "tcp");
    let replace = |protocol: &str, egress| ReplaceNetworkAclEntryRequest {
        dry_run: false,
        network_acl_id: acl,
        rule_number: 100,
        protocol: protocol.into(),
        rule_action: "allow".into(),
        egress,
        cidr_block: new.cidr_block,
        ipv6_cidr_block: None,
        icmp: None,
        port_range: None,
    };
    let bench = &mut edge.bench;
    bench.attempt(|decision| decision.create_network_acl_entry(&new)).unwrap();
    let fault = bench.attempt(|decision| decision.create_network_acl_entry(&new)).unwrap_err();
    assert_eq!(fault.code, FaultCode::NetworkAclEntryAlreadyExists);
    bench.attempt(|decision| decision.replace_network_acl_entry(&replace("-1", false))).unwrap();
    let row = bench.world.acl_entries[&(acl, Direction::Ingress, 100)].clone();
    assert_eq!((row.allow, row.traffic), (true, Traffic::All));
    let other =
        bench.attempt(|decision| decision.replace_network_acl_entry(&replace("-1", true))).unwrap_err();
    assert_eq!(other.code, FaultCode::InvalidNetworkAclEntryNotFound, "the other direction has none");
    let delete =
        DeleteNetworkAclEntryRequest { dry_run: false, network_acl_id: acl, rule_number: 100, egress: false };
    bench.attempt(|decision| decision.delete_network_acl_entry(&delete)).unwrap();
    let gone = bench.attempt(|decision| decision.delete_network_acl_entry(&delete)).unwrap_err();
    assert_eq!(gone.code, FaultCode::InvalidNetworkAclEntryNotFound);
}

#[test]
fn each_direction_has_its_own_limit() {
    let mut edge = Edge::new();
    let acl = edge.create(edge.vpc).unwrap().network_acl_id;
    for egress in [false, true] {
        for number in 1..=20 {
            let request = CreateNetworkAclEntryRequest { egress, ..entry(acl, number, "-1") };
            edge.bench.attempt(|decision| decision.create_network_acl_entry(&request)).unwrap();
        }
        let request = CreateNetworkAclEntryRequest { egress, ..entry(acl, 21, "-1") };
        let fault = edge.bench.attempt(|decision| decision.create_network_acl_entry(&request)).unwrap_err();
        assert_eq!(fault.code, FaultCode::NetworkAclEntryLimitExceeded);
    }
    // Of the other family there is room, and none of that becomes one too many.
    let acl = acl.to_string();
    let with = |number: &'static str, cidr| {
        let what = [("Egress", "false"), ("RuleAction", "deny"), ("Protocol", "-1"), ("RuleNumber", number)];
        [&[("NetworkAclId", &*acl)], &what[..], &[cidr]].concat()
    };
    edge.bench.call("CreateNetworkAclEntry", &with("21", ("Ipv6CidrBlock", "::/0"))).unwrap();
    let four = ("CidrBlock", "10.0.0.0/8");
    let many = edge.bench.refused("ReplaceNetworkAclEntry", &with("21", four));
    assert_eq!(many, FaultCode::NetworkAclEntryLimitExceeded);
    edge.bench.call("ReplaceNetworkAclEntry", &with("20", four)).unwrap();
}

#[test]
fn a_subnet_has_one_under_a_new_id_each_time_and_one_in_use_stays() {
    let mut edge = Edge::new();
    let acl = edge.create(edge.vpc).unwrap().network_acl_id;
    let subnet = edge.subnet.to_string();
    let old = edge.told(&[("association.subnet-id", &subnet)]).remove(0);
    assert!(old.is_default);
    let replace = |association_id, network_acl_id| ReplaceNetworkAclAssociationRequest {
        dry_run: false,
        association_id,
        network_acl_id,
    };
    let first = replace(old.associations[0].network_acl_association_id, acl);
    let new = edge.bench.attempt(|decision| decision.replace_network_acl_association(&first)).unwrap();
    assert_ne!(new.new_association_id, first.association_id);
    let now = edge.told(&[("association.subnet-id", &subnet)]);
    assert_eq!(now.iter().map(|one| one.network_acl_id).collect::<Vec<_>>(), [acl]);
    let gone = edge.bench.attempt(|decision| decision.replace_network_acl_association(&first)).unwrap_err();
    assert_eq!(gone.code, FaultCode::InvalidAssociationIDNotFound);

    let delete = |network_acl_id| DeleteNetworkAclRequest { dry_run: false, network_acl_id };
    let used = edge.bench.attempt(|decision| decision.delete_network_acl(&delete(acl))).unwrap_err();
    assert_eq!(used.code, FaultCode::DependencyViolation);
    let default = old.network_acl_id;
    let fault = edge.bench.attempt(|decision| decision.delete_network_acl(&delete(default))).unwrap_err();
    assert_eq!(fault.code, FaultCode::InvalidParameterValue);
    let back = replace(new.new_association_id, default);
    edge.bench.attempt(|decision| decision.replace_network_acl_association(&back)).unwrap();
    edge.bench.attempt(|decision| decision.create_network_acl_entry(&entry(acl, 1, "-1"))).unwrap();
    edge.bench.attempt(|decision| decision.delete_network_acl(&delete(acl))).unwrap();
    assert!(!edge.bench.world.acl_entries.keys().any(|(of, ..)| *of == acl), "its entries go with it");
    assert_eq!(edge.told(&[("vpc-id", &edge.vpc.to_string())]).len(), 1);
}

#[test]
fn a_network_acl_stays_within_its_vpc() {
    let mut edge = Edge::new();
    let (other, _) = edge.bench.isolated();
    let acl = edge.create(other).unwrap().network_acl_id;
    let subnet = edge.subnet.to_string();
    let own = edge.told(&[("association.subnet-id", &subnet)]).remove(0).associations.remove(0);
    let request = ReplaceNetworkAclAssociationRequest {
        dry_run: false,
        association_id: own.network_acl_association_id,
        network_acl_id: acl,
    };
    let fault =
        edge.bench.attempt(|decision| decision.replace_network_acl_association(&request)).unwrap_err();
    assert_eq!(fault.code, FaultCode::InvalidParameterValue);
}

#[test]
fn another_account_finds_none() {
    let mut edge = Edge::new();
    let acl = edge.create(edge.vpc).unwrap().network_acl_id;
    edge.bench.caller.owner.account = "444455556666".parse().unwrap();
    assert!(edge.told(&[]).is_empty());
    let request = DeleteNetworkAclRequest { dry_run: false, network_acl_id: acl };
    let fault = edge.bench.attempt(|decision| decision.delete_network_acl(&request)).unwrap_err();
    assert_eq!(fault.code, FaultCode::InvalidNetworkAclIDNotFound);
    let association = *edge.bench.world.acl_associations.keys().next().unwrap();
    let request = ReplaceNetworkAclAssociationRequest {
        dry_run: false,
        association_id: association,
        network_acl_id: acl,
    };
    let fault =
        edge.bench.attempt(|decision| decision.replace_network_acl_association(&request)).unwrap_err();
    assert_eq!(fault.code, FaultCode::InvalidAssociationIDNotFound);
}
