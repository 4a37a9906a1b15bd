//! Two servers on one Postgres that are killed again and again: the answers that clients got have one order, whatever
//! became of the calls that had none.

use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use crate::database::Database;
use crate::dice::{Dice, seeds};
use crate::linear::{Call, Held, Op, Pool, Released, is_linearizable};
use crate::server::{Credentials, Folder, Reply, Server, Settings};

const HISTORIES: u64 = 6;
const CLIENTS: usize = 6;
const CALLS: usize = 40;
/// More would keep too many calls without an answer open for the search to end.
const KILLS: usize = 4;
const LAST: u8 = 4;

fn empty() -> Pool {
    (1..=LAST).map(|last| (Ipv4Addr::new(203, 0, 113, last), None)).collect()
}

struct Bench {
    servers: [Mutex<Server>; 2],
    keys: Credentials,
    /// What was given lately, by whichever client.
    known: Mutex<Vec<String>>,
    answered: AtomicUsize,
}

#[test]
fn whatever_is_killed_addresses_are_given_in_one_order() {
    let folder = Folder::new("together");
    let database = Database::start(&folder.0);
    let head = database.setting();
    let first = Server::start(&folder.0, None, &Settings { head: &head, ..Settings::default() });
    let second = Settings { name: "server2", head: &head, ..Settings::default() };
    let second = Server::start(&folder.0, Some(&first), &second);
    let keys = first.account("main");
    first.operate(&["pool", "add", "--name", "public", "--range", "203.0.113.1-203.0.113.4"]);
    let servers = [Mutex::new(first), Mutex::new(second)];
    let bench = Bench { servers, keys, known: Mutex::default(), answered: AtomicUsize::new(0) };
    let (mut calls, mut lost) = (0, 0);
    for seed in seeds(HISTORIES) {
        let begin = bench.pool(0);
        let history = bench.history(seed);
        assert!(is_linearizable(&begin, &history), "FOGBANK_SEED={seed}: {history:#?}");
        assert_broken_is_seen(&begin, &history);
        calls += history.len();
        lost += history.iter().filter(|call| call.ended.is_none()).count();
    }
    println!("{calls} calls in one order, {lost} of them without an answer");
    assert!(lost > 0, "no answer was lost: the test means little");
}

/// The same history in which an address was given twice is none.
fn assert_broken_is_seen(begin: &Pool, history: &[Call]) {
    let last = history.iter().filter_map(|call| call.ended).max().unwrap();
    let twice = |op| Call { begun: last, ended: Some(last), op };
    let all: Pool = begin.keys().map(|ip| (*ip, Some(Held::by("eipalloc-of-nobody")))).collect();
    let broken = [history, &[twice(Op::Describe(all))]].concat();
    assert!(!is_linearizable(begin, &broken), "an address of nobody's passes");
}

impl Bench {
    /// All clients at both servers, which are killed meanwhile.
    fn history(&self, seed: u64) -> Vec<Call> {
        let going = AtomicBool::new(true);
        std::thread::scope(|scope| {
            scope.spawn(|| self.kill(seed, &going));
            let clients: Vec<_> = (0..CLIENTS)
                .map(|n| scope.spawn(move || self.client(seed ^ ((n as u64 + 1) << 40), n % 2)))
                .collect();
            let mut history: Vec<Call> =
                clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
            going.store(false, Ordering::SeqCst);
            // What is true in the end is part of the history.
            history.push(self.describe(0));
            history
        })
    }

    /// Kills one server after the other, each time in the middle of calls.
    fn kill(&self, seed: u64, going: &AtomicBool) {
        let mut dice = Dice::new(seed);
        for _ in 0..KILLS {
            let before = self.answered.load(Ordering::SeqCst);
            let pause = 10 + dice.below(30);
            while self.answered.load(Ordering::SeqCst) < before + pause {
                if !going.load(Ordering::SeqCst) {
                    return;
                }
                std::thread::yield_now();
            }
            self.servers[dice.below(2)].lock().unwrap().restart(&[]);
        }
    }

