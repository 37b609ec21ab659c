//! What all handlers share.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use earmark_encoder::Catalogue;
use earmark_engine::Engine;
use earmark_engine::label_sets::LabelSets;
use earmark_engine::labels::EncodedLabels;
use earmark_engine::tag::Tagger;
use earmark_index::{LiveIndex, Snapshot};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::auth::Keys;
use crate::config::Config;
use crate::error::{ApiError, ApiResult};
use crate::gate::Gate;
use crate::graphs::Graphs;
use crate::jobs::Jobs;
use crate::metrics::Metrics;
use crate::roots::Roots;
use crate::texts::Texts;
use crate::uploads::Budget;

/// A model and an index of its vectors, opened by the program.
pub struct Library {
    /// Answers requests.
    pub engine: Engine,
    /// Works for jobs: with threads of its own, so that requests are not starved.
    pub job_engine: Engine,
    /// A model with classes of its own, if there is one.
    pub tagger: Option<Tagger>,
    /// The index. Other processes may write it too.
    pub index: LiveIndex,
    /// The models there are.
    pub catalogue: Catalogue,
    /// The folder in which label sets are kept: the collection's.
    pub folder: PathBuf,
}

/// A library at work.
pub(crate) struct Open {
    pub(crate) engine: Arc<Engine>,
    pub(crate) tagger: Option<Tagger>,
    pub(crate) live: Arc<LiveIndex>,
    pub(crate) catalogue: Catalogue,
    pub(crate) texts: Texts,
    pub(crate) jobs: Jobs,
    pub(crate) graphs: Graphs,
    pub(crate) label_sets: LabelSets,
    pub(crate) labels: Cache<String, Arc<EncodedLabels>, ByBytes>,
}

impl Open {
    /// The index as it is now. For one request, so that all of its parts are of one state.
    pub(crate) fn index(&self) -> Arc<Snapshot> {
        let snapshot = self.live.reader();
        // Those of the searches before, too.
        for event in self.live.take_events().into_iter().chain(snapshot.take_events()) {
            tracing::warn!(%event, "index");
        }
        snapshot
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

impl Weighter<String, Bytes> for ByBytes {
    fn weight(&self, key: &String, body: &Bytes) -> u64 {
        (key.len() + body.len()).max(1) as u64
    }
}

/// Labels kept encoded, bytes: some 6000 with the bundled model.
const LABELS_CACHED: u64 = 16 << 20;

/// Descriptions kept encoded.
const TEXTS_CACHED: usize = 4096;

/// The server.
#[derive(Clone)]
pub struct App {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) roots: Roots,
    pub(crate) metrics: Metrics,
    /// Sounds are decoded and encoded behind it.
    pub(crate) encodes: Gate,
    /// Searches and look-ups are done behind it.
    pub(crate) searches: Gate,
    pub(crate) uploads: Budget,
    /// Waveforms, pictures, maps.
    pub(crate) renders: Cache<String, Bytes, ByBytes>,
    open: OnceLock<Result<Arc<Open>, String>>,
}

impl App {
    /// A server whose library is still to come; until then it answers 503.
    ///
    /// # Errors
    /// A configuration that is unsafe or makes no sense.
    pub fn new(config: Config) -> Result<Self, String> {
        config.validate().map_err(|e| e.to_string())?;
        let keys = Keys::new(&config.keys, config.limits.requests_per_s)?;
        let roots = Roots::open(&config).map_err(|e| e.to_string())?;
        let bounds = &config.limits;
        let inner = Inner {
            keys,
            roots,
            metrics: Metrics::new(),
            encodes: Gate::new("decoding and encoding", bounds.encodes, bounds.queue),
            searches: Gate::new("searches", bounds.searches, bounds.queue),
            uploads: Budget::new(bounds.upload_bytes_total),
            renders: Cache::with_weighter(1024, bounds.cache_bytes, ByBytes),
            open: OnceLock::new(),
            config,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Puts the library to work.
    ///
    /// # Errors
    /// Threads could not be had, or the saved label sets not be read; or a library is at work already.
    pub fn open(&self, library: Library) -> Result<(), String> {
        let bounds = &self.inner.config.limits;
        let label_sets = LabelSets::new(&library.folder, bounds.label_sets);
        // So that damage is told at once.
        label_sets.all().map_err(|e| e.to_string())?;
        let (engine, index) = (Arc::new(library.engine), Arc::new(library.index));
        let open = Open {
            texts: Texts::start(Arc::clone(&engine), bounds.queue, TEXTS_CACHED)
                .map_err(|e| e.to_string())?,
            jobs: Jobs::start(library.job_engine, Arc::clone(&index), bounds.jobs)
                .map_err(|e| e.to_string())?,
            graphs: Graphs::start(Arc::clone(&engine), Arc::clone(&index), bounds)
                .map_err(|e| e.to_string())?,
            label_sets,
            labels: Cache::with_weighter(256, LABELS_CACHED, ByBytes),
            tagger: library.tagger,
            catalogue: library.catalogue,
            engine,
            live: index,
        };
        self.inner.open.set(Ok(Arc::new(open))).map_err(|_| "a library is open already".to_owned())
    }

    /// Says why there will be no library.
    pub fn fail(&self, reason: String) {
        let _ = self.inner.open.set(Err(reason));
    }

    /// The library, or 503 while it is being opened.
    pub(crate) fn library(&self) -> ApiResult<Arc<Open>> {
        match self.inner.open.get() {
            Some(Ok(open)) => Ok(Arc::clone(open)),
            Some(Err(reason)) => Err(ApiError::internal(reason)),
            None => Err(ApiError::unavailable("the library is being opened; try again soon")),
        }
    }

    /// Stops jobs and the building of graphs; what they finished is on disk when this returns.
    pub fn shut_down(&self) {
        if let Some(Ok(open)) = self.inner.open.get() {
            open.jobs.shut_down();
            open.graphs.shut_down();
        }
    }
}
