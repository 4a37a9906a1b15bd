//! The specification as it stands in api-spec/.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Types that parse from text: the malformed-value code and what to call the value.
pub const PARSED: &[(&str, &str, &str)] = &[
    ("InstanceId", "InvalidInstanceID.Malformed", "instance ID"),
    ("ReservationId", "InvalidReservationID.Malformed", "reservation ID"),
    ("AllocationId", "InvalidAllocationID.Malformed", "allocation ID"),
    ("AssociationId", "InvalidAssociationID.Malformed", "association ID"),
    ("GroupId", "InvalidGroupId.Malformed", "security group ID"),
    ("RuleId", "InvalidSecurityGroupRuleId.Malformed", "security group rule ID"),
    ("EniId", "InvalidNetworkInterfaceId.Malformed", "network interface ID"),
    ("AttachmentId", "InvalidAttachmentID.Malformed", "attachment ID"),
    ("VpcId", "InvalidVpcID.Malformed", "VPC ID"),
    ("SubnetId", "InvalidSubnetID.Malformed", "subnet ID"),
    ("VpcCidrAssociationId", "InvalidAssociationID.Malformed", "association ID"),
    (
        "SubnetCidrAssociationId",
        "InvalidSubnetCidrBlockAssociationId.Malformed",
        "subnet CIDR block association ID",
    ),
    ("RouteTableId", "InvalidRouteTableId.Malformed", "route table ID"),
    ("RouteTableAssociationId", "InvalidAssociationID.Malformed", "association ID"),
    ("InternetGatewayId", "InvalidInternetGatewayId.Malformed", "internet gateway ID"),
    ("EgressGatewayId", "InvalidEgressOnlyInternetGatewayId.Malformed", "egress-only internet gateway ID"),
    ("NatGatewayId", "NatGatewayMalformed", "NAT gateway ID"),
    ("VpcPeeringConnectionId", "InvalidVpcPeeringConnectionId.Malformed", "VPC peering connection ID"),
    ("NetworkAclId", "InvalidNetworkAclId.Malformed", "network ACL ID"),
    ("NetworkAclAssociationId", "InvalidAssociationID.Malformed", "association ID"),
    ("PrefixListId", "InvalidPrefixListId.Malformed", "prefix list ID"),
    ("SubnetCidrReservationId", "InvalidParameterValue", "subnet CIDR reservation ID"),
    ("ImageId", "InvalidAMIID.Malformed", "image ID"),
    ("LaunchTemplateId", "InvalidLaunchTemplateId.Malformed", "launch template ID"),
    ("KeyPairId", "InvalidParameterValue", "key pair ID"),
    ("InsightsPathId", "InvalidParameterValue", "network insights path ID"),
    ("InsightsAnalysisId", "InvalidParameterValue", "network insights analysis ID"),
    ("DhcpOptionsId", "InvalidDhcpOptionsID.Malformed", "DHCP options ID"),
    ("VolumeId", "InvalidParameterValue", "volume ID"),
    ("PoolId", "InvalidParameterValue", "pool ID"),
    ("AccountId", "InvalidParameterValue", "account ID"),
    ("ResourceId", "InvalidID", "resource ID"),
    ("Ipv4Addr", "InvalidParameterValue", "IPv4 address"),
    ("MacAddr", "InvalidParameterValue", "MAC address"),
    ("Ipv6Addr", "InvalidParameterValue", "IPv6 address"),
    ("Cidr4", "InvalidParameterValue", "CIDR block"),
    ("Cidr6", "InvalidParameterValue", "IPv6 CIDR block"),
    ("Region", "InvalidParameterValue", "region"),
];

#[derive(Deserialize, Clone, Default)]
#[serde(deny_unknown_fields)]
pub struct Field {
    pub wire: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub list: Option<String>,
    #[serde(default)]
    pub required: bool,
    #[serde(default)]
    pub optional: bool,
    #[serde(default)]
    pub omit_empty: bool,
    #[serde(default)]
    pub keep_empty: bool,
    pub min: Option<i64>,
    pub max: Option<i64>,
    pub max_len: Option<usize>,
    #[serde(default)]
    pub one_of: Vec<String>,
    pub item: Option<String>,
    /// The first API version that has it in answers.
    pub since: Option<String>,
    #[serde(default)]
    pub also: Vec<String>,
}

