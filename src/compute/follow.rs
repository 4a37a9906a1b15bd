//! Follows the host's state with a driver: each instance is worked on by itself, one step at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::cables::{self, Cables};
use super::steps::{self, Step};
use super::{ComputeReport, Driver, Found, Life};
use crate::plan::{Failure, HostState, InstanceReport, Phase};
use crate::types::InstanceId;

/// How often instances that end by themselves, and consoles, are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// How often a start is tried before the instance counts as failed, and how long between.
const ATTEMPTS: u32 = 3;
const BETWEEN: Duration = Duration::from_secs(1);

/// How long what was destroyed is reported as gone. The World forgets what a host does not name any more
/// only from a report that is up to date, which a busy World rarely sees.
const MOURNING: Duration = Duration::from_secs(60);

/// What went wrong with an instance.
struct Trouble {
    boot: u64,
    step: Step,
    attempts: u32,
    not_before: Instant,
    message: String,
}

/// Follows the states until their sender is gone. Before the first state nothing is touched.
///
/// `report` is called when something changed; not more often.
pub async fn run<D: Driver>(
    driver: D,
    mut states: watch::Receiver<Option<Arc<HostState>>>,
    mut report: impl FnMut(ComputeReport),
) {
    let mut follower = Follower::new(driver);
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    let mut at: Option<Arc<HostState>> = None;
    states.mark_changed();
    loop {
        let mut told = false;
        tokio::select! {
            changed = states.changed() => match changed {
                Ok(()) => told = true,
                Err(_) => return,
            },
            Some(done) = follower.work.join_next_with_id() => follower.done(done),
            _ = look.tick() => {}
        }
        let Some(state) = states.borrow_and_update().clone() else { continue };
        let same = at.replace(state.clone()).is_some_and(|before| before.differs_in_groups_alone(&state));
        let said = match &last {
            // What groups let pass is nothing to instances.
            Some(last) if told && same => {
                let (epoch, generation) = (state.epoch.clone(), state.generation);
                ComputeReport { epoch, generation, ..ComputeReport::clone(last) }
            }
            _ => follower.follow(&state),
        };
        if !said.consoles.is_empty() || last.as_ref() != Some(&said) {
            last = Some(ComputeReport { consoles: Vec::new(), ..said.clone() });
            report(said);
        }
    }
}

struct Follower<D> {
    driver: Arc<D>,
    work: JoinSet<Result<(), String>>,
    /// What a task does, to which instance, and for which boot.
    busy: BTreeMap<Id, (InstanceId, u64, Step)>,
    trouble: BTreeMap<InstanceId, Trouble>,
    /// When instances were destroyed.
    gone: BTreeMap<InstanceId, Instant>,
}

type Done = Result<(Id, Result<(), String>), tokio::task::JoinError>;

impl<D: Driver> Follower<D> {
    fn new(driver: D) -> Self {
        Self {
            driver: Arc::new(driver),
            work: JoinSet::new(),
            busy: BTreeMap::new(),
            trouble: BTreeMap::new(),
            gone: BTreeMap::new(),
        }
    }

    fn done(&mut self, done: Done) {
        let (task, result) = match done {
            Ok((task, result)) => (task, result),
            Err(error) => (error.id(), Err(format!("the driver failed: {error}"))),
        };
        let Some((id, boot, step)) = self.busy.remove(&task) else { return };
        match result {
            Ok(()) => {
                self.trouble.remove(&id);
                if step == Step::Destroy {
                    self.gone.insert(id, Instant::now());
                }
            }
            Err(message) => {
                tracing::warn!(instance = %id, message, "the instance is not as it should be");
                let same = |trouble: &&Trouble| (trouble.boot, trouble.step) == (boot, step);
                let before = self.trouble.get(&id).filter(same);
                let attempts = before.map_or(0, |trouble| trouble.attempts) + 1;
                let not_before = Instant::now() + BETWEEN * attempts.min(30);
                self.trouble.insert(id, Trouble { boot, step, attempts, not_before, message });
            }
        }
    }

    /// Begins what is to be done, and says how things are.
    fn follow(&mut self, state: &Arc<HostState>) -> ComputeReport {
        let found = match self.driver.list() {
            Ok(found) => found,
            Err(error) => {
                let failure = Failure { subject: "instances".into(), message: error.to_string() };
                return ComputeReport { failures: vec![failure], ..ComputeReport::default() };
            }
        };
        let found: BTreeMap<_, _> = found.into_iter().map(|found| (found.id, found)).collect();
        let wanted = steps::wanted(state);
        let ids: BTreeSet<_> = wanted.keys().chain(found.keys()).copied().collect();
        for id in &ids {
            let there = found.get(id);
            let runs = there.is_some_and(|found| found.life == Life::Running);
            let plug = || (runs && cables::cables(state, &found, *id).is_some()).then_some(Step::Plug);
            match steps::next(wanted.get(id).copied(), there).or_else(plug) {
                Some(step) => self.begin(*id, step, state, &found),
                // What failed has come about all the same: a start that took too long, a stop of one that then ended.
                None => drop(self.trouble.remove(id)),
            }
        }
        self.trouble.retain(|id, _| ids.contains(id));
        self.gone.retain(|id, since| !ids.contains(id) && since.elapsed() < MOURNING);
        let consoles = found.keys().filter_map(|id| Some((*id, self.driver.console(*id)?))).collect();
        ComputeReport {
            epoch: state.epoch.clone(),
            generation: state.generation,
            instances: self.phases(&ids, &wanted, &found),
            failures: self.trouble.iter().map(|(id, trouble)| failure(*id, trouble)).collect(),
            consoles,
        }
    }

