//! `World::apply`: the one place where rows and indexes change.

use super::*;

/// Puts a row into its table, and takes the index from the old one to it.
macro_rules! keep {
    ($world:ident.$table:ident, $key:expr, $row:expr, $index:ident) => {{
        let old = $world.$table.insert($key, $row.clone());
        $world.index.$index(old.as_deref(), Some($row));
    }};
}

impl World {
    /// Applies one change to the rows and to every index that follows from them.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::Put(row) => self.put(row),
            Change::Delete(key) => self.delete(key),
        }
    }

    fn put(&mut self, row: &Row) {
        match row {
            Row::Account(row) => drop(self.accounts.insert(row.id, row.clone())),
            Row::AccessKey(row) => drop(self.access_keys.insert(row.id.clone(), row.clone())),
            Row::Pool(row) => drop(self.pools.insert(row.id, row.clone())),
            Row::Ipv6Pool(row) => drop(self.ipv6_pools.insert(row.cidr, row.clone())),
            Row::Network(row) => drop(self.networks.insert(row.name.clone(), row.clone())),
            Row::Host(row) => drop(self.hosts.insert(row.name.clone(), row.clone())),
            Row::Image(row) => drop(self.images.insert(row.id, row.clone())),
            Row::Tag(row) => drop(self.tags.insert((row.resource, row.key.clone()), row.clone())),
            Row::DhcpOptions(row) => drop(self.dhcp_options.insert(row.id, row.clone())),
            Row::PrefixList(row) => drop(self.prefix_lists.insert(row.id, row.clone())),
            Row::PrefixListVersion(row) => {
                drop(self.prefix_list_versions.insert((row.list, row.number), row.clone()))
            }
            Row::AclEntry(row) => {
                drop(self.acl_entries.insert((row.acl, row.direction, row.number), row.clone()))
            }
            Row::LaunchTemplateVersion(row) => {
                drop(self.launch_template_versions.insert((row.template, row.number), row.clone()))
            }
            Row::Deployment(row) => self.deployment = Some(row.clone()),
            Row::Vpc(row) => keep!(self.vpcs, row.id, row, vpc),
            Row::Subnet(row) => keep!(self.subnets, row.id, row, subnet),
            Row::InternetGateway(row) => keep!(self.internet_gateways, row.id, row, internet_gateway),
            Row::EgressGateway(row) => keep!(self.egress_gateways, row.id, row, egress_gateway),
            Row::NatGateway(row) => keep!(self.nat_gateways, row.id, row, nat_gateway),
            Row::Peering(row) => keep!(self.peerings, row.id, row, peering),
            Row::RouteTable(row) => keep!(self.route_tables, row.id, row, route_table),
            Row::RouteTableAssociation(row) => {
                keep!(self.route_table_associations, row.id, row, route_table_association)
            }
            Row::SubnetCidrReservation(row) => {
                keep!(self.subnet_cidr_reservations, row.id, row, reservation)
            }
            Row::Route(row) => keep!(self.routes, (row.table, row.destination), row, route),
            Row::Ipv6Route(row) => keep!(self.ipv6_routes, (row.table, row.destination), row, ipv6_route),
            Row::NetworkAcl(row) => keep!(self.network_acls, row.id, row, network_acl),
            Row::AclAssociation(row) => keep!(self.acl_associations, row.id, row, acl_association),
            Row::Group(row) => keep!(self.groups, row.id, row, group),
            Row::Rule(row) => keep!(self.rules, row.id, row, rule),
            Row::KeyPair(row) => keep!(self.key_pairs, row.id, row, key_pair),
            Row::InsightsPath(row) => keep!(self.insights_paths, row.id, row, insights_path),
            Row::InsightsAnalysis(row) => keep!(self.insights_analyses, row.id, row, insights_analysis),
            Row::LaunchTemplate(row) => keep!(self.launch_templates, row.id, row, launch_template),
            Row::Instance(row) => keep!(self.instances, row.id, row, instance),
            Row::Eni(row) => keep!(self.enis, row.id, row, eni),
            Row::Address(row) => keep!(self.addresses, row.id, row, address),
            Row::AddressTransfer(row) => {
                keep!(self.address_transfers, (row.owner.clone(), row.allocation), row, transfer)
            }
            Row::Claim(row) => keep!(self.claims, (row.space.clone(), row.address), row, claim),
            Row::Freed(row) => keep!(self.freed, (row.space.clone(), row.address), row, freed),
            Row::FreedIpv6(row) => keep!(self.freed_ipv6, row.cidr, row, freed_ipv6),
            Row::Token(row) => keep!(self.tokens, row.key.clone(), row, token),
        }
    }

    fn delete(&mut self, key: &Key) {
        match key {
            Key::Account(key) => drop(self.accounts.remove(key)),
            Key::AccessKey(key) => drop(self.access_keys.remove(key)),
            Key::Pool(key) => drop(self.pools.remove(key)),
            Key::Ipv6Pool(key) => drop(self.ipv6_pools.remove(key)),
            Key::Network(key) => drop(self.networks.remove(key)),
            Key::Host(key) => drop(self.hosts.remove(key)),
            Key::Image(key) => drop(self.images.remove(key)),
            Key::Tag(key) => drop(self.tags.remove(key)),
            Key::DhcpOptions(key) => drop(self.dhcp_options.remove(key)),
            Key::PrefixList(key) => drop(self.prefix_lists.remove(key)),
            Key::PrefixListVersion(key) => drop(self.prefix_list_versions.remove(key)),
            Key::AclEntry(key) => drop(self.acl_entries.remove(key)),
            Key::LaunchTemplateVersion(key) => drop(self.launch_template_versions.remove(key)),
            Key::Deployment(()) => self.deployment = None,
            Key::Vpc(key) => self.index.vpc(self.vpcs.remove(key).as_deref(), None),
            Key::Subnet(key) => self.index.subnet(self.subnets.remove(key).as_deref(), None),
            Key::InternetGateway(key) => {
                self.index.internet_gateway(self.internet_gateways.remove(key).as_deref(), None)
            }
            Key::EgressGateway(key) => {
                self.index.egress_gateway(self.egress_gateways.remove(key).as_deref(), None)
            }
            Key::NatGateway(key) => self.index.nat_gateway(self.nat_gateways.remove(key).as_deref(), None),
            Key::Peering(key) => self.index.peering(self.peerings.remove(key).as_deref(), None),
            Key::RouteTable(key) => self.index.route_table(self.route_tables.remove(key).as_deref(), None),
            Key::RouteTableAssociation(key) => {
                self.index.route_table_association(self.route_table_associations.remove(key).as_deref(), None)
            }
            Key::SubnetCidrReservation(key) => {
                self.index.reservation(self.subnet_cidr_reservations.remove(key).as_deref(), None)
            }
            Key::Route(key) => self.index.route(self.routes.remove(key).as_deref(), None),
            Key::Ipv6Route(key) => self.index.ipv6_route(self.ipv6_routes.remove(key).as_deref(), None),
            Key::NetworkAcl(key) => self.index.network_acl(self.network_acls.remove(key).as_deref(), None),
            Key::AclAssociation(key) => {
                self.index.acl_association(self.acl_associations.remove(key).as_deref(), None)
            }
            Key::Group(key) => self.index.group(self.groups.remove(key).as_deref(), None),
            Key::Rule(key) => self.index.rule(self.rules.remove(key).as_deref(), None),
            Key::KeyPair(key) => self.index.key_pair(self.key_pairs.remove(key).as_deref(), None),
            Key::InsightsPath(key) => {
                self.index.insights_path(self.insights_paths.remove(key).as_deref(), None)
            }
            Key::InsightsAnalysis(key) => {
                self.index.insights_analysis(self.insights_analyses.remove(key).as_deref(), None)
            }
            Key::LaunchTemplate(key) => {
                self.index.launch_template(self.launch_templates.remove(key).as_deref(), None)
            }
            Key::Instance(key) => self.index.instance(self.instances.remove(key).as_deref(), None),
            Key::Eni(key) => self.index.eni(self.enis.remove(key).as_deref(), None),
            Key::Address(key) => self.index.address(self.addresses.remove(key).as_deref(), None),
            Key::AddressTransfer(key) => {
                self.index.transfer(self.address_transfers.remove(key).as_deref(), None)
            }
            Key::Claim(key) => self.index.claim(self.claims.remove(key).as_deref(), None),
            Key::Freed(key) => self.index.freed(self.freed.remove(key).as_deref(), None),
            Key::FreedIpv6(key) => self.index.freed_ipv6(self.freed_ipv6.remove(key).as_deref(), None),
            Key::Token(key) => self.index.token(self.tokens.remove(key).as_deref(), None),
        }
    }
}

