//! Writes the rules, one transaction at a time: over netlink, which takes microseconds.
//!
//! Where a kernel does not take a whole table so, `nft` is asked for a second opinion: it knows what kernels have differed in,
//! and it says in words what is wrong, which is what a failure must say.

use std::io;

use super::inspect::Look;
use super::json::Commands;
use super::model::{Names, Part, Ruleset};
use super::program::{NftError, nft};
use super::wire::{Batch, Failed, Wire};
use super::{batch, inspect};
use crate::agent::config::RulesBy;
use crate::crash::{self, Point};

/// Bytes of a batch that the kernel has done with before another thread would have begun.
const FEW: usize = 64 * 1024;

/// What stands in the kernel, as far as we know.
#[derive(Default, Debug)]
enum Known {
    /// Whatever an agent before us left, or somebody changed. What looks right may have been changed by one element, so it
    /// is never taken on: it goes in one swap, which loses no packet.
    #[default]
    Unknown,
    /// What we wrote.
    These(Box<Ruleset>),
}

/// The rules of one network namespace, and what this process last wrote of them.
#[derive(Default, Debug)]
pub struct Nft {
    known: Known,
    by: RulesBy,
    /// Opened at the first writing.
    wire: Option<Wire>,
    /// The rules' generation at which our tables were right.
    sound_at: Option<u32>,
    /// What our tables looked like then, but for what was written since under these names.
    seen: Option<(Look, Names)>,
}

impl Nft {
    pub fn new(by: RulesBy) -> Self {
        Self { by, ..Self::default() }
    }

    /// Makes the kernel's rules these: nothing where they are so already, the difference where we
    /// know what is there, else the whole table in one swap. Says whether it wrote.
    ///
    /// # Errors
    /// What the kernel and `nft` said. The kernel then has what it had before; where `nft` was killed, or that or the new.
    pub async fn apply(&mut self, want: Ruleset) -> Result<bool, NftError> {
        let have = match std::mem::take(&mut self.known) {
            Known::These(have) if *have == want => {
                self.known = Known::These(have);
                return Ok(false);
            }
            Known::These(have) => Some(have),
            Known::Unknown => None,
        };
        let before = inspect::generation().ok();
        crash::point(Point::RulesBefore);
        let changed = match have {
            Some(have) => match self.change(&have, &want).await {
                // What hangs once hangs again: the next pass tries it, and this one goes on.
                Err(error @ NftError::Hung(_)) => return Err(error),
                changed => changed.is_ok(),
            },
            None => false,
        };
        if !changed {
            self.replace(&want).await?;
        }
        crash::point(Point::RulesWritten);
        self.note(before);
        self.seen = None;
        self.known = Known::These(Box::new(want));
        Ok(true)
    }

    /// What was written last, and stands.
    pub fn written(&self) -> Option<&Ruleset> {
        if let Known::These(have) = &self.known { Some(have) } else { None }
    }

    /// Makes a part of the rules anew, where all else is as it was written: nothing is looked at but the part. `false` where
    /// that could not be, and [`Nft::apply`] is needed.
    pub async fn apply_part(&mut self, part: Part) -> bool {
        let Known::These(mut known) = std::mem::take(&mut self.known) else { return false };
        let have = known.take(&part.names);
        if have != part.rules {
            let before = inspect::generation().ok();
            crash::point(Point::RulesBefore);
            if self.change(&have, &part.rules).await.is_err() {
                return false;
            }
            crash::point(Point::RulesWritten);
            let was_sound = before.is_some() && self.sound_at == before;
            self.note(before);
            self.sound_at = self.sound_at.filter(|_| was_sound);
            if let Some((_, written)) = &mut self.seen {
                written.0.extend(part.names.0);
            }
        }
        known.put(part.rules);
        self.known = Known::These(known);
        true
    }

