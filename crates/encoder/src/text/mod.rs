//! The text side: words in, vectors out.

mod clauses;
mod graph;
mod template;

use crate::audio::{apply, softmax};
use crate::manifest::{Familiarity, Op};
use crate::{Embedding, EncoderError, Model, ModelFiles, Runtime, dot, normalise};
use clauses::{Clauses, NOT_WEIGHT};
use graph::{OnnxGraph, Rows};

pub use template::in_template;

/// What the encoder makes of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct EncodedText {
    /// The text in the model's space, as the label of a sound.
    pub vector: Embedding,
    /// The text in the model's space, as a search for sounds; the same as `vector` for models without a
    /// `query_output`.
    pub query: Embedding,
    /// Probability that the model knows what the text is about; `None` for models that cannot tell. Of a text
    /// of several sounds, that of the least known.
    pub familiarity: Option<f32>,
    /// Whether the text has more tokens than the model reads (`max_tokens` of its manifest); the rest was
    /// left out.
    pub cut: bool,
}

/// Texts into a model's space, on any number of threads at once.
pub struct TextEncoder {
    graph: OnnxGraph,
    head: TextHead,
    /// Whether several sounds in one text are embedded one by one.
    clauses: bool,
    /// Whether the graph's second output is for searches.
    has_queries: bool,
    /// How to read the graph's last output, which says how well a text is known; `None`: it has none.
    familiarity: Option<Familiarity>,
    model: String,
    dim: usize,
}

/// From the graph's row to the embedding.
enum TextHead {
    /// The manifest's steps.
    Steps(Vec<Op>),
    /// See [`crate::TextAnchors`]: unit vectors of the axes' names, `[dim]` of them.
    Anchors { anchors: Vec<Vec<f32>>, temperature: f32 },
}

impl Model {
    /// Opens the text graph.
    ///
    /// # Errors
    /// As [`Model::audio_encoder`], and [`EncoderError::NoSuchSide`] for a model without text.
    pub fn text_encoder(&self, runtime: &Runtime) -> Result<TextEncoder, EncoderError> {
        TextEncoder::open(self, runtime)
    }
}

impl TextEncoder {
    pub(crate) fn open(model: &Model, runtime: &Runtime) -> Result<Self, EncoderError> {
        let manifest = model.manifest();
        let (id, dim) = (manifest.id.clone(), manifest.dim);
        if let Some(text) = &manifest.text {
            let known = text.familiarity_output.as_deref().zip(manifest.scores.familiarity);
            let (known, familiarity): (Option<&str>, Option<Familiarity>) = known.unzip();
            let outputs = [
                Some(("text.output", text.output.as_str())),
                text.query_output.as_deref().map(|name| ("text.query_output", name)),
                known.map(|name| ("text.familiarity_output", name)),
            ];
            let outputs: Vec<(&str, &str)> = outputs.into_iter().flatten().collect();
            let graph = OnnxGraph::open(model, runtime, text, &outputs)?;
            let has_queries = text.query_output.is_some();
            let head = TextHead::Steps(text.post.clone());
            let clauses = text.clauses;
            return Ok(Self { graph, head, clauses, has_queries, familiarity, model: id, dim });
        }
        if let (Some(anchors), Some(names)) = (&manifest.text_anchors, model.axes()) {
            let graph = open_sentences(&anchors.sentences, runtime, &id)?;
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let rows = graph.rows(&names)?.into_iter();
            let mut directions: Vec<Vec<f32>> = rows.flat_map(|rows| rows.outputs).collect();
            for (direction, name) in directions.iter_mut().zip(names) {
                normalise(direction).map_err(|what| degenerate(&id, what, name))?;
            }
            let head = TextHead::Anchors { anchors: directions, temperature: anchors.temperature };
            // Their texts go through the bundled sentence encoder, which needs it.
            let (has_queries, familiarity) = (false, None);
            return Ok(Self { graph, head, clauses: true, has_queries, familiarity, model: id, dim });
        }
        Err(EncoderError::NoSuchSide {
            model: id,
            kind: manifest.kind.as_str(),
            side: "text side",
            remedy: "search by example, or choose a model of kind `joint`",
        })
    }

    /// Token ids of `text` as the graph gets them, special tokens included.
    ///
    /// # Errors
    /// [`EncoderError::EmptyText`], [`EncoderError::Tokenizer`].
    pub fn tokens(&self, text: &str) -> Result<Vec<i64>, EncoderError> {
        not_empty(text)?;
        self.graph.token_ids(text)
    }

    /// The embedding of each text as a label, as [`TextEncoder::encode`] gives it.
    ///
    /// # Errors
    /// As [`TextEncoder::encode`].
    pub fn embed(&self, texts: &[&str]) -> Result<Vec<Embedding>, EncoderError> {
        Ok(self.encode(texts)?.into_iter().map(|text| text.vector).collect())
    }

