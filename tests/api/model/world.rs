//! The plain model's state: lists that are searched from the beginning to the end.

use std::collections::{BTreeMap, BTreeSet};

use super::acls::{Acl, AclAssociation, AclEntry};
use super::call::{Call, Code, Faults, Params, VALUE};
use super::families;
use super::gateways::{DhcpOptions, Gateway};
use super::lists::PrefixList;
use super::nat::NatGateway;
use super::peers::Peering;
pub use super::routes::Route;
use super::routing::{RouteTable, TableAssociation};
pub use super::subnets::Subnet;
use super::transfers::Transfer;
use super::tree::{Learned, Tree};
use super::vpcs::Vpc;

pub const REGION: &str = "us-east-1";
pub const ZONE: &str = "us-east-1a";
/// The number of the only zone (`regions::zone_id`).
pub const ZONE_ID: &str = "use1-az1";

#[derive(Clone, Debug)]
pub struct Account {
    pub id: String,
    pub vpc: String,
    pub subnet: String,
    /// What its default VPC has.
    pub dhcp_options: String,
}

#[derive(Clone, Debug)]
pub struct Pool {
    pub name: String,
    /// First and last.
    pub range: (u32, u32),
}

#[derive(Clone, Debug)]
pub struct Address {
    pub who: usize,
    pub id: String,
    pub ip: String,
    pub pool: String,
    /// Its id, the interface that it leads to, and the private address there.
    pub association: Option<(String, String, String)>,
    /// What reverse DNS says, as zones write it.
    pub name: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Group {
    pub who: usize,
    pub id: String,
    pub vpc: String,
    pub name: String,
    pub description: String,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Peer {
    V4(String),
    V6(String),
    /// A group of an account.
    Group(String, usize),
    /// A prefix list.
    List(String),
}

/// A protocol in EC2's words, and ports or ICMP's type and code.
pub type Traffic = (String, Option<(i64, i64)>);

#[derive(Clone, Debug)]
pub struct Rule {
    pub group: String,
    /// `None` until it was seen.
    pub id: Option<String>,
    pub egress: bool,
    pub traffic: Traffic,
    pub peer: Peer,
    pub description: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

#[derive(Clone, Debug)]
pub struct Instance {
    pub who: usize,
    pub id: String,
    pub reservation: String,
    pub index: usize,
    pub kind: String,
    pub key: Option<String>,
    pub token: String,
    pub state: State,
    /// Code and message.
    pub why: Option<(String, String)>,
    /// How often its state changed, which the times of changes are known by.
    pub changes: usize,
    pub starts: usize,
    /// Counts starts and reboots: what a host says is about one of them.
    pub boot: u64,
    /// Whether its host ever said that it ran.
    pub ran: bool,
    pub ends_by_itself: bool,
    pub keep: bool,
    pub keep_running: bool,
    /// http_tokens, hop limit, endpoint, tags.
    pub metadata: (String, i64, String, String),
}

#[derive(Clone, Debug)]
pub struct Interface {
    pub who: usize,
    pub id: String,
    pub subnet: String,
    pub mac: String,
    pub ip: String,
    /// Its secondary private addresses.
    pub more: Vec<String>,
    pub groups: Vec<String>,
    pub description: String,
    /// Its source and destination are.
    pub checked: bool,
    pub attachment: Option<Attachment>,
    /// Whether each start gives it a public address.
    pub auto_public: bool,
    /// The one that came by itself; [`UNSEEN`] until it was seen.
    pub public: Option<String>,
}

/// What ids begin with that no answer has told yet.
pub const UNSEEN: &str = "?";

impl Interface {
    /// The primary private address first.
    pub fn ips(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.ip).chain(&self.more)
    }
}

#[derive(Clone, Debug)]
pub struct Attachment {
    pub id: String,
    pub instance: String,
    /// 0 is the instance's first.
    pub index: i64,
    pub goes_with_it: bool,
}

#[derive(Clone, Debug)]
pub struct KeyPair {
    pub who: usize,
    pub id: String,
    pub name: String,
    pub kind: &'static str,
    pub fingerprint: String,
    pub public: String,
}

#[derive(Clone, Debug)]
pub struct Path {
    pub who: usize,
    pub id: String,
    pub source: String,
    pub destination: Option<String>,
    pub source_ip: Option<String>,
    pub destination_ip: Option<String>,
    pub protocol: String,
    pub port: Option<i64>,
}

#[derive(Clone, Debug)]
pub struct Analysis {
    pub who: usize,
    pub id: String,
    pub path: String,
    /// What was found, as it was answered: it has to stay.
    pub found: Vec<Tree>,
}

#[derive(Clone, Debug)]
pub struct Tag {
    pub who: usize,
    pub resource: String,
    pub key: String,
    pub value: String,
}

/// A request's pairs in order.
type Pairs = Vec<(String, String)>;

#[derive(Clone, Debug, Default)]
pub struct World {
    pub accounts: Vec<Account>,
    pub pools: Vec<Pool>,
    pub image: String,
    /// Whether the operator lets the host have no new instances.
    pub drained: bool,
    /// The highest private address that was ever given to anybody.
    pub highest: u32,
    /// Private addresses that anybody ever had, and where.
    pub used: BTreeSet<(String, u32)>,
    pub addresses: Vec<Address>,
    pub groups: Vec<Group>,
    pub rules: Vec<Rule>,
    pub vpcs: Vec<Vpc>,
    pub subnets: Vec<Subnet>,
    pub tables: Vec<RouteTable>,
    pub table_associations: Vec<TableAssociation>,
    pub routes: Vec<Route>,
    pub nats: Vec<NatGateway>,
    pub lists: Vec<PrefixList>,
    pub peerings: Vec<Peering>,
    pub acls: Vec<Acl>,
    pub acl_entries: Vec<AclEntry>,
    pub acl_associations: Vec<AclAssociation>,
    pub instances: Vec<Instance>,
    pub interfaces: Vec<Interface>,
    pub keys: Vec<KeyPair>,
    pub paths: Vec<Path>,
    pub analyses: Vec<Analysis>,
    pub gateways: Vec<Gateway>,
    pub dhcp_options: Vec<DhcpOptions>,
    pub tags: Vec<Tag>,
    pub transfers: Vec<Transfer>,
    /// How many there ever were.
    pub offers: usize,
    /// Account, action and token; what was asked and what it made.
    pub tokens: BTreeMap<(usize, &'static str, String), (Pairs, String)>,
    /// Every id that the server ever told.
    pub seen: BTreeSet<String>,
    pub learned: Learned,
}

/// The answer that is expected, or all that is wrong with the request.
pub type Outcome = Result<Vec<Tree>, Faults>;

impl World {
    /// Does what a call asks for; the ids of what it makes are taken from the answer.
    pub fn perform(&mut self, call: &Call, reply: &Tree) -> Outcome {
        let outcome = families::act(self, call, reply);
        self.settle();
        outcome
    }

    /// "When you stop or terminate your instance, we release its public IP address", and an Elastic IP address takes its
    /// place for good.
    pub fn settle(&mut self) {
        let keeps = |one: &Interface| {
            let to = one.attachment.as_ref();
            let of = |instance: &&Instance| to.is_some_and(|to| to.instance == instance.id);
            let runs = |one: &Instance| matches!(one.state, State::Pending | State::Running);
            self.instances.iter().find(of).is_some_and(runs) && self.address_at(&one.id, &one.ip).is_none()
        };
        let kept: Vec<bool> = self.interfaces.iter().map(keeps).collect();
        let gone = self.interfaces.iter_mut().zip(kept).filter(|(_, kept)| !kept);
        gone.for_each(|(one, _)| one.public = None);
    }

    /// The public address of one of an interface's private ones, and whose it is.
    pub fn public_of(&self, one: &Interface, ip: &str) -> Option<(String, String)> {
        let elastic = self.address_at(&one.id, ip);
        let elastic = elastic.map(|address| (address.ip.clone(), self.accounts[address.who].id.clone()));
        let own = one.public.clone().filter(|_| one.ip == ip);
        elastic.or_else(|| own.map(|ip| (ip, "amazon".to_owned())))
    }

    /// Whether somebody has a public address already.
    pub fn is_taken(&self, ip: &str) -> bool {
        self.addresses.iter().any(|address| address.ip == ip)
            || self.interfaces.iter().any(|one| one.public.as_deref() == Some(ip))
    }

    /// An address that came by itself, as an answer tells it: a free one of the first pool.
    pub fn new_public(&self, told: &str) -> String {
        let range = self.pools[0].range;
        let fits = ip(told).is_some_and(|ip| range.0 <= ip && ip <= range.1) && !self.is_taken(told);
        if fits { told.to_owned() } else { format!("a free public address instead of '{told}'") }
    }

    /// An id that the answer tells, which has to be a new one of that kind.
    pub fn new_id(&mut self, told: &str, prefix: &str) -> String {
        let digits = told.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-')).unwrap_or_default();
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() == 17 && digits.bytes().all(hex) && self.seen.insert(told.to_owned()) {
            told.to_owned()
        } else {
            format!("a new {prefix}- instead of '{told}'")
        }
    }

    pub fn arn(&self, who: usize, kind: &str, id: &str) -> String {
        format!("arn:aws:ec2:{REGION}:{}:{kind}/{id}", self.accounts[who].id)
    }

    /// Sets tags, in place of those with the same keys.
    pub fn tag(&mut self, who: usize, resource: &str, tags: &[(String, String)]) {
        for (key, value) in tags {
            self.tags.retain(|tag| tag.resource != resource || tag.key != *key || tag.who != who);
            self.tags.push(Tag { who, resource: resource.into(), key: key.clone(), value: value.clone() });
        }
    }

    pub fn tags_of(&self, resource: &str) -> Vec<(String, String)> {
        let own = self.tags.iter().filter(|tag| tag.resource == resource);
        own.map(|tag| (tag.key.clone(), tag.value.clone())).collect()
    }

    /// Those that an account gave to something of two accounts.
    pub fn tags_by(&self, who: usize, resource: &str) -> Vec<(String, String)> {
        let own = self.tags.iter().filter(|tag| tag.resource == resource && tag.who == who);
        own.map(|tag| (tag.key.clone(), tag.value.clone())).collect()
    }

    pub fn untag(&mut self, resource: &str) {
        self.tags.retain(|tag| tag.resource != resource);
    }

    /// What a client token of this call made before.
    pub fn replayed(&self, call: &Call) -> Result<Option<String>, Faults> {
        let Some(token) = call.params.one("ClientToken") else { return Ok(None) };
        match self.tokens.get(&(call.who, call.action, token.to_owned())) {
            Some((asked, made)) if *asked == call.params.meaning() => Ok(Some(made.clone())),
            Some(_) => Err("IdempotentParameterMismatch".into()),
            None => Ok(None),
        }
    }

    pub fn remember(&mut self, call: &Call, made: &str) {
        if let Some(token) = call.params.one("ClientToken") {
            let key = (call.who, call.action, token.to_owned());
            self.tokens.insert(key, (call.params.meaning(), made.to_owned()));
        }
    }
}

/// Tags that a call gives to what it makes of one kind.
pub fn new_tags(params: &Params, kinds: &[&str], kind: &str) -> Result<Vec<(String, String)>, Faults> {
    let mut faults = Faults::default();
    let mut tags = Vec::new();
    for specification in params.structures("TagSpecification") {
        let named = specification.one("ResourceType").unwrap_or_default().to_owned();
        faults.add_if(!kinds.contains(&&*named), VALUE);
        if named == kind {
            tags.extend(specification.structures("Tag").iter().map(tag));
        }
    }
    check_tags(&tags, &mut faults);
    faults.add_if(tags.len() > 50, "TagLimitExceeded");
    faults.done().map(|()| tags)
}

pub fn tag(params: &Params) -> (String, String) {
    let text = |name| params.one(name).unwrap_or_default().to_owned();
    (text("Key"), text("Value"))
}

/// "Maximum key length: 128, maximum value length: 256, the aws: prefix is reserved", and each key once.
pub fn check_tags(tags: &[(String, String)], faults: &mut Faults) {
    for (at, (key, value)) in tags.iter().enumerate() {
        let reserved = key.to_lowercase().starts_with("aws:");
        let long = key.chars().count() > 128 || value.chars().count() > 256;
        let twice = tags[..at].iter().any(|(other, _)| other == key);
        faults.add_if(key.is_empty() || reserved || long || twice, VALUE);
    }
}

/// `a.b.c.d` as a number.
pub fn ip(text: &str) -> Option<u32> {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |part: &&str| {
        let plain = !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
        let plain = plain && (part.len() == 1 || !part.starts_with('0'));
        part.parse::<u32>().ok().filter(|number| plain && *number < 256)
    };
    let numbers: Option<Vec<u32>> = parts.iter().map(number).collect();
    numbers.filter(|all| all.len() == 4).map(|all| all.iter().fold(0, |sum, part| sum * 256 + part))
}

pub fn ip_text(number: u32) -> String {
    let byte = |at: u32| number >> (8 * at) & 255;
    format!("{}.{}.{}.{}", byte(3), byte(2), byte(1), byte(0))
}

/// Exactly one of two parameters.
pub fn one_of<'a>(params: &'a Params, a: &str, b: &str) -> Result<Either<'a>, Code> {
    match (params.one(a), params.one(b)) {
        (Some(one), None) => Ok(Either::First(one)),
        (None, Some(other)) => Ok(Either::Second(other)),
        (None, None) => Err(super::call::MISSING),
        (Some(_), Some(_)) => Err(super::call::COMBINATION),
    }
}

pub enum Either<'a> {
    First(&'a str),
    Second(&'a str),
}
