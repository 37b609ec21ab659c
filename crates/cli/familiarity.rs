//! Warnings if the model does not know the words it was given, or does not read all of them.

use earmark_library::KnownText;

use crate::args::Global;
use crate::output::{self, note};

/// Texts that are named in one warning.
const NAMED: usize = 8;

/// Warns of texts that the model hardly knows, and of those whose end it does not read.
pub(crate) fn warn(texts: &[KnownText], global: &Global) {
    if global.quiet {
        return;
    }
    if let Some(strange) = named(texts.iter().filter(|known| known.is_strange())) {
        note!(
            "the model hardly knows {strange}, so the answer may mean little; it knows English descriptions of \
             sounds"
        );
    }
    if let Some(cut) = named(texts.iter().filter(|known| known.cut)) {
        note!("the model does not read all of {cut}: the end was left out; fewer words do better");
    }
}

/// The texts in quotes, the first of them; `None` if there is none.
fn named<'a>(texts: impl Iterator<Item = &'a KnownText>) -> Option<String> {
    let all: Vec<String> = texts.map(|known| format!("`{}`", output::printable(&known.text))).collect();
    let more = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!all.is_empty()).then(|| format!("{}{more}", all[..all.len().min(NAMED)].join(", ")))
}
