//! Prints `enum Action`, `enum Response`, and the traits that must handle every action.

use std::fmt::Write;

use crate::names::{fault_variant, snake};
use crate::spec::{Action, Spec};

pub fn print(spec: &Spec) -> String {
    let mut code = actions(spec);
    code += &responses(spec);
    for (write, name, receiver) in [(false, "Reads", "&self"), (true, "Writes", "&mut self")] {
        let of_kind = || spec.actions.iter().filter(|action| action.write == write);
        code += &handler_trait(name, receiver, of_kind());
    }
    code
}

fn actions(spec: &Spec) -> String {
    let mut code =
        String::from("/// A decoded request.\n#[derive(Clone, PartialEq, Debug)]\npub enum Action {\n");
    for Action { name, .. } in &spec.actions {
        writeln!(code, "    {name}({name}Request),").unwrap();
    }
    code += "}\n\nimpl Action {\n    /// Decodes the parameters of the action with this name; `None` where there is no such action.\n    pub(super) fn decode(name: &str, node: &mut Node) -> Option<Result<Self, Fault>> {\n        Some(match name {\n";
    for Action { name, .. } in &spec.actions {
        writeln!(code, "            {name:?} => {name}Request::decode(node).map(Self::{name}),").unwrap();
    }
    code += "            _ => return None,\n        })\n    }\n\n";
    code += &per_action(spec, "/// EC2's name for it.", "name", "&'static str", |action| {
        format!("{:?}", action.name)
    });
    code += &per_action(spec, "/// Whether it may change the state.", "is_write", "bool", |action| {
        action.write.to_string()
    });
    code += &per_action(
        spec,
        "/// What it may return besides [`COMMON_FAULTS`].",
        "faults",
        "&'static [FaultCode]",
        |action| {
            let codes: Vec<String> =
                action.errors.iter().map(|code| format!("FaultCode::{}", fault_variant(code))).collect();
            format!("&[{}]", codes.join(", "))
        },
    );
    code += "    /// Whether the caller only asks if it would succeed.\n    pub fn dry_run(&self) -> bool {\n        match self {\n";
    for Action { name, .. } in &spec.actions {
        writeln!(code, "            Self::{name}(request) => request.dry_run,").unwrap();
    }
    code += "        }\n    }\n}\n\n";
    code
}

fn per_action(spec: &Spec, doc: &str, name: &str, kind: &str, value: impl Fn(&Action) -> String) -> String {
    let mut code = format!("    {doc}\n    pub const fn {name}(&self) -> {kind} {{\n        match self {{\n");
    for action in &spec.actions {
        writeln!(code, "            Self::{}(_) => {},", action.name, value(action)).unwrap();
    }
    code += "        }\n    }\n\n";
    code
}

fn responses(spec: &Spec) -> String {
    let mut code =
        String::from("/// An answer to encode.\n#[derive(Clone, PartialEq, Debug)]\npub enum Response {\n");
    for Action { name, .. } in &spec.actions {
        writeln!(code, "    {name}({name}Response),").unwrap();
    }
    code += "}\n\nimpl Response {\n    /// The action's name, and whether the Security Token Service defines it.\n    pub(super) const fn action(&self) -> (&'static str, bool) {\n        match self {\n";
    for Action { name, sts, .. } in &spec.actions {
        writeln!(code, "            Self::{name}(_) => ({name:?}, {sts}),").unwrap();
    }
    code += "        }\n    }\n\n    /// Writes the elements within the response's own.\n    pub(super) fn encode(&self, xml: &mut Xml) {\n        match self {\n";
    for Action { name, .. } in &spec.actions {
        writeln!(code, "            Self::{name}(response) => response.encode(xml),").unwrap();
    }
    code += "        }\n    }\n}\n\n";
    code
}

fn handler_trait<'a>(name: &str, receiver: &str, actions: impl Iterator<Item = &'a Action>) -> String {
    let actions: Vec<&Action> = actions.collect();
    let mut code = format!("/// A handler for each action of its kind.\npub trait {name} {{\n");
    for Action { name, doc, .. } in &actions {
        writeln!(
            code,
            "    /// {doc}\n    fn {}({receiver}, request: &{name}Request) -> Result<{name}Response, Fault>;",
            snake(name)
        )
        .unwrap();
    }
    let kind = if name == "Reads" { "read" } else { "write" };
    let reference = if name == "Reads" { "&impl Reads" } else { "&mut impl Writes" };
    let _ = writeln!(
        code,
        "}}\n\n/// Hands a {kind} to its handler; `None` where the action is not a {kind}.\npub fn dispatch_{kind}(handler: {reference}, action: &Action) -> Option<Result<Response, Fault>> {{\n    Some(match action {{"
    );
    for Action { name, .. } in &actions {
        writeln!(
            code,
            "        Action::{name}(request) => handler.{}(request).map(Response::{name}),",
            snake(name)
        )
        .unwrap();
    }
    code += "        #[allow(unreachable_patterns)]\n        _ => return None,\n    })\n}\n\n";
    code
}
