//! Agents and a server over a real wire on the loopback: joining, following, and being refused.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Feed, FeedConfig, Hub};
use crate::agent::{self, Enrolment, Server};
use crate::operator::{self, Operator};
use crate::plan::HostState;
use crate::plan::message::{Answer, News, Poll, Said};
use crate::plan::{Exit, HostReport};
use crate::store::{self, KeyFile, Place, Store, WriterSettings};

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("fogbank-feed-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A deployment with one server, and agents' folders.
struct Deployment {
    operator: Operator,
    hub: Arc<Hub>,
    server: String,
    folder: Folder,
}

impl Deployment {
    async fn start() -> Self {
        let folder = Folder::new();
        let key_file = KeyFile::open(&folder.0.join("key"), true).unwrap();
        let store = Store::open(&Place::Sqlite(folder.0.join("db"))).await.unwrap();
        let settings = WriterSettings {
            key_file,
            memory: folder.0.join("last-published"),
            give_up: |error| panic!("{error:?}"),
        };
        let handle = store::start(store, settings).await.unwrap();
        let operator =
            Operator { handle, region: "us-east-1".into(), others: Vec::new(), isolated: Vec::new() };
        let ensure = super::authority::ensure(&operator.handle).unwrap();
        operator.submit(ensure).await.unwrap();
        let hub = Hub::new(operator.clone());
        tokio::spawn(hub.clone().run());
        let listen = "127.0.0.1:0".parse().unwrap();
        let feed = Feed::open(&FeedConfig { listen }, hub.clone()).await.unwrap();
        let server = feed.address().unwrap().to_string();
        tokio::spawn(feed.serve());
        Self { operator, hub, server, folder }
    }

    async fn run(&self, words: &[&str]) -> serde_json::Value {
        self.operator.execute(operator::parse(words).unwrap()).await.unwrap()
    }

    async fn token(&self, host: &str) -> String {
        self.run(&["host", "add", host]).await["join_token"].as_str().unwrap().to_owned()
    }

    async fn until_away(&self, host: &str, away: bool) {
        let begun = Instant::now();
        while self.operator.handle.status().hosts[host].away != away {
            assert!(begun.elapsed() < Duration::from_secs(10), "{host} never away: {away}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn agent_folder(&self, host: &str) -> PathBuf {
        let path = self.folder.0.join(host);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    async fn join(&self, token: &str, host: &str) -> Result<Arc<str>, String> {
        let servers = ["127.0.0.1:1".to_owned(), self.server.clone()];
        agent::join_with(token, host, &servers, &self.agent_folder(host)).await
    }

    /// An agent that has joined and holds nothing yet.
    async fn agent(&self, host: &str) -> Agent {
        let token = self.token(host).await;
        self.join(&token, host).await.unwrap();
        let enrolment = Enrolment::read(&self.agent_folder(host)).unwrap();
        Agent { link: enrolment.link(std::slice::from_ref(&self.server)).unwrap(), held: None }
    }
}

struct Agent {
    link: agent::Link,
    held: Option<Arc<HostState>>,
}

impl Agent {
    async fn poll(&self, patience_ms: u64) -> Answer {
        let held = self.held.as_ref();
        let epoch = held.map(|state| state.epoch.clone()).unwrap_or_default();
        let generation = held.map_or(0, |state| state.generation);
        self.link.poll(&Poll { epoch, generation, patience_ms }).await.unwrap()
    }

    /// Polls once; what came.
    async fn follow(&mut self) -> &'static str {
        match self.poll(600).await.news {
            News::None => "nothing",
            News::Full(state) => {
                self.held = Some(state);
                "full"
            }
            News::Delta(delta) => {
                let held = self.held.take().unwrap();
                self.held = Some(Arc::new(delta.applied_to(&held).unwrap()));
                "delta"
            }
        }
    }

    async fn report(&self) {
        let held = self.held.as_ref().unwrap();
        let report = HostReport { applied: held.generation, memory_mib: 1024, ..HostReport::default() };
        let said = Said { epoch: held.epoch.clone(), report, consoles: Vec::new() };
        self.link.report(&said).await.unwrap();
    }
}

#[tokio::test]
async fn a_token_is_good_once_for_its_host_and_its_deployment() {
    let (ours, theirs) = (Deployment::start().await, Deployment::start().await);
    let token = ours.token("node1").await;
    let refused = ours.join("fogbank-join-nonsense", "node1").await.unwrap_err();
    assert!(refused.contains("no join token"), "{refused}");
    let refused = ours.join(&token, "node2").await.unwrap_err();
    assert!(refused.contains("for node1"), "{refused}");
    // The other deployment has a host of that name, and another authority.
    theirs.token("node1").await;
    let refused = theirs.join(&token, "node1").await.unwrap_err();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    assert_eq!(&*ours.join(&token, "node1").await.unwrap(), "node1");
    let refused = ours.join(&token, "node1").await.unwrap_err();
    assert!(refused.contains("was used"), "{refused}");
}

#[tokio::test]
async fn a_key_of_another_deployment_reads_nothing() {
    let (ours, theirs) = (Deployment::start().await, Deployment::start().await);
    ours.agent("node1").await;
    theirs.agent("node1").await;
    // Our certificate, their key: only the signature is wrong.
    let read = |of: &Deployment| -> serde_json::Value {
        let text = std::fs::read(of.agent_folder("node1").join("enrolment.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    let mut mixed = read(&theirs);
    mixed["certificate"] = read(&ours)["certificate"].clone();
    let mixed: Enrolment = serde_json::from_value(mixed).unwrap();
    let link = mixed.link(std::slice::from_ref(&ours.server)).unwrap();
    let refused = link.poll(&Poll::default()).await.unwrap_err();
    assert!(refused.contains("403"), "{refused}");
    let refused = link.report(&Said::default()).await.unwrap_err();
    assert!(refused.contains("403"), "{refused}");
    // A host that joins again has a new key, and the old one ends.
    let old = Enrolment::read(&ours.agent_folder("node1"))
        .unwrap()
        .link(std::slice::from_ref(&ours.server))
        .unwrap();
    old.poll(&Poll::default()).await.unwrap();
    ours.agent("node1").await;
    assert!(old.poll(&Poll::default()).await.unwrap_err().contains("403"));
}

#[tokio::test]
async fn a_state_comes_whole_once_and_then_as_what_changed() {
    let deployment = Deployment::start().await;
    let (mut one, mut two) = (deployment.agent("node1").await, deployment.agent("node2").await);
    assert_eq!(one.follow().await, "full");
    assert_eq!(two.follow().await, "full");
    assert_eq!(one.held.as_ref().unwrap().host, "node1".into());
    assert_eq!(two.held.as_ref().unwrap().host, "node2".into());
    deployment.run(&["network", "add", "--name", "flat", "--cidr", "10.0.0.0/24"]).await;
    assert_eq!(one.follow().await, "delta");
    assert_eq!(two.follow().await, "delta");
    // A poll that waits is woken; one whom nothing concerns is not.
    deployment.run(&["network", "gateway", "flat", "--host", "node2"]).await;
    assert_eq!(one.follow().await, "delta");
    assert_eq!(two.follow().await, "delta");
    assert_eq!(one.held.as_ref().unwrap().networks["flat"].exit, Exit::By("node2".into()));
    assert_eq!(two.held.as_ref().unwrap().networks["flat"].exit, Exit::ForAll);
    let begun = Instant::now();
    let (woken, ran) = tokio::join!(two.follow(), async {
        deployment.run(&["account", "create", "--name", "a"]).await;
        one.poll(0).await
    });
    assert_eq!((woken, ran.news), ("nothing", News::None), "an account concerns no host");
    assert!(begun.elapsed() >= Duration::from_millis(500), "the poll waited");
    // An answer that was lost on the way: the agent still holds what was before it.
    deployment.run(&["network", "gateway", "flat", "--distributed"]).await;
    assert!(matches!(one.poll(0).await.news, News::Delta(_)));
    assert!(matches!(one.poll(0).await.news, News::Delta(_)));
    assert_eq!(one.follow().await, "delta");
    // One that starts anew holds nothing; one of another history, nothing of use.
    one.held = None;
    assert_eq!(one.follow().await, "full");
    let other = HostState { epoch: "another".into(), ..HostState::clone(one.held.as_ref().unwrap()) };
    one.held = Some(Arc::new(other));
    assert_eq!(one.follow().await, "full");
    let ahead = HostState { generation: 1_000_000, ..HostState::clone(one.held.as_ref().unwrap()) };
    one.held = Some(Arc::new(ahead));
    assert_eq!(one.follow().await, "full");
}

#[tokio::test]
async fn a_write_waits_for_hosts_that_live_and_says_which_have_applied_it() {
    let deployment = Deployment::start().await;
    let (mut one, mut two) = (deployment.agent("node1").await, deployment.agent("node2").await);
    for agent in [&mut one, &mut two] {
        agent.follow().await;
        agent.report().await;
    }
    let bound = Duration::from_secs(5);
    let write = |name: &'static str| {
        let handle = deployment.operator.handle.clone();
        let caller = crate::control::testing::Bench::small().caller;
        async move {
            let made = handle.submit_noting(caller, false, move |decision| {
                let range = "198.51.100.0/28".parse().unwrap();
                crate::control::operator::add_pool(decision, name, range)
            });
            made.await.unwrap().1.unwrap()
        }
    };
    let done = write("one").await;
    let (applied, ()) = tokio::join!(deployment.hub.wait_applied(&done, bound), async {
        one.follow().await;
        one.report().await;
        two.follow().await;
        two.report().await;
    });
    let text = applied.unwrap().to_string();
    assert_eq!(text, format!("generation={}; applied=node1,node2", done.generation));
    // The second one goes away: it is not waited for longer than it takes to see that.
    deployment.run(&["pool", "remove", "one"]).await;
    let done = write("two").await;
    let begun = Instant::now();
    let (applied, ()) = tokio::join!(deployment.hub.wait_applied(&done, bound), async {
        one.follow().await;
        one.report().await;
        // It lives on all the while.
        one.follow().await;
        one.follow().await;
    });
    let text = applied.unwrap().to_string();
    assert_eq!(text, format!("generation={}; applied=node1; pending=node2", done.generation));
    assert!(begun.elapsed() < bound / 2, "{:?}", begun.elapsed());
    // Other servers are told so, until it is heard of again.
    deployment.until_away("node2", true).await;
    assert!(!deployment.operator.handle.status().hosts["node1"].away);
    two.poll(0).await;
    deployment.until_away("node2", false).await;
    // Nothing that concerns a host: nothing to say.
    let caller = crate::control::testing::Bench::small().caller;
    let made = deployment.operator.handle.submit_noting(caller, false, |decision| {
        crate::control::operator::create_account(decision, None, "b")
    });
    let done = made.await.unwrap().1.unwrap();
    assert_eq!(deployment.hub.wait_applied(&done, bound).await, None);
}

#[tokio::test]
async fn an_image_may_be_on_other_hosts_alone() {
    let deployment = Deployment::start().await;
    let folder = deployment.folder.0.join("image");
    std::fs::create_dir_all(&folder).unwrap();
    let here = folder.to_str().unwrap();
    let register = async |name, location| {
        let words = ["image", "register", "--name", name, "--location", location];
        deployment.operator.execute(operator::parse(&words).unwrap()).await
    };
    assert!(register("here", here).await.unwrap()["note"].is_null());
    let refused = register("lone", "/images/only-there").await.unwrap_err();
    assert!(refused.contains("No such file"), "{refused}");
    deployment.run(&["host", "add", "node1"]).await;
    let note = register("there", "/images/only-there").await.unwrap();
    assert!(note["note"].as_str().unwrap().contains("/images/only-there on every host"), "{note}");
    let refused = register("relative", "images/there").await.unwrap_err();
    assert!(refused.contains("absolute path"), "{refused}");
}

/// A way to a server that can be narrowed: connections that are there go on, or end, and new ones are refused.
struct Detour {
    address: String,
    accepting: tokio::task::JoinHandle<()>,
    connections: Arc<std::sync::Mutex<Vec<tokio::task::JoinHandle<()>>>>,
    carried: Arc<AtomicUsize>,
}

impl Detour {
    async fn to(server: String) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (connections, carried) =
            (Arc::new(std::sync::Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (all, count) = (connections.clone(), carried.clone());
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = tokio::net::TcpStream::connect(&server).await.unwrap();
                let passing = tokio::spawn(pass(near, far, count.clone()));
                all.lock().unwrap().push(passing);
            }
        });
        Self { address, accepting, connections, carried }
    }
}

async fn pass(near: tokio::net::TcpStream, far: tokio::net::TcpStream, carried: Arc<AtomicUsize>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let ((mut from_near, mut to_near), (mut from_far, mut to_far)) = (near.into_split(), far.into_split());
    let out = async move {
        let mut buffer = vec![0; 4096];
        while let Ok(length @ 1..) = from_near.read(&mut buffer).await {
            carried.fetch_add(length, Ordering::Relaxed);
            to_far.write_all(&buffer[..length]).await.unwrap();
        }
    };
    tokio::join!(out, tokio::io::copy(&mut from_far, &mut to_near)).1.unwrap();
}

#[tokio::test]
async fn an_agent_that_changes_its_server_reports_to_the_new_one_too() {
    let deployment = Deployment::start().await;
    let mut agent = deployment.agent("node1").await;
    let detour = Detour::to(deployment.server.clone()).await;
    let enrolment = Enrolment::read(&deployment.agent_folder("node1")).unwrap();
    let mut servers = [detour.address.clone(), deployment.server.clone()];
    agent.link = enrolment.link(&servers).unwrap();
    agent.poll(0).await;
    if detour.carried.load(Ordering::Relaxed) == 0 {
        // Which one it begins with is its key's to say.
        servers.reverse();
        agent.link = enrolment.link(&servers).unwrap();
    }
    agent.follow().await;
    agent.report().await;
    assert_eq!(detour.connections.lock().unwrap().len(), 2, "one for polls, then one for reports");
    detour.accepting.abort();
    detour.connections.lock().unwrap()[0].abort();
    agent.link.poll(&Poll::default()).await.unwrap_err();
    assert_eq!(agent.follow().await, "nothing", "by the other one");
    let carried = detour.carried.load(Ordering::Relaxed);
    agent.report().await;
    let more = detour.carried.load(Ordering::Relaxed) - carried;
    assert!(more < 100, "reports go where polls go; TLS says goodbye by the old way: {more}");
}
