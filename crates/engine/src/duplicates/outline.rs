//! The outline of a sound: its level over time in a few bands, small enough to keep for every candidate.

use std::ops::Range;
use std::path::Path;

use earmark_audio::{AudioError, AudioReader, ReadOptions};
use realfft::num_complex::Complex;

use super::anchors::Anchors;
use super::correlate::{Correlation, Prefix, overlap};
use super::frames::{BINS, Frames, HOP, HOP_S, RATE, bins};

/// Bands, evenly spaced on a logarithmic scale.
const BANDS: usize = 16;

/// Hz from the lowest band to the end of the highest.
const LOW_HZ: f64 = 60.0;
const HIGH_HZ: f64 = 7000.0;

/// The quietest level that is kept, dB below full scale.
const QUIETEST_DB: f32 = 100.0;

/// Frames so far below the loudest one are silence, dB.
const SILENCE_BELOW_PEAK_DB: f32 = 45.0;

/// Frames so quiet are silence, dB below full scale.
const SILENCE_DB: f32 = 75.0;

/// Levels so far below the loudest one are not compared, dB: codecs leave nothing of them.
const RANGE_DB: f32 = 50.0;

/// Sounds of fewer frames have too short an outline to tell them apart.
const LEAST_FRAMES: usize = 16;

/// Outlines that vary less than this tell nothing, dB².
const LEAST_VARIANCE: f64 = 1.0;

/// Least correlation of the outlines of one sound. What passes is compared sample by sample.
const LEAST_CORRELATION: f64 = 0.5;

/// Least part of the shorter sound that lies over the longer one.
const LEAST_OVERLAP: f64 = 0.45;

/// The level of a sound over time, in bands.
#[derive(Debug, Clone)]
pub(super) struct Outline {
    /// Half decibels above the quietest level, `[frames, BANDS]`, of the frames that are not silent at
    /// either end.
    levels: Vec<u8>,
    /// The first frame of `levels`.
    first: usize,
    /// The file's own sample rate, Hz.
    pub(super) sample_rate: u32,
    /// Length of the file, seconds.
    pub(super) duration_s: f64,
    /// Where silence ends and begins again, seconds. Empty for a silent file.
    pub(super) sounding: Range<f64>,
}

/// What the outlines of two sounds say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Resemblance {
    /// They are two sounds.
    Unlike,
    /// They may be one sound, the second beginning so many seconds after the first.
    Like {
        /// Where the second one begins in the first, seconds; `None` if their outlines are too short or too
        /// even to say.
        offset_s: Option<f64>,
    },
}

impl Outline {
    /// Decodes a file; gives its outline and its hashes.
    ///
    /// # Errors
    /// Errors from decoding it.
    pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<(Self, Vec<u32>), AudioError> {
        let mut reader = AudioReader::open(path, options)?.resampled(RATE)?;
        let (mut builder, mut anchors) = (Builder::new(), Anchors::new());
        builder.sample_rate = reader.info().sample_rate;
        let mut block = Vec::new();
        while reader.read_block(&mut block)? {
            builder.push(&block);
            anchors.push(&block);
        }
        Ok((builder.finish(), anchors.finish()))
    }

    /// The outline of samples at [`RATE`].
    #[cfg(test)]
    pub(super) fn of(samples: &[f32]) -> Self {
        let mut builder = Builder::new();
        builder.push(samples);
        builder.finish()
    }

    /// Length of the sound without the silence at its ends, seconds.
    pub(super) fn sounding_s(&self) -> f64 {
        self.sounding.end - self.sounding.start
    }

    fn frames(&self) -> usize {
        self.levels.len() / BANDS
    }

