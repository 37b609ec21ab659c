//! A model: its manifest and its files.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use earmark_audio::{WindowSpec, WindowStream};

use crate::{CachedGraph, EncoderError, FieldProblem, GraphCache, Manifest, ModelFiles, Runtime};

/// Version of the way from bytes to vectors that is in code rather than in manifests (decoding, resampling,
/// framing, segmenting). Raised whenever the same file would get other vectors, so that an index never mixes
/// the two.
pub const PIPELINE_VERSION: u32 = 2;

/// A manifest with its files. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Model {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    manifest: Manifest,
    files: ModelFiles,
    axes: Option<Vec<String>>,
    classes: Option<Vec<String>>,
    hash: String,
    /// Whether the files were held against the manifest: hashing takes a second for a large model.
    verified: OnceLock<()>,
}

impl Model {
    /// Reads the model in `files`. Graphs are read, checked and opened only by [`Model::audio_encoder`] and
    /// [`Model::text_encoder`].
    ///
    /// # Errors
    /// Those of [`Manifest::parse`], and [`EncoderError::File`] when the manifest or the names of axes or
    /// classes cannot be read.
    pub fn open(files: ModelFiles) -> Result<Self, EncoderError> {
        let origin = match &files {
            ModelFiles::Bundled(name) => format!("bundled model {name}: manifest.toml"),
            ModelFiles::Folder(dir) => dir.join("manifest.toml").display().to_string(),
        };
        let bytes = files.read(&origin, "manifest.toml")?;
        let text = String::from_utf8_lossy(&bytes);
        let manifest = Manifest::parse(&text, &origin)?;
        let axes = match &manifest.axes {
            None => None,
            Some(axes) => Some(read_axes(&manifest, &files, &axes.names)?),
        };
        let classes = match &manifest.tagger {
            None => None,
            Some(tagger) => Some(read_classes(&manifest, &files, &tagger.classes)?),
        };
        let hash = manifest.vector_hash();
        let verified = OnceLock::new();
        Ok(Self { inner: Arc::new(Inner { manifest, files, axes, classes, hash, verified }) })
    }

