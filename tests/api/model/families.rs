//! What the model can do, action by action.

use crate::dice::Dice;

use super::call::Call;
use super::steps::Chooser;
use super::tree::Tree;
use super::world::*;
use super::{
    acls, addresses, attributes, cards, edits, gateways, groups, insights, instances, interfaces, keys,
    lists, nat, nets, peers, private, routes, routing, rules, subnets, tagging, transfers, vpcs, ways,
};

/// Actions that are about one another.
pub struct Family {
    /// With how often each comes.
    pub actions: &'static [(&'static str, usize)],
    pub choose: fn(&mut Chooser<'_>, Call) -> Call,
    /// Whether the account has anything that the action is about.
    pub has_what_it_takes: fn(&Chooser<'_>, &str) -> bool,
}

/// What a history is about.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    /// Networks rather than what is in them.
    pub networks: bool,
    /// Which of [`NETWORKS`] come most: each has to come far in some histories.
    pub about: [usize; 2],
}

impl Theme {
    pub fn of(dice: &mut Dice) -> Self {
        let networks = !dice.once_in(3);
        Self { networks, about: [0; 2].map(|_| dice.below(NETWORKS.len())) }
    }

    /// How much more often than otherwise the actions of a family come; `None`: those that are about no networks.
    pub fn weight(&self, family: Option<usize>) -> usize {
        match family {
            None if self.networks => 1,
            None => 6,
            Some(_) if !self.networks => 1,
            Some(family) if self.about.contains(&family) => 12,
            // VPCs, which all the others are in.
            Some(0) => 4,
            Some(_) => 1,
        }
    }
}

/// Those of VPCs of one's own.
pub const NETWORKS: &[Family] =
    &[nets::VPCS, nets::ROUTES, nets::ACLS, cards::INTERFACES, ways::NATS, ways::PEERS, ways::LISTS];

