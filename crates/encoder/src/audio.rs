//! The audio side: features of windows in, vectors out.

use std::sync::Arc;

use earmark_audio::FeatureShape;
use ort::session::SessionInputValue;
use ort::value::Tensor;

use crate::device::TOLERANCE;
use crate::manifest::{InputAxis, Manifest, Op, Pooling};
use crate::session::{self, GraphSession};
use crate::{Device, Embedding, EncoderError, Model, Runtime, normalise};

/// Which output of the audio graph is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioOutput {
    /// The embedding, `[dim]`.
    Embedding,
    /// The probabilities of a tagger's own classes, `[classes]`.
    Classes,
}

impl Model {
    /// Opens the audio graph.
    ///
    /// # Errors
    /// [`EncoderError::File`], [`EncoderError::FileMismatch`], [`EncoderError::Graph`],
    /// [`EncoderError::Ort`]; [`EncoderError::NoSuchSide`] for the classes of a model that has none.
    pub fn audio_encoder(
        &self,
        runtime: &Runtime,
        output: AudioOutput,
    ) -> Result<AudioEncoder, EncoderError> {
        let shape = self.window_stream(None)?.shape();
        AudioEncoder::open(self, runtime, output, shape)
    }

    /// Pools rows `[windows, dim]` from an [`AudioEncoder`] with [`AudioOutput::Embedding`] into the embedding of
    /// the audio they cover. `input` names that audio in errors.
    ///
    /// # Errors
    /// [`EncoderError::Degenerate`] when the result has no direction.
    pub fn pool(&self, rows: &[f32], input: &str) -> Result<Embedding, EncoderError> {
        pool(self.manifest(), rows, input)
    }
}

/// An audio graph, ready to run on any number of threads at once. Clones share it.
#[derive(Debug, Clone)]
pub struct AudioEncoder {
    session: GraphSession,
    device: Device,
    passed_over: Arc<[String]>,
    manifest: Arc<Manifest>,
    /// Of a `[window]`.
    shape: FeatureShape,
    /// Width of the output, and the steps on each row.
    width: usize,
    window_post: Vec<Op>,
}

impl AudioEncoder {
    /// Opens the model's audio graph on the first of the runtime's devices that can run it and gives the
    /// processor's vectors; `shape` is that of the manifest's `[window]`.
    pub(crate) fn open(
        model: &Model,
        runtime: &Runtime,
        output: AudioOutput,
        shape: FeatureShape,
    ) -> Result<Self, EncoderError> {
        let mut passed_over: Vec<String> = runtime.shortfall().map(str::to_owned).into_iter().collect();
        let (last, before) = runtime.devices().split_last().unwrap_or((&Device::Cpu, &[]));
        for device in before {
            match Self::open_on(model, runtime, *device, output, shape) {
                Ok(encoder) => return Ok(Self { passed_over: passed_over.into(), ..encoder }),
                Err(e) => passed_over.push(e.to_string()),
            }
        }
        let encoder = Self::open_on(model, runtime, *last, output, shape)?;
        Ok(Self { passed_over: passed_over.into(), ..encoder })
    }

    fn open_on(
        model: &Model,
        runtime: &Runtime,
        device: Device,
        output: AudioOutput,
        shape: FeatureShape,
    ) -> Result<Self, EncoderError> {
        let manifest = model.manifest().clone();
        let (tensor, width, window_post) = match (output, &manifest.tagger, model.classes()) {
            (AudioOutput::Embedding, ..) => {
                (manifest.audio.output.clone(), manifest.dim, manifest.audio.window_post.clone())
            }
            (AudioOutput::Classes, Some(tagger), Some(classes)) => {
                (tagger.output.clone(), classes.len(), tagger.post.clone())
            }
            (AudioOutput::Classes, ..) => {
                return Err(EncoderError::NoSuchSide {
                    model: manifest.id.clone(),
                    kind: manifest.kind.as_str(),
                    side: "classes of its own",
                    remedy: "choose a model of kind `tagger`",
                });
            }
        };
        let axes = input_shape(&manifest, shape, -1);
        let input = session::Tensor { field: "audio.input", name: &manifest.audio.input, axes: &axes };
        let longer = manifest.audio.longer_input.as_deref();
        let longer = longer.map(|name| session::Tensor { field: "audio.longer_input", name, axes: &[] });
        let inputs: Vec<_> = std::iter::once(input).chain(longer).collect();
        let field = if output == AudioOutput::Classes { "tagger.output" } else { "audio.output" };
        let tensor = session::Tensor { field, name: &tensor, axes: &[] };
        let open = |device| {
            let graph = &manifest.audio.graph;
            let session = GraphSession::open(model, runtime, device, graph, &inputs, &[tensor])?;
            let (manifest, window_post) = (Arc::new(manifest.clone()), window_post.clone());
            Ok(Self { session, device, shape, width, window_post, manifest, passed_over: Arc::default() })
        };
        let encoder: Self = open(device)?;
        if device != Device::Cpu {
            let difference = model.largest_difference(&encoder, &open(Device::Cpu)?)?;
            if difference.is_nan() || difference > TOLERANCE {
                let (model, tolerance) = (manifest.id, TOLERANCE);
                return Err(EncoderError::DeviceDiffers { model, device, difference, tolerance });
            }
        }
        Ok(encoder)
    }

