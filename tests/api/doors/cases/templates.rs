//! Launch templates.

use super::{Case, Own};

/// `None` for an action that is not of this family.
pub fn case(action: &str, own: &Own) -> Option<Case> {
    let template = ("LaunchTemplateId", own.get("template"));
    let data = ("LaunchTemplateData.InstanceType", "t3.micro");
    let case = |given: &[(&str, &str)]| Case::new(action, given).or("LaunchTemplateName", "LaunchTemplateId");
    Some(match action {
        "CreateLaunchTemplate" => Case::new(action, &[("LaunchTemplateName", "made"), data]),
        "CreateLaunchTemplateVersion" => case(&[template, data]),
        "DeleteLaunchTemplate" => case(&[("LaunchTemplateId", own.get("spare-template"))]),
        "DeleteLaunchTemplateVersions" => case(&[template, ("LaunchTemplateVersion.1", "3")]),
        "DescribeLaunchTemplateVersions" => case(&[template]),
        "GetLaunchTemplateData" => Case::new(action, &[("InstanceId", own.get("instance"))]),
        "ModifyLaunchTemplate" => case(&[template, ("SetDefaultVersion", "2")]),
        _ => return None,
    })
}
