//! The door over real sockets, with a small backend behind it.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;

use super::*;
use crate::auth::sign::{Signed, Signer};
use crate::auth::{Key, Secret};
use crate::control::quotas::Quotas;
use crate::control::{Caller, Status};
use crate::query::{Action, Fault, FaultCode};
use crate::types::{AccountId, Micros};
use crate::world::World;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "secret";
/// Longer than anything here should take, shorter than a runner's patience.
const BOUND: Duration = Duration::from_secs(20);

/// What the writer of the tests does with a write.
#[derive(Clone, Copy)]
enum Writes {
    Refuse,
    Panic,
    /// Waits to be released, then refuses.
    Wait,
}

struct Fake {
    writes: Writes,
    arrived: Notify,
    release: Notify,
    callers: Mutex<Vec<Caller>>,
}

impl Backend for Fake {
    fn world(&self) -> Arc<World> {
        Arc::new(World { generation: 42, ..World::default() })
    }

    fn status(&self) -> Arc<Status> {
        Arc::default()
    }

    fn key(&self, access_key: &str) -> Option<Key> {
        let account = AccountId::from_random(7);
        (access_key == KEY).then(|| Key { secret: Secret::new(SECRET), account })
    }

    async fn fresh(&self) -> Result<(), Fault> {
        Ok(())
    }

    async fn submit(&self, caller: Caller, _: Action) -> Result<Written, Fault> {
        self.callers.lock().unwrap().push(caller);
        self.arrived.notify_one();
        match self.writes {
            Writes::Refuse => {}
            Writes::Panic => panic!("a test's own panic"),
            Writes::Wait => self.release.notified().await,
        }
        Err(FaultCode::DryRunOperation.with("written & refused"))
    }

    fn queue_length(&self) -> usize {
        3
    }
}

struct Running {
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    fake: Arc<Fake>,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
}

fn start(config: ApiConfig, writes: Writes) -> Running {
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::open(ApiConfig { listen: local, ..config }).unwrap();
    let (address, metrics) = (server.address(), server.metrics_address());
    let fake =
        Arc::new(Fake { writes, arrived: Notify::new(), release: Notify::new(), callers: Mutex::default() });
    let (stop, stopped) = oneshot::channel::<()>();
    let backend = Arc::clone(&fake);
    let regions = Regions::new("us-east-1".into(), vec!["eu-west-1".into()], Vec::new());
    let served = tokio::spawn(async move {
        server.run(backend, (regions, Quotas::default()), async { drop(stopped.await) }).await.unwrap();
    });
    Running { address, metrics, fake, stop: Some(stop), served }
}

fn quick() -> ApiConfig {
    ApiConfig { header_timeout_seconds: 1, body_timeout_seconds: 1, ..ApiConfig::default() }
}

fn now_basic() -> String {
    let text = Micros::now().to_string();
    format!("{}Z", text[..19].replace(['-', ':'], ""))
}

fn signer() -> Signer {
    Signer {
        key: KEY.into(),
        secret: SECRET.into(),
        region: "eu-west-1".into(),
        service: "ec2".into(),
        at: now_basic(),
    }
}

const WRITE: [(&str, &str); 2] = [("Action", "AllocateAddress"), ("Version", "2016-11-15")];

fn write_request() -> Signed {
    signer().v4_post("localhost", "/", &[], &WRITE)
}

async fn bounded<T>(future: impl Future<Output = T>) -> T {
    timeout(BOUND, future).await.expect("it ends in time")
}

/// Everything that comes back on a connection until it is closed.
async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> String {
    // The server may answer and close before it has read everything.
    drop(stream.write_all(bytes).await);
    let mut reply = Vec::new();
    drop(bounded(stream.read_to_end(&mut reply)).await);
    String::from_utf8(reply).unwrap()
}

async fn send(address: SocketAddr, bytes: &[u8]) -> String {
    talk(TcpStream::connect(address).await.unwrap(), bytes).await
}

fn header<'a>(reply: &'a str, name: &str) -> Option<&'a str> {
    reply.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The reply is an EC2 fault with this status and code, and one request id in header and body.
