//! Tables for the terminal and for docs/BENCHMARKS.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::figure::{Figure, Target};
use crate::{PARTS, Part, machine, size};

const HEAD: [&str; 7] = ["what", "figure", "baseline", "ratio", "target", "", "beside it"];

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
            Some(true) => "met".into(),
            Some(false) => "**falls short**".into(),
            None => String::new(),
        },
        figure.note.clone(),
    ]
}

/// A table in Markdown, with columns of one width.
pub fn table(figures: &[Figure]) -> String {
    let rows: Vec<[String; 7]> =
        std::iter::once(HEAD.map(String::from)).chain(figures.iter().map(cells)).collect();
    // Several baselines of one figure: it is said once.
    let mut rows = rows;
    for at in (2..rows.len()).rev() {
        if rows[at][..2] == rows[at - 1][..2] {
            rows[at][0].clear();
            rows[at][1].clear();
        }
    }
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

const ABOUT: &str = "\
# Benchmarks

Written by `make bench`, which anyone can run as root on a Debian 12 with Rust; `make bench ARGS=packets` runs one part (api, rules, packets, agent, scale, hosts).
It needs no network beside loopback: hosts and instances are network namespaces, and nothing of the machine's own network is touched. Every figure is of a
release build and stands beside its baseline of the same run.

- **ratio** is the figure divided by its baseline; **target** is what we have set ourselves, as a multiple of the baseline where it ends with an x.
- **met** or **falls short** says whether the target was reached. A figure without a target is there to be seen.
- [decisions/0011](decisions/0011-where-speed-falls-short.md) says why what falls short does, and what was tried.
";

/// Puts one part's table into docs/BENCHMARKS.md; the other parts' stay as they are.
pub fn write(part: &Part, figures: &[Figure]) {
    if size::small() {
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/BENCHMARKS.md");
    let old = fs::read_to_string(&path).unwrap_or_default();
    let mut parts: BTreeMap<&str, String> = old
        .split("\n## ")
        .skip(1)
        .filter_map(|part| part.split_once('\n'))
        .map(|(title, text)| (title, text.trim().to_owned()))
        .collect();
    let text = format!("{}\n\n{}\n\n{}", part.about, machine::describe(), table(figures));
    parts.insert(part.title, text.trim().to_owned());
    let mut out = String::from(ABOUT);
    for title in PARTS.iter().map(|part| part.title) {
        if let Some(text) = parts.get(title) {
            let _ = write!(out, "\n## {title}\n\n{text}\n");
        }
    }
    fs::write(path, out).unwrap();
}
