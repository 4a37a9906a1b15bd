//! Offers, and what becomes of them.

use super::*;
use crate::control::testing::{Bench, run_request};
use crate::control::{addresses, defaults, due, instances, tick};
use crate::world::Account;

const DAY: i64 = 24 * 3600;

/// A bench with two accounts more, and an address of the first one's with a tag.
fn bench() -> (Bench, AllocationId, std::net::Ipv4Addr, [Owner; 2]) {
    let mut bench = Bench::small();
    let others = ["444455556666", "777788889999"].map(|account| {
        let owner = Owner { account: account.parse().unwrap(), ..bench.caller.owner.clone() };
        bench.put(Account { id: owner.account, name: account.into(), created: bench.now });
        bench.decide(|decision| defaults::ensure(decision, &owner));
        owner
    });
    let request = AllocateAddressRequest {
        tag_specifications: vec![input::TagSpecification {
            resource_type: Some("elastic-ip".into()),
            tags: vec![input::Tag { key: Some("whose".into()), value: Some("ours".into()) }],
        }],
        ..AllocateAddressRequest::default()
    };
    let made = bench.attempt(|decision| addresses::allocate_address(decision, &request)).unwrap();
    (bench, made.allocation_id, made.public_ip, others)
}

fn by<T>(bench: &mut Bench, owner: &Owner, run: impl FnOnce(&mut Bench) -> T) -> T {
    let caller = std::mem::replace(&mut bench.caller.owner, owner.clone());
    let result = run(bench);
    bench.caller.owner = caller;
    result
}

fn enable(bench: &mut Bench, id: AllocationId, to: AccountId) -> Result<output::AddressTransfer, FaultCode> {
    let request = EnableAddressTransferRequest { dry_run: false, allocation_id: id, transfer_account_id: to };
    let answer = bench.attempt(|decision| enable_address_transfer(decision, &request));
    answer.map(|answer| answer.address_transfer).map_err(|fault| fault.code)
}

fn disable(bench: &mut Bench, id: AllocationId) -> Result<output::AddressTransfer, FaultCode> {
    let request = DisableAddressTransferRequest { dry_run: false, allocation_id: id };
    let answer = bench.attempt(|decision| disable_address_transfer(decision, &request));
    answer.map(|answer| answer.address_transfer).map_err(|fault| fault.code)
}

fn accept(bench: &mut Bench, ip: std::net::Ipv4Addr) -> Result<output::AddressTransfer, FaultCode> {
    let request = AcceptAddressTransferRequest { dry_run: false, address: ip, tag_specifications: vec![] };
    let answer = bench.attempt(|decision| accept_address_transfer(decision, &request));
    answer.map(|answer| answer.address_transfer).map_err(|fault| fault.code)
}

fn listed(bench: &Bench, ids: Vec<AllocationId>) -> Result<Vec<String>, FaultCode> {
    let request =
        DescribeAddressTransfersRequest { allocation_ids: ids, ..DescribeAddressTransfersRequest::default() };
    let answer = describe_address_transfers(&bench.view(), &request).map_err(|fault| fault.code)?;
    Ok(answer.address_transfers.into_iter().map(|row| row.address_transfer_status).collect())
}

fn owner_of(bench: &Bench, id: AllocationId) -> AccountId {
    bench.world.addresses[&id].owner.account
}

#[test]
fn what_is_taken_has_a_new_owner_the_old_id_and_none_of_its_tags() {
    let (mut bench, id, ip, [to, _]) = bench();
    let own = bench.caller.owner.clone();
    let offer = enable(&mut bench, id, to.account).unwrap();
    assert_eq!(offer.transfer_offer_expiration_timestamp, Some(bench.now.plus_seconds(7 * DAY)));
    assert_eq!((&*offer.address_transfer_status, owner_of(&bench, id)), ("pending", own.account));
    assert_eq!(bench.world.tags.len(), 1, "an offer changes nothing");
    let taken = by(&mut bench, &to, |bench| accept(bench, ip)).unwrap();
    assert_eq!((taken.allocation_id, &*taken.address_transfer_status), (id, "accepted"));
    assert_eq!(taken.transfer_offer_accepted_timestamp, Some(bench.now));
    assert_eq!((owner_of(&bench, id), bench.world.tags.len()), (to.account, 0));
    let of = |owner: &Owner| bench.world.index.addresses_by_owner.contains(&(owner.clone(), id));
    assert_eq!((of(&own), of(&to)), (false, true));
    assert_eq!(
        listed(&bench, vec![id]),
        Ok(vec!["accepted".into()]),
        "whoever gave it can see where it went"
    );
    let theirs = by(&mut bench, &to, |bench| listed(bench, vec![]));
    assert_eq!(theirs, Ok(vec![]), "the offer was not theirs");
}

