//! Which elastic IPs the host may answer for, besides what its state says.
//!
//! A state can be old. Two things bound how long an old one is acted on: a lease, where the deployment has
//! one, and another host that announces the address while no server can be asked.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::plan::{Failure, HostState};
use crate::types::MacAddr;

/// A host that no server has confirmed for so long is without its server.
const ALONE: Duration = Duration::from_secs(3);
/// "DEFEND_INTERVAL" of RFC 5227: who defends an address more often than this makes a storm.
const DEFEND: Duration = Duration::from_secs(10);

/// When the last poll was sent whose answer confirmed what the host holds.
pub type Confirmed = watch::Receiver<Option<Instant>>;

/// What to do about another one that says it has an address of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Challenge {
    /// It is the new owner, as far as we can know.
    GiveUp,
    /// Our server says that it is ours.
    Defend,
    /// Defended just now.
    Ignore,
}

/// What of its state the host acts on.
pub struct Hold {
    confirmed: Option<Confirmed>,
    given_up: BTreeMap<Ipv4Addr, (Instant, MacAddr)>,
    defended: BTreeMap<Ipv4Addr, (Instant, MacAddr)>,
    /// Whether the public interface has a carrier, as far as is known.
    plugged: bool,
    /// When it had one again, where nothing was confirmed since.
    doubt: Option<Instant>,
}

impl Hold {
    /// Without confirmations to hear, every state counts as confirmed at every moment.
    pub const fn new(confirmed: Option<Confirmed>) -> Self {
        Self { confirmed, given_up: BTreeMap::new(), defended: BTreeMap::new(), plugged: true, doubt: None }
    }

    fn last(&self, now: Instant) -> Option<Instant> {
        self.confirmed.as_ref().map_or(Some(now), |confirmed| *confirmed.borrow())
    }

    /// Whether no server has confirmed anything lately.
    pub fn alone(&self, now: Instant) -> bool {
        self.last(now).is_none_or(|last| now.saturating_duration_since(last) > ALONE)
    }

    /// Resolves at the next confirmation; never without any to come.
    pub async fn confirmed(&mut self) {
        let changed = match &mut self.confirmed {
            Some(confirmed) => confirmed.changed().await.is_ok(),
            None => false,
        };
        if !changed {
            std::future::pending::<()>().await;
        }
    }

    /// For how many whole seconds an elastic IP may stay, counted from the last confirmation; `None` for ever.
    pub fn lifetime(&self, lease: u32, now: Instant) -> Option<u32> {
        if lease == 0 {
            return None;
        }
        let left = self.last(now).and_then(|last| {
            Duration::from_secs(lease.into()).checked_sub(now.saturating_duration_since(last))
        });
        Some(left.map_or(0, |left| u32::try_from(left.as_secs()).unwrap_or(lease)))
    }

    /// Whether a confirmation changes something: addresses that were given up, or a lease of which a part has passed
    /// since `renewed`.
    pub fn wants_renewal(&self, lease: u32, renewed: Instant, now: Instant) -> bool {
        let part = Duration::from_secs(lease.into()) / 5;
        let unsure = !self.plugged || self.doubt.is_some() || !self.given_up.is_empty();
        unsure || lease > 0 && now.saturating_duration_since(renewed) >= part
    }

    /// The state as far as the host acts on it, and what is withheld.
    pub fn of(&mut self, state: &Arc<HostState>, now: Instant) -> (Arc<HostState>, Vec<Failure>) {
        let last = self.last(now);
        // What a server confirms after we gave it up is ours again.
        self.given_up.retain(|_, (since, _)| last.is_none_or(|last| last <= *since));
        let ended = self.lifetime(state.address_lease, now) == Some(0);
        // Whoever pulled both cables may have given the addresses to another host since: nothing is lost by giving them
        // up, and when the cable is in again they are not answered for before they are asked about.
        let lost = !self.plugged && self.alone(now);
        let mut failures: Vec<Failure> = self.challengers(state, now);
        let withheld = |ip: &Ipv4Addr| ended || lost || self.given_up.contains_key(ip);
        if !state.addresses.keys().any(withheld) {
            return (state.clone(), failures);
        }
        let mut state = HostState::clone(state);
        state.addresses.retain(|ip, _| {
            let message = match self.given_up.get(ip) {
                Some((_, mac)) => format!("{mac} announced it while no server could be asked: given up"),
                None if lost => "no carrier, and no server can be asked: given up until then".to_owned(),
                None if ended => "its lease has ended: no server has confirmed it".to_owned(),
                None => return true,
            };
            failures.push(Failure { subject: format!("address {ip}"), message });
            false
        });
        (Arc::new(state), failures)
    }

    fn challengers(&mut self, state: &HostState, now: Instant) -> Vec<Failure> {
        self.defended.retain(|ip, (at, _)| {
            state.addresses.contains_key(ip) && now.saturating_duration_since(*at) < 2 * DEFEND
        });
        let said = |(ip, (_, mac)): (&Ipv4Addr, &(Instant, MacAddr))| Failure {
            subject: format!("address {ip}"),
            message: format!("{mac} announced it too: take it away there"),
        };
        self.defended.iter().map(said).collect()
    }

