//! Prints response types and their encoders.

use std::fmt::Write;

use crate::names::lower_camel;
use crate::spec::{Action, Field, Fields, PARSED};

fn value_type(field: &Field) -> String {
    match field.type_name() {
        "string" => "String".into(),
        "integer" => "i64".into(),
        "boolean" => "bool".into(),
        "blob" => "Vec<u8>".into(),
        "timestamp" => "Micros".into(),
        name if PARSED.iter().any(|(parsed, ..)| *parsed == name) => name.into(),
        name => format!("output::{name}"),
    }
}

fn field_type(field: &Field) -> String {
    let value = value_type(field);
    match (field.list.is_some(), field.optional) {
        (true, true) => format!("Option<Vec<{value}>>"),
        (true, false) => format!("Vec<{value}>"),
        (false, true) => format!("Option<{value}>"),
        (false, false) => value,
    }
}

/// Whether the generated structure can derive Default: all fields are optional, lists or plain.
fn has_default(fields: &Fields) -> bool {
    fields.iter().all(|(_, field)| {
        field.list.is_some()
            || field.optional
            || ["string", "integer", "boolean", "blob", "timestamp"].contains(&field.type_name())
    })
}

/// A statement that writes one value by reference under `wire`.
fn encode_value(field: &Field, wire: &str, value: &str) -> String {
    match field.type_name() {
        "blob" => format!("xml.blob(tag!({wire:?}), {value});"),
        "string" => format!("xml.text(tag!({wire:?}), {value});"),
        "integer" | "boolean" | "timestamp" => format!("xml.display(tag!({wire:?}), {value});"),
        name if PARSED.iter().any(|(parsed, ..)| *parsed == name) => {
            format!("xml.display(tag!({wire:?}), {value});")
        }
        _ => format!("xml.element(tag!({wire:?}), |xml| ({value}).encode(xml));"),
    }
}

fn encode_field(name: &str, field: &Field) -> String {
    let code = encode_any_version(name, field);
    match &field.since {
        Some(since) => format!("        if xml.is_since({since:?}) {{\n    {code}        }}\n"),
        None => code,
    }
}

fn encode_any_version(name: &str, field: &Field) -> String {
    let wire = field.wire.clone().unwrap_or_else(|| lower_camel(name));
    if field.list.is_some() {
        let item = field.item.as_deref().unwrap_or("item");
        let each = encode_value(field, item, "value");
        if field.optional {
            return format!(
                "        if let Some(values) = &self.{name} {{ xml.element(tag!({wire:?}), |xml| for value in values {{ {each} }}); }}\n"
            );
        }
        let list = format!("xml.element(tag!({wire:?}), |xml| for value in &self.{name} {{ {each} }});");
        return if field.omit_empty {
            format!("        if !self.{name}.is_empty() {{ {list} }}\n")
        } else {
            format!("        {list}\n")
        };
    }
    if field.optional {
        return format!(
            "        if let Some(value) = &self.{name} {{ {} }}\n",
            encode_value(field, &wire, "value")
        );
    }
    format!("        {}\n", encode_value(field, &wire, &format!("&self.{name}")))
}

fn print(doc: &str, name: &str, fields: &Fields) -> String {
    let default = if has_default(fields) { ", Default" } else { "" };
    let mut code = format!("/// {doc}\n#[derive(Clone, PartialEq, Debug{default})]\npub struct {name} {{\n");
    for (name, field) in fields {
        writeln!(code, "    pub {name}: {},", field_type(field)).unwrap();
    }
    let xml = if fields.is_empty() { "_xml" } else { "xml" };
    let _ = writeln!(code, "}}\n\nimpl {name} {{\n    pub(crate) fn encode(&self, {xml}: &mut Xml) {{");
    for (name, field) in fields {
        code += &encode_field(name, field);
    }
    code += "    }\n}\n\n";
    code
}

/// A response structure that several actions share.
pub fn structure(name: &str, fields: &Fields) -> String {
    print(&format!("EC2's `{name}`, as responses carry it."), name, fields)
}

/// An action's response.
pub fn response(action: &Action) -> String {
    print(&format!("The answer to {}.", action.name), &format!("{}Response", action.name), &action.response)
}
