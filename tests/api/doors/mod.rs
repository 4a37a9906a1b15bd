//! Every action's doors: who may not come in does not, what is not understood is refused, and what would be refused or
//! is only tried changes nothing.
//!
//! The actions and their parameters are read from api-spec/: one that nobody has written a case for fails the test.

pub mod agent;
mod cases;
mod fences;
mod golden;
pub mod own;
mod parameters;
mod provoked;
mod signatures;
mod spec;

use std::collections::BTreeSet;

use cases::{Case, case};
use own::{Cloud, Pairs, borrowed, pairs};
use spec::{Action, Spec};

use crate::server::Reply;

/// The spec, the cloud, and which faults were seen.
struct Doors {
    spec: Spec,
    cloud: Cloud,
    seen: BTreeSet<(String, String)>,
}

impl Doors {
    fn open(of: &str) -> Self {
        Self { spec: Spec::read(), cloud: Cloud::start(of), seen: BTreeSet::new() }
    }

    /// Every action with the case of his account.
    fn cases(&self) -> Vec<(Action, Case)> {
        let with_case = |action: &Action| {
            let case = case(&action.name, &self.cloud.his);
            (action.clone(), case.unwrap_or_else(|| panic!("nobody has written a case for {}", action.name)))
        };
        self.spec.actions.iter().map(with_case).collect()
    }

    /// A call of his that is refused with this code, as api-spec/ declares it.
    fn refused(&mut self, action: &Action, given: &Pairs, code: &str) -> Reply {
        let reply = self.cloud.call(&self.cloud.his, given);
        self.expect(action, &reply, code, &format!("{:?}", borrowed(given)));
        reply
    }

    fn expect(&mut self, action: &Action, reply: &Reply, code: &str, what: &str) {
        assert_eq!(reply.code(), Some(code), "{what}: {}", reply.body);
        assert_eq!(reply.status, self.spec.status(code), "{what}: {}", reply.body);
        let declared = action.errors.iter().chain(&self.spec.common).any(|known| known == code);
        assert!(declared, "{} answers {code}, which its file does not declare", action.name);
        self.seen.insert((action.name.clone(), code.to_owned()));
    }
}

#[test]
fn no_action_opens_without_the_right_signature() {
    let mut doors = Doors::open("doors-signatures");
    let before = (doors.cloud.generation(), doors.cloud.dump(&doors.cloud.his));
    for (action, case) in doors.cases() {
        doors.no_signature(&action, &case);
        doors.wrong_signatures(&action, &case);
        doors.wrong_dates(&action, &case);
        assert_eq!(doors.cloud.generation(), before.0, "{} changed something", action.name);
    }
    assert!(doors.cloud.dump(&doors.cloud.his) == before.1, "what was refused has changed something");
}

#[test]
fn every_action_opens_on_every_path_for_old_clients_and_new() {
    let mut doors = Doors::open("doors-paths");
    let before = (doors.cloud.generation(), doors.cloud.dump(&doors.cloud.his));
    for (action, case) in doors.cases() {
        doors.every_path(&action, &case);
        assert_eq!(doors.cloud.generation(), before.0, "a dry run of {} changed something", action.name);
    }
    assert!(doors.cloud.dump(&doors.cloud.his) == before.1, "a dry run has changed something");
    let mut changed = before.0;
    for (action, case) in doors.cases() {
        doors.succeeds(&action, &case);
        if action.name == "AttachInternetGateway" {
            // An account may have no more of them: the same one is to be deleted later.
            let again = [pairs(&[("Action", "DetachInternetGateway")]), case.base[1..].to_vec()].concat();
            assert_eq!(doors.cloud.call(&doors.cloud.his, &again).status, 200);
        }
        let now = doors.cloud.generation();
        // What can only be refused writes nothing.
        let writes = action.writes && case.changes && case.never.is_none();
        assert!(if writes { now > changed } else { now >= changed }, "{} changed nothing", action.name);
        changed = now;
    }
}

#[test]
fn no_action_reaches_what_belongs_to_another_account() {
    let mut doors = Doors::open("doors-fences");
    let before = (doors.cloud.generation(), doors.cloud.dump(&doors.cloud.hers));
    let mut tried = 0;
    for (action, case) in doors.cases() {
        tried += doors.others_things(&action, &case);
        doors.others_in_filters(&action, &case);
        assert_eq!(doors.cloud.generation(), before.0, "{} changed something", action.name);
    }
    doors.lists_are_ones_own();
    assert!(doors.cloud.dump(&doors.cloud.hers) == before.1, "her account has changed");
    println!("{tried} times what is hers was named by him");
}

#[test]
fn every_parameter_is_understood_or_refused() {
    let mut doors = Doors::open("doors-parameters");
    let before = doors.cloud.generation();
    let mut tried = 0;
    for (action, case) in doors.cases() {
        tried += doors.missing(&action, &case)
            + doors.unknown(&action, &case)
            + doors.malformed(&action, &case)
            + doors.refused_by_name(&action, &case)
            + doors.filters(&action, &case);
        assert_eq!(doors.cloud.generation(), before, "{} changed something", action.name);
    }
    println!("{tried} parameters tried");
}
