//! Asks servers for the host's state and tells them how it goes.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::{Notify, watch};

use super::saved::Saved;
use crate::compute::Consoles;
use crate::crash::{self, Point};
use crate::plan::message::{Answer, News, Poll, Said};
use crate::plan::{HostReport, HostState};
use crate::types::InstanceId;

/// How long a poll may wait for something new.
const PATIENCE_MS: u64 = 10_000;
/// How long a server is asked before the saved state is taken for the truth.
const BEFORE_SAVED: Duration = Duration::from_secs(3);
/// Between polls that fail.
const PAUSES: [Duration; 2] = [Duration::from_millis(50), Duration::from_millis(500)];
/// How often a report is repeated: what follows from it may have been lost.
const REPEAT: Duration = Duration::from_secs(5);

/// Consoles in one report, of at most 64 KiB each: servers read no report of any size.
const CONSOLES: usize = 16;

/// Whom an agent asks: a server of this process, or those of the configuration.
pub trait Server: Send + Sync + 'static {
    /// # Errors
    /// No server answered.
    fn poll(&self, poll: &Poll) -> impl Future<Output = Result<Answer, String>> + Send;

    /// # Errors
    /// No server took it.
    fn report(&self, said: &Said) -> impl Future<Output = Result<(), String>> + Send;
}

/// What the parts of an agent follow.
pub struct Followed {
    pub states: watch::Sender<Option<Arc<HostState>>>,
    /// When the last poll was sent whose answer confirms that what the host holds is still its own.
    pub confirmed: watch::Sender<Option<Instant>>,
}

/// Follows the servers for ever: the first state is theirs, or, where none answers, the saved one.
pub async fn follow(server: Arc<impl Server>, saved: Option<Saved>, followed: Followed) {
    let begun = Instant::now();
    let (mut failures, mut whole) = (0, false);
    loop {
        let held = followed.states.borrow().clone();
        let sent = Instant::now();
        let poll = poll(held.as_deref().filter(|_| !whole));
        let answer = server.poll(&poll).await;
        // Whatever was wrong with an answer, a full state cannot have it.
        whole = answer.is_ok();
        match answer.and_then(|answer| Ok((answer.confirms, newer(held.as_deref(), answer)?))) {
            Ok((confirms, state)) => {
                if failures > 0 {
                    tracing::info!("a server answers again");
                }
                (failures, whole) = (0, false);
                if let Some(state) = state {
                    if let Some(saved) = &saved {
                        saved.keep(&state);
                    }
                    followed.states.send_replace(Some(state));
                }
                if confirms {
                    followed.confirmed.send_replace(Some(sent));
                }
            }
            Err(problem) => {
                if failures == 0 {
                    tracing::warn!(problem, "no server answers; what is applied stays");
                }
                if let (None, Some(saved)) = (&held, &saved)
                    && begun.elapsed() > BEFORE_SAVED
                {
                    followed.begin_with(saved);
                }
                tokio::time::sleep(PAUSES[usize::from(failures > 5)]).await;
                failures += 1;
            }
        }
    }
}

impl Followed {
    fn begin_with(&self, saved: &Saved) {
        if let Some(kept) = saved.read() {
            self.states.send_replace(Some(kept.state));
        }
    }
}

/// Asks for what comes after the state that is held.
fn poll(held: Option<&HostState>) -> Poll {
    Poll {
        epoch: held.map(|state| state.epoch.clone()).unwrap_or_default(),
        generation: held.map_or(0, |state| state.generation),
        patience_ms: PATIENCE_MS,
    }
}

/// The state after an answer; `None` where it is the one that is held.
fn newer(held: Option<&HostState>, answer: Answer) -> Result<Option<Arc<HostState>>, String> {
    match (answer.news, held) {
        (News::None, _) => Ok(None),
        (News::Full(state), _) => Ok(Some(state)),
        (News::Delta(delta), Some(held)) => {
            let state =
                delta.applied_to(held).ok_or("the server's delta is not for the state that is held")?;
            Ok(Some(Arc::new(state)))
        }
        (News::Delta(_), None) => Err("the server sent a delta where there is no state".into()),
    }
}

/// Consoles that grew and have not been sent.
#[derive(Default)]
pub struct Unsent {
    consoles: Mutex<BTreeMap<InstanceId, Arc<[u8]>>>,
    grew: Notify,
}

impl Unsent {
    pub fn add(&self, consoles: Consoles) {
        if !consoles.is_empty() {
            self.consoles.lock().unwrap_or_else(PoisonError::into_inner).extend(consoles);
            self.grew.notify_one();
        }
    }

    /// As many as go into one report; whether there are more.
    fn take(&self) -> (BTreeMap<InstanceId, Arc<[u8]>>, bool) {
        let mut all = self.consoles.lock().unwrap_or_else(PoisonError::into_inner);
        let rest = all.keys().nth(CONSOLES).copied().map(|from| all.split_off(&from)).unwrap_or_default();
        let more = !rest.is_empty();
        (std::mem::replace(&mut *all, rest), more)
    }

    /// Puts back what could not be sent, unless it has grown since.
    fn restore(&self, consoles: BTreeMap<InstanceId, Arc<[u8]>>) {
        let mut all = self.consoles.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, output) in consoles {
            all.entry(id).or_insert(output);
        }
    }
}

/// Reports whenever there is something to say, until the reports' sender is gone.
pub async fn say(
    server: Arc<impl Server>,
    mut reports: watch::Receiver<(Arc<str>, HostReport)>,
    unsent: Arc<Unsent>,
) {
    let mut repeat = tokio::time::interval(REPEAT);
    loop {
        tokio::select! {
            changed = reports.changed() => if changed.is_err() { return },
            () = unsent.grew.notified() => {}
            _ = repeat.tick() => {}
        }
        let (epoch, report) = reports.borrow_and_update().clone();
        // Nothing is known before the first pass.
        if report.applied == 0 {
            continue;
        }
        let (consoles, more) = unsent.take();
        let encoded = consoles.iter().map(|(id, output)| (*id, STANDARD.encode(output))).collect();
        let said = Said { epoch, report, consoles: encoded };
        crash::point(Point::ReportBefore);
        let reported = server.report(&said).await;
        crash::point(Point::ReportSaid);
        if let Err(problem) = reported {
            tracing::debug!(problem, "a report was not taken in; it will be again");
            unsent.restore(consoles);
            repeat.reset_after(PAUSES[1]);
        } else if more {
            repeat.reset_immediately();
        }
    }
}