    fn begin(&mut self, id: InstanceId, step: Step, state: &HostState, found: &BTreeMap<InstanceId, Found>) {
        if self.busy.values().any(|(busy, ..)| *busy == id) {
            return;
        }
        let section = state.instances.get(&id).cloned();
        let boot = section.as_ref().map_or(0, |section| section.boot);
        let same = |trouble: &&Trouble| (trouble.boot, trouble.step) == (boot, step);
        if let Some(trouble) = self.trouble.get(&id).filter(same) {
            let hopeless = step == Step::Start && trouble.attempts >= ATTEMPTS;
            if hopeless || Instant::now() < trouble.not_before {
                return;
            }
        }
        let ports: Vec<_> = cables::ports_of(state, id).cloned().collect();
        let cables = match step {
            // Another one lets go of them first.
            Step::Start if ports.iter().any(|port| cables::held(found, id, port.eni)) => return,
            Step::Plug => cables::cables(state, found, id).unwrap_or_default(),
            _ => Cables::default(),
        };
        let driver = Arc::clone(&self.driver);
        let task = self.work.spawn(async move {
            match (step, section) {
                (Step::Start, Some(section)) => driver.start(section, ports).await,
                (Step::Start, None) => Ok(()),
                (Step::Stop, _) => driver.stop(id).await,
                (Step::Destroy, _) => driver.destroy(id).await,
                (Step::Plug, _) => driver.plug(id, cables).await,
            }
        });
        self.busy.insert(task.id(), (id, boot, step));
    }

    fn phases(
        &self,
        ids: &BTreeSet<InstanceId>,
        wanted: &BTreeMap<InstanceId, (bool, u64)>,
        found: &BTreeMap<InstanceId, Found>,
    ) -> Vec<InstanceReport> {
        // One that runs does so whatever becomes of its cables.
        let busy = self.busy.values().filter(|(_, _, step)| *step != Step::Plug);
        let busy: BTreeSet<_> = busy.map(|(id, ..)| *id).collect();
        let report = |id: &InstanceId| {
            let (want, there) = (wanted.get(id).copied(), found.get(id));
            let boot = want.map_or(0, |(_, boot)| boot);
            let hopeless = |trouble: &&Trouble| {
                trouble.boot == boot && trouble.attempts >= ATTEMPTS && trouble.step != Step::Plug
            };
            let failed = self.trouble.get(id).filter(hopeless).filter(|_| want.is_some_and(|(run, _)| run));
            let phase = match (failed, want.is_some() && busy.contains(id)) {
                (Some(_), _) => Some(Phase::Failed),
                (None, true) => None,
                (None, false) => steps::phase(want, there),
            }?;
            Some(InstanceReport { id: *id, boot, phase })
        };
        // What is worked on and not wanted any more is still there, whether or not it can be found yet.
        let leaving = busy.iter().filter(|id| !ids.contains(id));
        let leaving = leaving.map(|id| InstanceReport { id: *id, boot: 0, phase: Phase::Running });
        let gone = self.gone.keys().filter(|id| !busy.contains(id));
        let gone = gone.map(|id| InstanceReport { id: *id, boot: 0, phase: Phase::Gone });
        ids.iter().filter_map(report).chain(leaving).chain(gone).collect()
    }
}

fn failure(id: InstanceId, trouble: &Trouble) -> Failure {
    Failure { subject: Failure::of_instance(id), message: trouble.message.clone() }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Mutex;

    use super::*;
    use crate::control::testing::{Bench, run_request};
    use crate::plan::{InstanceSection, PortSection, host_state};
    use crate::query::api::Writes;

    /// Starts what it is told to, and says that it could not.
    #[derive(Default)]
    struct Slow(Mutex<Vec<Found>>);

    impl Driver for Slow {
        fn list(&self) -> io::Result<Vec<Found>> {
            Ok(self.0.lock().unwrap().clone())
        }

        async fn start(
            &self,
            instance: Arc<InstanceSection>,
            ports: Vec<Arc<PortSection>>,
        ) -> Result<(), String> {
            let plugs = ports.iter().map(|port| cables::Plug::from(&**port)).collect();
            let found = Found { id: instance.id, boot: instance.boot, life: Life::Running, plugs };
            self.0.lock().unwrap().push(found);
            Err("not ready in time".to_owned())
        }

        async fn plug(&self, _: InstanceId, _: Cables) -> Result<(), String> {
            Ok(())
        }

        async fn stop(&self, _: InstanceId) -> Result<(), String> {
            Ok(())
        }

        async fn destroy(&self, _: InstanceId) -> Result<(), String> {
            Ok(())
        }

        fn console(&self, _: InstanceId) -> Option<Arc<[u8]>> {
            None
        }
    }

    #[tokio::test]
    async fn what_failed_and_came_about_all_the_same_is_complained_of_no_more() {
        let mut bench = Bench::small();
        bench.attempt(|decision| decision.run_instances(&run_request())).unwrap();
        let state = Arc::new(host_state(&bench.world, "node1"));
        let mut follower = Follower::new(Slow::default());
        assert_eq!(follower.follow(&state).failures, []);
        let done = follower.work.join_next_with_id().await.unwrap();
        follower.done(done);
        assert_eq!(follower.trouble.len(), 1);
        let said = follower.follow(&state);
        assert_eq!((said.failures, said.instances[0].phase), (Vec::new(), Phase::Running));
    }
}
