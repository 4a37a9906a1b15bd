//! The private addresses of interfaces, and the elastic ones that lead to them.

use super::*;

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
        (one.private_ip_address, one.primary, one.association.as_ref().and_then(|at| at.allocation_id))
    });
    assert_eq!(told.collect::<Vec<_>>(), [(primary, true, Some(a)), (second, false, Some(b))]);
    assert_eq!(shape.association.and_then(|at| at.allocation_id), Some(a));
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
