//! Turns api-spec/ into `crate::query::api`: request and response types, decoder, encoder, faults,
//! dispatch. api-spec/README.md is the format. Plain code is printed, and no serde derives: those
//! take three times as long to compile.

// A build script reports by panicking, and writing to a String does not fail.
#![allow(clippy::unwrap_used)]

mod decode;
mod dispatch;
mod encode;
mod faults;
mod names;
mod spec;

use std::env;
use std::fs;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=api-spec");
    println!("cargo:rerun-if-changed=build");
    let spec = spec::Spec::read(Path::new("api-spec"));
    let mut code = String::from("// Made by build/ from api-spec/.\n\n");
    code += &faults::print(&spec);
    code += "/// Request structures.\npub mod input {\n    use super::*;\n";
    for (name, fields) in &spec.inputs {
        code += &decode::structure(name, fields);
    }
    code += "}\n\n/// Response structures.\npub mod output {\n    use super::*;\n";
    for (name, fields) in &spec.outputs {
        code += &encode::structure(name, fields);
    }
    code += "}\n\n";
    for action in &spec.actions {
        code += &decode::request(action);
        code += &encode::response(action);
    }
    code += &dispatch::print(&spec);
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("api.rs"), code).expect("OUT_DIR is writable");
}
