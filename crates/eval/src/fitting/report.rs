//! What a fit found, in figures.

use earmark_engine::Engine;
use earmark_engine::fit::{self, Fitted, Method, OutOfFold};
use earmark_index::stored_path;
use serde::Serialize;

use super::{FitSettings, LabelledClips};
use crate::EvalError;
use crate::metrics;
use crate::report::{Classification, Interval};

/// What was learned, and how good it is on clips that it was not learned from.
#[derive(Debug, Clone, Serialize)]
pub struct FitReport {
    /// What was given.
    pub labelled: String,
    /// Id of the model.
    pub model: String,
    /// Clips that it was learned from.
    pub clips: usize,
    /// How many of these clips had their vectors in the index.
    pub from_index: usize,
    /// Clips that were held out; all figures are of these.
    pub held_out: usize,
    /// Parts that were held out in turn.
    pub folds: usize,
    /// Whether the parts are the dataset's own folds; else `seed` decides.
    pub own_folds: bool,
    /// How clips of one recording were recognised; they share a part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_by: Option<String>,
    /// Decides the parts.
    pub seed: u64,
    /// `prototypes` or `linear`.
    pub method: &'static str,
    /// Weight of the words, 0 to 1.
    pub text_weight: f32,
    /// Strength of the regularisation, of the linear method alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<f32>,
    /// The words alone; `None` where the model has no text side.
    pub zero_shot: Option<Figures>,
    /// The fit; `None` where nothing was held out.
    pub fitted: Option<Figures>,
    /// What `classify` would answer with the words alone; `None` where nothing was held out, or without
    /// words.
    pub zero_shot_answers: Option<Answers>,
    /// What `classify` would answer with the set; `None` where nothing was held out.
    pub answers: Option<Answers>,
    /// Share of the held-out clips that are answered "none of these" when their own label is left out, as is
    /// right then; `None` where nothing was held out.
    pub unknown_refused: Option<Interval>,
    /// The same before calibration.
    pub uncalibrated: Option<Figures>,
    /// The classes.
    pub labels: Vec<LabelRow>,
    /// Clips whose label is doubtful, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubtful: Option<Vec<Doubtful>>,
    /// Clips that could not be used.
    pub failed: Vec<FailedClip>,
    /// The name under which it was saved.
    pub saved: Option<String>,
}

/// Answers to clips that were held out, by a limit that was found without them.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Answers {
    /// Share that is answered rightly; "none of these" is not right.
    pub right: Interval,
    /// Share that is answered with "none of these".
    pub none: Interval,
}

/// How the probabilities of the classes fit the truth.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Figures {
    /// Share for which the most probable label is right, with its 95 % interval.
    pub accuracy: Interval,
    /// Mean negative log likelihood of the right label, in nats.
    pub nll: f64,
    /// Expected calibration error.
    pub ece: f64,
}

/// How a label came out.
#[derive(Debug, Clone, Serialize)]
pub struct LabelRow {
    /// Its name.
    pub label: String,
    /// Clips that have it.
    pub clips: usize,
    /// Share of its held-out clips that were called so.
    pub recall: Option<f64>,
    /// Probability from which it counts as heard, where several labels can be.
    pub threshold: f32,
}

/// A clip whose label looks wrong.
#[derive(Debug, Clone, Serialize)]
pub struct Doubtful {
    /// Its path.
    pub file: String,
    /// The label that it has.
    pub label: String,
    /// That label's probability, by a fit that has not heard the clip.
    pub probability: f32,
    /// The more probable label.
    pub rather: String,
    /// Its probability.
    pub rather_probability: f32,
    /// Whether that is usual for clips so labelled; else the clip may just be hard.
    pub confident: bool,
}

/// A clip that could not be used.
#[derive(Debug, Clone, Serialize)]
pub struct FailedClip {
    /// The file.
    pub path: String,
    /// What was wrong.
    pub reason: String,
}

/// The probabilities of the classes, and whether the answer is "none of these".
type Said<'a> = (&'a [f32], bool);

