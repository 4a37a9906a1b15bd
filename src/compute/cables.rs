//! Which cables of a running instance are to come and go, from what is wanted and what there is. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Found, Life};
use crate::plan::{HostState, PortSection};
use crate::types::{EniId, InstanceId};

/// A cable that was made: whose it is, and which interface of the guest is at its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Plug {
    pub eni: EniId,
    pub device_index: u32,
}

/// Records of before there were several interfaces name the one alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    First(EniId),
    Any { eni: EniId, device_index: u32 },
}

impl From<Written> for Plug {
    fn from(written: Written) -> Self {
        match written {
            Written::First(eni) => Self { eni, device_index: 0 },
            Written::Any { eni, device_index } => Self { eni, device_index },
        }
    }
}

impl From<&PortSection> for Plug {
    fn from(port: &PortSection) -> Self {
        Self { eni: port.eni, device_index: port.device_index }
    }
}

/// What is to be done about the cables of a running instance.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cables {
    pub out: Vec<EniId>,
    pub new: Vec<Arc<PortSection>>,
}

/// `None` where they are as they should be.
///
/// One whose port is missing stays for as long as the interface is attached: another host may have the claim to its
/// address for a while, and a guest that loses its interface does not get over it by itself.
pub fn cables(state: &HostState, found: &BTreeMap<InstanceId, Found>, id: InstanceId) -> Option<Cables> {
    let (there, section) = (found.get(&id)?, state.instances.get(&id)?);
    let wanted = |plug: &Plug| match state.ports.get(&plug.eni).filter(|port| port.instance == id) {
        Some(port) => port.device_index == plug.device_index,
        None => section.interfaces.contains(&plug.eni),
    };
    let out: Vec<EniId> = there.plugs.iter().filter(|plug| !wanted(plug)).map(|plug| plug.eni).collect();
    let missing = |port: &&Arc<PortSection>| !there.plugs.contains(&Plug::from(&***port));
    let new: Vec<_> =
        ports_of(state, id).filter(missing).filter(|port| !held(found, id, port.eni)).cloned().collect();
    (!out.is_empty() || !new.is_empty()).then_some(Cables { out, new })
}

/// The ports that an instance has in the state.
pub fn ports_of(state: &HostState, id: InstanceId) -> impl Iterator<Item = &Arc<PortSection>> {
    state.ports.values().filter(move |port| port.instance == id)
}

