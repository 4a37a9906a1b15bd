//! Attributes of instances, and what there is to be told of them.

use super::{Case, Own};

/// `None` for an action that is not of this family.
pub fn case(action: &str, own: &Own) -> Option<Case> {
    let instance = ("InstanceId", own.get("instance"));
    let instances = ("InstanceId.1", own.get("instance"));
    let case = |given: &[(&str, &str)]| Case::new(action, given);
    Some(match action {
        "DeregisterImage" => case(&[("ImageId", own.get("spare-image"))]),
        "DescribeImageAttribute" => case(&[("ImageId", own.get("own-image")), ("Attribute", "description")]),
        "DescribeInstanceAttribute" => case(&[instance, ("Attribute", "userData")]),
        "ModifyImageAttribute" => case(&[("ImageId", own.get("own-image")), ("Description.Value", "d")]),
        "ModifyInstanceAttribute" => {
            case(&[instance, ("SourceDestCheck.Value", "false")]).or("GroupId.1", "SourceDestCheck")
        }
        "ModifyInstanceMetadataOptions" => case(&[instance, ("HttpTokens", "required")]),
        "MonitorInstances" => Case { never: Some("UnsupportedOperation"), ..case(&[instances]) },
        "RegisterImage" => case(&[("Name", "made"), ("ImageLocation", "stock")]),
        "ResetInstanceAttribute" => case(&[instance, ("Attribute", "sourceDestCheck")]),
        "UnmonitorInstances" => case(&[instances]),
        _ => return None,
    })
}
