//! Clients that do not behave, one kind at a time.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::{LET_GO, Site};
use crate::doors::own::{Pairs, borrowed};
use crate::server::signed;

/// Between two looks at connections that are held.
const LOOK: Duration = Duration::from_millis(50);

/// One kind: what it is called, and what it does until it is told to stop.
pub struct Kind {
    pub name: &'static str,
    pub act: fn(&Site, &AtomicBool),
}

pub const KINDS: [Kind; 19] = [
    Kind { name: "headers a byte at a time", act: slow_headers },
    Kind { name: "bodies a byte at a time", act: slow_bodies },
    Kind { name: "large bodies that stop halfway", act: halves },
    Kind { name: "bodies that never end", act: endless },
    Kind { name: "bodies announced and never sent", act: announced },
    Kind { name: "connections that vanish", act: vanish },
    Kind { name: "requests that vanish", act: vanish_asking },
    Kind { name: "answers that nobody reads", act: unread },
    Kind { name: "10,000 idle connections", act: idle },
    Kind { name: "64 KiB of headers, unfinished", act: large_heads },
    Kind { name: "10,000 headers", act: many_headers },
    Kind { name: "deep lists", act: deep },
    Kind { name: "lists with huge indexes", act: huge_indexes },
    Kind { name: "100,000 parameters", act: many_parameters },
    Kind { name: "one parameter many times", act: duplicates },
    Kind { name: "wrong encodings", act: wrong_encodings },
    Kind { name: "wrong signatures", act: wrong_signatures },
    Kind { name: "as much filter as may be", act: filters },
    Kind { name: "a thousand rules again and again", act: rules },
];

/// A connection from an address of the loopback.
pub fn connect(api: SocketAddr, from: Ipv4Addr) -> std::io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(IpAddr::V4(from), 0).into())?;
    // A server that takes no more must not hold the test.
    socket.connect_timeout(&api.into(), Duration::from_secs(5))?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(Duration::from_secs(1)))?;
    Ok(stream)
}

fn stranger() -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, 2)
}

fn goes(going: &AtomicBool) -> bool {
    going.load(Ordering::SeqCst)
}

/// Whether the other side has closed; what it said is thrown away.
fn is_closed(stream: &mut TcpStream) -> bool {
    let mut bytes = [0; 4096];
    match stream.read(&mut bytes) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() != ErrorKind::WouldBlock,
    }
}

/// Holds so many connections: each says `head` when it begins and `drip` from time to time; one that is closed begins anew.
fn hold(site: &Site, going: &AtomicBool, count: usize, head: &[u8], drip: &[u8]) {
    let begin = || {
        let mut stream = connect(site.api(), stranger()).ok()?;
        stream.write_all(head).ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(stream)
    };
    let mut held: Vec<Option<TcpStream>> = (0..count).map(|_| begin()).collect();
    while goes(going) {
        std::thread::sleep(LOOK);
        for place in &mut held {
            let lives = place.as_mut().is_some_and(|stream| !is_closed(stream) && stream.write(drip).is_ok());
            if !lives {
                *place = begin();
            }
        }
    }
}

/// By several at once: connect, send, read to the end, again.
fn flood(site: &Site, going: &AtomicBool, requests: &[Vec<u8>]) {
    const AT_ONCE: usize = 4;
    std::thread::scope(|scope| {
        for first in 0..AT_ONCE {
            scope.spawn(move || {
                for request in requests.iter().cycle().skip(first) {
                    if !goes(going) {
                        return;
                    }
                    let Ok(mut stream) = connect(site.api(), stranger()) else { continue };
                    drop(stream.write_all(request));
                    drop(stream.read_to_end(&mut Vec::new()));
                }
            });
        }
    });
}

/// Signed by somebody who has an account, and does not behave.
fn flood_signed(site: &Site, going: &AtomicBool, given: &Pairs) {
    const AT_ONCE: usize = 4;
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while goes(going) {
                    drop(signed(site.api(), &site.ill, &borrowed(given)));
                }
            });
        }
    });
}

fn head(line: &str, headers: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nhost: a\r\n{headers}\r\n").into_bytes()
}

fn form(body: &str) -> Vec<u8> {
    let kind = "content-type: application/x-www-form-urlencoded\r\nconnection: close\r\n";
    let mut bytes = head("POST /", &format!("{kind}content-length: {}\r\n", body.len()));
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

fn slow_headers(site: &Site, going: &AtomicBool) {
    hold(site, going, 200, b"GET / HTTP/1.1\r\nhost: a\r\nx-slow: ", b"a");
}

fn slow_bodies(site: &Site, going: &AtomicBool) {
    hold(site, going, 200, &head("POST /", "content-length: 60000\r\n"), b"a");
}

/// Each has a body that is large enough to be counted, and sends most of it.
fn halves(site: &Site, going: &AtomicBool) {
    let mut bytes = head("POST /", "content-length: 1000000\r\n");
    bytes.resize(bytes.len() + 900_000, b'a');
    hold(site, going, 100, &bytes, b"a");
}

fn endless(site: &Site, going: &AtomicBool) {
    let mut chunk = b"10000\r\n".to_vec();
    chunk.resize(chunk.len() + 0x10000, b'a');
    chunk.extend_from_slice(b"\r\n");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while goes(going) {
                    let Ok(mut stream) = connect(site.api(), stranger()) else { continue };
                    drop(stream.write_all(&head("POST /", "transfer-encoding: chunked\r\n")));
                    while goes(going) && stream.write_all(&chunk).is_ok() {}
                }
            });
        }
    });
}

