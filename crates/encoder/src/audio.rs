//! The audio side: features of windows in, vectors out.

use ort::session::Session;
use ort::value::TensorRef;

use crate::manifest::{InputAxis, Manifest, Op, Pooling};
use crate::model::{check_tensors, open_session};
use crate::{Embedding, EncoderError, Model, Runtime, normalise};

/// An audio graph, ready to run on one thread. Open one for each worker thread.
#[derive(Debug)]
pub struct AudioEncoder {
    session: Session,
    manifest: Manifest,
    frames: usize,
    mels: usize,
}

impl AudioEncoder {
    /// Opens the model's audio graph, for windows of `frames` × `mels` features.
    pub(crate) fn open(
        model: &Model,
        runtime: &Runtime,
        frames: usize,
        mels: usize,
    ) -> Result<Self, EncoderError> {
        let manifest = model.manifest().clone();
        let session = open_session(model, runtime, &manifest.audio.graph)?;
        check_tensors(
            &manifest.id,
            &manifest.audio.graph,
            &session,
            &[&manifest.audio.input],
            &manifest.audio.output,
        )?;
        Ok(Self { session, manifest, frames, mels })
    }

    /// Numbers of features in a window.
    #[must_use]
    pub fn features_per_window(&self) -> usize {
        self.frames * self.mels
    }

    /// Runs the graph on `features`, `[windows, frames, mels]` row-major, and appends one row of `dim` numbers a
    /// window to `rows`, after the manifest's `window_post` steps.
    ///
    /// # Errors
    /// [`EncoderError::Graph`] when `features` is no whole number of windows or the output has another shape,
    /// [`EncoderError::Ort`] when the run fails, [`EncoderError::Degenerate`] when the output is not finite.
    pub fn encode(&mut self, features: &[f32], rows: &mut Vec<f32>) -> Result<(), EncoderError> {
        let m = &self.manifest;
        let per_window = self.frames * self.mels;
        let graph_error = |what: &str, expected: String, received: String| EncoderError::Graph {
            model: m.id.clone(),
            graph: m.audio.graph.clone(),
            what: what.to_owned(),
            expected,
            received,
        };
        let windows = features.len() / per_window.max(1);
        if windows * per_window != features.len() || windows == 0 {
            let expected = format!("windows of {} x {}", self.frames, self.mels);
            return Err(graph_error("features", expected, format!("{} numbers", features.len())));
        }
        let shape: Vec<i64> = m
            .audio
            .input_shape
            .iter()
            .map(|axis| match axis {
                InputAxis::Fixed(n) => *n,
                InputAxis::Named(name) if name == "batch" => windows as i64,
                InputAxis::Named(name) if name == "frames" => self.frames as i64,
                InputAxis::Named(_) => self.mels as i64,
            })
            .collect();
        let ort_error = |e: ort::Error| EncoderError::Ort { model: m.id.clone(), reason: e.to_string() };
        let input = TensorRef::from_array_view((shape, features)).map_err(ort_error)?;
        let outputs = self.session.run(ort::inputs![m.audio.input.as_str() => input]).map_err(ort_error)?;
        let (shape, values) =
            outputs[m.audio.output.as_str()].try_extract_tensor::<f32>().map_err(ort_error)?;
        if values.len() != windows * m.dim {
            return Err(graph_error("output", format!("[{windows}, {}]", m.dim), format!("{shape:?}")));
        }
        let start = rows.len();
        rows.extend_from_slice(values);
        for row in rows[start..].chunks_exact_mut(m.dim) {
            apply(&m.audio.window_post, row).map_err(|what| degenerate(m, what, "a window of audio"))?;
        }
        Ok(())
    }
}

/// Pools rows `[windows, dim]` as the manifest says: the embedding of the audio they cover.
///
/// # Errors
/// [`EncoderError::Degenerate`] when the result has no direction; `input` names the audio in its message.
pub(crate) fn pool(manifest: &Manifest, rows: &[f32], input: &str) -> Result<Embedding, EncoderError> {
    let mut pooled = vec![0.0_f64; manifest.dim];
    let windows = (rows.len() / manifest.dim).max(1);
    match manifest.audio.pooling {
        Pooling::Mean => {
            for row in rows.chunks_exact(manifest.dim) {
                for (sum, &v) in pooled.iter_mut().zip(row) {
                    *sum += f64::from(v);
                }
            }
            pooled.iter_mut().for_each(|sum| *sum /= windows as f64);
        }
        Pooling::Max => {
            pooled.fill(f64::NEG_INFINITY);
            for row in rows.chunks_exact(manifest.dim) {
                for (max, &v) in pooled.iter_mut().zip(row) {
                    *max = max.max(f64::from(v));
                }
            }
        }
    }
    let mut pooled: Vec<f32> = pooled.into_iter().map(|v| v as f32).collect();
    apply(&manifest.audio.post, &mut pooled).map_err(|what| degenerate(manifest, what, input))?;
    Embedding::from_values(pooled, &manifest.id, input)
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
        }
    }
    Ok(())
}

fn degenerate(manifest: &Manifest, what: &'static str, input: &str) -> EncoderError {
    EncoderError::Degenerate { model: manifest.id.clone(), what, input: input.to_owned() }
}
