//! The library in numbers.

use earmark_index::{Figures, KindFigures};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Result;
use crate::library::Library;
use crate::words::{Version, moment};

/// The library in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = LibraryInfo)]
pub struct Info {
    /// The version of this answer's fields.
    pub version: Version,
    /// Clips.
    pub clips: usize,
    /// Stretches with a vector of their own.
    pub segments: usize,
    /// All clips together, seconds.
    pub duration_s: f64,
    /// Size of the sound files, bytes.
    pub bytes: u64,
    /// Size of the index, bytes.
    pub disk_bytes: u64,
    /// Files that could not be indexed.
    pub failures: usize,
    /// The space of the index that this is about.
    pub space: String,
    /// All spaces.
    pub spaces: Vec<String>,
    /// The model of the vectors.
    pub model: String,
    /// Hash of everything in its manifest that decides vectors.
    pub manifest_hash: String,
    /// Version of the code between a file's bytes and its vectors.
    pub pipeline_version: u32,
    /// Version of the index's layout.
    pub format_version: u32,
    /// Length of a vector.
    pub dim: usize,
    /// Score below which hits are left out unless a request says otherwise; absent if the model is not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_score: Option<f32>,
    /// Whether probabilities were calibrated for the model.
    pub calibrated: bool,
    /// The tagger's name, if there is one.
    pub tagger: Option<String>,
    /// When the index was created.
    #[schema(format = "date-time")]
    pub created_at: String,
    /// HNSW graphs and inverted lists, with what was measured of each.
    pub graphs: Vec<Graph>,
    /// Saved label sets.
    pub label_sets: usize,
    /// What is wrong with the file of label sets, if anything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_sets_error: Option<String>,
    /// Version of the program.
    pub earmark_version: String,
}

/// What saves comparing with every segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// An HNSW graph.
    Hnsw,
    /// Inverted lists, which only databases have.
    Lists,
}

impl From<earmark_index::Method> for Method {
    fn from(method: earmark_index::Method) -> Self {
        match method {
            earmark_index::Method::Hnsw => Self::Hnsw,
            earmark_index::Method::InvertedLists => Self::Lists,
        }
    }
}

/// An HNSW graph or inverted lists, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = GraphInfo)]
pub struct Graph {
    /// Which of the two.
    pub method: Method,
    /// Segments that it covers.
    pub segments: usize,
    /// When it was built.
    #[schema(format = "date-time")]
    pub built_at: String,
    /// How long that took, seconds.
    pub build_s: f32,
    /// For queries with words, if they were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<GraphFigures>,
    /// For queries of sounds alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<GraphFigures>,
}

/// What a graph finds for one kind of query.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GraphFigures {
    /// Share of the ten best that it finds.
    pub recall_at_10: f32,
    /// Candidates that it keeps for that; of lists, how many are looked through.
    pub ef: u32,
    /// Time on one thread, milliseconds.
    pub ms: f32,
    /// Comparing with every segment on all cores, milliseconds.
    pub scan_ms: f32,
    /// Whether searches use it without being asked to.
    pub used: bool,
}

impl GraphFigures {
    fn of(figures: &KindFigures) -> Option<Self> {
        let best = figures.best()?;
        let used = figures.sufficient().is_some_and(|m| m.ms < figures.scan_ms);
        Some(Self { recall_at_10: best.recall, ef: best.ef, ms: best.ms, scan_ms: figures.scan_ms, used })
    }
}

impl Graph {
    /// A graph over so many segments, with its figures.
    #[must_use]
    pub fn new(segments: usize, figures: &Figures) -> Self {
        Self {
            method: figures.method.into(),
            segments,
            built_at: moment(figures.built_unix_s),
            build_s: figures.seconds,
            text: GraphFigures::of(&figures.text),
            sound: GraphFigures::of(&figures.sound),
        }
    }
}

impl Library {
    /// The library in numbers.
    ///
    /// # Errors
    /// [`earmark_index::Error::NotFound`] if there is no index.
    pub fn info(&self) -> Result<Info> {
        let index = self.index()?;
        let stats = index.stats()?;
        let header = index.header();
        let space = self.space().unwrap_or_default().to_owned();
        let spaces = self.place().spaces(&earmark_index::OpenOptions::default())?;
        let model = self.catalogue().open(&header.identity.model_id).ok();
        let scores = model.as_ref().map(|model| &model.manifest().scores);
        let (label_sets, label_sets_error) = match self.label_sets().all() {
            Ok(sets) => (sets.len(), None),
            Err(e) => (0, Some(e.to_string())),
        };
        Ok(Info {
            version: Version,
            clips: stats.clips,
            segments: stats.segments,
            duration_s: stats.duration_s,
            bytes: stats.file_bytes,
            disk_bytes: stats.disk_bytes,
            failures: stats.failures,
            space,
            spaces,
            model: header.identity.model_id.clone(),
            manifest_hash: header.identity.manifest_hash.clone(),
            pipeline_version: header.identity.pipeline_version,
            format_version: header.format_version,
            dim: header.identity.dim,
            min_score: scores.map(|scores| scores.min_similarity),
            calibrated: scores.is_some_and(|scores| scores.calibrated),
            tagger: earmark_encoder::Catalogue::default_tagger().map(str::to_owned),
            created_at: moment(header.created_unix_s),
            graphs: stats.graphs.iter().map(|(rows, figures)| Graph::new(*rows, figures)).collect(),
            label_sets,
            label_sets_error,
            earmark_version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }
}
