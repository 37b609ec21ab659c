//! From the file's sample rate to the model's, aligned at time 0.
//!
//! rubato's synchronous FFT resampler converts block by block with a windowed-sinc low-pass
//! (Blackman-Harris squared). Two things are added here: its delay is cut off, so that output sample `n`
//! is at the time `n / rate_out`; and the length is exact, `ceil(n_in * rate_out / rate_in)`.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler};

use crate::error::AudioError;
use crate::reader::{AudioInfo, AudioReader};
use crate::remarks::Remarks;
use crate::source::unsupported;

/// Taps of the low-pass at the lower of the two rates, at least. 1024 keep everything up to 97 % of
/// Nyquist and stop everything beyond it by more than 100 dB.
const MIN_BLOCK: usize = 1024;

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
    fft: Fft<f32>,
    rates: (u64, u64),
    block_in: usize,
    pending: Vec<f32>,
    block_out: Vec<f32>,
    /// Leading output still to be dropped: the resampler's delay.
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
        // An even number of units makes both blocks even, hence the delay (half an output block) a
        // whole number of samples on both sides.
        let units = 2 * MIN_BLOCK.div_ceil(2 * unit_in.min(unit_out)).max(1);
        let block_in = units * unit_in;
        let fft = Fft::new_custom(
            from as usize,
            to as usize,
            block_in,
            1,
            1,
            rubato::WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .map_err(|e| e.to_string())?;
        let delay_left = fft.output_delay();
        let block_out = vec![0.0; fft.output_frames_max()];
        Ok(Self {
            block_in: fft.input_frames_max(),
            fft,
            rates: (u64::from(from), u64::from(to)),
            pending: Vec::new(),
            block_out,
            delay_left,
            total_in: 0,
            total_out: 0,
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
        let capacity = self.block_out.len();
        // Neither can fail: the sizes are the resampler's own.
        let Ok(input) = SequentialSlice::new(block, 1, block.len()) else { return };
        let Ok(mut output) = SequentialSlice::new_mut(&mut self.block_out, 1, capacity) else {
            return;
        };
        let Ok((_, frames)) = self.fft.process_into_buffer(&input, &mut output, None) else {
            return;
        };
        let dropped = self.delay_left.min(frames);
        self.delay_left -= dropped;
        out.extend_from_slice(&self.block_out[dropped..frames]);
        self.total_out += (frames - dropped) as u64;
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}
