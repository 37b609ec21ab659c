//! Raw samples as features.

use crate::spec::Normalise;

/// What `Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm` adds to the variance.
const VARIANCE_EPSILON: f64 = 1e-7;

/// Replaces `out` with the samples, normalised.
pub(super) fn compute(normalise: Normalise, samples: &[f32], out: &mut Vec<f32>) {
    out.clear();
    out.extend_from_slice(samples);
    if normalise == Normalise::None || samples.is_empty() {
        return;
    }
    let n = samples.len() as f64;
    let mean = samples.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let variance = samples.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
    let scale = 1.0 / (variance + VARIANCE_EPSILON).sqrt();
    for value in out {
        *value = ((f64::from(*value) - mean) * scale) as f32;
    }
}
