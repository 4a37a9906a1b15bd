//! What a call lacks, and what it has too much.

use super::Doors;
use super::cases::{Case, malformed};
use super::own::{Pairs, borrowed};
use super::spec::Action;

/// The parameter's name with each list at its first place.
fn indexed(action: &Action, dotted: &str) -> String {
    let mut name = String::new();
    for step in dotted.split('.') {
        let next = if name.is_empty() { step.to_owned() } else { format!("{name}.{step}") };
        let listed = format!("{next}.1");
        name = if action.structures.contains(&listed) { listed } else { next };
    }
    name
}

impl Doors {
    /// Leaves each required parameter out.
    pub fn missing(&mut self, action: &Action, case: &Case) -> usize {
        for parameter in &action.required {
            let given = case.without(parameter);
            assert!(given.len() < case.base.len(), "{} is called without {parameter} already", action.name);
            let reply = self.refused(action, &given, "MissingParameter");
            let named = reply.text("Message").is_some_and(|text| text.contains(parameter.as_str()));
            assert!(named, "{} {parameter}: {}", action.name, reply.body);
        }
        action.required.len()
    }

    /// A parameter that nobody knows, at the top and in each structure; a filter for an action without.
    pub fn unknown(&mut self, action: &Action, case: &Case) -> usize {
        let within = action.structures.iter().map(|structure| format!("{structure}.NoSuch"));
        let mut names: Vec<String> = within.chain(["NoSuch".to_owned(), "Dryrun".to_owned()]).collect();
        if action.filters.is_empty() {
            names.push("Filter.1.Name".to_owned());
        }
        if !action.paged {
            names.extend(["MaxResults".to_owned(), "NextToken".to_owned()]);
        }
        for name in &names {
            self.refused(action, &case.with(name, "5"), "UnknownParameter");
        }
        names.len()
    }

    /// A text that is no value of its parameter's type.
    pub fn malformed(&mut self, action: &Action, case: &Case) -> usize {
        let mut tried = 0;
        for leaf in &action.leaves {
            let Some(code) = malformed(&leaf.kind) else { continue };
            // Many a word is base64.
            let blob = leaf.kind == "blob";
            let texts = ["zzz", "-", "0x10", "i-", "sg-0123456789ABCDEF0", "٣"];
            for text in if blob { &["%", "-", "٣"][..] } else { &texts } {
                self.refused(action, &case.with(&leaf.name, text), code);
                tried += 1;
            }
        }
        tried
    }

    /// What EC2 has and Fogbank has not.
    pub fn refused_by_name(&mut self, action: &Action, case: &Case) -> usize {
        for dotted in &action.refused {
            let name = indexed(action, dotted);
            for given in [&name, &format!("{name}.1"), &format!("{name}.1.Deeper")] {
                let reply = self.refused(action, &case.with(given, "1"), "UnsupportedOperation");
                let told = reply.text("Message").is_some_and(|text| text.contains(name.as_str()));
                assert!(told, "{given}: {}", reply.body);
            }
        }
        action.refused.len()
    }

    /// Each filter is taken and filters; others are refused.
    pub fn filters(&mut self, action: &Action, case: &Case) -> usize {
        let filter = |name: &str, value: &str| {
            let own = vec![("Filter.1.Name".into(), name.into()), ("Filter.1.Value.1".into(), value.into())];
            [case.base.clone(), own].concat()
        };
        for name in &action.filters {
            let given: Pairs = filter(&name.replace('*', "a"), "nothing has this");
            let reply = self.cloud.call(&self.cloud.his, &given);
            assert_eq!(reply.status, 200, "{:?}: {}", borrowed(&given), reply.body);
            assert!(
                !reply.body.contains("<item>"),
                "{} {name} lets all through: {}",
                action.name,
                reply.body
            );
        }
        if !action.filters.is_empty() {
            for name in ["no-such-filter", "tag:", "tag:*x", "*", &action.filters[0].to_uppercase()] {
                if action.filters.contains(&"tag:*".to_owned()) && name == "tag:*x" {
                    continue;
                }
                self.refused(action, &filter(name, "x"), "InvalidParameterValue");
            }
            self.refused(action, &case.with("Filter.1.Name", &action.filters[0]), "InvalidParameterValue");
            self.refused(action, &case.with("Filter.1.Value.1", "x"), "MissingParameter");
        }
        action.filters.len()
    }
}
