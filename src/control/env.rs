//! What a decision may know besides the World: the time and random bits.

use crate::keys::NewKey;
use crate::types::Micros;

/// Time and randomness, given in so that decisions stay pure.
pub struct Env<'a> {
    pub now: Micros,
    /// A key pair for CreateKeyPair: making one takes too long for the one writer.
    pub new_key: Option<NewKey>,
    random: &'a mut dyn FnMut() -> u64,
}

impl<'a> Env<'a> {
    pub fn new(now: Micros, random: &'a mut dyn FnMut() -> u64) -> Self {
        Self { now, new_key: None, random }
    }

    /// 64 random bits.
    pub fn random(&mut self) -> u64 {
        (self.random)()
    }

    /// A new id of the kind that `make` makes, e.g. `env.id(InstanceId::from_random)`.
    pub fn id<T>(&mut self, make: fn(u64) -> T) -> T {
        make(self.random())
    }
}
