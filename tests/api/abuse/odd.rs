//! Requests that are no requests, or more than one.

use std::io::{Read, Write};
use std::net::Ipv4Addr;

use super::Site;
use super::ill::connect;

const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST / HTTP/1.1\r\nhost: a\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Bodies that are no form in UTF-8.
pub fn wrong_encodings() -> Vec<Vec<u8>> {
    let utf16: Vec<u8> = "Action=DescribeVpcs".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let gzip = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec();
    let close = format!("{FORM}connection: close\r\n");
    let with = |headers: &str, body: &[u8]| post(&format!("connection: close\r\n{headers}"), body);
    vec![
        post(&close, b"Action=\xff\xfe"),
        post(&close, b"Action=%ff%fe"),
        post(&close, b"Action=%"),
        post(&close, b"Action=%0"),
        post(&close, b"Action=%zz"),
        post(&close, b"Action=%00"),
        post(&close, b"Action=\0"),
        post(&close, b"Action=%u0041"),
        post(&close, &[b"Action=".to_vec(), vec![0xc0, 0x80]].concat()),
        post(&close, &utf16),
        post(&close, &[b"\xff\xfe".to_vec(), utf16].concat()),
        post(&format!("{close}content-encoding: gzip\r\n"), &gzip),
        with("content-type: application/json\r\n", b"{}"),
        with("content-type: multipart/form-data; boundary=a\r\n", b"--a--"),
        with("content-type: application/x-www-form-urlencoded; charset=utf-16\r\n", b"a=1"),
        with("content-type: text/xml\r\n", b"<a/>"),
    ]
}

/// Every status that comes on a connection until it is closed.
fn statuses(site: &Site, bytes: &[u8]) -> Vec<u16> {
    let mut stream = connect(site.api(), Ipv4Addr::new(127, 0, 0, 3)).unwrap();
    drop(stream.write_all(bytes));
    let mut text = Vec::new();
    drop(stream.read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text);
    text.split("HTTP/1.").skip(1).filter_map(|reply| reply.get(2..5)?.parse().ok()).collect()
}

#[test]
fn what_is_no_form_is_refused() {
    let site = Site::start("abuse-encodings", "");
    for bytes in wrong_encodings() {
        assert_eq!(statuses(&site, &bytes), [400], "{:?}", String::from_utf8_lossy(&bytes));
    }
}

/// A request that must not be answered: it is within what the first one says is its body.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn one_request_is_not_two_and_two_are_not_one() {
    let site = Site::start("abuse-shapes", "header_timeout_seconds = 1\nbody_timeout_seconds = 1\n");
    let whole = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let with = |headers: &str, body: &str| format!("POST / HTTP/1.1\r\nhost: a\r\n{headers}\r\n{body}");
    let none: &[u16] = &[];
    let chunked = "transfer-encoding: chunked\r\n";
    let cases = [
        ("fifty one after the other", whole.repeat(50), &[403; 50][..]),
        ("HTTP/1.0", "GET / HTTP/1.0\r\n\r\n".to_owned(), &[403]),
        ("HTTP/1.0 does not stay", format!("GET / HTTP/1.0\r\n\r\n{HIDDEN}"), &[403]),
        ("HTTP/0.9", "GET /\r\n\r\n".to_owned(), &[400]),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), none),
        ("two lengths", with("content-length: 5\r\ncontent-length: 0\r\n", HIDDEN), &[400]),
        ("two lengths in one", with("content-length: 5, 0\r\n", HIDDEN), &[400]),
        ("a length with a sign", with("content-length: +5\r\n", HIDDEN), &[400]),
        ("a length in hexadecimal", with("content-length: 0x5\r\n", HIDDEN), &[400]),
        ("a length below zero", with("content-length: -1\r\n", HIDDEN), &[400]),
        ("a blank before the colon", with("content-length : 5\r\n", HIDDEN), &[400]),
        ("a folded header", with("x-a: b\r\n content-length: 5\r\n", HIDDEN), &[400]),
        (
            "length, then chunks",
            with(&format!("content-length: 5\r\n{chunked}"), &format!("0\r\n\r\n{HIDDEN}")),
            &[403],
        ),
        (
            "chunks, then a length",
            with(&format!("{chunked}content-length: 5\r\n"), &format!("0\r\n\r\n{HIDDEN}")),
            &[403],
        ),
        ("chunks under another name", with("transfer-encoding: xchunked\r\n", HIDDEN), &[400]),
        ("chunks that are not last", with("transfer-encoding: chunked, identity\r\n", HIDDEN), &[400]),
        ("chunks in HTTP/1.0", with(chunked, "0\r\n\r\n").replace("HTTP/1.1", "HTTP/1.0"), &[400]),
        ("a chunk of any size", with(chunked, &format!("FFFFFFFFFFFFFFFFF\r\n{HIDDEN}")), &[400]),
        ("a chunk below zero", with(chunked, &format!("-1\r\n{HIDDEN}")), &[400]),
        ("another's name", "GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), &[403]),
        ("a tunnel", "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), &[404]),
        ("a trace", "TRACE / HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), &[405]),
        ("the whole server", "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), &[404]),
        ("above the top", "GET /../../etc/passwd HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), &[404]),
        ("another road", "GET //services/Cloud HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), &[404]),
        ("NUL in a header", "GET / HTTP/1.1\r\nhost: a\0b\r\n\r\n".to_owned(), &[400]),
        ("lines that end in LF", "GET / HTTP/1.1\nhost: a\n\n".to_owned(), &[403]),
    ];
    // What is not closed at once is closed after a second, which all of them wait for together.
    std::thread::scope(|scope| {
        for (what, text, wanted) in &cases {
            let site = &site;
            scope.spawn(move || assert_eq!(statuses(site, text.as_bytes()), *wanted, "{what}"));
        }
    });
}