    fn client(&self, seed: u64, server: usize) -> Vec<Call> {
        let mut dice = Dice::new(seed);
        (0..CALLS).filter_map(|_| self.one_call(&mut dice, server)).collect()
    }

    /// `None` where nothing was asked, or where nobody can say what a reader would have been told.
    fn one_call(&self, dice: &mut Dice, server: usize) -> Option<Call> {
        let lately = {
            let known = self.known.lock().unwrap();
            let some = &known[known.len().saturating_sub(4)..];
            (!some.is_empty()).then(|| dice.pick(some).clone())
        };
        match (dice.below(5), lately) {
            (0, _) => self.timed(server, &[("Action", "DescribeAddresses")], |reply| {
                reply.map(|reply| Op::Describe(pool_of(reply)))
            }),
            (1 | 2, Some(id)) => self.timed(
                server,
                &[("Action", "ReleaseAddress"), ("AllocationId", &id)],
                |reply| match reply {
                    None => Some(Op::LostRelease(id.clone())),
                    Some(reply) if reply.status == 200 => Some(Op::Release(id.clone(), Released::Yes)),
                    Some(reply) if reply.code() == Some("InvalidAllocationID.NotFound") => {
                        Some(Op::Release(id.clone(), Released::Unknown))
                    }
                    Some(_) => None,
                },
            ),
            _ => self.timed(server, &[("Action", "AllocateAddress")], |reply| match reply {
                None => Some(Op::LostAllocate),
                Some(reply) if reply.status == 200 => {
                    let id = reply.text("allocationId")?.to_owned();
                    self.known.lock().unwrap().push(id.clone());
                    Some(Op::Allocate(Some((reply.text("publicIp")?.parse().ok()?, id))))
                }
                Some(reply) if reply.code() == Some("InsufficientAddressCapacity") => {
                    Some(Op::Allocate(None))
                }
                Some(_) => None,
            }),
        }
    }

    /// One call with its moments. A refused connection is no call; a reader without an answer has read nothing.
    fn timed(
        &self,
        server: usize,
        pairs: &[(&str, &str)],
        op: impl FnOnce(Option<&Reply>) -> Option<Op>,
    ) -> Option<Call> {
        let api = self.servers[server].lock().unwrap().api;
        let begun = Instant::now();
        let reply = crate::server::signed(api, &self.keys, pairs);
        let ended = Instant::now();
        self.answered.fetch_add(1, Ordering::SeqCst);
        match reply {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => None,
            Ok(reply) if reply.status < 500 => {
                let op = op(Some(&reply)).unwrap_or_else(|| panic!("{pairs:?}: {reply:?}"));
                Some(Call { begun, ended: Some(ended), op })
            }
            // What went wrong inside is not said: it may have happened.
            _ => op(None).map(|op| Call { begun, ended: None, op }),
        }
    }

    fn describe(&self, server: usize) -> Call {
        let begun = Instant::now();
        let pool = self.pool(server);
        Call { begun, ended: Some(Instant::now()), op: Op::Describe(pool) }
    }

    /// What is given now, once the server is back.
    fn pool(&self, server: usize) -> Pool {
        let server = self.servers[server].lock().unwrap();
        pool_of(&server.call(&self.keys, &[("Action", "DescribeAddresses")]))
    }
}

fn pool_of(reply: &Reply) -> Pool {
    let mut pool = empty();
    for item in reply.body.split("<item>").skip(1) {
        let text = |element: &str| {
            let start = item.find(&format!("<{element}>")).unwrap() + element.len() + 2;
            item[start..].split('<').next().unwrap()
        };
        pool.insert(text("publicIp").parse().unwrap(), Some(Held::by(text("allocationId"))));
    }
    pool
}
