//! What was not evaluated, and why; what lies beside.

use super::Part;
use super::markup::{escape, table};
use crate::report::text::count;
use crate::report::{EvalReport, Skipped};

/// Rows on the page; the JSON has all.
const MOST: usize = 1000;

pub(super) fn parts(report: &EvalReport) -> Vec<Part> {
    let mut parts = Vec::new();
    if !report.skipped.is_empty() {
        let title = format!("Not evaluated ({})", count(report.skipped.len()));
        let (note, caption) = ("These take no part in any figure.", "Files not evaluated");
        parts.push(Part::new("skipped", title, body(&report.skipped, note, caption)));
    }
    if !report.beside.is_empty() {
        let (note, caption) = ("No clips of the dataset, as it says itself.", "Beside the dataset");
        parts.push(Part::new("beside", caption, body(&report.beside, note, caption)));
    }
    parts
}

fn body(skipped: &[Skipped], note: &str, caption: &str) -> String {
    let row = |s: &Skipped| {
        format!(
            "<tr><td class=\"name\"><code>{}</code></td><td>{}</td></tr>\n",
            escape(&s.path),
            escape(&s.reason)
        )
    };
    let rows: String = skipped.iter().take(MOST).map(row).collect();
    let rest = skipped.len().saturating_sub(MOST);
    let rest = if rest > 0 {
        format!("<p class=\"note\">and {} more: all are in the JSON</p>\n", count(rest))
    } else {
        String::new()
    };
    let table = table(&[("file", false), ("why", false)], &rows, Some(caption));
    format!("<p class=\"note\">{note}</p>\n{table}{rest}")
}