fn assert_fault(reply: &str, status: u16, code: &str) {
    assert!(reply.starts_with(&format!("HTTP/1.1 {status} ")), "{status} {code}: {reply}");
    assert!(reply.contains(&format!("<Response><Errors><Error><Code>{code}</Code><Message>")), "{reply}");
    let id = header(reply, "x-amzn-requestid").expect("a request id");
    assert_eq!(id.len(), 36);
    assert!(reply.contains(&format!("<RequestID>{id}</RequestID>")), "{reply}");
    assert_eq!(header(reply, "content-type"), Some("text/xml;charset=UTF-8"));
}

fn raw(line: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()
}

#[tokio::test]
async fn a_signed_write_reaches_the_writer_with_its_owner() {
    let running = start(ApiConfig::default(), Writes::Refuse);
    for path in ["/", "/services/Cloud", "/services/Cloud/", "/services/Eucalyptus", "/services/Eucalyptus/"]
    {
        let signed = signer().v4_post("localhost", path, &[], &WRITE);
        let reply = send(running.address, &signed.to_bytes()).await;
        assert_fault(&reply, 412, "DryRunOperation");
        assert!(reply.contains("written &amp; refused"), "{reply}");
    }
    // euca2ools 3 signs every header that its HTTP library sends, save the User-Agent.
    let every = [("connection", "close"), ("content-length", "41"), ("accept-encoding", "gzip,  deflate")];
    for signed in [
        signer().v4_post("localhost", "/", &every, &WRITE),
        signer().v4_presigned("localhost", "/", 60, &WRITE),
        signer().v2("GET", "HmacSHA1", "localhost", "/", &WRITE),
        signer().v2("POST", "HmacSHA256", "localhost", "/", &WRITE),
    ] {
        assert_fault(&send(running.address, &signed.to_bytes()).await, 412, "DryRunOperation");
    }
    let callers = running.fake.callers.lock().unwrap();
    let regions: Vec<&str> = callers.iter().map(|caller| &*caller.owner.region.0).collect();
    assert_eq!(regions, [["eu-west-1"; 7].as_slice(), &["us-east-1"; 2]].concat());
    assert!(callers.iter().all(|caller| caller.owner.account == AccountId::from_random(7)));
}

#[tokio::test]
async fn everything_wrong_is_answered_with_a_fault() {
    let running = start(ApiConfig { sigv2: false, ..ApiConfig::default() }, Writes::Refuse);
    let mut changed = write_request();
    changed.body.push('x');
    let unknown = signer().v4_post("localhost", "/", &[], &[("Action", "No"), ("Version", "2016-11-15")]);
    let old = Signer { at: "20200101T000000Z".into(), ..signer() };
    let stranger = Signer { key: "AKIDSTRANGER".into(), ..signer() };
    let json = "content-type: application/json\r\ncontent-length: 2\r\n";
    for (bytes, status, code) in [
        (raw("GET /", "", ""), 403, "MissingAuthenticationToken"),
        (raw("GET /?a=%zz", "", ""), 400, "MalformedQueryString"),
        (raw("GET /nowhere", "", ""), 404, "NotFound"),
        (raw("POST /services", "content-length: 0\r\n", ""), 404, "NotFound"),
        (raw("DELETE /", "", ""), 405, "MethodNotAllowed"),
        (raw("POST /", json, "{}"), 400, "MalformedQueryString"),
        (raw("POST /", "authorization: Basic YTpi\r\ncontent-length: 0\r\n", ""), 400, "IncompleteSignature"),
        (raw("POST /", "transfer-encoding: chunked\r\n", "zz\r\n"), 400, "MalformedQueryString"),
        (changed.to_bytes(), 403, "SignatureDoesNotMatch"),
        (unknown.to_bytes(), 400, "InvalidAction"),
        (old.v4_post("localhost", "/", &[], &WRITE).to_bytes(), 400, "RequestExpired"),
        (stranger.v4_post("localhost", "/", &[], &WRITE).to_bytes(), 401, "AuthFailure"),
        (signer().v2("GET", "HmacSHA256", "localhost", "/", &WRITE).to_bytes(), 401, "AuthFailure"),
    ] {
        let reply = send(running.address, &bytes).await;
        assert_fault(&reply, status, code);
        assert_eq!(header(&reply, "allow").is_some(), status == 405);
    }
    assert!(running.fake.callers.lock().unwrap().is_empty());
}

