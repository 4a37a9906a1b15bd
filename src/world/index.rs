//! The index: what follows from rows, kept in step as each is put and deleted.

use super::*;

/// Takes an entry of the old row out and puts that of the new row in; what is the same in both stays, for to touch it is to copy
/// what is around it.
macro_rules! reindex {
    ($old:expr, $new:expr, |$row:ident| $( $set:expr => $entry:expr ),+ $(,)?) => {
        if let Some($row) = $old { $(
            let entry = $entry;
            if $new.is_none_or(|$row| $entry != entry) { $set.remove(&entry); }
        )+ }
        if let Some($row) = $new { $(
            let entry = $entry;
            if $old.is_none_or(|$row| $entry != entry) { $set.insert(entry); }
        )+ }
    };
}

/// Takes out an entry that is still the row's own. A server that catches up sees only the last of several states of a
/// row, in no order that the index could rely on: another row may have taken the place already.
fn leave<K: Ord + Clone, V: PartialEq + Clone>(map: &mut OrdMap<K, V>, key: &K, id: V) {
    if map.get(key) == Some(&id) {
        map.remove(key);
    }
}

impl Index {
    pub(super) fn vpc(&mut self, old: Option<&Vpc>, new: Option<&Vpc>) {
        reindex!(old, new, |row|
            self.vpcs_by_owner => (row.owner.clone(), row.id),
            self.vpcs_by_dhcp_options => (row.dhcp_options, row.id));
        if let Some((vni, id)) = old.and_then(|row| row.vni.zip(Some(row.id))) {
            self.vpcs_by_vni.remove(&(vni, id));
        }
        if let Some((vni, id)) = new.and_then(|row| row.vni.zip(Some(row.id))) {
            self.vpcs_by_vni.insert((vni, id));
        }
    }

    pub(super) fn subnet(&mut self, old: Option<&Subnet>, new: Option<&Subnet>) {
        reindex!(old, new, |row|
            self.subnets_by_vpc => (row.vpc, row.id),
            self.subnets_by_network => (row.network.clone(), row.id));
    }

    pub(super) fn internet_gateway(&mut self, old: Option<&InternetGateway>, new: Option<&InternetGateway>) {
        if let Some((vpc, id)) = old.and_then(|row| row.vpc.zip(Some(row.id))) {
            self.internet_gateways_by_vpc.remove(&(vpc, id));
        }
        if let Some((vpc, id)) = new.and_then(|row| row.vpc.zip(Some(row.id))) {
            self.internet_gateways_by_vpc.insert((vpc, id));
        }
    }

    pub(super) fn egress_gateway(&mut self, old: Option<&EgressGateway>, new: Option<&EgressGateway>) {
        reindex!(old, new, |row| self.egress_gateways_by_vpc => (row.vpc, row.id));
    }

    pub(super) fn nat_gateway(&mut self, old: Option<&NatGateway>, new: Option<&NatGateway>) {
        reindex!(old, new, |row| self.nat_gateways_by_vpc => (row.vpc, row.id));
        if let Some(row) = old {
            leave(&mut self.nat_gateway_by_eni, &row.eni, row.id);
            if let Some(host) = &row.host {
                self.nat_gateways_by_host.remove(&(host.clone(), row.id));
            }
            if let Some(at) = row.deleted {
                self.nat_gateways_deleted.remove(&(at, row.id));
            }
        }
        if let Some(row) = new {
            match row.deleted {
                Some(at) => drop(self.nat_gateways_deleted.insert((at, row.id))),
                None => drop(self.nat_gateway_by_eni.insert(row.eni, row.id)),
            }
            if let Some(host) = &row.host {
                self.nat_gateways_by_host.insert((host.clone(), row.id));
            }
        }
    }

    pub(super) fn peering(&mut self, old: Option<&Peering>, new: Option<&Peering>) {
        reindex!(old, new, |row|
            self.peerings_by_vpc => (row.requester.vpc, row.id),
            self.peerings_by_vpc => (row.accepter.vpc, row.id));
        if let Some((at, id)) = old.and_then(|row| row.due().zip(Some(row.id))) {
            self.peerings_due.remove(&(at, id));
        }
        if let Some((at, id)) = new.and_then(|row| row.due().zip(Some(row.id))) {
            self.peerings_due.insert((at, id));
        }
    }

    pub(super) fn route_table(&mut self, old: Option<&RouteTable>, new: Option<&RouteTable>) {
        reindex!(old, new, |row| self.route_tables_by_vpc => (row.vpc, row.id));
    }

    pub(super) fn route_table_association(
        &mut self,
        old: Option<&RouteTableAssociation>,
        new: Option<&RouteTableAssociation>,
    ) {
        reindex!(old, new, |row| self.route_table_associations_by_table => (row.table, row.id));
        if let Some(row) = old {
            leave(&mut self.route_table_association_of, &(row.vpc, row.subnet), row.id);
        }
        if let Some(row) = new {
            self.route_table_association_of.insert((row.vpc, row.subnet), row.id);
        }
    }

