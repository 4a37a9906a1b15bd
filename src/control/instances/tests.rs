//! One attribute at a time, and what there is to say of monitoring.

use super::*;
use crate::control::testing::{Bench, run_request};
use crate::plan::host_state;
use crate::query::api::*;
use crate::types::{EniId, GroupId};
use crate::world::{Attachment, Eni, InstanceState};

fn launched(bench: &mut Bench) -> InstanceId {
    bench.attempt(|decision| run_instances(decision, &run_request())).unwrap();
    *bench.world.instances.keys().next().unwrap()
}

fn in_state(bench: &mut Bench, id: InstanceId, state: InstanceState) {
    let row = bench.world.instances[&id].clone();
    bench.put(Instance { state, ..(*row).clone() });
}

fn of(instance_id: InstanceId) -> ModifyInstanceAttributeRequest {
    ModifyInstanceAttributeRequest {
        dry_run: false,
        instance_id,
        attribute: None,
        value: None,
        disable_api_stop: None,
        disable_api_termination: None,
        ebs_optimized: None,
        ena_support: None,
        group_ids: Vec::new(),
        instance_initiated_shutdown_behavior: None,
        instance_type: None,
        source_dest_check: None,
        user_data: None,
    }
}

fn flag(value: bool) -> Option<input::AttributeBooleanValue> {
    Some(input::AttributeBooleanValue { value: Some(value) })
}

fn text(value: &str) -> Option<input::AttributeValue> {
    Some(input::AttributeValue { value: Some(value.into()) })
}

fn modify(bench: &mut Bench, request: &ModifyInstanceAttributeRequest) -> Result<(), Fault> {
    bench.attempt(|decision| modify_instance_attribute(decision, request)).map(drop)
}

fn told(bench: &Bench, instance_id: InstanceId, attribute: &str) -> DescribeInstanceAttributeResponse {
    let request =
        DescribeInstanceAttributeRequest { dry_run: false, instance_id, attribute: attribute.into() };
    describe_instance_attribute(&bench.view(), &request).unwrap()
}

#[test]
fn what_was_changed_is_told_and_nothing_else_has_changed() {
    let mut bench = Bench::small();
    let id = launched(&mut bench);
    let before = bench.world.instances[&id].clone();
    modify(&mut bench, &ModifyInstanceAttributeRequest { disable_api_termination: flag(true), ..of(id) })
        .unwrap();
    let wanted = Instance { disable_api_termination: true, ..(*before).clone() };
    assert_eq!(*bench.world.instances[&id], wanted);
    assert_eq!(told(&bench, id, "disableApiTermination").disable_api_termination.unwrap().value, Some(true));
    assert_eq!(told(&bench, id, "disableApiStop").disable_api_stop.unwrap().value, Some(false));
    let behavior = text("terminate");
    let request = ModifyInstanceAttributeRequest { instance_initiated_shutdown_behavior: behavior, ..of(id) };
    modify(&mut bench, &request).unwrap();
    let shown = told(&bench, id, "instanceInitiatedShutdownBehavior");
    assert_eq!(shown.instance_initiated_shutdown_behavior.unwrap().value.as_deref(), Some("terminate"));
    assert_eq!(shown.disable_api_termination, None);
}

