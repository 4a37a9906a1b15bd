//! What is kept from automatic allocation, and who may have it all the same.

use super::super::tests::{subnet, vpc};
use crate::control::testing::{Bench, texts};
use crate::query::FaultCode::*;

fn reserve(bench: &mut Bench, subnet: &str, cidr: &str) -> String {
    let given = [("SubnetId", subnet), ("Cidr", cidr), ("ReservationType", "explicit")];
    bench.told("subnetCidrReservationId", "CreateSubnetCidrReservation", &given)
}

fn take(bench: &mut Bench, subnet: &str, more: &[(&str, &str)]) -> (String, String) {
    let given = [&[("SubnetId", subnet)], more].concat();
    let xml = bench.call("CreateNetworkInterface", &given).unwrap();
    (texts(&xml, "privateIpAddress").remove(0), texts(&xml, "networkInterfaceId").remove(0))
}

#[test]
fn nobody_gets_what_is_reserved_who_does_not_name_it() {
    let mut bench = Bench::small();
    let vpc = vpc(&mut bench, "10.0.0.0/16");
    let subnet = subnet(&mut bench, &vpc, "10.0.1.0/28");
    let id = reserve(&mut bench, &subnet, "10.0.1.5/30");
    // The subnet has .4 to .14: eleven, of which four are kept.
    let all: Vec<_> = (0..7).map(|_| take(&mut bench, &subnet, &[])).collect();
    let last = |ip: &str| ip.rsplit('.').next().unwrap().parse::<u8>().unwrap();
    let given: Vec<_> = all.iter().map(|(ip, _)| last(ip)).collect();
    assert_eq!(given, [8, 9, 10, 11, 12, 13, 14]);
    let none = [("SubnetId", &*subnet)];
    assert_eq!(bench.refused("CreateNetworkInterface", &none), InsufficientFreeAddressesInSubnet);
    let named = take(&mut bench, &subnet, &[("PrivateIpAddress", "10.0.1.5")]);
    assert_eq!(named.0, "10.0.1.5");
    // Given back, it is kept again.
    bench.call("DeleteNetworkInterface", &[("NetworkInterfaceId", &named.1)]).unwrap();
    assert_eq!(bench.refused("CreateNetworkInterface", &none), InsufficientFreeAddressesInSubnet);
    take(&mut bench, &subnet, &[("PrivateIpAddress", "10.0.1.5")]);
    let gone = [("SubnetCidrReservationId", &*id)];
    assert_eq!(bench.told("cidr", "DeleteSubnetCidrReservation", &gone), "10.0.1.4/30");
    let mut rest: Vec<_> = (0..3).map(|_| last(&take(&mut bench, &subnet, &[]).0)).collect();
    rest.sort_unstable();
    assert_eq!(rest, [4, 6, 7], "none is lost");
    assert_eq!(bench.refused("DeleteSubnetCidrReservation", &gone), InvalidSubnetCidrReservationIDNotFound);
}

#[test]
fn a_reservation_is_within_its_subnet_and_apart_from_others() {
    let mut bench = Bench::small();
    let vpc = vpc(&mut bench, "10.0.0.0/16");
    let subnet = subnet(&mut bench, &vpc, "10.0.1.0/24");
    let id = reserve(&mut bench, &subnet, "10.0.1.64/26");
    let flat = bench.world.subnets.values().find(|row| row.is_default).unwrap().id.to_string();
    for (of, cidr, kind, code) in [
        (&*subnet, "10.0.2.0/28", "explicit", InvalidSubnetRange),
        (&subnet, "10.0.0.0/23", "explicit", InvalidSubnetRange),
        (&subnet, "10.0.1.0/29", "prefix", InvalidSubnetRange),
        (&subnet, "10.0.1.96/28", "prefix", InvalidSubnetConflict),
        (&subnet, "10.0.1.0/25", "explicit", InvalidSubnetConflict),
        (&subnet, "10.0.1.0/28", "other", InvalidParameterValue),
        (&flat, "10.0.0.16/28", "explicit", OperationNotPermitted),
        ("subnet-0123456789abcdef0", "10.0.1.0/28", "explicit", InvalidSubnetIDNotFound),
    ] {
        let given = [("SubnetId", of), ("Cidr", cidr), ("ReservationType", kind)];
        assert_eq!(bench.refused("CreateSubnetCidrReservation", &given), code, "{cidr} {kind}");
    }
    let given = [
        ("SubnetId", &*subnet),
        ("Cidr", "10.0.1.0/28"),
        ("ReservationType", "prefix"),
        ("Description", "pods"),
        ("TagSpecification.1.ResourceType", "subnet-cidr-reservation"),
        ("TagSpecification.1.Tag.1.Key", "Name"),
        ("TagSpecification.1.Tag.1.Value", "pods"),
    ];
    let made = bench.told("subnetCidrReservationId", "CreateSubnetCidrReservation", &given);
    let listed = |bench: &mut Bench, name: &str, value: &str| {
        let given = [("SubnetId", &*subnet), ("Filter.1.Name", name), ("Filter.1.Value.1", value)];
        texts(&bench.call("GetSubnetCidrReservations", &given).unwrap(), "subnetCidrReservationId")
    };
    assert_eq!(listed(&mut bench, "reservationType", "explicit"), [&*id]);
    assert_eq!(listed(&mut bench, "tag:Name", "pods"), [&*made]);
    assert_eq!(listed(&mut bench, "subnet-id", &subnet).len(), 2);
    bench.call("DeleteSubnet", &[("SubnetId", &subnet)]).unwrap();
    assert!(bench.world.subnet_cidr_reservations.is_empty() && bench.world.tags.is_empty());
}
