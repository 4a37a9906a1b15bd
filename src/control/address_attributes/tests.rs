//! Names that are given, shown, refused and taken back.

use super::*;
use crate::control::testing::Bench;
use crate::types::AllocationId;

fn allocate(bench: &mut Bench) -> AllocationId {
    let request = AllocateAddressRequest::default();
    bench.attempt(|decision| addresses::allocate_address(decision, &request)).unwrap().allocation_id
}

fn modify(bench: &mut Bench, id: AllocationId, name: &str) -> Result<output::AddressAttribute, FaultCode> {
    let request =
        ModifyAddressAttributeRequest { dry_run: false, allocation_id: id, domain_name: name.into() };
    let answer = bench.attempt(|decision| modify_address_attribute(decision, &request));
    answer.map(|answer| answer.address).map_err(|fault| fault.code)
}

fn reset(bench: &mut Bench, id: AllocationId) -> output::AddressAttribute {
    let attribute = "domain-name".into();
    let request = ResetAddressAttributeRequest { dry_run: false, allocation_id: id, attribute };
    bench.attempt(|decision| reset_address_attribute(decision, &request)).unwrap().address
}

fn listed(bench: &Bench, ids: Vec<AllocationId>) -> Vec<(AllocationId, Option<String>)> {
    let request = DescribeAddressesAttributeRequest {
        allocation_ids: ids,
        ..DescribeAddressesAttributeRequest::default()
    };
    let answer = describe_addresses_attribute(&bench.view(), &request).unwrap();
    assert!(answer.addresses.iter().all(|address| address.ptr_record_update.is_none()));
    answer.addresses.into_iter().map(|address| (address.allocation_id, address.ptr_record)).collect()
}

#[test]
fn the_answer_has_the_old_name_and_the_new_one_and_the_list_has_what_is() {
    let mut bench = Bench::small();
    let (one, other) = (allocate(&mut bench), allocate(&mut bench));
    assert_eq!(listed(&bench, vec![one]), [], "an address without a name is not listed");
    let first = modify(&mut bench, one, "Mail.Example.COM.").unwrap();
    let update = |value: Option<&str>| {
        Some(output::PtrUpdateStatus { value: value.map(str::to_owned), status: "PENDING".into() })
    };
    assert_eq!((first.ptr_record, first.ptr_record_update), (None, update(Some("mail.example.com."))));
    let second = modify(&mut bench, one, "mx.example.com").unwrap();
    assert_eq!(second.ptr_record.as_deref(), Some("mail.example.com."));
    assert_eq!(second.ptr_record_update, update(Some("mx.example.com.")));
    let named = (one, Some("mx.example.com.".to_owned()));
    assert_eq!(listed(&bench, vec![]), std::slice::from_ref(&named));
    assert_eq!(listed(&bench, vec![other, one]), [named]);
    let gone = reset(&mut bench, one);
    assert_eq!((gone.ptr_record.as_deref(), gone.ptr_record_update), (Some("mx.example.com."), update(None)));
    assert_eq!(listed(&bench, vec![]), []);
    let nothing = reset(&mut bench, one);
    assert_eq!((nothing.ptr_record, nothing.ptr_record_update), (None, None));
}

#[test]
fn only_full_names_of_hosts_outside_our_own_domains_are_taken() {
    let mut bench = Bench::small();
    let id = allocate(&mut bench);
    let label = "a".repeat(63);
    let long = format!("{label}.{label}.{label}.{}", &label[..61]);
    assert_eq!(long.len(), 253);
    for good in
        ["a.b", "xn--bcher-kva.example", "1.example", "ec2.internal.example.com", "notec2.internal", &long]
    {
        modify(&mut bench, id, good).unwrap_or_else(|code| panic!("{good}: {code:?}"));
    }
    let (too_long, longer_label) = (format!("{long}b"), format!("a{label}.b"));
    for bad in [
        "localhost",
        ".",
        "a..b",
        ".a.b",
        "a.b..",
        "-a.b",
        "a-.b",
        "a_b.c",
        "a b.c",
        "bücher.example",
        "*.example",
        "ec2.internal",
        "mail.ec2.internal",
        "ip-10-0-0-5.EC2.internal.",
        &too_long,
        &longer_label,
    ] {
        assert_eq!(modify(&mut bench, id, bad), Err(FaultCode::InvalidParameterValue), "{bad}");
    }
    assert_eq!(listed(&bench, vec![])[0].1, Some(format!("{long}.")));
}

#[test]
fn an_address_with_a_name_is_not_given_back_and_the_next_owner_finds_none() {
    let mut bench = Bench::small();
    let id = allocate(&mut bench);
    let release = |bench: &mut Bench| {
        let request = ReleaseAddressRequest { allocation_id: Some(id), ..ReleaseAddressRequest::default() };
        let answer = bench.attempt(|decision| addresses::release_address(decision, &request));
        answer.map(drop).map_err(|fault| fault.code)
    };
    modify(&mut bench, id, "mail.example.com").unwrap();
    assert_eq!(bench.world.reverse_names().count(), 1);
    assert_eq!(release(&mut bench), Err(FaultCode::InvalidAddressPtrSet));
    reset(&mut bench, id);
    assert_eq!(bench.world.reverse_names().count(), 0);
    release(&mut bench).unwrap();
}
