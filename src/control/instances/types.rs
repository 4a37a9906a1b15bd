//! DescribeInstanceTypes and DescribeInstanceTypeOfferings: EC2's types, told as what they are here.
//!
//! Size and generation are EC2's. What an instance has on EC2 and not here is denied: spot prices, volumes, disks of
//! its own, recovery. How fast its network is nobody says: that is the host's affair.

use super::super::filter::Values;
use super::super::{View, filter, regions};
use super::kinds::Kind;
use crate::query::api::*;
use crate::query::{Fault, FaultCode};

const UNSUPPORTED: &str = "unsupported";

pub fn describe_instance_types(
    view: &View,
    request: &DescribeInstanceTypesRequest,
) -> Result<DescribeInstanceTypesResponse, Fault> {
    let named = &request.instance_types;
    let unknown: Vec<_> = named.iter().filter(|name| Kind::of(name).is_none()).cloned().collect();
    if !unknown.is_empty() {
        return Err(FaultCode::InvalidInstanceType
            .with(format!("The following supplied instance types do not exist: [{}]", unknown.join(", "))));
    }
    let mut kinds = match named.as_slice() {
        [] => Kind::all(),
        named => named.iter().filter_map(|name| Kind::of(name)).collect(),
    };
    kinds.sort_by_key(Kind::name);
    kinds.dedup();
    let matching = kinds
        .into_iter()
        .map(|kind| info(&kind))
        .filter(|info| filter::matches(view.world, None, &request.filters, |name| attribute(info, name)));
    let (instance_types, next_token) = request.page().cut(matching, |info| info.instance_type.clone())?;
    Ok(DescribeInstanceTypesResponse { instance_types, next_token })
}

fn info(kind: &Kind) -> output::InstanceTypeInfo {
    let name = kind.name();
    let hypervisor = if kind.is_nitro() { "nitro" } else { "xen" };
    output::InstanceTypeInfo {
        current_generation: kind.is_current(),
        free_tier_eligible: ["t2.micro", "t3.micro"].contains(&name.as_str()),
        supported_usage_classes: vec!["on-demand".into()],
        supported_root_device_types: vec!["instance-store".into()],
        supported_virtualization_types: vec!["hvm".into()],
        bare_metal: kind.is_metal(),
        hypervisor: (!kind.is_metal()).then(|| hypervisor.into()),
        processor_info: output::ProcessorInfo {
            supported_architectures: vec![if kind.is_arm() { "arm64" } else { "x86_64" }.into()],
            manufacturer: kind.manufacturer().into(),
        },
        v_cpu_info: output::VCpuInfo {
            default_v_cpus: kind.processors.cast_signed(),
            default_cores: (kind.processors / kind.threads_per_core()).cast_signed(),
            default_threads_per_core: kind.threads_per_core().cast_signed(),
        },
        memory_info: output::MemoryInfo { size_in_mib: kind.memory_mib.cast_signed() },
        instance_storage_supported: false,
        ebs_info: output::EbsInfo {
            ebs_optimized_support: UNSUPPORTED.into(),
            encryption_support: UNSUPPORTED.into(),
            nvme_support: UNSUPPORTED.into(),
        },
        network_info: network(kind),
        placement_group_info: output::PlacementGroupInfo { supported_strategies: Vec::new() },
        hibernation_supported: false,
        burstable_performance_supported: kind.is_burstable(),
        // Placement.Tenancy=host names any host.
        dedicated_hosts_supported: true,
        auto_recovery_supported: false,
        supported_boot_modes: vec!["legacy-bios".into()],
        nitro_enclaves_support: UNSUPPORTED.into(),
        nitro_tpm_support: UNSUPPORTED.into(),
        instance_type: name,
    }
}

