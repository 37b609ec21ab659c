//! The text side: words in, vectors out.

use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;
use tokenizers::{Tokenizer, TruncationParams};

use crate::audio::apply;
use crate::manifest::TextGraph;
use crate::model::{check_tensors, open_session};
use crate::{Embedding, EncoderError, Model, Runtime};

/// A text graph with its tokenizer, ready to run on one thread.
pub struct TextEncoder {
    session: Session,
    tokenizer: Tokenizer,
    model: String,
    dim: usize,
    graph: TextGraph,
}

impl TextEncoder {
    pub(crate) fn open(model: &Model, runtime: &Runtime) -> Result<Self, EncoderError> {
        let manifest = model.manifest();
        let Some(graph) = manifest.text.clone() else {
            return Err(EncoderError::NoSuchSide {
                model: manifest.id.clone(),
                kind: manifest.kind.as_str(),
                side: "text",
                remedy: "search by example with --like, or choose a model of kind `joint`",
            });
        };
        let tokenizer_error = |e: tokenizers::Error| EncoderError::Tokenizer {
            model: manifest.id.clone(),
            reason: e.to_string(),
        };
        let mut tokenizer = Tokenizer::from_bytes(model.read(&graph.tokenizer)?).map_err(tokenizer_error)?;
        // Padding would change the vector where the graph attends to it; lengths are the manifest's business.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(Some(TruncationParams { max_length: graph.max_tokens, ..Default::default() }))
            .map_err(tokenizer_error)?;
        let session = open_session(model, runtime, &graph.graph)?;
        let inputs: Vec<&str> =
            std::iter::once(graph.input_ids.as_str()).chain(graph.attention_mask.as_deref()).collect();
        check_tensors(&manifest.id, &graph.graph, &session, &inputs, &graph.output)?;
        Ok(Self { session, tokenizer, model: manifest.id.clone(), dim: manifest.dim, graph })
    }

    /// Token ids of `text` as the graph gets them, special tokens included.
    ///
    /// # Errors
    /// [`EncoderError::EmptyText`], [`EncoderError::Tokenizer`].
    pub fn tokens(&self, text: &str) -> Result<Vec<i64>, EncoderError> {
        if text.trim().is_empty() {
            return Err(EncoderError::EmptyText);
        }
        let encoding = self
            .tokenizer
            .encode(text, true)
            .map_err(|e| EncoderError::Tokenizer { model: self.model.clone(), reason: e.to_string() })?;
        Ok(encoding.get_ids().iter().map(|&id| i64::from(id)).collect())
    }

    /// The embedding of each text, exactly as given.
    ///
    /// # Errors
    /// Those of [`TextEncoder::tokens`], and [`EncoderError::Ort`], [`EncoderError::Graph`],
    /// [`EncoderError::Degenerate`].
    pub fn embed(&mut self, texts: &[&str]) -> Result<Vec<Embedding>, EncoderError> {
        let tokens = texts.iter().map(|t| self.tokens(t)).collect::<Result<Vec<_>, _>>()?;
        let mut embeddings: Vec<Option<Embedding>> = vec![None; texts.len()];
        for group in self.groups(&tokens) {
            let ids: Vec<i64> = group.iter().flat_map(|&i| tokens[i].iter().copied()).collect();
            let rows = self.run(&ids, group.len())?;
            for (&i, row) in group.iter().zip(rows.chunks_exact(self.dim)) {
                embeddings[i] = Some(self.finish(row.to_vec(), texts[i])?);
            }
        }
        Ok(embeddings.into_iter().flatten().collect())
    }

    /// Puts `label` into the manifest's prompt.
    #[must_use]
    pub fn prompt(&self, label: &str) -> String {
        self.graph.prompt.replace("{}", label)
    }

    /// Indices of the texts that run together: those of equal length (padding is attended by graphs without a mask),
    /// or each alone.
    fn groups(&self, tokens: &[Vec<i64>]) -> Vec<Vec<usize>> {
        const MAX_BATCH: usize = 32;
        if !self.graph.batch {
            return (0..tokens.len()).map(|i| vec![i]).collect();
        }
        let mut order: Vec<usize> = (0..tokens.len()).collect();
        order.sort_by_key(|&i| tokens[i].len());
        order
            .chunk_by(|&a, &b| tokens[a].len() == tokens[b].len())
            .flat_map(|same| same.chunks(MAX_BATCH))
            .map(<[usize]>::to_vec)
            .collect()
    }

    /// Runs token ids `[batch, tokens]`; gives `[batch, dim]`.
    fn run(&mut self, ids: &[i64], batch: usize) -> Result<Vec<f32>, EncoderError> {
        let model = self.model.clone();
        let ort_error = |e: ort::Error| EncoderError::Ort { model: model.clone(), reason: e.to_string() };
        let shape = [batch as i64, (ids.len() / batch) as i64];
        let mut inputs: Vec<(&str, SessionInputValue<'_>)> = vec![(
            &self.graph.input_ids,
            Tensor::from_array((shape, ids.to_vec())).map_err(ort_error)?.into(),
        )];
        if let Some(mask) = &self.graph.attention_mask {
            inputs
                .push((mask, Tensor::from_array((shape, vec![1_i64; ids.len()])).map_err(ort_error)?.into()));
        }
        let outputs = self.session.run(inputs).map_err(ort_error)?;
        let (shape, values) =
            outputs[self.graph.output.as_str()].try_extract_tensor::<f32>().map_err(ort_error)?;
        if values.len() != batch * self.dim {
            return Err(EncoderError::Graph {
                model: self.model.clone(),
                graph: self.graph.graph.clone(),
                what: "output".to_owned(),
                expected: format!("[{batch}, {}]", self.dim),
                received: format!("{shape:?}"),
            });
        }
        Ok(values.to_vec())
    }

    fn finish(&self, mut row: Vec<f32>, text: &str) -> Result<Embedding, EncoderError> {
        apply(&self.graph.post, &mut row).map_err(|what| EncoderError::Degenerate {
            model: self.model.clone(),
            what,
            input: format!("the text `{text}`"),
        })?;
        Embedding::from_values(row, &self.model, &format!("the text `{text}`"))
    }
}
