//! [`Library`]: an index, the model of its vectors and what is kept ready between requests.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use earmark_encoder::{Catalogue, Runtime};
use earmark_engine::label_sets::LabelSets;
use earmark_engine::labels::EncodedLabels;
use earmark_engine::tag::Tagger;
use earmark_engine::{Engine, EngineError, Source, typed_path};
use earmark_index::{Error as IndexError, IndexEvent, LiveIndex, OpenOptions, file_path};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::error::{Error, Result};
use crate::home;
use crate::location::{Live, Location, Reader};
use crate::place::{LABEL_SETS, Place, model_of};
use crate::settings::Settings;
use crate::texts::Texts;

/// Labels kept encoded, bytes: some 6000 with the bundled model.
const LABELS_KEPT: u64 = 16 << 20;

/// How an index is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Access {
    /// For a question or two; what is read once is not prepared for being read again.
    #[default]
    Once,
    /// For long: it keeps up with what others write, and can write itself.
    Live,
}

/// Bounds on what one request may ask for. The default suits a user at their own machine; a server has
/// tighter ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Hits and items of one answer.
    pub results: usize,
    /// Hits that can be paged through.
    pub deepest: usize,
    /// Parts of a query.
    pub parts: usize,
    /// Templates of a request.
    pub templates: usize,
    /// Characters of one text.
    pub text_chars: usize,
    /// Labels in one request, prompts and templates of each counted.
    pub label_texts: usize,
    /// Clips that one request classifies.
    pub clips: usize,
    /// Sounds that one request tags: each is decoded.
    pub tagged: usize,
    /// Clips that one request compares with each other for duplicates: each may be decoded.
    pub compared: usize,
    /// Scores that a request for events may compute, labels times windows.
    pub event_scores: usize,
    /// Numbers in the tracks of one answer.
    pub track_numbers: usize,
    /// Saved label sets.
    pub label_sets: usize,
    /// Longest clip of which a stretch is decoded for a query, seconds.
    pub decode_s: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            results: usize::MAX,
            deepest: usize::MAX,
            parts: 1000,
            templates: 1000,
            text_chars: 100_000,
            label_texts: 1_000_000,
            clips: usize::MAX,
            tagged: usize::MAX,
            compared: usize::MAX,
            event_scores: usize::MAX,
            track_numbers: usize::MAX,
            label_sets: LABEL_SETS,
            decode_s: f64::INFINITY,
        }
    }
}

/// The files that a request names.
#[derive(Debug, Default)]
pub struct Files {
    is_local: bool,
    sent: Vec<(String, Source)>,
}

impl Files {
    /// Names are paths on this machine.
    #[must_use]
    pub fn local() -> Self {
        Self { is_local: true, sent: Vec::new() }
    }

    /// The names stand for these and for nothing else.
    #[must_use]
    pub fn sent(sent: Vec<(String, Source)>) -> Self {
        Self { is_local: false, sent }
    }

    /// Adds a file under a name.
    #[must_use]
    pub fn with(mut self, name: &str, source: Source) -> Self {
        self.sent.push((name.to_owned(), source));
        self
    }

    /// Names of files that came with the request and were not taken yet.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        self.sent.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The file of a name, once.
    ///
    /// # Errors
    /// [`Error::Field`] that names the field, if there is no such file.
    pub fn take(&mut self, field: &str, name: &str) -> Result<Source> {
        if let Some(at) = self.sent.iter().position(|(sent, _)| sent == name) {
            return Ok(self.sent.swap_remove(at).1);
        }
        if self.is_local {
            return Ok(Source::Path(typed_path(name.as_ref())));
        }
        let reason = format!("there is no file `{name}` in the request; each may be used once");
        Err(Error::field_is(field, reason))
    }
}

/// Decides whether the file of a clip may be read, and where it is, from its stored path.
pub type ClipFiles = Box<dyn Fn(&str) -> Result<PathBuf> + Send + Sync>;

/// How a library is opened.
pub struct LibraryOptions {
    /// How long the index is used.
    pub access: Access,
    /// How models are run and files are read.
    pub settings: Settings,
    /// Bounds on requests.
    pub limits: Limits,
    /// Which files of clips may be read; all of them by default.
    pub clip_files: ClipFiles,
}

impl Default for LibraryOptions {
    fn default() -> Self {
        Self {
            access: Access::default(),
            settings: Settings::default(),
            limits: Limits::default(),
            clip_files: Box::new(|path| Ok(file_path(path))),
        }
    }
}

/// An index that was found, and the space of it that is used.
struct Opened {
    space: String,
    index: Index,
}

enum Index {
    Once(Reader),
    Live(Live),
}

/// Why no index was found.
enum Absent {
    /// There is none.
    Index,
    /// It has no vectors of the model that is named.
    Space { wanted: String, known: Vec<String> },
}

