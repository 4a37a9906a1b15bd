//! Elastic IPs: in, out, around, and away.

use crate::lab::*;
use crate::probe::{Flow, Kind::*, Server, open, shut};
use crate::state::*;

#[test]
fn an_instance_reaches_its_gateway_and_an_elastic_ip_reaches_it() {
    let mut lab = Lab::new();
    let one = port(1, &[1]);
    lab.instance(&one);
    let state = wide(&with_ports(empty(), &[one]), 1);
    lab.apply(&state);
    open(&lab.instances[0], [10, 0, 0, 1], Ping);
    let _server = Server::start(&lab.instances[0], 80);
    let _client = Server::start(&lab.internet, 80);
    shut(&lab.internet, ELASTIC[0], Tcp(80));
    assert_eq!(open(&lab.instances[0], CLIENT, Tcp(80)), HOST.to_string());
    lab.apply(&associate(&state, ELASTIC[0], 1));
    assert_eq!(open(&lab.internet, ELASTIC[0], Tcp(80)), CLIENT.to_string());
    assert_eq!(open(&lab.internet, ELASTIC[0], Udp(80)), CLIENT.to_string());
    open(&lab.internet, ELASTIC[0], Ping);
    open(&lab.internet, ELASTIC[0], Fragments(80));
    assert_eq!(open(&lab.instances[0], CLIENT, Tcp(80)), ELASTIC[0].to_string());
    assert_eq!(open(&lab.instances[0], CLIENT, Udp(80)), ELASTIC[0].to_string());
}

#[test]
fn disassociating_ends_it_everywhere_and_cuts_what_was_open() {
    let mut lab = Lab::new();
    let one = port(1, &[1]);
    lab.instance(&one);
    let state = wide(&with_ports(empty(), &[one]), 1);
    let mapped = associate(&state, ELASTIC[0], 1);
    lab.apply(&mapped);
    let _server = Server::start(&lab.instances[0], 80);
    let _client = Server::start(&lab.internet, 81);
    let mut inward = Flow::open(&lab.internet, ELASTIC[0], 80);
    let mut outward = Flow::open(&lab.instances[0], CLIENT, 81);
    assert!(inward.lives() && outward.lives());
    lab.apply(&state);
    assert!(!inward.lives(), "the flow to the address lives on");
    assert!(!outward.lives(), "the flow from the address lives on");
    shut(&lab.internet, ELASTIC[0], Tcp(80));
    shut(&lab.internet, ELASTIC[0], Ping);
    shut(&lab.instances[0], ELASTIC[0], Tcp(80));
    assert_eq!(open(&lab.instances[0], CLIENT, Tcp(81)), HOST.to_string());
}

#[test]
fn the_next_holder_inherits_nothing() {
    let mut lab = Lab::new();
    let (one, two) = (port(1, &[1]), port(2, &[1]));
    lab.instance(&one);
    lab.instance(&two);
    let state = wide(&with_ports(empty(), &[one, two]), 1);
    lab.apply(&associate(&state, ELASTIC[0], 1));
    let _one = Server::start(&lab.instances[0], 80);
    let _two = Server::start(&lab.instances[1], 80);
    let mut flow = Flow::open(&lab.internet, ELASTIC[0], 80);
    let mut neighbours = Flow::open(&lab.instances[0], ip(2), 80);
    lab.apply(&associate(&state, ELASTIC[0], 2));
    assert!(!flow.lives());
    assert!(neighbours.lives(), "a flow that does not use the address was cut");
    assert_eq!(open(&lab.internet, ELASTIC[0], Tcp(80)), CLIENT.to_string());
    assert_eq!(open(&lab.instances[1], CLIENT, Ping), CLIENT.to_string());
}

#[test]
fn instances_reach_elastic_ips_on_their_own_host_as_from_outside() {
    let mut lab = Lab::new();
    let (one, two) = (port(1, &[1]), port(2, &[2]));
    lab.instance(&one);
    lab.instance(&two);
    let state = wide(&with_ports(empty(), &[one, two]), 1);
    let only = |address: &str| edit(&state, 2, |g| g.ingress.ports = vec![ports_box(address, 6, 80, 80)]);
    let _one = Server::start(&lab.instances[0], 80);
    let _two = Server::start(&lab.instances[1], 80);
    // Without an elastic IP of its own, the source is the host's.
    let mapped = associate(&only("203.0.113.2"), ELASTIC[1], 2);
    lab.apply(&mapped);
    assert_eq!(open(&lab.instances[0], ELASTIC[1], Tcp(80)), HOST.to_string());
    shut(&lab.instances[0], ip(2), Tcp(80));
    // With one, that one.
    let mapped = associate(&associate(&only("203.0.113.100"), ELASTIC[1], 2), ELASTIC[0], 1);
    lab.apply(&mapped);
    assert_eq!(open(&lab.instances[0], ELASTIC[1], Tcp(80)), ELASTIC[0].to_string());
    // To itself, around.
    assert_eq!(open(&lab.instances[0], ELASTIC[0], Tcp(80)), ELASTIC[0].to_string());
    shut(&lab.instances[0], ip(2), Tcp(80));
    // The private address in a rule does not stand for a flow by way of the elastic IP.
    lab.apply(&associate(&associate(&only("10.0.0.11"), ELASTIC[1], 2), ELASTIC[0], 1));
    shut(&lab.instances[0], ELASTIC[1], Tcp(80));
    assert_eq!(open(&lab.instances[0], ip(2), Tcp(80)), ip(1).to_string());
}

#[test]
fn the_host_reaches_elastic_ips_and_answers_on_none() {
    let mut lab = Lab::new();
    let one = port(1, &[1]);
    lab.instance(&one);
    let state = wide(&with_ports(empty(), &[one]), 1);
    lab.apply(&associate(&state, ELASTIC[0], 1));
    let _server = Server::start(&lab.instances[0], 80);
    let _own = Server::start(&lab.host, 22);
    assert_eq!(open(&lab.host, ELASTIC[0], Tcp(80)), HOST.to_string());
    open(&lab.internet, HOST, Tcp(22));
    // Of the host's services none answers on the address, even after the mapping has gone.
    shut(&lab.internet, ELASTIC[0], Tcp(22));
    lab.apply(&state);
    lab.stop();
    lab.host.sh("ip addr add 203.0.113.100/32 dev eth0");
    shut(&lab.internet, ELASTIC[0], Tcp(22));
    open(&lab.internet, HOST, Tcp(22));
}

#[test]
fn an_address_that_another_answers_for_is_not_taken_until_it_is_free() {
    let mut lab = Lab::new();
    let one = port(1, &[1]);
    lab.instance(&one);
    let state = associate(&wide(&with_ports(empty(), &[one]), 1), ELASTIC[0], 1);
    lab.internet.sh(&format!("ip addr add {}/32 dev eth0", ELASTIC[0]));
    let applied = lab.try_apply(&state);
    let failure =
        applied.failures.iter().find(|failure| failure.subject == format!("address {}", ELASTIC[0]));
    assert!(failure.is_some_and(|failure| failure.message.contains("answers for it")), "{applied:?}");
    let held = || lab.host.sh("ip -4 addr show dev eth0").contains(&ELASTIC[0].to_string());
    assert!(!held());
    lab.internet.sh(&format!("ip addr del {}/32 dev eth0", ELASTIC[0]));
    assert!(within(std::time::Duration::from_secs(5), held), "taken when the other has gone");
}
