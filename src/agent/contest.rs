//! Who else has our elastic addresses: asked when a cable is in again, and heard of when somebody announces one.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::time::Instant;

use super::hold::Challenge;
use super::kernel::challenge::Challenges;
use super::kernel::links::Link;
use super::kernel::probe::{self, Care};
use super::reconcile::Reconciler;
use crate::types::MacAddr;

impl Reconciler {
    /// What a host that is cut off does not hear of, it asks about when its cables are in again.
    pub(super) async fn look_at_cables(&mut self, links: &BTreeMap<String, Link>, now: Instant) {
        let carrier = |name: &String| links.get(name).is_some_and(|link| link.carrier);
        self.flat_plugged = carrier(&self.config.flat_interface);
        self.silent = self.hold.alone(now) && (self.silent || !self.flat_plugged);
        let doubtful = self.hold.plugged(carrier(&self.config.public_interface), now);
        let (Some((interface, mac)), true) = (self.public, doubtful && !self.held.is_empty()) else { return };
        let held: Vec<_> = self.held.iter().copied().collect();
        let ask = move || probe::holders(&held, interface, mac, Care::QUICK);
        match tokio::task::spawn_blocking(ask).await.map_err(io::Error::other).and_then(|others| others) {
            Ok(others) => {
                for (ip, by) in others {
                    tracing::warn!(%ip, %by, "another host has got an address of ours: given up");
                    self.hold.give_up(ip, by, now);
                }
            }
            Err(error) => tracing::warn!(%error, "cannot ask who else has our addresses"),
        }
    }

    /// Has a socket on the public interface as it is now.
    pub(super) fn listen(&mut self) {
        let Some((interface, _)) = self.public else { return };
        if self.challenges.as_ref().is_some_and(|open| open.interface() == interface) {
            return;
        }
        let opened = Challenges::on(interface);
        self.challenges =
            opened.inspect_err(|error| tracing::warn!(%error, "cannot hear who else has our addresses")).ok();
    }

    /// Others say that they have addresses of ours.
    pub(super) fn challenged(&mut self, heard: io::Result<Vec<(Ipv4Addr, MacAddr)>>) {
        let heard = heard.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot hear who else has our addresses");
            self.challenges = None;
            Vec::new()
        });
        for (ip, by) in heard {
            match self.hold.challenged(ip, by, Instant::now()) {
                Challenge::GiveUp => {
                    tracing::warn!(%ip, %by, "another host announces an address of ours: given up")
                }
                Challenge::Ignore => {}
                Challenge::Defend => {
                    tracing::warn!(%ip, %by, "another host announces an address of ours: announced again");
                    let Some((interface, mac)) = self.public else { continue };
                    if let Err(error) = self.announcer.announce(ip, interface, mac) {
                        tracing::warn!(%ip, %error, "cannot announce it");
                    }
                }
            }
        }
    }
}
