//! Writes the rules: one process of `nft -j` for one transaction.
//!
//! Called directly and not through the `nftables` crate, whose model has no ICMP keys and whose
//! helper does not hand on what `nft` writes to stderr, which is what a failure must say.

use super::json::Commands;
use super::model::Ruleset;
use super::program::{NftError, nft};
use super::{batch, inspect};
use crate::crash::{self, Point};

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
    /// The rules' generation at which our tables were right.
    sound_at: Option<u32>,
    /// What our tables looked like then.
    fingerprint: Option<u128>,
}

impl Nft {
    /// Makes the kernel's rules these: nothing where they are so already, the difference where we
    /// know what is there, else the whole table in one swap. Says whether it wrote.
    ///
    /// # Errors
    /// What `nft` said. The kernel then has what it had before; where `nft` was killed, or that or the new.
    pub async fn apply(&mut self, want: Ruleset) -> Result<bool, NftError> {
        let commands = match &self.known {
            Known::These(have) if **have == want => return Ok(false),
            Known::These(have) => Some(batch::change(have, &want)),
            Known::Unknown => None,
        };
        let before = inspect::generation().ok();
        crash::point(Point::RulesBefore);
        let changed = match commands {
            Some(commands) => match run(commands).await {
                // What hangs once hangs again: the next pass tries it, and this one goes on.
                Err(error @ NftError::Hung(_)) => {
                    self.known = Known::Unknown;
                    return Err(error);
                }
                changed => changed.is_ok(),
            },
            None => false,
        };
        if !changed {
            self.known = Known::Unknown;
            run(batch::replace(&want)).await?;
        }
        crash::point(Point::RulesWritten);
        // A larger step means that somebody else wrote between: then the next look counts.
        self.sound_at = inspect::generation().ok().filter(|now| before == Some(now.wrapping_sub(1)));
        self.fingerprint = None;
        self.known = Known::These(Box::new(want));
        Ok(true)
    }

    /// Remembers what was written just now: what others write from here on is compared with that, and not only counted.
    /// It reads the whole table, so what waits for the rules comes first.
    pub fn remember(&mut self) {
        if self.fingerprint.is_some() {
            return;
        }
        let look = self.sound_at.and_then(|_| inspect::look().ok());
        if inspect::generation().is_ok_and(|now| self.sound_at == Some(now)) {
            self.fingerprint = look.map(|look| look.fingerprint);
        }
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
        let Known::These(have) = &self.known else { return true };
        let Ok(now) = inspect::generation() else { return true };
        if self.sound_at == Some(now) && self.fingerprint.is_some() {
            return true;
        }
        // Somebody writes just now; that will be heard of.
        let Ok(look) = inspect::look() else { return true };
        let right = match self.fingerprint {
            Some(fingerprint) => look.fingerprint == fingerprint,
            None => self.sound_at == Some(now) || look.counts == inspect::expected(have),
        };
        if !right {
            self.known = Known::Unknown;
            self.sound_at = None;
        } else if inspect::generation().is_ok_and(|after| after == now) {
            (self.sound_at, self.fingerprint) = (Some(now), Some(look.fingerprint));
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
