//! A warning where the model does not know the words it was given.

use earmark_engine::KnownText;

use crate::args::Global;
use crate::output::{self, note};

/// Texts that are named in one warning.
const NAMED: usize = 8;

/// Warns of texts that the model hardly knows.
pub(crate) fn warn(texts: &[KnownText], global: &Global) {
    let strange: Vec<String> = texts
        .iter()
        .filter(|known| known.is_strange())
        .map(|known| format!("`{}`", output::printable(&known.text)))
        .collect();
    if strange.is_empty() || global.quiet {
        return;
    }
    let more = match strange.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    note!(
        "the model hardly knows {}{more}, so the answer may mean little; it knows English descriptions of \
         sounds",
        strange[..strange.len().min(NAMED)].join(", ")
    );
}
