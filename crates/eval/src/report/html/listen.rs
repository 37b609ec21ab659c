//! Clips to listen to.

use super::Part;
use super::markup::{escape, player};
use crate::report::ClipResult;
use crate::report::text::{percent, split_path};

pub(super) fn part(worst: &[ClipResult], which: &str) -> Option<Part> {
    if worst.is_empty() {
        return None;
    }
    let items: String = worst.iter().map(item).collect();
    let body = format!(
        "<p class=\"note\">The {} clips with {which}, worst first. Are they mislabelled, or hard?</p>\n<ol \
         class=\"clips\">\n{items}</ol>\n",
        worst.len()
    );
    Some(Part::new("listen", "Listen", body))
}

fn item(clip: &ClipResult) -> String {
    let called = if clip.predicted == clip.expected {
        "<dt></dt><dd class=\"note\">rightly called, but not sure</dd><dd></dd>".to_owned()
    } else {
        let (label, probability) = (escape(&clip.predicted), percent(clip.probability));
        format!("<dt>called</dt><dd>{label}</dd><dd class=\"number\">{probability}</dd>")
    };
    format!(
        "<li>{}<dl class=\"facts\"><dt>is</dt><dd>{}</dd><dd class=\"number\">{}</dd>{called}</dl>{}</li>\n",
        file(&clip.path),
        escape(&clip.expected),
        percent(clip.expected_probability),
        player(&clip.path)
    )
}

/// A file's name, and its folder below.
pub(super) fn file(path: &str) -> String {
    let (name, folder) = split_path(path);
    format!("<div class=\"file\">{}</div><div class=\"folder\">{}</div>", escape(name), escape(folder))
}