    /// Notes that we have written once since that generation. A larger step means that somebody else wrote between: then the
    /// next look counts.
    fn note(&mut self, before: Option<u32>) {
        self.sound_at = inspect::generation().ok().filter(|now| before == Some(now.wrapping_sub(1)));
    }

    async fn change(&mut self, have: &Ruleset, want: &Ruleset) -> Result<(), NftError> {
        match self.by {
            RulesBy::Netlink => Ok(self.carry_out(batch::change(have, want)).await?),
            RulesBy::Nft => run(batch::change(have, want)).await,
        }
    }

    async fn replace(&mut self, want: &Ruleset) -> Result<(), NftError> {
        if self.by == RulesBy::Netlink {
            match self.carry_out(batch::replace(want)).await {
                Ok(()) => return Ok(()),
                Err(failed) => {
                    tracing::warn!(%failed, "the kernel does not take our rules; asking nft to write them")
                }
            }
        }
        run(batch::replace(want)).await
    }

    /// Has the kernel carry out a batch; a large one beside everything else that waits.
    async fn carry_out(&mut self, orders: Batch) -> Result<(), Failed> {
        let mut wire = match self.wire.take() {
            Some(wire) => wire,
            None => Wire::open()?,
        };
        let few = orders.len() < FEW;
        let work = move || {
            let done = wire.carry_out(&orders);
            (wire, done)
        };
        let (wire, done) =
            if few { work() } else { tokio::task::spawn_blocking(work).await.map_err(io::Error::other)? };
        self.wire = Some(wire);
        done
    }

    /// Remembers what was written just now: what others write from here on is compared with that, and not only counted.
    /// It reads what was written, so what waits for the rules comes first.
    pub fn remember(&mut self) {
        let (Known::These(have), Some(sound_at)) = (&self.known, self.sound_at) else { return };
        let look = match self.seen.take() {
            Some((look, written)) if written.0.is_empty() => Some(look),
            Some((mut look, written)) => look.again(have, &written).ok().map(|()| look),
            None => inspect::look().ok(),
        };
        let still = inspect::generation().is_ok_and(|now| sound_at == now);
        self.seen = look.filter(|_| still).map(|look| (look, Names::default()));
    }

    /// Whether our rules stand; without them no port may be opened.
    pub fn stand(&self) -> bool {
        matches!(self.known, Known::These(_))
    }

    /// Whether no rules of ours do anything: then not even those of before keep anybody out. What cannot be looked at is in
    /// doubt, unless somebody writes just now.
    pub fn is_bare(&self) -> bool {
        let keeps = |error: &std::io::Error| error.kind() == std::io::ErrorKind::Interrupted;
        !self.stand() && !inspect::look().map_or_else(|error| keeps(&error), |look| look.guards())
    }

    /// Looks whether our tables are still what we wrote, where somebody wrote since. After `false`
    /// the next `apply` replaces them.
    pub fn sound(&mut self) -> bool {
        if !self.stand() {
            return true;
        }
        let Ok(now) = inspect::generation() else { return true };
        let seen = self.seen.as_ref().filter(|(_, written)| written.0.is_empty());
        if self.sound_at == Some(now) && seen.is_some() {
            return true;
        }
        // Somebody writes just now; that will be heard of.
        let Ok(look) = inspect::look() else { return true };
        let right = match seen {
            Some((seen, _)) => look == *seen,
            // Somebody wrote before we had looked at what we wrote: what it was cannot be known.
            None => self.sound_at == Some(now),
        };
        if !right {
            self.known = Known::Unknown;
            self.sound_at = None;
        } else if inspect::generation().is_ok_and(|after| after == now) {
            (self.sound_at, self.seen) = (Some(now), Some((look, Names::default())));
        }
        right
    }
}

async fn run(commands: Commands) -> Result<(), NftError> {
    if !commands.is_empty() {
        nft(&["-j", "-f", "-"], commands.document().as_bytes()).await?;
    }
    Ok(())
}
