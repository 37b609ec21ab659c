//! What both kinds of report say first, and how they order what is long.

use super::text::{count, counted, percent};
use super::{Calibration, ClassResult, Classification, EvalReport, FileUsed, Interval, Protocol, Results};

/// A main figure.
pub(super) struct Figure {
    pub(super) name: &'static str,
    /// As text, with its unit.
    pub(super) value: String,
    pub(super) interval: Option<Interval>,
    /// What it means, in one line.
    pub(super) meaning: String,
}

impl Figure {
    fn share(name: &'static str, share: f64, meaning: impl Into<String>) -> Self {
        Self { name, value: percent(share), interval: None, meaning: meaning.into() }
    }

    fn interval(name: &'static str, interval: Interval, meaning: impl Into<String>) -> Self {
        Self { interval: Some(interval), ..Self::share(name, interval.value, meaning) }
    }

    fn number(name: &'static str, number: f64, meaning: impl Into<String>) -> Self {
        Self { name, value: format!("{number:.3}"), interval: None, meaning: meaning.into() }
    }
}

/// The main figures, the most telling first.
pub(super) fn figures(results: &Results) -> Vec<Figure> {
    match results {
        Results::Classification(r) => {
            let meaning = match r.classes.len() {
                1 => "there is but one class, so this says nothing",
                _ => "the best label is right",
            };
            let mut figures = vec![Figure::interval("top-1", r.accuracy.top1, meaning)];
            if let Some(top5) = r.accuracy.top5 {
                figures.push(Figure::interval("top-5", top5, "the right label is among the best five"));
            }
            if let Some(answers) = r.answers {
                let meaning = "what `classify` answers is right; \"none of these\" counts as wrong";
                figures.push(Figure::interval("answered rightly", answers.right, meaning));
                let meaning = "`classify` answers \"none of these\"";
                figures.push(Figure::share("answered \"none\"", answers.none, meaning));
            }
            figures.push(Figure::share("balanced", r.balanced_accuracy, "mean of the classes' recalls"));
            figures.push(ece(&r.calibration));
            figures
        }
        Results::MultiLabel(r) => {
            let mut figures =
                vec![Figure::interval("macro mAP", r.macro_map, "mean of the classes' average precisions")];
            figures.extend(r.macro_auc.map(|auc| {
                Figure::share("AUC", auc, "how often a clip with a label scores above one without")
            }));
            figures
                .extend(r.d_prime.map(|d| Figure::number("d\u{2032}", d, "the AUC in standard deviations")));
            figures.push(ece(&r.calibration));
            figures
        }
        Results::Retrieval(r) => {
            let (text, audio) = (&r.text_to_audio, &r.audio_to_text);
            vec![
                Figure::interval(
                    "text to audio R@10",
                    text.r10,
                    "a caption finds its clip among the first ten",
                ),
                Figure::share("text to audio mAP@10", text.map10, "how early, within the first ten"),
                Figure::interval(
                    "audio to text R@10",
                    audio.r10,
                    "a clip finds a caption of its own among ten",
                ),
                Figure::share("audio to text mAP@10", audio.map10, "how early, and how many of them"),
            ]
        }
        Results::Events(r) => vec![
            Figure::share("event F1", r.event_f1, "events found, onset and offset within the collars"),
            Figure::share("event F1, macro", r.event_f1_macro, "its mean over the classes"),
            Figure::share("segment F1", r.segment_f1, "seconds in which a class is rightly found"),
            Figure::share("segment F1, macro", r.segment_f1_macro, "its mean over the classes"),
            Figure::number(
                "error rate",
                r.error_rate,
                "errors for each second in which a class is heard; less is better",
            ),
            Figure::share("overlap F1", r.overlap_f1, "events found, somewhere in their time"),
            Figure::share("onset F1", r.onset_f1, "events found, beginning within 0.5 s"),
            Figure::number(
                "false alarms an hour",
                r.false_alarms_per_hour,
                "found events that no event of their class is left for; less is better",
            ),
        ],
    }
}

fn ece(calibration: &Calibration) -> Figure {
    Figure::share("ECE", calibration.ece, "how far probabilities are from the share that is right")
}

