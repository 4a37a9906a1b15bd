//! Every fault that a file of api-spec/ declares is met by somebody.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{Doors, Spec};

/// Declared faults that this test does not provoke, each with who does or why nobody can.
const GOLDEN: &str = "tests/api/doors/unprovoked.txt";

#[test]
fn every_declared_fault_is_provoked() {
    let mut doors = Doors::open("doors-provoked");
    for (action, case) in doors.cases() {
        doors.others_things(&action, &case);
        doors.malformed(&action, &case);
    }
    doors.too_many_tags();
    doors.not_there();
    doors.in_the_way();
    doors.in_the_way_of_vpcs();
    doors.rules_of_vpcs();
    doors.in_the_way_of_interfaces();
    doors.in_the_way_of_acls();
    doors.in_the_way_of_nat();
    doors.in_the_way_of_peerings();
    doors.in_the_way_of_ipv6();
    doors.in_the_way_of_prefixes();
    doors.of_groups_and_addresses();
    doors.used_up();
    doors.of_the_operator();
    doors.groups_of_an_instance();
    doors.crowds();
    doors.crowd_of_interfaces();
    doors.crowds_of_vpcs();
    doors.crowds_of_prefixes();
    doors.idle_and_dead();
    doors.routes_to_the_dead();
    doors.interfaces_of_the_dead();
    doors.of_instances();
    doors.of_templates();
    doors.crowd_of_addresses();
    doors.without_a_network();
    doors.at_the_door();
    let declared = doors.spec.actions.iter().flat_map(|action| {
        action.errors.iter().map(|code| (action.name.clone(), code.clone())).collect::<Vec<_>>()
    });
    let anywhere = |code: &String| doors.seen.iter().any(|(_, seen)| seen == code);
    let common = doors.spec.common.iter().filter(|code| !anywhere(code));
    let mut missed: BTreeSet<String> = common.map(|code| format!("any {code}")).collect();
    let total = doors.spec.common.len() + declared.clone().count();
    missed.extend(
        declared.filter(|fault| !doors.seen.contains(fault)).map(|(of, code)| format!("{of} {code}")),
    );
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(GOLDEN)).unwrap();
    let golden: BTreeSet<String> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once(':').expect("a fault, a colon, a reason").0.to_owned())
        .collect();
    println!("{} of {total} declared faults provoked", total - missed.len());
    let new: Vec<_> = missed.difference(&golden).collect();
    let stale: Vec<_> = golden.difference(&missed).collect();
    assert!(new.is_empty(), "declared and never provoked: {new:#?}");
    assert!(stale.is_empty(), "provoked, or not declared, and still in {GOLDEN}: {stale:#?}");
}

#[test]
fn no_code_is_kept_that_nobody_answers_with() {
    let spec = Spec::read();
    let kinds = ["ReservationId"];
    // Types that no request has yet, but whose texts the generator knows how to refuse.
    let spare = ["InvalidReservationID.Malformed"];
    assert!(spec.actions.iter().flat_map(|action| &action.leaves).all(|leaf| !kinds.contains(&&*leaf.kind)));
    let declared = |code: &String| spec.actions.iter().any(|action| action.errors.contains(code));
    let idle: Vec<_> = spec
        .faults
        .keys()
        .filter(|code| !declared(code) && !spec.common.contains(code) && !spare.contains(&code.as_str()))
        .collect();
    assert!(idle.is_empty(), "faults.toml has codes of no action: {idle:#?}");
}
