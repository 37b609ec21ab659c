//! How loud a recording is, and where it is silent: one pass over the samples as the file has them.
//!
//! Everything is measured on the mono mix that models hear, at the file's own sample rate. For a file of
//! several channels, a peak in one channel can therefore be higher than `peak_dbfs` says.

use earmark_audio::AudioReader;

use crate::EngineError;

/// How loud a recording is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Largest sample of the mono mix, dB relative to full scale; `None` if all samples are zero.
    pub peak_dbfs: Option<f64>,
    /// Root mean square of the mono mix over the whole recording, silence included, dB relative to full
    /// scale: -3.01 for a full-scale sine. `None` if all samples are zero.
    pub rms_dbfs: Option<f64>,
    /// Integrated loudness by ITU-R BS.1770-4, LUFS. Only for files of one channel, since the loudness of
    /// several channels cannot be had from their mix; `None` for others, for sounds below 0.4 s or -70 LUFS,
    /// and for sample rates below 8 kHz.
    pub loudness_lufs: Option<f64>,
    /// Share of the samples, 0 to 1, that lie at full scale or beyond, at least [`CLIPPED_RUN`] in a row.
    pub clipped_share: f64,
}

/// Where a recording is silent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Silence {
    /// Share of the recording, 0 to 1, that lies in `stretches`.
    pub share: f64,
    /// In order; none shorter than asked for, unless the whole recording is silent.
    pub stretches: Vec<SilentStretch>,
}

/// A stretch of silence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SilentStretch {
    /// Start, seconds.
    pub start_s: f64,
    /// End, seconds.
    pub end_s: f64,
}

/// What the samples of a recording show.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measured {
    pub(super) duration_s: f64,
    pub(super) level: Level,
    pub(super) silence: Silence,
}

/// Full scale, less the last step of 16 bits: integer samples reach +1 only up to their last step.
const FULL_SCALE: f32 = 1.0 - 1.0 / 32_768.0;

/// Samples in a row at full scale that count as clipped. Fewer happen at the crests of clean sounds.
pub const CLIPPED_RUN: u64 = 3;

/// Length of the blocks that are silent or not, seconds.
const SILENCE_BLOCK_S: f64 = 0.05;

/// Reads all of `reader` and measures it. A block of 50 ms is silent if it is weaker than `silence_dbfs`,
/// leaving out a constant offset; silence counts from `min_silence_s` on.
pub(super) fn measure(
    mut reader: AudioReader,
    silence_dbfs: f64,
    min_silence_s: f64,
) -> Result<Measured, EngineError> {
    let (rate, channels) = (reader.info().sample_rate, reader.info().channels);
    let mut meter = Meter::new(rate, channels == 1, silence_dbfs);
    let mut block = Vec::new();
    while reader.read_block(&mut block)? {
        meter.push(&block);
    }
    Ok(meter.finish(min_silence_s))
}

/// Measures a stream of mono samples.
struct Meter {
    rate: f64,
    samples: u64,
    peak: f32,
    squares: f64,
    clipped: Clipped,
    blocks: SilentBlocks,
    loudness: Option<Loudness>,
}

impl Meter {
    fn new(rate: u32, one_channel: bool, silence_dbfs: f64) -> Self {
        Self {
            rate: f64::from(rate),
            samples: 0,
            peak: 0.0,
            squares: 0.0,
            clipped: Clipped::default(),
            blocks: SilentBlocks::new(rate, silence_dbfs),
            loudness: if one_channel { Loudness::new(rate) } else { None },
        }
    }

    fn push(&mut self, samples: &[f32]) {
        self.samples += samples.len() as u64;
        for &sample in samples {
            let size = sample.abs();
            self.peak = self.peak.max(size);
            self.squares += f64::from(sample) * f64::from(sample);
            self.clipped.push(size);
            self.blocks.push(sample);
            if let Some(loudness) = &mut self.loudness {
                loudness.push(sample);
            }
        }
    }

    fn finish(self, min_silence_s: f64) -> Measured {
        let duration_s = self.samples as f64 / self.rate;
        let samples = self.samples.max(1) as f64;
        let sounds = self.peak > 0.0;
        let level = Level {
            peak_dbfs: sounds.then(|| hundredths(20.0 * f64::from(self.peak).log10())),
            rms_dbfs: sounds.then(|| hundredths(10.0 * (self.squares / samples).log10())),
            loudness_lufs: self.loudness.and_then(Loudness::integrated).map(hundredths),
            clipped_share: (self.clipped.finish() as f64 / samples * 1e6).round() / 1e6,
        };
        let silence = self.blocks.finish(duration_s, min_silence_s);
        Measured { duration_s: milliseconds(duration_s), level, silence }
    }
}