    /// What runs the graph.
    #[must_use]
    pub fn device(&self) -> Device {
        self.device
    }

    /// Why each device that was tried before [`AudioEncoder::device`] is not used.
    #[must_use]
    pub fn passed_over(&self) -> &[String] {
        &self.passed_over
    }

    /// Of the features of a `[window]`.
    pub(crate) fn shape(&self) -> FeatureShape {
        self.shape
    }

    /// Numbers of features in a `[window]`.
    #[must_use]
    pub fn features_per_window(&self) -> usize {
        self.shape.channels * self.shape.frames * self.shape.bands
    }

    /// Numbers in a row of the output: the model's `dim`, or its number of classes.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Runs the graph on `features` of the manifest's `[window]`s, `[windows, channels, frames, bands]`
    /// row-major, and appends one row of [`AudioEncoder::width`] numbers a window to `rows`, after the
    /// manifest's steps on single windows.
    ///
    /// # Errors
    /// [`EncoderError::Graph`] when `features` is no whole number of windows or the output has another shape,
    /// [`EncoderError::Ort`] when the run fails, [`EncoderError::Degenerate`] when the output is not finite.
    pub fn encode(&self, features: &[f32], rows: &mut Vec<f32>) -> Result<(), EncoderError> {
        self.encode_shaped(self.shape, features, rows)
    }

    /// As [`AudioEncoder::encode`], for windows of any `shape` that the graph takes: those that
    /// [`Model::detection_stream`] cuts are shorter.
    ///
    /// # Errors
    /// See [`AudioEncoder::encode`].
    pub fn encode_shaped(
        &self,
        shape: FeatureShape,
        features: &[f32],
        rows: &mut Vec<f32>,
    ) -> Result<(), EncoderError> {
        let FeatureShape { channels, frames, bands } = shape;
        let per_window = channels * frames * bands;
        if features.is_empty() || !features.len().is_multiple_of(per_window) {
            let expected = format!("windows of {channels} x {frames} x {bands}");
            return Err(self.session.mismatch("features", expected, format!("{} numbers", features.len())));
        }
        let together = if self.manifest.audio.batch { features.len() } else { per_window };
        features.chunks(together).try_for_each(|run| self.run(shape, run, rows))
    }

    /// One run of the graph, on a whole number of windows.
    fn run(
        &self,
        of_window: FeatureShape,
        features: &[f32],
        rows: &mut Vec<f32>,
    ) -> Result<(), EncoderError> {
        let windows = features.len() / (of_window.channels * of_window.frames * of_window.bands);
        let shape = input_shape(&self.manifest, of_window, windows as i64);
        let wanted = shape.iter().try_fold(1_i64, |product, n| product.checked_mul(*n));
        if wanted != Some(features.len() as i64) {
            let expected = format!("as many numbers as audio.input_shape says, {shape:?}");
            return Err(self.session.mismatch("input", expected, format!("{} features", features.len())));
        }
        let transposed = self.mels_first().then(|| transpose(features, of_window));
        let m = &self.manifest;
        let ort_error = |e: ort::Error| self.session.failed(e.to_string());
        let features = transposed.as_deref().unwrap_or(features);
        let mut inputs: Vec<SessionInputValue<'_>> = vec![self.session.floats(0, shape, features)?];
        if m.audio.longer_input.is_some() {
            let all_true =
                Tensor::from_array(([windows as i64, 1], vec![true; windows])).map_err(ort_error)?;
            inputs.push(all_true.into());
        }
        let (shape, values) = self.session.run(&inputs)?.pop().unwrap_or_default();
        if values.len() != windows * self.width {
            let expected = format!("[{windows}, {}]", self.width);
            return Err(self.session.mismatch("output", expected, format!("{shape:?}")));
        }
        let start = rows.len();
        rows.extend_from_slice(&values);
        for row in rows[start..].chunks_exact_mut(self.width) {
            apply(&self.window_post, row).map_err(|what| degenerate(m, what, "a window of audio"))?;
        }
        Ok(())
    }

    /// Whether the graph wants `[…, mels, frames]`.
    fn mels_first(&self) -> bool {
        let place = |name: &str| {
            let is = |axis: &InputAxis| matches!(axis, InputAxis::Named(n) if n == name);
            self.manifest.audio.input_shape.iter().position(is)
        };
        matches!((place("mels"), place("frames")), (Some(mels), Some(frames)) if mels < frames)
    }
}

