//! Runs an operator's command on the writer.

use std::sync::Arc;

use serde_json::{Value, json};

use super::cli::*;
use crate::control::{Caller, Decision, defaults, hosts, ipv6, operator};
use crate::plan::STOCK_IMAGE;
use crate::query::Fault;
use crate::store::Handle;
use crate::types::{AccountId, Cidr6, Owner, Region};

/// The operator at one store, in one region.
#[derive(Clone)]
pub struct Operator {
    pub handle: Handle,
    pub region: Region,
    /// Further regions that the server answers for.
    pub others: Vec<Region>,
    /// Those of them whose default VPCs are isolated.
    pub isolated: Vec<Region>,
}

pub(super) type Answer = Result<Value, String>;

/// What stands for a gateway host where each host is gateway for its own instances.
const DISTRIBUTED: &str = "distributed";

impl Operator {
    /// Runs a command; the answer is JSON for programs and [`super::print`] for people.
    ///
    /// # Errors
    /// What the person at the shell should do instead.
    pub async fn execute(&self, command: OperatorCommand) -> Answer {
        // What another server has just answered is seen here, too.
        self.handle.fresh().await.map_err(|fault| fault.message)?;
        match command {
            OperatorCommand::Account(command) => self.account(command).await,
            OperatorCommand::Key(command) => self.key(command).await,
            OperatorCommand::Pool(command) => self.pool(command).await,
            OperatorCommand::Ipv6Pool(command) => self.ipv6_pool(command).await,
            OperatorCommand::Network(command) => self.network(command).await,
            OperatorCommand::Image(command) => self.image(command).await,
            OperatorCommand::Host(command) => self.host(command).await,
            OperatorCommand::Deployment(command) => self.deployment(command).await,
            OperatorCommand::Trace(command) => self.trace(&command),
            OperatorCommand::Store(StoreCommand::Reload) => self.reload().await,
            OperatorCommand::Store(StoreCommand::Copy { .. }) | OperatorCommand::Migrate => {
                Err("this is not done by a running server".into())
            }
        }
    }

    /// Has the writer decide; the operator stands for no account.
    pub async fn submit<R: Send + 'static>(
        &self,
        decide: impl FnMut(&mut Decision<'_>) -> Result<R, Fault> + Send + 'static,
    ) -> Result<R, String> {
        let owner = Owner { account: AccountId::from_random(0), region: self.region.clone() };
        let caller = Caller {
            owner,
            access_key: "operator".into(),
            endpoint: "".into(),
            quotas: Arc::default(),
            isolated: false,
        };
        self.handle.submit(caller, false, decide).await.map_err(|fault| fault.message)
    }

    /// Makes whatever an account's default VPCs lack, in all regions.
    pub fn ensure_defaults(&self, decision: &mut Decision<'_>, account: AccountId) {
        for region in std::iter::once(&self.region).chain(&self.others) {
            let owner = Owner { account, region: region.clone() };
            defaults::ensure_as(decision, &owner, self.isolated.contains(region));
        }
    }