#[test]
fn an_offer_is_for_one_account_and_for_nobody_once_it_is_withdrawn() {
    let (mut bench, id, ip, [to, stranger]) = bench();
    let absent = Err(FaultCode::InvalidAddressNotFound);
    assert_eq!(by(&mut bench, &to, |bench| accept(bench, ip)), absent, "nothing is offered");
    enable(&mut bench, id, to.account).unwrap();
    assert_eq!(by(&mut bench, &stranger, |bench| accept(bench, ip)), absent);
    assert_eq!(accept(&mut bench, ip), absent, "not by its owner either");
    let elsewhere = Owner { region: "eu-west-1".into(), ..to.clone() };
    assert_eq!(by(&mut bench, &elsewhere, |bench| accept(bench, ip)), absent);
    assert_eq!(enable(&mut bench, id, stranger.account), Err(FaultCode::IncorrectState));
    assert_eq!(by(&mut bench, &to, |bench| disable(bench, id)), Err(FaultCode::InvalidAllocationIDNotFound));
    let gone = disable(&mut bench, id).unwrap();
    assert_eq!((&*gone.address_transfer_status, gone.transfer_account_id), ("disabled", None));
    assert_eq!(by(&mut bench, &to, |bench| accept(bench, ip)), absent);
    assert_eq!(disable(&mut bench, id), Err(FaultCode::IncorrectState));
    assert_eq!(listed(&bench, vec![id]), Ok(vec![]));
    let own = bench.caller.owner.account;
    assert_eq!(enable(&mut bench, id, own), Err(FaultCode::InvalidParameterValue));
    assert_eq!(enable(&mut bench, id, AccountId::from_random(5)), Err(FaultCode::InvalidParameterValue));
}

#[test]
fn an_offer_ends_after_seven_days_and_what_was_taken_is_seen_for_fourteen() {
    let (mut bench, id, ip, [to, stranger]) = bench();
    enable(&mut bench, id, to.account).unwrap();
    let begun = bench.now;
    let reap = |bench: &mut Bench| {
        let ready = due(&bench.world, bench.now);
        bench.decide(tick);
        (ready, bench.world.address_transfers.len())
    };
    bench.now = begun.plus_seconds(7 * DAY - 1);
    assert_eq!(reap(&mut bench), (false, 1));
    bench.now = begun.plus_seconds(7 * DAY);
    // It has ended before anybody tidies up.
    assert_eq!(by(&mut bench, &to, |bench| accept(bench, ip)), Err(FaultCode::InvalidAddressNotFound));
    assert_eq!(listed(&bench, vec![id]), Ok(vec![]));
    enable(&mut bench, id, stranger.account).unwrap();
    assert_eq!(reap(&mut bench), (false, 1), "the new offer is not the old one");
    bench.now = bench.now.plus_seconds(6 * DAY);
    by(&mut bench, &stranger, |bench| accept(bench, ip)).unwrap();
    bench.now = bench.now.plus_seconds(14 * DAY - 1);
    assert_eq!(reap(&mut bench), (false, 1));
    assert_eq!(listed(&bench, vec![id]), Ok(vec!["accepted".into()]));
    bench.now = bench.now.plus_seconds(1);
    assert_eq!(listed(&bench, vec![id]), Err(FaultCode::InvalidAllocationIDNotFound));
    assert_eq!(reap(&mut bench), (true, 0));
}

#[test]
fn an_address_that_leads_somewhere_or_has_a_name_is_offered_and_not_taken() {
    let (mut bench, id, ip, [to, _]) = bench();
    let instance = bench.attempt(|decision| instances::run_instances(decision, &run_request())).unwrap();
    let instance = Some(instance.instances_set[0].instance_id);
    let associate = AssociateAddressRequest {
        allocation_id: Some(id),
        instance_id: instance,
        ..AssociateAddressRequest::default()
    };
    bench.attempt(|decision| addresses::associate_address(decision, &associate)).unwrap();
    enable(&mut bench, id, to.account).unwrap();
    let in_use = by(&mut bench, &to, |bench| accept(bench, ip));
    assert_eq!(in_use, Err(FaultCode::InvalidTransferAddressAssociated));
    let row = (*bench.world.addresses[&id]).clone();
    bench.put(Address { association: None, domain_name: Some("mail.example.com".into()), ..row.clone() });
    let named = by(&mut bench, &to, |bench| accept(bench, ip));
    assert_eq!(named, Err(FaultCode::InvalidTransferAddressCustomPtrSet));
    assert_eq!((owner_of(&bench, id), bench.world.tags.len()), (row.owner.account, 1));
    bench.put(Address { association: None, domain_name: None, ..row });
    by(&mut bench, &to, |bench| accept(bench, ip)).unwrap();
}

#[test]
fn an_address_goes_back_and_on_and_an_offer_goes_with_what_is_released() {
    let (mut bench, id, ip, [to, stranger]) = bench();
    let own = bench.caller.owner.clone();
    enable(&mut bench, id, to.account).unwrap();
    by(&mut bench, &to, |bench| accept(bench, ip)).unwrap();
    by(&mut bench, &to, |bench| enable(bench, id, own.account)).unwrap();
    accept(&mut bench, ip).unwrap();
    enable(&mut bench, id, stranger.account).unwrap();
    assert_eq!(listed(&bench, vec![]), Ok(vec!["pending".into()]));
    let request = ReleaseAddressRequest { allocation_id: Some(id), ..ReleaseAddressRequest::default() };
    bench.attempt(|decision| addresses::release_address(decision, &request)).unwrap();
    assert_eq!(listed(&bench, vec![]), Ok(vec![]));
    let again = AllocateAddressRequest { address: Some(ip), ..AllocateAddressRequest::default() };
    bench.attempt(|decision| addresses::allocate_address(decision, &again)).unwrap();
    let old = by(&mut bench, &stranger, |bench| accept(bench, ip));
    assert_eq!(old, Err(FaultCode::InvalidAddressNotFound), "what was offered is gone");
}

#[test]
fn an_account_that_goes_takes_its_offers_and_those_to_it_along() {
    let (mut bench, id, _, [to, _]) = bench();
    enable(&mut bench, id, to.account).unwrap();
    bench.attempt(|decision| crate::control::operator::delete_account(decision, to.account)).unwrap();
    assert!(bench.world.address_transfers.is_empty() && bench.world.index.transfers_by_end.is_empty());
}
