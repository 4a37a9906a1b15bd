//! Every action and its handler. An action in api-spec/ without a line here does not compile.

use super::{
    Decision, View, account, addresses, classic_link, groups, images, insights, instances, key_pairs,
    launch_templates, network_interfaces, regions, rules, sts, tagging, volumes, vpcs,
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
    vpcs: describe_subnets, DescribeSubnetsRequest, DescribeSubnetsResponse;
    vpcs: describe_vpcs, DescribeVpcsRequest, DescribeVpcsResponse;
    classic_link: describe_vpc_classic_link, DescribeVpcClassicLinkRequest, DescribeVpcClassicLinkResponse;
    classic_link: describe_vpc_classic_link_dns_support, DescribeVpcClassicLinkDnsSupportRequest, DescribeVpcClassicLinkDnsSupportResponse;
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
    groups: create_security_group, CreateSecurityGroupRequest, CreateSecurityGroupResponse;
    groups: delete_security_group, DeleteSecurityGroupRequest, DeleteSecurityGroupResponse;
    key_pairs: create_key_pair, CreateKeyPairRequest, CreateKeyPairResponse;
    key_pairs: import_key_pair, ImportKeyPairRequest, ImportKeyPairResponse;
    key_pairs: delete_key_pair, DeleteKeyPairRequest, DeleteKeyPairResponse;
    insights: create_network_insights_path, CreateNetworkInsightsPathRequest, CreateNetworkInsightsPathResponse;
    insights: delete_network_insights_path, DeleteNetworkInsightsPathRequest, DeleteNetworkInsightsPathResponse;
    insights: start_network_insights_analysis, StartNetworkInsightsAnalysisRequest, StartNetworkInsightsAnalysisResponse;
    insights: delete_network_insights_analysis, DeleteNetworkInsightsAnalysisRequest, DeleteNetworkInsightsAnalysisResponse;
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
}
