//! Whether two waveforms are one sound: aligned to the sample, then compared band by band and moment by
//! moment.
//!
//! An encoder, a resampler and a fader keep the waveform of a sound, up to a factor; another take of the same
//! thing has another waveform. So the measure is coherence: how well one waveform predicts the other.

use realfft::num_complex::Complex;

use super::correlate::{Correlation, Prefix, overlap};
use super::frames::{BINS, Frames, bins};

/// Edges of the bands that are compared, Hz.
const EDGES_HZ: [f64; 8] = [60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3840.0, 7000.0];

const BANDS: usize = EDGES_HZ.len() - 1;

/// Frames of a moment, a quarter of a second.
const MOMENT: usize = 8;

/// Parts of a sound so far below its loudest do not count, dB; those between count in proportion.
const RANGE_DB: f64 = 40.0;

/// The least power of a cell, as a part of the loudest one.
const QUIETEST: f64 = 1e-6;

/// Least part of the shorter waveform that lies over the longer one.
const LEAST_OVERLAP: f64 = 0.45;

/// Least part of a waveform's power in the overlap.
const LEAST_POWER: f64 = 1e-4;

/// How much of the correlation a small overlap costs at most: a steady tone correlates at many lags.
const OVERLAP_SHARE: f64 = 0.05;

/// Two waveforms, aligned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Match {
    /// Mean coherence, up to 1.
    pub(super) likeness: f32,
    /// Where the second begins in the first, samples at [`super::frames::RATE`].
    pub(super) lag: isize,
    /// By how much the second is louder, dB.
    pub(super) gain_db: f64,
    /// By how much the gain differs between bands and moments, dB: a filter or a fade.
    pub(super) shape_db: f64,
}

/// Aligns and compares two waveforms at [`super::frames::RATE`], by what is below `top_hz`. `None` where one
/// is silent or too short.
pub(super) fn compare(a: &[f32], b: &[f32], top_hz: f64) -> Option<Match> {
    let lag = align(a, b)?;
    let (over_a, over_b) = overlap(a.len(), b.len(), lag);
    let Coherence { mean, gain_db, shape_db } = coherence(&a[over_a], &b[over_b], top_hz)?;
    Some(Match { likeness: mean as f32, lag, gain_db, shape_db })
}

/// The lag at which two waveforms agree best.
fn align(a: &[f32], b: &[f32]) -> Option<isize> {
    // Differences, so that low frequencies, which have most of the power, do not decide alone.
    let differences =
        |samples: &[f32]| -> Vec<f32> { samples.windows(2).map(|pair| pair[1] - 0.95 * pair[0]).collect() };
    let (a, b) = (differences(a), differences(b));
    let power = |samples: &[f32]| Prefix::of(samples.iter().map(|&x| f64::from(x) * f64::from(x)));
    let (power_a, power_b) = (power(&a), power(&b));
    let floors = (LEAST_POWER * power_a.sum(0, a.len()), LEAST_POWER * power_b.sum(0, b.len()));
    let shorter = a.len().min(b.len());
    if shorter == 0 || floors.0 <= 0.0 || floors.1 <= 0.0 {
        return None;
    }
    let sums = Correlation::of(std::iter::once((a.as_slice(), b.as_slice())), (a.len(), b.len()));
    let least = ((shorter as f64 * LEAST_OVERLAP) as isize).max(1);
    let value = |lag: isize| {
        let (over_a, over_b) = overlap(a.len(), b.len(), lag);
        let powers = (power_a.sum(over_a.start, over_a.end), power_b.sum(over_b.start, over_b.end));
        if powers.0 < floors.0 || powers.1 < floors.1 {
            return 0.0;
        }
        let share = over_a.len() as f64 / shorter as f64;
        sums.at(lag).abs() / (powers.0 * powers.1).sqrt() * (1.0 - OVERLAP_SHARE * (1.0 - share))
    };
    let lags = least - b.len() as isize..=a.len() as isize - least;
    let best = lags.map(|lag| (value(lag), lag)).max_by(|x, y| x.0.total_cmp(&y.0).then(y.1.cmp(&x.1)))?;
    (best.0 > 0.0).then_some(best.1)
}

/// Sums over the frames of a moment, in one band.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    cross: Complex<f64>,
    power_a: f64,
    power_b: f64,
}

/// How well two waveforms predict each other, over bands and moments; loud ones count more.
struct Coherence {
    mean: f64,
    /// The mean gain from the first to the second, dB.
    gain_db: f64,
    /// Its standard deviation.
    shape_db: f64,
}

