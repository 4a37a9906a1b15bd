//! The short way from a state to the kernel: a change of groups waits for no look at the host.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::config::RulesBy;
use super::kernel::{regroup, render};
use super::reconcile::{Applied, Reconciler};
use crate::plan::HostState;

/// What the last pass made of a host.
pub struct Last {
    pub state: Arc<HostState>,
    pub facts: render::Host,
    pub applied: Applied,
}

impl Reconciler {
    /// Writes what changed of groups, where that is all, and reports it; `false` where more is to be done.
    pub(super) async fn look_at_groups(
        &mut self,
        state: Option<&Arc<HostState>>,
        report: &watch::Sender<Applied>,
    ) -> bool {
        let Some(state) = state else { return false };
        let Some(mut applied) = self.regroup(state).await else { return false };
        applied.failures.extend_from_slice(&self.obstacles.failures);
        // Before anybody may count on it: what is changed from here on is seen.
        self.nft.remember();
        report.send_replace(applied);
        true
    }

    /// The short way: where a state differs in its groups alone from what the last pass left, the rules are all that is
    /// written, and nothing is read. `None` where that is not so.
    async fn regroup(&mut self, state: &Arc<HostState>) -> Option<Applied> {
        let last = self.last.take().filter(|_| self.config.rules_by == RulesBy::Netlink)?;
        let (state, withheld) = self.hold.of(state, Instant::now());
        // Who tells the same again wants a look.
        let again = (&last.state.epoch, last.state.generation) == (&state.epoch, state.generation);
        if again || !withheld.is_empty() || !last.state.differs_in_groups_alone(&state) {
            return None;
        }
        let part = regroup::part(&last.state, &state, &last.facts, self.nft.written()?);
        let written = match part {
            Some(part) => self.nft.apply_part(part).await,
            None => self.nft.apply(render::render(&state, &last.facts)).await.is_ok(),
        };
        if !written {
            return None;
        }
        let (epoch, generation) = (state.epoch.clone(), state.generation);
        let applied = Applied { epoch, generation, ..last.applied };
        self.last = Some(Last { state, applied: applied.clone(), ..last });
        Some(applied)
    }
}
