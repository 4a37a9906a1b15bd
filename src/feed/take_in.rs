//! What hosts say: noted beside the World, and decided on where it changes something.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Hub;
use crate::control::{self, Console, HostStatus};
use crate::plan::HostReport;
use crate::plan::message::Said;
use crate::types::Micros;

impl Hub {
    /// Takes in what a host says of itself, under the name that it signed with.
    ///
    /// # Errors
    /// What follows from it could not be written: the agent says it again.
    pub async fn report(&self, host: &Arc<str>, said: Said) -> Result<(), String> {
        let applied = self.reached(host, &said.epoch, said.report.applied);
        let report = HostReport { host: host.clone(), applied, ..said.report };
        self.note(&report, said.consoles);
        self.reported.send_modify(|count| *count += 1);
        if control::concerns(&self.operator.handle.world(), &report) {
            let decide = move |decision: &mut control::Decision<'_>| {
                control::observed(decision, &report);
                Ok(())
            };
            self.operator.submit(decide).await?;
        }
        Ok(())
    }

    fn note(&self, report: &HostReport, consoles: Vec<(crate::types::InstanceId, String)>) {
        let at = Micros::now();
        let status = HostStatus {
            applied: report.applied,
            memory_mib: report.memory_mib,
            failures: report.failures.clone(),
            wiring: report.wiring.clone(),
            last_seen: at,
            away: false,
        };
        let world = self.operator.handle.world();
        let mine = |id| world.instances.get(id).is_some_and(|row| row.host == report.host);
        let decoded = consoles.iter().filter(|(id, _)| mine(id)).filter_map(|(id, text)| {
            let output: Arc<[u8]> = STANDARD.decode(text).ok()?.into();
            Some((*id, Console { at, output }))
        });
        let decoded: Vec<_> = decoded.collect();
        self.operator.handle.update_status(|all| {
            all.hosts.insert(report.host.clone(), status.clone());
            all.consoles.extend(decoded.iter().cloned());
        });
    }
}
