//! What passes with time, looked for every few seconds.

use std::time::{Duration, Instant};

use crate::control::{self, lease};
use crate::operator::Operator;
use crate::types::Micros;

/// How often it is looked for.
const TICK: Duration = Duration::from_secs(5);

/// Has the writer do what time asks for.
pub struct Ticker {
    operator: Operator,
    leases: lease::Watch,
}

impl Ticker {
    pub fn new(operator: Operator) -> Self {
        Self { operator, leases: lease::Watch::default() }
    }

    /// For ever.
    pub async fn run(mut self) {
        let mut every = tokio::time::interval(TICK);
        loop {
            every.tick().await;
            if let Err(error) = self.once(Instant::now(), Micros::now()).await {
                tracing::warn!(error, "a tick failed; the next one will do it");
            }
        }
    }

    /// Looks once; nothing is written where nothing is due.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn once(&mut self, at: Instant, now: Micros) -> Result<(), String> {
        let handle = &self.operator.handle;
        let (world, status) = (handle.world(), handle.status());
        let ended = match handle.in_touch() {
            true => self.leases.look(&world, &status, &handle.epoch(), at, now),
            false => Vec::new(),
        };
        if ended.is_empty() && !control::due(&world, now) {
            return Ok(());
        }
        for one in &ended {
            tracing::info!(lease = %one, "the address lease of a silent host has ended");
        }
        let ticked = self.operator.submit(move |decision| {
            control::tick(decision);
            lease::release(decision, &ended);
            Ok(())
        });
        ticked.await
    }
}