/// Whether another instance has the interface still: both cables would have one name on the host, and taking away the
/// old one would take the new one.
pub fn held(found: &BTreeMap<InstanceId, Found>, id: InstanceId, eni: EniId) -> bool {
    let others = found.values().filter(|other| other.id != id && other.life != Life::Ended);
    others.flat_map(|other| &other.plugs).any(|plug| plug.eni == eni)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::{Bench, run_request};
    use crate::plan::host_state;
    use crate::query::api::{CreateNetworkInterfaceRequest, Writes};
    use crate::world::{Attachment, Eni};

    /// Two instances on one host, and an interface to be moved between them.
    struct Rack {
        bench: Bench,
        instances: [InstanceId; 2],
        eni: EniId,
        found: BTreeMap<InstanceId, Found>,
    }

    impl Rack {
        fn new() -> Self {
            let mut bench = Bench::small();
            let instances = [(); 2].map(|()| {
                let made = bench.attempt(|decision| decision.run_instances(&run_request())).unwrap();
                made.instances_set[0].instance_id
            });
            let subnet_id = *bench.world.subnets.keys().next().unwrap();
            let request = CreateNetworkInterfaceRequest {
                dry_run: false,
                subnet_id,
                description: None,
                group_ids: Vec::new(),
                interface_type: None,
                private_ip_address: None,
                private_ip_addresses: Vec::new(),
                secondary_private_ip_address_count: None,
                ipv6_address_count: None,
                ipv6_addresses: Vec::new(),
                tag_specifications: Vec::new(),
                client_token: None,
            };
            let made = bench.attempt(|decision| decision.create_network_interface(&request)).unwrap();
            let eni = made.network_interface.network_interface_id;
            let found =
                instances.map(|id| (id, Found { id, boot: 1, life: Life::Running, plugs: Vec::new() }));
            let mut rack = Self { bench, instances, eni, found: found.into() };
            rack.instances.iter().for_each(|id| assert_eq!(rack.next(*id).unwrap().new.len(), 1));
            rack.settle();
            rack
        }

        fn next(&self, id: InstanceId) -> Option<Cables> {
            cables(&host_state(&self.bench.world, "node1"), &self.found, id)
        }

        /// Does what is to be done, for as long as there is something.
        fn settle(&mut self) {
            while let Some((id, todo)) = self.instances.iter().find_map(|id| Some((*id, self.next(*id)?))) {
                let plugs = &mut self.found.get_mut(&id).unwrap().plugs;
                plugs.retain(|plug| !todo.out.contains(&plug.eni));
                plugs.extend(todo.new.iter().map(|port| Plug::from(&**port)));
            }
        }

        fn attach(&mut self, to: Option<(InstanceId, u32)>) {
            let attachment = to.map(|(instance, device_index)| Attachment {
                id: crate::types::AttachmentId::from_random(5),
                instance,
                device_index,
                delete_on_termination: false,
                attached: self.bench.now,
            });
            let row = Eni { attachment, ..(*self.bench.world.enis[&self.eni]).clone() };
            self.bench.put(row);
        }
    }

    #[test]
    fn what_is_attached_is_plugged_and_what_is_detached_is_unplugged() {
        let mut rack = Rack::new();
        let [one, _] = rack.instances;
        rack.attach(Some((one, 1)));
        let todo = rack.next(one).unwrap();
        assert_eq!((todo.out.len(), todo.new[0].eni, todo.new[0].device_index), (0, rack.eni, 1));
        rack.settle();
        assert_eq!(rack.next(one), None);
        // At another place it is another interface of the guest.
        rack.attach(Some((one, 3)));
        let todo = rack.next(one).unwrap();
        assert_eq!((todo.out, todo.new[0].device_index), (vec![rack.eni], 3));
        rack.settle();
        rack.attach(None);
        assert_eq!(rack.next(one), Some(Cables { out: vec![rack.eni], new: Vec::new() }));
    }

    #[test]
    fn an_interface_that_moves_is_unplugged_there_before_it_is_plugged_here() {
        let mut rack = Rack::new();
        let [one, two] = rack.instances;
        rack.attach(Some((one, 1)));
        rack.settle();
        rack.attach(Some((two, 1)));
        assert_eq!(rack.next(two), None, "the other one has it still");
        assert_eq!(rack.next(one).unwrap().out, [rack.eni]);
        rack.found.get_mut(&one).unwrap().plugs.retain(|plug| plug.eni != rack.eni);
        assert_eq!(rack.next(two).unwrap().new[0].eni, rack.eni);
        // What has ended holds nothing.
        let one = rack.found.get_mut(&one).unwrap();
        one.plugs.push(Plug { eni: rack.eni, device_index: 1 });
        one.life = Life::Ended;
        assert_eq!(rack.next(two).unwrap().new[0].eni, rack.eni);
    }

    #[test]
    fn one_whose_address_is_claimed_by_another_host_stays_plugged() {
        let mut rack = Rack::new();
        let [one, _] = rack.instances;
        rack.attach(Some((one, 1)));
        rack.settle();
        let mut state = host_state(&rack.bench.world, "node1");
        state.ports.remove(&rack.eni).unwrap();
        assert_eq!(cables(&state, &rack.found, one), None);
    }

    #[test]
    fn records_of_before_are_read() {
        let eni = EniId::from_random(7);
        let old: Vec<Plug> = serde_json::from_str(&format!("[\"{eni}\"]")).unwrap();
        assert_eq!(old, [Plug { eni, device_index: 0 }]);
        let new = vec![Plug { eni, device_index: 2 }];
        assert_eq!(serde_json::from_str::<Vec<Plug>>(&serde_json::to_string(&new).unwrap()).unwrap(), new);
    }
}