impl Field {
    /// The type's name, whether one or a list.
    pub fn type_name(&self) -> &str {
        self.kind.as_deref().or(self.list.as_deref()).expect("a field has `type` or `list`")
    }
}

pub type Fields = Vec<(String, Field)>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionFile {
    doc: String,
    kind: String,
    #[serde(default)]
    refused: Vec<String>,
    #[serde(default)]
    errors: Vec<String>,
    #[serde(default)]
    filters: Vec<String>,
    paged: Option<Paged>,
    enforced: Option<String>,
    namespace: Option<String>,
    #[serde(default)]
    request: toml::Table,
    #[serde(default)]
    response: toml::Table,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub struct Paged {
    pub min: i64,
    pub max: i64,
}

pub struct Action {
    pub name: String,
    pub doc: String,
    pub write: bool,
    pub refused: Vec<String>,
    pub errors: Vec<String>,
    pub filters: Vec<String>,
    pub sts: bool,
    pub paged: bool,
    pub request: Fields,
    pub response: Fields,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultFile {
    fault: BTreeMap<String, u16>,
    common: Common,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Common {
    codes: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShapeFile {
    #[serde(default)]
    input: BTreeMap<String, toml::Table>,
    #[serde(default)]
    output: BTreeMap<String, toml::Table>,
}

pub struct Spec {
    pub faults: BTreeMap<String, u16>,
    pub common: Vec<String>,
    pub inputs: BTreeMap<String, Fields>,
    pub outputs: BTreeMap<String, Fields>,
    pub actions: Vec<Action>,
}

fn toml_files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn fields(path: &Path, table: toml::Table) -> Fields {
    let field = |(name, value): (String, toml::Value)| {
        let field = value.try_into().unwrap_or_else(|error| panic!("{}: {name}: {error}", path.display()));
        (name, field)
    };
    table.into_iter().map(field).collect()
}

impl Spec {
    pub fn read(dir: &Path) -> Self {
        let faults: FaultFile = parse(&dir.join("faults.toml"));
        let (mut inputs, mut outputs) = (BTreeMap::new(), BTreeMap::new());
        for path in toml_files(&dir.join("shapes.d")) {
            let file: ShapeFile = parse(&path);
            for (into, from) in [(&mut inputs, file.input), (&mut outputs, file.output)] {
                for (name, table) in from {
                    let old = into.insert(name.clone(), fields(&path, table));
                    assert!(old.is_none(), "{}: {name} is defined twice", path.display());
                }
            }
        }
        let files = toml_files(dir).into_iter().filter(|path| !path.ends_with("faults.toml"));
        let actions = files.map(|path| action(&path)).collect();
        let spec = Self { faults: faults.fault, common: faults.common.codes, inputs, outputs, actions };
        spec.check();
        spec
    }

    fn check(&self) {
        let known = |code: &str| assert!(self.faults.contains_key(code), "faults.toml has no {code}");
        self.common.iter().for_each(|code| known(code));
        PARSED.iter().for_each(|(_, code, _)| known(code));
        for action in &self.actions {
            action.errors.iter().for_each(|code| known(code));
        }
    }
}

fn action(path: &Path) -> Action {
    let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a file name in UTF-8").to_owned();
    let file: ActionFile = parse(path);
    let (mut request, mut response) = (fields(path, file.request), fields(path, file.response));
    let paged = file.paged.is_some();
    if let Some(Paged { min, max }) = file.paged {
        let kind = |kind: &str| Field { kind: Some(kind.to_owned()), ..Field::default() };
        request.push(("max_results".into(), Field { min: Some(min), max: Some(max), ..kind("integer") }));
        request.push(("next_token".into(), kind("string")));
        response.push(("next_token".into(), Field { optional: true, ..kind("string") }));
    }
    assert!(["read", "write"].contains(&file.kind.as_str()), "{name}: kind is read or write");
    let told = file.enforced.is_some();
    assert_eq!(file.kind == "write", told, "{name}: a write says what is enforced, and nothing else does");
    Action {
        name,
        doc: file.doc,
        write: file.kind == "write",
        refused: file.refused,
        errors: file.errors,
        filters: file.filters,
        sts: file.namespace.as_deref() == Some("sts"),
        paged,
        request,
        response,
    }
}
