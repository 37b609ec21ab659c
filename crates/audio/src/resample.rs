//! From the file's sample rate to the model's, aligned at time 0.
//!
//! Blocks are convolved with a low-pass by FFT, and their spectrum is cut off or extended on the way back:
//! the overlap-add method. Output sample `n` is at the time `n / rate_out`, since the low-pass has linear
//! phase and its delay is cut off; and the length is exact, `ceil(n_in * rate_out / rate_in)`.
//!
//! The low-pass is that of `soxr_hq`, with which `librosa`, and so those who trained the models, resample.
//! It matters for sounds at low rates: where a low-pass fades out, a log-mel spectrogram falls by a hundred
//! decibels, and a model hears where. Vectors of sounds at 8 kHz were up to 1.7e-3 (one minus cosine) from
//! `soxr_hq`'s with a low-pass that kept everything up to 97 % of Nyquist.

use std::f64::consts::PI;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::error::AudioError;
use crate::open_track::unsupported;
use crate::reader::{AudioInfo, AudioReader};
use crate::remarks::Remarks;

/// Samples in a block at the lower of the two rates, at least. More would be a little faster, and take
/// memory.
const MIN_BLOCK: usize = 1024;

/// What the low-pass takes off beyond the lower Nyquist frequency, dB: the 20 bits of `SOXR_HQ` (`soxr.h`),
/// of 20 log10(2) each.
const REJECTION_DB: f64 = 120.41;

/// Where the low-pass begins to fade, relative to the lower Nyquist frequency: `1 - 0.05 /
/// TO_3dB(rejection)`, of `soxr_quality_spec` in libsoxr's `soxr.c`, so that it is 3 dB down at 95 %.
const PASSBAND_END: f64 = 0.913_65;

/// An [`AudioReader`] at another sample rate.
pub struct ResampledReader {
    reader: AudioReader,
    sample_rate: u32,
    /// `None` if the rates are equal.
    converter: Option<Converter>,
    input: Vec<f32>,
    ended: bool,
    samples_out: u64,
}

impl ResampledReader {
    pub(crate) fn new(reader: AudioReader, sample_rate: u32) -> Result<Self, AudioError> {
        let from = reader.info().sample_rate;
        let converter = if from == sample_rate {
            None
        } else {
            Some(Converter::new(from, sample_rate).map_err(|why| {
                let expected = "two sample rates that can be converted";
                let received = format!("{from} Hz to {sample_rate} Hz ({why})");
                unsupported(reader.name(), expected, received)
            })?)
        };
        Ok(Self { reader, sample_rate, converter, input: Vec::new(), ended: false, samples_out: 0 })
    }

    /// Replaces `out` with the next mono block at [`sample_rate`](Self::sample_rate); `false`, with
    /// `out` empty, at the end.
    ///
    /// # Errors
    /// As for [`AudioReader::read_block`].
    pub fn read_block(&mut self, out: &mut Vec<f32>) -> Result<bool, AudioError> {
        let Some(converter) = &mut self.converter else {
            let more = self.reader.read_block(out)?;
            self.samples_out += out.len() as u64;
            return Ok(more);
        };
        out.clear();
        while out.is_empty() && !self.ended {
            if self.reader.read_block(&mut self.input)? {
                converter.push(&self.input, out);
            } else {
                self.ended = true;
                converter.finish(out);
            }
        }
        self.samples_out += out.len() as u64;
        Ok(!out.is_empty())
    }

    /// What the file is; its own sample rate, not the one converted to.
    pub fn info(&self) -> &AudioInfo {
        self.reader.info()
    }

    /// The file's name, as given.
    pub fn name(&self) -> &str {
        self.reader.name()
    }

    /// The rate of the samples handed out, in Hz.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// What a user should know about how the file was read. Complete once `read_block` has returned `false`.
    pub fn remarks(&self) -> &Remarks {
        self.reader.remarks()
    }

    /// Seconds of audio handed out so far; after the end, the length of the file.
    pub fn duration_s(&self) -> f64 {
        self.samples_out as f64 / f64::from(self.sample_rate)
    }
}

/// The delay-compensated resampler: push any number of samples, finish once.
pub(crate) struct Converter {
    /// Of `2 * block_in` samples.
    forward: Arc<dyn RealToComplex<f32>>,
    /// Of `2 * block_out` samples.
    inverse: Arc<dyn ComplexToReal<f32>>,
    /// Spectrum of the low-pass, centred in the middle of a block, over the bins below both Nyquist
    /// frequencies.
    low_pass: Vec<Complex<f32>>,
    block_in: usize,
    block_out: usize,
    rates: (u64, u64),
    pending: Vec<f32>,
    /// `2 * block_in` samples in, and their spectrum.
    samples_in: Vec<f32>,
    spectrum_in: Vec<Complex<f32>>,
    /// `2 * block_out` samples out, and their spectrum.
    samples_out: Vec<f32>,
    spectrum_out: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// What the blocks before add to the next one, `block_out` samples.
    overlap: Vec<f32>,
    /// Leading output still to be dropped: the low-pass's delay.
    delay_left: usize,
    total_in: u64,
    total_out: u64,
}

