//! Rules about the code itself: module directions, length, calls that have no place here.
//!
//! They are tests because a rule that nothing checks is a wish.

#![allow(clippy::unwrap_used)]

mod promises;

use std::fs;
use std::path::{Path, PathBuf};

/// Modules that are pure: no runtime, no SQL, no files, no processes.
const PURE: &[&str] = &[
    "src/types",
    "src/query",
    "src/auth",
    "src/control",
    "src/plan",
    "src/world",
    "src/verdict",
    "src/agent/diff",
    "src/agent/kernel/render",
];
const IMPURE_CRATES: &[&str] =
    &["tokio::", "sqlx::", "std::fs", "std::process", "std::net::Tcp", "std::net::Udp", "crate::crash"];
const MAX_FILE_LINES: usize = 450;
const MAX_FUNCTION_LINES: usize = 70;

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The crate's sources by their path from the root, with the tests at their end cut off.
fn code() -> Vec<(String, String)> {
    sources(&root().join("src"))
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(path).unwrap();
            let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            (name, code)
        })
        .collect()
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Every `(file, what)` for which `wrong` names something.
fn complaints(wrong: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    code().iter().flat_map(|(name, text)| wrong(name, text)).collect()
}

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn pure_modules_do_no_input_or_output() {
    assert_none(&complaints(|name, text| {
        let pure = PURE.iter().any(|module| name.starts_with(module));
        let text = without_comments(text);
        IMPURE_CRATES
            .iter()
            .filter(|used| pure && text.contains(**used))
            .map(|used| format!("{name}: a pure module uses {used}"))
            .collect()
    }));
}

#[test]
fn types_import_nothing_of_ours() {
    assert_none(&complaints(|name, text| {
        let outside = name.starts_with("src/types/") && without_comments(text).contains("crate::");
        outside.then(|| format!("{name}: types import nothing of ours")).into_iter().collect()
    }));
}

#[test]
fn only_the_store_names_sqlx() {
    assert_none(&complaints(|name, text| {
        let outside = !name.starts_with("src/store/") && without_comments(text).contains("sqlx");
        outside.then(|| format!("{name}: only src/store names sqlx")).into_iter().collect()
    }));
}

#[test]
fn files_are_small() {
    assert_none(&complaints(|name, text| {
        let lines = text.lines().count();
        (lines > MAX_FILE_LINES).then(|| format!("{name}: {lines} lines")).into_iter().collect()
    }));
}

#[test]
fn functions_are_small() {
    assert_none(&complaints(|name, text| {
        long_functions(text)
            .into_iter()
            .map(|(at, lines)| format!("{name}:{at}: a function of {lines} lines"))
            .collect()
    }));
}

/// Functions longer than the limit, as `(line, length)`; rustfmt puts a function's closing brace at its own indent.
fn long_functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words = line.trim_start();
        let is_function = words.starts_with("fn ") || (words.contains(" fn ") && !words.starts_with("//"));
        if !is_function || words.ends_with(';') || words.ends_with('}') {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        let end = lines[start..].iter().position(|line| **line == closing);
        if let Some(length) = end.filter(|length| *length >= MAX_FUNCTION_LINES) {
            found.push((start + 1, length + 1));
        }
    }
    found
}

#[test]
fn nothing_is_left_unfinished() {
    let unfinished = ["todo!(", "unimplemented!(", concat!("FIX", "ME"), concat!("TO", "DO"), "dbg!("];
    assert_none(&complaints(|name, text| {
        unfinished.iter().filter(|word| text.contains(**word)).map(|word| format!("{name}: {word}")).collect()
    }));
}

#[test]
fn the_length_rule_sees_a_long_function() {
    let body = "    let x = 1;\n".repeat(MAX_FUNCTION_LINES);
    assert_eq!(long_functions(&format!("fn long() {{\n{body}}}\n")).len(), 1);
    assert_eq!(long_functions("fn short() {\n    1;\n}\n").len(), 0);
}
