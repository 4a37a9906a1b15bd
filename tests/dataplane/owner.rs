//! Who answers for an elastic IP when hosts and servers lose each other: two hosts on one public segment.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fogbank::plan::HostState;

use crate::hosts::{Host, SOON};
use crate::lab::{Ns, sh, within};
use crate::state::{ELASTIC, associate, empty};

/// Two hosts on one cable.
fn pair() -> (Host, Host) {
    crate::lab::sweep();
    let (old, new) = (Host::new("old"), Host::new("new"));
    for host in [&old, &new] {
        host.ns.sh("ip link add eth1 type bridge; ip link set eth1 up");
    }
    let peer = new.ns.name().to_owned();
    sh(&format!("ip -n {} link add eth0 type veth peer name eth0 netns {peer}", old.ns.name()));
    for (host, last) in [(&old, 2), (&new, 3)] {
        host.ns.sh(&format!("ip addr add 203.0.113.{last}/24 dev eth0; ip link set eth0 up"));
    }
    (old, new)
}

fn state(address_lease: u32) -> HostState {
    HostState { address_lease, generation: 1, ..associate(&empty(), ELASTIC[0], 0) }
}

#[test]
fn a_leased_address_ends_with_its_agent_and_its_server() {
    let (mut host, _other) = pair();
    host.confirm(Instant::now());
    host.tell(&state(3));
    host.start();
    // However slowly it starts, its server is there.
    let has_confirmed = || {
        host.confirm(Instant::now());
        host.has()
    };
    assert!(within(SOON, has_confirmed));
    let left = |text: String| text.trim_end_matches("sec").parse::<u32>().unwrap();
    assert!(left(host.lifetime()) <= 3);
    // Renewed while a server confirms it.
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(700));
        host.confirm(Instant::now());
        assert!(host.has());
    }
    // The agent is killed: the kernel alone ends it.
    let ended = Instant::now();
    host.stop();
    assert!(within(SOON, || !host.has()), "the address outlives its lease");
    assert!(ended.elapsed() < Duration::from_millis(4500), "{:?}", ended.elapsed());
    // A new agent that hears of no server does not take it again.
    host.start();
    assert!(within(SOON, || host.complains_of_the_address()));
    assert!(!host.has());
    let has_confirmed = || {
        host.confirm(Instant::now());
        host.has()
    };
    assert!(within(SOON, has_confirmed));
    // No lease any more: for ever.
    host.tell(&HostState { generation: 2, ..state(0) });
    assert!(within(SOON, || host.lifetime() == "forever"), "{}", host.lifetime());
    host.tell(&HostState { generation: 3, ..state(60) });
    assert!(within(SOON, || host.lifetime() != "forever"));
    assert!(host.has());
}

#[test]
fn a_host_without_its_server_gives_way_and_one_with_it_does_not() {
    let (mut old, mut new) = pair();
    old.confirm(Instant::now());
    old.tell(&state(0));
    old.start();
    assert!(within(SOON, || old.has()));
    // Its server is heard of: the other one, wrongly told, does not get the address.
    new.confirm(Instant::now());
    new.tell(&state(0));
    new.start();
    assert!(within(SOON, || new.complains_of_the_address()), "{:?}", new.applied.borrow());
    assert!(old.has() && !new.has());
    assert!(within(SOON, || old.complains_of_the_address()), "who was challenged says so");
    new.stop();
    // Now it is cut off from its servers, and they have given the address to the other one.
    let cut = Instant::now();
    while cut.elapsed() < Duration::from_millis(3500) {
        assert!(old.has(), "nobody has asked for it yet");
        std::thread::sleep(Duration::from_millis(100));
    }
    let watched = watch_both(&old, &new);
    new.confirm(Instant::now());
    let begun = Instant::now();
    new.start();
    assert!(within(SOON, || new.has()), "{:?}", new.applied.borrow());
    println!("moved without the old host's server in {:?}", begun.elapsed());
    assert!(!old.has());
    assert!(!watched.join().unwrap(), "at no moment both had it");
    // Its server comes back and says so: it stays away until it is told otherwise.
    old.tell(&HostState { generation: 2, ..empty() });
    old.confirm(Instant::now());
    assert!(within(SOON, || old.applied.borrow().generation == 2));
    assert!(!old.has() && new.has());
}

#[test]
fn without_a_server_only_what_nobody_answers_for_is_taken() {
    let (mut old, mut new) = pair();
    old.confirm(Instant::now());
    old.tell(&state(0));
    old.start();
    assert!(within(SOON, || old.has()));
    // It was booted anew, and has what it saved and no server.
    new.tell(&state(0));
    new.start();
    assert!(within(SOON, || new.complains_of_the_address()));
    assert!(old.has() && !new.has());
    old.tell(&HostState { generation: 2, ..empty() });
    assert!(within(SOON, || !old.has()));
    assert!(within(2 * SOON, || new.has()), "{:?}", new.applied.borrow());
}

/// Looks at both hosts for a second; whether both ever had it.
fn watch_both(old: &Host, new: &Host) -> JoinHandle<bool> {
    let line = format!("ip -4 -o addr show dev eth0 | grep -q \" {}/\"", ELASTIC[0]);
    let (old, new) = (old.ns.name().to_owned(), new.ns.name().to_owned());
    let has = move |ns: &str| {
        let mut command = std::process::Command::new("ip");
        command.args(["netns", "exec", ns, "sh", "-c", &line]).status().unwrap().success()
    };
    std::thread::spawn(move || {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(1) {
            // The old one is asked last: what it has now it had when the new one was asked.
            if has(&new) && has(&old) {
                return true;
            }
        }
        false
    })
}

#[test]
fn a_moved_address_is_not_announced_by_its_old_host_again() {
    let (mut old, new) = pair();
    old.confirm(Instant::now());
    old.tell(&state(0));
    let heard = listen(&new.ns, ELASTIC[0]);
    old.start();
    assert!(within(SOON, || old.has()));
    // Sooner than the announcement is repeated.
    old.tell(&HostState { generation: 2, ..empty() });
    assert!(within(SOON, || !old.has()));
    let gone = Instant::now();
    let last = heard.join().unwrap();
    assert!(last.is_some_and(|last| last < gone), "announced before and not after");
}

/// When an address was last announced, listened to for three seconds.
fn listen(ns: &Ns, address: Ipv4Addr) -> JoinHandle<Option<Instant>> {
    let ready = Arc::new(std::sync::Barrier::new(2));
    let listening = ready.clone();
    let listener = ns.spawn(move || {
        let socket = socket2::Socket::new(
            socket2::Domain::PACKET,
            socket2::Type::RAW,
            Some(socket2::Protocol::from(i32::from(0x0806_u16.to_be()))),
        )
        .unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        listening.wait();
        let (begun, mut last) = (Instant::now(), None);
        let mut frame = [std::mem::MaybeUninit::<u8>::uninit(); 128];
        while begun.elapsed() < Duration::from_secs(3) {
            let Ok(length) = socket.recv(&mut frame) else { continue };
            // SAFETY: the kernel has written that many.
            #[allow(unsafe_code)]
            let bytes: Vec<u8> = frame[..length].iter().map(|byte| unsafe { byte.assume_init() }).collect();
            if bytes.get(28..32) == Some(&address.octets()) {
                last = Some(Instant::now());
            }
        }
        last
    });
    ready.wait();
    listener
}
