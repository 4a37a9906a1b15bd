//! Routes and permanent neighbours: written before anything uses them, swept when nothing does.

use std::collections::{BTreeMap, BTreeSet};

use super::host::Pass;
use super::neighbours;
use super::routes::{self, Route};
use crate::crash::{self, Point};
use crate::types::MacAddr;

impl Pass<'_> {
    pub(super) async fn write_routes(&mut self, want: &BTreeMap<routes::Key, (Route, String)>) {
        for (key, (route, subject)) in want {
            let mut have = self.routes.get(key).cloned().unwrap_or_default();
            let result = if let Some(at) = have.iter().position(|have| have == route) {
                have.remove(at);
                Ok(())
            } else if have.is_empty() {
                routes::add(self.handle, *key, *route).await
            } else {
                have.remove(0);
                routes::change(self.handle, *key, *route).await
            };
            self.check(|| format!("{subject}: route {key}"), result);
            crash::point(Point::RouteWritten);
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
        for (place, (mac, subject)) in want {
            // Without our mark nobody would take it away again.
            if have.get(place).is_none_or(|entry| entry.mac != mac.0 || !entry.ours) {
                let set = neighbours::set(self.handle, *place, *mac).await;
                self.check(|| subject.clone(), set);
                crash::point(Point::NeighbourSet);
            }
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
