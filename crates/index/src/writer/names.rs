//! Keeping the text side at the state of the store.
//!
//! Nothing here fails a write: what was applied is safe, and the text side can be made again from it.

use super::Writer;
use crate::audit::Problems;
use crate::codec::{self, Stamp};
use crate::error::Result;
use crate::names::NamesWriter;
use crate::published::draft::Delta;
use crate::report::IndexEvent;
use crate::store::lock;
use crate::types::{ClipId, ClipText};

impl Writer {
    /// Opens the text side, and makes it again if it is not of this state of the store.
    pub(super) fn open_names(&self) {
        let stamp = lock(&self.state).counters.stamp;
        match NamesWriter::open(&self.dir) {
            Ok(names) if names.is_at(stamp) => *lock(&self.names) = Some(names),
            Ok(names) => {
                *lock(&self.names) = Some(names);
                self.write_all_names(stamp);
            }
            Err(e) => self.tell(IndexEvent::NamesNotWritten { reason: e.to_string() }),
        }
    }

    /// Makes the text side again from the store.
    pub(super) fn write_all_names(&self, stamp: Stamp) {
        self.with_names(|names| {
            names.clear()?;
            let clips = self.clip_records().map_err(in_store)?;
            for item in clips {
                let (id, record) = item.map_err(in_store)?;
                let texts = self.texts(id).map_err(in_store)?;
                names.put(id, &record.meta.path, &record.meta.tags, &texts)?;
            }
            names.reached(stamp)?;
            names.commit()
        });
    }

    /// Writes what a batch changed.
    pub(super) fn follow_names(&self, delta: &Delta, stamp: Stamp) {
        self.with_names(|names| {
            for (id, record) in &delta.clips {
                match record {
                    Some(record) => {
                        let texts = self.texts(*id).map_err(in_store)?;
                        names.put(*id, &record.meta.path, &record.meta.tags, &texts)?;
                    }
                    None => names.remove(*id)?,
                }
            }
            names.reached(stamp)
        });
    }

    /// Whether the text side is whole, and of as many clips as the store.
    pub(super) fn audit_names(&self, clips: usize, problems: &mut Problems) {
        let Some(names) = &mut *lock(&self.names) else {
            problems.add(|| "names cannot be searched: the text side cannot be opened".to_owned());
            return;
        };
        match names.audit() {
            Ok((named, damaged)) => {
                if named != clips as u64 {
                    problems.add(|| format!("{clips} clips are stored, {named} can be found by name"));
                }
                for file in damaged {
                    problems.add(|| format!("names/{} is damaged", file.display()));
                }
            }
            Err(e) => problems.add(|| format!("names cannot be searched: {e}")),
        }
    }

    /// What a clip's file says about itself, as stored.
    fn texts(&self, id: ClipId) -> Result<Vec<ClipText>> {
        Ok(self.store.record(&codec::texts_key(id))?.unwrap_or_default())
    }

    fn with_names(&self, write: impl FnOnce(&mut NamesWriter) -> tantivy::Result<()>) {
        let mut names = lock(&self.names);
        let Some(mut open) = names.take() else { return };
        match write(&mut open) {
            Ok(()) => *names = Some(open),
            Err(e) => self.tell(IndexEvent::NamesNotWritten { reason: open.give_up(&e) }),
        }
    }
}

fn in_store(error: crate::Error) -> tantivy::TantivyError {
    tantivy::TantivyError::InternalError(error.to_string())
}