/// Takes an entry of the old row out and puts that of the new row in.
macro_rules! reindex {
    ($old:expr, $new:expr, |$row:ident| $( $set:expr => $entry:expr ),+ $(,)?) => {
        if let Some($row) = $old { $( $set.remove(&$entry); )+ }
        if let Some($row) = $new { $( $set.insert($entry); )+ }
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
    fn vpc(&mut self, old: Option<&Vpc>, new: Option<&Vpc>) {
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

    fn subnet(&mut self, old: Option<&Subnet>, new: Option<&Subnet>) {
        reindex!(old, new, |row|
            self.subnets_by_vpc => (row.vpc, row.id),
            self.subnets_by_network => (row.network.clone(), row.id));
    }

    fn internet_gateway(&mut self, old: Option<&InternetGateway>, new: Option<&InternetGateway>) {
        if let Some((vpc, id)) = old.and_then(|row| row.vpc.zip(Some(row.id))) {
            self.internet_gateways_by_vpc.remove(&(vpc, id));
        }
        if let Some((vpc, id)) = new.and_then(|row| row.vpc.zip(Some(row.id))) {
            self.internet_gateways_by_vpc.insert((vpc, id));
        }
    }

    fn egress_gateway(&mut self, old: Option<&EgressGateway>, new: Option<&EgressGateway>) {
        reindex!(old, new, |row| self.egress_gateways_by_vpc => (row.vpc, row.id));
    }

    fn nat_gateway(&mut self, old: Option<&NatGateway>, new: Option<&NatGateway>) {
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

    fn peering(&mut self, old: Option<&Peering>, new: Option<&Peering>) {
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

    fn route_table(&mut self, old: Option<&RouteTable>, new: Option<&RouteTable>) {
        reindex!(old, new, |row| self.route_tables_by_vpc => (row.vpc, row.id));
    }

    fn route_table_association(
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

    fn network_acl(&mut self, old: Option<&NetworkAcl>, new: Option<&NetworkAcl>) {
        reindex!(old, new, |row| self.network_acls_by_vpc => (row.vpc, row.id));
    }

    fn acl_association(&mut self, old: Option<&AclAssociation>, new: Option<&AclAssociation>) {
        reindex!(old, new, |row| self.acl_associations_by_acl => (row.acl, row.id));
        if let Some(row) = old {
            leave(&mut self.acl_association_of, &row.subnet, row.id);
        }
        if let Some(row) = new {
            self.acl_association_of.insert(row.subnet, row.id);
        }
    }

    fn group(&mut self, old: Option<&Group>, new: Option<&Group>) {
        reindex!(old, new, |row| self.groups_by_vpc => (row.vpc, row.id));
        if let Some(row) = old {
            leave(&mut self.group_by_name, &(row.vpc, row.name.clone()), row.id);
        }
        if let Some(row) = new {
            self.group_by_name.insert((row.vpc, row.name.clone()), row.id);
        }
    }

    fn rule(&mut self, old: Option<&Rule>, new: Option<&Rule>) {
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

    fn key_pair(&mut self, old: Option<&KeyPair>, new: Option<&KeyPair>) {
        if let Some(row) = old {
            leave(&mut self.key_pair_by_name, &(row.owner.clone(), row.name.clone()), row.id);
        }
        if let Some(row) = new {
            self.key_pair_by_name.insert((row.owner.clone(), row.name.clone()), row.id);
        }
    }

    fn insights_path(&mut self, old: Option<&InsightsPath>, new: Option<&InsightsPath>) {
        reindex!(old, new, |row| self.insights_paths_by_owner => (row.owner.clone(), row.id));
    }

    fn insights_analysis(&mut self, old: Option<&InsightsAnalysis>, new: Option<&InsightsAnalysis>) {
        reindex!(old, new, |row| self.insights_analyses_by_path => (row.path, row.id));
    }

    fn launch_template(&mut self, old: Option<&LaunchTemplate>, new: Option<&LaunchTemplate>) {
        if let Some(row) = old {
            leave(&mut self.launch_template_by_name, &(row.owner.clone(), row.name.clone()), row.id);
        }
        if let Some(row) = new {
            self.launch_template_by_name.insert((row.owner.clone(), row.name.clone()), row.id);
        }
    }

    fn instance(&mut self, old: Option<&Instance>, new: Option<&Instance>) {
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

    fn eni(&mut self, old: Option<&Eni>, new: Option<&Eni>) {
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

    fn address(&mut self, old: Option<&Address>, new: Option<&Address>) {
        reindex!(old, new, |row| self.addresses_by_owner => (row.owner.clone(), row.id));
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

    fn transfer(&mut self, old: Option<&AddressTransfer>, new: Option<&AddressTransfer>) {
        reindex!(old, new, |row| self.transfers_by_end => (row.end(), (row.owner.clone(), row.allocation)));
    }

    fn reservation(&mut self, old: Option<&SubnetCidrReservation>, new: Option<&SubnetCidrReservation>) {
        reindex!(old, new, |row| self.reservations_by_subnet => (row.subnet, row.id));
    }

    /// A table has one route to a list at most, which is of one family: the list is its key.
    fn route(&mut self, old: Option<&Route>, new: Option<&Route>) {
        let list = |row: &Route| Some((row.destination.list()?, row.table));
        self.listed(old.and_then(list), new.and_then(list));
    }

    fn ipv6_route(&mut self, old: Option<&Ipv6Route>, new: Option<&Ipv6Route>) {
        let list = |row: &Ipv6Route| Some((row.destination.list()?, row.table));
        self.listed(old.and_then(list), new.and_then(list));
    }

    fn listed(
        &mut self,
        old: Option<(PrefixListId, RouteTableId)>,
        new: Option<(PrefixListId, RouteTableId)>,
    ) {
        if let Some(key) = old {
            self.tables_by_prefix_list.remove(&key);
        }
        self.tables_by_prefix_list.extend(new);
    }

    fn claim(&mut self, old: Option<&Claim>, new: Option<&Claim>) {
        reindex!(old, new, |row| self.claims_by_host => (row.host.clone(), row.space.clone(), row.address));
    }

    fn freed(&mut self, old: Option<&Freed>, new: Option<&Freed>) {
        reindex!(old, new, |row| self.freed_by_age => (row.space.clone(), row.freed, row.address));
    }

    fn freed_ipv6(&mut self, old: Option<&FreedIpv6>, new: Option<&FreedIpv6>) {
        reindex!(old, new, |row| self.freed_ipv6_by_age => (row.cidr.prefix_len(), row.freed, row.cidr));
    }

    fn token(&mut self, old: Option<&Token>, new: Option<&Token>) {
        reindex!(old, new, |row| self.tokens_by_age => (row.created, row.key.clone()));
    }
}

fn names_group(rule: &Rule) -> Option<(GroupId, RuleId)> {
    match rule.target {
        RuleTarget::Group { group, .. } => Some((group, rule.id)),
        RuleTarget::Cidr4(_) | RuleTarget::Cidr6(_) | RuleTarget::PrefixList(_) => None,
    }
}