fn network(kind: &Kind) -> output::NetworkInfo {
    let (interfaces, addresses) = kind.interfaces();
    let interfaces = interfaces.cast_signed();
    output::NetworkInfo {
        maximum_network_interfaces: interfaces,
        maximum_network_cards: 1,
        default_network_card_index: 0,
        network_cards: vec![output::NetworkCardInfo {
            network_card_index: 0,
            maximum_network_interfaces: interfaces,
        }],
        ipv4_addresses_per_interface: addresses.cast_signed(),
        ipv6_addresses_per_interface: addresses.cast_signed(),
        ipv6_supported: true,
        ena_support: if kind.is_nitro() { "required" } else { "supported" }.into(),
        efa_supported: false,
        encryption_in_transit_supported: false,
        ena_srd_supported: false,
    }
}

/// What a filter compares: the answer's own words, so that both cannot differ.
fn attribute(info: &output::InstanceTypeInfo, name: &str) -> Values {
    let (network, ebs, processors) = (&info.network_info, &info.ebs_info, &info.v_cpu_info);
    vec![match name {
        "auto-recovery-supported" => info.auto_recovery_supported.to_string(),
        "bare-metal" => info.bare_metal.to_string(),
        "burstable-performance-supported" => info.burstable_performance_supported.to_string(),
        "current-generation" => info.current_generation.to_string(),
        "dedicated-hosts-supported" => info.dedicated_hosts_supported.to_string(),
        "ebs-info.ebs-optimized-support" => ebs.ebs_optimized_support.clone(),
        "ebs-info.encryption-support" => ebs.encryption_support.clone(),
        "ebs-info.nvme-support" => ebs.nvme_support.clone(),
        "free-tier-eligible" => info.free_tier_eligible.to_string(),
        "hibernation-supported" => info.hibernation_supported.to_string(),
        "hypervisor" => return info.hypervisor.iter().cloned().collect(),
        "instance-storage-supported" => info.instance_storage_supported.to_string(),
        "instance-type" => info.instance_type.clone(),
        "memory-info.size-in-mib" => info.memory_info.size_in_mib.to_string(),
        "network-info.efa-supported" => network.efa_supported.to_string(),
        "network-info.ena-support" => network.ena_support.clone(),
        "network-info.encryption-in-transit-supported" => network.encryption_in_transit_supported.to_string(),
        "network-info.ipv4-addresses-per-interface" => network.ipv4_addresses_per_interface.to_string(),
        "network-info.ipv6-addresses-per-interface" => network.ipv6_addresses_per_interface.to_string(),
        "network-info.ipv6-supported" => network.ipv6_supported.to_string(),
        "network-info.maximum-network-cards" => network.maximum_network_cards.to_string(),
        "network-info.maximum-network-interfaces" => network.maximum_network_interfaces.to_string(),
        "nitro-enclaves-support" => info.nitro_enclaves_support.clone(),
        "nitro-tpm-support" => info.nitro_tpm_support.clone(),
        "processor-info.supported-architecture" => {
            return info.processor_info.supported_architectures.clone();
        }
        "supported-boot-mode" => return info.supported_boot_modes.clone(),
        "supported-root-device-type" => return info.supported_root_device_types.clone(),
        "supported-usage-class" => return info.supported_usage_classes.clone(),
        "supported-virtualization-type" => return info.supported_virtualization_types.clone(),
        "vcpu-info.default-cores" => processors.default_cores.to_string(),
        "vcpu-info.default-threads-per-core" => processors.default_threads_per_core.to_string(),
        "vcpu-info.default-vcpus" => processors.default_v_cpus.to_string(),
        _ => return Values::new(),
    }]
}