    async fn account(&self, command: AccountCommand) -> Answer {
        match command {
            AccountCommand::Create { name, id } => {
                let called = name.clone();
                let operator = self.clone();
                let create = move |decision: &mut Decision<'_>| {
                    let account = operator::create_account(decision, id, &called)?;
                    operator.ensure_defaults(decision, account);
                    Ok(account)
                };
                let id = self.submit(create).await?;
                Ok(json!({"id": id, "name": name}))
            }
            AccountCommand::List => {
                let world = self.handle.world();
                Ok(world.accounts.values().map(|row| json!({"id": row.id, "name": row.name})).collect())
            }
            AccountCommand::Delete { id } => {
                self.submit(move |decision| operator::delete_account(decision, id)).await?;
                Ok(json!({"deleted": id}))
            }
        }
    }

    async fn key(&self, command: KeyCommand) -> Answer {
        match command {
            KeyCommand::Create { account, id, secret, .. } => {
                let id =
                    id.unwrap_or_else(|| format!("AKIA{}", letters(16, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")));
                let imported = secret.is_some();
                let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
                let secret = secret.unwrap_or_else(|| letters(40, alphabet));
                if secret.len() < 8 {
                    return Err("the secret is too short: give at least 8 characters".into());
                }
                let sealed = self.handle.key_file().seal(&id, secret.as_bytes()).into();
                let key = id.clone();
                let made = move |decision: &mut Decision<'_>| {
                    operator::create_key(decision, &key, account, std::sync::Arc::clone(&sealed))
                };
                self.submit(made).await?;
                let shown = if imported { Value::Null } else { secret.into() };
                Ok(json!({"id": id, "account": account, "secret": shown}))
            }
            KeyCommand::List => {
                let world = self.handle.world();
                Ok(world
                    .access_keys
                    .values()
                    .map(|row| json!({"id": row.id, "account": row.account}))
                    .collect())
            }
            KeyCommand::Delete { id } => {
                let key = id.clone();
                self.submit(move |decision| operator::delete_key(decision, &key)).await?;
                Ok(json!({"deleted": id}))
            }
        }
    }

    async fn pool(&self, command: PoolCommand) -> Answer {
        match command {
            PoolCommand::Add { name, range } => {
                let called = name.clone();
                let id = self.submit(move |decision| operator::add_pool(decision, &called, range)).await?;
                Ok(json!({"id": id, "name": name, "range": range.to_string()}))
            }
            PoolCommand::List => {
                let world = self.handle.world();
                let used = |id| world.addresses.values().filter(|address| address.pool == id).count();
                let row = |row: &crate::world::Pool| {
                    json!({
                        "id": row.id, "name": row.name, "range": row.range.to_string(),
                        "allocated": used(row.id), "addresses": row.range.count(),
                    })
                };
                Ok(world.pools.values().map(|pool| row(pool)).collect())
            }
            PoolCommand::Remove { name } => {
                let called = name.clone();
                self.submit(move |decision| operator::remove_pool(decision, &called)).await?;
                Ok(json!({"removed": name}))
            }
        }
    }

    async fn ipv6_pool(&self, command: Ipv6PoolCommand) -> Answer {
        match command {
            Ipv6PoolCommand::Add { prefix } => {
                self.submit(move |decision| ipv6::add(decision, prefix)).await?;
                Ok(json!({"prefix": prefix.to_string()}))
            }
            Ipv6PoolCommand::List => {
                let world = self.handle.world();
                let row = |cidr: &Cidr6| json!({"prefix": cidr.to_string(), "vpcs": ipv6::used(&world, *cidr), "blocks": ipv6::blocks(*cidr)});
                Ok(world.ipv6_pools.keys().map(row).collect())
            }
            Ipv6PoolCommand::Remove { prefix } => {
                self.submit(move |decision| ipv6::remove(decision, prefix)).await?;
                Ok(json!({"removed": prefix.to_string()}))
            }
        }
    }

    async fn network(&self, command: NetworkCommand) -> Answer {
        match command {
            NetworkCommand::Add { name, cidr, gateway, range, reserved, zone, domain } => {
                let new = operator::NewNetwork { name, cidr, gateway, range, reserved, zone, domain };
                let name = new.name.clone();
                self.submit(move |decision| operator::add_network(decision, &new)).await?;
                let world = self.handle.world();
                Ok(world.networks.get(name.as_str()).map_or(Value::Null, |row| network(row)))
            }
            NetworkCommand::List => Ok(self.handle.world().flat_networks().map(|row| network(row)).collect()),
            NetworkCommand::Gateway { name, host, .. } => {
                let (called, by) = (name.clone(), host.clone());
                self.submit(move |decision| hosts::set_gateway(decision, &called, by.as_deref())).await?;
                let gateway = host.unwrap_or_else(|| DISTRIBUTED.into());
                Ok(json!({"name": name, "gateway_host": gateway}))
            }
            NetworkCommand::Remove { name } => {
                let called = name.clone();
                self.submit(move |decision| operator::remove_network(decision, &called)).await?;
                Ok(json!({"removed": name}))
            }
        }
    }

    /// Whether an image is only on other hosts than the one that this server is on, if on any.
    fn is_elsewhere(&self, location: &str) -> Result<bool, String> {
        if location == STOCK_IMAGE || !location.starts_with('/') {
            return Ok(false);
        }
        let Err(error) = std::fs::metadata(location) else { return Ok(false) };
        // Only hosts that have joined have a key; the one in a server's own process needs none.
        let joined = |host: &crate::world::Host| host.sealed_secret.is_some() || host.join.is_some();
        let away = error.kind() == std::io::ErrorKind::NotFound;
        match away && self.handle.world().hosts.values().any(|host| joined(host)) {
            true => Ok(true),
            false => Err(format!("{location}: {error}")),
        }
    }

    async fn image(&self, command: ImageCommand) -> Answer {
        match command {
            ImageCommand::Register { name, location, id } => {
                let elsewhere = self.is_elsewhere(&location)?;
                let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
                let (called, at) = (name.clone(), location.clone());
                let made = move |decision: &mut Decision<'_>| {
                    operator::register_image(decision, id, &called, &at, architecture)
                };
                let id = self.submit(made).await?;
                let note = elsewhere.then(|| {
                    format!("it is not on this machine: put it at {location} on every host that is to run it")
                });
                Ok(json!({"id": id, "name": name, "location": location, "note": note}))
            }
            ImageCommand::List => {
                let world = self.handle.world();
                let row = |row: &crate::world::Image| {
                    let account = row.owner.as_ref().map(|owner| owner.account);
                    json!({"id": row.id, "name": row.name, "location": row.location, "account": account})
                };
                Ok(world.images.values().map(|image| row(image)).collect())
            }
            ImageCommand::Deregister { id } => {
                self.submit(move |decision| operator::deregister_image(decision, id)).await?;
                Ok(json!({"deregistered": id}))
            }
        }
    }
}

fn network(row: &crate::world::Network) -> Value {
    let reserved: Vec<String> = row.reserved.iter().map(ToString::to_string).collect();
    json!({
        "name": row.name, "cidr": row.cidr.to_string(), "gateway": row.gateway, "range": row.range.to_string(),
        "reserved": reserved.join(" "), "zone": row.zone, "domain": row.domain,
        "gateway_host": row.gateway_host.as_deref().unwrap_or(DISTRIBUTED),
    })
}

/// Random letters, each equally likely.
pub(super) fn letters(count: usize, alphabet: &[u8]) -> String {
    let mut out = String::with_capacity(count);
    while out.len() < count {
        let mut byte = [0; 1];
        crate::store::random(&mut byte);
        // A remainder would favour the alphabet's beginning.
        let limit = 256 / alphabet.len() * alphabet.len();
        if usize::from(byte[0]) < limit {
            out.push(char::from(alphabet[usize::from(byte[0]) % alphabet.len()]));
        }
    }
    out
}
