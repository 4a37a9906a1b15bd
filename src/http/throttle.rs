//! How many calls an account may make: a bucket of tokens for each account, region and action, as EC2 has them
//! (<https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::query::{Fault, FaultCode};
use crate::types::Owner;

/// What a bucket holds, and how much comes in a second.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Limit {
    burst: f64,
    per_second: f64,
}

/// EC2's defaults for actions that write, and for those that read.
const WRITES: Limit = Limit { burst: 50.0, per_second: 5.0 };
const READS: Limit = Limit { burst: 100.0, per_second: 20.0 };

/// Above so many buckets those that are full are forgotten: a full one is as good as none.
const BUCKETS: usize = 4096;

#[derive(Clone, Copy, Debug)]
struct Bucket {
    limit: Limit,
    tokens: f64,
    since: Instant,
}

impl Bucket {
    const fn full(limit: Limit, now: Instant) -> Self {
        Self { limit, tokens: limit.burst, since: now }
    }

    fn fill(&mut self, now: Instant) {
        let came = now.saturating_duration_since(self.since).as_secs_f64() * self.limit.per_second;
        self.tokens = self.limit.burst.min(self.tokens + came);
        self.since = now;
    }
}

type Buckets = HashMap<(Owner, &'static str), Bucket>;

/// Counts calls, where the operator wants that.
pub struct Throttle {
    /// `None`: nobody is counted.
    buckets: Option<Mutex<Buckets>>,
}

impl Throttle {
    pub fn new(on: bool) -> Self {
        Self { buckets: on.then(Mutex::default) }
    }

    /// Lets one call through.
    ///
    /// # Errors
    /// RequestLimitExceeded: clients wait and try again.
    pub fn take(&self, owner: &Owner, action: &'static str, writes: bool, now: Instant) -> Result<(), Fault> {
        let Some(buckets) = &self.buckets else { return Ok(()) };
        let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS {
            buckets.retain(|_, bucket| {
                bucket.fill(now);
                bucket.tokens < bucket.limit.burst
            });
        }
        let limit = if writes { WRITES } else { READS };
        let bucket = buckets.entry((owner.clone(), action)).or_insert_with(|| Bucket::full(limit, now));
        bucket.fill(now);
        if bucket.tokens < 1.0 {
            return Err(FaultCode::RequestLimitExceeded.with(format!(
                "Request limit exceeded. {action} may be called {} times a second by account {}, and {} times at once",
                limit.per_second, owner.account, limit.burst
            )));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn owner(account: &str) -> Owner {
        Owner { account: account.parse().unwrap(), region: "us-east-1".into() }
    }

    fn taken(throttle: &Throttle, owner: &Owner, action: &'static str, writes: bool, now: Instant) -> usize {
        (0..1000).take_while(|_| throttle.take(owner, action, writes, now).is_ok()).count()
    }

    #[test]
    fn a_burst_passes_and_then_as_many_as_come_in_a_second() {
        let (throttle, one, now) = (Throttle::new(true), owner("111122223333"), Instant::now());
        assert_eq!(taken(&throttle, &one, "CreateTags", true, now), 50);
        let fault = throttle.take(&one, "CreateTags", true, now).unwrap_err();
        assert_eq!(fault.code, FaultCode::RequestLimitExceeded);
        assert_eq!(taken(&throttle, &one, "CreateTags", true, now + Duration::from_secs(2)), 10);
        assert_eq!(taken(&throttle, &one, "CreateTags", true, now + Duration::from_secs(200)), 50);
        assert_eq!(taken(&throttle, &one, "DescribeTags", false, now), 100);
    }

    #[test]
    fn each_account_region_and_action_has_its_own() {
        let (throttle, one, now) = (Throttle::new(true), owner("111122223333"), Instant::now());
        taken(&throttle, &one, "CreateTags", true, now);
        let elsewhere = Owner { region: "eu-west-1".into(), ..one.clone() };
        for (who, action) in
            [(&owner("444455556666"), "CreateTags"), (&elsewhere, "CreateTags"), (&one, "CreateVpc")]
        {
            assert!(throttle.take(who, action, true, now).is_ok(), "{who:?} {action}");
        }
    }

    #[test]
    fn who_has_not_called_for_long_is_forgotten_and_nobody_is_counted_where_it_is_off() {
        let (throttle, now) = (Throttle::new(true), Instant::now());
        for n in 0..BUCKETS {
            let who = owner(&format!("{:012}", 100_000_000_000 + n));
            throttle.take(&who, "CreateTags", true, now).unwrap();
        }
        throttle.take(&owner("111122223333"), "CreateTags", true, now + Duration::from_secs(60)).unwrap();
        assert_eq!(throttle.buckets.as_ref().unwrap().lock().unwrap().len(), 1);
        assert_eq!(taken(&Throttle::new(false), &owner("111122223333"), "CreateTags", true, now), 1000);
    }
}
