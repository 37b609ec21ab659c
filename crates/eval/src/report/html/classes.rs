//! A row a class, to be sorted.

use super::Part;
use super::markup::{escape, share_cell, table};
use crate::report::figures::weakest;
use crate::report::text::percent;
use crate::report::{ClassResult, Results};

/// Rows from which a table scrolls in itself.
const TALL: usize = 25;

pub(super) fn part(results: &Results) -> Part {
    let rows = weakest(results);
    let ranked = rows.iter().any(|c| c.average_precision.is_some() || c.auc.is_some());
    let note = match results {
        Results::MultiLabel(r) => format!(
            "Weakest first. Recall, precision and F1 take a label as given from a probability of {}; AP and AUC \
             need no \
             threshold.",
            percent(r.threshold)
        ),
        Results::Events(_) => {
            "Weakest first. Event-based: onset and offset must be within the collars.".to_owned()
        }
        _ => "Weakest first. AP and AUC rank all clips by the class.".to_owned(),
    };
    let of = if matches!(results, Results::Events(_)) { "events" } else { "clips" };
    let names = ["class", of, "recall", "precision", "F1", "AP", "AUC"];
    let names = &names[..if ranked { 7 } else { 5 }];
    let buttons: Vec<String> =
        names.iter().map(|name| format!("<button type=\"button\">{name}</button>")).collect();
    let heads: Vec<(&str, bool)> = buttons.iter().enumerate().map(|(i, b)| (b.as_str(), i > 0)).collect();
    let body: String = rows.iter().map(|c| row(c, ranked)).collect();
    let table = table(&heads, &body, (rows.len() > TALL).then_some("Classes"));
    Part::new("classes", "Classes", format!("<p class=\"note\">{note}</p>\n{table}"))
}

fn row(c: &ClassResult, ranked: bool) -> String {
    let known = |v: f64| share_cell((c.support > 0).then_some(v));
    let curves = if ranked { share_cell(c.average_precision) + &share_cell(c.auc) } else { String::new() };
    let text = c.text.as_ref().map(|text| format!(" <span class=\"note\">{}</span>", escape(text)));
    format!(
        "<tr><td class=\"name\">{}{}</td><td class=\"number\" data-v=\"{s}\">{s}</td>{}{}{}{curves}</tr>\n",
        escape(&c.name),
        text.unwrap_or_default(),
        known(c.recall),
        known(c.precision),
        known(c.f1),
        s = c.support,
    )
}
