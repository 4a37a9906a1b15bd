//! Many clients at two servers of one database.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use super::calls::calls;
use super::linear::{self, Call, Held, Op, Released, is_linearizable};
use super::property::{check, fill};
use super::servers::{agree, two};
use super::testing::{Bed, Cluster, commit};
use crate::control::testing::Bench;
use crate::control::{Caller, Decision, HostStatus, View};
use crate::query::{self, Action, Fault, FaultCode, Response};
use crate::store::*;
use crate::types::*;
use crate::world::*;

fn pool_of(world: &World) -> linear::Pool {
    let mut pool: linear::Pool = (1..=3).map(|last| (Ipv4Addr::new(203, 0, 113, last), None)).collect();
    for address in world.addresses.values() {
        let instance =
            address.association.and_then(|to| world.enis[&to.eni].attachment).map(|at| at.instance);
        let held = Held { to: instance.map(|id| id.to_string()), ..Held::by(&address.id.to_string()) };
        pool.insert(address.public_ip, Some(held));
    }
    pool
}

/// An account with two instances on one host, and a pool of three addresses.
async fn prepare(bed: &Bed, pool: &str) -> Caller {
    let mut bench = Bench::small();
    let range: Range4 = pool.parse().unwrap();
    let row = bench.world.pools.values().next().unwrap();
    let row = Pool { range, next: Some(range.first()), ..(**row).clone() };
    bench.put(row);
    for _ in 0..2 {
        let image = bench.world.images.keys().next().unwrap().to_string();
        let run = [("Action", "RunInstances"), ("ImageId", &image), ("MinCount", "1"), ("MaxCount", "1")];
        let action = action(&run);
        bench.decide(|decision| query::dispatch_write(decision, &action).unwrap().unwrap());
    }
    commit(&mut bed.store().await, &bench.changes).await.unwrap();
    bench.caller
}