/// How the figures came about, one line each.
pub(super) fn protocol_rows(p: &Protocol) -> Vec<(&'static str, String)> {
    let mut rows = vec![("dataset", format!("{} ({})", p.dataset, p.layout))];
    let mut known =
        |name, text: Option<String>| rows.extend(text.filter(|t| !t.is_empty()).map(|t| (name, t)));
    let file = |file: &FileUsed| format!("{}, BLAKE3 {}", file.path, file.hash);
    known("task", Some(p.task.clone()));
    known("sounds in", p.audio.clone());
    known("mapping", p.mapping.as_ref().map(file));
    known("class texts", p.names.as_ref().map(file));
    rows.extend(p.split.clone().map(|split| ("split", split)));
    rows.push(("clips", clips(p)));
    rows.extend(p.seed.map(|seed| ("seed", seed.to_string())));
    rows.push(("model", p.model.clone()));
    rows.push(("manifest hash", p.manifest_hash.clone()));
    let set = p.label_set.as_ref().map(|set| format!("label set {set}"));
    let words = || "zero-shot: labels in words, nothing fitted".to_owned();
    rows.push(("method", p.fitted.clone().or(set).unwrap_or_else(words)));
    rows.extend(p.folds.map(|folds| match p.fitted {
        Some(_) => {
            let whose = match p.fold_choice.as_deref() {
                Some("own") => ", the dataset's own",
                Some("random") => ", at random, copies of a sound together",
                _ => "",
            };
            let group = |by: &String| format!(", clips of a recording together by {by}");
            let together = p.group_by.as_ref().map_or_else(String::new, group);
            ("folds", format!("{folds}{whose}{together}; each scored by what the others taught"))
        }
        None => ("folds", folds.to_string()),
    }));
    if p.untaught > 0 {
        let text =
            format!("{} of a class that no other fold had; they count as wrong", counted(p.untaught, "clip"));
        rows.push(("untaught", text));
    }
    if !p.prompts.is_empty() {
        rows.push(("prompt", p.prompts.join(" | ")));
    }
    rows.push(("pooling", p.pooling.clone()));
    rows.push(("crop", p.crop.clone()));
    rows.push(("precision", p.precision.clone()));
    rows.push(("earmark", p.earmark.clone()));
    rows
}

fn clips(p: &Protocol) -> String {
    let mut text = format!("{} of {}", count(p.clips), count(p.clips_in_dataset));
    if p.from_index > 0 {
        text += &format!(", {} of them with vectors from the index", count(p.from_index));
    }
    text
}

/// What is missing from the dataset in this run; `None` where it is whole.
pub(super) fn missing(report: &EvalReport) -> Option<String> {
    let skipped = report.skipped.len();
    (skipped > 0).then(|| {
        let verb = if skipped == 1 { "was" } else { "were" };
        format!("{} {verb} not evaluated", counted(skipped, "file"))
    })
}

/// Two classes that are taken for each other, by their numbers.
pub(super) struct Confused {
    pub(super) expected: usize,
    pub(super) predicted: usize,
    pub(super) clips: u32,
    /// Of the clips of the expected class.
    pub(super) share: f64,
}

/// Pairs of classes by the number of clips of the one that were called the other, most first.
pub(super) fn most_confused(r: &Classification) -> Vec<Confused> {
    let mut pairs = Vec::new();
    for (expected, (row, class)) in r.confusion.iter().zip(&r.classes).enumerate() {
        for (predicted, &clips) in row.iter().enumerate() {
            if clips > 0 && predicted != expected {
                let share = f64::from(clips) / class.support.max(1) as f64;
                pairs.push(Confused { expected, predicted, clips, share });
            }
        }
    }
    // The sort is stable, so equal ones keep the order of the classes.
    pairs.sort_by(|a, b| b.clips.cmp(&a.clips).then(b.share.total_cmp(&a.share)));
    pairs
}

/// Classes by what they are judged by, worst first, of equal ones those with more clips; those without a clip last.
pub(super) fn weakest(results: &Results) -> Vec<&ClassResult> {
    let (classes, quality): (_, fn(&ClassResult) -> f64) = match results {
        Results::Classification(r) => (&r.classes, |c| c.f1),
        Results::MultiLabel(r) => (&r.classes, |c| c.average_precision.unwrap_or(0.0)),
        Results::Events(r) => (&r.classes, |c| c.f1),
        Results::Retrieval(_) => return Vec::new(),
    };
    let mut order: Vec<&ClassResult> = classes.iter().collect();
    order.sort_by(|a, b| {
        let absent = (a.support == 0).cmp(&(b.support == 0));
        absent.then(quality(a).total_cmp(&quality(b))).then(b.support.cmp(&a.support))
    });
    order
}

/// Whether the best label's probability is too high or too low on the whole, in words.
pub(super) fn confidence(calibration: &Calibration) -> Option<String> {
    let clips: usize = calibration.bins.iter().map(|b| b.count).sum();
    if clips == 0 {
        return None;
    }
    let mean = |value: fn(&super::ReliabilityBin) -> f64| {
        calibration.bins.iter().map(|b| value(b) * b.count as f64).sum::<f64>() / clips as f64
    };
    let (says, is) = (mean(|b| b.confidence), mean(|b| b.accuracy));
    let verdict = match says - is {
        d if d > 0.02 => "it claims more than it knows",
        d if d < -0.02 => "it knows more than it claims",
        _ => "on the whole it claims what it knows",
    };
    Some(format!("On average it says {} and {} are right: {verdict}.", percent(says), percent(is)))
}
