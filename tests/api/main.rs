//! The API as clients meet it: real `fogbank server` processes, spoken to over HTTP.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../common/database.rs"]
#[allow(dead_code)]
mod database;
#[path = "../proof/dice.rs"]
#[allow(dead_code)]
mod dice;
#[path = "../common/linear.rs"]
#[allow(dead_code)]
mod linear;
#[path = "../common/server.rs"]
#[allow(dead_code)]
mod server;
#[path = "../common/sign.rs"]
#[allow(dead_code)]
mod sign;

mod abuse;
mod crash;
mod crash_start;
mod doors;
mod faults;
mod load;
mod model;
mod together;

use server::{Folder, Server, Settings};

#[test]
fn a_server_that_was_killed_knows_its_accounts() {
    let folder = Folder::new("api");
    let mut server = Server::start(&folder.0, None, &Settings::default());
    let key = server.account("main");
    server.restart(&[]);
    let reply = server.call(&key, &[("Action", "DescribeVpcs")]);
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(reply.text("isDefault"), Some("true"), "{}", reply.body);
}