#[test]
fn type_and_user_data_change_only_while_an_instance_is_stopped() {
    let mut bench = Bench::small();
    let id = launched(&mut bench);
    let data = |bytes: &[u8]| Some(input::BlobAttributeValue { value: Some(bytes.to_vec()) });
    let larger = ModifyInstanceAttributeRequest { instance_type: text("m5.large"), ..of(id) };
    let script = ModifyInstanceAttributeRequest { user_data: data(b"#!"), ..of(id) };
    for request in [&larger, &script] {
        assert_eq!(modify(&mut bench, request).unwrap_err().code, FaultCode::IncorrectInstanceState);
    }
    in_state(&mut bench, id, InstanceState::Stopped);
    modify(&mut bench, &larger).unwrap();
    modify(&mut bench, &script).unwrap();
    let row = bench.world.instances[&id].clone();
    assert_eq!((&*row.instance_type, row.user_data.as_deref()), ("m5.large", Some(&b"#!"[..])));
    assert_eq!(told(&bench, id, "userData").user_data.unwrap().value.as_deref(), Some("IyE="));
    modify(&mut bench, &ModifyInstanceAttributeRequest { user_data: data(b""), ..of(id) }).unwrap();
    assert_eq!(bench.world.instances[&id].user_data, None);
    let unknown = ModifyInstanceAttributeRequest { instance_type: text("m5.huge"), ..of(id) };
    assert_eq!(modify(&mut bench, &unknown).unwrap_err().code, FaultCode::InvalidInstanceAttributeValue);
    in_state(&mut bench, id, InstanceState::Terminated);
    let stop = ModifyInstanceAttributeRequest { disable_api_stop: flag(true), ..of(id) };
    assert_eq!(modify(&mut bench, &stop).unwrap_err().code, FaultCode::IncorrectInstanceState);
}

#[test]
fn one_attribute_is_changed_at_a_time_and_the_oldest_way_to_name_it_is_understood() {
    let mut bench = Bench::small();
    let id = launched(&mut bench);
    let none = modify(&mut bench, &of(id)).unwrap_err();
    assert_eq!(
        (none.code, &*none.message),
        (FaultCode::InvalidParameterCombination, "No attributes specified.")
    );
    let two = ModifyInstanceAttributeRequest {
        disable_api_stop: flag(true),
        disable_api_termination: flag(true),
        ..of(id)
    };
    assert_eq!(modify(&mut bench, &two).unwrap_err().code, FaultCode::InvalidParameterCombination);
    let named = |attribute: &str, value: &str| ModifyInstanceAttributeRequest {
        attribute: Some(attribute.into()),
        value: Some(value.into()),
        ..of(id)
    };
    modify(&mut bench, &named("disableApiStop", "true")).unwrap();
    assert!(bench.world.instances[&id].disable_api_stop);
    let fault = modify(&mut bench, &named("disableApiStop", "yes")).unwrap_err();
    assert_eq!(fault.code, FaultCode::InvalidParameterValue);
    assert_eq!(
        modify(&mut bench, &named("kernel", "aki-1")).unwrap_err().code,
        FaultCode::UnsupportedOperation
    );
    let lone = ModifyInstanceAttributeRequest { attribute: Some("userData".into()), ..of(id) };
    assert_eq!(modify(&mut bench, &lone).unwrap_err().code, FaultCode::MissingParameter);
}

#[test]
fn what_every_instance_is_already_may_be_said_and_not_changed() {
    let mut bench = Bench::small();
    let id = launched(&mut bench);
    for (value, refused) in [(false, false), (true, true)] {
        let request = ModifyInstanceAttributeRequest { ebs_optimized: flag(value), ..of(id) };
        assert_eq!(modify(&mut bench, &request).is_err(), refused);
        let request = ModifyInstanceAttributeRequest { ena_support: flag(!value), ..of(id) };
        assert_eq!(modify(&mut bench, &request).is_err(), refused);
    }
}

