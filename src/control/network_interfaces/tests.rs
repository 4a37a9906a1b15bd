use std::net::Ipv4Addr;

use super::*;
use crate::control::Decision;
use crate::control::testing::{Bench, run_request};
use crate::plan::host_state;
use crate::types::*;
use crate::world::{Instance, InstanceState};

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn made(subnet: SubnetId) -> CreateNetworkInterfaceRequest {
    CreateNetworkInterfaceRequest {
        dry_run: false,
        subnet_id: subnet,
        description: None,
        group_ids: Vec::new(),
        interface_type: None,
        private_ip_address: None,
        private_ip_addresses: Vec::new(),
        secondary_private_ip_address_count: None,
        tag_specifications: Vec::new(),
        client_token: None,
    }
}

fn listed(ips: &[(&str, Option<bool>)]) -> Vec<input::PrivateIpAddressSpecification> {
    let one = |(text, primary): &(&str, Option<bool>)| input::PrivateIpAddressSpecification {
        primary: *primary,
        private_ip_address: Some(ip(text)),
    };
    ips.iter().map(one).collect()
}

/// An account with an isolated subnet, and an instance in it that runs.
struct Lan {
    bench: Bench,
    subnet: SubnetId,
    instance: InstanceId,
}

impl Lan {
    fn new() -> Self {
        let mut bench = Bench::small();
        let (_, subnet) = bench.isolated();
        let mut lan = Self { bench, subnet, instance: InstanceId::from_random(0) };
        lan.instance = lan.run(RunInstancesRequest { subnet_id: Some(subnet), ..run_request() }).unwrap();
        lan
    }

    fn run(&mut self, request: RunInstancesRequest) -> Result<InstanceId, Fault> {
        let id = self.doing(|decision| decision.run_instances(&request))?.instances_set[0].instance_id;
        let row = Instance { state: InstanceState::Running, ..(*self.bench.world.instances[&id]).clone() };
        self.bench.put(row);
        Ok(id)
    }

