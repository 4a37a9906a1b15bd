//! What to do about each instance, from what is wanted and what is there. Pure.

use std::collections::BTreeMap;

use super::{Found, Life};
use crate::plan::{HostState, Phase};
use crate::types::InstanceId;

/// The next thing to do about an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Start,
    Stop,
    Destroy,
    /// Of one that runs as it should, cables come and go.
    Plug,
}

/// What to do about one instance; `None` where it is as it should be or has ended by itself.
pub fn next(wanted: Option<(bool, u64)>, found: Option<&Found>) -> Option<Step> {
    match (wanted, found) {
        (None, Some(_)) => Some(Step::Destroy),
        (Some((true, _)), None) => Some(Step::Start),
        (Some((true, boot)), Some(found)) if found.boot == boot => match found.life {
            Life::Running | Life::Ended => None,
            Life::Interrupted => Some(Step::Start),
        },
        // Another boot is wanted than the one that runs or ran.
        (Some((true, _)), Some(found)) if found.life == Life::Running => Some(Step::Stop),
        (Some((true, _)), Some(_)) => Some(Step::Start),
        (Some((false, _)), Some(found)) if found.life == Life::Running => Some(Step::Stop),
        (Some((false, _)) | None, _) => None,
    }
}

/// How far an instance has come; `None` while it is on its way.
pub fn phase(wanted: Option<(bool, u64)>, found: Option<&Found>) -> Option<Phase> {
    match (wanted, found) {
        // Not gone yet: saying anything else than `Gone` keeps it in the World.
        (None, Some(_)) => Some(Phase::Running),
        (Some((true, boot)), Some(found)) if found.boot == boot => match found.life {
            Life::Running => Some(Phase::Running),
            Life::Ended => Some(Phase::Exited),
            Life::Interrupted => None,
        },
        (Some((false, _)), found) if found.is_none_or(|found| found.life != Life::Running) => {
            Some(Phase::Stopped)
        }
        _ => None,
    }
}

/// Whether each wanted instance should run, and at which boot.
pub fn wanted(state: &HostState) -> BTreeMap<InstanceId, (bool, u64)> {
    state.instances.values().map(|instance| (instance.id, (instance.run, instance.boot))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(boot: u64, life: Life) -> Found {
        Found { id: InstanceId::from_random(1), boot, life, plugs: Vec::new() }
    }

    #[test]
    fn what_is_not_wanted_goes_and_what_is_missing_comes() {
        for life in [Life::Running, Life::Ended, Life::Interrupted] {
            assert_eq!(next(None, Some(&found(1, life))), Some(Step::Destroy));
        }
        assert_eq!(next(Some((true, 1)), None), Some(Step::Start));
        assert_eq!(next(Some((false, 1)), None), None);
    }

    #[test]
    fn another_boot_stops_first_and_then_starts() {
        assert_eq!(next(Some((true, 2)), Some(&found(1, Life::Running))), Some(Step::Stop));
        assert_eq!(next(Some((true, 2)), Some(&found(1, Life::Ended))), Some(Step::Start));
        assert_eq!(phase(Some((true, 2)), Some(&found(1, Life::Ended))), None);
    }

    #[test]
    fn what_ended_by_itself_is_not_started_again_but_what_was_interrupted_is() {
        assert_eq!(next(Some((true, 1)), Some(&found(1, Life::Ended))), None);
        assert_eq!(phase(Some((true, 1)), Some(&found(1, Life::Ended))), Some(Phase::Exited));
        assert_eq!(next(Some((true, 1)), Some(&found(1, Life::Interrupted))), Some(Step::Start));
        assert_eq!(phase(Some((true, 1)), Some(&found(1, Life::Interrupted))), None);
    }

    /// Whatever is found, following the steps ends at what is wanted.
    #[test]
    fn steps_converge() {
        let lives = [Life::Running, Life::Ended, Life::Interrupted];
        let there: Vec<Option<Found>> = std::iter::once(None)
            .chain(lives.into_iter().flat_map(|life| [0, 1, 2].map(|boot| Some(found(boot, life)))))
            .collect();
        for start in &there {
            for wanted in [None, Some((true, 2)), Some((false, 2))] {
                let mut now = start.clone();
                for _ in 0..3 {
                    now = match next(wanted, now.as_ref()) {
                        None | Some(Step::Plug) => break,
                        Some(Step::Destroy) => None,
                        Some(Step::Stop) => now.map(|found| Found { life: Life::Ended, ..found }),
                        Some(Step::Start) => Some(found(wanted.unwrap().1, Life::Running)),
                    };
                }
                assert_eq!(next(wanted, now.as_ref()), None, "{start:?} {wanted:?}");
                let runs = now.as_ref().is_some_and(|found| found.life == Life::Running);
                let ended = now.is_some_and(|found| found.boot == 2 && found.life == Life::Ended);
                assert_eq!(runs, wanted.is_some_and(|(run, _)| run) && !ended, "{start:?} {wanted:?}");
            }
        }
    }
}