/// An index of sounds, the model that made its vectors, and the models beside it. Share it between threads by
/// reference. Models are opened when first needed.
///
/// Its methods take the requests of this crate and give its answers: see [`Library::search`],
/// [`Library::classify`], [`Library::events`], [`Library::tag`], [`Library::list`], [`Library::info`].
pub struct Library {
    place: Place,
    access: Access,
    /// Why there was no index when the library was opened, if there was none.
    absent: Option<Absent>,
    /// Empty until there is an index.
    opened: OnceLock<Opened>,
    settings: Settings,
    limits: Limits,
    clip_files: ClipFiles,
    catalogue: Catalogue,
    runtime: Lazy<Runtime>,
    engine: Lazy<Engine>,
    tagger: Lazy<Tagger>,
    texts: Texts,
    label_sets: LabelSets,
    labels: Cache<String, Arc<EncodedLabels>, ByBytes>,
}

impl Library {
    /// Opens the library at a place. There need not be an index there: sounds that requests bring can be
    /// classified without one. With [`Access::Live`], an index that is made later is used from then on.
    ///
    /// # Errors
    /// As [`Place::open_index`], but for an index that is not there.
    pub fn open(place: Place, options: LibraryOptions) -> Result<Self> {
        let LibraryOptions { access, settings, limits, clip_files } = options;
        let (opened, absent) = match open_index(&place, access)? {
            Ok(opened) => (OnceLock::from(opened), None),
            Err(absent) => (OnceLock::new(), Some(absent)),
        };
        let catalogue = home::catalogue();
        Ok(Self {
            label_sets: place.location.label_sets(limits.label_sets),
            texts: Texts::default(),
            labels: Cache::with_weighter(256, LABELS_KEPT, ByBytes),
            runtime: Lazy::default(),
            engine: Lazy::default(),
            tagger: Lazy::default(),
            place,
            access,
            absent,
            opened,
            settings,
            limits,
            clip_files,
            catalogue,
        })
    }

    /// How long the index is used.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The name of the space of the index that is read; `None` without an index.
    #[must_use]
    pub fn space(&self) -> Option<&str> {
        self.opened.get().map(|opened| opened.space.as_str())
    }

    /// Bounds on requests.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How models are run and files are read.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The models that can be used.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The saved label sets.
    #[must_use]
    pub fn label_sets(&self) -> &LabelSets {
        &self.label_sets
    }

    pub(crate) fn kept_labels(&self) -> &Cache<String, Arc<EncodedLabels>, ByBytes> {
        &self.labels
    }

    /// The desk of the text encoder.
    #[must_use]
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The index as it is now. One request uses one state, so that all parts of its answer agree.
    ///
    /// # Errors
    /// [`IndexError::NotFound`] if there is no index.
    pub fn index(&self) -> Result<Reader> {
        match &self.opened()?.index {
            Index::Once(reader) => Ok(reader.clone()),
            Index::Live(live) => Ok(live.reader()),
        }
    }

    /// The index for writing.
    ///
    /// # Errors
    /// [`IndexError::NotFound`] if there is no index, [`IndexError::ReadOnly`] if it was opened with
    /// [`Access::Once`].
    pub fn live(&self) -> Result<&Live> {
        match &self.opened()?.index {
            Index::Live(live) => Ok(live),
            Index::Once(_) => Err(IndexError::ReadOnly { dir: self.dir() }.into()),
        }
    }

    /// Where the index is, as errors name it.
    fn dir(&self) -> PathBuf {
        self.place.location.to_string().into()
    }

