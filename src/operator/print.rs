//! Answers for people: a list as a table, one thing as lines.

use serde_json::Value;

/// The text of an answer.
pub fn print(answer: &Value) -> String {
    if let Some(text) = super::trace::text(answer) {
        return text;
    }
    match answer {
        Value::Array(rows) => table(rows),
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!("{name}: {}\n", plain(value)))
            .collect(),
        other => format!("{}\n", plain(other)),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        Value::Array(items) if items.is_empty() => "-".into(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("; "),
        Value::Object(fields) => fields.values().map(plain).collect::<Vec<_>>().join(": "),
        other => other.to_string(),
    }
}

fn table(rows: &[Value]) -> String {
    let Some(Value::Object(first)) = rows.first() else { return String::new() };
    let columns: Vec<&String> = first.keys().collect();
    let mut lines = vec![columns.iter().map(|column| column.to_uppercase()).collect::<Vec<_>>()];
    lines.extend(rows.iter().map(|row| columns.iter().map(|column| plain(&row[column.as_str()])).collect()));
    let width = |i: usize| lines.iter().map(|line| line[i].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |cells: &Vec<String>| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn lists_are_tables() {
        let rows = json!([{"id": "a", "name": "long name"}, {"id": "bcd", "name": null}]);
        assert_eq!(super::print(&rows), "ID   NAME\na    long name\nbcd  -\n");
    }
}