#[test]
fn groups_and_the_check_of_sources_are_those_of_the_interface_and_reach_the_host() {
    let mut bench = Bench::small();
    let id = launched(&mut bench);
    let eni = bench.world.interfaces_of(id).remove(0);
    let group = CreateSecurityGroupRequest {
        dry_run: false,
        group_name: "web".into(),
        description: "d".into(),
        vpc_id: None,
        tag_specifications: Vec::new(),
    };
    let made =
        bench.attempt(|decision| crate::control::groups::create_security_group(decision, &group)).unwrap();
    modify(&mut bench, &ModifyInstanceAttributeRequest { group_ids: vec![made.group_id], ..of(id) }).unwrap();
    modify(&mut bench, &ModifyInstanceAttributeRequest { source_dest_check: flag(false), ..of(id) }).unwrap();
    let state = host_state(&bench.world, "node1");
    assert_eq!(
        (&*state.ports[&eni.id].groups, state.ports[&eni.id].source_dest_check),
        (&[made.group_id][..], false)
    );
    assert_eq!(told(&bench, id, "groupSet").group_set.unwrap()[0].group_id, made.group_id);
    let unknown = ModifyInstanceAttributeRequest { group_ids: vec![GroupId::from_random(9)], ..of(id) };
    assert_eq!(modify(&mut bench, &unknown).unwrap_err().code, FaultCode::InvalidGroupNotFound);
    let reset = ResetInstanceAttributeRequest {
        dry_run: false,
        instance_id: id,
        attribute: "sourceDestCheck".into(),
    };
    bench.attempt(|decision| reset_instance_attribute(decision, &reset)).unwrap();
    assert_eq!(told(&bench, id, "sourceDestCheck").source_dest_check.unwrap().value, Some(true));
    let kernel = ResetInstanceAttributeRequest { attribute: "kernel".into(), ..reset };
    let fault = bench.attempt(|decision| reset_instance_attribute(decision, &kernel)).unwrap_err();
    assert_eq!(fault.code, FaultCode::UnsupportedOperation);
}

#[test]
fn of_several_interfaces_one_has_to_be_named() {
    let mut bench = Bench::small();
    let id = launched(&mut bench);
    let first = bench.world.interfaces_of(id).remove(0);
    let attachment = first.attachment.map(|attachment| Attachment { device_index: 1, ..attachment });
    let private_ip = "10.0.0.30".parse().unwrap();
    bench.put(Eni { id: EniId::from_random(77), private_ip, attachment, ..(*first).clone() });
    let request = ModifyInstanceAttributeRequest { source_dest_check: flag(false), ..of(id) };
    assert_eq!(modify(&mut bench, &request).unwrap_err().code, FaultCode::InvalidInstanceID);
    let attribute = "sourceDestCheck".to_owned();
    let reset =
        ResetInstanceAttributeRequest { dry_run: false, instance_id: id, attribute: attribute.clone() };
    let fault = bench.attempt(|decision| reset_instance_attribute(decision, &reset)).unwrap_err();
    assert_eq!(fault.code, FaultCode::InvalidInstanceID);
    let request = DescribeInstanceAttributeRequest { dry_run: false, instance_id: id, attribute };
    let fault = describe_instance_attribute(&bench.view(), &request).unwrap_err();
    assert_eq!(fault.code, FaultCode::InvalidInstanceID);
}

#[test]
fn an_instance_keeps_to_types_that_can_have_its_interfaces_and_addresses() {
    let mut bench = Bench::small();
    let id = launched(&mut bench);
    let first = bench.world.interfaces_of(id).remove(0);
    in_state(&mut bench, id, InstanceState::Stopped);
    let ip = |last: u8| std::net::Ipv4Addr::new(10, 0, 0, last);
    bench.put(Eni { secondary_ips: [ip(31), ip(32)].into(), ..(*first).clone() });
    let micro = ModifyInstanceAttributeRequest { instance_type: text("t3.micro"), ..of(id) };
    let many = FaultCode::PrivateIpAddressLimitExceeded;
    assert_eq!(modify(&mut bench, &micro).unwrap_err().code, many, "each has two addresses there");
    bench.put((*first).clone());
    for index in 1..3 {
        let attachment = first.attachment.map(|attachment| Attachment { device_index: index, ..attachment });
        let (eni, private_ip) =
            (EniId::from_random(77 + u64::from(index)), ip(40 + u8::try_from(index).unwrap()));
        bench.put(Eni { id: eni, private_ip, attachment, ..(*first).clone() });
    }
    let fault = modify(&mut bench, &micro).unwrap_err();
    assert_eq!(fault.code, FaultCode::AttachmentLimitExceeded);
    assert_eq!(fault.message, "Interface count 3 exceeds the limit for t3.micro");
    let xlarge = ModifyInstanceAttributeRequest { instance_type: text("m5.xlarge"), ..of(id) };
    modify(&mut bench, &xlarge).unwrap();
}

