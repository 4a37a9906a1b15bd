mod launch;
mod private;

use std::net::Ipv4Addr;

use super::*;
use crate::control::Decision;
use crate::control::testing::{Bench, run_request};
use crate::plan::host_state;
use crate::types::*;
use crate::world::{Instance, InstanceState, InternetGateway};

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
        let (vpc, subnet) = bench.isolated();
        let (id, owner, created) = (InternetGatewayId::from_random(1), bench.caller.owner.clone(), bench.now);
        bench.put(InternetGateway { id, owner, vpc: Some(vpc), created });
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

/// A change that changes nothing.
fn nothing(network_interface_id: EniId) -> ModifyNetworkInterfaceAttributeRequest {
    ModifyNetworkInterfaceAttributeRequest {
        dry_run: false,
        network_interface_id,
        description: None,
        source_dest_check: None,
        associate_public_ip_address: None,
        group_ids: Vec::new(),
        attachment: None,
    }
}

#[test]
fn one_attribute_changes_at_a_time() {
    let mut lan = Lan::new();
    let eni = lan.create(&made(lan.subnet)).unwrap();
    let attachment = lan.attach(eni, 1).unwrap();
    let plain = nothing(eni);
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
