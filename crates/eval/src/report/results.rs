//! The figures of each task.

use serde::{Deserialize, Serialize};

use super::model::Interval;

/// The figures of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Results {
    /// One label a clip.
    Classification(Classification),
    /// Any number of labels a clip.
    MultiLabel(MultiLabel),
    /// Captions: retrieval both ways.
    Retrieval(Retrieval),
    /// When something is heard.
    Events(EventDetection),
}

impl Results {
    /// The rows of the classes; none for captions.
    pub(crate) fn classes_mut(&mut self) -> &mut [ClassResult] {
        match self {
            Self::Classification(r) => &mut r.classes,
            Self::MultiLabel(r) => &mut r.classes,
            Self::Events(r) => &mut r.classes,
            Self::Retrieval(_) => &mut [],
        }
    }
}

/// One label a clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// Accuracy over all clips.
    pub accuracy: Accuracy,
    /// What `classify` would answer, which is not always the best label; `None` where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
    /// Mean of the classes' recalls.
    pub balanced_accuracy: f64,
    /// A row a class, in the order of the confusion matrix.
    pub classes: Vec<ClassResult>,
    /// `[true class][predicted class]`, clips.
    pub confusion: Vec<Vec<u32>>,
    /// How far probabilities can be believed.
    pub calibration: Calibration,
    /// Accuracy in each fold, where folds were used.
    pub folds: Vec<f64>,
    /// The clips with the least probability of their own label, worst first; without those that were rightly called
    /// with better than even odds.
    pub worst: Vec<ClipResult>,
}

/// Top-1 and top-5 with Wilson's 95 % intervals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// The first label is right.
    pub top1: Interval,
    /// The right label is among the first five; `None` with five classes or fewer.
    pub top5: Option<Interval>,
}

/// Answers where "none of these" is one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answers {
    /// The answer is the right label; "none of these" counts as wrong. With Wilson's 95 % interval.
    pub right: Interval,
    /// Share of the clips whose answer is "none of these".
    pub none: f64,
}

/// One class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassResult {
    /// Its name in the dataset.
    pub name: String,
    /// The words it was asked for in, where they are others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Clips, or events, of it.
    pub support: usize,
    /// Right ones among those called so; 0 where none was.
    pub precision: f64,
    /// Those called so among its clips; 0 where it has none.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Average precision of ranking all clips by this class.
    pub average_precision: Option<f64>,
    /// Area under the ROC curve.
    pub auc: Option<f64>,
}

/// One clip, as listed for listening.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipResult {
    /// The file, absolute.
    pub path: String,
    /// Its label or labels.
    pub expected: String,
    /// The best label.
    pub predicted: String,
    /// Probability of the best label.
    pub probability: f64,
    /// Probability of its own label.
    pub expected_probability: f64,
}

/// Reliability of probabilities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Expected calibration error over the bins.
    pub ece: f64,
    /// Brier score: mean squared distance of the probabilities from the truth; 0 to 2 with one label a clip, 0 to 1
    /// for independent probabilities.
    pub brier: f64,
    /// Mean negative log likelihood, nats.
    pub nll: f64,
    /// Equal-width bins: with one label a clip of the best label's probability, else of every independent
    /// probability. Empty bins are left out.
    pub bins: Vec<ReliabilityBin>,
}

/// Clips whose probability falls into one bin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Mean probability.
    pub confidence: f64,
    /// Share that was right.
    pub accuracy: f64,
    /// Clips in it.
    pub count: usize,
}

/// Any number of labels a clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultiLabel {
    /// Mean of the classes' average precisions, with a bootstrap interval over clips.
    pub macro_map: Interval,
    /// Mean of the classes' areas under the ROC curve; `None` where no class has clips with it and clips without.
    pub macro_auc: Option<f64>,
    /// d' = sqrt(2) probit(AUC), of the mean AUC (AudioSet's convention); `None` where that is not finite.
    pub d_prime: Option<f64>,
    /// From which independent probability a label counts as given, in the rows of the classes.
    pub threshold: f64,
    /// A row a class; those without a positive clip take no part in the means.
    pub classes: Vec<ClassResult>,
    /// Reliability of independent probabilities: each pair of clip and class is one case.
    pub calibration: Calibration,
    /// The clips whose own labels rank lowest, worst first.
    pub worst: Vec<ClipResult>,
}

/// Captions and clips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retrieval {
    /// A caption finds its clip.
    pub text_to_audio: RetrievalDirection,
    /// A clip finds one of its captions.
    pub audio_to_text: RetrievalDirection,
    /// Captions.
    pub captions: usize,
    /// The captions that find their clip last, worst first.
    pub worst: Vec<CaptionResult>,
}

/// One caption, as listed for listening.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaptionResult {
    /// The caption.
    pub caption: String,
    /// The file it describes, absolute.
    pub path: String,
    /// At which place it was found, from 1.
    pub rank: usize,
    /// The file found first, absolute.
    pub first: String,
}

/// Retrieval one way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrievalDirection {
    /// Recall at 1.
    pub r1: Interval,
    /// Recall at 5.
    pub r5: Interval,
    /// Recall at 10.
    pub r10: Interval,
    /// Mean average precision at 10.
    pub map10: f64,
    /// Median rank of the first right answer, from 1; between two ranks, their mean.
    pub median_rank: f64,
    /// Queries asked.
    pub queries: usize,
}

/// When something is heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventDetection {
    /// Event-based F1, micro, onset and offset collars as in the protocol of sed_eval.
    pub event_f1: f64,
    /// Event-based F1, mean over classes.
    pub event_f1_macro: f64,
    /// F1, micro, where an event counts as found if one of its class has a moment in common with it.
    pub overlap_f1: f64,
    /// F1, micro, where an event counts as found if one of its class begins within 0.5 s of it.
    pub onset_f1: f64,
    /// Found events that no event of their class in the truth is left for, by overlap, an hour of the
    /// recordings.
    pub false_alarms_per_hour: f64,
    /// Segment-based F1, micro, segments of one second.
    pub segment_f1: f64,
    /// Segment-based F1, mean over classes.
    pub segment_f1_macro: f64,
    /// Segment-based error rate: substitutions, deletions and insertions for each active segment of the truth; may
    /// exceed 1.
    pub error_rate: f64,
    /// A row a class, event-based; those without an event in the truth take no part in the means.
    pub classes: Vec<ClassResult>,
    /// The recordings with the lowest segment-based F1, worst first.
    pub worst: Vec<RecordingResult>,
}

/// One recording, as listed for listening.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordingResult {
    /// The file, absolute.
    pub path: String,
    /// Its own segment-based F1, micro.
    pub segment_f1: f64,
    /// What is heard in it.
    pub expected: Vec<HeardEvent>,
    /// What was found.
    pub found: Vec<HeardEvent>,
}

/// A class from one time to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeardEvent {
    /// The class's name.
    pub class: String,
    /// Start, seconds.
    pub onset_s: f64,
    /// End, seconds.
    pub offset_s: f64,
}
