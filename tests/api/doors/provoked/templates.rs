//! What stands in the way of launch templates.

use super::super::own::pairs;
use super::Doors;

impl Doors {
    pub fn of_templates(&mut self) {
        let [template, name] = ["template", "template-name"].map(|thing| self.his(thing));
        let which = ("LaunchTemplateId", template.as_str());
        let data = ("LaunchTemplateData.KeyName", "k");
        let (absent, number) =
            ("InvalidLaunchTemplateId.VersionNotFound", [("MinCount", "1"), ("MaxCount", "1")]);
        let from = [("LaunchTemplate.LaunchTemplateId", &*template), ("LaunchTemplate.Version", "99")];
        self.all_refused(&[
            (
                "CreateLaunchTemplate",
                "InvalidLaunchTemplateName.AlreadyExistsException",
                vec![("LaunchTemplateName", &name), data],
            ),
            (
                "CreateLaunchTemplate",
                "InvalidLaunchTemplateName.MalformedException",
                vec![("LaunchTemplateName", "a b"), data],
            ),
            ("CreateLaunchTemplateVersion", absent, vec![which, data, ("SourceVersion", "99")]),
            ("DescribeLaunchTemplateVersions", absent, vec![which, ("LaunchTemplateVersion.1", "99")]),
            ("ModifyLaunchTemplate", absent, vec![which, ("SetDefaultVersion", "99")]),
            ("RunInstances", absent, [from, number].concat()),
        ]);
        let token = ("ClientToken", "of a template");
        for (action, first, second) in [
            (
                "CreateLaunchTemplate",
                vec![("LaunchTemplateName", "first"), data],
                vec![("LaunchTemplateName", "second"), data],
            ),
            (
                "CreateLaunchTemplateVersion",
                vec![which, data],
                vec![which, ("LaunchTemplateData.KeyName", "other")],
            ),
            (
                "ModifyLaunchTemplate",
                vec![which, ("SetDefaultVersion", "2")],
                vec![which, ("SetDefaultVersion", "1")],
            ),
        ] {
            let call = |given: &[(&str, &str)]| pairs(&[&[("Action", action), token], given].concat());
            let reply = self.cloud.call(&self.cloud.his, &call(&first));
            assert_eq!(reply.status, 200, "{}", reply.body);
            self.refused(&self.action(action), &call(&second), "IdempotentParameterMismatch");
        }
    }
}
