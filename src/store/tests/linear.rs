//! Several servers are as one: there is an order of all calls, each between its beginning and its end, in which one
//! server alone would have given the same answers.
//!
//! The search is Wing and Gong's (Testing and Verifying Concurrent Objects, 1993): any call that nobody finished before may
//! be the next one; what was tried once, by the set of calls done and the state they led to, is not tried again.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;
use std::time::Instant;

use crate::types::*;

/// The pool: who has each address, and where it leads.
pub type Pool3 = BTreeMap<Ipv4Addr, Option<(AllocationId, Option<InstanceId>)>>;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// What was given, if anything was free.
    Allocate(Option<(Ipv4Addr, AllocationId)>),
    /// By force; whether there was such an address.
    Associate(AllocationId, InstanceId, bool),
    /// Whether it led anywhere.
    Disassociate(Ipv4Addr, bool),
    Release(AllocationId, Released),
    Describe(Pool3),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Released {
    Yes,
    InUse,
    Unknown,
}

/// A call with the moments between which it took effect.
#[derive(Clone, Debug)]
pub struct Call {
    pub begun: Instant,
    pub ended: Instant,
    pub op: Op,
}

fn of(pool: &Pool3, id: AllocationId) -> Option<Ipv4Addr> {
    pool.iter().find(|(_, held)| held.is_some_and(|(held, _)| held == id)).map(|(ip, _)| *ip)
}

/// One server alone: the state after the call, if it could have been answered like this.
fn step(pool: &Pool3, op: &Op) -> Option<Pool3> {
    let mut after = pool.clone();
    match op {
        Op::Allocate(Some((ip, id))) => {
            let held = after.get_mut(ip)?;
            if held.is_some() {
                return None;
            }
            *held = Some((*id, None));
        }
        Op::Allocate(None) => {
            if pool.values().any(Option::is_none) {
                return None;
            }
        }
        Op::Associate(id, instance, done) => match of(pool, *id) {
            Some(ip) if *done => {
                // An instance has one elastic address: the one before goes.
                for (_, to) in after.values_mut().flatten() {
                    if *to == Some(*instance) {
                        *to = None;
                    }
                }
                after.insert(ip, Some((*id, Some(*instance))));
            }
            None if !done => {}
            _ => return None,
        },
        Op::Disassociate(ip, done) => match after.get_mut(ip)? {
            Some((_, to @ Some(_))) if *done => *to = None,
            Some((_, None)) | None if !done => {}
            _ => return None,
        },
        Op::Release(id, released) => match (of(pool, *id), released) {
            (None, Released::Unknown) => {}
            (Some(ip), Released::Yes) if pool[&ip].is_some_and(|(_, to)| to.is_none()) => {
                after.insert(ip, None);
            }
            (Some(ip), Released::InUse) if pool[&ip].is_some_and(|(_, to)| to.is_some()) => {}
            _ => return None,
        },
        Op::Describe(seen) => {
            if seen != pool {
                return None;
            }
        }
    }
    Some(after)
}

/// Whether there is such an order.
pub fn is_linearizable(begin: &Pool3, calls: &[Call]) -> bool {
    let mut calls = calls.to_vec();
    calls.sort_by_key(|call| call.begun);
    let mut tried: HashSet<(Vec<u64>, Pool3)> = HashSet::new();
    let mut open = vec![(vec![0_u64; calls.len().div_ceil(64)], begin.clone())];
    let has = |done: &[u64], call: usize| done[call / 64] & (1 << (call % 64)) != 0;
    while let Some((done, pool)) = open.pop() {
        let left: Vec<usize> = (0..calls.len()).filter(|call| !has(&done, *call)).collect();
        let Some(first_end) = left.iter().map(|call| calls[*call].ended).min() else { return true };
        for call in left.into_iter().take_while(|call| calls[*call].begun <= first_end) {
            if let Some(after) = step(&pool, &calls[call].op) {
                let mut done = done.clone();
                done[call / 64] |= 1 << (call % 64);
                if tried.insert((done.clone(), after.clone())) {
                    open.push((done, after));
                }
            }
        }
    }
    false
}

/// Calls by their moments, for histories that can be read.
fn at(zero: Instant, calls: &[(u64, u64, Op)]) -> Vec<Call> {
    let moment = |tick: u64| zero + std::time::Duration::from_millis(tick);
    calls
        .iter()
        .map(|(from, to, op)| Call { begun: moment(*from), ended: moment(*to), op: op.clone() })
        .collect()
}

#[test]
fn the_checker_knows_right_from_wrong() {
    let ip = |last| Ipv4Addr::new(203, 0, 113, last);
    let id = AllocationId::from_random;
    let begin: Pool3 = (1..=3).map(|last| (ip(last), None)).collect();
    let with = |last, n| {
        let mut pool = begin.clone();
        pool.insert(ip(last), Some((id(n), None)));
        pool
    };
    let zero = Instant::now();
    let give = |last, n| Op::Allocate(Some((ip(last), id(n))));
    for (right, calls) in [
        // A read during the call may see it or not, one after it must.
        (
            true,
            vec![(0, 10, give(1, 1)), (2, 3, Op::Describe(begin.clone())), (4, 5, Op::Describe(with(1, 1)))],
        ),
        (
            false,
            vec![(0, 10, give(1, 1)), (2, 3, Op::Describe(with(1, 1))), (4, 5, Op::Describe(begin.clone()))],
        ),
        (false, vec![(0, 1, give(1, 1)), (2, 3, Op::Describe(begin.clone()))]),
        (true, vec![(0, 5, give(1, 1)), (1, 6, Op::Release(id(1), Released::Yes)), (2, 7, give(1, 2))]),
        (false, vec![(0, 5, give(1, 1)), (2, 7, give(1, 2))]),
        (true, vec![(0, 1, give(1, 1)), (0, 1, give(2, 2)), (0, 9, give(3, 3)), (2, 3, Op::Allocate(None))]),
        (false, vec![(0, 1, give(1, 1)), (0, 1, give(2, 2)), (2, 3, Op::Allocate(None)), (4, 9, give(3, 3))]),
        (false, vec![(0, 1, Op::Associate(id(1), InstanceId::from_random(1), true))]),
    ] {
        assert_eq!(is_linearizable(&begin, &at(zero, &calls)), right, "{calls:?}");
    }
}
