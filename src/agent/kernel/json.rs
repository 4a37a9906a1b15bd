//! The model in the JSON that `nft -j -f -` reads, see libnftables-json(5).

use serde_json::{Value as Json, json};

use super::model::*;
use super::orders::{Orders, Verb};
use crate::agent::names::TABLE;

fn family(family: Family) -> &'static str {
    match family {
        Family::Inet => "inet",
        Family::Arp => "arp",
        Family::Ip6 => "ip6",
    }
}

fn field(field: Field) -> Json {
    let meta = |key: &str| json!({"meta": {"key": key}});
    let payload = |protocol: &str, field: &str| json!({"payload": {"protocol": protocol, "field": field}});
    match field {
        Field::InInterface => meta("iifname"),
        Field::OutInterface => meta("oifname"),
        Field::EtherSource => payload("ether", "saddr"),
        Field::Source => payload("ip", "saddr"),
        Field::Destination => payload("ip", "daddr"),
        Field::Source6 => payload("ip6", "saddr"),
        Field::Destination6 => payload("ip6", "daddr"),
        Field::Protocol => meta("l4proto"),
        Field::AnyDestPort => payload("th", "dport"),
        Field::TcpDestPort => payload("tcp", "dport"),
        Field::UdpDestPort => payload("udp", "dport"),
        Field::UdpSourcePort => payload("udp", "sport"),
        Field::IcmpType => payload("icmp", "type"),
        Field::IcmpCode => payload("icmp", "code"),
        Field::Icmp6Type => payload("icmpv6", "type"),
        Field::Icmp6Code => payload("icmpv6", "code"),
        Field::IpVersion => meta("nfproto"),
        Field::ArpSenderMac => payload("arp", "saddr ether"),
        Field::ArpSenderAddress => payload("arp", "saddr ip"),
        Field::CtState => json!({"ct": {"key": "state"}}),
        Field::CtDirection => json!({"ct": {"key": "direction"}}),
        Field::SourceKind => json!({"fib": {"result": "type", "flags": ["saddr"]}}),
        Field::Mark => meta("mark"),
        Field::NextHop => json!({"rt": {"key": "nexthop", "family": "ip"}}),
        Field::AnsweredAt => json!({"ct": {"key": "ip daddr", "dir": "reply"}}),
    }
}

fn fields(list: &[Field]) -> Json {
    match list {
        [one] => field(*one),
        several => json!({"concat": several.iter().copied().map(field).collect::<Vec<_>>()}),
    }
}

fn value(value: &Value) -> Json {
    match value {
        Value::Interface(name) => json!(name),
        Value::Word(word) => json!(word),
        Value::Mac(mac) => json!(mac.to_string()),
        Value::Address(address) => json!(address.to_string()),
        Value::Addresses(range) if range.count() == 1 => json!(range.first().to_string()),
        Value::Addresses(range) => json!({"range": [range.first().to_string(), range.last().to_string()]}),
        Value::Address6(address) => json!(address.to_string()),
        Value::Block6(block) => {
            json!({"prefix": {"addr": block.network().to_string(), "len": block.prefix_len()}})
        }
        Value::Number(number) => json!(number),
        Value::Numbers(from, to) if from == to => json!(from),
        Value::Numbers(from, to) => json!({"range": [from, to]}),
    }
}

fn verdict(verdict: &Verdict) -> Json {
    match verdict {
        Verdict::Accept => json!({"accept": null}),
        Verdict::Drop => json!({"drop": null}),
        Verdict::Goto(chain) => json!({"goto": {"target": chain}}),
        Verdict::Jump(chain) => json!({"jump": {"target": chain}}),
    }
}

fn condition(condition: &Match) -> Json {
    let status = |bit: &str, set: bool| {
        let left = json!({"&": [{"ct": {"key": "status"}}, bit]});
        json!({"match": {"op": if set { "!=" } else { "==" }, "left": left, "right": 0}})
    };
    match condition {
        Match::Fields(left, is, right) => {
            let right = match right {
                Right::Is(one) => value(one),
                Right::OneOf(several) => json!({"set": several.iter().map(value).collect::<Vec<_>>()}),
                Right::Set(name) => json!(format!("@{name}")),
            };
            json!({"match": {"op": if *is { "==" } else { "!=" }, "left": fields(left), "right": right}})
        }
        Match::Oftener(rate) => {
            json!({"limit": {"rate": rate, "per": "second", "burst": 2 * rate, "inv": true}})
        }
        Match::Dnat(set) => status("dnat", *set),
        Match::Snat(set) => status("snat", *set),
    }
}

fn target(target: &Target) -> Json {
    match target {
        Target::Address(address) => json!(address.to_string()),
        Target::Map(key, map) => json!({"map": {"key": field(*key), "data": format!("@{map}")}}),
    }
}