    pub(super) fn network_acl(&mut self, old: Option<&NetworkAcl>, new: Option<&NetworkAcl>) {
        reindex!(old, new, |row| self.network_acls_by_vpc => (row.vpc, row.id));
    }

    pub(super) fn acl_association(&mut self, old: Option<&AclAssociation>, new: Option<&AclAssociation>) {
        reindex!(old, new, |row| self.acl_associations_by_acl => (row.acl, row.id));
        if let Some(row) = old {
            leave(&mut self.acl_association_of, &row.subnet, row.id);
        }
        if let Some(row) = new {
            self.acl_association_of.insert(row.subnet, row.id);
        }
    }

    pub(super) fn group(&mut self, old: Option<&Group>, new: Option<&Group>) {
        reindex!(old, new, |row| self.groups_by_vpc => (row.vpc, row.id));
        if let Some(row) = old {
            leave(&mut self.group_by_name, &(row.vpc, row.name.clone()), row.id);
        }
        if let Some(row) = new {
            self.group_by_name.insert((row.vpc, row.name.clone()), row.id);
        }
    }

    pub(super) fn rule(&mut self, old: Option<&Rule>, new: Option<&Rule>) {
        reindex!(old, new, |row| self.rules_by_group => (row.group, row.id));
        if let Some((group, id)) = old.and_then(names_group) {
            self.rules_by_target.remove(&(group, id));
        }
        if let Some((group, id)) = new.and_then(names_group) {
            self.rules_by_target.insert((group, id));
        }
        let named = |rule: &Rule| match rule.target {
            RuleTarget::PrefixList(list) => Some((list, rule.id)),
            _ => None,
        };
        if let Some(place) = old.and_then(named) {
            self.rules_by_prefix_list.remove(&place);
        }
        if let Some(place) = new.and_then(named) {
            self.rules_by_prefix_list.insert(place);
        }
    }

    pub(super) fn key_pair(&mut self, old: Option<&KeyPair>, new: Option<&KeyPair>) {
        if let Some(row) = old {
            leave(&mut self.key_pair_by_name, &(row.owner.clone(), row.name.clone()), row.id);
        }
        if let Some(row) = new {
            self.key_pair_by_name.insert((row.owner.clone(), row.name.clone()), row.id);
        }
    }

    pub(super) fn insights_path(&mut self, old: Option<&InsightsPath>, new: Option<&InsightsPath>) {
        reindex!(old, new, |row| self.insights_paths_by_owner => (row.owner.clone(), row.id));
    }

    pub(super) fn insights_analysis(
        &mut self,
        old: Option<&InsightsAnalysis>,
        new: Option<&InsightsAnalysis>,
    ) {
        reindex!(old, new, |row| self.insights_analyses_by_path => (row.path, row.id));
    }

    pub(super) fn launch_template(&mut self, old: Option<&LaunchTemplate>, new: Option<&LaunchTemplate>) {
        if let Some(row) = old {
            leave(&mut self.launch_template_by_name, &(row.owner.clone(), row.name.clone()), row.id);
        }
        if let Some(row) = new {
            self.launch_template_by_name.insert((row.owner.clone(), row.name.clone()), row.id);
        }
    }

    pub(super) fn instance(&mut self, old: Option<&Instance>, new: Option<&Instance>) {
        reindex!(old, new, |row|
            self.instances_by_owner => (row.owner.clone(), row.id),
            self.instances_by_host => (row.host.clone(), row.id));
        if let Some((at, row)) = old.and_then(|row| row.terminated.zip(Some(row))) {
            self.terminated.remove(&(at, row.id));
        }
        if let Some((at, row)) = new.and_then(|row| row.terminated.zip(Some(row))) {
            self.terminated.insert((at, row.id));
        }
    }

    pub(super) fn eni(&mut self, old: Option<&Eni>, new: Option<&Eni>) {
        reindex!(old, new, |row|
            self.enis_by_owner => (row.owner.clone(), row.id),
            self.enis_by_subnet => (row.subnet, row.id));
        if let Some(row) = old {
            for group in row.groups.iter() {
                self.enis_by_group.remove(&(*group, row.id));
            }
            for ip in row.private_ips() {
                leave(&mut self.eni_by_private_ip, &(row.network.clone(), ip), row.id);
            }
            for ip in row.ipv6.iter() {
                leave(&mut self.eni_by_ipv6, ip, row.id);
            }
            if let Some(attachment) = &row.attachment {
                self.enis_by_instance.remove(&(attachment.instance, row.id));
            }
        }
        if let Some(row) = new {
            for group in row.groups.iter() {
                self.enis_by_group.insert((*group, row.id));
            }
            for ip in row.private_ips() {
                self.eni_by_private_ip.insert((row.network.clone(), ip), row.id);
            }
            for ip in row.ipv6.iter() {
                self.eni_by_ipv6.insert(*ip, row.id);
            }
            if let Some(attachment) = &row.attachment {
                self.enis_by_instance.insert((attachment.instance, row.id));
            }
        }
    }

