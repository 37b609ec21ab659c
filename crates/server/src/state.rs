//! What all handlers share.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use earmark_engine::EngineOptions;
use earmark_library::{BATCH, ClipFiles, Error, Library, Limits, Reader};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::auth::Keys;
use crate::config::{Config, ConfigError};
use crate::error::{ApiError, ApiResult};
use crate::gate::Gate;
use crate::graphs::Graphs;
use crate::jobs::Jobs;
use crate::metrics::Metrics;
use crate::roots::Roots;
use crate::serve::ServeError;
use crate::uploads::Budget;

/// A library at work.
pub(crate) struct Open {
    pub(crate) library: Arc<Library>,
    pub(crate) jobs: Jobs,
    pub(crate) graphs: Graphs,
}

impl Open {
    /// The index as it is now. For one request, so that all of its parts are of one state.
    pub(crate) fn index(&self) -> ApiResult<Reader> {
        self.tell_events();
        Ok(self.library.index()?)
    }

    /// Logs what happened to the index.
    pub(crate) fn tell_events(&self) {
        for event in self.library.take_events() {
            tracing::warn!(%event, "index");
        }
    }
}

/// What is kept weighs its bytes.
#[derive(Clone)]
pub(crate) struct ByBytes;

impl Weighter<String, Bytes> for ByBytes {
    fn weight(&self, key: &String, body: &Bytes) -> u64 {
        (key.len() + body.len()).max(1) as u64
    }
}

/// Requests whose texts wait for the encoder at a time: it takes them together.
const TEXTS: usize = 2 * BATCH;

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
    /// Queries of words are encoded behind it.
    pub(crate) texts: Gate,
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
    /// [`ConfigError`] for a configuration that is unsafe or makes no sense.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.validate()?;
        let keys = Keys::new(&config.keys, config.limits.requests_per_s)?;
        let roots = Roots::open(&config)?;
        let bounds = &config.limits;
        let inner = Inner {
            keys,
            roots,
            metrics: Metrics::new(),
            encodes: Gate::new("decoding and encoding", bounds.encodes, bounds.queue),
            texts: Gate::new("texts", TEXTS, bounds.queue),
            searches: Gate::new("searches", bounds.searches, bounds.queue),
            uploads: Budget::new(bounds.upload_bytes_total),
            renders: Cache::with_weighter(1024, bounds.cache_bytes, ByBytes),
            open: OnceLock::new(),
            config,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Which files of clips may be read: those below the roots. For [`earmark_library::LibraryOptions`].
    #[must_use]
    pub fn clip_files(&self) -> ClipFiles {
        let roots = self.inner.roots.clone();
        Box::new(move |path| roots.clip_file(path))
    }

    /// Bounds on requests. For [`earmark_library::LibraryOptions`].
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.inner.config.limits.of_library()
    }

    /// Puts a library to work, which was opened with [`Self::clip_files`] and [`Self::limits`] and for long.
    /// Jobs work as `jobs` says, with threads of their own, so that requests are not starved.
    ///
    /// # Errors
    /// [`ServeError`] if threads could not be had, the saved label sets not be read, the model not be opened, or
    /// a library is at work already.
    pub fn open(&self, library: Library, jobs: EngineOptions) -> Result<(), ServeError> {
        let bounds = &self.inner.config.limits;
        // Damage is reported at once.
        library.label_sets().all().map_err(Error::from)?;
        let (engine, index) = (library.engine()?, library.live()?.clone());
        // The first to search does not wait for it.
        engine.open_text().map_err(Error::from)?;
        let open = Open {
            jobs: Jobs::start(engine.beside(jobs), index.clone(), bounds.jobs)?,
            graphs: Graphs::start(engine, index, bounds)?,
            library: Arc::new(library),
        };
        self.inner.open.set(Ok(Arc::new(open))).map_err(|_| ServeError::AlreadyOpen)
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
