//! Writes the rules: one process of `nft -j` for one transaction.
//!
//! Called directly and not through the `nftables` crate, whose model has no ICMP keys and whose
//! helper does not hand on what `nft` writes to stderr, which is what a failure must say.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::json::Commands;
use super::model::{Family, Ruleset, Set, Value};
use super::{batch, inspect};
use crate::agent::names::TABLE;
use crate::types::Digest;

/// Why rules could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    #[error("cannot run nft: {0}; install the package nftables")]
    Run(#[from] std::io::Error),
    #[error("nft refused: {0}")]
    Refused(String),
}

/// The set that holds the digest of what was last applied.
const APPLIED: &str = "applied";

/// What stands in the kernel, as far as we know.
#[derive(Default, Debug)]
enum Known {
    /// Whatever an agent before us left: adopted where its digest is right.
    #[default]
    Unseen,
    /// What we wrote.
    These(Box<Ruleset>),
    /// Somebody changed it.
    Broken,
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
    /// What `nft` said. The kernel then has what it had before.
    pub async fn apply(&mut self, mut want: Ruleset) -> Result<bool, NftError> {
        let digest = seal(&mut want);
        let commands = match &self.known {
            Known::These(have) if **have == want => return Ok(false),
            Known::These(have) => Some(batch::change(have, &want)),
            Known::Unseen if stands(digest).await && counted(&want) => {
                self.known = Known::These(Box::new(want));
                return Ok(false);
            }
            Known::Unseen | Known::Broken => None,
        };
        let before = inspect::generation().ok();
        let changed = match commands {
            Some(commands) => run(commands).await.is_ok(),
            None => false,
        };
        if !changed {
            self.known = Known::Broken;
            run(batch::replace(&want)).await?;
        }
        // A larger step means that somebody else wrote between: then the next look counts.
        self.sound_at = inspect::generation().ok().filter(|now| before == Some(now.wrapping_sub(1)));
        self.fingerprint = None;
        self.known = Known::These(Box::new(want));
        self.remember();
        Ok(true)
    }

    /// Remembers what was written just now: what others write from here on is compared with that, and not only counted.
    fn remember(&mut self) {
        let look = self.sound_at.and_then(|_| inspect::look().ok());
        if inspect::generation().is_ok_and(|now| self.sound_at == Some(now)) {
            self.fingerprint = look.map(|look| look.fingerprint);
        }
    }

    /// Whether our rules stand; without them no port may be opened.
    pub fn stand(&self) -> bool {
        matches!(self.known, Known::These(_))
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
            self.known = Known::Broken;
            self.sound_at = None;
        } else if inspect::generation().is_ok_and(|after| after == now) {
            (self.sound_at, self.fingerprint) = (Some(now), Some(look.fingerprint));
        }
        right
    }
}

/// Whether the tables in the kernel have as many rules and elements as these.
fn counted(want: &Ruleset) -> bool {
    inspect::look().is_ok_and(|look| look.counts == inspect::expected(want))
}

/// Adds the set with the digest of everything else.
fn seal(want: &mut Ruleset) -> Digest {
    let digest = Digest::of(batch::replace(want).document().as_bytes());
    if let Some(table) = want.tables.get_mut(&Family::Inet) {
        table.sets.insert(APPLIED.into(), Set::keys(&["ipv6_addr"], [vec![Value::Digest(digest)]]));
    }
    digest
}

/// Whether the table in the kernel says that it is this one.
async fn stands(digest: Digest) -> bool {
    let text = std::net::Ipv6Addr::from(digest.0).to_string();
    let output = Command::new("nft").args(["list", "set", "inet", TABLE, APPLIED]).output().await;
    output.is_ok_and(|output| {
        output.status.success()
            && String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == text)
    })
}

async fn run(commands: Commands) -> Result<(), NftError> {
    if commands.is_empty() {
        return Ok(());
    }
    let document = commands.document();
    let mut child = Command::new("nft")
        .args(["-j", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(false)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(document.as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = text.lines().filter(|line| line.contains("rror")).take(4).collect();
    Err(NftError::Refused(if lines.is_empty() { text.trim().to_owned() } else { lines.join("; ") }))
}