fn action(action: &Action) -> Json {
    match action {
        Action::Verdict(plain) => verdict(plain),
        Action::Dispatch(key, map) => json!({"vmap": {"key": field(*key), "data": format!("@{map}")}}),
        Action::Choose(key, choices) => {
            let pairs: Vec<_> = choices.iter().map(|(is, then)| json!([value(is), verdict(then)])).collect();
            json!({"vmap": {"key": field(*key), "data": {"set": pairs}}})
        }
        Action::Dnat(to, None) => json!({"dnat": {"family": "ip", "addr": target(to)}}),
        Action::Dnat(to, Some(port)) => {
            json!({"dnat": {"family": "ip", "addr": target(to), "port": port}})
        }
        Action::Snat(to) => json!({"snat": {"family": "ip", "addr": target(to)}}),
        Action::Mark(key, map) => {
            let value = json!({"map": {"key": field(*key), "data": format!("@{map}")}});
            json!({"mangle": {"key": field(Field::Mark), "value": value}})
        }
        Action::MarkAs(mark) => json!({"mangle": {"key": field(Field::Mark), "value": mark}}),
    }
}

fn element(key: &[Value], data: &Data) -> Json {
    let key = match key {
        [one] => value(one),
        several => json!({"concat": several.iter().map(value).collect::<Vec<_>>()}),
    };
    match data {
        Data::Nothing => key,
        Data::Address(address) => json!([key, address.to_string()]),
        Data::Verdict(to) => json!([key, verdict(to)]),
        Data::Mark(mark) => json!([key, mark]),
    }
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Add => "add",
        Verb::Delete => "delete",
    }
}

/// Writes the commands of one transaction.
#[derive(Default)]
pub struct Commands(Vec<Json>);

impl Commands {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The document for `nft`.
    pub fn document(self) -> String {
        json!({"nftables": self.0}).to_string()
    }

    fn push(&mut self, verb: &str, kind: &str, object: Json) {
        self.0.push(json!({verb: {kind: object}}));
    }
}

impl Orders for Commands {
    fn table(&mut self, verb: Verb, of: Family) {
        self.push(word(verb), "table", json!({"family": family(of), "name": TABLE}));
    }

    fn add_set(&mut self, of: Family, name: &str, set: &Set) {
        let mut object = json!({"family": family(of), "table": TABLE, "name": name, "type": set.key});
        if let [one] = set.key[..] {
            object["type"] = json!(one);
        }
        match set.data {
            DataType::Nothing => {}
            DataType::Address => object["map"] = json!("ipv4_addr"),
            DataType::Verdict => object["map"] = json!("verdict"),
            DataType::Mark => object["map"] = json!("mark"),
        }
        if set.interval {
            object["flags"] = json!(["interval"]);
        }
        let kind = if set.data == DataType::Nothing { "set" } else { "map" };
        self.push("add", kind, object);
    }

    fn delete_set(&mut self, of: Family, name: &str, set: &Set) {
        let kind = if set.data == DataType::Nothing { "set" } else { "map" };
        self.push("delete", kind, json!({"family": family(of), "table": TABLE, "name": name}));
    }

    fn elements<'a>(
        &mut self,
        verb: Verb,
        of: Family,
        (set, _): (&str, &Set),
        elements: impl Iterator<Item = (&'a Vec<Value>, &'a Data)>,
    ) {
        let list: Vec<_> = elements.map(|(key, data)| element(key, data)).collect();
        if !list.is_empty() {
            let object = json!({"family": family(of), "table": TABLE, "name": set, "elem": list});
            self.push(word(verb), "element", object);
        }
    }

    fn add_chain(&mut self, of: Family, name: &str, chain: &Chain) {
        let mut object = json!({"family": family(of), "table": TABLE, "name": name});
        if let Some((kind, hook, priority)) = chain.hook {
            object["type"] = json!(kind);
            object["hook"] = json!(hook);
            object["prio"] = json!(priority);
            object["policy"] = json!("accept");
        }
        self.push("add", "chain", object);
    }

    fn flush_chain(&mut self, of: Family, name: &str) {
        self.push("flush", "chain", json!({"family": family(of), "table": TABLE, "name": name}));
    }

    fn delete_chain(&mut self, of: Family, name: &str) {
        self.push("delete", "chain", json!({"family": family(of), "table": TABLE, "name": name}));
    }

    fn rules(&mut self, of: Family, chain: &str, rules: &[Rule]) {
        for rule in rules {
            let mut parts: Vec<_> = rule.matches.iter().map(condition).collect();
            parts.push(action(&rule.action));
            let object = json!({"family": family(of), "table": TABLE, "chain": chain, "expr": parts});
            self.push("add", "rule", object);
        }
    }
}
