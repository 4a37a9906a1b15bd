//! What changes in isolated VPCs, step by step.

use std::sync::Arc;

use fogbank::world::*;

use crate::worlds::{Maker, name, traffic};

impl Maker<'_> {
    pub fn choose<T: Clone>(&mut self, of: impl FnOnce(&World) -> Vec<T>) -> Option<T> {
        let all = of(&self.world);
        (!all.is_empty()).then(|| self.dice.pick(&all).clone())
    }

    pub fn delete(&mut self, key: Key) {
        self.world.apply(&Change::Delete(key));
    }

    /// Changes something of a VPC; `None` where there is no such thing.
    pub fn change_vpc(&mut self) -> Option<()> {
        match self.dice.below(10) {
            0 => self.gateway_comes_or_goes(),
            1 => self.route_goes_or_leads_elsewhere(),
            2 => self.other_table(),
            3 => self.entry_changes(),
            4 => self.other_acl(),
            5 => self.nat_gateway_moves(),
            6 => self.secondary_comes_or_goes(),
            7 | 8 => self.change6(),
            _ => self.instance_moves(),
        }
    }

    fn gateway_comes_or_goes(&mut self) -> Option<()> {
        let row = self.choose(|world| world.internet_gateways.values().cloned().collect())?;
        let vpc = self.choose(|world| isolated(world).map(|vpc| vpc.id).collect())?;
        let vpc = if row.vpc.is_some() { None } else { Some(vpc) };
        self.put(InternetGateway { vpc, ..(*row).clone() });
        Some(())
    }

    fn route_goes_or_leads_elsewhere(&mut self) -> Option<()> {
        let row = self.choose(|world| world.routes.values().cloned().collect())?;
        if self.dice.once_in(3) {
            self.delete(Key::Route((row.table, row.destination)));
            return Some(());
        }
        let vpc = self.world.route_tables[&row.table].vpc;
        let to = self.choose(|world| {
            let gateways = world.internet_gateways.keys().map(|id| NextHop::InternetGateway(*id));
            let nat = world.nat_gateways_of(vpc).map(|row| NextHop::NatGateway(row.id));
            let enis = world.enis.values().filter(|eni| eni.vpc == vpc).map(|eni| NextHop::Interface(eni.id));
            gateways.chain(nat).chain(enis).collect()
        })?;
        self.put(Route { to, ..(*row).clone() });
        Some(())
    }

    /// Another main table, or another one for a subnet.
    fn other_table(&mut self) -> Option<()> {
        let row = self.choose(|world| world.route_table_associations.values().cloned().collect())?;
        if row.subnet.is_some() && self.dice.once_in(3) {
            self.delete(Key::RouteTableAssociation(row.id));
            return Some(());
        }
        let table = self.choose(|world| world.route_tables_of(row.vpc).map(|table| table.id).collect())?;
        self.put(RouteTableAssociation { table, ..(*row).clone() });
        Some(())
    }

    fn entry_changes(&mut self) -> Option<()> {
        let row = self.choose(|world| world.acl_entries.values().cloned().collect())?;
        if self.dice.once_in(2) {
            self.delete(Key::AclEntry((row.acl, row.direction, row.number)));
            return Some(());
        }
        let (traffic, allow) = (traffic(self.dice), self.dice.once_in(2));
        self.put(AclEntry { traffic, allow, ..(*row).clone() });
        Some(())
    }

    fn other_acl(&mut self) -> Option<()> {
        let row = self.choose(|world| world.acl_associations.values().cloned().collect())?;
        let vpc = self.world.subnets[&row.subnet].vpc;
        let of = |world: &World| {
            world.network_acls.values().filter(|acl| acl.vpc == vpc).map(|acl| acl.id).collect()
        };
        let acl = self.choose(of)?;
        self.put(AclAssociation { acl, ..(*row).clone() });
        Some(())
    }

    /// To another host, or to none for a while.
    fn nat_gateway_moves(&mut self) -> Option<()> {
        let there = |world: &World| {
            world.nat_gateways.values().filter(|row| row.deleted.is_none()).cloned().collect()
        };
        let row: Arc<NatGateway> = self.choose(there)?;
        let host = Some(name(self.dice.below(self.hosts))).filter(|_| !self.dice.once_in(4));
        self.put(NatGateway { host, ..(*row).clone() });
        Some(())
    }

    fn secondary_comes_or_goes(&mut self) -> Option<()> {
        let row = self.choose(guests)?;
        let last = 40 + (row.private_ip.octets()[3] & 7);
        let first = self.world.subnets[&row.subnet].cidr.network().to_bits();
        let second = std::net::Ipv4Addr::from_bits(first + u32::from(last));
        // An elastic address may lead to it.
        if self
            .world
            .addresses_of(row.id)
            .any(|address| address.association.is_some_and(|to| to.private_ip != row.private_ip))
        {
            return None;
        }
        let taken = self
            .world
            .enis
            .values()
            .any(|eni| eni.network == row.network && eni.private_ips().any(|ip| ip == second));
        let secondary_ips = if row.secondary_ips.is_empty() && !taken { [second].into() } else { [].into() };
        self.put(Eni { secondary_ips, ..(*row).clone() });
        Some(())
    }

    /// As if its instance had been there all the time.
    fn instance_moves(&mut self) -> Option<()> {
        let row = self.choose(guests)?;
        let instance = self.world.instances[&row.attachment?.instance].clone();
        let host = name(self.dice.below(self.hosts));
        self.put(Instance { host, boot: instance.boot + 1, ..(*instance).clone() });
        Some(())
    }
}

fn isolated(world: &World) -> impl Iterator<Item = &Arc<Vpc>> {
    world.vpcs.values().filter(|vpc| vpc.vni.is_some())
}

/// The interfaces of instances in isolated VPCs.
pub fn guests(world: &World) -> Vec<Arc<Eni>> {
    let of = |eni: &&Arc<Eni>| eni.attachment.is_some() && world.vpcs[&eni.vpc].vni.is_some();
    world.enis.values().filter(of).cloned().collect()
}
