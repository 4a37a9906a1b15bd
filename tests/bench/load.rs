//! A client that outruns servers: requests are signed before the clock starts, and answers are counted, not read.
//!
//! Each connection has one request under way. All are served by one thread, so that what the client costs stays small
//! beside the server's work on a machine that both share; [`Run::own_cpu`] says how much it was.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);
const ROOM: usize = 64 * 1024;

pub struct Plan<'a> {
    pub to: SocketAddr,
    pub requests: &'a [Vec<u8>],
    /// Whether the first request follows the last one; else the run ends with them.
    pub again: bool,
    pub connections: usize,
    pub during: Duration,
    /// The process whose time is taken.
    pub server: u32,
}

/// What came of a plan.
#[derive(Default)]
pub struct Run {
    pub took: Duration,
    /// From a request's first byte sent to its answer's last, sorted.
    latencies: Vec<Duration>,
    /// Requests that were answered by an error, and the first such answer.
    pub refused: usize,
    pub first_refusal: String,
    /// Bytes of the last answer, without its head.
    pub size: usize,
    pub server_cpu: Duration,
    pub own_cpu: Duration,
}

impl Run {
    pub fn count(&self) -> usize {
        self.latencies.len()
    }

    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.count() as f64 / self.took.as_secs_f64()
    }

    /// In microseconds.
    pub fn quantile(&self, part: f64) -> f64 {
        let at = ((self.count() as f64 * part).ceil() as usize).saturating_sub(1);
        self.latencies.get(at).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
    }

    /// Microseconds of processor time for each request.
    pub fn each(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e6 / self.count() as f64
    }
}

/// Asks and counts.
pub fn run(plan: &Plan<'_>) -> io::Result<Run> {
    let mut run = Run::default();
    let mut connections = Vec::new();
    for _ in 0..plan.connections {
        connections.push(Connection::open(plan.to)?);
    }
    let (server_before, own_before) = (cpu_of(plan.server), own_cpu());
    let begun = Instant::now();
    let mut next = 0;
    for connection in &mut connections {
        connection.ask(plan, &mut next)?;
    }
    while connections.iter().any(|connection| connection.asked.is_some()) {
        for at in ready(&connections)? {
            let connection = &mut connections[at];
            if !connection.read()? {
                continue;
            }
            let now = Instant::now();
            connection.note(now, &mut run);
            if now - begun < plan.during {
                connection.ask(plan, &mut next)?;
            }
        }
    }
    run.took = begun.elapsed();
    run.own_cpu = own_cpu() - own_before;
    run.server_cpu = cpu_of(plan.server) - server_before;
    run.latencies.sort_unstable();
    Ok(run)
}

/// Those that have something to read.
fn ready(connections: &[Connection]) -> io::Result<Vec<usize>> {
    if connections.len() == 1 {
        return Ok(vec![0]);
    }
    let waiting: Vec<usize> = (0..connections.len()).filter(|at| connections[*at].asked.is_some()).collect();
    let mut polled: Vec<PollFd<'_>> =
        waiting.iter().map(|at| PollFd::new(connections[*at].stream.as_fd(), PollFlags::POLLIN)).collect();
    let patience = PollTimeout::try_from(PATIENCE).map_err(io::Error::other)?;
    if poll(&mut polled, patience)? == 0 {
        return Err(io::Error::other("no answer came"));
    }
    Ok(waiting
        .into_iter()
        .zip(&polled)
        .filter(|(_, one)| one.any() == Some(true))
        .map(|(at, _)| at)
        .collect())
}

struct Connection {
    to: SocketAddr,
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    /// Where the head ends, and where the body does, as far as known.
    head: Option<Head>,
    asked: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Head {
    end: usize,
    refused: bool,
    /// The last byte's place in the buffer; the connection's end where it is not told.
    until: Until,
    closes: bool,
}

#[derive(Clone, Copy)]
enum Until {
    Length(usize),
    LastChunk,
    Closed,
}

impl Connection {
    fn open(to: SocketAddr) -> io::Result<Self> {
        let stream = connect(to)?;
        Ok(Self { to, stream, buffer: vec![0; ROOM], filled: 0, head: None, asked: None })
    }

    /// Sends the next request, if there is one.
    fn ask(&mut self, plan: &Plan<'_>, next: &mut usize) -> io::Result<()> {
        if *next == plan.requests.len() {
            if !plan.again {
                return Ok(());
            }
            *next = 0;
        }
        self.asked = Some(Instant::now());
        if self.head.take().is_some_and(|head| head.closes) {
            self.stream = connect(self.to)?;
        }
        self.filled = 0;
        self.stream.write_all(&plan.requests[*next])?;
        *next += 1;
        Ok(())
    }

    /// Reads what is there; whether the answer is whole.
    fn read(&mut self) -> io::Result<bool> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.filled * 2, 0);
        }
        let read = self.stream.read(&mut self.buffer[self.filled..])?;
        self.filled += read;
        if self.head.is_none() {
            self.head = head(&self.buffer[..self.filled]);
        }
        let whole = self.head.is_some_and(|head| match head.until {
            Until::Length(length) => self.filled >= head.end + length,
            Until::LastChunk => self.buffer[head.end..self.filled].ends_with(b"0\r\n\r\n"),
            Until::Closed => read == 0,
        });
        match whole || read > 0 {
            true => Ok(whole),
            false => Err(io::Error::other("the server closed the connection")),
        }
    }

    fn note(&mut self, now: Instant, run: &mut Run) {
        let (Some(asked), Some(head)) = (self.asked.take(), self.head) else { return };
        run.latencies.push(now - asked);
        run.size = self.filled - head.end;
        if head.refused {
            run.refused += 1;
            if run.first_refusal.is_empty() {
                let text = String::from_utf8_lossy(&self.buffer[head.end..self.filled]);
                run.first_refusal = text.chars().take(300).collect();
            }
        }
    }
}

fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// What the head says, once it is whole.
fn head(bytes: &[u8]) -> Option<Head> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let mut lines = bytes[..end].split(|byte| *byte == b'\n');
    let status = lines.next()?.get(9..12)?;
    let mut head = Head { end, refused: status != b"200", until: Until::Closed, closes: false };
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            head.until = Until::Length(std::str::from_utf8(value).ok()?.parse().ok()?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            head.until = Until::LastChunk;
        } else if name.eq_ignore_ascii_case(b"connection") {
            head.closes = value.eq_ignore_ascii_case(b"close");
        }
    }
    head.closes |= matches!(head.until, Until::Closed);
    Some(head)
}

fn own_cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(micros.unsigned_abs())
}

/// What a process has used, by proc_pid_stat(5).
pub fn cpu_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks: u64 =
        fields.get(11..13).into_iter().flatten().filter_map(|field| field.parse::<u64>().ok()).sum();
    // A tick is 10 ms on every Linux that we run on (USER_HZ).
    Duration::from_millis(ticks * 10)
}
