//! Every action and its handler. An action in api-spec/ without a line here does not compile.

use super::{
    Decision, View, account, address_attributes, address_transfers, addresses, groups, images, insights,
    instances, key_pairs, network_interfaces, regions, rules, sts, tagging, vpcs,
};
use crate::query::api::*;

/// `module: action, Name;` for each action that reads.
macro_rules! reads {
    ($($module:ident: $action:ident, $request:ident, $response:ident;)*) => {
        impl Reads for View<'_> {
            $(fn $action(&self, request: &$request) -> Result<$response, Fault> {
                $module::$action(self, request)
            })*
        }
    };
}

/// The same for those that write.
macro_rules! writes {
    ($($module:ident: $action:ident, $request:ident, $response:ident;)*) => {
        impl Writes for Decision<'_> {
            $(fn $action(&mut self, request: &$request) -> Result<$response, Fault> {
                $module::$action(self, request)
            })*
        }
    };
}

reads! {
    addresses: describe_addresses, DescribeAddressesRequest, DescribeAddressesResponse;
    instances: describe_instances, DescribeInstancesRequest, DescribeInstancesResponse;
    instances: describe_instance_status, DescribeInstanceStatusRequest, DescribeInstanceStatusResponse;
    instances: get_console_output, GetConsoleOutputRequest, GetConsoleOutputResponse;
    network_interfaces: describe_network_interfaces, DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResponse;
    account: describe_account_attributes, DescribeAccountAttributesRequest, DescribeAccountAttributesResponse;
    images: describe_images, DescribeImagesRequest, DescribeImagesResponse;
    regions: describe_availability_zones, DescribeAvailabilityZonesRequest, DescribeAvailabilityZonesResponse;
    regions: describe_regions, DescribeRegionsRequest, DescribeRegionsResponse;
    groups: describe_security_groups, DescribeSecurityGroupsRequest, DescribeSecurityGroupsResponse;
    rules: describe_security_group_rules, DescribeSecurityGroupRulesRequest, DescribeSecurityGroupRulesResponse;
    key_pairs: describe_key_pairs, DescribeKeyPairsRequest, DescribeKeyPairsResponse;
    insights: describe_network_insights_paths, DescribeNetworkInsightsPathsRequest, DescribeNetworkInsightsPathsResponse;
    insights: describe_network_insights_analyses, DescribeNetworkInsightsAnalysesRequest, DescribeNetworkInsightsAnalysesResponse;
    tagging: describe_tags, DescribeTagsRequest, DescribeTagsResponse;
    vpcs: describe_subnets, DescribeSubnetsRequest, DescribeSubnetsResponse;
    vpcs: describe_vpcs, DescribeVpcsRequest, DescribeVpcsResponse;
    groups: describe_security_group_references, DescribeSecurityGroupReferencesRequest, DescribeSecurityGroupReferencesResponse;
    groups: describe_stale_security_groups, DescribeStaleSecurityGroupsRequest, DescribeStaleSecurityGroupsResponse;
    groups: get_security_groups_for_vpc, GetSecurityGroupsForVpcRequest, GetSecurityGroupsForVpcResponse;
    address_attributes: describe_addresses_attribute, DescribeAddressesAttributeRequest, DescribeAddressesAttributeResponse;
    address_transfers: describe_address_transfers, DescribeAddressTransfersRequest, DescribeAddressTransfersResponse;
    sts: get_caller_identity, GetCallerIdentityRequest, GetCallerIdentityResponse;
}

writes! {
    addresses: allocate_address, AllocateAddressRequest, AllocateAddressResponse;
    addresses: associate_address, AssociateAddressRequest, AssociateAddressResponse;
    addresses: disassociate_address, DisassociateAddressRequest, DisassociateAddressResponse;
    addresses: release_address, ReleaseAddressRequest, ReleaseAddressResponse;
    address_attributes: modify_address_attribute, ModifyAddressAttributeRequest, ModifyAddressAttributeResponse;
    address_attributes: reset_address_attribute, ResetAddressAttributeRequest, ResetAddressAttributeResponse;
    address_transfers: enable_address_transfer, EnableAddressTransferRequest, EnableAddressTransferResponse;
    address_transfers: disable_address_transfer, DisableAddressTransferRequest, DisableAddressTransferResponse;
    address_transfers: accept_address_transfer, AcceptAddressTransferRequest, AcceptAddressTransferResponse;
    groups: create_security_group, CreateSecurityGroupRequest, CreateSecurityGroupResponse;
    groups: delete_security_group, DeleteSecurityGroupRequest, DeleteSecurityGroupResponse;
    key_pairs: create_key_pair, CreateKeyPairRequest, CreateKeyPairResponse;
    key_pairs: import_key_pair, ImportKeyPairRequest, ImportKeyPairResponse;
    key_pairs: delete_key_pair, DeleteKeyPairRequest, DeleteKeyPairResponse;
    insights: create_network_insights_path, CreateNetworkInsightsPathRequest, CreateNetworkInsightsPathResponse;
    insights: delete_network_insights_path, DeleteNetworkInsightsPathRequest, DeleteNetworkInsightsPathResponse;
    insights: start_network_insights_analysis, StartNetworkInsightsAnalysisRequest, StartNetworkInsightsAnalysisResponse;
    insights: delete_network_insights_analysis, DeleteNetworkInsightsAnalysisRequest, DeleteNetworkInsightsAnalysisResponse;
    tagging: create_tags, CreateTagsRequest, CreateTagsResponse;
    tagging: delete_tags, DeleteTagsRequest, DeleteTagsResponse;
    rules: authorize_security_group_egress, AuthorizeSecurityGroupEgressRequest, AuthorizeSecurityGroupEgressResponse;
    rules: authorize_security_group_ingress, AuthorizeSecurityGroupIngressRequest, AuthorizeSecurityGroupIngressResponse;
    rules: revoke_security_group_egress, RevokeSecurityGroupEgressRequest, RevokeSecurityGroupEgressResponse;
    rules: revoke_security_group_ingress, RevokeSecurityGroupIngressRequest, RevokeSecurityGroupIngressResponse;
    rules: modify_security_group_rules, ModifySecurityGroupRulesRequest, ModifySecurityGroupRulesResponse;
    rules: update_security_group_rule_descriptions_egress, UpdateSecurityGroupRuleDescriptionsEgressRequest, UpdateSecurityGroupRuleDescriptionsEgressResponse;
    rules: update_security_group_rule_descriptions_ingress, UpdateSecurityGroupRuleDescriptionsIngressRequest, UpdateSecurityGroupRuleDescriptionsIngressResponse;
    instances: run_instances, RunInstancesRequest, RunInstancesResponse;
    instances: start_instances, StartInstancesRequest, StartInstancesResponse;
    instances: stop_instances, StopInstancesRequest, StopInstancesResponse;
    instances: reboot_instances, RebootInstancesRequest, RebootInstancesResponse;
    instances: terminate_instances, TerminateInstancesRequest, TerminateInstancesResponse;
}
