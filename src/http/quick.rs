//! Which reads are so short that they need no thread of their own.
//!
//! To give a read a thread ([`super::shares::apart`]) takes longer than most reads do. How long one will take is not known
//! before, but an account that has asked for something asks for the like again: a read is done in place when the same
//! account's last ones of the same action were short. The first one never is, and after a long one none is for a while.
//! Many that are short for one are long for those behind them: each but the briefest lets all others go first.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::types::AccountId;

/// What others can wait for.
const SHORT: Duration = Duration::from_millis(5);
/// A thread that lost the processor looks slow once; this long, or twice in a row, is the read's own.
const LONG: Duration = Duration::from_millis(50);
/// What nobody notices, even a hundred times in a row. Beside thousands of new connections, others' turns take longer.
const BRIEF: Duration = Duration::from_millis(1);
/// How long reads have threads of their own after a long one.
const APART: Duration = Duration::from_secs(10);
/// Above so many entries all are forgotten: each is known again after one call.
const ENTRIES: usize = 4096;

type Read = (AccountId, &'static str);

/// How an account's reads by one action went lately.
#[derive(Clone, Copy)]
struct Lately {
    took: Duration,
    apart_until: Instant,
}

/// By which thread a read is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thread {
    /// This one, at once.
    This,
    /// This one, after everybody whose request has come.
    ThisInTurn,
    /// One of its own.
    Own,
}

/// What is known of reads.
#[derive(Default)]
pub(super) struct Quick(Mutex<HashMap<Read, Lately>>);

impl Quick {
    /// By which thread a read is to be done, as far as is known.
    pub fn thread(&self, account: AccountId, action: &'static str, now: Instant) -> Thread {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&(account, action)) {
            Some(lately) if lately.apart_until > now => Thread::Own,
            Some(lately) if lately.took > BRIEF => Thread::ThisInTurn,
            Some(_) => Thread::This,
            None => Thread::Own,
        }
    }

    /// Notes how long a read took that ended now.
    pub fn note(&self, account: AccountId, action: &'static str, took: Duration, now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= ENTRIES {
            known.clear();
        }
        let lately =
            known.entry((account, action)).or_insert(Lately { took: Duration::ZERO, apart_until: now });
        if took > LONG || (took > SHORT && lately.took > SHORT) {
            lately.apart_until = now + APART;
        }
        lately.took = took;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_read_is_quick_when_the_last_ones_were() {
        let (quick, one, now) = (Quick::default(), AccountId::from_random(1), Instant::now());
        let (vpcs, in_turn) = ("DescribeVpcs", Thread::ThisInTurn);
        assert_eq!(quick.thread(one, vpcs, now), Thread::Own, "nothing is known yet");
        quick.note(one, vpcs, MS / 10, now);
        assert_eq!(quick.thread(one, vpcs, now), Thread::This);
        assert_eq!(quick.thread(one, "DescribeTags", now), Thread::Own, "another action");
        assert_eq!(quick.thread(AccountId::from_random(2), vpcs, now), Thread::Own, "another account");
        quick.note(one, vpcs, 2 * MS, now);
        assert_eq!(quick.thread(one, vpcs, now), in_turn);
        quick.note(one, vpcs, 10 * MS, now);
        assert_eq!(quick.thread(one, vpcs, now), in_turn, "once may be the machine's fault");
        quick.note(one, vpcs, 10 * MS, now);
        assert_eq!(quick.thread(one, vpcs, now), Thread::Own);
        quick.note(one, vpcs, 2 * MS, now);
        assert_eq!(quick.thread(one, vpcs, now), Thread::Own, "a short one between does not help");
        assert_eq!(quick.thread(one, vpcs, now + APART), in_turn);
        quick.note(one, vpcs, 100 * MS, now);
        assert_eq!(quick.thread(one, vpcs, now), Thread::Own, "a very long one counts at once");
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
