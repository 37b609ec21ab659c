//! The same clips under other prompts.

use super::Part;
use super::markup::{escape, table};
use super::summary::track;
use crate::report::PromptResult;
use crate::report::text::{ends, percent};

pub(super) fn part(prompts: &[PromptResult]) -> Option<Part> {
    let metric = escape(&prompts.first()?.metric);
    let low = prompts.iter().map(|p| p.value.low).fold(1.0, f64::min);
    let high = prompts.iter().map(|p| p.value.high).fold(0.0, f64::max);
    // A line from the lowest to the highest end, so that small differences can be seen.
    let high = if high > low { high } else { low + 0.01 };
    let row = |p: &PromptResult| {
        let templates: String =
            p.templates.iter().map(|t| format!("<code class=\"template\">{}</code>", escape(t))).collect();
        format!(
            "<tr><td class=\"name\">{templates}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>\
             <td>{}</td></tr>\n",
            percent(p.value.value),
            ends(p.value),
            track(p.value, low, high)
        )
    };
    let rows: String = prompts.iter().map(row).collect();
    let scale = format!("{} to {}", percent(low), percent(high));
    let heads = [("templates", false), (metric.as_str(), true), ("95 %", true), (scale.as_str(), false)];
    let body = format!(
        "<p class=\"note\">Several templates in a row are averaged. Where intervals overlap widely, the order may be \
         chance.</p>\n{}",
        table(&heads, &rows, None)
    );
    Some(Part::new("prompts", "Prompts", body))
}
