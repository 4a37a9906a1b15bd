//! Prints `enum FaultCode`.

use std::fmt::Write;

use crate::names::fault_variant;
use crate::spec::Spec;

pub fn print(spec: &Spec) -> String {
    let mut code = String::from(
        "/// Every error code that Fogbank returns, as EC2 writes them.\n#[derive(Clone, Copy, PartialEq, Eq, Debug)]\npub enum FaultCode {\n",
    );
    for name in spec.faults.keys() {
        writeln!(code, "    /// `{name}`\n    {},", fault_variant(name)).unwrap();
    }
    code += "}\n\nimpl FaultCode {\n    /// The code on the wire.\n    pub const fn as_str(self) -> &'static str {\n        match self {\n";
    for name in spec.faults.keys() {
        writeln!(code, "            Self::{} => {name:?},", fault_variant(name)).unwrap();
    }
    code += "        }\n    }\n\n    /// The HTTP status that carries it.\n    pub const fn status(self) -> u16 {\n        match self {\n";
    for (name, status) in spec.faults.iter().filter(|(_, status)| **status != 400) {
        writeln!(code, "            Self::{} => {status},", fault_variant(name)).unwrap();
    }
    code += "            _ => 400,\n        }\n    }\n}\n\n";
    let common: Vec<String> =
        spec.common.iter().map(|name| format!("FaultCode::{}", fault_variant(name))).collect();
    writeln!(
        code,
        "/// What any action may return.\npub const COMMON_FAULTS: &[FaultCode] = &[{}];\n",
        common.join(", ")
    )
    .unwrap();
    code
}
