//! The newest text side for the snapshots of an index: opened when first asked for, and again when a writer
//! has replaced it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::{Names, folder};
use crate::codec::Stamp;
use crate::error::{Error, Result};
use crate::files::FileMark;
use crate::store::lock;
use crate::types::OpenOptions;
use crate::writer::Writer;

/// A text side that is so much older than the published state is not on its way: its writer was killed.
const ABANDONED_AFTER: Duration = Duration::from_secs(10);

/// What tells one state of the text side from the next without opening it: its list of files is replaced by
/// each commit.
fn mark_of(dir: &Path) -> Option<FileMark> {
    FileMark::of(&folder(dir).join("meta.json")).ok()
}

/// Shared by the snapshots of one index, one after the other.
#[derive(Default)]
pub(crate) struct CurrentNames(Mutex<Option<Opened>>);

struct Opened {
    /// Taken before it was opened: what came in between is looked at again.
    mark: Option<FileMark>,
    names: Arc<Names>,
    /// The published state for which it could not be brought up to date.
    given_up: Option<Stamp>,
}

impl CurrentNames {
    /// The text side of the index in `dir`, whose published state, since `published`, is that of `stamp`. One
    /// that lags behind for long, or cannot be used, is made again where this process may write; else
    /// `in_memory` makes it.
    pub(crate) fn get(
        &self,
        dir: &Path,
        stamp: Stamp,
        published: Option<SystemTime>,
        in_memory: impl FnOnce() -> Result<Names>,
    ) -> Result<Arc<Names>> {
        let mut current = lock(&self.0);
        let mut mark = mark_of(dir);
        let is_abandoned =
            || published.and_then(|then| then.elapsed().ok()).is_some_and(|age| age > ABANDONED_AFTER);
        let is_new = |names: &Names| names.stamp().is_some_and(|shown| shown.commit >= stamp.commit);
        if let Some(opened) = &*current
            && opened.mark == mark
            && (is_new(&opened.names) || opened.given_up == Some(stamp) || mark.is_some() && !is_abandoned())
        {
            return Ok(Arc::clone(&opened.names));
        }
        let opened = match Names::open(dir) {
            Ok(names) if is_new(&names) => Some(names),
            // A writer is at work, or was a moment ago.
            Ok(names) if names.stamp().is_some() && !is_abandoned() => Some(names),
            unusable => match Writer::open(
                dir,
                None,
                &OpenOptions { lock_wait: Duration::ZERO, ..OpenOptions::default() },
            ) {
                // Opening it has made the text side again.
                Ok(writer) => {
                    drop(writer);
                    mark = mark_of(dir);
                    Names::open(dir).ok()
                }
                Err(_) => unusable.ok().filter(|names| names.stamp().is_some()),
            },
        };
        let names = match opened {
            Some(names) => names,
            None => in_memory()?,
        };
        let names = Arc::new(names);
        let given_up = (!is_new(&names)).then_some(stamp);
        *current = Some(Opened { mark, names: Arc::clone(&names), given_up });
        Ok(names)
    }
}

/// What tantivy found wrong.
pub(crate) fn unusable(dir: &Path, error: &tantivy::TantivyError) -> Error {
    Error::Names { dir: dir.to_path_buf(), what: error.to_string() }
}