fn announced(site: &Site, going: &AtomicBool) {
    hold(site, going, 200, &head("POST /", "content-length: 8000000\r\n"), b"");
}

fn reset(stream: TcpStream) {
    drop(Socket::from(stream).set_linger(Some(Duration::ZERO)));
}

fn vanish(site: &Site, going: &AtomicBool) {
    while goes(going) {
        connect(site.api(), stranger()).map(reset).ok();
    }
}

fn vanish_asking(site: &Site, going: &AtomicBool) {
    let request = form("Action=DescribeVpcs&Version=2016-11-15");
    while goes(going) {
        let Ok(mut stream) = connect(site.api(), stranger()) else { continue };
        drop(stream.write_all(&request));
        reset(stream);
    }
}

/// Asks for the longest answer that there is, many times on each connection, and reads nothing.
fn unread(site: &Site, going: &AtomicBool) {
    let request = site.long_request();
    let begin = || {
        let mut stream = connect(site.api(), stranger()).ok()?;
        stream.set_nonblocking(true).ok()?;
        (0..20).for_each(|_| drop(stream.write(&request)));
        Some(stream)
    };
    let held: Vec<_> = (0..100).map(|_| begin()).collect();
    while goes(going) {
        std::thread::sleep(LOOK);
    }
    drop(held);
}

/// From forty addresses, each within its share.
fn idle(site: &Site, going: &AtomicBool) {
    let from = |n: usize| Ipv4Addr::new(127, 0, 1, u8::try_from(1 + n / 250).unwrap());
    let held: Vec<_> = (0..10_000).map(|n| connect(site.api(), from(n))).collect();
    // A connection that was made may have been let go again: the server says how many there are.
    let there = || usize::try_from(site.metric("fogbank_connections")).unwrap();
    let begun = Instant::now();
    while there() < held.len() && begun.elapsed() < LET_GO && goes(going) {
        std::thread::sleep(LOOK);
    }
    site.opened.store(there(), Ordering::SeqCst);
    while goes(going) {
        std::thread::sleep(LOOK);
    }
}

fn large_heads(site: &Site, going: &AtomicBool) {
    let mut bytes = b"GET / HTTP/1.1\r\nhost: a\r\nx-large: ".to_vec();
    bytes.resize(60 * 1024, b'a');
    hold(site, going, 200, &bytes, b"a");
}

fn many_headers(site: &Site, going: &AtomicBool) {
    let some = |count: usize| head("GET /", &"a: b\r\n".repeat(count));
    flood(site, going, &[some(10_000), some(99), some(101)]);
}

fn deep(site: &Site, going: &AtomicBool) {
    let name = |n: usize, depth: usize| format!("A{n}{}", ".1".repeat(depth));
    let ten: Pairs = (0..5_000).map(|n| (name(n, 9), "1".to_owned())).collect();
    let given = [vec![("Action".to_owned(), "DescribeVpcs".to_owned())], ten].concat();
    std::thread::scope(|scope| {
        scope.spawn(|| flood_signed(site, going, &given));
        flood(site, going, &[form(&format!("{}=1", name(0, 100_000)))]);
    });
}

fn huge_indexes(site: &Site, going: &AtomicBool) {
    let index = |n: usize| (format!("VpcId.{}", 999_999 - n), format!("vpc-{n:017x}"));
    let given =
        [vec![("Action".to_owned(), "DescribeVpcs".to_owned())], (0..1000).map(index).collect()].concat();
    flood_signed(site, going, &given);
}

fn many_parameters(site: &Site, going: &AtomicBool) {
    let body = |count: usize| (0..count).map(|n| format!("a{n}=1&")).collect::<String>();
    let given = [
        vec![("Action".to_owned(), "DescribeVpcs".to_owned())],
        (0..9_000).map(|n| (format!("a{n}"), "1".to_owned())).collect(),
    ]
    .concat();
    std::thread::scope(|scope| {
        scope.spawn(|| flood_signed(site, going, &given));
        flood(site, going, &[form(&body(100_000)), form(&body(16_000))]);
    });
}

fn duplicates(site: &Site, going: &AtomicBool) {
    flood(site, going, &[form(&"Action=DescribeVpcs&".repeat(16_000)), form(&"a&".repeat(500_000))]);
}

fn wrong_encodings(site: &Site, going: &AtomicBool) {
    flood(site, going, &super::odd::wrong_encodings());
}

fn wrong_signatures(site: &Site, going: &AtomicBool) {
    let wrong = crate::sign::Signer { secret: "wrong".into(), ..site.signer() };
    let pairs = [("Action", "DescribeVpcs"), ("Version", "2016-11-15")];
    flood(
        site,
        going,
        &[
            wrong.v4_post("a", "/", &[], &pairs).to_bytes(),
            wrong.v2("GET", "HmacSHA1", "a", "/", &pairs).to_bytes(),
        ],
    );
}

/// Fifty filters of two hundred patterns each, over rules by the thousand.
fn filters(site: &Site, going: &AtomicBool) {
    let mut given = vec![("Action".to_owned(), "DescribeSecurityGroupRules".to_owned())];
    for filter in 1..=45 {
        given.push((format!("Filter.{filter}.Name"), "security-group-rule-id".to_owned()));
        for value in 1..=199 {
            given.push((format!("Filter.{filter}.Value.{value}"), format!("*s*g*r*-*{value}*x")));
        }
        given.push((format!("Filter.{filter}.Value.200"), "*".to_owned()));
    }
    flood_signed(site, going, &given);
}

fn rules(site: &Site, going: &AtomicBool) {
    flood(site, going, &[site.long_request()]);
}
