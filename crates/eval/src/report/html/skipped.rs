//! What was not evaluated, and why.

use super::Part;
use super::markup::{escape, table};
use crate::report::text::count;
use crate::report::{EvalReport, Skipped};

/// Rows on the page; the JSON has all.
const MOST: usize = 1000;

pub(super) fn part(report: &EvalReport) -> Option<Part> {
    let skipped = &report.skipped;
    if skipped.is_empty() {
        return None;
    }
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
    let table = table(&[("file", false), ("why", false)], &rows, Some("Files not evaluated"));
    let body = format!("<p class=\"note\">These take no part in any figure.</p>\n{table}{rest}");
    Some(Part::new("skipped", format!("Not evaluated ({})", count(skipped.len())), body))
}
