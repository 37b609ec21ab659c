//! Decodes a file and cuts it into runs of windows.

use std::sync::atomic::{AtomicU64, Ordering};

use earmark_audio::{AudioError, AudioInfo, AudioReader, Remarks, WindowStream};
use earmark_encoder::{EncoderError, Model};

use super::types::{Keep, PipelineOptions, Source};
use crate::EngineError;
use crate::segment::{SegmentCutter, SegmentFeatures};

/// Which windows a run is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Those that become [`super::Encoded::spans`].
    Main,
    /// Those that become [`super::Encoded::contexts`].
    Context,
}

/// One way in which every file is cut.
#[derive(Clone)]
pub(super) struct Cut {
    pub(super) scale: Scale,
    pub(super) stream: WindowStream,
    /// Windows in a run.
    per_run: usize,
}

/// Detection windows in a run: about as much sound as one context window.
const DETECTIONS_PER_RUN: usize = 8;

impl Cut {
    /// The ways in which `options` want files cut; all are fed from one decode.
    pub(super) fn plan(model: &Model, options: &PipelineOptions) -> Result<Vec<Self>, EncoderError> {
        let manifest = model.manifest();
        if options.keep == Keep::Detection
            && let Some(detect) = &manifest.detect
            && let Some(stream) = model.detection_stream(options.hop_samples)?
        {
            let context = model.window_stream(Some(detect.context_hop_samples))?;
            return Ok(vec![
                Self { scale: Scale::Main, stream, per_run: DETECTIONS_PER_RUN },
                Self { scale: Scale::Context, stream: context, per_run: 1 },
            ]);
        }
        let stream = model.window_stream(options.hop_samples)?;
        Ok(vec![Self { scale: Scale::Main, stream, per_run: manifest.segment.windows }])
    }
}

/// What is known of a file once it is decoded.
pub(super) struct Decoded {
    /// What the file is called in messages.
    pub(super) name: String,
    pub(super) info: AudioInfo,
    pub(super) duration_s: f64,
    pub(super) remarks: Box<Remarks>,
}

/// How files are decoded.
pub(super) struct Decoder<'a> {
    pub(super) options: &'a PipelineOptions,
    /// The model's.
    pub(super) sample_rate: u32,
    pub(super) cuts: &'a [Cut],
    /// Whether to give up.
    pub(super) stopped: &'a dyn Fn() -> bool,
    /// Counts what was decoded, in samples at the model's rate.
    pub(super) decoded_samples: &'a AtomicU64,
}

impl Decoder<'_> {
    /// Decodes a file and hands over its runs, each with how it was cut, as soon as they are known. `None`
    /// when stopped.
    pub(super) fn decode(
        &self,
        source: Source,
        mut each: impl FnMut(&Cut, SegmentFeatures),
    ) -> Result<Option<Decoded>, EngineError> {
        let name = source.name();
        let rate = f64::from(self.sample_rate);
        let reader = match source {
            Source::Path(path) => AudioReader::open(&path, &self.options.read)?,
            Source::Bytes { name, bytes } => AudioReader::from_bytes(&name, bytes, &self.options.read)?,
        };
        let mut reader = reader.resampled(self.sample_rate)?;
        let mut cuts: Vec<_> =
            self.cuts.iter().map(|cut| (SegmentCutter::new(cut.per_run), cut.clone())).collect();
        let (start_s, end_s) = self.options.range.unwrap_or((0.0, f64::INFINITY));
        // In samples at the model's rate; a range past the end of `u64` saturates, as casts do.
        let (first, last) = ((start_s * rate) as u64, (end_s * rate) as u64);
        let offset_s = first as f64 / rate;
        let mut each = |cut: &Cut, mut run: SegmentFeatures| {
            run.shift(offset_s);
            each(cut, run);
        };
        let (mut block, mut position, mut used) = (Vec::new(), 0_u64, 0_u64);
        let mut complete = Vec::new();
        while position < last && reader.read_block(&mut block)? {
            if (self.stopped)() {
                return Ok(None);
            }
            let from = first.saturating_sub(position).min(block.len() as u64) as usize;
            let to = (last - position).min(block.len() as u64) as usize;
            position += block.len() as u64;
            if from >= to {
                continue;
            }
            used += (to - from) as u64;
            self.decoded_samples.fetch_add((to - from) as u64, Ordering::Relaxed);
            for (cutter, cut) in &mut cuts {
                cut.stream.push(&block[from..to], &mut |window| complete.extend(cutter.push(window)));
                complete.drain(..).for_each(|run| each(cut, run));
            }
        }
        if used == 0 {
            let duration_s = position as f64 / rate;
            return Err(AudioError::OutOfRange { file: name, start_s, end_s, duration_s }.into());
        }
        let info = reader.info().clone();
        for (mut cutter, mut cut) in cuts {
            cut.stream.finish(&mut |window| complete.extend(cutter.push(window)));
            complete.drain(..).chain(cutter.finish()).for_each(|run| each(&cut, run));
        }
        let remarks = Box::new(reader.remarks().clone());
        Ok(Some(Decoded { name, info, duration_s: used as f64 / rate, remarks }))
    }
}