    /// The public interface has a carrier, or not. Whether other hosts are to be asked for the addresses that are held:
    /// they may have got them while the cable was out, and a server would have said so.
    pub fn plugged(&mut self, plugged: bool, now: Instant) -> bool {
        if plugged && !self.plugged {
            self.doubt = Some(now);
        }
        self.plugged = plugged;
        let last = self.last(now);
        self.doubt = self.doubt.filter(|since| plugged && last.is_none_or(|last| last < *since));
        self.doubt.is_some()
    }

    /// Whether time alone may change what is to be done.
    pub fn is_unsure(&self) -> bool {
        !self.plugged || self.doubt.is_some()
    }

    /// Another one answers for an address that we hold while that is in doubt.
    pub fn give_up(&mut self, ip: Ipv4Addr, to: MacAddr, now: Instant) {
        self.given_up.insert(ip, (now, to));
    }

    /// Another one says that it has an address that we hold.
    pub fn challenged(&mut self, ip: Ipv4Addr, by: MacAddr, now: Instant) -> Challenge {
        if self.alone(now) || self.doubt.is_some() {
            self.given_up.insert(ip, (now, by));
            return Challenge::GiveUp;
        }
        let lately = |(at, _): &(Instant, MacAddr)| now.saturating_duration_since(*at) < DEFEND;
        if self.defended.get(&ip).is_some_and(lately) {
            return Challenge::Ignore;
        }
        self.defended.insert(ip, (now, by));
        Challenge::Defend
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::AddressSection;
    use crate::types::EniId;

    const IP: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

    fn state(address_lease: u32) -> Arc<HostState> {
        let section = AddressSection {
            public_ip: IP,
            private_ip: Ipv4Addr::new(10, 0, 0, 5),
            eni: EniId::from_random(1),
            transit: None,
        };
        let addresses = [(IP, Arc::new(section))].into();
        Arc::new(HostState { addresses, address_lease, ..HostState::default() })
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_lease_runs_from_the_confirmation_and_ends() {
        let start = Instant::now();
        let (confirm, confirmed) = watch::channel(None);
        let mut hold = Hold::new(Some(confirmed));
        assert_eq!(hold.lifetime(0, start), None);
        assert_eq!(hold.lifetime(10, start), Some(0), "never confirmed");
        assert!(hold.of(&state(10), start).0.addresses.is_empty());
        assert_eq!(hold.of(&state(0), start).0.addresses.len(), 1);
        confirm.send_replace(Some(start));
        assert_eq!(hold.lifetime(10, start), Some(10));
        assert_eq!(hold.lifetime(10, start + Duration::from_millis(3200)), Some(6), "never rounded up");
        let (acted, failures) = hold.of(&state(10), start + seconds(9));
        assert_eq!((acted.addresses.len(), failures.len()), (1, 0));
        let (acted, failures) = hold.of(&state(10), start + seconds(10));
        assert_eq!((acted.addresses.len(), failures.len()), (0, 1));
        confirm.send_replace(Some(start + seconds(20)));
        assert_eq!(hold.of(&state(10), start + seconds(20)).0.addresses.len(), 1);
    }

    #[test]
    fn a_cable_that_was_out_puts_what_is_held_in_doubt_until_a_server_confirms_it() {
        let start = Instant::now();
        let (confirm, confirmed) = watch::channel(Some(start));
        let mut hold = Hold::new(Some(confirmed));
        let held = |hold: &mut Hold, at| hold.of(&state(0), at).0.addresses.len();
        assert!(!hold.plugged(true, start), "as always");
        assert!(!hold.plugged(false, start + seconds(1)));
        assert_eq!(held(&mut hold, start + seconds(2)), 1, "a short while: flows may go on after it");
        assert_eq!(held(&mut hold, start + seconds(4)), 0, "off the net, and nobody to ask");
        assert!(hold.plugged(true, start + seconds(5)));
        assert!(hold.plugged(true, start + seconds(6)), "still not confirmed");
        assert_eq!(hold.challenged(IP, OTHER, start + seconds(6)), Challenge::GiveUp);
        confirm.send_replace(Some(start + seconds(4)));
        assert!(hold.plugged(true, start + seconds(7)), "that was before");
        assert_eq!(held(&mut hold, start + seconds(7)), 0);
        confirm.send_replace(Some(start + seconds(8)));
        assert!(!hold.plugged(true, start + seconds(8)));
        assert_eq!(held(&mut hold, start + seconds(8)), 1, "a server says that it is ours");
    }

    #[test]
    fn without_a_server_the_other_one_is_right_and_with_one_we_are() {
        let start = Instant::now();
        let (confirm, confirmed) = watch::channel(Some(start));
        let mut hold = Hold::new(Some(confirmed));
        let soon = start + seconds(1);
        assert_eq!(hold.challenged(IP, OTHER, soon), Challenge::Defend);
        assert_eq!(hold.challenged(IP, OTHER, soon), Challenge::Ignore);
        let (acted, failures) = hold.of(&state(0), soon);
        assert_eq!((acted.addresses.len(), failures.len()), (1, 1));
        let late = start + seconds(4);
        assert_eq!(hold.challenged(IP, OTHER, late), Challenge::GiveUp);
        assert!(hold.of(&state(0), late).0.addresses.is_empty());
        // A poll that was sent before says nothing of what came after.
        confirm.send_replace(Some(late - seconds(1)));
        assert!(hold.of(&state(0), late).0.addresses.is_empty());
        confirm.send_replace(Some(late + seconds(1)));
        assert_eq!(hold.of(&state(0), late + seconds(1)).0.addresses.len(), 1);
    }
}
