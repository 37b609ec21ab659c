//! What was not evaluated, and why.

use super::Part;
use super::markup::escape;
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
    let body = format!(
        "<p class=\"note\">These take no part in any figure.</p>\n<div class=\"scroll tall\" tabindex=\"0\" role=\"region\" \
         aria-label=\"Files not evaluated\"><table><thead><tr><th>file</th><th>why</th></tr></thead><tbody>\n{rows}</tbody></table></div>\n{rest}"
    );
    Some(Part::new("skipped", format!("Not evaluated ({})", count(skipped.len())), body))
}
