//! SSH key pairs: create, import, describe, delete.

use std::sync::Arc;

use super::{Decision, View, filter, tags};
use crate::keys::{self, PublicHalf};
use crate::query::api::*;
use crate::query::{Fault, FaultCode};
use crate::types::*;
use crate::world::{Key, KeyPair, KeyType};

impl KeyType {
    /// EC2's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// Which kind of key a request wants.
pub fn kind(request: &CreateKeyPairRequest) -> KeyType {
    match request.key_type.as_deref() {
        Some("ed25519") => KeyType::Ed25519,
        _ => KeyType::Rsa,
    }
}

/// The key itself was made before, see [`super::Env::new_key`].
pub fn create_key_pair(
    decision: &mut Decision,
    request: &CreateKeyPairRequest,
) -> Result<CreateKeyPairResponse, Fault> {
    check_name(decision, &request.key_name)?;
    let made = decision.env.new_key.take().filter(|key| key.kind == kind(request));
    let made = made.ok_or_else(|| FaultCode::InternalError.with("no key was made for this request"))?;
    let row = add(decision, &request.key_name, made.public, &request.tag_specifications)?;
    Ok(CreateKeyPairResponse {
        key_name: row.name.to_string(),
        key_fingerprint: row.fingerprint.to_string(),
        key_material: made.private,
        key_pair_id: row.id,
        tags: tags::set_of(&decision.world, ResourceId::KeyPair(row.id)),
    })
}

pub fn import_key_pair(
    decision: &mut Decision,
    request: &ImportKeyPairRequest,
) -> Result<ImportKeyPairResponse, Fault> {
    check_name(decision, &request.key_name)?;
    let public = keys::read(&request.public_key_material)
        .map_err(|error| FaultCode::InvalidKeyFormat.with(error.to_string()))?;
    let row = add(decision, &request.key_name, public, &request.tag_specifications)?;
    Ok(ImportKeyPairResponse {
        key_name: row.name.to_string(),
        key_fingerprint: row.fingerprint.to_string(),
        key_pair_id: row.id,
        tags: tags::set_of(&decision.world, ResourceId::KeyPair(row.id)),
    })
}

/// "The name can include up to 255 ASCII characters. It can't include leading or trailing spaces"
/// (API_CreateKeyPair).
fn check_name(decision: &Decision, name: &str) -> Result<(), Fault> {
    if name.trim() != name || name.is_empty() || !name.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Err(FaultCode::InvalidParameterValue
            .with("KeyName has up to 255 ASCII characters, without blanks at either end"));
    }
    if by_name(&decision.view(), name).is_some() {
        return Err(FaultCode::InvalidKeyPairDuplicate.with(format!("The keypair '{name}' already exists")));
    }
    let most = decision.caller.quotas.key_pairs;
    if of_caller(&decision.view()).count() >= most {
        return Err(
            FaultCode::ResourceLimitExceeded.with(format!("There are {most} key pairs: delete one first"))
        );
    }
    Ok(())
}

fn add(
    decision: &mut Decision,
    name: &str,
    public: PublicHalf,
    specifications: &[input::TagSpecification],
) -> Result<KeyPair, Fault> {
    let tags = tags::at_creation(specifications, &["key-pair"], "key-pair")?;
    let row = KeyPair {
        id: decision.env.id(KeyPairId::from_random),
        owner: decision.caller.owner.clone(),
        name: name.into(),
        kind: public.kind,
        fingerprint: public.fingerprint,
        public_key: public.line,
        created: decision.env.now,
    };
    decision.put(row.clone());
    decision.tag(ResourceId::KeyPair(row.id), &tags)?;
    Ok(row)
}

fn of_caller<'w>(view: &View<'w>) -> impl Iterator<Item = &'w Arc<KeyPair>> {
    let (owner, world) = (view.caller.owner.clone(), view.world);
    let first: (Owner, Arc<str>) = (owner.clone(), "".into());
    let named = world.index.key_pair_by_name.range(first..).take_while(move |((of, _), _)| *of == owner);
    named.filter_map(|(_, id)| world.key_pairs.get(id))
}

fn by_name<'w>(view: &View<'w>, name: &str) -> Option<&'w Arc<KeyPair>> {
    let id = view.world.index.key_pair_by_name.get(&(view.caller.owner.clone(), name.into()))?;
    view.world.key_pairs.get(id)
}

fn by_id<'w>(view: &View<'w>, id: KeyPairId) -> Option<&'w Arc<KeyPair>> {
    view.world.key_pairs.get(&id).filter(|row| row.owner == view.caller.owner)
}

