//! Every promise of docs/SPECIFICATION.md names the tests that keep it, and they are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::{assert_none, root};

/// What is no function: a story that is played, in `make test`.
const STORY: &str = "the story";

/// A line of a table: `| 1.1 | promise | kept by |`.
struct Promise {
    number: String,
    kept_by: String,
}

fn promises(text: &str) -> Vec<Promise> {
    let cells = |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().to_owned()).collect() };
    let rows = text.lines().filter(|line| line.starts_with('|')).map(cells);
    let numbered = rows.filter(|cells| cells.get(1).is_some_and(|number| is_number(number)));
    numbered.map(|cells| Promise { number: cells[1].clone(), kept_by: cells[3..].join("|") }).collect()
}

fn is_number(text: &str) -> bool {
    let parts: Vec<_> = text.split('.').map(str::parse::<u32>).collect();
    parts.len() == 2 && parts.iter().all(Result::is_ok)
}

/// Everything in `…`.
fn names(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// All tests there are: Rust's functions and modules by their name, Python's by theirs.
struct Tests {
    functions: BTreeSet<String>,
    modules: BTreeSet<String>,
}

impl Tests {
    fn gather() -> Self {
        let mut tests = Self { functions: BTreeSet::new(), modules: BTreeSet::new() };
        for folder in ["src", "tests", "build"] {
            tests.enter(&root().join(folder));
        }
        tests
    }

    fn enter(&mut self, folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_owned();
            self.modules.insert(path.file_stem().unwrap().to_string_lossy().into_owned());
            if path.is_dir() {
                self.enter(&path);
            } else if ["rs", "py"].contains(&&*ending) {
                self.read(&fs::read_to_string(&path).unwrap(), &ending);
            }
        }
    }

    fn read(&mut self, text: &str, ending: &str) {
        // The store's tests are handed to a macro that runs each on both databases.
        if let Some((_, on_both)) = text.split_once("\non_both! {") {
            let named = on_both.split('}').next().unwrap_or_default().split(',');
            self.functions.extend(named.map(|name| name.trim().to_owned()));
        }
        let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
        for (at, line) in lines.iter().enumerate() {
            let (word, name) = line.trim_start_matches("async ").split_once(' ').unwrap_or_default();
            let name = name.split('(').next().unwrap_or_default().to_owned();
            let marked = lines[..at]
                .iter()
                .rev()
                .take_while(|above| above.starts_with('#') || above.starts_with("//"));
            let is_test = match (ending, word) {
                ("py", "def") => name.starts_with("test_"),
                // Within `proptest!` the attribute is the same.
                ("rs", "fn") => marked
                    .into_iter()
                    .any(|above| above.starts_with("#[test]") || above.starts_with("#[tokio::test")),
                _ => false,
            };
            if is_test {
                self.functions.insert(name);
            }
        }
    }

    /// Whether the name is a test's, a module's of tests, or a file's.
    fn has(&self, name: &str) -> bool {
        let (path, test) = name.split_once(".py::").map_or((name, None), |(path, test)| (path, Some(test)));
        if let Some(test) = test {
            let text = fs::read_to_string(root().join(format!("{path}.py"))).unwrap_or_default();
            return text.contains(&format!("\ndef {test}("));
        }
        if name.contains('/') {
            return root().join(name).exists();
        }
        let last = name.rsplit("::").next().unwrap_or_default();
        self.functions.contains(last)
            || name.split("::").all(|part| self.modules.contains(part) || part == "tests")
    }
}

#[test]
fn every_promise_is_kept_by_tests_that_there_are() {
    let text = fs::read_to_string(root().join("docs/SPECIFICATION.md")).unwrap();
    let (promises, tests) = (promises(&text), Tests::gather());
    assert!(promises.len() > 80, "only {} promises were read", promises.len());
    let mut complaints = Vec::new();
    for Promise { number, kept_by } in &promises {
        let named = names(kept_by);
        if named.is_empty() && !kept_by.contains(STORY) {
            complaints.push(format!("{number} is kept by no test"));
        }
        complaints.extend(
            named.iter().filter(|name| !tests.has(name)).map(|name| format!("{number}: there is no {name}")),
        );
    }
    assert_none(&complaints);
}

#[test]
fn a_promise_without_its_test_is_seen() {
    let found = promises(
        "| | promise | kept by |\n|---|---|---|\n| 4.2 | no | `a::b`, `tests/c.py::test_d` |\n| x | y | z |\n",
    );
    assert_eq!(found.len(), 1);
    assert_eq!(names(&found[0].kept_by), ["a::b", "tests/c.py::test_d"]);
    let tests = Tests::gather();
    assert!(tests.has("tidy::a_promise_without_its_test_is_seen") && tests.has("tests/clients/test_api.py"));
    for nobodys in [
        "a_promise_that_is_kept",
        "tests/clients/test_nothing.py",
        "tests/clients/test_api.py::test_no",
        "no::tests",
    ] {
        assert!(!tests.has(nobodys), "{nobodys}");
    }
}
