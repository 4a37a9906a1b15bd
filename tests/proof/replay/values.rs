//! What is in sets and what is looked up in them, typed as nftables types it.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::Value as Json;

use super::tables::Set;

/// The parts of an element's key, each from a first to a last value.
pub type Bounds = Vec<(u128, u128)>;

/// A rule's look into a named set.
pub struct Lookup {
    pub set: String,
    pub key: Vec<String>,
    pub data: Option<&'static str>,
}

/// The key and the data of an element, `null` in plain sets.
pub fn element(set: &Set, element: &Json) -> Result<(Bounds, Json), String> {
    let (key, data) = match &set.data {
        None => (element, Json::Null),
        Some(kind) => {
            let [key, data] = element.as_array().map(Vec::as_slice).unwrap_or_default() else {
                return Err("a map's element is a pair".into());
            };
            let right = match kind.as_str() {
                "verdict" => data.is_object(),
                _ => one(kind, data).is_ok(),
            };
            if !right {
                return Err(format!("{data} is no {kind}"));
            }
            (key, data.clone())
        }
    };
    let parts = match key["concat"].as_array() {
        Some(parts) if set.key.len() > 1 => parts.clone(),
        None if set.key.len() == 1 => vec![key.clone()],
        _ => return Err(format!("{key} has not as many parts as the set")),
    };
    if parts.len() != set.key.len() {
        return Err(format!("{key} has not as many parts as the set"));
    }
    let parts = set.key.iter().zip(&parts).map(|(kind, part)| bounds(kind, part, set.interval));
    Ok((parts.collect::<Result<_, _>>()?, data))
}

fn bounds(kind: &str, part: &Json, interval: bool) -> Result<(u128, u128), String> {
    let Some([from, to]) = part["range"].as_array().map(Vec::as_slice) else {
        return one(kind, part).map(|value| (value, value));
    };
    let (from, to) = (one(kind, from)?, one(kind, to)?);
    if interval && from < to { Ok((from, to)) } else { Err(format!("{part} cannot be in the set")) }
}

fn one(kind: &str, value: &Json) -> Result<u128, String> {
    let text = value.as_str();
    let number = |most: u64| value.as_u64().filter(|number| *number <= most).map(u128::from);
    let value = match kind {
        "ipv4_addr" => text.and_then(|text| text.parse::<Ipv4Addr>().ok()).map(|ip| ip.to_bits().into()),
        "ipv6_addr" => text.and_then(|text| text.parse::<Ipv6Addr>().ok()).map(|ip| ip.to_bits()),
        "ether_addr" => text.and_then(mac),
        "ifname" => text.and_then(name),
        "inet_service" => number(65_535),
        "mark" => number(u32::MAX.into()),
        "inet_proto" | "icmp_type" | "icmp_code" => number(255),
        _ => None,
    };
    value.ok_or_else(|| format!("no {kind}"))
}

fn mac(text: &str) -> Option<u128> {
    let bytes: Vec<u8> =
        text.split(':').map(|part| u8::from_str_radix(part, 16)).collect::<Result<_, _>>().ok()?;
    (bytes.len() == 6).then(|| bytes.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte)))
}

/// An interface's name, at most 15 characters of the kernel's 16.
fn name(text: &str) -> Option<u128> {
    let plain = !text.is_empty() && text.len() < 16 && !text.contains('*');
    plain.then(|| text.bytes().fold(0, |sum, byte| sum << 8 | u128::from(byte)))
}

/// Whether two boxes have a point in common.
pub fn meet(one: &Bounds, other: &Bounds) -> bool {
    one.iter().zip(other).all(|(a, b)| a.0 <= b.1 && b.0 <= a.1)
}

/// Calls for a value and everything in it.
pub fn walk(value: &Json, see: &mut dyn FnMut(&Json)) {
    see(value);
    match value {
        Json::Array(list) => list.iter().for_each(|inner| walk(inner, see)),
        Json::Object(map) => map.values().for_each(|inner| walk(inner, see)),
        _ => {}
    }
}

/// The looks into named sets of a rule's parts.
pub fn lookups(parts: &Json) -> Result<Vec<Lookup>, String> {
    let mut found = Vec::new();
    let mut wrong = None;
    let marks = |part: &Json| part["mangle"]["value"]["map"].is_object();
    for map in parts.as_array().into_iter().flatten().filter(|part| marks(part)) {
        let map = &map["mangle"]["value"]["map"];
        let set = map["data"].as_str().and_then(|text| text.strip_prefix('@')).ok_or("no map of marks")?;
        found.push(Lookup { set: set.to_owned(), key: key(&map["key"])?, data: Some("mark") });
    }
    let rest = parts.as_array().into_iter().flatten().filter(|part| !marks(part)).cloned().collect();
    walk(&Json::Array(rest), &mut |value| {
        let condition = (&value["match"]["left"], &value["match"]["right"], None);
        let verdict = (&value["vmap"]["key"], &value["vmap"]["data"], Some("verdict"));
        let address = (&value["map"]["key"], &value["map"]["data"], Some("ipv4_addr"));
        for (left, right, data) in [condition, verdict, address] {
            let Some(set) = right.as_str().and_then(|text| text.strip_prefix('@')) else { continue };
            match key(left) {
                Ok(key) => found.push(Lookup { set: set.to_owned(), key, data }),
                Err(why) => wrong = Some(why),
            }
        }
    });
    wrong.map_or(Ok(found), Err)
}

fn key(left: &Json) -> Result<Vec<String>, String> {
    let fields = left["concat"].as_array().cloned().unwrap_or_else(|| vec![left.clone()]);
    fields.iter().map(|field| kind(field).map(str::to_owned)).collect()
}

/// The type of what a rule looks at.
fn kind(field: &Json) -> Result<&'static str, String> {
    let word = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let payload = (word(&field["payload"]["protocol"]), word(&field["payload"]["field"]));
    let meta = word(&field["meta"]["key"]);
    match (meta.as_str(), payload.0.as_str(), payload.1.as_str()) {
        ("iifname" | "oifname", ..) => Ok("ifname"),
        ("l4proto", ..) => Ok("inet_proto"),
        ("mark", ..) => Ok("mark"),
        (_, "ether", "saddr") | (_, "arp", "saddr ether") => Ok("ether_addr"),
        (_, "ip", "saddr" | "daddr") | (_, "arp", "saddr ip") => Ok("ipv4_addr"),
        (_, "ip6", "saddr" | "daddr") => Ok("ipv6_addr"),
        (_, "th" | "tcp" | "udp", "dport" | "sport") => Ok("inet_service"),
        (_, "icmp", "type") => Ok("icmp_type"),
        (_, "icmp", "code") => Ok("icmp_code"),
        _ if field["rt"]["key"] == "nexthop" || field["ct"]["key"] == "ip daddr" => Ok("ipv4_addr"),
        _ => Err(format!("{field} is nothing that sets have")),
    }
}
