//! The planned front end: from the samples of a window to its features.

mod fft;
mod fusion;
mod kaldi;
mod log_mel;
mod mel;
mod piece;
mod steps;
mod waveform;

use kaldi::KaldiFbank;
use log_mel::LogMel;
pub(crate) use piece::Piece;
use steps::Steps;

use crate::error::SpecError;
use crate::spec::{FeatureSpec, FrontEndSpec, WaveformSpec};

/// A planned front end with its feature steps, ready to run. Tables are computed once and shared between clones;
/// scratch space is each clone's own.
#[derive(Clone)]
pub struct FrontEnd {
    kind: Kind,
    steps: Steps,
    sample_rate: u32,
    hop_length: usize,
}

#[derive(Clone)]
enum Kind {
    LogMel(LogMel),
    KaldiFbank(KaldiFbank),
    Waveform(WaveformSpec),
}

/// Shape of one window's features, which are stored channel by channel, frame by frame. Raw samples are one channel
/// of as many frames as there are samples, with one band.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureShape {
    /// 1, or 4 with feature fusion.
    pub channels: usize,
    /// Frames in each channel.
    pub frames: usize,
    /// Mel bands in each frame.
    pub bands: usize,
}

impl FrontEnd {
    /// Plans the front end and the steps on its features.
    ///
    /// # Errors
    /// [`SpecError`] if the numbers make no sense.
    pub fn new(spec: &FrontEndSpec, features: &FeatureSpec) -> Result<Self, SpecError> {
        spec.validate()?;
        features.validate()?;
        let kind = match spec {
            FrontEndSpec::LogMel(spec) => Kind::LogMel(LogMel::new(spec)),
            FrontEndSpec::KaldiFbank(spec) => Kind::KaldiFbank(KaldiFbank::new(spec)),
            FrontEndSpec::Waveform(spec) => Kind::Waveform(spec.clone()),
        };
        let (sample_rate, hop_length) = (spec.sample_rate(), spec.hop_length());
        let mut front_end = Self { kind, steps: Steps::none(), sample_rate, hop_length };
        let chunk_frames = match features.fusion {
            Some(_) if matches!(spec, FrontEndSpec::Waveform(_)) => {
                return Err(SpecError::new(
                    "features.fusion",
                    "nothing, since front_end.type is waveform",
                    "it",
                ));
            }
            Some(fusion) if fusion.chunk_samples < front_end.frame_samples() => {
                let expected = format!("at least one frame ({} samples)", front_end.frame_samples());
                return Err(SpecError::new("features.fusion.chunk_samples", expected, fusion.chunk_samples));
            }
            Some(fusion) => Some(front_end.frames(fusion.chunk_samples)),
            None => None,
        };
        front_end.steps = Steps::new(features, front_end.bands(), chunk_frames);
        Ok(front_end)
    }

    /// The rate that samples must have, in Hz.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// The steps on the features.
    pub(crate) fn features(&self) -> &FeatureSpec {
        self.steps.spec()
    }

    /// Frames that `n_samples` samples give, before any step.
    pub fn frames(&self, n_samples: usize) -> usize {
        match &self.kind {
            Kind::LogMel(log_mel) => log_mel.frames(n_samples),
            Kind::KaldiFbank(fbank) => fbank.frames(n_samples),
            Kind::Waveform(_) => n_samples,
        }
    }

    /// Shape of the features of `n_samples` samples, after all steps.
    pub fn shape(&self, n_samples: usize) -> FeatureShape {
        let (channels, frames) = self.steps.shape(self.frames(n_samples));
        FeatureShape { channels, frames, bands: self.bands() }
    }

    /// The features of `samples` taken as one window: `[channels, frames, bands]`, see [`FrontEnd::shape`].
    pub fn compute(&mut self, samples: &[f32]) -> Vec<f32> {
        let mut rows = Vec::new();
        match &mut self.kind {
            Kind::LogMel(log_mel) => log_mel.compute(samples, &mut rows),
            Kind::KaldiFbank(fbank) => fbank.compute(samples, &mut rows),
            Kind::Waveform(spec) => waveform::compute(spec.normalise, samples, &mut rows),
        }
        self.steps.apply(rows)
    }

    /// The features of the window of `length` samples from `start` of a stream. `stream` holds them, and
    /// [`FrontEnd::context`] more on either side as far as the stream goes.
    pub(crate) fn compute_within(&mut self, stream: Piece<'_>, start: u64, length: usize) -> Vec<f32> {
        match &mut self.kind {
            Kind::LogMel(log_mel) if log_mel.context() > 0 => {
                let mut rows = Vec::new();
                log_mel.compute_centred(stream, start, length, &mut rows);
                self.steps.apply(rows)
            }
            _ => self.compute(stream.range(start, start + length as u64)),
        }
    }

    /// Samples on either side of a window that its features depend on.
    pub(crate) fn context(&self) -> usize {
        match &self.kind {
            Kind::LogMel(log_mel) => log_mel.context(),
            Kind::KaldiFbank(_) | Kind::Waveform(_) => 0,
        }
    }

    /// Fewest samples that give a frame.
    pub(crate) fn frame_samples(&self) -> usize {
        self.framing().unwrap_or(1)
    }

    /// Length of a frame in samples, where frame `t` depends on nothing but so many samples from `t * hop_length` on:
    /// overlapping windows can then share frames.
    pub(crate) fn framing(&self) -> Option<usize> {
        match &self.kind {
            Kind::LogMel(log_mel) if log_mel.spec().center => None,
            Kind::LogMel(log_mel) => Some(log_mel.spec().win_length),
            Kind::KaldiFbank(fbank) => Some(fbank.spec().frame_length),
            Kind::Waveform(_) => None,
        }
    }

    pub(crate) fn hop_length(&self) -> usize {
        self.hop_length
    }

    pub(crate) fn bands(&self) -> usize {
        match &self.kind {
            Kind::LogMel(log_mel) => log_mel.spec().n_mels,
            Kind::KaldiFbank(fbank) => fbank.spec().n_mels,
            Kind::Waveform(_) => 1,
        }
    }

    /// One frame, where [`FrontEnd::framing`] says so: the first samples of `samples` to `row` (`[bands]`).
    pub(crate) fn frame(&mut self, samples: &[f32], row: &mut [f32]) {
        match &mut self.kind {
            Kind::LogMel(log_mel) => log_mel.frame(samples, row),
            Kind::KaldiFbank(fbank) => fbank.frame(samples, row),
            Kind::Waveform(_) => row.copy_from_slice(&samples[..1]),
        }
    }

    /// All steps on the frames of one window, `[frames, bands]`.
    pub(crate) fn apply_steps(&self, rows: Vec<f32>) -> Vec<f32> {
        self.steps.apply(rows)
    }
}
