//! Labels learned from clips, and what that is worth: `fit`.

mod report;

use std::path::PathBuf;

use earmark_encoder::Embedding;
use earmark_engine::Engine;
use earmark_engine::clip_vectors::{OfFiles, clip_vectors};
use earmark_engine::fit::{FitOptions, Fitted, Labelled, fit_told};
use earmark_engine::labels::{Label, LabelSet};
use earmark_index::{IndexReader, stored_path};

use crate::EvalError;
use crate::datasets::{Class, Dataset, Problem, Task, Truth};

pub use report::{Answers, Doubtful, FailedClip, Figures, FitReport, LabelRow};

/// How to fit.
#[derive(Debug, Clone, Default)]
pub struct FitSettings {
    /// What was given, for the report.
    pub labelled: String,
    /// Templates for the classes' words, averaged; the model's own prompt if empty.
    pub templates: Vec<String>,
    /// The method and its settings. Which clips are held out together is found in the clips.
    pub options: FitOptions,
    /// How clips of one recording were recognised, for the report.
    pub group_by: Option<String>,
    /// Whether to list clips whose label is doubtful.
    pub audit: bool,
}

/// What was learned.
#[derive(Debug)]
pub struct Learnt {
    /// The classes' words.
    pub words: LabelSet,
    /// The head.
    pub fitted: Fitted,
    /// How good it is.
    pub report: FitReport,
}

/// Labelled clips that could be used.
#[derive(Debug)]
pub struct LabelledClips {
    files: Vec<PathBuf>,
    vectors: Vec<Embedding>,
    truth: Vec<usize>,
    folds: Vec<Option<u32>>,
    /// Recordings, if they were asked for.
    recordings: Vec<Option<u32>>,
    from_index: usize,
    /// Those that could not.
    pub failed: Vec<FailedClip>,
}

impl LabelledClips {
    /// Reads the clips of a dataset, from `index` where it has them.
    ///
    /// # Errors
    /// [`EvalError::Dataset`] where a clip has several labels or none.
    pub fn read(
        engine: &Engine,
        index: Option<&dyn IndexReader>,
        dataset: &Dataset,
    ) -> Result<Self, EvalError> {
        let failed =
            |problem: &Problem| FailedClip { path: problem.path.clone(), reason: problem.reason.clone() };
        let mut clips = Self {
            files: Vec::new(),
            vectors: Vec::new(),
            truth: Vec::new(),
            folds: Vec::new(),
            recordings: Vec::new(),
            from_index: 0,
            failed: dataset.problems.iter().map(failed).collect(),
        };
        let files: Vec<PathBuf> = dataset.clips.iter().map(|clip| clip.path.clone()).collect();
        let OfFiles { results, from_index } = clip_vectors(engine, index, &files)?;
        clips.from_index = from_index;
        for (clip, result) in dataset.clips.iter().zip(results) {
            match (result, &clip.truth) {
                (Ok(vector), Truth::Labels(labels)) => {
                    clips.files.push(clip.path.clone());
                    clips.vectors.push(vector);
                    clips.truth.extend(labels);
                    clips.folds.push(clip.fold);
                    clips.recordings.push(clip.group);
                }
                (Ok(_), _) => return Err(EvalError::dataset(&clip.path, "expected one label a clip")),
                (Err(e), _) => {
                    clips.failed.push(FailedClip { path: stored_path(&clip.path), reason: e.to_string() });
                }
            }
        }
        Ok(clips)
    }

    /// Which clips belong together: those of a recording, if that was asked for, else those of a fold.
    fn groups(&self) -> Option<Vec<u32>> {
        self.recordings.iter().copied().collect::<Option<_>>().or_else(|| self.own_folds())
    }

    /// The dataset's own folds, where every clip is in one and there are several: they part clips that were cut
    /// from the same recording.
    fn own_folds(&self) -> Option<Vec<u32>> {
        let groups: Vec<u32> = self.folds.iter().copied().collect::<Option<_>>()?;
        let first = groups.first()?;
        groups.iter().any(|group| group != first).then_some(groups)
    }
}

/// Fits labels to clips, and measures them on those that it holds out. `told` hears of parts that are done.
///
/// # Errors
/// [`EvalError::Engine`] where the clips do not suffice, or the settings do not fit.
pub fn fit(
    engine: &Engine,
    dataset: &Dataset,
    clips: &LabelledClips,
    settings: &FitSettings,
    told: &(dyn Fn(usize, usize) + Sync),
) -> Result<Learnt, EvalError> {
    let label = |class: &Class| Label { name: class.name.clone(), prompts: vec![class.text.clone()] };
    let words = LabelSet::new(dataset.classes.iter().map(label).collect())?;
    let names: Vec<String> = dataset.classes.iter().map(|class| class.name.clone()).collect();
    let texts = match engine.model().manifest().has_text() {
        true => Some(words.encode(engine, &settings.templates)?.vectors),
        false => None,
    };
    let options = FitOptions { groups: clips.groups(), ..settings.options.clone() };
    let labelled =
        Labelled { vectors: &clips.vectors, truth: &clips.truth, names: &names, texts: texts.as_deref() };
    let fitted = fit_told(&labelled, &engine.model().manifest().scores, &options, told)?;
    let report = report::report(settings, engine, &names, clips, &fitted)?;
    Ok(Learnt { words, fitted, report })
}

/// Refuses datasets whose clips have no label or several.
///
/// # Errors
/// [`EvalError::Dataset`].
pub fn check(path: &std::path::Path, dataset: &Dataset) -> Result<(), EvalError> {
    match dataset.task {
        Task::SingleLabel => Ok(()),
        _ => Err(EvalError::dataset(path, "expected one label a clip")),
    }
}