/// The report on a fit of `clips`, whose classes have these names.
pub(super) fn report(
    settings: &FitSettings,
    engine: &Engine,
    names: &[String],
    clips: &LabelledClips,
    fitted: &Fitted,
) -> Result<FitReport, EvalError> {
    let held_out = &fitted.held_out;
    let truth: Vec<usize> = held_out.iter().map(|one| clips.truth[one.clip]).collect();
    let files: Vec<String> = held_out.iter().map(|one| stored_path(&clips.files[one.clip])).collect();
    let judge =
        |scores: &dyn Fn(&OutOfFold) -> Option<Vec<f32>>| -> Result<Option<Classification>, EvalError> {
            match held_out.iter().map(scores).collect::<Option<Vec<_>>>() {
                Some(rows) if !rows.is_empty() => {
                    Ok(Some(metrics::classification(names, &files, &rows, &truth, None)?))
                }
                _ => Ok(None),
            }
        };
    let figures = |c: &Classification| Figures {
        accuracy: c.accuracy.top1,
        nll: c.calibration.nll,
        ece: c.calibration.ece,
    };
    let calibrated = judge(&|one| Some(one.probabilities.clone()))?;
    let share = |is: &dyn Fn(&OutOfFold) -> bool| {
        metrics::wilson(held_out.iter().filter(|one| is(one)).count(), held_out.len())
    };
    let best = |probabilities: &[f32]| {
        (0..names.len()).rev().max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]))
    };
    let answers = |said: &dyn Fn(&OutOfFold) -> Option<Said<'_>>| {
        let is_right = |one: &OutOfFold| {
            said(one).is_some_and(|(row, none)| !none && best(row) == Some(clips.truth[one.clip]))
        };
        let is_none = |one: &OutOfFold| said(one).is_some_and(|(_, none)| none);
        let is_known = held_out.first().and_then(said).is_some();
        is_known.then(|| Answers { right: share(&is_right), none: share(&is_none) })
    };
    let row = |(class, name): (usize, &String)| LabelRow {
        label: name.clone(),
        clips: clips.truth.iter().filter(|&&own| own == class).count(),
        recall: calibrated.as_ref().map(|c| &c.classes[class]).filter(|c| c.support > 0).map(|c| c.recall),
        threshold: fitted.head.lines[class].threshold,
    };
    let doubtful = |suspect: fit::Suspect| Doubtful {
        file: stored_path(&clips.files[suspect.clip]),
        label: names[suspect.given].clone(),
        probability: suspect.given_probability,
        rather: names[suspect.rather].clone(),
        rather_probability: suspect.rather_probability,
        confident: suspect.confident,
    };
    let suspects = || fit::suspects(held_out, &clips.truth, names.len());
    Ok(FitReport {
        labelled: settings.labelled.clone(),
        model: engine.model().manifest().id.clone(),
        clips: clips.files.len(),
        from_index: clips.from_index,
        held_out: held_out.len(),
        folds: held_out.iter().map(|one| one.fold + 1).max().unwrap_or(0),
        own_folds: settings.group_by.is_none() && clips.own_folds().is_some(),
        group_by: settings.group_by.clone(),
        seed: settings.options.seed,
        method: if fitted.chosen.method == Method::Linear { "linear" } else { "prototypes" },
        text_weight: fitted.chosen.text_weight,
        strength: fitted.chosen.strength,
        zero_shot: judge(&|one| Some(one.zero_shot.as_ref()?.probabilities.clone()))?.as_ref().map(figures),
        uncalibrated: judge(&|one| Some(one.uncalibrated.clone()))?.as_ref().map(figures),
        fitted: calibrated.as_ref().map(figures),
        zero_shot_answers: answers(&|one| {
            one.zero_shot.as_ref().map(|words| (words.probabilities.as_slice(), words.none))
        }),
        answers: answers(&|one| Some((&one.probabilities, one.none))),
        unknown_refused: (!held_out.is_empty()).then(|| share(&|one| one.none_without_class)),
        labels: names.iter().enumerate().map(row).collect(),
        doubtful: settings.audit.then(|| suspects().into_iter().map(doubtful).collect()),
        failed: clips.failed.clone(),
        saved: None,
    })
}
