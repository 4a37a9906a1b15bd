//! What a server must know of an instance that another one started.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::compute::{Life, Plug};

const FILE: &str = "record.json";

/// The last start of an instance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Record {
    pub boot: u64,
    /// Process 1 of the instance as the host numbers it, with its start time in clock ticks: the number
    /// alone may be another process's by now.
    pub pid: u32,
    pub started: u64,
    /// The host's own boot, /proc/sys/kernel/random/boot_id.
    pub host_boot: String,
    /// Whether the process was told to go on.
    pub went: bool,
    /// The ports whose cables were made.
    #[serde(default)]
    pub ports: Vec<Plug>,
}

impl Record {
    /// For a process that runs now.
    ///
    /// # Errors
    /// It does not run any more.
    pub fn of(boot: u64, pid: u32) -> io::Result<Self> {
        let gone = || io::Error::new(io::ErrorKind::NotFound, "the instance's first process ended at once");
        let started = start_time(pid).ok_or_else(gone)?;
        Ok(Self { boot, pid, started, host_boot: host_boot(), went: false, ports: Vec::new() })
    }

    /// `None` where there is none or it cannot be read: then nothing was started for certain.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(FILE)).ok()?).ok()
    }

    /// Replaces the record: whoever reads sees the old or the new one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let new = folder.join("record.new");
        fs::write(&new, serde_json::to_vec(self)?)?;
        fs::rename(new, folder.join(FILE))
    }

    /// The process's number while it runs.
    pub fn running_pid(&self) -> Option<u32> {
        let same = self.host_boot == host_boot() && start_time(self.pid) == Some(self.started);
        same.then_some(self.pid)
    }

    /// The cables that are there still: whoever deletes the host's end, or the namespace that it is in, takes both.
    ///
    /// A guest may rename its interfaces: one is lost only where there are too few.
    pub fn plugs(self) -> Vec<Plug> {
        let Some(devices) = self.running_pid().and_then(devices) else { return self.ports };
        if devices.len() >= self.ports.len() {
            return self.ports;
        }
        let there = |plug: &Plug| devices.iter().any(|name| *name == format!("eth{}", plug.device_index));
        self.ports.into_iter().filter(there).collect()
    }

    pub fn life(&self) -> Life {
        match (self.running_pid().is_some(), self.went && self.host_boot == host_boot()) {
            (true, true) => Life::Running,
            // A server that ended between both words leaves a process that ends by itself.
            (_, false) => Life::Interrupted,
            (false, true) => Life::Ended,
        }
    }
}

fn host_boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// The interfaces in a process's network namespace but its loopback (proc_pid_net(5)).
fn devices(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/dev")).ok()?;
    let names = text.lines().skip(2).filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
    Some(names.filter(|name| *name != "lo").map(str::to_owned).collect())
}

/// Field 22 of /proc/PID/stat (proc_pid_stat(5)); `None` for what is gone or a zombie.
fn start_time(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, also blanks and parentheses.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18)?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_about_one_process_and_one_boot_of_the_host() {
        let own = Record::of(3, std::process::id()).unwrap();
        assert_eq!(own.running_pid(), Some(std::process::id()));
        assert_eq!(own.life(), Life::Interrupted, "it was not told to go on yet");
        let went = Record { went: true, ..own };
        assert_eq!(went.life(), Life::Running);
        let other = Record { started: went.started + 1, ..went.clone() };
        assert_eq!(other.life(), Life::Ended, "the number is another process's");
        let rebooted = Record { host_boot: "before".into(), ..went };
        assert_eq!(rebooted.life(), Life::Interrupted, "the host was restarted");
        assert_eq!(rebooted.running_pid(), None);
    }
}
