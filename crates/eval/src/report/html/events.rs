//! Recordings with what is heard and what was found, on a line of time.

use super::Part;
use super::listen::file;
use super::markup::{escape, player};
use crate::report::text::percent;
use crate::report::{EventDetection, HeardEvent, RecordingResult};

/// Recordings that are shown: each takes room.
const SHOWN: usize = 12;

pub(super) fn part(r: &EventDetection) -> Option<Part> {
    if r.worst.is_empty() {
        return None;
    }
    let items: String = r.worst.iter().take(SHOWN).map(item).collect();
    let body = format!(
        "<p class=\"note\">The recordings with the lowest segment-based F1, worst first: \
         <span class=\"key right\"></span>what is heard<span class=\"key wrong\"></span>what was found.</p>\n\
         <ol class=\"clips wide\">\n{items}</ol>\n"
    );
    Some(Part::new("listen", "Recordings", body))
}

fn item(r: &RecordingResult) -> String {
    format!(
        "<li>{}<p class=\"note\">F1 {}, {} heard, {} found</p>{}{}</li>\n",
        file(&r.path),
        percent(r.segment_f1),
        r.expected.len(),
        r.found.len(),
        lanes(r),
        player(&r.path)
    )
}

/// A lane a class, the truth above, the answer below.
fn lanes(r: &RecordingResult) -> String {
    let end = r.expected.iter().chain(&r.found).map(|e| e.offset_s).fold(0.0, f64::max);
    if end <= 0.0 {
        return String::new();
    }
    let mut classes: Vec<&str> = Vec::new();
    for event in r.expected.iter().chain(&r.found) {
        if !classes.contains(&event.class.as_str()) {
            classes.push(&event.class);
        }
    }
    let span = |kind: &str, says: &str, e: &HeardEvent| {
        let (from, to) = (e.onset_s.clamp(0.0, end), e.offset_s.clamp(0.0, end));
        format!(
            "<span class=\"{kind}\" style=\"left:{:.2}%;width:{:.2}%\" title=\"{says} {:.2} to {:.2} s\"></span>",
            100.0 * from / end,
            100.0 * (to - from).max(0.0) / end,
            e.onset_s,
            e.offset_s
        )
    };
    let spans = |kind: &str, says: &str, events: &[HeardEvent], class: &str| -> String {
        events.iter().filter(|e| e.class == class).map(|e| span(kind, says, e)).collect()
    };
    let rows: String = classes
        .iter()
        .map(|class| {
            format!(
                "<div class=\"class\">{}</div><div class=\"lane\">{}{}</div>\n",
                escape(class),
                spans("truth", "heard", &r.expected, class),
                spans("found", "found", &r.found, class)
            )
        })
        .collect();
    let ticks: String = (0..=4)
        .map(|i| f64::from(i) / 4.0)
        .map(|v| format!("<span style=\"left:{:.0}%\">{:.1} s</span>", 100.0 * v, v * end))
        .collect();
    format!("<div class=\"lanes\">\n{rows}<div></div><div class=\"ticks\">{ticks}</div></div>\n")
}