/// The shape of the graph's input for so many windows.
fn input_shape(manifest: &Manifest, of_window: FeatureShape, windows: i64) -> Vec<i64> {
    let FeatureShape { channels, frames, bands } = of_window;
    let size = |axis: &InputAxis| match axis {
        InputAxis::Fixed(n) => *n,
        InputAxis::Named(name) => match name.as_str() {
            "batch" => windows,
            "channels" => channels as i64,
            "mels" => bands as i64,
            _ => frames as i64,
        },
    };
    manifest.audio.input_shape.iter().map(size).collect()
}

/// `[…, frames, bands]` to `[…, bands, frames]`.
fn transpose(features: &[f32], shape: FeatureShape) -> Vec<f32> {
    let mut out = Vec::with_capacity(features.len());
    for plane in features.chunks_exact((shape.frames * shape.bands).max(1)) {
        for band in 0..shape.bands {
            out.extend(plane.iter().skip(band).step_by(shape.bands));
        }
    }
    out
}

/// Pools rows `[windows, dim]` as the manifest says: the embedding of the audio they cover.
///
/// # Errors
/// [`EncoderError::Degenerate`] when the result has no direction; `input` names the audio in its message.
pub(crate) fn pool(manifest: &Manifest, rows: &[f32], input: &str) -> Result<Embedding, EncoderError> {
    let mut pooled = pool_rows(manifest.audio.pooling, rows, manifest.dim);
    apply(&manifest.audio.post, &mut pooled).map_err(|what| degenerate(manifest, what, input))?;
    Embedding::from_values(pooled, &manifest.id, input)
}

/// Pools rows `[windows, width]` into `[width]`.
#[must_use]
pub fn pool_rows(pooling: Pooling, rows: &[f32], width: usize) -> Vec<f32> {
    let mut pooled = vec![0.0_f64; width];
    let windows = (rows.len() / width.max(1)).max(1);
    match pooling {
        Pooling::Mean => {
            for row in rows.chunks_exact(width) {
                for (sum, &v) in pooled.iter_mut().zip(row) {
                    *sum += f64::from(v);
                }
            }
            pooled.iter_mut().for_each(|sum| *sum /= windows as f64);
        }
        Pooling::Max => {
            pooled.fill(f64::NEG_INFINITY);
            for row in rows.chunks_exact(width) {
                for (max, &v) in pooled.iter_mut().zip(row) {
                    *max = max.max(f64::from(v));
                }
            }
        }
    }
    pooled.into_iter().map(|v| v as f32).collect()
}

/// Applies steps in order; an error says what is wrong with the numbers.
pub(crate) fn apply(ops: &[Op], values: &mut [f32]) -> Result<(), &'static str> {
    if values.iter().any(|v| !v.is_finite()) {
        return Err("a number that is not finite");
    }
    for op in ops {
        match op {
            Op::Sqrt => values.iter_mut().for_each(|v| *v = v.max(0.0).sqrt()),
            Op::L2 => normalise(values)?,
            Op::Sigmoid => values.iter_mut().for_each(|v| *v = 1.0 / (1.0 + (-*v).exp())),
            Op::Softmax => softmax(values),
        }
    }
    Ok(())
}

/// `exp(x)` of each component, scaled to a sum of one.
pub(crate) fn softmax(values: &mut [f32]) {
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values.iter_mut().for_each(|v| *v = (*v - max).exp());
    let sum: f32 = values.iter().sum();
    values.iter_mut().for_each(|v| *v /= sum);
}

fn degenerate(manifest: &Manifest, what: &'static str, input: &str) -> EncoderError {
    EncoderError::Degenerate { model: manifest.id.clone(), what, input: input.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_are_transposed_one_by_one() {
        let shape = FeatureShape { channels: 1, frames: 2, bands: 3 };
        let two_windows = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0];
        let expected = [1.0, 4.0, 2.0, 5.0, 3.0, 6.0, 10.0, 40.0, 20.0, 50.0, 30.0, 60.0];
        assert_eq!(transpose(&two_windows, shape), expected);
    }

    #[test]
    fn steps_make_probabilities_of_logits() {
        let mut values = [0.0, 2.0, -2.0];
        apply(&[Op::Sigmoid], &mut values).unwrap();
        assert!((values[0] - 0.5).abs() < 1e-6 && (values[1] + values[2] - 1.0).abs() < 1e-6);
        let mut values = [1000.0, 1000.0, 0.0];
        apply(&[Op::Softmax], &mut values).unwrap();
        assert_eq!(values, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn rows_are_pooled_by_mean_or_max() {
        let rows = [1.0, 5.0, 3.0, 1.0];
        assert_eq!(pool_rows(Pooling::Mean, &rows, 2), [2.0, 3.0]);
        assert_eq!(pool_rows(Pooling::Max, &rows, 2), [3.0, 5.0]);
    }
}