    /// Encodes each text, as given; of models with `clauses`, the embedding of several sounds is put
    /// together.
    ///
    /// # Errors
    /// [`EncoderError::EmptyText`], [`EncoderError::Tokenizer`], [`EncoderError::Ort`],
    /// [`EncoderError::Graph`], [`EncoderError::Degenerate`].
    pub fn encode(&self, texts: &[&str]) -> Result<Vec<EncodedText>, EncoderError> {
        texts.iter().try_for_each(|text| not_empty(text))?;
        if !self.clauses {
            return self.encode_whole(texts);
        }
        let cut: Vec<Clauses> = texts.iter().map(|text| Clauses::of(text)).collect();
        let parts: Vec<&str> =
            cut.iter().flat_map(|c| c.heard.iter().chain(&c.not)).map(String::as_str).collect();
        let mut parts = self.encode_whole(&parts)?.into_iter();
        let mut sum = |count: usize, text: &str| -> Result<EncodedText, EncoderError> {
            let mut parts: Vec<(f32, EncodedText)> =
                parts.by_ref().take(count).map(|part| (1.0, part)).collect();
            if parts.len() == 1 { Ok(parts.remove(0).1) } else { self.sum(&parts, text) }
        };
        let mut encoded = Vec::with_capacity(texts.len());
        for (clauses, text) in cut.iter().zip(texts) {
            let heard = sum(clauses.heard.len(), text)?;
            if clauses.not.is_empty() {
                encoded.push(heard);
                continue;
            }
            let not = sum(clauses.not.len(), text)?;
            encoded.push(self.sum(&[(1.0, heard), (-NOT_WEIGHT, not)], text)?);
        }
        Ok(encoded)
    }

    /// A text out of its weighted parts.
    fn sum(&self, parts: &[(f32, EncodedText)], text: &str) -> Result<EncodedText, EncoderError> {
        let sum_of = |which: fn(&EncodedText) -> &Embedding| {
            let weighted = parts.iter().map(|(weight, part)| (*weight, which(part).as_slice()));
            Embedding::of_sum(self.dim, weighted, &self.model, &format!("the text `{text}`"))
        };
        Ok(EncodedText {
            vector: sum_of(|part| &part.vector)?,
            query: sum_of(|part| &part.query)?,
            familiarity: parts.iter().filter_map(|(_, part)| part.familiarity).reduce(f32::min),
            cut: parts.iter().any(|(_, part)| part.cut),
        })
    }

    fn encode_whole(&self, texts: &[&str]) -> Result<Vec<EncodedText>, EncoderError> {
        let rows = self.graph.rows(texts)?;
        let encode = |(Rows { outputs, cut }, text): (Rows, &&str)| {
            let mut rows = outputs.into_iter();
            let vector = self.finish(rows.next().unwrap_or_default(), text)?;
            let query = match self.has_queries {
                true => self.finish(rows.next().unwrap_or_default(), text)?,
                false => vector.clone(),
            };
            let nearness = rows.next().and_then(|row| row.first().copied());
            let familiarity = self.familiarity.zip(nearness).map(|(read, value)| read.probability(value));
            Ok(EncodedText { vector, query, familiarity, cut })
        };
        rows.into_iter().zip(texts).map(encode).collect()
    }

    fn finish(&self, mut row: Vec<f32>, text: &str) -> Result<Embedding, EncoderError> {
        match &self.head {
            TextHead::Steps(steps) => {
                apply(steps, &mut row).map_err(|what| degenerate(&self.model, what, text))?
            }
            TextHead::Anchors { anchors, temperature } => {
                normalise(&mut row).map_err(|what| degenerate(&self.model, what, text))?;
                row = anchors.iter().map(|anchor| dot(anchor, &row) / temperature).collect();
                softmax(&mut row);
            }
        }
        if row.len() != self.dim {
            return Err(EncoderError::Graph {
                model: self.model.clone(),
                graph: "text".to_owned(),
                what: "output".to_owned(),
                expected: format!("{} numbers, the manifest's dim", self.dim),
                received: row.len().to_string(),
            });
        }
        Embedding::from_values(row, &self.model, &format!("the text `{text}`"))
    }
}

/// The bundled sentence encoder that text anchors name.
fn open_sentences(name: &str, runtime: &Runtime, for_model: &str) -> Result<OnnxGraph, EncoderError> {
    let absent = || EncoderError::File {
        model: for_model.to_owned(),
        path: name.to_owned(),
        reason: "texts are embedded with the bundled model of this name, which there is not".to_owned(),
    };
    let bundled = crate::bundled::names().find(|known| *known == name).ok_or_else(absent)?;
    let model = Model::open(ModelFiles::Bundled(bundled))?;
    let text = model.manifest().text.as_ref().ok_or_else(absent)?;
    let output = text.sentence_output.as_ref().ok_or_else(absent)?;
    OnnxGraph::open(&model, runtime, text, &[("text.sentence_output", output)])
}

fn not_empty(text: &str) -> Result<(), EncoderError> {
    if text.trim().is_empty() { Err(EncoderError::EmptyText) } else { Ok(()) }
}

fn degenerate(model: &str, what: &'static str, text: &str) -> EncoderError {
    EncoderError::Degenerate { model: model.to_owned(), what, input: format!("the text `{text}`") }
}
