//! Launch templates.

use super::Maker;

impl Maker<'_> {
    pub fn templates(&mut self) {
        let data = ("LaunchTemplateData.InstanceType", "t3.micro");
        for (thing, id) in [("template-name", "template"), ("spare-template-name", "spare-template")] {
            let name = format!("{}-{thing}", self.own.who);
            self.keep(thing, &name);
            let given = [("Action", "CreateLaunchTemplate"), ("LaunchTemplateName", &*name), data];
            self.make(id, "launchTemplateId", &given);
        }
        let template = self.own.get("template").to_owned();
        self.call(&[("Action", "CreateLaunchTemplateVersion"), ("LaunchTemplateId", &*template), data]);
    }
}
