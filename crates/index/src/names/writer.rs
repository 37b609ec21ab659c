//! Following the store.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tantivy::directory::MmapDirectory;
use tantivy::{Index, IndexWriter, TantivyError};

use super::folder;
use super::schema::Fields;
use crate::codec::Stamp;
use crate::types::{ClipId, ClipText};

/// What was written is committed when it is so old: readers see it soon, and a job that adds thousands of
/// clips does not wait for thousands of commits.
const COMMIT_AFTER: Duration = Duration::from_secs(2);

/// Memory for documents that are not committed yet, bytes. tantivy wants at least 15 MB.
const MEMORY: usize = 32_000_000;

/// The text side, opened for writing by the process that writes the index.
pub(crate) struct NamesWriter {
    dir: PathBuf,
    fields: Fields,
    index: Index,
    /// The state that is committed; None before the first commit.
    committed: Option<Stamp>,
    /// Made when there is something to write: it starts threads.
    open: Option<Open>,
}

struct Open {
    writer: IndexWriter,
    /// The state of the store that what was written belongs to.
    pending: Option<Stamp>,
    since: Instant,
}

impl NamesWriter {
    /// Opens the text side of the index in `dir`. What cannot be read is removed, and begun again.
    pub(crate) fn open(dir: &Path) -> tantivy::Result<Self> {
        let folder = folder(dir);
        let fields = Fields::new();
        let open = || -> tantivy::Result<Index> {
            fs::create_dir_all(&folder)?;
            let mut index = Index::open_or_create(MmapDirectory::open(&folder)?, fields.schema.clone())?;
            index.set_tokenizers(Fields::tokenizers());
            // Opens each file.
            index.reader()?;
            Ok(index)
        };
        let opened = open().and_then(|index| Ok((index.load_metas()?.payload, index)));
        let (payload, index) = match opened {
            Ok(opened) => opened,
            Err(_) => {
                fs::remove_dir_all(&folder)?;
                (None, open()?)
            }
        };
        let committed = payload.as_deref().and_then(Stamp::parse);
        Ok(Self { dir: dir.to_path_buf(), fields, index, committed, open: None })
    }

    /// Clips that it has, once what was written is committed, and files of it that are damaged.
    pub(crate) fn audit(&mut self) -> tantivy::Result<(u64, Vec<PathBuf>)> {
        self.commit()?;
        let clips = self.index.reader()?.searcher().num_docs();
        Ok((clips, self.index.validate_checksum()?.into_iter().collect()))
    }

    /// Whether it shows this state of the store.
    pub(crate) fn is_at(&self, stamp: Stamp) -> bool {
        self.open.as_ref().and_then(|open| open.pending).or(self.committed) == Some(stamp)
    }

    fn writer(&mut self) -> tantivy::Result<&mut Open> {
        let open = match self.open.take() {
            Some(open) => open,
            None => {
                let writer = self.index.writer_with_num_threads(1, MEMORY)?;
                Open { writer, pending: None, since: Instant::now() }
            }
        };
        Ok(self.open.insert(open))
    }

    /// Begins again.
    pub(crate) fn clear(&mut self) -> tantivy::Result<()> {
        let open = self.writer()?;
        // Documents that are not committed would survive.
        open.writer.rollback()?;
        open.pending = None;
        open.writer.delete_all_documents().map(drop)
    }

    /// Writes a clip's document, in the place of the one before. `path` is in its stored form.
    pub(crate) fn put(
        &mut self,
        id: ClipId,
        path: &str,
        tags: &[String],
        texts: &[ClipText],
    ) -> tantivy::Result<()> {
        let document = self.fields.document(id, path, tags, texts);
        self.remove(id)?;
        self.writer()?.writer.add_document(document).map(drop)
    }

    /// Removes a clip's document.
    pub(crate) fn remove(&mut self, id: ClipId) -> tantivy::Result<()> {
        let term = self.fields.term(id);
        self.writer()?.writer.delete_term(term);
        Ok(())
    }

    /// What was written makes up this state of the store. Commits now and then.
    pub(crate) fn reached(&mut self, stamp: Stamp) -> tantivy::Result<()> {
        let open = self.writer()?;
        if open.pending.replace(stamp).is_none() {
            open.since = Instant::now();
        }
        if open.since.elapsed() < COMMIT_AFTER { Ok(()) } else { self.commit() }
    }

    /// Commits what was written.
    pub(crate) fn commit(&mut self) -> tantivy::Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let Some(stamp) = open.pending.take() else { return Ok(()) };
        let mut commit = open.writer.prepare_commit()?;
        commit.set_payload(&stamp.to_string());
        commit.commit()?;
        self.committed = Some(stamp);
        Ok(())
    }

    /// Removes the text side, which could not be written: whoever opens the index next makes it again.
    pub(crate) fn give_up(self, why: &TantivyError) -> String {
        let folder = folder(&self.dir);
        drop(self);
        let _ = fs::remove_dir_all(folder);
        why.to_string()
    }
}

impl Drop for NamesWriter {
    fn drop(&mut self) {
        // What fails here is missing until the next writer sees that the stamp is an old one.
        let _ = self.commit();
        if let Some(open) = self.open.take() {
            // Else segments that were to become one stay as they are.
            let _ = open.writer.wait_merging_threads();
        }
    }
}
