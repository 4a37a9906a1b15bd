//! Between accounts.

use super::Doors;
use super::cases::{Case, Strange, addresses, case, own_refused, strange};
use super::own::{Pairs, borrowed};
use super::spec::Action;

impl Doors {
    /// Names what is hers in each parameter that names something. How often that was.
    pub fn others_things(&mut self, action: &Action, case: &Case) -> usize {
        let mut tried = 0;
        for leaf in &action.leaves {
            for (thing, answer) in strange(action, leaf) {
                let theirs = self.cloud.hers.get(thing).to_owned();
                let given = case.with(&leaf.name, &theirs);
                match answer {
                    Strange::Refused(code) => drop(self.refused(action, &given, code)),
                    Strange::Nothing => {
                        let reply = self.cloud.call(&self.cloud.his, &given);
                        assert_eq!(reply.status, 200, "{given:?}: {}", reply.body);
                    }
                }
                self.own_is_taken(action, case, &leaf.name, thing);
                tried += 1;
            }
        }
        tried
    }

    /// The same call that names his own thing gets further: what was refused was refused for whose it is.
    fn own_is_taken(&self, action: &Action, case: &Case, parameter: &str, thing: &str) {
        let mut given = case.with(parameter, self.cloud.his.get(thing));
        given.push(("DryRun".into(), "true".into()));
        let code = self.cloud.call(&self.cloud.his, &given).code().unwrap_or_default().to_owned();
        // His own is there, and may be in use, in the wrong place, or not what is lacking.
        let also = match (action.name.as_str(), thing) {
            (action, thing) if addresses::own_is(action, thing).is_some() => {
                addresses::own_is(action, thing).unwrap()
            }
            ("AllocateAddress", "used-ip") => "InvalidAddress.NotFound",
            ("ReleaseAddress", "used-address" | "used-ip") => "InvalidIPAddress.InUse",
            ("RunInstances", "private-ip") => "InvalidIPAddress.InUse",
            ("AssociateAddress", "used-address") => "Resource.AlreadyAssociated",
            ("AssociateAddress", "private-ip") => "InvalidParameterValue",
            ("DeleteSecurityGroup", "group" | "group-name") => "DependencyViolation",
            ("MonitorInstances", _) => "UnsupportedOperation",
            ("DescribeInstanceCreditSpecifications", _) => "InstanceCreditSpecification.NotSupported",
            ("DeleteNetworkInsightsPath", "path") => "AnalysisExistsForNetworkInsightsPath",
            _ => own_refused(&action.name, thing).unwrap_or("DryRunOperation"),
        };
        assert_eq!(code, also, "{given:?}");
    }

    /// Asks for what is hers by filters: nothing is found.
    pub fn others_in_filters(&mut self, action: &Action, case: &Case) {
        for filter in &action.filters {
            let theirs: Vec<(String, String)> = self
                .cloud
                .hers
                .things()
                .filter(|(thing, _)| *thing != "image")
                .enumerate()
                .map(|(at, (_, name))| (format!("Filter.1.Value.{}", at + 1), name.to_owned()))
                .collect();
            let name = ("Filter.1.Name".to_owned(), filter.replace('*', "a"));
            let given: Pairs = [case.base.clone(), vec![name], theirs].concat();
            let reply = self.cloud.call(&self.cloud.his, &given);
            assert_eq!(reply.status, 200, "{:?}: {}", borrowed(&given), reply.body);
            assert!(
                !reply.body.contains("<item>"),
                "{} {filter} finds what is hers: {}",
                action.name,
                reply.body
            );
        }
    }

    /// No list of his has anything of hers in it.
    pub fn lists_are_ones_own(&self) {
        for action in self.spec.actions.iter().filter(|action| !action.writes) {
            let case = case(&action.name, &self.cloud.his).unwrap();
            let reply = self.cloud.call(&self.cloud.his, &case.base);
            assert_eq!(reply.status, 200, "{}", reply.body);
            for (thing, name) in self.cloud.hers.things().filter(|(thing, _)| *thing != "image") {
                // A whole value, as one address may begin like another.
                let told = reply.body.contains(&format!(">{name}<"));
                assert!(!told, "{} tells him of her {thing}: {}", action.name, reply.body);
            }
        }
    }
}
