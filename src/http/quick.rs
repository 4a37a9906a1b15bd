//! Which reads are so short that they need no thread of their own.
//!
//! To give a read a thread ([`super::shares::apart`]) takes longer than most reads do. How long one will take is not known
//! before, but an account that has asked for something asks for the like again: a read is done in place when the same
//! account's last ones of the same action were short. The first one never is, and after a long one none is for a while.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::types::AccountId;

/// What others can wait for.
const SHORT: Duration = Duration::from_millis(5);
/// A thread that lost the processor looks slow once; this long, or twice in a row, is the read's own.
const LONG: Duration = Duration::from_millis(50);
/// How long reads have threads of their own after a long one.
const APART: Duration = Duration::from_secs(10);
/// Above so many entries all are forgotten: each is known again after one call.
const ENTRIES: usize = 4096;

type Read = (AccountId, &'static str);

/// How an account's reads by one action went lately.
#[derive(Clone, Copy)]
struct Lately {
    slow: bool,
    apart_until: Instant,
}

/// What is known of reads.
#[derive(Default)]
pub(super) struct Quick(Mutex<HashMap<Read, Lately>>);

impl Quick {
    /// Whether a read will be short, as far as is known.
    pub fn is(&self, account: AccountId, action: &'static str, now: Instant) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(account, action)).is_some_and(|lately| lately.apart_until <= now)
    }

    /// Notes how long a read took that ended now.
    pub fn note(&self, account: AccountId, action: &'static str, took: Duration, now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ENTRIES {
            known.clear();
        }
        let lately = known.entry((account, action)).or_insert(Lately { slow: false, apart_until: now });
        if took > LONG || (took > SHORT && lately.slow) {
            lately.apart_until = now + APART;
        }
        lately.slow = took > SHORT;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_read_is_quick_when_the_last_ones_were() {
        let (quick, one, now) = (Quick::default(), AccountId::from_random(1), Instant::now());
        assert!(!quick.is(one, "DescribeVpcs", now), "nothing is known yet");
        quick.note(one, "DescribeVpcs", MS, now);
        assert!(quick.is(one, "DescribeVpcs", now));
        assert!(!quick.is(one, "DescribeTags", now), "another action");
        assert!(!quick.is(AccountId::from_random(2), "DescribeVpcs", now), "another account");
        quick.note(one, "DescribeVpcs", 10 * MS, now);
        assert!(quick.is(one, "DescribeVpcs", now), "once may be the machine's fault");
        quick.note(one, "DescribeVpcs", 10 * MS, now);
        assert!(!quick.is(one, "DescribeVpcs", now));
        quick.note(one, "DescribeVpcs", MS, now);
        assert!(!quick.is(one, "DescribeVpcs", now), "a short one between does not help");
        assert!(quick.is(one, "DescribeVpcs", now + APART));
        quick.note(one, "DescribeVpcs", 100 * MS, now);
        assert!(!quick.is(one, "DescribeVpcs", now), "a very long one counts at once");
    }

    #[test]
    fn what_is_known_stays_bounded() {
        let (quick, now) = (Quick::default(), Instant::now());
        for account in 0..2 * ENTRIES as u64 {
            quick.note(AccountId::from_random(account), "DescribeVpcs", MS, now);
        }
        assert!(quick.0.lock().unwrap().len() <= ENTRIES);
    }
}
