//! Key pairs, by EC2's reference: CreateKeyPair, ImportKeyPair, DeleteKeyPair.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::call::{Call, Faults, VALUE};
use super::steps::Chooser;
use super::tree::{Tree, leaf, tag_set};
use super::world::*;

/// Public keys that `ssh-keygen` made: the line without its comment, the kind, and the fingerprint as EC2 has it, found
/// with `ssh-keygen -e -m PKCS8 | openssl pkey -pubin -outform DER | md5sum` and, for ED25519, from the line's base64 with
/// `openssl dgst -sha256 -binary | base64`.
pub const PUBLIC: &[(&str, &str, &str)] = &[
    (
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPMlCOP4zZhi5IjQLduTkM5UZnfP0ghMCCEymi4Fof4D",
        "ed25519",
        "qwFI8wBjT0thfjOQR14qscHs6blVeLpcl8Wtwf2z53o=",
    ),
    (
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIIiiYpKUqOwyZOBc90pbtcMYUFpDUM9y/TLq+pT2fli",
        "ed25519",
        "WRG0zfdymUo7Rw+a1ijKKNaULD7YADHTgPg7JTejTw8=",
    ),
    (
        "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQC3qylgrgIUGcWeOqlm7DjJ3OFtxLM4ydpRTjkji4C6ECmyRzKhiztG62085XN6cSq23zw9XTPlu+EMSWHJ9dmCNBCtthTRzH/lC2oiVq6UYue+VTgZjT2dGkIiE4C2z972Ah4Cwt95H6sQJhm4mePLSJpOS0pRTNFVcM5yV85zpn5YA3Xfoixn7i6QjK+0CUuonmW7cn7G+wIpcgVSTXtY19m2SXtn/Bp21VMbWhCwDuaYoGOkKkvrb53rKG6iBXslgFO/5+oVfwI6RYGp+pdcdZG7bQjt6Jv2F9/qjFI5Cq58xUNWwbijKkjXpFCEySR00C779QqtPoy+4XuQXCzH",
        "rsa",
        "07:5a:be:79:c6:52:e6:9b:b1:6e:bc:1b:1b:8a:63:20",
    ),
];

/// "Up to 255 ASCII characters [...] can't include leading or trailing spaces."
fn check(world: &World, call: &Call, faults: &mut Faults) -> String {
    let name = call.params.one("KeyName").unwrap_or_default().to_owned();
    let fits = name.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && name.trim_matches(' ') == name;
    faults.add_if(!fits, VALUE);
    let same = |key: &KeyPair| key.who == call.who && key.name == name;
    faults.add_if(world.keys.iter().any(same), "InvalidKeyPair.Duplicate");
    name
}

fn add(world: &mut World, call: &Call, key: KeyPair, tags: &[(String, String)]) -> Vec<Tree> {
    let mut answer = vec![
        leaf("keyName", &key.name),
        leaf("keyFingerprint", &key.fingerprint),
        leaf("keyPairId", &key.id),
    ];
    if !tags.is_empty() {
        answer.push(tag_set("tagSet", tags));
    }
    world.tag(call.who, &key.id, tags);
    world.keys.push(key);
    answer
}

pub fn create(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(&call.params, &["key-pair"], "key-pair"));
    let name = check(world, call, &mut faults);
    faults.done()?;
    let id = world.new_id(reply.at("keyPairId"), "key");
    let kind = if call.params.one("KeyType") == Some("ed25519") { "ed25519" } else { "rsa" };
    let (fingerprint, public) = (format!("~fingerprint {id}"), format!("~public {id}"));
    let key = KeyPair { who: call.who, id: id.clone(), name, kind, fingerprint, public };
    let mut answer = add(world, call, key, &tags.unwrap());
    answer.push(leaf("keyMaterial", format!("~private {id}")));
    Ok(answer)
}

pub fn import(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    let mut faults = Faults::default();
    let tags = faults.note_all(new_tags(&call.params, &["key-pair"], "key-pair"));
    let name = check(world, call, &mut faults);
    let material = STANDARD.decode(call.params.one("PublicKeyMaterial").unwrap()).unwrap();
    let material = String::from_utf8(material).unwrap();
    let known = PUBLIC.iter().find(|(line, ..)| material.trim().starts_with(line));
    faults.add_if(known.is_none(), "InvalidKey.Format");
    faults.done()?;
    let (line, kind, fingerprint) = *known.unwrap();
    let id = world.new_id(reply.at("keyPairId"), "key");
    let public = format!("{line} {name}\n");
    let key = KeyPair { who: call.who, id, name, kind, fingerprint: fingerprint.into(), public };
    Ok(add(world, call, key, &tags.unwrap()))
}

/// A name that does not exist is as good as deleted; an id has to exist.
pub fn delete(world: &mut World, call: &Call) -> Outcome {
    let own = |wanted: &dyn Fn(&KeyPair) -> bool| {
        world.keys.iter().position(|key| key.who == call.who && wanted(key))
    };
    let at = match one_of(&call.params, "KeyName", "KeyPairId")? {
        Either::First(name) => own(&|key| key.name == name),
        Either::Second(id) => Some(own(&|key| key.id == id).ok_or("InvalidKeyPair.NotFound")?),
    };
    let mut answer = vec![leaf("return", true)];
    if let Some(at) = at {
        let gone = world.keys.remove(at);
        world.untag(&gone.id);
        answer.push(leaf("keyPairId", gone.id));
    }
    Ok(answer)
}

/// A key pair as DescribeKeyPairs tells it.
pub fn shape(world: &World, key: &KeyPair) -> Vec<Tree> {
    vec![
        leaf("keyPairId", &key.id),
        leaf("keyName", &key.name),
        leaf("keyFingerprint", &key.fingerprint),
        leaf("keyType", key.kind),
        leaf("publicKey", &key.public),
        leaf("createTime", format!("~time {}", key.id)),
        tag_set("tagSet", &world.tags_of(&key.id)),
    ]
}

const KEYS: &[&str] = &["mine", "k2", "the <third> & last", "~"];

impl Chooser<'_> {
    pub fn key(&mut self, mut call: Call) -> Call {
        let name = match self.dice.below(12) {
            0 => (*self.dice.pick(&[" a", "a ", "ü"])).to_owned(),
            _ => (*self.dice.pick(KEYS)).to_owned(),
        };
        call.params.set("KeyName", name);
        if call.action == "ImportKeyPair" {
            let (line, ..) = self.dice.pick(PUBLIC);
            let material = match self.dice.below(8) {
                0 => "ssh-ed25519 AAAA".to_owned(),
                1 => format!("{line} a comment\n"),
                _ => (*line).to_owned(),
            };
            use base64::Engine as _;
            let material = base64::engine::general_purpose::STANDARD.encode(material);
            call.params.set("PublicKeyMaterial", material);
        } else if !self.dice.once_in(40) {
            // An RSA key takes its time.
            call.params.set("KeyType", "ed25519");
        }
        self.with_tags(call, "key-pair")
    }

    pub fn delete_key(&mut self, mut call: Call) -> Call {
        let style = self.dice.below(12);
        if style != 0 && style < 6 {
            let id = self.id("key");
            call.params.set("KeyPairId", id);
        }
        if style == 1 || style >= 6 {
            call.params.set("KeyName", self.dice.pick(KEYS));
        }
        call
    }
}
