//! Several servers are as one: there is an order of all calls, each between its beginning and its end, in which one
//! server alone would have given the same answers.
//!
//! The search is Wing and Gong's (Testing and Verifying Concurrent Objects, 1993): any call that nobody finished before may
//! be the next one; what was tried once, by the set of calls done and the state they led to, is not tried again. A call
//! whose answer was lost has no end: it may take effect at any moment after its beginning, or never.

use std::collections::{BTreeMap, HashSet};
use std::net::Ipv4Addr;
use std::time::Instant;

/// The pool: who has each address.
pub type Pool = BTreeMap<Ipv4Addr, Option<Held>>;

/// An address that was given.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Held {
    /// The allocation; `None` where nobody heard under which id it was given.
    pub id: Option<String>,
    /// The instance to which it leads.
    pub to: Option<String>,
}

impl Held {
    pub fn by(id: &str) -> Self {
        Self { id: Some(id.to_owned()), to: None }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// What was given, if anything was free.
    Allocate(Option<(Ipv4Addr, String)>),
    /// By force; whether there was such an address.
    Associate(String, String, bool),
    /// Whether it led anywhere.
    Disassociate(Ipv4Addr, bool),
    Release(String, Released),
    Describe(Pool),
    LostAllocate,
    LostRelease(String),
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
    /// `None` where no answer came.
    pub ended: Option<Instant>,
    pub op: Op,
}

/// Every way in which an allocation of that id may be in the pool: an address that was given to nobody knows whom may be it.
fn found(pool: &Pool, id: &str) -> Vec<(Ipv4Addr, Held)> {
    let with = |wanted: Option<&str>| {
        let held = pool.iter().filter_map(|(ip, held)| Some((*ip, held.clone()?)));
        held.filter(move |(_, held)| held.id.as_deref() == wanted).collect::<Vec<_>>()
    };
    let known = with(Some(id));
    if !known.is_empty() {
        return known;
    }
    with(None).into_iter().map(|(ip, held)| (ip, Held { id: Some(id.to_owned()), ..held })).collect()
}

fn is_known(pool: &Pool, id: &str) -> bool {
    pool.values().flatten().any(|held| held.id.as_deref() == Some(id))
}

fn with(pool: &Pool, ip: Ipv4Addr, held: Option<Held>) -> Pool {
    let mut after = pool.clone();
    after.insert(ip, held);
    after
}

/// One server alone: the states after the call, if it could have been answered like this.
fn step(pool: &Pool, op: &Op) -> Vec<Pool> {
    let unchanged_if = |so: bool| if so { vec![pool.clone()] } else { vec![] };
    let free = pool.iter().filter(|(_, held)| held.is_none()).map(|(ip, _)| *ip);
    match op {
        Op::Allocate(Some((ip, id))) => {
            let fits = pool.get(ip).is_some_and(Option::is_none) && !is_known(pool, id);
            if fits { vec![with(pool, *ip, Some(Held::by(id)))] } else { vec![] }
        }
        Op::Allocate(None) => unchanged_if(pool.values().all(Option::is_some)),
        Op::LostAllocate => free.map(|ip| with(pool, ip, Some(Held { id: None, to: None }))).collect(),
        Op::Associate(id, _, false) => unchanged_if(!is_known(pool, id)),
        Op::Associate(id, instance, true) => {
            let led = |(ip, held)| {
                let mut after = pool.clone();
                // An instance has one elastic address: the one before goes.
                for other in after.values_mut().flatten().filter(|other| other.to.as_ref() == Some(instance))
                {
                    other.to = None;
                }
                with(&after, ip, Some(Held { to: Some(instance.clone()), ..held }))
            };
            found(pool, id).into_iter().map(led).collect()
        }
        Op::Disassociate(ip, done) => match pool.get(ip) {
            Some(Some(held)) if *done && held.to.is_some() => {
                vec![with(pool, *ip, Some(Held { to: None, ..held.clone() }))]
            }
            Some(held) => unchanged_if(!done && held.as_ref().is_none_or(|held| held.to.is_none())),
            None => vec![],
        },
        Op::Release(id, Released::Unknown) => unchanged_if(!is_known(pool, id)),
        Op::Release(id, Released::InUse) => {
            let used = found(pool, id).into_iter().filter(|(_, held)| held.to.is_some());
            used.map(|(ip, held)| with(pool, ip, Some(held))).collect()
        }
        Op::Release(id, Released::Yes) | Op::LostRelease(id) => {
            let unused = found(pool, id).into_iter().filter(|(_, held)| held.to.is_none());
            unused.map(|(ip, _)| with(pool, ip, None)).collect()
        }
        Op::Describe(seen) => seen_as(pool, seen).into_iter().collect(),
    }
}

/// The pool with the ids that a reader has seen, if it is what the reader has seen.
fn seen_as(pool: &Pool, seen: &Pool) -> Option<Pool> {
    let same = |(ip, held): (&Ipv4Addr, &Option<Held>)| match (held, seen.get(ip)?) {
        (None, None) => Some(()),
        (Some(held), Some(seen)) => {
            let bound = seen.id.as_ref().is_some_and(|id| !is_known(pool, id));
            let id = held.id == seen.id || held.id.is_none() && bound;
            (id && held.to == seen.to).then_some(())
        }
        _ => None,
    };
    (pool.len() == seen.len() && pool.iter().map(same).all(|same| same.is_some())).then(|| seen.clone())
}

/// Whether there is such an order.
pub fn is_linearizable(begin: &Pool, calls: &[Call]) -> bool {
    let mut calls = calls.to_vec();
    calls.sort_by_key(|call| call.begun);
    let mut tried: HashSet<(Vec<u64>, Pool)> = HashSet::new();
    let mut open = vec![(vec![0_u64; calls.len().div_ceil(64)], begin.clone())];
    let has = |done: &[u64], call: usize| done[call / 64] & (1 << (call % 64)) != 0;
    while let Some((done, pool)) = open.pop() {
        let left: Vec<usize> = (0..calls.len()).filter(|call| !has(&done, *call)).collect();
        let Some(first_end) = left.iter().filter_map(|call| calls[*call].ended).min() else { return true };
        for call in left.into_iter().take_while(|call| calls[*call].begun <= first_end) {
            for after in step(&pool, &calls[call].op) {
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

/// Calls by their moments, for histories that can be read; without an end where it is 0.
fn at(zero: Instant, calls: &[(u64, u64, Op)]) -> Vec<Call> {
    let moment = |tick: u64| zero + std::time::Duration::from_millis(tick);
    calls
        .iter()
        .map(|(from, to, op)| {
            let ended = (*to > 0).then(|| moment(*to));
            Call { begun: moment(*from), ended, op: op.clone() }
        })
        .collect()
}

#[test]
fn the_checker_knows_right_from_wrong() {
    let ip = |last| Ipv4Addr::new(203, 0, 113, last);
    let begin: Pool = (1..=3).map(|last| (ip(last), None)).collect();
    let holding = |last, id| with(&begin, ip(last), Some(Held::by(id)));
    let zero = Instant::now();
    let give = |last, id: &str| Op::Allocate(Some((ip(last), id.to_owned())));
    let release = |id: &str, how| Op::Release(id.to_owned(), how);
    let see = Op::Describe;
    for (right, calls) in [
        // A read during the call may see it or not, one after it must.
        (true, vec![(0, 10, give(1, "a")), (2, 3, see(begin.clone())), (4, 5, see(holding(1, "a")))]),
        (false, vec![(0, 10, give(1, "a")), (2, 3, see(holding(1, "a"))), (4, 5, see(begin.clone()))]),
        (false, vec![(0, 1, give(1, "a")), (2, 3, see(begin.clone()))]),
        (true, vec![(0, 5, give(1, "a")), (1, 6, release("a", Released::Yes)), (2, 7, give(1, "b"))]),
        (false, vec![(0, 5, give(1, "a")), (2, 7, give(1, "b"))]),
        (
            true,
            vec![
                (0, 1, give(1, "a")),
                (0, 1, give(2, "b")),
                (0, 9, give(3, "c")),
                (2, 3, Op::Allocate(None)),
            ],
        ),
        (
            false,
            vec![
                (0, 1, give(1, "a")),
                (0, 1, give(2, "b")),
                (2, 3, Op::Allocate(None)),
                (4, 9, give(3, "c")),
            ],
        ),
        (false, vec![(0, 1, Op::Associate("a".into(), "i".into(), true))]),
        // What had no answer may have happened, at any time from then on, or never; and once only.
        (true, vec![(1, 0, Op::LostAllocate), (2, 3, see(begin.clone())), (4, 5, see(holding(2, "a")))]),
        (true, vec![(1, 0, Op::LostAllocate), (2, 3, see(begin.clone()))]),
        (false, vec![(4, 0, Op::LostAllocate), (2, 3, see(holding(2, "a")))]),
        (false, vec![(1, 0, Op::LostAllocate), (2, 3, see(holding(2, "a"))), (4, 5, see(holding(2, "b")))]),
        (
            false,
            vec![
                (1, 0, Op::LostAllocate),
                (2, 3, give(1, "a")),
                (4, 5, give(2, "b")),
                (6, 7, see(holding(3, "c"))),
            ],
        ),
        (true, vec![(1, 2, give(1, "a")), (3, 0, Op::LostRelease("a".into())), (4, 5, give(1, "b"))]),
        (false, vec![(1, 2, give(1, "a")), (3, 0, Op::LostRelease("b".into())), (4, 5, give(1, "b"))]),
        (
            true,
            vec![(1, 0, Op::LostAllocate), (2, 3, release("a", Released::Yes)), (4, 5, see(begin.clone()))],
        ),
    ] {
        assert_eq!(is_linearizable(&begin, &at(zero, &calls)), right, "{calls:?}");
    }
}
