//! Routes and permanent neighbours: written before anything uses them, swept when nothing does.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};

use super::host::Pass;
use super::neighbours;
use super::routes::{self, Route};
use crate::crash::{self, Point};
use crate::types::MacAddr;

/// Requests that are under way at a time: the kernel's answers to them fit into a socket's buffer.
const AT_ONCE: usize = 64;

/// Sends requests without waiting for each one's answer; their results in order.
pub(super) async fn together<T>(requests: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    stream::iter(requests).buffered(AT_ONCE).collect().await
}

impl Pass<'_> {
    pub(super) async fn write_routes(&mut self, want: &BTreeMap<routes::Key, (Route, String)>) {
        let (new, old): (Vec<_>, Vec<_>) = want.iter().partition(|(key, _)| !self.routes.contains_key(*key));
        let add =
            |(key, (route, _)): &(&routes::Key, &(Route, String))| routes::add(self.handle, **key, *route);
        let added = together(new.iter().map(add)).await;
        for ((key, (_, subject)), added) in new.into_iter().zip(added) {
            self.check(|| format!("{subject}: route {key}"), added);
            crash::point(Point::RouteWritten);
        }
        for (key, (route, subject)) in old {
            let mut have = self.routes.get(key).cloned().unwrap_or_default();
            let same = have.iter().position(|have| have == route);
            if !have.is_empty() {
                have.remove(same.unwrap_or_default());
            }
            if same.is_none() {
                let changed = routes::change(self.handle, *key, *route).await;
                self.check(|| format!("{subject}: route {key}"), changed);
                crash::point(Point::RouteWritten);
            }
            self.remove_routes(*key, have).await;
        }
    }

    async fn remove_routes(&mut self, key: routes::Key, gone: Vec<Route>) {
        for route in gone {
            let removed = routes::remove(self.handle, key, route).await;
            crash::point(Point::RouteSwept);
            self.check(|| format!("route {key}"), removed);
        }
    }

    pub(super) async fn write_neighbours(&mut self, want: &BTreeMap<neighbours::Place, (MacAddr, String)>) {
        let have = match neighbours::permanent(self.handle).await {
            Ok(have) => have,
            Err(error) => return self.fail("neighbours".into(), error),
        };
        // Without our mark nobody would take it away again.
        let as_wanted = |entry: &neighbours::Entry, mac: &MacAddr| entry.mac == mac.0 && entry.ours;
        let other =
            want.iter().filter(|(place, (mac, _))| !have.get(place).is_some_and(|e| as_wanted(e, mac)));
        let other: Vec<_> = other.collect();
        let set = |(place, (mac, _)): &(&neighbours::Place, &(MacAddr, String))| {
            neighbours::set(self.handle, **place, *mac)
        };
        let set = together(other.iter().map(set)).await;
        for ((_, (_, subject)), set) in other.into_iter().zip(set) {
            self.check(|| subject.clone(), set);
            crash::point(Point::NeighbourSet);
        }
        let ports = self.cables();
        for place in have.keys().filter(|place| ports.contains(&place.1) && !want.contains_key(place)) {
            let removed = neighbours::remove(self.handle, *place, false).await;
            self.check(|| format!("neighbour {}", place.0), removed);
        }
    }

    /// Takes away our routes that lead to nobody.
    pub async fn sweep_routes(&mut self) {
        let mut want = BTreeMap::new();
        self.flat_routes(&mut want);
        self.side_routes(&mut want);
        let ports = self.state.ports.values().flat_map(|port| port.private_ips()).map(routes::to_instance);
        let want: BTreeSet<_> = want.into_keys().chain(ports).collect();
        let gone: Vec<_> = self.routes.iter().filter(|(key, _)| !want.contains(key)).collect();
        let gone: Vec<_> = gone.into_iter().map(|(key, routes)| (*key, routes.clone())).collect();
        for (key, routes) in gone {
            self.remove_routes(key, routes).await;
        }
        self.sweep_peers().await;
    }
}
