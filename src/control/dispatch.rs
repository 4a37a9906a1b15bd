//! Every action and its handler. An action in api-spec/ without a line here does not compile.

use super::{
    Decision, View, account, address_attributes, address_transfers, addresses, egress_gateways, groups,
    images, insights, instances, internet_gateways, key_pairs, launch_templates, nat_gateways, network_acls,
    network_interfaces, peerings, prefix_lists, regions, routes, rules, sts, tagging, volumes, vpcs,
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
    instances: describe_instance_attribute, DescribeInstanceAttributeRequest, DescribeInstanceAttributeResponse;
    instances: describe_instance_credit_specifications, DescribeInstanceCreditSpecificationsRequest, DescribeInstanceCreditSpecificationsResponse;
    instances: describe_instance_type_offerings, DescribeInstanceTypeOfferingsRequest, DescribeInstanceTypeOfferingsResponse;
    instances: describe_instance_types, DescribeInstanceTypesRequest, DescribeInstanceTypesResponse;
    instances: unmonitor_instances, UnmonitorInstancesRequest, UnmonitorInstancesResponse;
    instances: get_console_output, GetConsoleOutputRequest, GetConsoleOutputResponse;
    network_interfaces: describe_network_interfaces, DescribeNetworkInterfacesRequest, DescribeNetworkInterfacesResponse;
    network_interfaces: describe_network_interface_attribute, DescribeNetworkInterfaceAttributeRequest, DescribeNetworkInterfaceAttributeResponse;
    network_acls: describe_network_acls, DescribeNetworkAclsRequest, DescribeNetworkAclsResponse;
    account: describe_account_attributes, DescribeAccountAttributesRequest, DescribeAccountAttributesResponse;
    images: describe_image_attribute, DescribeImageAttributeRequest, DescribeImageAttributeResponse;
    images: describe_images, DescribeImagesRequest, DescribeImagesResponse;
    regions: describe_availability_zones, DescribeAvailabilityZonesRequest, DescribeAvailabilityZonesResponse;
    regions: describe_regions, DescribeRegionsRequest, DescribeRegionsResponse;
    groups: describe_security_groups, DescribeSecurityGroupsRequest, DescribeSecurityGroupsResponse;
    rules: describe_security_group_rules, DescribeSecurityGroupRulesRequest, DescribeSecurityGroupRulesResponse;
    key_pairs: describe_key_pairs, DescribeKeyPairsRequest, DescribeKeyPairsResponse;
    insights: describe_network_insights_paths, DescribeNetworkInsightsPathsRequest, DescribeNetworkInsightsPathsResponse;
    insights: describe_network_insights_analyses, DescribeNetworkInsightsAnalysesRequest, DescribeNetworkInsightsAnalysesResponse;
    launch_templates: describe_launch_template_versions, DescribeLaunchTemplateVersionsRequest, DescribeLaunchTemplateVersionsResponse;
    launch_templates: describe_launch_templates, DescribeLaunchTemplatesRequest, DescribeLaunchTemplatesResponse;
    launch_templates: get_launch_template_data, GetLaunchTemplateDataRequest, GetLaunchTemplateDataResponse;
    tagging: describe_tags, DescribeTagsRequest, DescribeTagsResponse;
    egress_gateways: describe_egress_only_internet_gateways, DescribeEgressOnlyInternetGatewaysRequest, DescribeEgressOnlyInternetGatewaysResponse;
    internet_gateways: describe_internet_gateways, DescribeInternetGatewaysRequest, DescribeInternetGatewaysResponse;
    peerings: describe_vpc_peering_connections, DescribeVpcPeeringConnectionsRequest, DescribeVpcPeeringConnectionsResponse;
    nat_gateways: describe_nat_gateways, DescribeNatGatewaysRequest, DescribeNatGatewaysResponse;
    prefix_lists: describe_managed_prefix_lists, DescribeManagedPrefixListsRequest, DescribeManagedPrefixListsResponse;
    prefix_lists: describe_prefix_lists, DescribePrefixListsRequest, DescribePrefixListsResponse;
    prefix_lists: get_managed_prefix_list_associations, GetManagedPrefixListAssociationsRequest, GetManagedPrefixListAssociationsResponse;
    prefix_lists: get_managed_prefix_list_entries, GetManagedPrefixListEntriesRequest, GetManagedPrefixListEntriesResponse;
    routes: describe_route_tables, DescribeRouteTablesRequest, DescribeRouteTablesResponse;
    vpcs: describe_dhcp_options, DescribeDhcpOptionsRequest, DescribeDhcpOptionsResponse;
    vpcs: describe_vpc_classic_link, DescribeVpcClassicLinkRequest, DescribeVpcClassicLinkResponse;
    vpcs: describe_vpc_classic_link_dns_support, DescribeVpcClassicLinkDnsSupportRequest, DescribeVpcClassicLinkDnsSupportResponse;
    vpcs: describe_vpc_attribute, DescribeVpcAttributeRequest, DescribeVpcAttributeResponse;
    vpcs: get_subnet_cidr_reservations, GetSubnetCidrReservationsRequest, GetSubnetCidrReservationsResponse;
    vpcs: describe_subnets, DescribeSubnetsRequest, DescribeSubnetsResponse;
    vpcs: describe_vpcs, DescribeVpcsRequest, DescribeVpcsResponse;
    groups: describe_security_group_references, DescribeSecurityGroupReferencesRequest, DescribeSecurityGroupReferencesResponse;
    groups: describe_stale_security_groups, DescribeStaleSecurityGroupsRequest, DescribeStaleSecurityGroupsResponse;
    groups: get_security_groups_for_vpc, GetSecurityGroupsForVpcRequest, GetSecurityGroupsForVpcResponse;
    address_attributes: describe_addresses_attribute, DescribeAddressesAttributeRequest, DescribeAddressesAttributeResponse;
    address_transfers: describe_address_transfers, DescribeAddressTransfersRequest, DescribeAddressTransfersResponse;
    volumes: describe_volume_status, DescribeVolumeStatusRequest, DescribeVolumeStatusResponse;
    volumes: describe_volumes, DescribeVolumesRequest, DescribeVolumesResponse;
    volumes: describe_volumes_modifications, DescribeVolumesModificationsRequest, DescribeVolumesModificationsResponse;
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
    network_acls: create_network_acl, CreateNetworkAclRequest, CreateNetworkAclResponse;
    network_acls: delete_network_acl, DeleteNetworkAclRequest, DeleteNetworkAclResponse;
    network_acls: create_network_acl_entry, CreateNetworkAclEntryRequest, CreateNetworkAclEntryResponse;
    network_acls: replace_network_acl_entry, ReplaceNetworkAclEntryRequest, ReplaceNetworkAclEntryResponse;
    network_acls: delete_network_acl_entry, DeleteNetworkAclEntryRequest, DeleteNetworkAclEntryResponse;
    network_acls: replace_network_acl_association, ReplaceNetworkAclAssociationRequest, ReplaceNetworkAclAssociationResponse;
    network_interfaces: create_network_interface, CreateNetworkInterfaceRequest, CreateNetworkInterfaceResponse;
    network_interfaces: delete_network_interface, DeleteNetworkInterfaceRequest, DeleteNetworkInterfaceResponse;
    network_interfaces: attach_network_interface, AttachNetworkInterfaceRequest, AttachNetworkInterfaceResponse;
    network_interfaces: detach_network_interface, DetachNetworkInterfaceRequest, DetachNetworkInterfaceResponse;
    network_interfaces: modify_network_interface_attribute, ModifyNetworkInterfaceAttributeRequest, ModifyNetworkInterfaceAttributeResponse;
    network_interfaces: reset_network_interface_attribute, ResetNetworkInterfaceAttributeRequest, ResetNetworkInterfaceAttributeResponse;
    network_interfaces: assign_private_ip_addresses, AssignPrivateIpAddressesRequest, AssignPrivateIpAddressesResponse;
    network_interfaces: unassign_private_ip_addresses, UnassignPrivateIpAddressesRequest, UnassignPrivateIpAddressesResponse;
    launch_templates: create_launch_template, CreateLaunchTemplateRequest, CreateLaunchTemplateResponse;
    launch_templates: create_launch_template_version, CreateLaunchTemplateVersionRequest, CreateLaunchTemplateVersionResponse;
    launch_templates: delete_launch_template, DeleteLaunchTemplateRequest, DeleteLaunchTemplateResponse;
    launch_templates: delete_launch_template_versions, DeleteLaunchTemplateVersionsRequest, DeleteLaunchTemplateVersionsResponse;
    launch_templates: modify_launch_template, ModifyLaunchTemplateRequest, ModifyLaunchTemplateResponse;
    tagging: create_tags, CreateTagsRequest, CreateTagsResponse;
    tagging: delete_tags, DeleteTagsRequest, DeleteTagsResponse;
    rules: authorize_security_group_egress, AuthorizeSecurityGroupEgressRequest, AuthorizeSecurityGroupEgressResponse;
    rules: authorize_security_group_ingress, AuthorizeSecurityGroupIngressRequest, AuthorizeSecurityGroupIngressResponse;
    rules: revoke_security_group_egress, RevokeSecurityGroupEgressRequest, RevokeSecurityGroupEgressResponse;
    rules: revoke_security_group_ingress, RevokeSecurityGroupIngressRequest, RevokeSecurityGroupIngressResponse;
    rules: modify_security_group_rules, ModifySecurityGroupRulesRequest, ModifySecurityGroupRulesResponse;
    rules: update_security_group_rule_descriptions_egress, UpdateSecurityGroupRuleDescriptionsEgressRequest, UpdateSecurityGroupRuleDescriptionsEgressResponse;
    rules: update_security_group_rule_descriptions_ingress, UpdateSecurityGroupRuleDescriptionsIngressRequest, UpdateSecurityGroupRuleDescriptionsIngressResponse;
    images: deregister_image, DeregisterImageRequest, DeregisterImageResponse;
    images: modify_image_attribute, ModifyImageAttributeRequest, ModifyImageAttributeResponse;
    images: register_image, RegisterImageRequest, RegisterImageResponse;
    instances: run_instances, RunInstancesRequest, RunInstancesResponse;
    instances: start_instances, StartInstancesRequest, StartInstancesResponse;
    instances: stop_instances, StopInstancesRequest, StopInstancesResponse;
    instances: reboot_instances, RebootInstancesRequest, RebootInstancesResponse;
    instances: modify_instance_attribute, ModifyInstanceAttributeRequest, ModifyInstanceAttributeResponse;
    instances: modify_instance_metadata_options, ModifyInstanceMetadataOptionsRequest, ModifyInstanceMetadataOptionsResponse;
    instances: monitor_instances, MonitorInstancesRequest, MonitorInstancesResponse;
    instances: reset_instance_attribute, ResetInstanceAttributeRequest, ResetInstanceAttributeResponse;
    instances: terminate_instances, TerminateInstancesRequest, TerminateInstancesResponse;
    internet_gateways: attach_internet_gateway, AttachInternetGatewayRequest, AttachInternetGatewayResponse;
    egress_gateways: create_egress_only_internet_gateway, CreateEgressOnlyInternetGatewayRequest, CreateEgressOnlyInternetGatewayResponse;
    egress_gateways: delete_egress_only_internet_gateway, DeleteEgressOnlyInternetGatewayRequest, DeleteEgressOnlyInternetGatewayResponse;
    network_interfaces: assign_ipv6_addresses, AssignIpv6AddressesRequest, AssignIpv6AddressesResponse;
    network_interfaces: unassign_ipv6_addresses, UnassignIpv6AddressesRequest, UnassignIpv6AddressesResponse;
    vpcs: associate_subnet_cidr_block, AssociateSubnetCidrBlockRequest, AssociateSubnetCidrBlockResponse;
    vpcs: disassociate_subnet_cidr_block, DisassociateSubnetCidrBlockRequest, DisassociateSubnetCidrBlockResponse;
    internet_gateways: create_internet_gateway, CreateInternetGatewayRequest, CreateInternetGatewayResponse;
    internet_gateways: delete_internet_gateway, DeleteInternetGatewayRequest, DeleteInternetGatewayResponse;
    internet_gateways: detach_internet_gateway, DetachInternetGatewayRequest, DetachInternetGatewayResponse;
    nat_gateways: create_nat_gateway, CreateNatGatewayRequest, CreateNatGatewayResponse;
    nat_gateways: delete_nat_gateway, DeleteNatGatewayRequest, DeleteNatGatewayResponse;
    peerings: accept_vpc_peering_connection, AcceptVpcPeeringConnectionRequest, AcceptVpcPeeringConnectionResponse;
    peerings: create_vpc_peering_connection, CreateVpcPeeringConnectionRequest, CreateVpcPeeringConnectionResponse;
    peerings: delete_vpc_peering_connection, DeleteVpcPeeringConnectionRequest, DeleteVpcPeeringConnectionResponse;
    peerings: modify_vpc_peering_connection_options, ModifyVpcPeeringConnectionOptionsRequest, ModifyVpcPeeringConnectionOptionsResponse;
    peerings: reject_vpc_peering_connection, RejectVpcPeeringConnectionRequest, RejectVpcPeeringConnectionResponse;
    prefix_lists: create_managed_prefix_list, CreateManagedPrefixListRequest, CreateManagedPrefixListResponse;
    prefix_lists: delete_managed_prefix_list, DeleteManagedPrefixListRequest, DeleteManagedPrefixListResponse;
    prefix_lists: modify_managed_prefix_list, ModifyManagedPrefixListRequest, ModifyManagedPrefixListResponse;
    prefix_lists: restore_managed_prefix_list_version, RestoreManagedPrefixListVersionRequest, RestoreManagedPrefixListVersionResponse;
    routes: associate_route_table, AssociateRouteTableRequest, AssociateRouteTableResponse;
    routes: create_route, CreateRouteRequest, CreateRouteResponse;
    routes: create_route_table, CreateRouteTableRequest, CreateRouteTableResponse;
    routes: delete_route, DeleteRouteRequest, DeleteRouteResponse;
    routes: delete_route_table, DeleteRouteTableRequest, DeleteRouteTableResponse;
    routes: disassociate_route_table, DisassociateRouteTableRequest, DisassociateRouteTableResponse;
    routes: replace_route, ReplaceRouteRequest, ReplaceRouteResponse;
    routes: replace_route_table_association, ReplaceRouteTableAssociationRequest, ReplaceRouteTableAssociationResponse;
    vpcs: associate_dhcp_options, AssociateDhcpOptionsRequest, AssociateDhcpOptionsResponse;
    vpcs: create_dhcp_options, CreateDhcpOptionsRequest, CreateDhcpOptionsResponse;
    vpcs: delete_dhcp_options, DeleteDhcpOptionsRequest, DeleteDhcpOptionsResponse;
    vpcs: associate_vpc_cidr_block, AssociateVpcCidrBlockRequest, AssociateVpcCidrBlockResponse;
    vpcs: create_default_subnet, CreateDefaultSubnetRequest, CreateDefaultSubnetResponse;
    vpcs: create_default_vpc, CreateDefaultVpcRequest, CreateDefaultVpcResponse;
    vpcs: create_subnet, CreateSubnetRequest, CreateSubnetResponse;
    vpcs: create_subnet_cidr_reservation, CreateSubnetCidrReservationRequest, CreateSubnetCidrReservationResponse;
    vpcs: delete_subnet_cidr_reservation, DeleteSubnetCidrReservationRequest, DeleteSubnetCidrReservationResponse;
    vpcs: create_vpc, CreateVpcRequest, CreateVpcResponse;
    vpcs: delete_subnet, DeleteSubnetRequest, DeleteSubnetResponse;
    vpcs: delete_vpc, DeleteVpcRequest, DeleteVpcResponse;
    vpcs: disassociate_vpc_cidr_block, DisassociateVpcCidrBlockRequest, DisassociateVpcCidrBlockResponse;
    vpcs: modify_subnet_attribute, ModifySubnetAttributeRequest, ModifySubnetAttributeResponse;
    vpcs: modify_vpc_attribute, ModifyVpcAttributeRequest, ModifyVpcAttributeResponse;
    vpcs: modify_vpc_tenancy, ModifyVpcTenancyRequest, ModifyVpcTenancyResponse;
}