#[test]
fn metadata_options_change_one_by_one_and_reach_the_host() {
    let mut bench = Bench::small();
    let id = launched(&mut bench);
    let nothing = ModifyInstanceMetadataOptionsRequest {
        dry_run: false,
        instance_id: id,
        http_tokens: None,
        http_put_response_hop_limit: None,
        http_endpoint: None,
        http_protocol_ipv6: None,
        instance_metadata_tags: None,
    };
    let mut change = |request: &ModifyInstanceMetadataOptionsRequest| {
        let answer = bench.attempt(|decision| modify_instance_metadata_options(decision, request)).unwrap();
        let section = host_state(&bench.world, "node1").instances[&id].clone();
        (answer, (section.tokens_required, section.hop_limit, section.metadata_enabled))
    };
    let tokens =
        ModifyInstanceMetadataOptionsRequest { http_tokens: Some("required".into()), ..nothing.clone() };
    let (answer, served) = change(&tokens);
    assert_eq!(answer.instance_metadata_options.http_tokens, "required");
    assert_eq!(served, (true, 1, true));
    let hops =
        ModifyInstanceMetadataOptionsRequest { http_put_response_hop_limit: Some(3), ..nothing.clone() };
    assert_eq!(change(&hops).1, (true, 3, true));
    let off =
        ModifyInstanceMetadataOptionsRequest { http_endpoint: Some("disabled".into()), ..nothing.clone() };
    assert_eq!(change(&off).1, (true, 3, false));
    assert_eq!(change(&nothing).1, (true, 3, false));
}

#[test]
fn tags_that_cannot_be_paths_keep_tags_out_of_the_metadata() {
    let mut bench = Bench::small();
    let id = launched(&mut bench);
    let tag = |key: &str| (key.into(), "".into());
    let request = ModifyInstanceMetadataOptionsRequest {
        dry_run: false,
        instance_id: id,
        http_tokens: None,
        http_put_response_hop_limit: None,
        http_endpoint: None,
        http_protocol_ipv6: None,
        instance_metadata_tags: Some("enabled".into()),
    };
    bench.decide(|decision| decision.tag(crate::types::ResourceId::Instance(id), &[tag("a/b")])).unwrap();
    let fault = bench.attempt(|decision| modify_instance_metadata_options(decision, &request)).unwrap_err();
    assert_eq!(fault.code, FaultCode::InvalidParameterValue);
    assert!(!bench.world.instances[&id].metadata.instance_tags);
}

#[test]
fn burstable_instances_are_unlimited_and_others_are_none() {
    let mut bench = Bench::small();
    let small = launched(&mut bench);
    let burstable = RunInstancesRequest { instance_type: Some("t3.micro".into()), ..run_request() };
    let made = bench.attempt(|decision| run_instances(decision, &burstable)).unwrap();
    let id = made.instances_set[0].instance_id;
    let request = |instance_ids: Vec<InstanceId>| DescribeInstanceCreditSpecificationsRequest {
        instance_ids,
        ..Default::default()
    };
    let all = describe_instance_credit_specifications(&bench.view(), &request(vec![])).unwrap();
    let told = output::InstanceCreditSpecification { instance_id: id, cpu_credits: "unlimited".into() };
    assert_eq!(all.instance_credit_specifications, vec![told]);
    let fault = describe_instance_credit_specifications(&bench.view(), &request(vec![small])).unwrap_err();
    assert_eq!(fault.code, FaultCode::InstanceCreditSpecificationNotSupported);
}
