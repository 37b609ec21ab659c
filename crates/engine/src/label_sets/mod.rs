//! Label sets that are kept under names: words, and what was fitted or adapted for them.
//!
//! ```text
//! DIR/label-sets.json         all sets: words, and for some what was made for them; replaced whole
//! DIR/label-sets/HASH.json    a head or a place, by the BLAKE3 hash of its own bytes; never changed
//! DIR/label-sets.lock         locked by whoever changes them
//! DIR/label-sets.known        hash of the first as earmark last wrote it, and the names in it
//! ```
//!
//! `DIR` is the index's folder, of which they are otherwise independent. What was made is written before the list that
//! names it, so a kill in between leaves the old list, and a file too many, which the next change removes. Nothing is held
//! in memory: the server and the command line see each other's changes. Readers take no lock; one whose file is gone, since
//! the set was changed, reads the list again.
//!
//! The last one tells a file that was deleted, or put there from elsewhere, from one that earmark wrote: it is refused until
//! it is put back, or accepted ([`LabelSets::accept`]).
//!
//! The first two may also be files that machines share ([`SharedFiles`]), which a database guards.
//!
//! - `set`: what a set is
//! - `known`: whether the list is the one that was written
//! - `files`: reading, writing, locking

mod files;
mod known;
mod set;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use earmark_index::Identity;

use crate::adapt::{Surroundings, adapt_words};
use crate::fit::Head;
use crate::labels::EncodedLabels;
use crate::{Engine, EngineError, LabelSetsFault};

use files::Kept;
pub use files::is_own_file;
use set::Content;
pub use set::{AdaptSummary, FitSummary, Made, SavedLabel, SavedSet};

/// How often a set is read that others change meanwhile.
pub const TRIES: usize = 5;

/// The saved label sets of a folder, or of a place that many machines share.
#[derive(Clone)]
pub struct LabelSets {
    kept: Kept,
    most: usize,
}

/// Small files by name that many machines share, such as in a database; for label sets.
pub trait SharedFiles: Send + Sync {
    /// Where they are, for people.
    fn place(&self) -> String;

    /// Keeps other writers out until what is given is dropped.
    ///
    /// # Errors
    /// Errors of the place that keeps the files.
    fn lock(&self) -> Result<Box<dyn Send>, earmark_index::Error>;

    /// A file; `None` if there is none of this name.
    ///
    /// # Errors
    /// Errors of the place that keeps the files.
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, earmark_index::Error>;

    /// Puts a whole file in place of another, or none.
    ///
    /// # Errors
    /// Errors of the place that keeps the files.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), earmark_index::Error>;

    /// Removes all files but these.
    ///
    /// # Errors
    /// Errors of the place that keeps the files.
    fn keep_only(&self, names: &[String]) -> Result<(), earmark_index::Error>;
}

impl LabelSets {
    /// Those in `dir`, which may not be there yet; at most `most` of them may be saved.
    #[must_use]
    pub fn new(dir: &Path, most: usize) -> Self {
        Self { kept: Kept::Folder(dir.to_path_buf()), most }
    }

    /// Those that machines share.
    #[must_use]
    pub fn shared(files: Arc<dyn SharedFiles>, most: usize) -> Self {
        Self { kept: Kept::Shared(files), most }
    }

    /// All of them, by name.
    ///
    /// # Errors
    /// [`EngineError::LabelSets`].
    pub fn all(&self) -> Result<BTreeMap<String, SavedSet>, EngineError> {
        files::read(&self.kept)
    }

    /// Takes the sets as they are, whoever wrote or deleted them; gives their names.
    ///
    /// # Errors
    /// [`EngineError::LabelSets`] where they cannot be read.
    pub fn accept(&self) -> Result<Vec<String>, EngineError> {
        let _lock = files::lock(&self.kept)?;
        files::accept(&self.kept)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`EngineError::NoSuchLabelSet`], [`EngineError::LabelSets`].
    pub fn get(&self, name: &str) -> Result<SavedSet, EngineError> {
        let mut all = self.all()?;
        all.remove(name).ok_or_else(|| no_such(name, &all))
    }