/// To the nearest hundredth; never -0.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0 + 0.0
}

/// A share to four digits; never -0, which an empty sum is.
pub(super) fn ten_thousandths(share: f64) -> f64 {
    (share * 1e4).round() / 1e4 + 0.0
}

/// Seconds to the nearest millisecond.
pub(super) fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// Counts samples in runs at full scale.
#[derive(Default)]
struct Clipped {
    run: u64,
    clipped: u64,
}

impl Clipped {
    fn push(&mut self, size: f32) {
        if size >= FULL_SCALE {
            self.run += 1;
        } else if self.run > 0 {
            self.end_run();
        }
    }

    fn end_run(&mut self) {
        if self.run >= CLIPPED_RUN {
            self.clipped += self.run;
        }
        self.run = 0;
    }

    fn finish(mut self) -> u64 {
        self.end_run();
        self.clipped
    }
}

/// Finds stretches of silent blocks.
struct SilentBlocks {
    rate: f64,
    length: u64,
    /// Mean square below which a block is silent.
    limit: f64,
    count: u64,
    sum: f64,
    squares: f64,
    /// Where the current block starts, samples.
    start: u64,
    /// Silent stretches, samples.
    stretches: Vec<(u64, u64)>,
}

impl SilentBlocks {
    fn new(rate: u32, silence_dbfs: f64) -> Self {
        let length = (SILENCE_BLOCK_S * f64::from(rate)).round().max(1.0) as u64;
        Self {
            rate: f64::from(rate),
            length,
            limit: 10_f64.powf(silence_dbfs / 10.0),
            count: 0,
            sum: 0.0,
            squares: 0.0,
            start: 0,
            stretches: Vec::new(),
        }
    }

    fn push(&mut self, sample: f32) {
        let sample = f64::from(sample);
        self.count += 1;
        self.sum += sample;
        self.squares += sample * sample;
        if self.count == self.length {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        let count = self.count as f64;
        let mean = self.sum / count;
        let end = self.start + self.count;
        if self.squares / count - mean * mean < self.limit {
            match self.stretches.last_mut() {
                Some(last) if last.1 == self.start => last.1 = end,
                _ => self.stretches.push((self.start, end)),
            }
        }
        (self.start, self.count, self.sum, self.squares) = (end, 0, 0.0, 0.0);
    }

    fn finish(mut self, duration_s: f64, min_silence_s: f64) -> Silence {
        if self.count > 0 {
            self.end_block();
        }
        let end = self.start;
        let stretches: Vec<SilentStretch> = self
            .stretches
            .iter()
            .filter(|(from, to)| {
                (to - from) as f64 >= min_silence_s * self.rate || (*from == 0 && *to == end)
            })
            .map(|&(from, to)| SilentStretch {
                start_s: milliseconds(from as f64 / self.rate),
                end_s: milliseconds(to as f64 / self.rate),
            })
            .collect();
        let silent_s: f64 = stretches.iter().map(|stretch| stretch.end_s - stretch.start_s).sum();
        let share = if duration_s > 0.0 { (silent_s / duration_s).min(1.0) } else { 0.0 };
        Silence { share: ten_thousandths(share), stretches }
    }
}

/// Integrated loudness of one channel by ITU-R BS.1770-4: K-weighted power in blocks of 400 ms that start
/// every 100 ms, gated at -70 LUFS and then at 10 LU below the mean of what is left.
struct Loudness {
    shelf: Biquad,
    high_pass: Biquad,
    /// Samples in 100 ms.
    step: u64,
    count: u64,
    squares: f64,
    /// Mean square of each 100 ms.
    steps: Vec<f64>,
}

/// Steps in a block.
const STEPS: usize = 4;

/// What 0 LUFS is in K-weighted power, dB.
const LUFS_OFFSET: f64 = -0.691;

impl Loudness {
    /// `None` below 8 kHz, where the weighting's shelf has no room.
    fn new(rate: u32) -> Option<Self> {
        (rate >= 8000).then(|| {
            let rate_hz = f64::from(rate);
            Self {
                shelf: Biquad::shelf(rate_hz),
                high_pass: Biquad::high_pass(rate_hz),
                step: u64::from(rate.div_ceil(10)),
                count: 0,
                squares: 0.0,
                steps: Vec::new(),
            }
        })
    }

