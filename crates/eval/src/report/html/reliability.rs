//! The reliability diagram: what probabilities say against what is right.

use super::Part;
use super::markup::{escape, table};
use crate::report::Calibration;
use crate::report::figures::confidence;
use crate::report::text::{counted, percent};

/// Size of the plot, and of the counts below it.
const SIZE: f64 = 300.0;
const COUNTS: f64 = 50.0;
/// Where the plot begins.
const LEFT: f64 = 60.0;
const TOP: f64 = 10.0;

pub(super) fn part(c: &Calibration, independent: bool) -> Option<Part> {
    if c.bins.is_empty() {
        return None;
    }
    let (about, case) = if independent {
        ("Each pair of clip and class is one case; it is right where the clip has the class.", "case")
    } else {
        ("The best label's probability against the share of clips in which it is right.", "clip")
    };
    let rows: String = c
        .bins
        .iter()
        .map(|b| {
            format!(
                "<tr><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
                percent(b.confidence),
                percent(b.accuracy),
                b.count
            )
        })
        .collect();
    let verdict = confidence(c).filter(|_| !independent).map(|text| format!("<p>{}</p>\n", escape(&text)));
    let body = format!(
        "<p class=\"note\">{about} On the dashed line a probability says what is so; below it, too much.</p>\n\
         <div class=\"two\"><div class=\"scroll\">{}</div>\n<div>{}<dl class=\"facts\">\
         <dt>ECE</dt><dd>{}: mean distance from the line</dd>\
         <dt>Brier</dt><dd>{:.4}: mean squared error of the probabilities</dd>\
         <dt>NLL</dt><dd>{:.4} nats a {case}</dd></dl>\n\
         <details><summary>The bins as a table</summary>{}</details></div></div>\n",
        diagram(c, case),
        verdict.unwrap_or_default(),
        percent(c.ece),
        c.brier,
        c.nll,
        table(&[("probability", true), ("right", true), (&format!("{case}s"), true)], &rows, None),
    );
    Some(Part::new("reliability", "Reliability", body))
}

fn diagram(c: &Calibration, case: &str) -> String {
    let (width, height) = (LEFT + SIZE + 24.0, TOP + SIZE + COUNTS + 44.0);
    let x = |v: f64| LEFT + SIZE * v.clamp(0.0, 1.0);
    let y = |v: f64| TOP + SIZE * (1.0 - v.clamp(0.0, 1.0));
    let bottom = TOP + SIZE + COUNTS + 8.0;
    let mut out = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"Reliability diagram; its numbers are in the table of bins\">\n"
    );
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let label = format!("{:.0} %", 100.0 * tick);
        out += &format!(
            "<path class=\"grid\" d=\"M{LEFT} {yt}h{SIZE}M{xt} {TOP}v{SIZE}\" />\
             <text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{label}</text>\
             <text class=\"axis\" x=\"{xt}\" y=\"{}\" text-anchor=\"middle\">{label}</text>\n",
            LEFT - 5.0,
            y(tick) + 4.0,
            bottom + 14.0,
            xt = x(tick),
            yt = y(tick),
        );
    }
    out += &format!("<path class=\"ideal\" d=\"M{LEFT} {}L{} {TOP}\" />\n", TOP + SIZE, LEFT + SIZE);
    let points: Vec<String> =
        c.bins.iter().map(|b| format!("{:.1} {:.1}", x(b.confidence), y(b.accuracy))).collect();
    out += &format!("<path class=\"curve\" d=\"M{}\" />\n", points.join("L"));
    let most = c.bins.iter().map(|b| b.count).max().unwrap_or(1).max(1) as f64;
    for b in &c.bins {
        let share = b.count as f64 / most;
        let (at, tall) = (x(b.confidence), (COUNTS * share).max(1.0));
        out += &format!(
            "<g><title>says {}, right in {} of {}</title>\
             <path class=\"gap\" d=\"M{at:.1} {:.1}V{:.1}\" />\
             <circle class=\"point\" cx=\"{at:.1}\" cy=\"{:.1}\" r=\"{:.1}\" />\
             <rect class=\"bars\" x=\"{:.1}\" y=\"{:.1}\" width=\"10\" height=\"{tall:.1}\" /></g>\n",
            percent(b.confidence),
            percent(b.accuracy),
            counted(b.count, case),
            y(b.confidence),
            y(b.accuracy),
            y(b.accuracy),
            3.5 + 4.5 * share.sqrt(),
            at - 5.0,
            bottom - tall,
        );
    }
    out + &format!(
        "<text class=\"axis\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">probability, and how many {case}s have it\
         </text>\
         <text class=\"axis\" transform=\"translate(11 {}) rotate(-90)\" text-anchor=\"middle\">right</text></svg>",
        LEFT + SIZE / 2.0,
        bottom + 30.0,
        TOP + SIZE / 2.0,
    )
}