impl Converter {
    pub(crate) fn new(from: u32, to: u32) -> Result<Self, String> {
        if from == 0 || to == 0 {
            return Err("a sample rate of 0 Hz".to_owned());
        }
        let gcd = gcd(from, to);
        let (unit_in, unit_out) = ((from / gcd) as usize, (to / gcd) as usize);
        // An even number of units makes both blocks even, hence the delay (half a block) a whole number of
        // samples on both sides.
        let units = 2 * MIN_BLOCK.div_ceil(2 * unit_in.min(unit_out)).max(1);
        let (block_in, block_out) = (units * unit_in, units * unit_out);
        let mut planner = RealFftPlanner::new();
        let forward = planner.plan_fft_forward(2 * block_in);
        let inverse = planner.plan_fft_inverse(2 * block_out);
        let (mut samples_in, mut spectrum_in) = (forward.make_input_vec(), forward.make_output_vec());
        let (samples_out, spectrum_out) = (inverse.make_output_vec(), inverse.make_input_vec());
        let longest = forward.get_scratch_len().max(inverse.get_scratch_len());
        let mut scratch = vec![Complex::default(); longest];
        // The transforms are not scaled: there and back multiplies by `2 * block_in`.
        let scale = 1.0 / (2 * block_in) as f64;
        let taps = low_pass(from, to);
        let first = block_in / 2 - taps.len() / 2;
        for (sample, tap) in samples_in[first..].iter_mut().zip(&taps) {
            *sample = (tap * scale) as f32;
        }
        forward
            .process_with_scratch(&mut samples_in, &mut spectrum_in, &mut scratch)
            .map_err(|e| e.to_string())?;
        let low_pass = spectrum_in[..block_in.min(block_out)].to_vec();
        Ok(Self {
            low_pass,
            rates: (u64::from(from), u64::from(to)),
            pending: Vec::new(),
            overlap: vec![0.0; block_out],
            delay_left: block_out / 2,
            total_in: 0,
            total_out: 0,
            forward,
            inverse,
            block_in,
            block_out,
            samples_in,
            spectrum_in,
            samples_out,
            spectrum_out,
            scratch,
        })
    }

    /// Appends to `out` whatever `input` completes.
    pub(crate) fn push(&mut self, mut input: &[f32], out: &mut Vec<f32>) {
        self.total_in += input.len() as u64;
        if !self.pending.is_empty() {
            let (head, tail) = input.split_at(input.len().min(self.block_in - self.pending.len()));
            self.pending.extend_from_slice(head);
            input = tail;
            if self.pending.len() < self.block_in {
                return;
            }
            let block = std::mem::take(&mut self.pending);
            self.convert(&block, out);
            self.pending = block;
            self.pending.clear();
        }
        let mut blocks = input.chunks_exact(self.block_in);
        for block in &mut blocks {
            self.convert(block, out);
        }
        self.pending.extend_from_slice(blocks.remainder());
    }

    /// Flushes: appends what is missing to `ceil(total_in * to / from)` samples.
    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) {
        let total = (self.total_in * self.rates.1).div_ceil(self.rates.0);
        let mut block = std::mem::take(&mut self.pending);
        while self.total_out < total {
            block.resize(self.block_in, 0.0);
            let before = out.len();
            self.convert(&block, out);
            let excess = usize::try_from(self.total_out.saturating_sub(total)).unwrap_or(0);
            out.truncate((out.len() - excess).max(before));
            block.clear();
        }
    }

    fn convert(&mut self, block: &[f32], out: &mut Vec<f32>) {
        self.samples_in[..self.block_in].copy_from_slice(block);
        self.samples_in[self.block_in..].fill(0.0);
        // Neither transform can fail: the sizes are their own.
        let (scratch, samples, spectrum) = (&mut self.scratch, &mut self.samples_in, &mut self.spectrum_in);
        let _ = self.forward.process_with_scratch(samples, spectrum, scratch);
        self.spectrum_out.fill(Complex::default());
        for ((to, from), gain) in self.spectrum_out.iter_mut().zip(&self.spectrum_in).zip(&self.low_pass) {
            *to = from * gain;
        }
        let (samples, spectrum) = (&mut self.samples_out, &mut self.spectrum_out);
        let _ = self.inverse.process_with_scratch(spectrum, samples, scratch);
        let (head, tail) = self.samples_out.split_at(self.block_out);
        let dropped = self.delay_left.min(self.block_out);
        self.delay_left -= dropped;
        out.extend(head.iter().zip(&self.overlap).skip(dropped).map(|(now, before)| now + before));
        self.overlap.copy_from_slice(tail);
        self.total_out += (self.block_out - dropped) as u64;
    }
}

/// Taps of the low-pass at the rate `from`, an odd number of them, with a sum of one: a sinc under a Kaiser
/// window (Oppenheim and Schafer, Discrete-Time Signal Processing, 7.5.3).
fn low_pass(from: u32, to: u32) -> Vec<f64> {
    // Half of the lower rate, relative to half of `from`.
    let nyquist = f64::from(from.min(to)) / f64::from(from);
    let cutoff = nyquist * (PASSBAND_END + 1.0) / 2.0;
    let width = nyquist * (1.0 - PASSBAND_END);
    let half = ((REJECTION_DB - 7.95) / (2.285 * PI * width) / 2.0).ceil();
    let beta = 0.1102 * (REJECTION_DB - 8.7);
    let tap = |i: i64| {
        let x = i as f64;
        let angle = PI * cutoff * x;
        let sinc = if i == 0 { 1.0 } else { angle.sin() / angle };
        sinc * bessel_i0(beta * (1.0 - (x / half).powi(2)).max(0.0).sqrt())
    };
    let taps: Vec<f64> = (-(half as i64)..=half as i64).map(tap).collect();
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| tap / sum).collect()
}

/// The modified Bessel function of the first kind and order zero, by its series (Abramowitz and Stegun,
/// 9.6.12).
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let terms = (1..).scan(1.0, |term, k| {
        *term *= quarter / f64::from(k * k);
        Some(*term)
    });
    1.0 + terms.take_while(|term| *term > 1e-17).sum::<f64>()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
