//! What the page says first: figures and protocol.

use super::Part;
use super::markup::{escape, share_cell, table};
use crate::report::figures::{Figure, figures as main_figures, missing, protocol_rows};
use crate::report::text::{count, ends};
use crate::report::{Classification, EvalReport, Interval, Protocol, Results};

/// Title, contents, and what is missing.
pub(super) fn header(report: &EvalReport, links: &str) -> String {
    let p = &report.protocol;
    let task = match report.results {
        Results::Classification(_) => "one label a clip",
        Results::MultiLabel(_) => "any number of labels a clip",
        Results::Retrieval(_) => "captions and clips, both ways",
        Results::Events(_) => "when something is heard",
    };
    let method = if p.fitted.is_some() { "fitted, cross-validated" } else { "zero-shot" };
    let missing = missing(report).map(|text| {
        format!(
            "<p class=\"warning\"><a href=\"#skipped\">{text}</a>: the figures are those of the rest.</p>\n"
        )
    });
    let sample = p.seed.filter(|_| p.clips + report.skipped.len() < p.clips_in_dataset).map(|seed| {
        let (some, all) = (count(p.clips), count(p.clips_in_dataset));
        format!("<p class=\"warning\">A sample: {some} of {all} clips, drawn with seed {seed}.</p>\n")
    });
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"sub\">{task}, {method} with <strong>{}</strong>, {} clips</p>\n\
         <nav aria-label=\"Contents\">{links}</nav>\n{}{}</header>\n",
        escape(&p.dataset),
        escape(&p.model),
        count(p.clips),
        sample.unwrap_or_default(),
        missing.unwrap_or_default(),
    )
}

/// The main figures as cards.
pub(super) fn figures(results: &Results) -> String {
    let card = |f: Figure| {
        let interval = f
            .interval
            .map(|i| format!("{}<span class=\"note\">95 %: {}</span>", track(i, 0.0, 1.0), ends(i)));
        format!(
            "<div class=\"figure\"><dt>{}</dt><dd><span class=\"value\">{}</span>{}</dd><dd class=\"note\">{}</dd>\
             </div>\n",
            f.name,
            f.value,
            interval.unwrap_or_default(),
            escape(&f.meaning)
        )
    };
    let cards: String = main_figures(results).into_iter().map(card).collect();
    format!("<dl class=\"figures\">\n{cards}</dl>\n")
}

/// An interval on a line from `from` to `to`.
pub(super) fn track(i: Interval, from: f64, to: f64) -> String {
    let place = |v: f64| 100.0 * ((v - from) / (to - from)).clamp(0.0, 1.0);
    let (low, high, dot) = (place(i.low), place(i.high), place(i.value));
    format!(
        "<span class=\"interval\" aria-hidden=\"true\"><span class=\"span\" style=\"left:{low:.2}%;width:{:.2}%\">\
         </span>\
         <span class=\"dot\" style=\"left:{dot:.2}%\"></span></span>",
        high - low
    )
}

/// How the figures came about.
pub(super) fn protocol(report: &EvalReport) -> Part {
    let row = |(name, text): (&str, String)| {
        let text = escape(&text);
        let text =
            if matches!(name, "manifest hash" | "prompt") { format!("<code>{text}</code>") } else { text };
        format!("<dt>{name}</dt><dd>{text}</dd>\n")
    };
    let rows: String = protocol_rows(&report.protocol).into_iter().map(row).collect();
    Part::new("protocol", "Protocol", format!("<dl class=\"facts protocol\">\n{rows}</dl>\n"))
}

/// Top-1 in each fold.
pub(super) fn folds(r: &Classification) -> Option<Part> {
    if r.folds.is_empty() {
        return None;
    }
    let n = r.folds.len() as f64;
    let mean = r.folds.iter().sum::<f64>() / n;
    let spread = (r.folds.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / n).sqrt();
    let numbers: Vec<String> = (1..=r.folds.len()).map(|i| i.to_string()).collect();
    let heads: Vec<(&str, bool)> = numbers.iter().map(|n| (n.as_str(), true)).collect();
    let cells: String = r.folds.iter().map(|&f| share_cell(Some(f))).collect();
    let body = format!(
        "<p>Top-1 in each: mean {:.1} %, standard deviation {:.1} points.</p>\n{}",
        100.0 * mean,
        100.0 * spread,
        table(&heads, &format!("<tr>{cells}</tr>\n"), None)
    );
    Some(Part::new("folds", "Folds", body))
}

pub(super) fn footer(p: &Protocol) -> String {
    format!(
        "<footer><p>Made by <code>earmark eval</code> {}. Vectors of {}, manifest <code>{}</code>. Sounds are \
         played from \
         where they lie; the page holds none of them.</p></footer>\n",
        escape(&p.earmark),
        escape(&p.model),
        escape(&p.manifest_hash)
    )
}
