//! What api-spec/ says of each action, read again here: the generator's own reading is what is tested.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// One parameter by its full name, each list at its first place: `IpPermissions.1.Groups.1.GroupId`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leaf {
    pub name: String,
    /// The type as api-spec/ writes it.
    pub kind: String,
}

/// One action.
#[derive(Clone, Debug)]
pub struct Action {
    pub name: String,
    pub writes: bool,
    pub sts: bool,
    pub refused: Vec<String>,
    pub errors: Vec<String>,
    pub filters: Vec<String>,
    pub paged: bool,
    pub leaves: Vec<Leaf>,
    /// Required parameters, by the names at the top.
    pub required: Vec<String>,
    /// Where a structure begins: `IpPermissions.1`, `IpPermissions.1.Groups.1`.
    pub structures: Vec<String>,
}

/// The whole folder.
pub struct Spec {
    pub actions: Vec<Action>,
    /// Codes that any action may answer with.
    pub common: Vec<String>,
    /// Every code with its status.
    pub faults: BTreeMap<String, u16>,
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

fn read(path: &Path) -> Table {
    fs::read_to_string(path).unwrap().parse().unwrap()
}

fn texts(table: &Table, key: &str) -> Vec<String> {
    let list = table.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    list.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

fn camel(name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').filter(|word| !word.is_empty()).map(capital).collect()
}

impl Spec {
    pub fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("api-spec");
        let mut shapes = Table::new();
        for path in files(&folder.join("shapes.d")) {
            shapes.extend(read(&path).get("input").and_then(Value::as_table).cloned().unwrap_or_default());
        }
        let faults = read(&folder.join("faults.toml"));
        let codes = faults["fault"].as_table().unwrap();
        let status = |(code, status): (&String, &Value)| {
            (code.clone(), u16::try_from(status.as_integer().unwrap()).unwrap())
        };
        let own = files(&folder).into_iter().filter(|path| !path.ends_with("faults.toml"));
        Self {
            actions: own.map(|path| action(&path, &shapes)).collect(),
            common: texts(faults["common"].as_table().unwrap(), "codes"),
            faults: codes.iter().map(status).collect(),
        }
    }

    pub fn status(&self, code: &str) -> u16 {
        self.faults[code]
    }
}

fn action(path: &Path, shapes: &Table) -> Action {
    let table = read(path);
    let request = table.get("request").and_then(Value::as_table).cloned().unwrap_or_default();
    let mut action = Action {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        writes: table["kind"].as_str() == Some("write"),
        sts: table.get("namespace").is_some(),
        refused: texts(&table, "refused"),
        errors: texts(&table, "errors"),
        filters: texts(&table, "filters"),
        paged: table.contains_key("paged"),
        leaves: Vec::new(),
        required: Vec::new(),
        structures: Vec::new(),
    };
    for (field, value) in &request {
        if value.get("required").and_then(Value::as_bool) == Some(true) {
            action.required.push(wire(field, value));
        }
    }
    walk(&mut action, "", &request, shapes);
    action
}

fn wire(field: &str, value: &Value) -> String {
    value.get("wire").and_then(Value::as_str).map_or_else(|| camel(field), str::to_owned)
}

fn walk(action: &mut Action, prefix: &str, fields: &Table, shapes: &Table) {
    for (field, value) in fields {
        let list = value.get("list").is_some();
        let kind = value.get("list").or(value.get("type")).unwrap().as_str().unwrap();
        let name = format!("{prefix}{}{}", wire(field, value), if list { ".1" } else { "" });
        match shapes.get(kind).and_then(Value::as_table) {
            Some(shape) => {
                action.structures.push(name.clone());
                walk(action, &format!("{name}."), shape, shapes);
            }
            None => action.leaves.push(Leaf { name, kind: kind.to_owned() }),
        }
    }
}
