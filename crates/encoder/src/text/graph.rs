//! A text graph with its tokenizer: texts in, raw rows out.

use ort::session::SessionInputValue;
use ort::value::Tensor;
use tokenizers::{Tokenizer, TruncationParams};

use crate::manifest::TextGraph;
use crate::session::{self, GraphSession};
use crate::{Device, EncoderError, Model, Runtime};

/// A text graph, ready to run on any number of threads at once.
pub(super) struct OnnxGraph {
    session: GraphSession,
    tokenizer: Tokenizer,
    model: String,
    spec: TextGraph,
}

/// The token ids of a text, and how many of them are the text's own; the rest is padding.
struct Tokens {
    ids: Vec<i64>,
    real: usize,
    /// Whether the text has more, which are left out.
    cut: bool,
}

/// What the graph makes of a text.
pub(super) struct Rows {
    /// A row of each output, in the order in which the outputs were named.
    pub(super) outputs: Vec<Vec<f32>>,
    /// Whether the text has more tokens than the graph reads.
    pub(super) cut: bool,
}

impl OnnxGraph {
    /// Opens the graph that `spec` describes, for these outputs: the manifest's fields that name them, and the names.
    pub(super) fn open(
        model: &Model,
        runtime: &Runtime,
        spec: &TextGraph,
        outputs: &[(&'static str, &str)],
    ) -> Result<Self, EncoderError> {
        let id = &model.manifest().id;
        let tokenizer_error =
            |e: tokenizers::Error| EncoderError::Tokenizer { model: id.clone(), reason: e.to_string() };
        let mut tokenizer = Tokenizer::from_bytes(model.read(&spec.tokenizer)?).map_err(tokenizer_error)?;
        // Padding would change the vector where the graph attends to it; lengths are the manifest's business.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(TruncationParams { max_length: spec.max_tokens, ..Default::default() }))
            .map_err(tokenizer_error)?;
        // Both are `[texts, tokens]`.
        let input = |(field, name)| session::Tensor { field, name, axes: &[-1, -1] };
        let mask = spec.attention_mask.as_deref().map(|name| ("text.attention_mask", name));
        let inputs = std::iter::once(("text.input_ids", spec.input_ids.as_str())).chain(mask);
        let inputs: Vec<_> = inputs.map(input).collect();
        let output = |&(field, name)| session::Tensor { field, name, axes: &[] };
        let outputs: Vec<_> = outputs.iter().map(output).collect();
        let session = GraphSession::open(model, runtime, Device::Cpu, &spec.graph, &inputs, &outputs)?;
        Ok(Self { session, tokenizer, model: id.clone(), spec: spec.clone() })
    }

    /// Token ids of `text` as the graph gets them: special tokens, suffix and padding included.
    pub(super) fn token_ids(&self, text: &str) -> Result<Vec<i64>, EncoderError> {
        Ok(self.tokens(text)?.ids)
    }

    fn tokens(&self, text: &str) -> Result<Tokens, EncoderError> {
        let encoding = self
            .tokenizer
            .encode(format!("{text}{}", self.spec.suffix), true)
            .map_err(|e| EncoderError::Tokenizer { model: self.model.clone(), reason: e.to_string() })?;
        let mut ids: Vec<i64> = encoding.get_ids().iter().map(|&id| i64::from(id)).collect();
        let (real, cut) = (ids.len(), !encoding.get_overflowing().is_empty());
        if let (Some(pad_id), Some(pad_to)) = (self.spec.pad_id, self.spec.pad_to) {
            ids.resize(pad_to.max(real), i64::from(pad_id));
        }
        Ok(Tokens { ids, real, cut })
    }

    /// What the graph makes of each text.
    pub(super) fn rows(&self, texts: &[&str]) -> Result<Vec<Rows>, EncoderError> {
        let tokens = texts.iter().map(|t| self.tokens(t)).collect::<Result<Vec<_>, _>>()?;
        let mut rows: Vec<Rows> =
            tokens.iter().map(|tokens| Rows { outputs: Vec::new(), cut: tokens.cut }).collect();
        for group in self.groups(&tokens) {
            let batch: Vec<&Tokens> = group.iter().map(|&i| &tokens[i]).collect();
            for values in self.run(&batch)? {
                let width = values.len() / batch.len();
                for (&i, row) in group.iter().zip(values.chunks_exact(width.max(1))) {
                    rows[i].outputs.push(row.to_vec());
                }
            }
        }
        Ok(rows)
    }

    /// Indices of the texts that run together: those of equal length (padding is attended by graphs without a
    /// mask), or each alone.
    fn groups(&self, tokens: &[Tokens]) -> Vec<Vec<usize>> {
        const MAX_BATCH: usize = 32;
        if !self.spec.batch {
            return (0..tokens.len()).map(|i| vec![i]).collect();
        }
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|&i| tokens[i].ids.len());
        order
            .chunk_by(|&a, &b| tokens[a].ids.len() == tokens[b].ids.len())
            .flat_map(|same| same.chunks(MAX_BATCH))
            .map(<[usize]>::to_vec)
            .collect()
    }

    /// Runs texts of equal length; gives `[batch, width]` for each output.
    fn run(&self, batch: &[&Tokens]) -> Result<Vec<Vec<f32>>, EncoderError> {
        let ort_error = |e: ort::Error| self.session.failed(e.to_string());
        let length = batch.first().map_or(0, |t| t.ids.len());
        let shape = [batch.len() as i64, length as i64];
        let ids: Vec<i64> = batch.iter().flat_map(|t| t.ids.iter().copied()).collect();
        let mut inputs: Vec<SessionInputValue<'_>> =
            vec![Tensor::from_array((shape, ids)).map_err(ort_error)?.into()];
        if self.spec.attention_mask.is_some() {
            let attended = batch.iter().flat_map(|t| (0..length).map(|i| i64::from(i < t.real))).collect();
            let attended: Vec<i64> = attended;
            inputs.push(Tensor::from_array((shape, attended)).map_err(ort_error)?.into());
        }
        let values_of = |(shape, values): session::Output| {
            if values.is_empty() || !values.len().is_multiple_of(batch.len()) {
                let expected = format!("one row for each of {} texts", batch.len());
                return Err(self.session.mismatch("output", expected, format!("{shape:?}")));
            }
            Ok(values)
        };
        self.session.run(&inputs)?.into_iter().map(values_of).collect()
    }
}
