//! Captions and clips.

use super::Part;
use super::listen::file;
use super::markup::{escape, player, share_cell, table};
use crate::report::text::{count, ends, percent};
use crate::report::{CaptionResult, Interval, Retrieval, RetrievalDirection};

pub(super) fn parts(r: &Retrieval) -> Vec<Part> {
    let rows = row("text to audio", &r.text_to_audio) + &row("audio to text", &r.audio_to_text);
    let heads = [
        ("", false),
        ("R@1", true),
        ("R@5", true),
        ("R@10", true),
        ("mAP@10", true),
        ("median rank", true),
        ("queries", true),
    ];
    let body = format!(
        "<p class=\"note\">{} captions. A caption looks for its one clip; a clip looks for its captions, and the \
         best of \
         them counts. Equal scores are ranked against the right answer.</p>\n{}",
        count(r.captions),
        table(&heads, &rows, None)
    );
    let mut parts = vec![Part::new("retrieval", "Retrieval", body)];
    if !r.worst.is_empty() {
        let items: String = r.worst.iter().map(item).collect();
        let body = format!(
            "<p class=\"note\">The {} captions that find their clip last, worst first.</p>\n<ol \
             class=\"clips\">\n{items}</ol>\n",
            r.worst.len()
        );
        parts.push(Part::new("listen", "Listen", body));
    }
    parts
}

fn row(name: &str, d: &RetrievalDirection) -> String {
    let recall = |i: Interval| {
        format!("<td class=\"number\">{}<br /><span class=\"note\">{}</span></td>", percent(i.value), ends(i))
    };
    format!(
        "<tr><th scope=\"row\">{name}</th>{}{}{}{}<td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
        recall(d.r1),
        recall(d.r5),
        recall(d.r10),
        share_cell(Some(d.map10)),
        d.median_rank,
        count(d.queries)
    )
}

fn item(c: &CaptionResult) -> String {
    let first = if c.first == c.path {
        String::new()
    } else {
        format!("<p class=\"note\">found first:</p>{}{}", file(&c.first), player(&c.first))
    };
    format!(
        "<li><p><strong>{}</strong><br /><span class=\"note\">its clip at place {}:</span></p>{}{}{first}</li>\n",
        escape(&c.caption),
        count(c.rank),
        file(&c.path),
        player(&c.path)
    )
}