    pub(super) fn address(&mut self, old: Option<&Address>, new: Option<&Address>) {
        reindex!(old, new, |row| self.addresses_by_owner => (row.owner.clone(), row.id));
        let elastic = |row: Option<&Address>| row.filter(|row| !row.automatic).map(|row| row.owner.clone());
        self.count_elastic(elastic(old), elastic(new));
        if let Some((number, id)) = old.and_then(|row| row.transit.zip(Some(row.id))) {
            self.addresses_by_transit.remove(&(number, id));
        }
        if let Some((number, id)) = new.and_then(|row| row.transit.zip(Some(row.id))) {
            self.addresses_by_transit.insert((number, id));
        }
        if let Some(row) = old {
            leave(&mut self.address_by_public_ip, &row.public_ip, row.id);
            self.addresses_with_name.remove(&row.id);
            if let Some(association) = &row.association {
                self.addresses_by_eni.remove(&(association.eni, row.id));
                leave(&mut self.address_by_association, &association.id, row.id);
            }
        }
        if let Some(row) = new {
            self.address_by_public_ip.insert(row.public_ip, row.id);
            if row.domain_name.is_some() {
                self.addresses_with_name.insert(row.id);
            }
            if let Some(association) = &row.association {
                self.addresses_by_eni.insert((association.eni, row.id));
                self.address_by_association.insert(association.id, row.id);
            }
        }
    }

    fn count_elastic(&mut self, old: Option<Owner>, new: Option<Owner>) {
        if old == new {
            return;
        }
        if let Some(owner) = old {
            match self.elastic_addresses.get(&owner) {
                Some(count @ 2..) => drop(self.elastic_addresses.insert(owner, count - 1)),
                _ => drop(self.elastic_addresses.remove(&owner)),
            }
        }
        if let Some(owner) = new {
            let count = self.elastic_addresses.get(&owner).map_or(1, |count| count + 1);
            self.elastic_addresses.insert(owner, count);
        }
    }

    pub(super) fn transfer(&mut self, old: Option<&AddressTransfer>, new: Option<&AddressTransfer>) {
        reindex!(old, new, |row| self.transfers_by_end => (row.end(), (row.owner.clone(), row.allocation)));
    }

    pub(super) fn reservation(
        &mut self,
        old: Option<&SubnetCidrReservation>,
        new: Option<&SubnetCidrReservation>,
    ) {
        reindex!(old, new, |row| self.reservations_by_subnet => (row.subnet, row.id));
    }

    /// A table has one route to a list at most, which is of one family: the list is its key.
    pub(super) fn route(&mut self, old: Option<&Route>, new: Option<&Route>) {
        let list = |row: &Route| Some((row.destination.list()?, row.table));
        self.listed(old.and_then(list), new.and_then(list));
    }

    pub(super) fn ipv6_route(&mut self, old: Option<&Ipv6Route>, new: Option<&Ipv6Route>) {
        let list = |row: &Ipv6Route| Some((row.destination.list()?, row.table));
        self.listed(old.and_then(list), new.and_then(list));
    }

    pub(super) fn listed(
        &mut self,
        old: Option<(PrefixListId, RouteTableId)>,
        new: Option<(PrefixListId, RouteTableId)>,
    ) {
        if let Some(key) = old {
            self.tables_by_prefix_list.remove(&key);
        }
        self.tables_by_prefix_list.extend(new);
    }

    pub(super) fn claim(&mut self, old: Option<&Claim>, new: Option<&Claim>) {
        reindex!(old, new, |row| self.claims_by_host => (row.host.clone(), row.space.clone(), row.address));
    }

    pub(super) fn freed(&mut self, old: Option<&Freed>, new: Option<&Freed>) {
        reindex!(old, new, |row| self.freed_by_age => (row.space.clone(), row.freed, row.address));
    }

    pub(super) fn freed_ipv6(&mut self, old: Option<&FreedIpv6>, new: Option<&FreedIpv6>) {
        reindex!(old, new, |row| self.freed_ipv6_by_age => (row.cidr.prefix_len(), row.freed, row.cidr));
    }

    pub(super) fn token(&mut self, old: Option<&Token>, new: Option<&Token>) {
        reindex!(old, new, |row| self.tokens_by_age => (row.created, row.key.clone()));
    }
}

fn names_group(rule: &Rule) -> Option<(GroupId, RuleId)> {
    match rule.target {
        RuleTarget::Group { group, .. } => Some((group, rule.id)),
        RuleTarget::Cidr4(_) | RuleTarget::Cidr6(_) | RuleTarget::PrefixList(_) => None,
    }
}