pub fn describe_instance_type_offerings(
    view: &View,
    request: &DescribeInstanceTypeOfferingsRequest,
) -> Result<DescribeInstanceTypeOfferingsResponse, Fault> {
    let location_type = request.location_type.as_deref().unwrap_or("region");
    let region = &view.caller.owner.region;
    let zones = regions::zones(view.world);
    let mut locations: Vec<String> = match location_type {
        "availability-zone" => zones.iter().map(ToString::to_string).collect(),
        "availability-zone-id" => {
            zones.iter().map(|zone| regions::zone_id(view.world, region, zone)).collect()
        }
        "region" => vec![region.to_string()],
        // There are none.
        _ => Vec::new(),
    };
    locations.sort();
    let names: Vec<_> = Kind::all().iter().map(Kind::name).collect();
    let offerings = names.iter().flat_map(|name| locations.iter().map(move |location| (name, location)));
    let matching = offerings.filter(|(name, location)| {
        filter::matches(view.world, None, &request.filters, |filter| match filter {
            "instance-type" => vec![(*name).clone()],
            _ => vec![(*location).clone()],
        })
    });
    // A blank comes before all that a name may have: by name, then by location.
    let (found, next_token) =
        request.page().cut(matching, |(name, location)| format!("{name} {location}"))?;
    let told = found.into_iter().map(|(name, location)| output::InstanceTypeOffering {
        instance_type: name.clone(),
        location_type: location_type.into(),
        location: location.clone(),
    });
    Ok(DescribeInstanceTypeOfferingsResponse { instance_type_offerings: told.collect(), next_token })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::Bench;
    use crate::query::Filter;

    fn filter(name: &str, value: &str) -> Filter {
        Filter { name: name.into(), values: vec![value.into()] }
    }

    fn names(bench: &Bench, request: &DescribeInstanceTypesRequest) -> Vec<String> {
        let found = describe_instance_types(&bench.view(), request).unwrap();
        found.instance_types.into_iter().map(|info| info.instance_type).collect()
    }

    #[test]
    fn types_are_found_by_name_and_by_what_they_are() {
        let bench = Bench::small();
        let asked = |instance_types: &[&str], filters: Vec<Filter>| DescribeInstanceTypesRequest {
            instance_types: instance_types.iter().map(ToString::to_string).collect(),
            filters,
            ..Default::default()
        };
        assert_eq!(
            names(&bench, &asked(&["t3.micro", "m5.large", "t3.micro"], vec![])),
            ["m5.large", "t3.micro"]
        );
        let arm = filter("processor-info.supported-architecture", "arm64");
        let two = filter("vcpu-info.default-vcpus", "2");
        let found = names(&bench, &asked(&[], vec![arm, two, filter("memory-info.size-in-mib", "512")]));
        assert_eq!(found, ["t4g.nano"]);
        let fault = describe_instance_types(&bench.view(), &asked(&["m5.huge"], vec![])).unwrap_err();
        assert_eq!(fault.code, FaultCode::InvalidInstanceType);
    }

    #[test]
    fn all_types_are_walked_through_by_pages() {
        let bench = Bench::small();
        let mut request = DescribeInstanceTypesRequest { max_results: Some(100), ..Default::default() };
        let mut walked = Vec::new();
        for _ in 0..Kind::all().len().div_ceil(100) {
            let page = describe_instance_types(&bench.view(), &request).unwrap();
            walked.extend(page.instance_types.into_iter().map(|info| info.instance_type));
            request.next_token = page.next_token;
        }
        assert_eq!(request.next_token, None);
        assert_eq!(walked, names(&bench, &DescribeInstanceTypesRequest::default()));
    }

    #[test]
    fn every_type_is_offered_in_every_zone() {
        let mut bench = Bench::small();
        bench.host("node2", "us-east-1b");
        let request = DescribeInstanceTypeOfferingsRequest {
            location_type: Some("availability-zone".into()),
            filters: vec![filter("instance-type", "t3.micro")],
            ..Default::default()
        };
        let found = describe_instance_type_offerings(&bench.view(), &request).unwrap();
        let zones: Vec<_> = found.instance_type_offerings.iter().map(|one| &*one.location).collect();
        assert_eq!(zones, ["us-east-1a", "us-east-1b"]);
        let mut request = DescribeInstanceTypeOfferingsRequest { max_results: Some(7), ..request };
        request.filters.clear();
        let all = 2 * Kind::all().len();
        let mut walked = 0;
        for _ in 0..all.div_ceil(7) {
            let page = describe_instance_type_offerings(&bench.view(), &request).unwrap();
            walked += page.instance_type_offerings.len();
            request.next_token = page.next_token;
        }
        assert_eq!((walked, request.next_token), (all, None));
    }
}