#[tokio::test]
async fn strict_scopes_are_the_operators_choice() {
    let running = start(ApiConfig { strict_scope: true, ..ApiConfig::default() }, Writes::Refuse);
    for (region, service, code) in [
        ("us-east-1", "sts", "DryRunOperation"),
        ("eu-west-1", "ec2", "DryRunOperation"),
        ("undefined-4711", "ec2", "SignatureDoesNotMatch"),
        ("us-east-1", "127", "SignatureDoesNotMatch"),
    ] {
        let signer = Signer { region: region.into(), service: service.into(), ..signer() };
        let reply = send(running.address, &signer.v4_post("localhost", "/", &[], &WRITE).to_bytes()).await;
        assert!(reply.contains(&format!("<Code>{code}</Code>")), "{region} {service}: {reply}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_comes() {
    let running = start(ApiConfig::default(), Writes::Refuse);
    let body = "a".repeat(super::body::MAX_BODY + 1);
    let declared = format!("content-length: {}\r\n", body.len());
    let chunk = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    for bytes in [
        raw("POST /", &declared, &body),
        raw("POST /", "transfer-encoding: chunked\r\n", &chunk),
        raw("POST /", "content-length: 99999999999\r\n", ""),
        raw("POST /", &format!("{declared}expect: 100-continue\r\n"), ""),
    ] {
        assert_fault(&send(running.address, &bytes).await, 413, "RequestEntityTooLarge");
    }
    let whole = raw("POST /", &format!("content-length: {}\r\n", super::body::MAX_BODY), &body[1..]);
    assert_fault(&send(running.address, &whole).await, 403, "MissingAuthenticationToken");
}

#[tokio::test]
async fn slow_clients_are_let_go() {
    let running = start(quick(), Writes::Refuse);
    let slow_body = send(running.address, &raw("POST /", "content-length: 10\r\n", "a=1")).await;
    assert_fault(&slow_body, 400, "RequestTimeout");
    // Neither a stalled head nor an idle connection gets an answer: they are closed.
    for bytes in [&b"POST / HTTP/1.1\r\nhost: lo"[..], b""] {
        let reply = send(running.address, bytes).await;
        assert!(!reply.contains(" 200 "), "{reply}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_http_leave_the_server_alive() {
    let running = start(ApiConfig::default(), Writes::Refuse);
    let long = format!("GET /?{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(70_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200));
    for junk in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
    ] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        drop(stream.write_all(junk).await);
        stream.shutdown().await.unwrap();
        let mut reply = Vec::new();
        drop(bounded(stream.read_to_end(&mut reply)).await);
        assert!(!reply.starts_with(b"HTTP/1.1 200"));
    }
    assert_fault(&send(running.address, &write_request().to_bytes()).await, 412, "DryRunOperation");
}

#[tokio::test]
async fn a_panic_is_one_internal_error() {
    let running = start(ApiConfig::default(), Writes::Panic);
    for _ in 0..2 {
        let reply = send(running.address, &write_request().to_bytes()).await;
        assert_fault(&reply, 500, "InternalError");
        assert!(!reply.contains("own panic"), "{reply}");
    }
}

#[tokio::test]
async fn one_connection_takes_many_requests() {
    let running = start(ApiConfig::default(), Writes::Refuse);
    let kept = String::from_utf8(write_request().to_bytes()).unwrap().replace("connection: close\r\n", "");
    let both = [kept.into_bytes(), write_request().to_bytes()].concat();
    let reply = send(running.address, &both).await;
    assert_eq!(reply.matches("HTTP/1.1 412").count(), 2, "{reply}");
}

#[tokio::test]
async fn a_request_under_way_is_answered_after_the_stop() {
    let mut running = start(ApiConfig::default(), Writes::Wait);
    let address = running.address;
    let call = tokio::spawn(async move { send(address, &write_request().to_bytes()).await });
    let idle = TcpStream::connect(address).await.unwrap();
    bounded(running.fake.arrived.notified()).await;
    running.stop.take().unwrap().send(()).unwrap();
    bounded(async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    running.fake.release.notify_one();
    assert_fault(&call.await.unwrap(), 412, "DryRunOperation");
    bounded(running.served).await.unwrap();
    drop(idle);
}

#[tokio::test]
async fn a_peer_over_its_share_gets_no_connection() {
    let running = start(ApiConfig { max_connections_per_peer: 1, ..ApiConfig::default() }, Writes::Wait);
    let address = running.address;
    let first = tokio::spawn(async move { send(address, &write_request().to_bytes()).await });
    bounded(running.fake.arrived.notified()).await;
    assert_eq!(send(address, &write_request().to_bytes()).await, "");
    running.fake.release.notify_one();
    assert_fault(&first.await.unwrap(), 412, "DryRunOperation");
    let alive = async { while !send(address, &raw("GET /healthz", "", "")).await.contains(" 200 OK") {} };
    bounded(alive).await;
}

#[tokio::test]
async fn calls_beyond_a_burst_are_refused_where_the_operator_wants_that() {
    let running = start(ApiConfig { throttle: true, ..ApiConfig::default() }, Writes::Refuse);
    let stranger = Signer { secret: "another".into(), ..signer() };
    for _ in 0..60 {
        // Who has not signed takes nothing from the account.
        let signed = stranger.v4_post("localhost", "/", &[], &WRITE);
        assert_fault(&send(running.address, &signed.to_bytes()).await, 403, "SignatureDoesNotMatch");
    }
    for _ in 0..50 {
        assert_fault(&send(running.address, &write_request().to_bytes()).await, 412, "DryRunOperation");
    }
    let refused = async {
        loop {
            let reply = send(running.address, &write_request().to_bytes()).await;
            if !reply.contains("DryRunOperation") {
                return reply;
            }
        }
    };
    assert_fault(&bounded(refused).await, 503, "RequestLimitExceeded");
    let other = [("Action", "CreateInternetGateway"), ("Version", "2016-11-15")];
    let signed = signer().v4_post("localhost", "/", &[], &other);
    assert_fault(&send(running.address, &signed.to_bytes()).await, 412, "DryRunOperation");
}

#[tokio::test]
async fn health_and_metrics_are_for_this_machine() {
    let own = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let running = start(ApiConfig { metrics_listen: own, ..ApiConfig::default() }, Writes::Refuse);
    send(running.address, &write_request().to_bytes()).await;
    let addresses = [running.address, running.metrics.unwrap()];
    for address in addresses {
        let health = send(address, &raw("GET /healthz", "", "")).await;
        assert!(health.contains(" 200 OK") && health.ends_with("ok generation=42\n"), "{health}");
        let metrics = send(address, &raw("GET /metrics", "", "")).await;
        assert!(metrics.contains("action=\"AllocateAddress\",code=\"DryRunOperation\"} 1\n"), "{metrics}");
        assert!(metrics.contains("\nfogbank_write_queue_length 3\n"), "{metrics}");
    }
    for path in ["/healthz", "/metrics"] {
        let proxied = raw(&format!("GET {path}"), "x-forwarded-for: 192.0.2.1\r\n", "");
        assert_fault(&send(running.address, &proxied).await, 404, "NotFound");
    }
    let api_there = send(running.metrics.unwrap(), &write_request().to_bytes()).await;
    assert_fault(&api_there, 404, "NotFound");
}

#[tokio::test]
async fn tls_serves_the_same() {
    use rustls_pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = std::env::temp_dir().join(format!("fogbank-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let config = ApiConfig { tls_certificate: Some(certificate), tls_key: Some(key), ..quick() };
    let running = start(config, Writes::Refuse);
    std::fs::remove_dir_all(&folder).unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let tcp = TcpStream::connect(running.address).await.unwrap();
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
    assert_fault(&talk(stream, &write_request().to_bytes()).await, 412, "DryRunOperation");
    // Plain HTTP to the TLS port, and a handshake that stalls: closed, not served.
    for bytes in [&write_request().to_bytes()[..], b""] {
        assert!(!send(running.address, bytes).await.starts_with("HTTP"));
    }
}
