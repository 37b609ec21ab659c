//! The content of a report; its JSON form is what `earmark eval --json` prints.

use serde::{Deserialize, Serialize};

use super::results::Results;

/// A figure in `0..=1` with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The figure.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// A run's whole outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvalReport {
    /// How the figures came about.
    pub protocol: Protocol,
    /// The figures.
    pub results: Results,
    /// The same clips under other prompts, best first; empty unless asked for.
    pub prompts: Vec<PromptResult>,
    /// Clips of the dataset that were not evaluated, each with the reason.
    pub skipped: Vec<Skipped>,
    /// What lies beside the dataset's clips, such as sounds that its tables do not name.
    pub beside: Vec<Skipped>,
}

/// A file that decided something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileUsed {
    /// The file, absolute.
    pub path: String,
    /// BLAKE3 of what is in it, hexadecimal.
    pub hash: String,
}

/// Everything needed to run it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// earmark's version.
    pub earmark: String,
    /// The dataset's name: its folder or file.
    pub dataset: String,
    /// Its layout, such as `esc50`.
    pub layout: String,
    /// What is asked of each clip, in words.
    #[serde(default)]
    pub task: String,
    /// The folder that a table's paths start from, where that is not its own.
    #[serde(default)]
    pub audio: Option<String>,
    /// The table of labels or captions by file name, if one was given.
    #[serde(default)]
    pub mapping: Option<FileUsed>,
    /// The file of texts for classes, if one was given.
    #[serde(default)]
    pub names: Option<FileUsed>,
    /// The split evaluated, where the dataset has splits.
    pub split: Option<String>,
    /// The model's id.
    pub model: String,
    /// Hash of all that decides vectors.
    pub manifest_hash: String,
    /// Templates labels were put into; several are averaged.
    pub prompts: Vec<String>,
    /// How windows become a clip's vector.
    pub pooling: String,
    /// Which part of each clip is heard: window and hop, in words.
    pub crop: String,
    /// Number format of weights and arithmetic.
    pub precision: String,
    /// Clips evaluated.
    pub clips: usize,
    /// Clips whose vectors came from an index.
    pub from_index: usize,
    /// Clips of the dataset, evaluated or not.
    pub clips_in_dataset: usize,
    /// Seed of the sample, if only a sample was evaluated.
    pub seed: Option<u64>,
    /// Folds that fitted scores were cross-validated over; `None` where nothing was fitted.
    pub folds: Option<usize>,
    /// Whose folds: `own`, the dataset's, or `random`.
    #[serde(default)]
    pub fold_choice: Option<String>,
    /// How clips of one recording were recognised; they share a fold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_by: Option<String>,
    /// Clips whose class no other fold had to teach, and which so count as wrong.
    #[serde(default)]
    pub untaught: usize,
    /// What was fitted, in words; `None` for zero-shot and for a saved label set.
    pub fitted: Option<String>,
    /// The saved label set that was scored, and how it was made; `None` for the classes' own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_set: Option<String>,
}

/// The same clips under other prompts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptResult {
    /// The templates; several are averaged.
    pub templates: Vec<String>,
    /// What the figure is, such as `top-1` or `macro mAP`.
    pub metric: String,
    /// The figure.
    pub value: Interval,
}

/// A file that was not evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// The file, or the row of the dataset's table.
    pub path: String,
    /// Why, and what to do.
    pub reason: String,
}
