//! Session tokens of IMDSv2: the instance and the end of validity, sealed, so that nothing is kept.
//!
//! The key lives as long as the process. After a restart of the server old tokens are refused with 401, upon which
//! every client of IMDSv2 fetches a new one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::types::{InstanceId, Micros};

/// How long a token may live, in seconds: six hours, as in EC2.
pub const LONGEST: u32 = 21_600;

const MICROS: i64 = 1_000_000;

/// Makes and checks tokens.
pub struct Tokens {
    key: [u8; 32],
}

impl Tokens {
    pub fn new() -> Self {
        let mut key = [0; 32];
        // Without randomness from the kernel there is no safe way on.
        #[allow(clippy::expect_used)]
        getrandom::fill(&mut key).expect("the kernel gives random numbers");
        Self { key }
    }

    /// A token for the instance, good for so many seconds.
    pub fn make(&self, instance: InstanceId, seconds: u32, now: Micros) -> String {
        let end = (now.0 + i64::from(seconds) * MICROS).to_be_bytes();
        let mut token = end.to_vec();
        token.extend_from_slice(&self.seal(instance, end).finalize().into_bytes());
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Whether the token was made here for this instance and is still good.
    pub fn check(&self, token: &str, instance: InstanceId, now: Micros) -> bool {
        let Ok(token) = URL_SAFE_NO_PAD.decode(token) else { return false };
        let Some((end, seal)) = token.split_first_chunk::<8>() else { return false };
        // In constant time.
        self.seal(instance, *end).verify_slice(seal).is_ok() && i64::from_be_bytes(*end) > now.0
    }

    fn seal(&self, instance: InstanceId, end: [u8; 8]) -> Hmac<Sha256> {
        #[allow(clippy::expect_used)]
        let mut seal = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        seal.update(instance.to_string().as_bytes());
        seal.update(&end);
        seal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_one_instance_one_time_and_one_server() {
        let (tokens, other) = (Tokens::new(), Tokens::new());
        let (a, b) = (InstanceId::from_random(1), InstanceId::from_random(2));
        let token = tokens.make(a, 60, Micros(0));
        assert!(tokens.check(&token, a, Micros(59 * MICROS)));
        assert!(!tokens.check(&token, a, Micros(60 * MICROS)));
        assert!(!tokens.check(&token, b, Micros(0)));
        assert!(!other.check(&token, a, Micros(0)));
        for bad in ["", "AAAA", "not base64!"] {
            assert!(!tokens.check(bad, a, Micros(0)));
        }
    }

    #[test]
    fn no_byte_of_a_token_can_be_changed() {
        let (tokens, a) = (Tokens::new(), InstanceId::from_random(1));
        let token = URL_SAFE_NO_PAD.decode(tokens.make(a, 60, Micros(0))).unwrap();
        for at in 0..token.len() {
            let mut forged = token.clone();
            forged[at] ^= 1;
            assert!(!tokens.check(&URL_SAFE_NO_PAD.encode(forged), a, Micros(0)), "{at}");
        }
    }
}
