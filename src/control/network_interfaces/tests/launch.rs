//! Launches with several interfaces.

use std::sync::Arc;

use super::*;
use crate::control::quotas::Quotas;

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
fn a_launch_stops_where_the_account_has_all_the_interfaces_that_it_may_have() {
    let mut lan = Lan::new();
    let there = lan.bench.world.enis.len();
    let quotas = Quotas { network_interfaces: there + 5, ..Quotas::default() };
    lan.bench.caller.quotas = Arc::new(quotas);
    let two =
        |min_count, max_count| RunInstancesRequest { min_count, max_count, ..launch(vec![plug(0), plug(1)]) };
    lan.run(two(1, 9)).unwrap();
    assert_eq!(lan.bench.world.enis.len(), there + 4, "as many instances as have both");
    assert_eq!(code(lan.run(two(1, 1))), FaultCode::NetworkInterfaceLimitExceeded);
    lan.run(launch(vec![plug(0)])).unwrap();
    assert_eq!(code(lan.run(launch(vec![plug(0)]))), FaultCode::NetworkInterfaceLimitExceeded);
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