    /// Saves words; true if there was no set of that name. What was made for an older set of the name is gone.
    ///
    /// # Errors
    /// [`EngineError::TooManyLabelSets`]; [`EngineError::Labels`] for a bad name; [`EngineError::LabelSets`].
    pub fn put(&self, name: &str, set: SavedSet) -> Result<bool, EngineError> {
        self.insert(name, SavedSet { made: None, ..set })
    }

    /// Saves a set and the head that was fitted for it; true if there was no set of that name.
    ///
    /// # Errors
    /// As [`LabelSets::put`].
    pub fn put_fitted(
        &self,
        name: &str,
        set: SavedSet,
        identity: Identity,
        head: Head,
        fit: FitSummary,
    ) -> Result<bool, EngineError> {
        let _lock = files::lock(&self.kept)?;
        let content = Content { head: Some(head), place: None };
        let file = files::write_content(&self.kept, &content)?;
        let made = Made { identity, file, fit: Some(fit), adapt: None };
        self.insert_locked(name, SavedSet { made: Some(made), ..set })
    }

    /// Adapts a set to a place, instead of the one that it was adapted to before.
    ///
    /// # Errors
    /// [`EngineError::NoSuchLabelSet`]; [`EngineError::LabelSetOfOtherModel`]; [`EngineError::LabelSets`].
    pub fn adapt(
        &self,
        name: &str,
        identity: &Identity,
        place: Surroundings,
        adapt: AdaptSummary,
    ) -> Result<(), EngineError> {
        let _lock = files::lock(&self.kept)?;
        let set = self.get(name)?;
        let fit = set.made.as_ref().and_then(|made| made.fit.clone());
        let head = match set.made.as_ref().filter(|_| fit.is_some()) {
            Some(made) => {
                made.check(name, identity)?;
                files::read_content(&self.kept, name, made)?.head
            }
            None => None,
        };
        let file = files::write_content(&self.kept, &Content { head, place: Some(place) })?;
        let made = Made { identity: identity.clone(), file, fit, adapt: Some(adapt) };
        self.insert_locked(name, SavedSet { made: Some(made), ..set }).map(drop)
    }

    /// Takes back what [`LabelSets::adapt`] did; false if there was nothing to take back.
    ///
    /// # Errors
    /// [`EngineError::NoSuchLabelSet`]; [`EngineError::LabelSets`].
    pub fn undo_adapt(&self, name: &str) -> Result<bool, EngineError> {
        let _lock = files::lock(&self.kept)?;
        let set = self.get(name)?;
        let Some(made) = set.made.clone().filter(|made| made.adapt.is_some()) else { return Ok(false) };
        let made = match files::read_content(&self.kept, name, &made)?.head {
            Some(head) => {
                let file = files::write_content(&self.kept, &Content { head: Some(head), place: None })?;
                Some(Made { file, adapt: None, ..made })
            }
            None => None,
        };
        self.insert_locked(name, SavedSet { made, ..set })?;
        Ok(true)
    }

    /// Deletes a set and what was made for it.
    ///
    /// # Errors
    /// [`EngineError::NoSuchLabelSet`]; [`EngineError::LabelSets`].
    pub fn delete(&self, name: &str) -> Result<(), EngineError> {
        let _lock = files::lock(&self.kept)?;
        let mut all = self.all()?;
        all.remove(name).ok_or_else(|| no_such(name, &all))?;
        files::write(&self.kept, &all)
    }

    /// What was made for a set of this name, as classification uses it; `None` for words alone, which are to be encoded.
    ///
    /// # Errors
    /// [`EngineError::LabelSetOfOtherModel`]; [`EngineError::LabelSets`] where it is missing or damaged;
    /// [`EngineError::LabelSetChanged`] where `set` is no longer what is saved: read it again ([`unless_changed`]).
    pub fn head(
        &self,
        name: &str,
        set: &SavedSet,
        engine: &Engine,
    ) -> Result<Option<EncodedLabels>, EngineError> {
        let Some(made) = &set.made else { return Ok(None) };
        let content = self.content(name, made, engine)?;
        let Some(head) = content.head else { return Ok(None) };
        let names: Vec<&str> = set.labels.iter().map(SavedLabel::name).collect();
        if head.labels != names {
            let reason = format!("the head of `{name}` is of other labels; make the label set again");
            let path = files::content_path(&self.kept, &made.file);
            return Err(EngineError::LabelSets { path, reason, fault: LabelSetsFault::Content });
        }
        let model = &engine.model().manifest().id;
        Ok(Some(head.encoded(content.place.as_ref(), model)?))
    }