    fn push(&mut self, sample: f32) {
        let weighted = self.high_pass.push(self.shelf.push(f64::from(sample)));
        self.squares += weighted * weighted;
        self.count += 1;
        if self.count == self.step {
            self.steps.push(self.squares / self.step as f64);
            (self.count, self.squares) = (0, 0.0);
        }
    }

    fn integrated(self) -> Option<f64> {
        let blocks: Vec<f64> =
            self.steps.windows(STEPS).map(|steps| steps.iter().sum::<f64>() / STEPS as f64).collect();
        let power = |lufs: f64| 10_f64.powf((lufs - LUFS_OFFSET) / 10.0);
        let mean_above = |limit: f64| {
            let (mut sum, mut count) = (0.0, 0_u64);
            for &block in blocks.iter().filter(|block| **block > limit) {
                sum += block;
                count += 1;
            }
            (count > 0).then(|| sum / count as f64)
        };
        let absolute = power(-70.0);
        let ungated = mean_above(absolute)?;
        // 10 LU below is a tenth of the power.
        let gated = mean_above(absolute.max(ungated / 10.0))?;
        Some(LUFS_OFFSET + 10.0 * gated.log10())
    }
}

/// A filter of second order, in transposed direct form II.
struct Biquad {
    b: [f64; 3],
    a: [f64; 2],
    state: [f64; 2],
}

impl Biquad {
    /// The first stage of the K weighting. The standard states it for 48 kHz; these are the analogue
    /// parameters behind its figures (as in libebur128), so that any rate gives the same weighting.
    fn shelf(rate: f64) -> Self {
        let (frequency, gain_db, q) = (1_681.974_450_955_533, 3.999_843_853_973_347, 0.707_175_236_955_419_6);
        let k = (std::f64::consts::PI * frequency / rate).tan();
        let high = 10_f64.powf(gain_db / 20.0);
        let band = high.powf(0.499_666_774_154_541_6);
        let a0 = 1.0 + k / q + k * k;
        Self {
            b: [
                (high + band * k / q + k * k) / a0,
                2.0 * (k * k - high) / a0,
                (high - band * k / q + k * k) / a0,
            ],
            a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0],
            state: [0.0; 2],
        }
    }

    /// The second stage.
    fn high_pass(rate: f64) -> Self {
        let (frequency, q) = (38.135_470_876_024_44, 0.500_327_037_323_877_3);
        let k = (std::f64::consts::PI * frequency / rate).tan();
        let a0 = 1.0 + k / q + k * k;
        Self {
            b: [1.0, -2.0, 1.0],
            a: [2.0 * (k * k - 1.0) / a0, (1.0 - k / q + k * k) / a0],
            state: [0.0; 2],
        }
    }

    fn push(&mut self, x: f64) -> f64 {
        let y = self.b[0] * x + self.state[0];
        self.state[0] = self.b[1] * x - self.a[0] * y + self.state[1];
        self.state[1] = self.b[2] * x - self.a[1] * y;
        y
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u32 = 48_000;

    fn sine(hz: f64, dbfs: f64, seconds: f64, rate: u32) -> Vec<f32> {
        let step = hz * std::f64::consts::TAU / f64::from(rate);
        let peak = 10_f64.powf(dbfs / 20.0);
        let count = (seconds * f64::from(rate)) as u32;
        (0..count).map(|i| ((f64::from(i) * step).sin() * peak) as f32).collect()
    }

    fn measured_at(rate: u32, samples: &[f32]) -> Measured {
        let mut meter = Meter::new(rate, true, -60.0);
        // Block sizes must not matter.
        samples.chunks(1000).for_each(|block| meter.push(block));
        meter.finish(0.5)
    }

    fn measured(samples: &[f32]) -> Measured {
        measured_at(RATE, samples)
    }

    fn close(found: Option<f64>, expected: f64, tolerance: f64) {
        assert!(
            found.is_some_and(|found| (found - expected).abs() <= tolerance),
            "{found:?} and not {expected}"
        );
    }

    #[test]
    fn a_sine_at_half_scale_has_its_peak_and_3_db_less_of_power() {
        let found = measured(&sine(997.0, -6.02, 2.0, RATE));
        close(found.level.peak_dbfs, -6.02, 0.01);
        close(found.level.rms_dbfs, -9.03, 0.01);
        assert_eq!((found.level.clipped_share, found.duration_s), (0.0, 2.0));
        assert_eq!(found.silence, Silence::default());
        assert!(found.silence.share.is_sign_positive());
    }

    /// ITU-R BS.1770-4: a 997 Hz sine of 0 dBFS in one channel has -3.01 LUFS.
    #[test]
    fn loudness_is_that_of_the_standard() {
        for rate in [8000, 16_000, 22_050, 44_100, 48_000, 96_000] {
            let found = measured_at(rate, &sine(997.0, -20.0, 5.0, rate));
            close(found.level.loudness_lufs, -23.01, 0.1);
        }
        close(measured(&sine(997.0, 0.0, 2.0, RATE)).level.loudness_lufs, -3.01, 0.02);
    }

    /// The weighting at 48 kHz has the standard's own coefficients.
    #[test]
    fn the_weighting_is_the_standards() {
        let near = |found: &[f64], expected: &[f64]| {
            let worst = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-9, "{found:?} and not {expected:?}");
        };
        let shelf = Biquad::shelf(48_000.0);
        near(&shelf.b, &[1.535_124_859_586_97, -2.691_696_189_406_38, 1.198_392_810_852_85]);
        near(&shelf.a, &[-1.690_659_293_182_41, 0.732_480_774_215_85]);
        let high_pass = Biquad::high_pass(48_000.0);
        near(&high_pass.a, &[-1.990_047_454_833_98, 0.990_072_250_366_21]);
    }

