//! `World::apply`: the one place where rows change, and the index with them.

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
