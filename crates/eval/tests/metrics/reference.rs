//! The committed cases, as `reference.py` writes them.

use earmark_eval::report::{Interval, ReliabilityBin};
use serde::Deserialize;

/// What reference.py writes.
#[derive(Deserialize)]
pub(crate) struct Reference {
    pub(crate) single: Vec<Single>,
    pub(crate) multi: Vec<Multi>,
    pub(crate) retrieval: Vec<Retrieval>,
    pub(crate) events: Vec<Detection>,
    pub(crate) probit: Vec<(f64, f64)>,
}

#[derive(Deserialize)]
pub(crate) struct Class {
    pub(crate) support: usize,
    pub(crate) precision: f64,
    pub(crate) recall: f64,
    pub(crate) f1: f64,
    pub(crate) average_precision: Option<f64>,
    pub(crate) auc: Option<f64>,
}

#[derive(Deserialize)]
pub(crate) struct Single {
    pub(crate) probabilities: Vec<Vec<f32>>,
    pub(crate) truth: Vec<usize>,
    pub(crate) folds: Vec<usize>,
    pub(crate) top1: Interval,
    pub(crate) top5: Option<Interval>,
    pub(crate) balanced_accuracy: f64,
    pub(crate) confusion: Vec<Vec<u32>>,
    pub(crate) classes: Vec<Class>,
    pub(crate) fold_accuracies: Vec<f64>,
    pub(crate) brier: f64,
    pub(crate) nll: f64,
    pub(crate) ece: f64,
    pub(crate) bins: Vec<ReliabilityBin>,
}

#[derive(Deserialize)]
pub(crate) struct Multi {
    pub(crate) probabilities: Vec<Vec<f32>>,
    pub(crate) truth: Vec<Vec<usize>>,
    pub(crate) threshold: f32,
    pub(crate) classes: Vec<Class>,
    pub(crate) macro_map: f64,
    pub(crate) macro_auc: Option<f64>,
    pub(crate) d_prime: Option<f64>,
    pub(crate) label_ranking: Vec<f64>,
    pub(crate) brier: f64,
    pub(crate) nll: f64,
    pub(crate) ece: f64,
    pub(crate) bins: Vec<ReliabilityBin>,
}

#[derive(Deserialize)]
pub(crate) struct Retrieval {
    pub(crate) clips: usize,
    pub(crate) owner: Vec<usize>,
    pub(crate) scores: Vec<Vec<f32>>,
    pub(crate) text_to_audio: Direction,
    pub(crate) audio_to_text: Direction,
}

#[derive(Deserialize)]
pub(crate) struct Direction {
    pub(crate) r1: f64,
    pub(crate) r5: f64,
    pub(crate) r10: f64,
    pub(crate) map10: f64,
    pub(crate) median_rank: f64,
    pub(crate) queries: usize,
}

#[derive(Deserialize)]
pub(crate) struct Detection {
    pub(crate) recordings: Vec<Scene>,
    pub(crate) classes: Vec<Class>,
    pub(crate) event_f1: f64,
    pub(crate) event_f1_macro: f64,
    pub(crate) segment_f1: f64,
    pub(crate) segment_f1_macro: f64,
    pub(crate) error_rate: f64,
}

#[derive(Deserialize)]
pub(crate) struct Scene {
    pub(crate) expected: Vec<(usize, f64, f64)>,
    pub(crate) found: Vec<(usize, f64, f64)>,
}

pub(crate) fn reference() -> Reference {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/eval/metrics.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}
