//! The operator's word on hosts.

use serde_json::{Value, json};

use super::Operator;
use super::cli::{DeploymentCommand, HostCommand};
use super::execute::{Answer, letters};
use crate::agent::Token;
use crate::control::{HostStatus, hosts};
use crate::feed::authority;
use crate::server::chain;
use crate::types::{Digest, Micros};
use crate::world::{Condition, Host};

/// Letters of a join token's secret: 190 bits.
const SECRET: usize = 32;
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

impl Operator {
    pub(super) async fn host(&self, command: HostCommand) -> Answer {
        match command {
            HostCommand::Add { name, zone } => self.add_host(name, zone).await,
            HostCommand::List => Ok(self.hosts()),
            HostCommand::Drain { name } => {
                let called = name.clone();
                self.submit(move |decision| hosts::drain(decision, &called, true)).await?;
                Ok(json!({"name": name, "condition": "drained"}))
            }
            HostCommand::Undrain { name } => {
                let called = name.clone();
                self.submit(move |decision| hosts::drain(decision, &called, false)).await?;
                Ok(json!({"name": name, "condition": "active"}))
            }
            HostCommand::Fail { name } => {
                let called = name.clone();
                self.submit(move |decision| hosts::fail(decision, &called)).await?;
                Ok(json!({"name": name, "condition": "failed"}))
            }
            HostCommand::Remove { name } => {
                let called = name.clone();
                self.submit(move |decision| hosts::remove(decision, &called)).await?;
                self.handle.update_status(|status| drop(status.hosts.remove(name.as_str())));
                Ok(json!({"removed": name}))
            }
        }
    }

    /// A host that has joined before may do so again with the new token; until then its old key is good.
    async fn add_host(&self, name: String, zone: Option<String>) -> Answer {
        let secret = letters(SECRET, ALPHABET);
        let digest = Digest::of(secret.as_bytes());
        let mut ensure = authority::ensure(&self.handle).map_err(|error| error.to_string())?;
        let called = name.clone();
        let host = self.submit(move |decision| {
            ensure(decision)?;
            hosts::add(decision, &called, zone.as_deref())?;
            hosts::invite(decision, &called, digest)?;
            let deployment = decision.world.deployment.clone();
            Ok((decision.world.hosts.get(called.as_str()).cloned(), deployment))
        });
        let (Some(host), Some(deployment)) = host.await? else { return Err("the host is gone again".into()) };
        let authority = authority::fingerprint(&deployment).map_err(|error| chain(&error))?;
        let token = Token { host: host.name.clone(), secret, authority }.to_word();
        Ok(json!({"name": name, "zone": host.zone, "join_token": token}))
    }

    fn hosts(&self) -> Value {
        let (world, status) = (self.handle.world(), self.handle.status());
        let now = Micros::now();
        let row = |host: &Host| row(host, status.hosts.get(&host.name), world.generation, now);
        world.hosts.values().map(|host| row(host)).collect()
    }

    pub(super) async fn deployment(&self, command: DeploymentCommand) -> Answer {
        if let DeploymentCommand::AddressLease { seconds } = command {
            self.submit(move |decision| hosts::set_address_lease(decision, seconds)).await?;
        }
        let world = self.handle.world();
        let deployment = world.deployment.as_ref().ok_or("start a server once: it makes the deployment")?;
        let authority = authority::fingerprint(deployment).map_err(|error| chain(&error))?;
        Ok(json!({
            "address_lease": deployment.address_lease, "address_lease_since": deployment.lease_since, "authority": authority,
            "epoch": self.handle.epoch(), "generation": world.generation,
        }))
    }
}

fn row(host: &Host, status: Option<&HostStatus>, generation: u64, now: Micros) -> Value {
    let condition = match host.condition {
        Condition::Active if status.is_none() => "unheard",
        Condition::Active => "active",
        Condition::Drained => "drained",
        Condition::Failed => "failed",
    };
    let ago = status.map(|status| (now.0 - status.last_seen.0).max(0) as f64 / Micros::SECOND as f64);
    json!({
        "name": host.name, "zone": host.zone, "condition": condition, "generation": generation,
        "applied": status.map(|status| status.applied),
        "lag": status.map(|status| generation.saturating_sub(status.applied)),
        "last_seen": status.map(|status| status.last_seen.to_string()),
        "seconds_ago": ago.map(|ago| (ago * 10.0).round() / 10.0),
        "failures": status.map(|status| &status.failures),
    })
}
