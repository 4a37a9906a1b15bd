//! Templates over their lives, and launches from them.

use super::*;
use crate::control::Decision;
use crate::control::quotas::Quotas;
use crate::control::testing::Bench;
use crate::query::api::*;
use crate::query::{self, Filter};
use crate::types::{ImageId, InstanceId, ResourceId};

/// Calls an action as the wire has it.
fn write(bench: &mut Bench, given: &[(&str, &str)]) -> Result<Response, Fault> {
    let mut pairs: Vec<(String, String)> =
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    pairs.push(("Version".into(), "2016-11-15".into()));
    let action = query::decode(&pairs)?.action;
    bench.attempt(|decision: &mut Decision<'_>| query::dispatch_write(decision, &action).unwrap())
}

fn create(bench: &mut Bench, name: &str, data: &[(&str, &str)]) -> Result<LaunchTemplateId, Fault> {
    let head = [("Action", "CreateLaunchTemplate"), ("LaunchTemplateName", name)];
    match write(bench, &[&head, data].concat())? {
        Response::CreateLaunchTemplate(made) => Ok(made.launch_template.launch_template_id),
        other => panic!("{other:?}"),
    }
}

fn add_version(bench: &mut Bench, name: &str, data: &[(&str, &str)]) -> Result<i64, Fault> {
    let head = [("Action", "CreateLaunchTemplateVersion"), ("LaunchTemplateName", name)];
    match write(bench, &[&head, data].concat())? {
        Response::CreateLaunchTemplateVersion(made) => Ok(made.launch_template_version.version_number),
        other => panic!("{other:?}"),
    }
}

fn launch(bench: &mut Bench, given: &[(&str, &str)]) -> Result<InstanceId, Fault> {
    let head = [("Action", "RunInstances"), ("MinCount", "1"), ("MaxCount", "1")];
    match write(bench, &[&head, given].concat())? {
        Response::RunInstances(made) => Ok(made.instances_set[0].instance_id),
        other => panic!("{other:?}"),
    }
}

fn image() -> String {
    ImageId::from_random(1).to_string()
}

fn versions(bench: &Bench, request: &DescribeLaunchTemplateVersionsRequest) -> Vec<i64> {
    let found = describe_launch_template_versions(&bench.view(), request).unwrap();
    found.launch_template_versions.iter().map(|one| one.version_number).collect()
}

#[test]
fn a_launch_has_what_its_template_says_and_the_request_has_the_last_word() {
    let mut bench = Bench::small();
    let image = image();
    let data = [
        ("LaunchTemplateData.ImageId", image.as_str()),
        ("LaunchTemplateData.InstanceType", "t3.micro"),
        ("LaunchTemplateData.UserData", "IyE="),
        ("LaunchTemplateData.DisableApiStop", "true"),
        ("LaunchTemplateData.MetadataOptions.HttpTokens", "required"),
        ("LaunchTemplateData.MetadataOptions.HttpPutResponseHopLimit", "2"),
        ("LaunchTemplateData.NetworkInterface.1.DeviceIndex", "0"),
        ("LaunchTemplateData.NetworkInterface.1.PrivateIpAddress", "10.0.0.20"),
        ("LaunchTemplateData.NetworkInterface.1.SecondaryPrivateIpAddressCount", "1"),
        ("LaunchTemplateData.TagSpecification.1.ResourceType", "instance"),
        ("LaunchTemplateData.TagSpecification.1.Tag.1.Key", "Name"),
        ("LaunchTemplateData.TagSpecification.1.Tag.1.Value", "of the template"),
        ("LaunchTemplateData.TagSpecification.1.Tag.2.Key", "other"),
    ];
    let template = create(&mut bench, "web", &data).unwrap();
    let id = launch(
        &mut bench,
        &[
            ("LaunchTemplate.LaunchTemplateName", "web"),
            ("InstanceType", "m5.large"),
            ("MetadataOptions.HttpTokens", "optional"),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", "Name"),
            ("TagSpecification.1.Tag.1.Value", "of the request"),
        ],
    )
    .unwrap();
    let row = bench.world.instances[&id].clone();
    assert_eq!((&*row.instance_type, row.user_data.as_deref()), ("m5.large", Some(&b"#!"[..])));
    assert_eq!(
        (row.disable_api_stop, row.metadata.tokens_required, row.metadata.hop_limit),
        (true, false, 2)
    );
    let interface = bench.world.interfaces_of(id)[0].clone();
    assert_eq!((&*interface.private_ip.to_string(), interface.private_ips().count()), ("10.0.0.20", 2));
    let tags = bench.world.tags_of(ResourceId::Instance(id));
    let tags: Vec<_> = tags.map(|tag| (tag.key.to_string(), tag.value.to_string())).collect();
    let wanted = [
        ("Name", "of the request"),
        ("aws:ec2launchtemplate:id", &template.to_string()),
        ("aws:ec2launchtemplate:version", "1"),
        ("other", ""),
    ];
    assert_eq!(tags, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
    // The marks are EC2's own: nobody takes them away.
    let delete = [("Action", "DeleteTags"), ("ResourceId.1", &*id.to_string())];
    let mark = [("Tag.1.Key", MARKS[0])];
    let fault = write(&mut bench, &[&delete[..], &mark].concat()).unwrap_err();
    assert_eq!(fault.code, FaultCode::InvalidParameterValue);
    write(&mut bench, &delete).unwrap();
    let left = bench.world.tags_of(ResourceId::Instance(id));
    assert_eq!(left.map(|tag| tag.key.to_string()).collect::<Vec<_>>(), MARKS);
}

#[test]
fn an_image_comes_from_the_request_or_from_the_template() {
    let mut bench = Bench::small();
    create(&mut bench, "bare", &[("LaunchTemplateData.InstanceType", "t3.micro")]).unwrap();
    let from = ("LaunchTemplate.LaunchTemplateName", "bare");
    assert_eq!(launch(&mut bench, &[from]).unwrap_err().code, FaultCode::MissingParameter);
    launch(&mut bench, &[from, ("ImageId", &image())]).unwrap();
    let register = [("Action", "RegisterImage"), ("Name", "mine"), ("ImageLocation", "/images/busybox")];
    let Response::RegisterImage(own) = write(&mut bench, &register).unwrap() else {
        panic!("another answer")
    };
    create(&mut bench, "full", &[("LaunchTemplateData.ImageId", &image())]).unwrap();
    let from = ("LaunchTemplate.LaunchTemplateName", "full");
    let id = launch(&mut bench, &[from]).unwrap();
    assert_eq!(bench.world.instances[&id].image.to_string(), image());
    let id = launch(&mut bench, &[from, ("ImageId", &own.image_id.to_string())]).unwrap();
    assert_eq!(bench.world.instances[&id].image, own.image_id);
}

#[test]
fn an_interface_of_the_request_is_in_place_of_the_templates_with_its_index() {
    let mut bench = Bench::small();
    let image = image();
    let data = [
        ("LaunchTemplateData.ImageId", image.as_str()),
        ("LaunchTemplateData.NetworkInterface.1.PrivateIpAddress", "10.0.0.20"),
    ];
    create(&mut bench, "web", &data).unwrap();
    let given = [
        ("LaunchTemplate.LaunchTemplateName", "web"),
        ("NetworkInterface.1.DeviceIndex", "0"),
        ("NetworkInterface.1.PrivateIpAddress", "10.0.0.21"),
    ];
    let id = launch(&mut bench, &given).unwrap();
    assert_eq!(bench.world.interfaces_of(id)[0].private_ip.to_string(), "10.0.0.21");
}

#[test]
fn versions_count_on_and_one_of_them_is_the_default() {
    let mut bench = Bench::small();
    let image = image();
    let template = create(&mut bench, "web", &[("LaunchTemplateData.ImageId", image.as_str())]).unwrap();
    let from = [("SourceVersion", "1"), ("LaunchTemplateData.InstanceType", "t3.micro")];
    assert_eq!(add_version(&mut bench, "web", &from).unwrap(), 2);
    assert_eq!(add_version(&mut bench, "web", &from[1..]).unwrap(), 3);
    let of = |versions: &[&str]| DescribeLaunchTemplateVersionsRequest {
        launch_template_id: Some(template),
        versions: versions.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    assert_eq!(versions(&bench, &of(&[])), [3, 2, 1]);
    assert_eq!(versions(&bench, &of(&["$Latest", "$Default", "1"])), [3, 1]);
    let told = describe_launch_template_versions(&bench.view(), &of(&["2", "3"])).unwrap();
    let images: Vec<_> =
        told.launch_template_versions.iter().map(|one| one.launch_template_data.image_id).collect();
    assert_eq!(images, [None, Some(ImageId::from_random(1))], "the third begins with nothing");
    let request = DescribeLaunchTemplateVersionsRequest { versions: vec!["4".into()], ..of(&[]) };
    let fault = describe_launch_template_versions(&bench.view(), &request).unwrap_err();
    assert_eq!(fault.code, FaultCode::InvalidLaunchTemplateIdVersionNotFound);

    let delete = [("Action", "DeleteLaunchTemplateVersions"), ("LaunchTemplateName", "web")];
    let which = [
        ("LaunchTemplateVersion.1", "1"),
        ("LaunchTemplateVersion.2", "3"),
        ("LaunchTemplateVersion.3", "9"),
    ];
    let Response::DeleteLaunchTemplateVersions(gone) =
        write(&mut bench, &[&delete[..], &which].concat()).unwrap()
    else {
        panic!("another answer")
    };
    assert_eq!(gone.successfully_deleted.iter().map(|one| one.version_number).collect::<Vec<_>>(), [3]);
    let codes: Vec<_> = gone.unsuccessfully_deleted.iter().map(|one| &*one.response_error.code).collect();
    assert_eq!(codes, ["unexpectedError", "launchTemplateVersionDoesNotExist"]);
    assert_eq!(add_version(&mut bench, "web", &from).unwrap(), 4, "a number is never given twice");

    let modify =
        [("Action", "ModifyLaunchTemplate"), ("LaunchTemplateName", "web"), ("SetDefaultVersion", "$Latest")];
    write(&mut bench, &modify).unwrap();
    assert_eq!(bench.world.launch_templates[&template].default_version, 4);
    let id = launch(&mut bench, &[("LaunchTemplate.LaunchTemplateId", &template.to_string())]).unwrap();
    assert_eq!(&*bench.world.instances[&id].instance_type, "t3.micro");
    write(&mut bench, &[("Action", "DeleteLaunchTemplate"), ("LaunchTemplateName", "web")]).unwrap();
    assert!(bench.world.launch_templates.is_empty() && bench.world.launch_template_versions.is_empty());
}

#[test]
fn versions_are_chosen_by_range_and_filter_and_of_all_templates() {
    let mut bench = Bench::small();
    let first = create(&mut bench, "one", &[("LaunchTemplateData.InstanceType", "t3.micro")]).unwrap();
    create(&mut bench, "two", &[("LaunchTemplateData.InstanceType", "m5.large")]).unwrap();
    for _ in 2..5 {
        add_version(&mut bench, "one", &[("LaunchTemplateData.InstanceType", "t3.nano")]).unwrap();
    }
    let range = DescribeLaunchTemplateVersionsRequest {
        launch_template_id: Some(first),
        min_version: Some("2".into()),
        max_version: Some("3".into()),
        ..Default::default()
    };
    assert_eq!(versions(&bench, &range), [3, 2]);
    let filters = vec![Filter { name: "instance-type".into(), values: vec!["t3.micro".into()] }];
    let filtered = DescribeLaunchTemplateVersionsRequest {
        launch_template_id: Some(first),
        filters,
        ..Default::default()
    };
    assert_eq!(versions(&bench, &filtered), [1]);
    let latest =
        DescribeLaunchTemplateVersionsRequest { versions: vec!["$Latest".into()], ..Default::default() };
    let mut all = versions(&bench, &latest);
    all.sort_unstable();
    assert_eq!(all, [1, 4]);
    let mut page = DescribeLaunchTemplateVersionsRequest {
        launch_template_id: Some(first),
        max_results: Some(3),
        ..Default::default()
    };
    let found = describe_launch_template_versions(&bench.view(), &page).unwrap();
    page.next_token = found.next_token;
    assert_eq!(versions(&bench, &page), [1]);
}

#[test]
fn what_no_launch_takes_no_template_keeps() {
    let mut bench = Bench::small();
    for (parameter, value, code) in [
        ("LaunchTemplateData.EbsOptimized", "true", FaultCode::UnsupportedOperation),
        ("LaunchTemplateData.KernelId", "aki-1", FaultCode::UnsupportedOperation),
        ("LaunchTemplateData.InstanceType", "m5.huge", FaultCode::InvalidParameterValue),
        ("LaunchTemplateData.UserData", "%", FaultCode::InvalidParameterValue),
        ("LaunchTemplateData.TagSpecification.1.ResourceType", "vpc", FaultCode::InvalidParameterValue),
        ("LaunchTemplateData.NoSuch", "1", FaultCode::UnknownParameter),
    ] {
        let fault = create(&mut bench, "web", &[(parameter, value)]).unwrap_err();
        assert_eq!(fault.code, code, "{parameter}");
    }
    for name in ["ab", "a b c", &"a".repeat(129)] {
        let fault = create(&mut bench, name, &[("LaunchTemplateData.KeyName", "k")]).unwrap_err();
        assert_eq!(fault.code, FaultCode::InvalidLaunchTemplateNameMalformedException);
    }
    create(&mut bench, "web", &[("LaunchTemplateData.KeyName", "k")]).unwrap();
    let fault = create(&mut bench, "web", &[("LaunchTemplateData.KeyName", "k")]).unwrap_err();
    assert_eq!(fault.code, FaultCode::InvalidLaunchTemplateNameAlreadyExistsException);
}

#[test]
fn a_template_is_its_owners_alone() {
    let mut bench = Bench::small();
    let id = create(&mut bench, "web", &[("LaunchTemplateData.KeyName", "k")]).unwrap();
    let account = "444455556666".parse().unwrap();
    bench.put(crate::world::Account { id: account, name: "other".into(), created: bench.now });
    bench.caller.owner = Owner { account, region: bench.caller.owner.region.clone() };
    let by_id = launch(&mut bench, &[("LaunchTemplate.LaunchTemplateId", &id.to_string())]).unwrap_err();
    assert_eq!(by_id.code, FaultCode::InvalidLaunchTemplateIdNotFound);
    let by_name = launch(&mut bench, &[("LaunchTemplate.LaunchTemplateName", "web")]).unwrap_err();
    assert_eq!(by_name.code, FaultCode::InvalidLaunchTemplateNameNotFoundException);
    let found = describe_launch_templates(&bench.view(), &DescribeLaunchTemplatesRequest::default()).unwrap();
    assert_eq!(found.launch_templates, []);
    create(&mut bench, "web", &[("LaunchTemplateData.KeyName", "k")]).unwrap();
}

#[test]
fn a_client_token_makes_one_template_and_one_version() {
    let mut bench = Bench::small();
    let given = [("LaunchTemplateData.KeyName", "k"), ("ClientToken", "once")];
    let id = create(&mut bench, "web", &given).unwrap();
    assert_eq!(create(&mut bench, "web", &given).unwrap(), id);
    assert_eq!(add_version(&mut bench, "web", &given).unwrap(), 2);
    assert_eq!(add_version(&mut bench, "web", &given).unwrap(), 2);
    let other = [("LaunchTemplateData.KeyName", "l"), ("ClientToken", "once")];
    assert_eq!(
        add_version(&mut bench, "web", &other).unwrap_err().code,
        FaultCode::IdempotentParameterMismatch
    );
    let modify = |version| {
        [
            ("Action", "ModifyLaunchTemplate"),
            ("LaunchTemplateName", "web"),
            ("SetDefaultVersion", version),
            ("ClientToken", "once"),
        ]
    };
    write(&mut bench, &modify("2")).unwrap();
    write(&mut bench, &[&modify("1")[..3]].concat()).unwrap();
    write(&mut bench, &modify("2")).unwrap();
    assert_eq!(bench.world.launch_templates[&id].default_version, 1, "what was done is not done again");
}

#[test]
fn there_are_so_many_templates_and_versions_and_no_more() {
    let mut bench = Bench::small();
    let id = create(&mut bench, "web", &[("LaunchTemplateData.KeyName", "k")]).unwrap();
    let template = bench.world.launch_templates[&id].clone();
    let version = bench.world.launch_template_versions[&(id, 1)].clone();
    let most = Quotas::default().versions_per_launch_template as u64;
    bench.decide(|decision| {
        for number in 2..=most {
            decision.put(LaunchTemplateVersion { number, ..(*version).clone() });
        }
        for n in 2..=Quotas::default().launch_templates as u64 {
            let (id, name) = (LaunchTemplateId::from_random(n), format!("one {n}").into());
            decision.put(LaunchTemplate { id, name, ..(*template).clone() });
        }
    });
    let data = [("LaunchTemplateData.KeyName", "k")];
    assert_eq!(create(&mut bench, "more", &data).unwrap_err().code, FaultCode::ResourceLimitExceeded);
    assert_eq!(add_version(&mut bench, "web", &data).unwrap_err().code, FaultCode::ResourceLimitExceeded);
}

#[test]
fn what_an_instance_was_launched_with_makes_a_template_for_the_like() {
    let mut bench = Bench::small();
    let given = [("ImageId", image()), ("InstanceType", "t3.micro".into()), ("UserData", "IyE=".into())];
    let given: Vec<_> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let instance_id = launch(&mut bench, &given).unwrap();
    let request = GetLaunchTemplateDataRequest { dry_run: false, instance_id };
    let told = get_launch_template_data(&bench.view(), &request).unwrap().launch_template_data;
    assert_eq!(
        (told.instance_type.as_deref(), told.user_data.as_deref()),
        (Some("t3.micro"), Some(&b"#!"[..]))
    );
    assert_eq!(told.network_interfaces[0].groups, bench.world.interfaces_of(instance_id)[0].groups.to_vec());
}