    /// What the model is.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.inner.manifest
    }

    /// Where its files are.
    #[must_use]
    pub fn files(&self) -> &ModelFiles {
        &self.inner.files
    }

    /// See [`Manifest::vector_hash`].
    #[must_use]
    pub fn vector_hash(&self) -> &str {
        &self.inner.hash
    }

    /// Names of the axes, `dim` of them, where they mean something.
    #[must_use]
    pub fn axes(&self) -> Option<&[String]> {
        self.inner.axes.as_deref()
    }

    /// The names of those axes that have one of their own; `None` for axes that share one, as `mini`'s of
    /// timbre do, and mean something only together.
    #[must_use]
    pub fn own_axes(&self) -> Option<Vec<Option<&str>>> {
        let axes = self.axes()?;
        let mut counts = HashMap::new();
        axes.iter().for_each(|name| *counts.entry(name).or_insert(0_usize) += 1);
        Some(axes.iter().map(|name| (counts[name] == 1).then_some(name.as_str())).collect())
    }

    /// Names of the classes, for models of kind `tagger`.
    #[must_use]
    pub fn classes(&self) -> Option<&[String]> {
        self.inner.classes.as_deref()
    }

    /// A front end that cuts a waveform into windows of features, as the manifest says or with another hop.
    ///
    /// # Errors
    /// [`EncoderError::ManifestFields`] when the front end cannot be built, which a valid manifest's can.
    pub fn window_stream(&self, hop_samples: Option<usize>) -> Result<WindowStream, EncoderError> {
        self.plan(&self.manifest().window, hop_samples)
    }

    /// As [`Model::window_stream`], with the detection windows; `None` for a model without `[detect]`.
    ///
    /// # Errors
    /// See [`Model::window_stream`].
    pub fn detection_stream(&self, hop_samples: Option<usize>) -> Result<Option<WindowStream>, EncoderError> {
        let detect = self.manifest().detect.as_ref();
        detect.map(|detect| self.plan(&detect.window(), hop_samples)).transpose()
    }

    fn plan(&self, window: &WindowSpec, hop_samples: Option<usize>) -> Result<WindowStream, EncoderError> {
        let window = WindowSpec { hop_samples: hop_samples.unwrap_or(window.hop_samples), ..*window };
        self.manifest().plan(&window).map_err(|e| EncoderError::ManifestFields {
            manifest: self.manifest().id.clone(),
            problems: vec![FieldProblem {
                field: e.field.to_owned(),
                expected: e.expected,
                received: e.received,
            }],
        })
    }

    /// The graphs of this model that `runtime` keeps optimised.
    #[must_use]
    pub fn cached_graphs(&self, runtime: &Runtime) -> Vec<CachedGraph> {
        let m = self.manifest();
        let graphs = std::iter::once(&m.audio.graph).chain(m.text.as_ref().map(|text| &text.graph));
        let cache = runtime.graphs();
        let look = |graph: &String| cache?.look(graph, &GraphCache::name_of(m, graph, runtime.build())?);
        graphs.filter_map(look).collect()
    }

    /// Checks every file's size and SHA-256 against the manifest.
    ///
    /// # Errors
    /// [`EncoderError::File`], [`EncoderError::FileMismatch`] for the first file that is wrong.
    pub fn verify_files(&self) -> Result<(), EncoderError> {
        let m = self.manifest();
        m.files.iter().try_for_each(|entry| self.inner.files.verify(&m.id, entry))
    }

    /// A file of the model, held against the manifest.
    pub(crate) fn read(&self, path: &str) -> Result<Cow<'static, [u8]>, EncoderError> {
        let id = &self.manifest().id;
        match self.manifest().file(path).filter(|_| self.inner.verified.get().is_none()) {
            Some(entry) => self.inner.files.read_verified(id, entry),
            None => self.inner.files.read(id, path),
        }
    }

    /// This model, whose files are used whatever their checksums: to find out what is wrong with them.
    pub(crate) fn unverified(&self) -> Self {
        let Inner { manifest, files, axes, classes, hash, .. } = &*self.inner;
        let inner = Inner {
            manifest: manifest.clone(),
            files: files.clone(),
            axes: axes.clone(),
            classes: classes.clone(),
            hash: hash.clone(),
            verified: OnceLock::from(()),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Verifies all files, once a process: a graph may have weights in files of their own.
    pub(crate) fn verify_once(&self) -> Result<(), EncoderError> {
        if self.inner.verified.get().is_none() {
            self.verify_files()?;
            let _ = self.inner.verified.set(());
        }
        Ok(())
    }

    /// The folder of a model on disk.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match &self.inner.files {
            ModelFiles::Bundled(_) => None,
            ModelFiles::Folder(dir) => Some(dir),
        }
    }
}

fn read_lines(manifest: &Manifest, files: &ModelFiles, path: &str) -> Result<Vec<String>, EncoderError> {
    let bytes = files.read(&manifest.id, path)?;
    Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
}

fn read_axes(manifest: &Manifest, files: &ModelFiles, path: &str) -> Result<Vec<String>, EncoderError> {
    let axes = read_lines(manifest, files, path)?;
    if axes.len() == manifest.dim {
        return Ok(axes);
    }
    Err(EncoderError::FileMismatch {
        model: manifest.id.clone(),
        path: path.to_owned(),
        expected: format!("{} lines", manifest.dim),
        received: format!("{} lines", axes.len()),
    })
}

fn read_classes(manifest: &Manifest, files: &ModelFiles, path: &str) -> Result<Vec<String>, EncoderError> {
    let classes = read_lines(manifest, files, path)?;
    if !classes.is_empty() {
        return Ok(classes);
    }
    Err(EncoderError::FileMismatch {
        model: manifest.id.clone(),
        path: path.to_owned(),
        expected: "the name of a class on each line".to_owned(),
        received: "nothing".to_owned(),
    })
}