    /// Moves the words of a set, encoded, to the place that it was adapted to, if it was.
    ///
    /// # Errors
    /// As [`LabelSets::head`].
    pub fn adapt_words(
        &self,
        name: &str,
        set: &SavedSet,
        engine: &Engine,
        labels: &mut EncodedLabels,
    ) -> Result<(), EngineError> {
        if let Some(made) = &set.made
            && let Some(place) = self.content(name, made, engine)?.place
        {
            adapt_words(labels, &place);
        }
        Ok(())
    }

    /// A set ready for use: its head, or its words encoded in its templates.
    ///
    /// # Errors
    /// As [`LabelSets::head`]; those of the text encoder.
    pub fn encode(&self, name: &str, set: &SavedSet, engine: &Engine) -> Result<EncodedLabels, EngineError> {
        if let Some(labels) = self.head(name, set, engine)? {
            return Ok(labels);
        }
        let mut labels = set.label_set()?.encode(engine, &set.templates)?;
        self.adapt_words(name, set, engine, &mut labels)?;
        Ok(labels)
    }

    /// A set as it is in a place, whatever it was adapted to; `None`: as it is before any adapting.
    ///
    /// # Errors
    /// As [`LabelSets::encode`].
    pub fn encode_in(
        &self,
        name: &str,
        set: &SavedSet,
        engine: &Engine,
        place: Option<&Surroundings>,
    ) -> Result<EncodedLabels, EngineError> {
        let head = match set.made.as_ref().filter(|_| set.is_fitted()) {
            Some(made) => self.content(name, made, engine)?.head,
            None => None,
        };
        if let Some(head) = head {
            return head.encoded(place, &engine.model().manifest().id);
        }
        let mut labels = set.label_set()?.encode(engine, &set.templates)?;
        if let Some(place) = place {
            adapt_words(&mut labels, place);
        }
        Ok(labels)
    }

    fn content(&self, name: &str, made: &Made, engine: &Engine) -> Result<Content, EngineError> {
        made.check(name, &engine.identity())?;
        files::read_content(&self.kept, name, made)
    }

    fn insert(&self, name: &str, set: SavedSet) -> Result<bool, EngineError> {
        let _lock = files::lock(&self.kept)?;
        self.insert_locked(name, set)
    }

    fn insert_locked(&self, name: &str, set: SavedSet) -> Result<bool, EngineError> {
        check_name(name)?;
        set.label_set()?;
        let mut all = self.all()?;
        let is_new = all.insert(name.to_owned(), set).is_none();
        if is_new && all.len() > self.most {
            return Err(EngineError::TooManyLabelSets { most: self.most });
        }
        files::write(&self.kept, &all)?;
        Ok(is_new)
    }
}

/// Does `work`, which reads a set and uses it, again where the set was changed in between.
///
/// # Errors
/// Those of `work`, and [`EngineError::LabelSetChanged`] where that happens again and again.
pub fn unless_changed<T>(mut work: impl FnMut() -> Result<T, EngineError>) -> Result<T, EngineError> {
    for _ in 1..TRIES {
        match work() {
            Err(EngineError::LabelSetChanged { .. }) => {}
            done => return done,
        }
    }
    work()
}

/// Whether a set may have this name.
///
/// # Errors
/// [`EngineError::Labels`].
pub fn check_name(name: &str) -> Result<(), EngineError> {
    let is_bad = name.trim() != name
        || !(1..=100).contains(&name.chars().count())
        || name.contains(['/', '\\'])
        || [".", ".."].contains(&name)
        || name.chars().any(char::is_control);
    if is_bad {
        return Err(EngineError::Labels(
            "a set's name has 1 to 100 characters, without slashes, and is not `.` or `..`".to_owned(),
        ));
    }
    Ok(())
}

fn no_such(name: &str, all: &BTreeMap<String, SavedSet>) -> EngineError {
    let names: Vec<&str> = all.keys().map(String::as_str).take(20).collect();
    let known = if names.is_empty() { "are none".to_owned() } else { format!("are: {}", names.join(", ")) };
    EngineError::NoSuchLabelSet { name: name.to_owned(), known }
}

#[cfg(test)]
mod tests;
