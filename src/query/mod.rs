//! The EC2 Query wire: forms to typed actions, typed answers to XML.
//!
//! The types, decoders and encoders are generated from api-spec/; what is here is the runtime that
//! the generated code calls. A parameter that nothing has asked for when decoding ends is refused,
//! so a misspelt or unsupported one can never be ignored.

mod fault;
mod form;
mod page;
#[allow(dead_code)]
mod scalar;
#[allow(dead_code)]
mod xml;

/// Request and response types of every action, generated from api-spec/.
///
/// Clippy is for code that people write; unused parts depend on which actions there are.
#[allow(clippy::all, clippy::unwrap_used, unused_imports, unused_parens, unused_variables, unused_mut)]
pub mod api {
    use std::net::{Ipv4Addr, Ipv6Addr};

    pub use super::fault::Fault;
    pub use super::form::Filter;
    use super::form::{Node, missing};
    use super::page::Page;
    use super::xml::{Xml, tag};
    use crate::types::{
        AccountId, AllocationId, AssociationId, AttachmentId, Cidr4, Cidr6, DhcpOptionsId, EgressGatewayId,
        EniId, GroupId, ImageId, InsightsAnalysisId, InsightsPathId, InstanceId, InternetGatewayId,
        KeyPairId, LaunchTemplateId, MacAddr, Micros, NatGatewayId, NetworkAclAssociationId, NetworkAclId,
        PoolId, PrefixListId, Region, ReservationId, ResourceId, RouteTableAssociationId, RouteTableId,
        RuleId, SubnetCidrAssociationId, SubnetCidrReservationId, SubnetId, VolumeId, VpcCidrAssociationId,
        VpcId, VpcPeeringConnectionId,
    };

    include!(concat!(env!("OUT_DIR"), "/api.rs"));
}

pub use api::{Action, COMMON_FAULTS, FaultCode, Reads, Response, Writes, dispatch_read, dispatch_write};
pub use fault::Fault;
pub use form::{Filter, MAX_PAIRS};
pub use page::Page;
pub use scalar::{from_base64, to_base64};

use form::Node;
use xml::{Xml, tag};

/// Parameters that are about the signature; auth takes them out before a request is decoded.
pub const SIGNATURE_PARAMETERS: &[&str] = &[
    "AWSAccessKeyId",
    "Signature",
    "SignatureMethod",
    "SignatureVersion",
    "Timestamp",
    "Expires",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
];

/// A decoded request: what is asked, and in which API version's words.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    pub action: Action,
    /// The date of the API, e.g. `2016-11-15`; echoed in the answer's namespace.
    pub version: String,
}

/// Decodes a request from its (already percent-decoded) pairs.
///
/// # Errors
/// EC2's fault for what is missing, unknown, malformed or unsupported.
pub fn decode(pairs: &[(String, String)]) -> Result<Request, Fault> {
    let mut root = Node::read(pairs)?;
    let version = root
        .take(&["Version"])?
        .string(Some(32), &[])?
        .ok_or_else(|| FaultCode::MissingParameter.with("The request must contain the parameter Version"))?;
    if !is_version(&version) {
        return Err(FaultCode::InvalidParameterValue.with(format!(
            "Value ({version}) for parameter Version is invalid: expected a date such as 2016-11-15"
        )));
    }
    let name = root
        .take(&["Action"])?
        .string(Some(256), &[])?
        .ok_or_else(|| FaultCode::MissingAction.with("The request must contain the parameter Action"))?;
    let action = Action::decode(&name, &mut root).unwrap_or_else(|| Err(unknown_action(&name)))?;
    Ok(Request { action, version })
}

/// Reads what `RequestLaunchTemplateData::pairs` wrote.
///
/// # Errors
/// It is none of ours.
pub fn launch_template_data(
    pairs: &[(String, String)],
) -> Result<api::input::RequestLaunchTemplateData, Fault> {
    let mut root = Node::read(pairs)?;
    let data = api::input::RequestLaunchTemplateData::decode(&mut root)?;
    root.finish()?;
    Ok(data)
}

fn unknown_action(name: &str) -> Fault {
    FaultCode::InvalidAction.with(format!("The action {name} is not valid for this web service."))
}

/// Any date will do: clients since 2008 differ in it and in nothing that we could refuse.
fn is_version(text: &str) -> bool {
    text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() })
}

/// The XML of an answer.
pub fn encode_response(response: &Response, version: &str, request_id: &str) -> String {
    let mut xml = Xml::new(version);
    let (action, sts) = response.action();
    if sts {
        xml.root(&format!("{action}Response"), "https://sts.amazonaws.com/doc/2011-06-15/", |xml| {
            xml.named(&format!("{action}Result"), |xml| response.encode(xml));
            xml.element(tag!("ResponseMetadata"), |xml| xml.text(tag!("RequestId"), request_id));
        });
    } else {
        let namespace = format!("http://ec2.amazonaws.com/doc/{version}/");
        xml.root(&format!("{action}Response"), &namespace, |xml| {
            xml.text(tag!("requestId"), request_id);
            response.encode(xml);
        });
    }
    xml.finish()
}