    /// Compares two outlines at every lag.
    pub(super) fn resemblance(&self, other: &Self) -> Resemblance {
        let (a, b) = (self.frames(), other.frames());
        if a.min(b) == 0 {
            return Resemblance::Unlike;
        }
        if a.min(b) < LEAST_FRAMES {
            return Resemblance::Like { offset_s: None };
        }
        let (first, second) = (Bands::of(self), Bands::of(other));
        let channels = first.values.iter().zip(&second.values).map(|(a, b)| (a.as_slice(), b.as_slice()));
        let sums = Correlation::of(channels, (a, b));
        let least = ((a.min(b) as f64 * LEAST_OVERLAP) as usize).max(LEAST_FRAMES / 2);
        let mut best: Option<(f64, isize)> = None;
        let mut is_even = false;
        for lag in least as isize - b as isize..=a as isize - least as isize {
            let (over_a, over_b) = overlap(a, b, lag);
            let frames = over_a.len() as f64;
            let (mut covariance, mut variances) = (sums.at(lag), (0.0, 0.0));
            for band in 0..BANDS {
                let (sum_a, square_a) = first.sums(band, &over_a);
                let (sum_b, square_b) = second.sums(band, &over_b);
                covariance -= sum_a * sum_b / frames;
                variances.0 += square_a - sum_a * sum_a / frames;
                variances.1 += square_b - sum_b * sum_b / frames;
            }
            let floor = LEAST_VARIANCE * frames * BANDS as f64;
            if variances.0 < floor || variances.1 < floor {
                is_even = true;
                continue;
            }
            let correlation = covariance / (variances.0 * variances.1).sqrt();
            if best.is_none_or(|(most, _)| correlation > most) {
                best = Some((correlation, lag));
            }
        }
        match best {
            Some((correlation, lag)) if correlation >= LEAST_CORRELATION => {
                let frames = lag + self.first as isize - other.first as isize;
                Resemblance::Like { offset_s: Some(frames as f64 * HOP_S) }
            }
            _ if is_even => Resemblance::Like { offset_s: None },
            _ => Resemblance::Unlike,
        }
    }
}

/// An outline ready to be compared.
struct Bands {
    /// dB relative to the band's mean, `[BANDS][frames]`.
    values: Vec<Vec<f32>>,
    sums: Vec<(Prefix, Prefix)>,
}

impl Bands {
    fn of(outline: &Outline) -> Self {
        let loudest = outline.levels.iter().copied().max().unwrap_or(0);
        let floor = loudest.saturating_sub((2.0 * RANGE_DB) as u8);
        let band = |band: usize| -> Vec<f32> {
            let levels = outline.levels.iter().skip(band).step_by(BANDS);
            let mut values: Vec<f32> = levels.map(|&level| f32::from(level.max(floor)) / 2.0).collect();
            let mean = values.iter().sum::<f32>() / values.len() as f32;
            values.iter_mut().for_each(|value| *value -= mean);
            values
        };
        let values: Vec<Vec<f32>> = (0..BANDS).map(band).collect();
        let sums = values.iter().map(|values| {
            let values = values.iter().map(|&value| f64::from(value));
            (Prefix::of(values.clone()), Prefix::of(values.map(|value| value * value)))
        });
        Self { sums: sums.collect(), values }
    }

    /// The sum of a band's values, and of their squares.
    fn sums(&self, band: usize, frames: &Range<usize>) -> (f64, f64) {
        let (sums, squares) = &self.sums[band];
        (sums.sum(frames.start, frames.end), squares.sum(frames.start, frames.end))
    }
}

/// An outline in the making.
struct Builder {
    frames: Frames,
    bands: Vec<Range<usize>>,
    full_scale: f32,
    spectrum: Vec<Complex<f32>>,
    /// Samples that further frames need; the first one is at frame `done`, less a hop if there is one.
    pending: Vec<f32>,
    samples: usize,
    sample_rate: u32,
    levels: Vec<u8>,
    /// The level of each frame in all bands together, dB.
    loudness: Vec<f32>,
}

impl Builder {
    fn new() -> Self {
        let ratio = (HIGH_HZ / LOW_HZ).powf(1.0 / BANDS as f64);
        let edge = |n: usize| LOW_HZ * ratio.powi(n as i32);
        let frames = Frames::new();
        Self {
            full_scale: frames.full_scale(),
            frames,
            bands: (0..BANDS).map(|n| bins(edge(n), edge(n + 1))).collect(),
            spectrum: vec![Complex::default(); BINS],
            // Silence before the sound: the first frame is centred on the first sample.
            pending: vec![0.0; HOP],
            samples: 0,
            sample_rate: RATE,
            levels: Vec::new(),
            loudness: Vec::new(),
        }
    }

