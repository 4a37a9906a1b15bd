//! Prints request types and their decoders.

use std::fmt::Write;

use crate::names::{fault_variant, upper_camel};
use crate::spec::{Action, Field, Fields, PARSED};

/// The Rust type of one value, without Option or Vec.
fn value_type(field: &Field) -> String {
    match field.type_name() {
        "string" => "String".into(),
        "integer" => "i64".into(),
        "boolean" => "bool".into(),
        "blob" => "Vec<u8>".into(),
        name if PARSED.iter().any(|(parsed, ..)| *parsed == name) => name.into(),
        name => format!("input::{name}"),
    }
}

fn field_type(field: &Field) -> String {
    let value = value_type(field);
    match (field.list.is_some(), field.required) {
        (true, _) => format!("Vec<{value}>"),
        (false, true) => value,
        (false, false) => format!("Option<{value}>"),
    }
}

/// An expression of type `Result<Option<_>, Fault>` that decodes one value from `node`.
fn decoder(field: &Field, node: &str) -> String {
    match field.type_name() {
        "string" if field.keep_empty => format!("{node}.string_or_empty({:?})", field.max_len),
        "string" => format!("{node}.string({:?}, &{:?})", field.max_len, field.one_of),
        "integer" => {
            format!("{node}.integer({:?}, {:?})", int_limit(field, field.min), int_limit(field, field.max))
        }
        "boolean" => format!("{node}.boolean()"),
        "blob" if field.keep_empty => format!("{node}.blob_or_empty()"),
        "blob" => format!("{node}.blob()"),
        name => match PARSED.iter().find(|(parsed, ..)| *parsed == name) {
            Some((_, code, what)) => {
                format!("{node}.parsed::<{name}>(FaultCode::{}, {what:?})", fault_variant(code))
            }
            None => format!("{node}.structure(input::{name}::decode)"),
        },
    }
}

/// Limits of a list field are about its length, not its elements.
fn int_limit(field: &Field, limit: Option<i64>) -> Option<i64> {
    limit.filter(|_| field.list.is_none())
}

fn decode_field(name: &str, field: &Field) -> String {
    let wire = field.wire.clone().unwrap_or_else(|| upper_camel(name));
    let take = format!(
        "node.take(&[{}])?",
        std::iter::once(&wire).chain(&field.also).map(|w| format!("{w:?}")).collect::<Vec<_>>().join(", ")
    );
    if field.list.is_some() {
        let limit = field.max.unwrap_or(1000);
        let each = decoder(field, "node");
        let required = field.required;
        return format!("            {name}: {take}.list({limit}, {required}, |node| {each})?,\n");
    }
    let one = decoder(field, "field");
    if field.required {
        return format!(
            "            {name}: {{ let mut field = {take}; let path = field.path(); {one}?.ok_or_else(|| missing(&path))? }},\n"
        );
    }
    format!("            {name}: {{ let mut field = {take}; {one}? }},\n")
}

fn declare(fields: &Fields) -> String {
    let mut code = String::new();
    for (name, field) in fields {
        writeln!(code, "    pub {name}: {},", field_type(field)).unwrap();
    }
    code
}

/// A request structure that several actions share.
pub fn structure(name: &str, fields: &Fields) -> String {
    let default =
        if fields.iter().any(|(_, field)| field.required && field.list.is_none()) { "" } else { ", Default" };
    let mut code = format!(
        "/// EC2's `{name}`, as requests carry it.\n#[derive(Clone, PartialEq, Debug{default})]\npub struct {name} {{\n{}}}\n\n",
        declare(fields)
    );
    let _ = writeln!(
        code,
        "impl {name} {{\n    pub(crate) fn decode(node: &mut Node) -> Result<Self, Fault> {{\n        Ok(Self {{"
    );
    for (name, field) in fields {
        code += &decode_field(name, field);
    }
    code += "        })\n    }\n\n    /// The parameters as the wire has them, each name behind this beginning.\n";
    code += "    pub fn pairs(&self, before: &str, out: &mut Vec<(String, String)>) {\n";
    for (name, field) in fields {
        code += &pair_field(name, field);
    }
    code += "    }\n}\n\n";
    code
}

/// Statements that write a field's parameters to `out`.
fn pair_field(name: &str, field: &Field) -> String {
    let wire = field.wire.clone().unwrap_or_else(|| upper_camel(name));
    let push = match value_type(field).as_str() {
        "Vec<u8>" => "out.push((path, crate::query::to_base64(value)));",
        structure if structure.starts_with("input::") => "value.pairs(&format!(\"{path}.\"), out);",
        _ => "out.push((path, value.to_string()));",
    };
    if field.list.is_some() {
        return format!(
            "        for (at, value) in self.{name}.iter().enumerate() {{ let path = format!(\"{{before}}{wire}.{{}}\", at + 1); {push} }}\n"
        );
    }
    let each = if field.required { format!("Some(&self.{name})") } else { format!("&self.{name}") };
    format!("        if let Some(value) = {each} {{ let path = format!(\"{{before}}{wire}\"); {push} }}\n")
}

/// An action's request.
pub fn request(action: &Action) -> String {
    let name = &action.name;
    let default = if action.request.iter().any(|(_, field)| field.required && field.list.is_none()) {
        ""
    } else {
        ", Default"
    };
    let filters = if action.filters.is_empty() { "" } else { "    pub filters: Vec<Filter>,\n" };
    let mut code = format!(
        "/// {}\n#[derive(Clone, PartialEq, Debug{default})]\npub struct {name}Request {{\n    pub dry_run: bool,\n{filters}{}}}\n\n",
        action.doc,
        declare(&action.request)
    );
    let _ = writeln!(code, "impl {name}Request {{\n    fn decode(node: &mut Node) -> Result<Self, Fault> {{");
    let _ = writeln!(code, "        node.refuse(&{:?})?;", action.refused);
    code += "        let request = Self {\n            dry_run: node.take(&[\"DryRun\"])?.boolean()?.unwrap_or(false),\n";
    if !action.filters.is_empty() {
        let _ = writeln!(code, "            filters: node.filters(&{:?})?,", action.filters);
    }
    for (name, field) in &action.request {
        code += &decode_field(name, field);
    }
    code += "        };\n        node.finish()?;\n        Ok(request)\n    }\n";
    if action.paged {
        code += &page(action);
    }
    code += "}\n\n";
    code
}

/// A request's method that gives its page.
fn page(action: &Action) -> String {
    let filters = if action.filters.is_empty() { "&[]" } else { "&self.filters" };
    format!(
        "\n    /// The page that is asked for.\n    pub fn page(&self) -> Page<'_> {{\n        Page {{ max_results: self.max_results, next_token: self.next_token.as_deref(), filters: {filters} }}\n    }}\n"
    )
}