    /// EBU Tech 3341, cases 3 to 5, in one channel: the quiet parts are gated out.
    #[test]
    fn quiet_parts_are_gated_out_of_the_loudness() {
        let parts = |levels: &[(f64, f64)]| -> Vec<f32> {
            levels.iter().flat_map(|&(dbfs, seconds)| sine(1000.0, dbfs, seconds, RATE)).collect()
        };
        // One channel is 3.01 below the two of the test signals.
        let expected = -23.0 - 3.01;
        let third = measured(&parts(&[(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)]));
        close(third.level.loudness_lufs, expected, 0.1);
        let fourth = parts(&[(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)]);
        close(measured(&fourth).level.loudness_lufs, expected, 0.1);
        let fifth = measured(&parts(&[(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)]));
        close(fifth.level.loudness_lufs, expected, 0.1);
    }

    #[test]
    fn what_is_too_short_or_too_quiet_has_no_loudness() {
        assert_eq!(measured(&sine(997.0, -20.0, 0.3, RATE)).level.loudness_lufs, None);
        assert_eq!(measured(&sine(997.0, -80.0, 2.0, RATE)).level.loudness_lufs, None);
        assert_eq!(measured_at(4000, &sine(997.0, -20.0, 2.0, 4000)).level.loudness_lufs, None);
    }

    #[test]
    fn digital_silence_has_no_level() {
        let found = measured(&vec![0.0; 4800]);
        assert_eq!((found.level.peak_dbfs, found.level.rms_dbfs), (None, None));
        assert_eq!(found.silence.stretches, [SilentStretch { start_s: 0.0, end_s: 0.1 }], "however short");
        assert_eq!(found.silence.share, 1.0);
    }

    #[test]
    fn silence_is_found_to_the_block_whatever_its_offset() {
        let mut samples = sine(440.0, -10.0, 1.0, RATE);
        samples.extend(vec![0.2; 48_000]);
        samples.extend(sine(440.0, -10.0, 1.0, RATE));
        // Too short to count.
        samples.extend(vec![0.0; 4800]);
        samples.extend(sine(440.0, -10.0, 0.9, RATE));
        let found = measured(&samples);
        assert_eq!(found.silence.stretches, [SilentStretch { start_s: 1.0, end_s: 2.0 }]);
        assert_eq!(found.silence.share, 0.25);
    }

    #[test]
    fn samples_at_full_scale_in_a_row_are_clipped() {
        let loud: Vec<f32> = sine(440.0, 6.0, 1.0, RATE).iter().map(|s| s.clamp(-1.0, 1.0)).collect();
        let share = measured(&loud).level.clipped_share;
        // A sine is beyond half of its peak for two thirds of the time.
        assert!((share - 0.667).abs() < 0.01, "{share}");
        // As 16 bits have it.
        let integer: Vec<f32> = loud.iter().map(|s| s.min(32_767.0 / 32_768.0)).collect();
        assert_eq!(measured(&integer).level.clipped_share, share);
        assert_eq!(measured(&sine(440.0, -0.1, 1.0, RATE)).level.clipped_share, 0.0);
        assert_eq!(measured(&[0.5, 1.0, 1.0, 0.5]).level.clipped_share, 0.0, "two may be a crest");
    }
}
