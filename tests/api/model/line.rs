//! A client that keeps its connection, as most do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::server::{Credentials, Reply};
use crate::sign::Signer;

/// The connection to one server.
pub struct Line {
    api: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

impl Line {
    pub fn to(api: SocketAddr) -> Self {
        Self { api, stream: None }
    }

    /// The server was killed: the next call connects again.
    pub fn hang_up(&mut self) {
        self.stream = None;
    }

    /// A call, made once: what has no answer is a failure.
    pub fn call(&mut self, by: &Credentials, pairs: &[(&str, &str)]) -> std::io::Result<Reply> {
        let at = fogbank::auth::date(fogbank::types::Micros::now());
        let Credentials { key, secret } = by.clone();
        let signer = Signer { key, secret, region: "us-east-1".into(), service: "ec2".into(), at };
        let pairs = [pairs, &[("Version", "2016-11-15")]].concat();
        let mut request = signer.v4_post(&self.api.to_string(), "/", &[], &pairs);
        request.headers.push(("connection".into(), "keep-alive".into()));
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => {
                let stream = TcpStream::connect(self.api)?;
                stream.set_nodelay(true)?;
                none.insert(BufReader::new(stream))
            }
        };
        stream.get_mut().write_all(&request.to_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Err(std::io::Error::other(format!("no answer but {head:?}")));
            }
        }
        let reply = Reply { status: head[9..12].parse().unwrap_or(0), head, body: String::new() };
        let length = reply.header("content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.ok_or_else(|| std::io::Error::other(reply.head.clone()))?];
        stream.read_exact(&mut body)?;
        Ok(Reply { body: String::from_utf8(body).map_err(std::io::Error::other)?, ..reply })
    }
}