    /// The index. One that was not there before is looked for again if the library is open for long.
    fn opened(&self) -> Result<&Opened> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened);
        }
        if self.access == Access::Live
            && let Ok(opened) = open_index(&self.place, self.access)?
        {
            return Ok(self.opened.get_or_init(|| opened));
        }
        let dir = self.dir();
        Err(match &self.absent {
            Some(Absent::Space { wanted, known }) => {
                IndexError::UnknownSpace { dir, wanted: wanted.clone(), known: known.clone() }
            }
            _ => IndexError::NotFound { dir },
        }
        .into())
    }

    /// What happened to the index since the last call and is worth telling.
    #[must_use]
    pub fn take_events(&self) -> Vec<IndexEvent> {
        match self.opened.get().map(|opened| &opened.index) {
            None => Vec::new(),
            Some(Index::Once(reader)) => reader.take_events(),
            Some(Index::Live(live)) => live.take_events(),
        }
    }

    /// ONNX Runtime.
    ///
    /// # Errors
    /// As [`Settings::runtime`].
    pub fn runtime(&self) -> Result<Arc<Runtime>> {
        self.runtime.get(|| self.settings.runtime())
    }

    /// The model of the index's vectors, made ready; without an index, the one that the place names or the
    /// bundled one.
    ///
    /// # Errors
    /// [`Error::ModelGone`], [`IndexError::ModelMismatch`]; as [`Settings::runtime`].
    pub fn engine(&self) -> Result<Arc<Engine>> {
        let engine = self.engine.get(|| {
            let model = match self.index() {
                // Another version of a model that is named by its folder may be meant.
                Ok(index) => {
                    let model = match &self.place.model {
                        Some(name) => self.catalogue.open(name).or_else(|_| model_of(index.header()))?,
                        None => model_of(index.header())?,
                    };
                    index.check_identity(&earmark_engine::identity(&model))?;
                    model
                }
                Err(_) => self.place.model()?,
            };
            Ok(Engine::new(model, (*self.runtime()?).clone(), self.settings.engine_options()?))
        })?;
        // An index that another process made meanwhile may be another model's.
        if self.absent.is_some()
            && let Ok(index) = self.index()
        {
            index.check_identity(&engine.identity())?;
        }
        Ok(engine)
    }

    /// A model with classes of its own: the one that the place names, if it is one, else the bundled one.
    ///
    /// # Errors
    /// [`Error::NoTagger`]; [`earmark_encoder::EncoderError::NoSuchSide`] for a model without classes.
    pub fn tagger(&self) -> Result<Arc<Tagger>> {
        self.tagger.get(|| {
            let name = match &self.place.model {
                Some(name) => name,
                None => Catalogue::default_tagger().ok_or(Error::NoTagger)?,
            };
            let model = self.catalogue.open(name)?;
            Ok(Tagger::new(model, (*self.runtime()?).clone(), self.settings.engine_options()?)?)
        })
    }

    /// The file of a clip, if it may be read.
    ///
    /// # Errors
    /// [`Error::ClipFile`].
    pub fn clip_file(&self, stored_path: &str) -> Result<PathBuf> {
        (self.clip_files)(stored_path)
    }

    /// Checks the templates of a request.
    pub(crate) fn check_templates(&self, templates: &[String]) -> Result<()> {
        crate::words::bounded("templates", templates.len(), 0, self.limits.templates)?;
        for template in templates {
            self.check_text("templates", template)?;
            if !template.contains("{}") {
                return Err(EngineError::Template(template.clone()).into());
            }
        }
        Ok(())
    }

    /// Refuses a text that is empty or too long.
    pub(crate) fn check_text(&self, field: &str, text: &str) -> Result<()> {
        let most = self.limits.text_chars;
        if text.trim().is_empty() {
            return Err(Error::field_is(field, "the text is empty; describe the sound in a word or more"));
        }
        if text.chars().count() > most {
            return Err(Error::field_is(field, format!("expected at most {most} characters")));
        }
        Ok(())
    }
}

/// The index of a place, or why there is none.
fn open_index(place: &Place, access: Access) -> Result<Result<Opened, Absent>> {
    let options = OpenOptions { once: access == Access::Once, ..OpenOptions::default() };
    let opened = match (access, &place.location) {
        (Access::Once, _) => place.open_index(&options).map(|(space, reader)| (space, Index::Once(reader))),
        (Access::Live, Location::Folder(_)) => open_live(place, &options),
        (Access::Live, Location::Database(_)) => {
            place.open_index(&options).map(|(space, reader)| match reader {
                Reader::Local(snapshot) => (space, Index::Once(Reader::Local(snapshot))),
                Reader::Database(index) => (space, Index::Live(Live::Database(index))),
            })
        }
    };
    match opened {
        Ok((space, index)) => Ok(Ok(Opened { space, index })),
        Err(Error::Engine(EngineError::Index(IndexError::NotFound { .. }))) => Ok(Err(Absent::Index)),
        // A tagger, say, has no vectors in the index, and needs none.
        Err(Error::Engine(EngineError::Index(IndexError::UnknownSpace { wanted, known, .. }))) => {
            Ok(Err(Absent::Space { wanted, known }))
        }
        Err(e) => Err(e),
    }
}

fn open_live(place: &Place, options: &OpenOptions) -> Result<(String, Index)> {
    let collection = place.collection(options)?;
    let _hold = collection.hold()?;
    let (space, _) = place.choose(&collection)?;
    let live = LiveIndex::open(&space.path, None, options)?;
    Ok((space.name, Index::Live(Live::Local(Arc::new(live)))))
}

/// What is made when first needed, and kept. A failure is not kept: the next one who needs it tries again.
struct Lazy<T>(Mutex<Option<Arc<T>>>);

impl<T> Default for Lazy<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Lazy<T> {
    fn get(&self, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*made {
            return Ok(Arc::clone(made));
        }
        Ok(Arc::clone(made.insert(Arc::new(make()?))))
    }
}

/// What is kept weighs its bytes.
#[derive(Clone)]
pub(crate) struct ByBytes;

impl Weighter<String, Arc<EncodedLabels>> for ByBytes {
    fn weight(&self, key: &String, labels: &Arc<EncodedLabels>) -> u64 {
        let vectors: usize = labels.vectors.iter().map(|v| size_of_val(v.as_slice())).sum();
        (key.len() + vectors).max(1) as u64
    }
}
