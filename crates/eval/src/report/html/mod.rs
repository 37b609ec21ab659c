//! One page that shows a report: nothing is loaded but the sound files that are played.
//!
//! It is written as HTML that is well-formed XML too, so that a test can tell that nothing is left open.

mod classes;
mod confusion;
mod events;
mod listen;
mod markup;
mod prompts;
mod reliability;
mod retrieval;
mod skipped;
mod summary;

use super::{EvalReport, Results};
use markup::escape;

/// Nothing comes from anywhere; sounds come from disk, or from where the page is.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      media-src 'self' file:; base-uri 'none'; form-action 'none'";

/// A part of the page: where its link leads, its title, its content.
struct Part {
    id: &'static str,
    title: String,
    body: String,
}

impl Part {
    fn new(id: &'static str, title: impl Into<String>, body: String) -> Self {
        Self { id, title: title.into(), body }
    }
}

/// The report as one self-contained page in light and dark, for screens of any width.
///
/// Clips are played from where they lie: by their absolute paths, or relative to the page where those are relative.
/// Everything in the report is escaped.
#[must_use]
pub fn html(report: &EvalReport) -> String {
    let mut parts = vec![summary::protocol(report)];
    parts.extend(prompts::part(&report.prompts));
    match &report.results {
        Results::Classification(r) => {
            parts.extend(summary::folds(r));
            parts.push(confusion::part(r));
            parts.push(classes::part(&report.results));
            parts.extend(reliability::part(&r.calibration, false));
            parts.extend(listen::part(&r.worst, "a wrong label, or less than even odds for the right one"));
        }
        Results::MultiLabel(r) => {
            parts.push(classes::part(&report.results));
            parts.extend(reliability::part(&r.calibration, true));
            parts.extend(listen::part(&r.worst, "their own labels ranked lowest"));
        }
        Results::Retrieval(r) => parts.extend(retrieval::parts(r)),
        Results::Events(r) => {
            parts.push(classes::part(&report.results));
            parts.extend(events::part(r));
        }
    }
    parts.extend(skipped::parts(report));

    let links: String = parts.iter().map(|p| format!(r##"<a href="#{}">{}</a> "##, p.id, p.title)).collect();
    let sections: String = parts.iter().map(|p| markup::section(p.id, &p.title, &p.body)).collect();
    let title = escape(&format!("{} with {}", report.protocol.dataset, report.protocol.model));
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta http-equiv="Content-Security-Policy" content="{POLICY}" />
<title>{title} - earmark eval</title>
<style>
{css}</style>
</head>
<body>
{header}<main>
{figures}{sections}</main>
{footer}<script>
{js}</script>
</body>
</html>
"#,
        css = include_str!("page.css"),
        js = include_str!("page.js"),
        header = summary::header(report, &links),
        figures = summary::figures(&report.results),
        footer = summary::footer(&report.protocol),
    )
}