pub fn act(world: &mut World, call: &Call, reply: &Tree) -> Outcome {
    match call.action {
        "AllocateAddress" => addresses::allocate(world, call, reply),
        "AssociateAddress" => addresses::associate(world, call, reply),
        "DisassociateAddress" => addresses::disassociate(world, call),
        "ReleaseAddress" => addresses::release(world, call),
        "CreateSecurityGroup" => groups::create(world, call, reply),
        "DeleteSecurityGroup" => groups::delete(world, call),
        "AuthorizeSecurityGroupIngress" => rules::authorize(world, call, reply, false),
        "AuthorizeSecurityGroupEgress" => rules::authorize(world, call, reply, true),
        "RevokeSecurityGroupIngress" => rules::revoke(world, call, false),
        "RevokeSecurityGroupEgress" => rules::revoke(world, call, true),
        "ModifySecurityGroupRules" => edits::modify(world, call),
        "UpdateSecurityGroupRuleDescriptionsIngress" => edits::describe(world, call, false),
        "UpdateSecurityGroupRuleDescriptionsEgress" => edits::describe(world, call, true),
        "ModifyAddressAttribute" => transfers::name(world, call),
        "ResetAddressAttribute" => transfers::reset(world, call),
        "EnableAddressTransfer" => transfers::enable(world, call),
        "DisableAddressTransfer" => transfers::disable(world, call),
        "AcceptAddressTransfer" => transfers::accept(world, call),
        "RunInstances" => instances::run(world, call, reply),
        "StartInstances" => instances::start(world, call),
        "StopInstances" => instances::stop(world, call),
        "RebootInstances" => instances::reboot(world, call),
        "TerminateInstances" => instances::terminate(world, call),
        "ModifyInstanceAttribute" => attributes::modify(world, call),
        "ModifyInstanceMetadataOptions" => attributes::options_of(world, call),
        "ResetInstanceAttribute" => attributes::reset(world, call),
        "CreateKeyPair" => keys::create(world, call, reply),
        "ImportKeyPair" => keys::import(world, call, reply),
        "DeleteKeyPair" => keys::delete(world, call),
        "CreateTags" => tagging::create(world, call),
        "DeleteTags" => tagging::delete(world, call),
        "CreateInternetGateway" => gateways::create_gateway(world, call, reply),
        "DeleteInternetGateway" => gateways::delete_gateway(world, call),
        "CreateDhcpOptions" => gateways::create_options(world, call, reply),
        "DeleteDhcpOptions" => gateways::delete_options(world, call),
        "AssociateDhcpOptions" => gateways::associate_options(world, call),
        "CreateNetworkInsightsPath" => insights::create_path(world, call, reply),
        "DeleteNetworkInsightsPath" => insights::delete_path(world, call),
        "StartNetworkInsightsAnalysis" => insights::start(world, call, reply),
        "DeleteNetworkInsightsAnalysis" => insights::delete(world, call),
        "AttachInternetGateway" => gateways::attach(world, call),
        "DetachInternetGateway" => gateways::detach(world, call),
        "CreateVpc" => vpcs::create(world, call, reply),
        "DeleteVpc" => vpcs::delete(world, call),
        "AssociateVpcCidrBlock" => vpcs::associate(world, call, reply),
        "DisassociateVpcCidrBlock" => vpcs::disassociate(world, call),
        "ModifyVpcAttribute" => vpcs::modify(world, call),
        "ModifyVpcTenancy" => vpcs::modify_tenancy(world, call),
        "CreateSubnet" => subnets::create(world, call, reply),
        "DeleteSubnet" => subnets::delete(world, call),
        "ModifySubnetAttribute" => subnets::modify(world, call),
        "CreateRouteTable" => routing::create(world, call, reply),
        "DeleteRouteTable" => routing::delete(world, call),
        "AssociateRouteTable" => routing::associate(world, call, reply),
        "DisassociateRouteTable" => routing::disassociate(world, call),
        "ReplaceRouteTableAssociation" => routing::replace(world, call, reply),
        "CreateRoute" => routes::create(world, call),
        "ReplaceRoute" => routes::replace(world, call),
        "DeleteRoute" => routes::delete(world, call),
        "CreateNetworkAcl" => acls::create(world, call, reply),
        "DeleteNetworkAcl" => acls::delete(world, call),
        "CreateNetworkAclEntry" => acls::create_entry(world, call),
        "ReplaceNetworkAclEntry" => acls::replace_entry(world, call),
        "DeleteNetworkAclEntry" => acls::delete_entry(world, call),
        "ReplaceNetworkAclAssociation" => acls::replace_association(world, call, reply),
        "CreateNetworkInterface" => interfaces::create(world, call, reply),
        "DeleteNetworkInterface" => interfaces::delete(world, call),
        "AttachNetworkInterface" => interfaces::attach(world, call, reply),
        "DetachNetworkInterface" => interfaces::detach(world, call),
        "ModifyNetworkInterfaceAttribute" => interfaces::modify(world, call),
        "ResetNetworkInterfaceAttribute" => interfaces::reset(world, call),
        "AssignPrivateIpAddresses" => private::assign(world, call, reply),
        "UnassignPrivateIpAddresses" => private::unassign(world, call),
        "CreateNatGateway" => nat::create(world, call, reply),
        "DeleteNatGateway" => nat::delete(world, call),
        "CreateVpcPeeringConnection" => peers::create(world, call, reply),
        "AcceptVpcPeeringConnection" => peers::accept(world, call),
        "RejectVpcPeeringConnection" => peers::reject(world, call),
        "DeleteVpcPeeringConnection" => peers::delete(world, call),
        "ModifyVpcPeeringConnectionOptions" => peers::options(world, call),
        "CreateManagedPrefixList" => lists::create(world, call, reply),
        "ModifyManagedPrefixList" => lists::modify(world, call),
        "DeleteManagedPrefixList" => lists::delete(world, call),
        "RestoreManagedPrefixListVersion" => lists::restore(world, call),
        other => panic!("the model does not know {other}"),
    }
}
