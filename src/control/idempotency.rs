//! Client tokens: the same request again is answered with what the first one made.

use std::fmt::Debug;
use std::sync::Arc;

use super::{Decision, View};
use crate::query::{Fault, FaultCode};
use crate::types::Digest;
use crate::world::{Token, TokenKey};

/// A request's client token, with what the request asked for.
pub struct Once {
    key: TokenKey,
    parameters: Digest,
}

impl Once {
    /// What there is to remember by, if there is a token, and what `find` says of what the same request made before, which may
    /// be gone. `request` is the request as it counts: without DryRun.
    ///
    /// # Errors
    /// The token was another request's.
    pub fn begin<T>(
        decision: &Decision<'_>,
        action: &str,
        token: Option<&str>,
        request: &dyn Debug,
        find: impl FnOnce(&View<'_>, &str) -> Option<T>,
    ) -> Result<(Option<Self>, Option<T>), Fault> {
        let once = Self::new(decision, action, token, request);
        let made = once.as_ref().map(|once| once.made(decision)).transpose()?.flatten();
        let made = made.and_then(|made| find(&decision.view(), &made));
        Ok((once, made))
    }

    /// `None` without a token. `request` is the request as it counts: without DryRun.
    pub fn new(
        decision: &Decision<'_>,
        action: &str,
        token: Option<&str>,
        request: &dyn Debug,
    ) -> Option<Self> {
        let key = (decision.caller.owner.clone(), action.into(), token?.into());
        Some(Self { key, parameters: Digest::of(format!("{request:?}").as_bytes()) })
    }

    /// What was made of the same request before.
    ///
    /// # Errors
    /// It was another request.
    pub fn made(&self, decision: &Decision<'_>) -> Result<Option<Arc<str>>, Fault> {
        match decision.world.tokens.get(&self.key) {
            Some(token) if token.parameters != self.parameters => {
                Err(FaultCode::IdempotentParameterMismatch.with(
                    "Arguments on this idempotent request are inconsistent with arguments used in previous request(s): use \
                     another client token",
                ))
            }
            token => Ok(token.map(|token| token.made.clone())),
        }
    }

    /// Remembers what is made now.
    pub fn remember(self, decision: &mut Decision<'_>, made: Arc<str>) {
        let Self { key, parameters } = self;
        decision.put(Token { key, parameters, made, created: decision.env.now });
    }
}