    fn push(&mut self, samples: &[f32]) {
        self.samples += samples.len();
        self.pending.extend_from_slice(samples);
        let whole = self.pending.len() / HOP;
        for frame in 1..whole {
            self.frame(frame);
        }
        self.pending.drain(..whole.saturating_sub(1) * HOP);
    }

    /// Adds the frame that is centred on the pending sample `frame * HOP`.
    fn frame(&mut self, frame: usize) {
        self.frames.spectrum(&self.pending, frame, &mut self.spectrum);
        let decibels = |power: f32| 10.0 * (power / self.full_scale).max(1e-12).log10();
        let mut total = 0.0;
        for band in &self.bands {
            let power: f32 = self.spectrum[band.clone()].iter().map(Complex::norm_sqr).sum();
            total += power;
            self.levels.push((2.0 * (decibels(power) + QUIETEST_DB)).round().clamp(0.0, 255.0) as u8);
        }
        self.loudness.push(decibels(total));
    }

    fn finish(mut self) -> Outline {
        let frames = Frames::count(self.samples);
        for frame in 1.. {
            if self.loudness.len() >= frames {
                break;
            }
            self.frame(frame);
        }
        let (sample_rate, duration_s) = (self.sample_rate, self.samples as f64 / f64::from(RATE));
        let peak = self.loudness.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let least = (peak - SILENCE_BELOW_PEAK_DB).max(-SILENCE_DB);
        let is_heard = |level: &f32| *level >= least;
        let first = self.loudness.iter().position(is_heard);
        let last = self.loudness.iter().rposition(is_heard);
        let (Some(first), Some(last)) = (first, last) else {
            return Outline { levels: Vec::new(), first: 0, sample_rate, duration_s, sounding: 0.0..0.0 };
        };
        // A frame reaches half a hop further than its own stretch, but a sound shows in it before that.
        let start = (first as f64 - 0.5) * HOP_S;
        let end = (last as f64 + 0.5) * HOP_S;
        self.levels.truncate((last + 1) * BANDS);
        self.levels.drain(..first * BANDS);
        self.levels.shrink_to_fit();
        let sounding = start.max(0.0)..end.min(duration_s);
        Outline { levels: self.levels, first, sample_rate, duration_s, sounding }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duplicates::testing::{bursts, silence};

    #[test]
    fn silence_at_the_ends_is_not_part_of_the_sound() {
        let sound = [silence(1.0), bursts(1, 2.0), silence(0.5)].concat();
        let outline = Outline::of(&sound);
        assert!((outline.duration_s - 3.5).abs() < 1e-9);
        assert!((outline.sounding.start - 1.0).abs() < 0.05, "{outline:?}");
        assert!((outline.sounding.end - 3.0).abs() < 0.05, "{outline:?}");
        assert!(Outline::of(&silence(1.0)).sounding.is_empty());
    }

    #[test]
    fn samples_in_blocks_of_any_size_have_one_outline() {
        let sound = bursts(2, 1.3);
        let whole = Outline::of(&sound);
        for size in [1, 100, 511, 512, 513, 5000] {
            let mut builder = Builder::new();
            sound.chunks(size).for_each(|block| builder.push(block));
            assert_eq!(builder.finish().levels, whole.levels, "{size}");
        }
    }

    #[test]
    fn a_part_is_found_where_it_was_and_another_sound_nowhere() {
        let sound = bursts(3, 4.0);
        let outline = Outline::of(&sound);
        let part = Outline::of(&sound[RATE as usize..]);
        let Resemblance::Like { offset_s: Some(offset_s) } = outline.resemblance(&part) else {
            panic!("not found");
        };
        assert!((offset_s - 1.0).abs() < 0.04, "{offset_s}");
        let faster: Vec<f32> =
            bursts(4, 6.0).chunks(3).flat_map(|three| three.iter().copied().take(2)).collect();
        assert_eq!(outline.resemblance(&Outline::of(&faster)), Resemblance::Unlike);
    }
}