/// The XML of a fault, in the shape that EC2's clients parse: no namespace, Code before Message.
pub fn encode_fault(fault: &Fault, request_id: &str) -> String {
    // Faults look the same in all versions.
    let mut xml = Xml::new("");
    xml.element(tag!("Response"), |xml| {
        xml.element(tag!("Errors"), |xml| {
            xml.element(tag!("Error"), |xml| {
                xml.text(tag!("Code"), fault.code.as_str());
                xml.text(tag!("Message"), &fault.message);
            });
        });
        xml.text(tag!("RequestID"), request_id);
    });
    xml.finish()
}

#[cfg(test)]
mod tests {
    use super::api::{DescribeVpcsResponse, output};
    use super::*;
    use crate::types::{DhcpOptionsId, VpcCidrAssociationId, VpcId};
    use proptest::prelude::*;

    fn pairs(text: &[(&str, &str)]) -> Vec<(String, String)> {
        text.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn an_empty_tag_value_is_not_a_missing_one() {
        let values = |given: &[(&str, &str)]| {
            let mut all = vec![("Action", "DeleteTags"), ("Version", "2016-11-15"), ("Tag.1.Key", "a")];
            all.extend(given);
            match decode(&pairs(&all)).unwrap().action {
                Action::DeleteTags(request) => {
                    request.tags.into_iter().map(|tag| tag.value).collect::<Vec<_>>()
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(values(&[]), [None]);
        assert_eq!(values(&[("Tag.1.Value", "")]), [Some(String::new())]);
        assert_eq!(values(&[("Tag.1.Value", "1")]), [Some("1".to_owned())]);
    }

    #[test]
    fn a_client_of_an_older_version_is_told_nothing_that_came_later() {
        let block = output::VpcCidrBlockAssociation {
            association_id: VpcCidrAssociationId::from_random(1),
            cidr_block: "10.0.0.0/16".parse().unwrap(),
            cidr_block_state: output::VpcCidrBlockState { state: "associated".into() },
        };
        let vpc = output::Vpc {
            vpc_id: VpcId::from_random(1),
            owner_id: "123456789012".parse().unwrap(),
            state: "available".into(),
            cidr_block: "10.0.0.0/16".parse().unwrap(),
            cidr_block_association_set: vec![block],
            ipv6_cidr_block_association_set: Vec::new(),
            dhcp_options_id: DhcpOptionsId::from_random(1),
            instance_tenancy: "default".into(),
            is_default: false,
            block_public_access_states: output::BlockPublicAccessStates::default(),
            tag_set: Vec::new(),
        };
        let answer = Response::DescribeVpcs(DescribeVpcsResponse { vpcs: vec![vpc], next_token: None });
        let told = |version: &str| encode_response(&answer, version, "r").contains("cidrBlockAssociationSet");
        assert!(told("2016-11-15") && told("2020-01-01"));
        assert!(!told("2014-10-01") && !told("2016-09-15"));
    }

    #[test]
    fn an_unknown_action_is_named() {
        let fault = decode(&pairs(&[("Action", "CreateUnicorn"), ("Version", "2016-11-15")])).unwrap_err();
        assert_eq!(fault.code, FaultCode::InvalidAction);
        assert_eq!(fault.message, "The action CreateUnicorn is not valid for this web service.");
    }

    #[test]
    fn a_version_is_needed_and_is_a_date() {
        assert_eq!(decode(&pairs(&[("Action", "X")])).unwrap_err().code, FaultCode::MissingParameter);
        for version in ["latest", "2016-11-1", "2016/11/15", "２016-11-15"] {
            let fault = decode(&pairs(&[("Action", "X"), ("Version", version)])).unwrap_err();
            assert_eq!(fault.code, FaultCode::InvalidParameterValue, "{version}");
        }
    }

    #[test]
    fn faults_have_no_namespace_and_code_comes_first() {
        let fault = FaultCode::InvalidParameterValue.with("a < b & \u{0}c");
        assert_eq!(
            encode_fault(&fault, "id"),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>InvalidParameterValue</Code>\
             <Message>a &lt; b &amp; \u{fffd}c</Message></Error></Errors><RequestID>id</RequestID></Response>"
        );
    }

    proptest! {
        #[test]
        fn any_pairs_decode_or_are_refused(pairs: Vec<(String, String)>) {
            let _ = decode(&pairs);
        }

        #[test]
        fn any_message_makes_xml_that_reads_back(message: String) {
            let text = encode_fault(&FaultCode::InvalidParameterValue.with(message.clone()), "id");
            let mut reader = quick_xml::Reader::from_str(&text);
            while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
        }
    }
}