fn action(form: &[(&str, &str)]) -> Action {
    let mut pairs = vec![("Version".to_owned(), "2016-11-15".to_owned())];
    pairs.extend(form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    query::decode(&pairs).unwrap().action
}

/// A call as the HTTP door makes it.
async fn call(handle: &Handle, caller: &Caller, action: Action) -> Result<Response, Fault> {
    handle.fresh().await?;
    let (world, status) = (handle.world(), handle.status());
    let view = View { world: &world, status: &status, caller, now: Micros::now() };
    match query::dispatch_read(&view, &action) {
        Some(read) => read,
        None => {
            let decide = move |decision: &mut Decision<'_>| query::dispatch_write(decision, &action).unwrap();
            handle.submit(caller.clone(), false, decide).await
        }
    }
}

/// The hosts have applied everything, so that freed addresses are free at once.
fn apply_all(handle: &Handle) {
    let applied = HostStatus { applied: u64::MAX, last_seen: Micros::now(), ..HostStatus::default() };
    handle.update_status(|status| {
        for host in ["node1", "node2"] {
            status.hosts.insert(host.into(), applied.clone());
        }
    });
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// One client's calls on what it and the others were given.
async fn client(
    handle: Handle,
    caller: Caller,
    seed: u64,
    known: Arc<std::sync::Mutex<Vec<AllocationId>>>,
) -> Vec<Call> {
    let mut random = Random(seed);
    let instances: Vec<InstanceId> = handle.world().instances.keys().copied().collect();
    let mut calls = Vec::new();
    for _ in 0..40 {
        let id = {
            let known = known.lock().unwrap();
            let lately = known.len().saturating_sub(4);
            (known.len() > lately).then(|| known[lately + random.below(known.len() - lately)])
        };
        let instance = instances[random.below(instances.len())];
        let ip = Ipv4Addr::new(203, 0, 113, u8::try_from(1 + random.below(3)).unwrap());
        let what = random.below(6);
        let begun = Instant::now();
        let op = one_call(&handle, &caller, what, id, instance, ip).await;
        let ended = Instant::now();
        if let Op::Allocate(Some((_, id))) = &op {
            known.lock().unwrap().push(id.parse().unwrap());
        }
        calls.push(Call { begun, ended: Some(ended), op });
    }
    calls
}

async fn one_call(
    handle: &Handle,
    caller: &Caller,
    what: usize,
    id: Option<AllocationId>,
    instance: InstanceId,
    ip: Ipv4Addr,
) -> Op {
    let ask = async |form: &[(&str, &str)]| call(handle, caller, action(form)).await;
    match (what, id) {
        (2, Some(id)) => {
            let (text, instance_text) = (id.to_string(), instance.to_string());
            let form =
                [("Action", "AssociateAddress"), ("AllocationId", &*text), ("InstanceId", &*instance_text)];
            match ask(&[form.as_slice(), &[("AllowReassociation", "true")]].concat()).await {
                Ok(_) => Op::Associate(text, instance_text, true),
                Err(fault) if fault.code == FaultCode::InvalidAllocationIDNotFound => {
                    Op::Associate(text, instance_text, false)
                }
                Err(fault) => panic!("{fault:?}"),
            }
        }
        (3, _) => match ask(&[("Action", "DisassociateAddress"), ("PublicIp", &ip.to_string())]).await {
            Ok(_) => Op::Disassociate(ip, true),
            Err(fault)
                if [FaultCode::InvalidAddressNotFound, FaultCode::InvalidAssociationIDNotFound]
                    .contains(&fault.code) =>
            {
                Op::Disassociate(ip, false)
            }
            Err(fault) => panic!("{fault:?}"),
        },
        (4, Some(id)) => {
            let id = id.to_string();
            let released = match ask(&[("Action", "ReleaseAddress"), ("AllocationId", &id)]).await {
                Ok(_) => Released::Yes,
                Err(fault) if fault.code == FaultCode::InvalidAllocationIDNotFound => Released::Unknown,
                Err(fault) if fault.code == FaultCode::InvalidIPAddressInUse => Released::InUse,
                Err(fault) => panic!("{fault:?}"),
            };
            Op::Release(id, released)
        }
        (5, _) => {
            // As DescribeAddresses: what is published once the view is fresh.
            handle.fresh().await.unwrap();
            Op::Describe(pool_of(&handle.world()))
        }
        _ => match ask(&[("Action", "AllocateAddress")]).await {
            Ok(Response::AllocateAddress(given)) => {
                Op::Allocate(Some((given.public_ip, given.allocation_id.to_string())))
            }
            Err(fault) if fault.code == FaultCode::InsufficientAddressCapacity => Op::Allocate(None),
            other => panic!("{other:?}"),
        },
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_at_two_servers_are_as_calls_at_one() {
    let cluster = Cluster::new();
    for round in 0..3_u64 {
        let bed = Bed::postgres(&cluster);
        let caller = prepare(&bed, "203.0.113.1-203.0.113.3").await;
        let (a, b) = two(&bed).await;
        apply_all(&a);
        apply_all(&b);
        let begin = pool_of(&a.world());
        let known = Arc::default();
        let clients = (0..6_u64).map(|n| {
            let handle = if n % 2 == 0 { &a } else { &b };
            let seed = 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(6 * round + n + 1);
            tokio::spawn(client(handle.clone(), caller.clone(), seed, Arc::clone(&known)))
        });
        let histories = futures_util::future::join_all(clients).await;
        let history: Vec<Call> = histories.into_iter().flat_map(Result::unwrap).collect();
        assert!(is_linearizable(&begin, &history), "{history:#?}");
        agree(&bed, &a, &b).await;
        // Each kind of call was made, with each kind of answer that matters.
        let any = |what: fn(&Op) -> bool| assert!(history.iter().any(|call| what(&call.op)));
        any(|op| matches!(op, Op::Allocate(Some(_))));
        any(|op| matches!(op, Op::Allocate(None)));
        any(|op| matches!(op, Op::Associate(_, _, true)));
        any(|op| matches!(op, Op::Disassociate(_, true)));
        any(|op| matches!(op, Op::Release(_, Released::Yes)));
        breaks(&begin, &history);
    }
}

/// What a broken server might have answered is found in the same history.
fn breaks(begin: &linear::Pool, history: &[Call]) {
    let nobodys = AllocationId::from_random(u64::MAX).to_string();
    let broken = |change: &dyn Fn(&mut Vec<Call>)| {
        let mut history = history.to_vec();
        change(&mut history);
        assert!(!is_linearizable(begin, &history), "a broken history passes");
    };
    // An address given twice.
    broken(&|history| {
        let given = history.iter().find_map(|call| match &call.op {
            Op::Allocate(Some((ip, _))) => Some((*ip, call.ended)),
            _ => None,
        });
        let (ip, ended) = given.unwrap();
        let at = ended.unwrap() + std::time::Duration::from_nanos(1);
        let op = Op::Allocate(Some((ip, nobodys.clone())));
        history.push(Call { begun: at, ended: Some(at), op });
        let op = Op::Release(nobodys.clone(), Released::Yes);
        history.push(Call { begun: at, ended: Some(at), op });
    });
    // A server that has not heard: what was before all calls, seen after them.
    broken(&|history| {
        let end = history.iter().map(|call| call.ended).max().unwrap();
        let op = Op::Release(nobodys.clone(), Released::Yes);
        history.push(Call { begun: end.unwrap(), ended: end, op });
    });
    // A call that was answered and did not happen.
    broken(&|history| {
        let end = history.iter().map(|call| call.ended).max().unwrap();
        let pool = begin.keys().map(|ip| (*ip, Some(Held::by(&nobodys)))).collect();
        history.push(Call { begun: end.unwrap(), ended: end, op: Op::Describe(pool) });
    });
}

/// Any calls, of two servers at once: what holds of one World holds of the one that they share, no constraint of the
/// tables is ever needed, and a client token stands for one reservation wherever it is used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_decide_as_one() {
    let cluster = Cluster::new();
    let bed = Bed::postgres(&cluster);
    let caller = prepare(&bed, "203.0.113.0/28").await;
    let (a, b) = two(&bed).await;
    apply_all(&a);
    apply_all(&b);
    // The same token from all sides at once.
    let image = a.world().images.keys().next().unwrap().to_string();
    let runs = (0..12).map(|n| {
        let form = [("Action", "RunInstances"), ("ImageId", &*image), ("MinCount", "1"), ("MaxCount", "1")];
        let action = action(&[form.as_slice(), &[("ClientToken", "at once")]].concat());
        call(if n % 2 == 0 { &a } else { &b }, &caller, action)
    });
    let before = a.world().instances.len();
    let made: BTreeSet<String> = futures_util::future::join_all(runs)
        .await
        .into_iter()
        .map(|made| match made {
            Ok(Response::RunInstances(run)) => format!("{:?}", run.reservation_id),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(made.len(), 1);
    agree(&bed, &a, &b).await;
    assert_eq!(a.world().instances.len(), before + 1);

    let clients = (0..6_usize).map(|n| {
        let (handle, caller) = (if n % 2 == 0 { a.clone() } else { b.clone() }, caller.clone());
        tokio::spawn(async move {
            let forms = calls();
            let mut random = Random(0x2545_f491_4f6c_dd1d_u64.wrapping_mul(u64::try_from(n).unwrap() + 1));
            let mut reservations = BTreeSet::new();
            for _ in 0..60 {
                let form = forms[random.below(forms.len())];
                let world = handle.world();
                let mut pick = || u8::try_from(random.below(256)).unwrap();
                let form: Vec<(&str, String)> =
                    form.iter().map(|(name, value)| (*name, fill(&world, value, pick()))).collect();
                let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, &**value)).collect();
                match call(&handle, &caller, action(&form)).await {
                    Ok(Response::RunInstances(run)) if form.contains(&("ClientToken", "once")) => {
                        reservations.insert(run.reservation_id);
                    }
                    Ok(_) => {}
                    Err(fault) => assert!(fault.code.status() < 500, "{form:?}: {fault:?}"),
                }
                // One picks the group at random: another group with the same token is another request.
            }
            reservations
        })
    });
    let made = futures_util::future::join_all(clients).await;
    let reservations: BTreeSet<_> = made.into_iter().flat_map(Result::unwrap).collect();
    assert!(reservations.len() <= 1, "{reservations:?}");
    agree(&bed, &a, &b).await;
    check(&a.world());
}