fn absent(what: &dyn std::fmt::Display) -> Fault {
    FaultCode::InvalidKeyPairNotFound.with(format!("The key pair '{what}' does not exist"))
}

pub fn describe_key_pairs(
    view: &View,
    request: &DescribeKeyPairsRequest,
) -> Result<DescribeKeyPairsResponse, Fault> {
    let mut wanted: Vec<KeyPairId> = Vec::new();
    for name in &request.key_names {
        wanted.push(by_name(view, name).ok_or_else(|| absent(name))?.id);
    }
    for id in &request.key_pair_ids {
        wanted.push(by_id(view, *id).ok_or_else(|| absent(id))?.id);
    }
    let with_key = request.include_public_key == Some(true);
    let key_pairs = of_caller(view)
        .filter(|row| wanted.is_empty() || wanted.contains(&row.id))
        .filter(|row| {
            let resource = Some(ResourceId::KeyPair(row.id));
            filter::matches(view.world, resource, &request.filters, |name| match name {
                "fingerprint" => vec![row.fingerprint.to_string()],
                "key-name" => vec![row.name.to_string()],
                "key-pair-id" => vec![row.id.to_string()],
                _ => Vec::new(),
            })
        })
        .map(|row| output::KeyPairInfo {
            key_pair_id: row.id,
            key_name: row.name.to_string(),
            key_fingerprint: row.fingerprint.to_string(),
            key_type: row.kind.as_str().to_owned(),
            public_key: with_key.then(|| format!("{} {}\n", row.public_key, row.name)),
            create_time: row.created,
            tags: tags::set_of(view.world, ResourceId::KeyPair(row.id)),
        })
        .collect();
    Ok(DescribeKeyPairsResponse { key_pairs })
}

/// As in EC2, deleting a name that does not exist succeeds; an id has to exist.
pub fn delete_key_pair(
    decision: &mut Decision,
    request: &DeleteKeyPairRequest,
) -> Result<DeleteKeyPairResponse, Fault> {
    let view = decision.view();
    let found = match (&request.key_name, request.key_pair_id) {
        (Some(name), None) => by_name(&view, name),
        (None, Some(id)) => Some(by_id(&view, id).ok_or_else(|| absent(&id))?),
        (None, None) => {
            return Err(FaultCode::MissingParameter
                .with("The request must contain the parameter KeyName or KeyPairId"));
        }
        (Some(_), Some(_)) => {
            return Err(FaultCode::InvalidParameterCombination
                .with("The parameters KeyName and KeyPairId may not be used together"));
        }
    };
    let id = found.map(|row| row.id);
    if let Some(id) = id {
        decision.untag_all(ResourceId::KeyPair(id));
        decision.delete(Key::KeyPair(id));
    }
    Ok(DeleteKeyPairResponse { result: true, key_pair_id: id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::Bench;

    const LINE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPOnFFiOgl9BUxHlvjSsZ3w3fHX9QOxqOoU135Iq9awX me@here";

    fn import(bench: &mut Bench, name: &str) -> Result<ImportKeyPairResponse, Fault> {
        let request = ImportKeyPairRequest {
            dry_run: false,
            key_name: name.into(),
            public_key_material: LINE.into(),
            tag_specifications: vec![],
        };
        bench.attempt(|decision| import_key_pair(decision, &request))
    }

    #[test]
    fn a_name_is_there_once_and_can_be_used_again_when_gone() {
        let mut bench = Bench::small();
        import(&mut bench, "mine").unwrap();
        assert_eq!(import(&mut bench, "mine").unwrap_err().code, FaultCode::InvalidKeyPairDuplicate);
        import(&mut bench, "the same key under another name").unwrap();
        let delete = |name: &str| DeleteKeyPairRequest {
            dry_run: false,
            key_name: Some(name.into()),
            key_pair_id: None,
        };
        let gone = bench.attempt(|decision| delete_key_pair(decision, &delete("mine"))).unwrap();
        assert!(gone.key_pair_id.is_some());
        let again = bench.attempt(|decision| delete_key_pair(decision, &delete("mine"))).unwrap();
        assert_eq!((again.result, again.key_pair_id), (true, None));
        import(&mut bench, "mine").unwrap();
    }

    #[test]
    fn names_with_blanks_at_the_ends_or_beyond_ascii_are_refused() {
        let mut bench = Bench::small();
        for name in [" a", "a ", "schlüssel", ""] {
            assert_eq!(
                import(&mut bench, name).unwrap_err().code,
                FaultCode::InvalidParameterValue,
                "{name}"
            );
        }
    }
}
