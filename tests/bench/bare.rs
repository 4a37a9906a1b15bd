//! A web server that knows its answer: what axum and the kernel cost without anything of ours.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::any;
use axum::serve::ListenerExt;

/// This program again, as that server.
pub const COMMAND: &str = "--bare-server";

/// It ends with the value.
pub struct Bare {
    child: Child,
    pub api: SocketAddr,
}

impl Bare {
    /// Answers every request with so many bytes.
    pub fn start(size: usize) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.arg(COMMAND).arg(size.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, api: line.trim().parse().unwrap() }
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server itself, until it is killed.
pub fn serve(size: usize) {
    let answer = Bytes::from(vec![b'x'; size]);
    // The whole request is read, as whoever answers it must.
    let handler = move |_request: Bytes| {
        let answer = answer.clone();
        async move { ([(CONTENT_TYPE, "text/xml;charset=UTF-8")], answer) }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, Router::new().route("/", any(handler))).await.unwrap();
    });
}
