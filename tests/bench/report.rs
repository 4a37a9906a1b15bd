//! Tables for the terminal and for docs/BENCHMARKS.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::figure::{Figure, Target};
use crate::machine;

const HEAD: [&str; 7] = ["what", "value", "baseline of the same run", "ratio", "target", "", "beside it"];

/// Three digits that mean something.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if size < 10.0 => format!("{value:.2}"),
        size if size < 100.0 => format!("{value:.1}"),
        _ => {
            let digits = format!("{:.0}", value.abs());
            let mut out = String::from(if value < 0.0 { "-" } else { "" });
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at).is_multiple_of(3) {
                    out.push(',');
                }
                out.push(digit);
            }
            out
        }
    }
}

fn cells(figure: &Figure) -> [String; 7] {
    let unit = figure.unit;
    let baseline = figure.baseline.as_ref();
    let target = figure.target.map(|target| match target {
        Target::TimesAtLeast(times) => format!("≥ {}x", number(times)),
        Target::TimesAtMost(times) => format!("≤ {}x", number(times)),
        Target::AtMost(most) => format!("≤ {} {unit}", number(most)),
        Target::AtLeast(least) => format!("≥ {} {unit}", number(least)),
    });
    [
        figure.what.clone(),
        format!("{} {unit}", number(figure.value)),
        baseline.map(|one| format!("{}: {}", one.name, number(one.value))).unwrap_or_default(),
        figure.ratio().map(|ratio| format!("{}x", number(ratio))).unwrap_or_default(),
        target.unwrap_or_default(),
        match figure.reached() {
            Some(true) => "ok".into(),
            Some(false) => "**SHORT**".into(),
            None => String::new(),
        },
        figure.note.clone(),
    ]
}

/// A table in Markdown, with columns of one width.
pub fn table(figures: &[Figure]) -> String {
    let rows: Vec<[String; 7]> =
        std::iter::once(HEAD.map(String::from)).chain(figures.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut out = String::new();
    for (at, row) in rows.iter().enumerate() {
        let line = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect::<Vec<_>>();
        let _ = writeln!(out, "| {} |", line.join(" | ").trim_end());
        if at == 0 {
            let _ = writeln!(out, "|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
        }
    }
    out
}

/// Puts one part's table into docs/BENCHMARKS.md; the other parts' stay as they are.
pub fn write(part: &str, about: &str, figures: &[Figure]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/BENCHMARKS.md");
    let old = fs::read_to_string(&path).unwrap_or_default();
    let mut parts: BTreeMap<String, String> = old
        .split("\n## ")
        .skip(1)
        .filter_map(|part| part.split_once('\n'))
        .map(|(name, text)| (name.to_owned(), text.trim().to_owned()))
        .collect();
    let text = format!("{about}\n\n{}\n\n{}", machine::describe(), table(figures));
    parts.insert(part.to_owned(), text.trim().to_owned());
    let mut out = String::from(
        "# Benchmarks\n\nWritten by `make bench`, and by nobody else. Every figure stands beside its baseline of the same run; what \
         falls short of its target is marked.\n",
    );
    for (name, text) in parts {
        let _ = write!(out, "\n## {name}\n\n{text}\n");
    }
    fs::write(path, out).unwrap();
}