    fn doing<T>(&mut self, run: impl FnOnce(&mut Decision<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        self.bench.attempt(run)
    }

    fn create(&mut self, request: &CreateNetworkInterfaceRequest) -> Result<EniId, Fault> {
        self.doing(|decision| decision.create_network_interface(request))
            .map(|made| made.network_interface.network_interface_id)
    }

    fn attach(&mut self, eni: EniId, device_index: i64) -> Result<AttachmentId, Fault> {
        let request = AttachNetworkInterfaceRequest {
            dry_run: false,
            network_interface_id: eni,
            instance_id: self.instance,
            device_index,
            network_card_index: None,
        };
        self.doing(|decision| decision.attach_network_interface(&request)).map(|made| made.attachment_id)
    }

    fn detach(&mut self, attachment_id: AttachmentId) -> Result<(), Fault> {
        let request = DetachNetworkInterfaceRequest { dry_run: false, attachment_id, force: None };
        self.doing(|decision| decision.detach_network_interface(&request)).map(drop)
    }

    fn delete(&mut self, eni: EniId) -> Result<(), Fault> {
        let request = DeleteNetworkInterfaceRequest { dry_run: false, network_interface_id: eni };
        self.doing(|decision| decision.delete_network_interface(&request)).map(drop)
    }

    fn assign(
        &mut self,
        eni: EniId,
        ips: &[&str],
        count: Option<i64>,
        moves: bool,
    ) -> Result<Vec<Ipv4Addr>, Fault> {
        let request = AssignPrivateIpAddressesRequest {
            dry_run: false,
            network_interface_id: eni,
            private_ip_addresses: ips.iter().map(|text| ip(text)).collect(),
            secondary_private_ip_address_count: count,
            allow_reassignment: Some(moves),
        };
        let answer = self.doing(|decision| decision.assign_private_ip_addresses(&request))?;
        Ok(answer.assigned_private_ip_addresses.into_iter().map(|one| one.private_ip_address).collect())
    }

    fn unassign(&mut self, eni: EniId, ips: &[Ipv4Addr]) -> Result<(), Fault> {
        let request = UnassignPrivateIpAddressesRequest {
            dry_run: false,
            network_interface_id: eni,
            private_ip_addresses: ips.to_vec(),
        };
        self.doing(|decision| decision.unassign_private_ip_addresses(&request)).map(drop)
    }

    fn row(&self, eni: EniId) -> Eni {
        (*self.bench.world.enis[&eni]).clone()
    }

    fn ips(&self, eni: EniId) -> Vec<Ipv4Addr> {
        self.row(eni).private_ips().collect()
    }

    /// Allocates an elastic address, and leads it to a private one.
    fn elastic(&mut self, eni: EniId, private_ip: Ipv4Addr) -> Result<AllocationId, Fault> {
        let allocate = AllocateAddressRequest::default();
        let allocation_id = self.doing(|decision| decision.allocate_address(&allocate))?.allocation_id;
        let request = AssociateAddressRequest {
            allocation_id: Some(allocation_id),
            network_interface_id: Some(eni),
            private_ip_address: Some(private_ip),
            ..AssociateAddressRequest::default()
        };
        self.doing(|decision| decision.associate_address(&request))?;
        Ok(allocation_id)
    }

    fn leads(&self, id: AllocationId) -> Option<(EniId, Ipv4Addr)> {
        self.bench.world.addresses[&id].association.map(|at| (at.eni, at.private_ip))
    }
}

fn code<T>(result: Result<T, Fault>) -> FaultCode {
    result.err().expect("it is refused").code
}

#[test]
fn addresses_are_chosen_named_or_counted() {
    let mut lan = Lan::new();
    let plain = made(lan.subnet);
    let primary = |text| Some(ip(text));
    for (request, wanted) in [
        (plain.clone(), vec!["10.1.1.5"]),
        (
            CreateNetworkInterfaceRequest { private_ip_address: primary("10.1.1.20"), ..plain.clone() },
            vec!["10.1.1.20"],
        ),
        (
            CreateNetworkInterfaceRequest {
                private_ip_addresses: listed(&[("10.1.1.21", None)]),
                ..plain.clone()
            },
            vec!["10.1.1.21"],
        ),
        (
            CreateNetworkInterfaceRequest {
                private_ip_addresses: listed(&[("10.1.1.31", Some(false)), ("10.1.1.30", Some(true))]),
                ..plain.clone()
            },
            vec!["10.1.1.30", "10.1.1.31"],
        ),
        (
            CreateNetworkInterfaceRequest {
                private_ip_address: primary("10.1.1.40"),
                secondary_private_ip_address_count: Some(2),
                ..plain.clone()
            },
            vec!["10.1.1.40", "10.1.1.41", "10.1.1.42"],
        ),
    ] {
        let eni = lan.create(&request).unwrap();
        assert_eq!(lan.ips(eni), wanted.into_iter().map(ip).collect::<Vec<_>>());
        assert!(lan.row(eni).attachment.is_none());
    }
    for (request, wanted) in [
        (
            CreateNetworkInterfaceRequest { private_ip_address: primary("10.1.1.40"), ..plain.clone() },
            FaultCode::InvalidIPAddressInUse,
        ),
        (
            CreateNetworkInterfaceRequest { private_ip_address: primary("10.1.2.40"), ..plain.clone() },
            FaultCode::InvalidParameterValue,
        ),
        (
            CreateNetworkInterfaceRequest {
                private_ip_addresses: listed(&[("10.1.1.50", Some(true)), ("10.1.1.51", Some(true))]),
                ..plain.clone()
            },
            FaultCode::InvalidParameterCombination,
        ),
        (
            CreateNetworkInterfaceRequest {
                private_ip_addresses: listed(&[("10.1.1.50", Some(false))]),
                secondary_private_ip_address_count: Some(1),
                ..plain.clone()
            },
            FaultCode::InvalidParameterCombination,
        ),
        (
            CreateNetworkInterfaceRequest { secondary_private_ip_address_count: Some(50), ..plain },
            FaultCode::PrivateIpAddressLimitExceeded,
        ),
    ] {
        assert_eq!(code(lan.create(&request)), wanted, "{request:?}");
    }
}

#[test]
fn what_cannot_be_had_whole_takes_nothing() {
    let mut lan = Lan::new();
    let flat = {
        let owner = lan.bench.caller.owner.clone();
        crate::control::defaults::subnet(&lan.bench.world, &owner, "flat").unwrap().id
    };
    // The flat network has 16 addresses.
    let request =
        CreateNetworkInterfaceRequest { secondary_private_ip_address_count: Some(16), ..made(flat) };
    assert_eq!(code(lan.create(&request)), FaultCode::InsufficientFreeAddressesInSubnet);
    let request =
        CreateNetworkInterfaceRequest { secondary_private_ip_address_count: Some(15), ..made(flat) };
    lan.create(&request).unwrap();
}

#[test]
fn groups_are_those_of_the_subnets_vpc() {
    let mut lan = Lan::new();
    let owner = lan.bench.caller.owner.clone();
    let own =
        crate::control::defaults::group(&lan.bench.world, lan.bench.world.subnets[&lan.subnet].vpc).unwrap();
    let flat = crate::control::defaults::vpc(&lan.bench.world, &owner).unwrap().id;
    let other = crate::control::defaults::group(&lan.bench.world, flat).unwrap();
    let eni = lan.create(&made(lan.subnet)).unwrap();
    assert_eq!(*lan.row(eni).groups, [own]);
    let wrong = CreateNetworkInterfaceRequest { group_ids: vec![other], ..made(lan.subnet) };
    assert_eq!(code(lan.create(&wrong)), FaultCode::InvalidGroupNotFound);
}

#[test]
fn one_that_is_attached_has_a_port_and_one_that_is_not_has_none() {
    let mut lan = Lan::new();
    let eni = lan.create(&made(lan.subnet)).unwrap();
    let has_port = |lan: &Lan| host_state(&lan.bench.world, "node1").ports.contains_key(&eni);
    assert!(!has_port(&lan));
    let attachment = lan.attach(eni, 1).unwrap();
    assert!(has_port(&lan));
    assert_eq!(code(lan.delete(eni)), FaultCode::InvalidParameterValue, "it is in use");
    lan.detach(attachment).unwrap();
    assert!(!has_port(&lan));
    assert_eq!(code(lan.detach(attachment)), FaultCode::InvalidAttachmentIDNotFound);
    lan.delete(eni).unwrap();
    assert!(!lan.bench.world.enis.contains_key(&eni));
}

#[test]
fn a_place_is_taken_once_and_there_are_as_many_as_the_type_has() {
    let mut lan = Lan::new();
    let [one, two] = [(); 2].map(|()| lan.create(&made(lan.subnet)).unwrap());
    assert_eq!(code(lan.attach(one, 0)), FaultCode::InvalidParameterValue, "the first one is there");
    lan.attach(one, 5).unwrap();
    assert_eq!(code(lan.attach(one, 1)), FaultCode::InvalidNetworkInterfaceInUse);
    assert_eq!(code(lan.attach(two, 1)), FaultCode::AttachmentLimitExceeded, "m1.small has two");
    let first = lan.bench.world.interfaces_of(lan.instance)[0].attachment.unwrap().id;
    assert_eq!(code(lan.detach(first)), FaultCode::OperationNotPermitted);
}

#[test]
fn an_instance_has_only_interfaces_of_its_zone_and_with_as_many_addresses_as_its_type_has() {
    let mut lan = Lan::new();
    lan.bench.network("far", "10.9.0.0/24", "us-east-1b");
    lan.bench.decide(crate::control::defaults::ensure_all);
    let owner = lan.bench.caller.owner.clone();
    let far = crate::control::defaults::subnet(&lan.bench.world, &owner, "far").unwrap().id;
    let eni = lan.create(&made(far)).unwrap();
    assert_eq!(code(lan.attach(eni, 1)), FaultCode::InvalidParameterCombination);
    let many =
        CreateNetworkInterfaceRequest { secondary_private_ip_address_count: Some(4), ..made(lan.subnet) };
    let eni = lan.create(&many).unwrap();
    assert_eq!(code(lan.attach(eni, 1)), FaultCode::PrivateIpAddressLimitExceeded);
}

#[test]
fn only_what_runs_or_is_stopped_gets_an_interface() {
    let mut lan = Lan::new();
    let eni = lan.create(&made(lan.subnet)).unwrap();
    for (state, refused) in [
        (InstanceState::Pending, true),
        (InstanceState::Stopping, true),
        (InstanceState::ShuttingDown, true),
        (InstanceState::Stopped, false),
    ] {
        let row = Instance { state, ..(*lan.bench.world.instances[&lan.instance]).clone() };
        lan.bench.put(row);
        assert_eq!(lan.attach(eni, 1).is_err(), refused, "{state:?}");
    }
}

#[test]
fn secondary_addresses_come_and_go() {
    let mut lan = Lan::new();
    let eni = lan.create(&made(lan.subnet)).unwrap();
    assert_eq!(lan.assign(eni, &["10.1.1.70"], None, false).unwrap(), [ip("10.1.1.70")]);
    let chosen = lan.assign(eni, &[], Some(2), false).unwrap();
    assert_eq!(lan.ips(eni)[1..], [&[ip("10.1.1.70")], &chosen[..]].concat());
    assert_eq!(lan.assign(eni, &["10.1.1.70"], None, false).unwrap(), [ip("10.1.1.70")], "it has it");
    assert_eq!(lan.ips(eni).len(), 4);
    let primary = lan.row(eni).private_ip;
    assert_eq!(code(lan.unassign(eni, &[primary])), FaultCode::InvalidParameterValue);
    assert_eq!(code(lan.unassign(eni, &[ip("10.1.1.99")])), FaultCode::InvalidParameterValue);
    assert_eq!(code(lan.assign(eni, &[], None, false)), FaultCode::MissingParameter);
    assert_eq!(code(lan.assign(eni, &["10.1.1.80"], Some(1), false)), FaultCode::InvalidParameterCombination);
    lan.unassign(eni, &chosen).unwrap();
    assert_eq!(lan.ips(eni), [primary, ip("10.1.1.70")]);
    let other = lan.create(&made(lan.subnet)).unwrap();
    assert_eq!(
        lan.assign(other, &[&chosen[0].to_string()], None, false).unwrap(),
        chosen[..1],
        "what was taken away is free again"
    );
}

#[test]
fn an_address_moves_when_it_may_and_its_elastic_one_with_it() {
    let mut lan = Lan::new();
    let [from, to] = [(); 2].map(|()| lan.create(&made(lan.subnet)).unwrap());
    let moving = ip("10.1.1.70");
    lan.assign(from, &["10.1.1.70"], None, false).unwrap();
    let elastic = lan.elastic(from, moving).unwrap();
    assert_eq!(code(lan.assign(to, &["10.1.1.70"], None, false)), FaultCode::InvalidIPAddressInUse);
    lan.assign(to, &["10.1.1.70"], None, true).unwrap();
    assert_eq!((lan.ips(from).len(), lan.ips(to)[1]), (1, moving));
    assert_eq!(lan.leads(elastic), Some((to, moving)));
    assert_eq!(lan.bench.world.index.eni_by_private_ip[&(lan.row(to).network, moving)], to);
    let primary = lan.row(from).private_ip.to_string();
    assert_eq!(code(lan.assign(to, &[&primary], None, true)), FaultCode::InvalidParameterValue);
    lan.unassign(to, &[moving]).unwrap();
    assert_eq!(lan.leads(elastic), None, "it leads nowhere when its private one is gone");
}

#[test]
fn another_accounts_address_does_not_move() {
    let mut lan = Lan::new();
    let (his, hers) = (
        lan.bench.caller.owner.clone(),
        Owner { account: "444455556666".parse().unwrap(), ..lan.bench.caller.owner.clone() },
    );
    let flat = |lan: &Lan, owner: &Owner| {
        crate::control::defaults::subnet(&lan.bench.world, owner, "flat").unwrap().id
    };
    lan.bench.put(crate::world::Account { id: hers.account, name: "hers".into(), created: lan.bench.now });
    lan.bench.decide(|decision| crate::control::defaults::ensure(decision, &hers));
    lan.bench.caller.owner = hers.clone();
    let subnet = flat(&lan, &hers);
    let request = CreateNetworkInterfaceRequest {
        private_ip_addresses: listed(&[("10.0.0.20", Some(true)), ("10.0.0.21", Some(false))]),
        ..made(subnet)
    };
    let theirs = lan.create(&request).unwrap();
    lan.bench.caller.owner = his.clone();
    let own = lan.create(&made(flat(&lan, &his))).unwrap();
    assert_eq!(code(lan.assign(own, &["10.0.0.21"], None, true)), FaultCode::InvalidIPAddressInUse);
    assert_eq!(
        code(lan.assign(theirs, &["10.0.0.22"], None, true)),
        FaultCode::InvalidNetworkInterfaceIDNotFound
    );
    assert_eq!(code(lan.attach(theirs, 1)), FaultCode::InvalidNetworkInterfaceIDNotFound);
}

#[test]
fn each_private_address_has_an_elastic_one_of_its_own() {
    let mut lan = Lan::new();
    let eni = lan.create(&made(lan.subnet)).unwrap();
    let second = lan.assign(eni, &[], Some(1), false).unwrap()[0];
    let primary = lan.row(eni).private_ip;
    let [a, b] = [primary, second].map(|private_ip| lan.elastic(eni, private_ip).unwrap());
    assert_eq!((lan.leads(a), lan.leads(b)), (Some((eni, primary)), Some((eni, second))));
    assert_eq!(code(lan.elastic(eni, ip("10.1.1.99"))), FaultCode::InvalidParameterValue);
    let shape = Interface::of(&lan.bench.world, lan.bench.world.enis[&eni].clone()).shape(&lan.bench.world);
    let told = shape.private_ip_addresses_set.iter().map(|one| {
        (one.private_ip_address, one.primary, one.association.as_ref().map(|at| at.allocation_id))
    });
    assert_eq!(told.collect::<Vec<_>>(), [(primary, true, Some(a)), (second, false, Some(b))]);
    assert_eq!(shape.association.map(|at| at.allocation_id), Some(a));
    let c = lan.elastic(eni, second).unwrap();
    assert_eq!((lan.leads(a), lan.leads(b), lan.leads(c)), (Some((eni, primary)), None, Some((eni, second))));
}

#[test]
fn an_instance_with_several_interfaces_is_no_place_for_an_elastic_address() {
    let mut lan = Lan::new();
    let eni = lan.create(&made(lan.subnet)).unwrap();
    lan.attach(eni, 1).unwrap();
    let allocation =
        lan.doing(|decision| decision.allocate_address(&AllocateAddressRequest::default())).unwrap();
    let request = AssociateAddressRequest {
        allocation_id: Some(allocation.allocation_id),
        instance_id: Some(lan.instance),
        ..AssociateAddressRequest::default()
    };
    assert_eq!(
        code(lan.doing(|decision| decision.associate_address(&request))),
        FaultCode::InvalidInstanceID
    );
}

#[test]
fn one_attribute_changes_at_a_time() {
    let mut lan = Lan::new();
    let eni = lan.create(&made(lan.subnet)).unwrap();
    let attachment = lan.attach(eni, 1).unwrap();
    let plain = ModifyNetworkInterfaceAttributeRequest {
        dry_run: false,
        network_interface_id: eni,
        description: None,
        source_dest_check: None,
        group_ids: Vec::new(),
        attachment: None,
    };
    let text = |text: &str| Some(input::DescriptionValue { value: Some(text.into()) });
    let check = Some(input::AttributeBooleanValue { value: Some(false) });
    let ends = |attachment_id, delete| {
        Some(input::NetworkInterfaceAttachmentChanges { attachment_id, delete_on_termination: delete })
    };
    let mut modify = |request: ModifyNetworkInterfaceAttributeRequest| {
        lan.doing(|decision| decision.modify_network_interface_attribute(&request))
    };
    modify(ModifyNetworkInterfaceAttributeRequest { description: text("d"), ..plain.clone() }).unwrap();
    modify(ModifyNetworkInterfaceAttributeRequest { source_dest_check: check.clone(), ..plain.clone() })
        .unwrap();
    let attached = ends(Some(attachment), Some(true));
    modify(ModifyNetworkInterfaceAttributeRequest { attachment: attached, ..plain.clone() }).unwrap();
    for (request, wanted) in [
        (plain.clone(), FaultCode::InvalidParameterCombination),
        (
            ModifyNetworkInterfaceAttributeRequest {
                description: text("both"),
                source_dest_check: check,
                ..plain.clone()
            },
            FaultCode::InvalidParameterCombination,
        ),
        (
            ModifyNetworkInterfaceAttributeRequest {
                attachment: ends(Some(AttachmentId::from_random(9)), Some(true)),
                ..plain.clone()
            },
            FaultCode::InvalidAttachmentIDNotFound,
        ),
        (
            ModifyNetworkInterfaceAttributeRequest { attachment: ends(None, Some(true)), ..plain.clone() },
            FaultCode::MissingParameter,
        ),
        (
            ModifyNetworkInterfaceAttributeRequest {
                group_ids: vec![GroupId::from_random(77)],
                ..plain.clone()
            },
            FaultCode::InvalidGroupNotFound,
        ),
    ] {
        assert_eq!(code(modify(request.clone())), wanted, "{request:?}");
    }
    let row = lan.row(eni);
    assert_eq!((&*row.description, row.source_dest_check), ("d", false));
    assert!(row.attachment.unwrap().delete_on_termination);
    let reset = ResetNetworkInterfaceAttributeRequest {
        dry_run: false,
        network_interface_id: eni,
        source_dest_check: Some("true".into()),
    };
    lan.doing(|decision| decision.reset_network_interface_attribute(&reset)).unwrap();
    assert!(lan.row(eni).source_dest_check);
    let clear = ModifyNetworkInterfaceAttributeRequest { description: text(""), ..plain };
    lan.doing(|decision| decision.modify_network_interface_attribute(&clear)).unwrap();
    assert_eq!(&*lan.row(eni).description, "");
}

fn plug(device_index: i64) -> input::InstanceNetworkInterface {
    input::InstanceNetworkInterface { device_index: Some(device_index), ..Default::default() }
}

fn launch(plugs: Vec<input::InstanceNetworkInterface>) -> RunInstancesRequest {
    RunInstancesRequest { network_interfaces: plugs, instance_type: Some("t3.small".into()), ..run_request() }
}

#[test]
fn an_instance_is_launched_with_several_interfaces_new_ones_and_one_that_is_there() {
    let mut lan = Lan::new();
    let there = lan.create(&made(lan.subnet)).unwrap();
    let subnet_id = Some(lan.subnet);
    let old = input::InstanceNetworkInterface { network_interface_id: Some(there), ..plug(2) };
    let new =
        input::InstanceNetworkInterface { subnet_id, secondary_private_ip_address_count: Some(1), ..plug(0) };
    let id = lan.run(launch(vec![old, plug(1), new])).unwrap();
    let interfaces = lan.bench.world.interfaces_of(id);
    let told = interfaces.iter().map(|eni| {
        let attachment = eni.attachment.unwrap();
        (attachment.device_index, eni.private_ips().count(), eni.subnet, attachment.delete_on_termination)
    });
    let subnet = lan.subnet;
    assert_eq!(told.collect::<Vec<_>>(), [(0, 2, subnet, true), (1, 1, subnet, true), (2, 1, subnet, false)]);
    assert_eq!(interfaces[2].id, there);
    lan.bench.decide(|decision| {
        let row = decision.world.instances[&id].clone();
        crate::control::lifecycle::terminated(decision, &row);
    });
    assert!(lan.row(there).attachment.is_none(), "it outlives the instance");
    assert!(!lan.bench.world.enis.contains_key(&interfaces[1].id));
}

#[test]
fn an_interface_that_is_there_may_be_the_first_one() {
    let mut lan = Lan::new();
    let there = lan.create(&made(lan.subnet)).unwrap();
    let first = || input::InstanceNetworkInterface { network_interface_id: Some(there), ..plug(0) };
    let id = lan.run(launch(vec![first()])).unwrap();
    assert_eq!(lan.bench.world.interfaces_of(id)[0].id, there);
    assert_eq!(code(lan.run(launch(vec![first()]))), FaultCode::InvalidNetworkInterfaceInUse);
}

#[test]
fn a_launch_that_contradicts_itself_is_refused() {
    let mut lan = Lan::new();
    let there = lan.create(&made(lan.subnet)).unwrap();
    let existing = || input::InstanceNetworkInterface { network_interface_id: Some(there), ..plug(0) };
    let with_subnet = input::InstanceNetworkInterface { subnet_id: Some(lan.subnet), ..existing() };
    let deleted = input::InstanceNetworkInterface { delete_on_termination: Some(true), ..existing() };
    let nowhere = input::InstanceNetworkInterface { device_index: None, ..plug(0) };
    let crowded = input::InstanceNetworkInterface { secondary_private_ip_address_count: Some(4), ..plug(0) };
    for (request, wanted) in [
        (launch(vec![plug(1)]), FaultCode::InvalidParameterValue),
        (launch(vec![plug(0), plug(0)]), FaultCode::InvalidParameterCombination),
        (launch(vec![plug(0), nowhere]), FaultCode::MissingParameter),
        (launch(vec![with_subnet]), FaultCode::InvalidParameterCombination),
        (launch(vec![deleted]), FaultCode::InvalidParameterCombination),
        (launch(vec![plug(0), plug(1), plug(2), plug(3)]), FaultCode::AttachmentLimitExceeded),
        (launch(vec![crowded]), FaultCode::PrivateIpAddressLimitExceeded),
        (
            RunInstancesRequest { max_count: 2, ..launch(vec![existing()]) },
            FaultCode::InvalidParameterCombination,
        ),
    ] {
        assert_eq!(code(lan.run(request.clone())), wanted, "{:?}", request.network_interfaces);
    }
    assert!(lan.row(there).attachment.is_none());
}

#[test]
fn as_many_are_launched_as_there_are_addresses_for_all_their_interfaces() {
    let mut lan = Lan::new();
    // 16 addresses in the flat network: five instances of three, and one is left over.
    let plugs = vec![plug(0), plug(1), plug(2)];
    let request = RunInstancesRequest { min_count: 1, max_count: 10, ..launch(plugs) };
    let made = lan.doing(|decision| decision.run_instances(&request)).unwrap();
    assert_eq!(made.instances_set.len(), 5);
    assert!(made.instances_set.iter().all(|one| one.network_interface_set.len() == 3));
    lan.run(run_request()).unwrap();
    assert_eq!(code(lan.run(run_request())), FaultCode::InsufficientFreeAddressesInSubnet);
}
