//! The confusion matrix as a heat map, and the pairs it is made of.

use super::Part;
use super::markup::{escape, share_cell, table};
use crate::report::Classification;
use crate::report::figures::most_confused;
use crate::report::text::counted;

/// As many classes as a matrix can show at once.
const MOST: usize = 60;
/// As many as are shown of more.
const SHOWN: usize = 40;
/// Pairs in the list.
const PAIRS: usize = 15;
/// Characters of a class's name beside the matrix.
const NAME: usize = 22;

pub(super) fn part(r: &Classification) -> Part {
    let all = r.classes.len();
    let shown = shown(r);
    let note = if shown.len() < all {
        format!("<p>{} of {all} classes: those of the pairs that are confused most.</p>\n", shown.len())
    } else {
        String::new()
    };
    let body = format!(
        "{note}<p class=\"note\">A row is what the clips are, a column what they were called; colour is the share of \
         the row: <span class=\"key right\"></span>right <span class=\"whole\"><span class=\"key wrong\">\
         </span>wrong.</span> Point at a cell, or tap it.</p>\n\
         <div class=\"beside\"><div><div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Matrix\">{}\
         </div>\n<p class=\"readout\" aria-live=\"polite\"></p></div>\n\
         <div>{}</div></div>\n",
        heat_map(r, &shown),
        pairs(r)
    );
    Part::new("confusion", "Confusion", body)
}

/// Which classes the matrix shows: all, or those of the most confused pairs, in their own order.
fn shown(r: &Classification) -> Vec<usize> {
    if r.classes.len() <= MOST {
        return (0..r.classes.len()).collect();
    }
    let mut classes = std::collections::BTreeSet::new();
    for pair in most_confused(r) {
        if classes.len() + 2 > SHOWN {
            break;
        }
        classes.extend([pair.expected, pair.predicted]);
    }
    classes.into_iter().collect()
}

fn heat_map(r: &Classification, shown: &[usize]) -> String {
    let n = shown.len();
    let cell = match n {
        0..=12 => 38,
        13..=24 => 26,
        _ => 14,
    };
    let names: Vec<String> = shown.iter().map(|&class| shortened(&r.classes[class].name)).collect();
    // Letters of 11 px are about 6.3 px wide.
    let margin = 26 + names.iter().map(|n| n.chars().count()).max().unwrap_or(0) * 63 / 10;
    let size = n * cell;
    let (width, height) = (margin + size + 4, margin + size + 4);
    let font = if cell < 16 { 10 } else { 11 };

    let mut out = format!(
        "<svg class=\"readable\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"Confusion matrix of {n} classes; the most confused pairs are listed below\">\n\
         <text class=\"axis\" x=\"{}\" y=\"11\" text-anchor=\"middle\">called</text>\
         <text class=\"axis\" transform=\"translate(11 {}) rotate(-90)\" text-anchor=\"middle\">is</text>\n\
         <g style=\"font-size:{font}px\">\n",
        margin + size / 2,
        margin + size / 2,
    );
    for (i, name) in names.iter().enumerate() {
        let middle = margin + i * cell + cell / 2;
        let (full, name, before) = (escape(&r.classes[shown[i]].name), escape(name), margin - 5);
        out += &format!(
            "<text x=\"{before}\" y=\"{}\" text-anchor=\"end\" style=\"font-size:{font}px\">{name}<title>{full}\
             </title></text>\
             <text transform=\"translate({} {before}) rotate(-90)\" style=\"font-size:{font}px\">{name}\
             <title>{full}</title></text>\n",
            middle + 4,
            middle + 4,
        );
        let line = margin + i * cell;
        out += &format!(
            "<path class=\"grid\" d=\"M{margin} {line}h{size}M{line} {margin}v{size}\" stroke-width=\"0.5\" />\n"
        );
    }
    out += &format!(
        "<rect class=\"frame\" x=\"{margin}\" y=\"{margin}\" width=\"{size}\" height=\"{size}\" />\n"
    );
    for (y, &expected) in shown.iter().enumerate() {
        let of = &r.classes[expected];
        for (x, &predicted) in shown.iter().enumerate() {
            let clips = r.confusion[expected][predicted];
            if clips == 0 {
                continue;
            }
            let share = f64::from(clips) / of.support.max(1) as f64;
            let (left, top) = (margin + x * cell, margin + y * cell);
            let says = format!(
                "{}: {} of {} called {} ({:.0} %)",
                of.name,
                clips,
                counted(of.support, "clip"),
                r.classes[predicted].name,
                100.0 * share
            );
            // Even one clip of many must be seen, so low shares are raised.
            let opacity = 0.15 + 0.85 * share.powf(0.7);
            out += &format!(
                "<g><rect class=\"cell {}\" x=\"{}\" y=\"{}\" width=\"{w}\" height=\"{w}\" fill-opacity=\"{:.2}\">\
                 <title>{}</title></rect>",
                if expected == predicted { "right" } else { "wrong" },
                left + 1,
                top + 1,
                opacity,
                escape(&says),
                w = cell - 2,
            );
            if cell > 16 {
                out += &format!(
                    "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\" pointer-events=\"none\"{}>{clips}</text>",
                    left + cell / 2,
                    top + cell / 2 + 4,
                    match opacity {
                        o if o > 0.8 => " class=\"strong\"",
                        o if o > 0.55 => " class=\"middling\"",
                        _ => "",
                    }
                );
            }
            out += "</g>\n";
        }
    }
    out + "</g></svg>"
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    let start: String = name.chars().take(NAME - 1).collect();
    format!("{}\u{2026}", start.trim_end())
}

fn pairs(r: &Classification) -> String {
    let pairs = most_confused(r);
    if pairs.is_empty() {
        return "<p>No clip was called by the name of another class.</p>\n".to_owned();
    }
    let rows: String = pairs
        .iter()
        .take(PAIRS)
        .map(|p| {
            format!(
                "<tr><td class=\"name\">{}</td><td class=\"name\">{}</td><td class=\"number\">{}</td>{}</tr>\n",
                escape(&r.classes[p.expected].name),
                escape(&r.classes[p.predicted].name),
                p.clips,
                share_cell(Some(p.share))
            )
        })
        .collect();
    let rest = pairs.len().saturating_sub(PAIRS);
    let rest =
        if rest > 0 { format!("<p class=\"note\">and {rest} more pairs</p>\n") } else { String::new() };
    let heads = [("is", false), ("called", false), ("clips", true), ("of the class", true)];
    format!("<h3>Most confused</h3>\n{}{rest}", table(&heads, &rows, None))
}
