//! The mel filterbank: triangular filters over FFT bins, kept sparse.

use crate::spec::{MelNorm, MelScale, MelShape};

/// Where the bands are and what their filters look like; the fields are those of [`LogMelSpec`](crate::LogMelSpec).
pub(super) struct MelBands {
    pub(super) sample_rate: u32,
    pub(super) n_fft: usize,
    pub(super) n_mels: usize,
    pub(super) f_min: f64,
    pub(super) f_max: f64,
    pub(super) scale: MelScale,
    pub(super) norm: MelNorm,
    pub(super) shape: MelShape,
}

/// `n_mels` filters over `n_fft / 2 + 1` bins; only the bins where a filter is not zero are stored.
#[derive(Debug)]
pub(super) struct Filterbank {
    bands: Vec<Band>,
    weights: Vec<f64>,
}

#[derive(Debug)]
struct Band {
    first_bin: usize,
    /// Where the band's weights are in `Filterbank::weights`.
    start: usize,
    end: usize,
}

impl Filterbank {
    pub(super) fn new(bands: &MelBands) -> Self {
        let mut bank = Self { bands: Vec::with_capacity(bands.n_mels), weights: Vec::new() };
        for row in weights(bands) {
            let first_bin = row.iter().position(|w| *w > 0.0).unwrap_or(0);
            let end_bin = row.iter().rposition(|w| *w > 0.0).map_or(first_bin, |last| last + 1);
            let start = bank.weights.len();
            bank.weights.extend_from_slice(&row[first_bin..end_bin]);
            bank.bands.push(Band { first_bin, start, end: bank.weights.len() });
        }
        bank
    }

    /// Gives `sink` every band and what its filter sums of `spectrum` (`[n_fft / 2 + 1]`).
    pub(super) fn apply(&self, spectrum: &[f64], mut sink: impl FnMut(usize, f64)) {
        for (index, band) in self.bands.iter().enumerate() {
            let weights = &self.weights[band.start..band.end];
            let bins = &spectrum[band.first_bin..band.first_bin + weights.len()];
            sink(index, dot(weights, bins));
        }
    }
}

/// A dot product in four independent sums: the order is fixed, so the result is too, and the compiler
/// can use vector registers.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a4.zip(b4) {
        for lane in 0..4 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// The dense filterbank `[n_mels][n_fft / 2 + 1]`, in double precision.
///
/// Filter `m` rises from edge `m` to edge `m + 1` and falls to edge `m + 2`; the `n_mels + 2` edges are
/// evenly spaced in mel from `f_min` to `f_max` (`librosa.filters.mel`,
/// `tf.signal.linear_to_mel_weight_matrix`, `torchaudio.compliance.kaldi.get_mel_banks`).
fn weights(bands: &MelBands) -> Vec<Vec<f64>> {
    let to_mel = |hz: f64| hz_to_mel(bands.scale, hz);
    let (low, high) = (to_mel(bands.f_min), to_mel(bands.f_max));
    let edges_mel: Vec<f64> =
        (0..bands.n_mels + 2).map(|i| low + (high - low) * i as f64 / (bands.n_mels + 1) as f64).collect();
    let edges_hz: Vec<f64> = edges_mel.iter().map(|m| mel_to_hz(bands.scale, *m)).collect();
    let bins_hz = |bin: usize| bin as f64 * f64::from(bands.sample_rate) / bands.n_fft as f64;

    (0..bands.n_mels)
        .map(|m| {
            let scale = match bands.norm {
                MelNorm::None => 1.0,
                MelNorm::Slaney => 2.0 / (edges_hz[m + 2] - edges_hz[m]),
            };
            (0..=bands.n_fft / 2)
                .map(|bin| {
                    let hz = bins_hz(bin);
                    scale
                        * match bands.shape {
                            MelShape::Hz => triangle(&edges_hz[m..m + 3], hz),
                            MelShape::Mel if bin == 0 => 0.0,
                            MelShape::Mel => triangle(&edges_mel[m..m + 3], to_mel(hz)),
                        }
                })
                .collect()
        })
        .collect()
}

fn triangle(edges: &[f64], at: f64) -> f64 {
    let rising = (at - edges[0]) / (edges[1] - edges[0]);
    let falling = (edges[2] - at) / (edges[2] - edges[1]);
    rising.min(falling).max(0.0)
}

/// Slaney's scale: 200/3 Hz a mel up to 1 kHz (mel 15), then 27 mel a factor of 6.4
/// (Auditory Toolbox; `librosa.hz_to_mel`).
const SLANEY_HZ_PER_MEL: f64 = 200.0 / 3.0;
const SLANEY_KNEE_HZ: f64 = 1000.0;
const SLANEY_KNEE_MEL: f64 = SLANEY_KNEE_HZ / SLANEY_HZ_PER_MEL;

fn slaney_log_step() -> f64 {
    6.4f64.ln() / 27.0
}

fn hz_to_mel(scale: MelScale, hz: f64) -> f64 {
    match scale {
        MelScale::Htk => 2595.0 * (1.0 + hz / 700.0).log10(),
        MelScale::Slaney if hz < SLANEY_KNEE_HZ => hz / SLANEY_HZ_PER_MEL,
        MelScale::Slaney => SLANEY_KNEE_MEL + (hz / SLANEY_KNEE_HZ).ln() / slaney_log_step(),
    }
}

fn mel_to_hz(scale: MelScale, mel: f64) -> f64 {
    match scale {
        MelScale::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
        MelScale::Slaney if mel < SLANEY_KNEE_MEL => mel * SLANEY_HZ_PER_MEL,
        MelScale::Slaney => SLANEY_KNEE_HZ * ((mel - SLANEY_KNEE_MEL) * slaney_log_step()).exp(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_scales_invert() {
        for scale in [MelScale::Htk, MelScale::Slaney] {
            for hz in [0.0, 125.0, 999.9, 1000.0, 7500.0, 24_000.0] {
                assert!((mel_to_hz(scale, hz_to_mel(scale, hz)) - hz).abs() < 1e-8);
            }
        }
        assert!((hz_to_mel(MelScale::Slaney, 1000.0) - 15.0).abs() < 1e-12);
        assert!((hz_to_mel(MelScale::Slaney, 6400.0) - 42.0).abs() < 1e-12);
    }

    #[test]
    fn dot_products_of_any_length() {
        for len in 0..20 {
            let a: Vec<f64> = (0..len).map(f64::from).collect();
            let expected: f64 = a.iter().map(|x| x * x).sum();
            assert_eq!(dot(&a, &a), expected);
        }
    }
}