/// The coherence of two waveforms of equal length. `None` where one is silent.
fn coherence(a: &[f32], b: &[f32], top_hz: f64) -> Option<Coherence> {
    let count = Frames::count(a.len());
    let moments = count.div_ceil(MOMENT);
    let mut cells = vec![[Cell::default(); BANDS]; moments];
    let bands: Vec<_> = EDGES_HZ.windows(2).map(|edge| bins(edge[0], edge[1].min(top_hz))).collect();
    let mut frames = Frames::new();
    let mut spectra = (vec![Complex::default(); BINS], vec![Complex::default(); BINS]);
    for frame in 0..count {
        frames.spectrum(a, frame, &mut spectra.0);
        frames.spectrum(b, frame, &mut spectra.1);
        // Moments of equal length, as far as frames allow.
        let moment = &mut cells[frame * moments / count];
        for (cell, band) in moment.iter_mut().zip(&bands) {
            for bin in band.clone() {
                let (x, y) = (spectra.0[bin], spectra.1[bin]);
                let cross = x * y.conj();
                cell.cross += Complex::new(f64::from(cross.re), f64::from(cross.im));
                cell.power_a += f64::from(x.norm_sqr());
                cell.power_b += f64::from(y.norm_sqr());
            }
        }
    }
    let all = || cells.iter().flatten();
    let loudest = |power: fn(&Cell) -> f64| all().map(power).fold(0.0, f64::max);
    let (loudest_a, loudest_b) = (loudest(|cell| cell.power_a), loudest(|cell| cell.power_b));
    if loudest_a <= 0.0 || loudest_b <= 0.0 {
        return None;
    }
    let (mut sum, mut weights, mut gains, mut squares) = (0.0, 0.0, 0.0, 0.0);
    for band in 0..BANDS {
        // What is left of the delay after alignment, and the sign, turn a whole band.
        let total: Complex<f64> = cells.iter().map(|moment| moment[band].cross).sum();
        let turn = total.conj() / total.norm().max(f64::MIN_POSITIVE);
        for cell in cells.iter().map(|moment| moment[band]) {
            let level = (cell.power_a / loudest_a).max(cell.power_b / loudest_b);
            let weight = (1.0 + 10.0 * level.max(1e-30).log10() / RANGE_DB).max(0.0);
            let power = (cell.power_a * cell.power_b).sqrt();
            if power > 0.0 {
                sum += weight * (cell.cross * turn).re / power;
            }
            let decibels = |power: f64, loudest: f64| 10.0 * power.max(QUIETEST * loudest).log10();
            let gain = decibels(cell.power_b, loudest_b) - decibels(cell.power_a, loudest_a);
            gains += weight * gain;
            squares += weight * gain * gain;
            weights += weight;
        }
    }
    let gain_db = gains / weights;
    let shape_db = (squares / weights - gain_db * gain_db).max(0.0).sqrt();
    (weights > 0.0).then_some(Coherence { mean: sum / weights, gain_db, shape_db })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duplicates::testing::{bursts, silence};

    #[test]
    fn gain_polarity_silence_and_cuts_keep_a_sound_the_same() {
        let sound = bursts(5, 2.0);
        let scaled = |factor: f32| sound.iter().map(|x| x * factor).collect::<Vec<f32>>();
        let cases = [
            (scaled(0.25), 0, -12.04),
            (scaled(-1.0), 0, 0.0),
            (sound[8000..].to_vec(), 8000, 0.0),
            (sound[..25_000].to_vec(), 0, 0.0),
            ([silence(0.5), sound.clone()].concat(), -8000, 0.0),
        ];
        for (other, lag, gain_db) in cases {
            let found = compare(&sound, &other, 8000.0).unwrap();
            assert_eq!(found.lag, lag);
            assert!(found.likeness > 0.999, "{found:?}");
            assert!((found.gain_db - gain_db).abs() < 0.1 && found.shape_db < 0.1, "{found:?}");
        }
    }

    #[test]
    fn another_take_with_the_same_envelope_is_another_sound() {
        let found = compare(&bursts(6, 2.0), &bursts(7, 2.0), 8000.0).unwrap();
        assert!(found.likeness < 0.5, "{found:?}");
        // A filter keeps the coherence of each band, and changes its level.
        let sound = bursts(6, 2.0);
        let dull: Vec<f32> = sound.windows(2).map(|pair| pair[0] + 0.9 * pair[1]).collect();
        let found = compare(&sound, &dull, 8000.0).unwrap();
        assert!(found.likeness > 0.9 && found.shape_db > 2.0, "{found:?}");
        // One half is the same, the other is not.
        let half = [&bursts(6, 2.0)[..16_000], &bursts(7, 2.0)[16_000..]].concat();
        let found = compare(&bursts(6, 2.0), &half, 8000.0).unwrap();
        assert!(found.likeness < 0.8, "{found:?}");
    }

    #[test]
    fn silence_is_compared_with_nothing() {
        assert_eq!(compare(&silence(1.0), &bursts(1, 1.0), 8000.0), None);
        assert_eq!(compare(&[], &bursts(1, 1.0), 8000.0), None);
        assert_eq!(compare(&[0.5], &[0.5], 8000.0), None);
    }
}
