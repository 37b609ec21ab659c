//! Plain text for a terminal: protocol, figures, what is weak, what was skipped.

use super::figures::{figures, missing, most_confused, protocol_rows, weakest};
use super::text::{count, ends, percent, printable};
use super::{ClassResult, EvalReport, Results, RetrievalDirection};

/// Rows of a list that is long.
const ROWS: usize = 10;

/// The report as text, lines ended by `\n`. Names are made harmless to a terminal.
#[must_use]
pub fn table(report: &EvalReport) -> String {
    let mut out = String::new();
    let protocol =
        protocol_rows(&report.protocol).into_iter().map(|(name, text)| vec![name.to_owned(), text]);
    section(&mut out, "Protocol", &[], protocol.collect());
    let main = figures(&report.results)
        .into_iter()
        .map(|f| vec![f.name.to_owned(), f.value, f.interval.map(ends).unwrap_or_default(), f.meaning]);
    section(&mut out, "Results, with 95 % intervals", &[false, true, true], main.collect());

    match &report.results {
        Results::Classification(r) => {
            if !r.folds.is_empty() {
                let folds: Vec<String> = r.folds.iter().map(|&f| percent(f)).collect();
                section(&mut out, "Top-1 by fold", &[], vec![vec![folds.join("  ")]]);
            }
            weak_classes(&mut out, &report.results, false);
            let pairs = most_confused(r);
            let row = |p: &super::figures::Confused| {
                let name = |class: usize| r.classes[class].name.clone();
                vec![name(p.expected), name(p.predicted), p.clips.to_string(), percent(p.share)]
            };
            let head = ["is", "called", "clips", "of the class"];
            listed(&mut out, "Most confused", &head, &[false, false, true, true], &pairs, row);
        }
        Results::MultiLabel(_) => weak_classes(&mut out, &report.results, true),
        Results::Events(_) => weak_classes(&mut out, &report.results, false),
        Results::Retrieval(r) => {
            let head = ["", "R@1", "R@5", "R@10", "mAP@10", "median rank", "queries"];
            let row = |name: &str, d: &RetrievalDirection| {
                let shares = [d.r1.value, d.r5.value, d.r10.value, d.map10].map(percent);
                let mut row = vec![name.to_owned()];
                row.extend(shares);
                row.extend([d.median_rank.to_string(), count(d.queries)]);
                row
            };
            let rows = vec![
                head.map(str::to_owned).to_vec(),
                row("text to audio", &r.text_to_audio),
                row("audio to text", &r.audio_to_text),
            ];
            section(&mut out, "Retrieval", &[false, true, true, true, true, true, true], rows);
        }
    }

    let prompt = |p: &super::PromptResult| {
        vec![percent(p.value.value), ends(p.value), p.metric.clone(), p.templates.join(" | ")]
    };
    if !report.prompts.is_empty() {
        section(&mut out, "Prompts", &[true, true], report.prompts.iter().map(prompt).collect());
    }
    let row = |s: &super::Skipped| vec![s.path.clone(), s.reason.clone()];
    if let Some(missing) = missing(report) {
        listed(&mut out, &missing, &[], &[], &report.skipped, row);
    }
    if !report.beside.is_empty() {
        listed(&mut out, "Beside the dataset", &[], &[], &report.beside, row);
    }
    out
}

/// The classes to look at first.
fn weak_classes(out: &mut String, results: &Results, ranked: bool) {
    let rows = weakest(results);
    let own = |v: Option<f64>| v.map_or_else(|| "\u{2013}".to_owned(), percent);
    let row = |c: &&ClassResult| {
        let mut row = vec![c.name.clone(), count(c.support)];
        if ranked {
            row.extend([own(c.average_precision), own(c.auc)]);
        }
        row.extend([c.recall, c.precision, c.f1].map(|v| own((c.support > 0).then_some(v))));
        row
    };
    let head: &[&str] = if ranked {
        &["", "clips", "AP", "AUC", "recall", "precision", "F1"]
    } else {
        &["", "clips", "recall", "precision", "F1"]
    };
    listed(out, "Weakest classes", head, &[false, true, true, true, true, true, true], &rows, row);
}

/// A section of the first rows of a list.
fn listed<T>(
    out: &mut String,
    title: &str,
    head: &[&str],
    right: &[bool],
    items: &[T],
    row: impl Fn(&T) -> Vec<String>,
) {
    if items.is_empty() {
        return;
    }
    let head = Some(head.iter().map(|&h| h.to_owned()).collect()).filter(|h: &Vec<String>| !h.is_empty());
    section(out, title, right, head.into_iter().chain(items.iter().take(ROWS).map(row)).collect());
    if items.len() > ROWS {
        out.push_str(&format!("  and {} more: see the page or the JSON\n", count(items.len() - ROWS)));
    }
}

/// A title and rows in aligned columns.
fn section(out: &mut String, title: &str, right: &[bool], rows: Vec<Vec<String>>) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&printable(title));
    out.push('\n');
    let rows: Vec<Vec<String>> =
        rows.into_iter().map(|row| row.iter().map(|cell| printable(cell)).collect()).collect();
    let width = |column: usize| {
        rows.iter().filter_map(|r| r.get(column)).map(|c: &String| c.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or(0)).map(width).collect();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            line.push_str("  ");
            line.push_str(&match right.get(column) {
                Some(true) => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            });
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}
