//! How much of the server's work one peer or one account may have at a time.
//!
//! What is expensive is not known before it is done. So whoever asks for much waits for himself: what one has under way
//! is bounded, and the rest of it waits without a thread. What is under way has a thread of its own ([`apart`]), between
//! which the kernel shares the processors: nothing short lies in a queue behind something long.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// For each of many, so many at a time.
pub(super) struct Shares<K> {
    each: usize,
    taken: Mutex<HashMap<K, Weak<Semaphore>>>,
}

/// One's part, given back when dropped.
pub(super) struct Share {
    _permit: Option<OwnedSemaphorePermit>,
}

impl<K: Eq + Hash> Shares<K> {
    pub fn new(each: usize) -> Self {
        Self { each, taken: Mutex::default() }
    }

    /// Waits until `of` has less than its share under way.
    pub async fn take(&self, of: K) -> Share {
        // It is never closed.
        Share { _permit: self.of(of).acquire_owned().await.ok() }
    }

    fn of(&self, key: K) -> Arc<Semaphore> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get(&key).and_then(Weak::upgrade) {
            return own;
        }
        // Those who have nothing under way are forgotten, before the table would grow.
        if taken.len() == taken.capacity() {
            taken.retain(|_, own| own.strong_count() > 0);
        }
        let own = Arc::new(Semaphore::new(self.each));
        taken.insert(key, Arc::downgrade(&own));
        own
    }
}

/// Does what may take long, so that no other task waits for this thread.
pub(super) fn apart<T>(work: impl FnOnce() -> T) -> T {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn who_has_much_under_way_waits_for_himself_alone() {
        let shares = Shares::new(2);
        let first = shares.take("a").await;
        let _second = shares.take("a").await;
        assert!(shares.take("a").now_or_never().is_none());
        assert!(shares.take("b").now_or_never().is_some());
        drop(first);
        assert!(shares.take("a").now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_has_nothing_under_way_is_forgotten() {
        let shares = Shares::new(1);
        let held = shares.take(0).await;
        for one in 1..10_000 {
            drop(shares.take(one).await);
        }
        assert!(shares.taken.lock().unwrap().len() < 100);
        assert!(shares.take(0).now_or_never().is_none(), "who has something is not");
        drop(held);
    }
}
