//! The graphs of a model, their tensors, and what is done to their outputs.

use serde::{Deserialize, Serialize};

/// How windows are pooled into the segments that an index stores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentPolicy {
    /// Consecutive windows in a segment. A last segment of less than half as many is joined to the one before.
    pub windows: usize,
}

/// One dimension of the audio graph's input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum InputAxis {
    /// `batch`, `channels`, `frames`, `mels` or `samples`.
    Named(String),
    /// A constant, such as the 1 of a channel axis.
    Fixed(i64),
}

/// A step applied to a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Square root of each component (negative ones become zero): class probabilities become amplitudes, whose dot
    /// product is the Bhattacharyya coefficient of the two distributions.
    Sqrt,
    /// Scale to unit length.
    L2,
    /// `1 / (1 + exp(-x))` of each component: logits become probabilities that stand each for itself.
    Sigmoid,
    /// `exp(x)` of each component, scaled to a sum of one: logits become probabilities of which one must be true.
    Softmax,
}

/// How the outputs of several windows become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Mean of each component.
    Mean,
    /// Largest of each component.
    Max,
}

/// The audio graph: features of windows in, one vector a window out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioGraph {
    /// The ONNX file.
    pub graph: String,
    /// Name of the input tensor.
    pub input: String,
    /// Its dimensions. Where `mels` comes before `frames`, features are transposed for the graph.
    pub input_shape: Vec<InputAxis>,
    /// Name of a second input, bool `[batch, 1]`, that is always true: `is_longer` of fused CLAP, which transformers
    /// sets for a clip that comes alone, whatever its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longer_input: Option<String>,
    /// Name of the output tensor, `[batch, dim]`.
    pub output: String,
    /// Whether several windows may share a run. `false` where a window's vector would depend on its
    /// neighbours, as with dynamic quantisation: each is then run by itself.
    // Left out where it is true, so that hashes of manifests from before the field stay what they were.
    #[serde(default = "yes", skip_serializing_if = "Clone::clone")]
    pub batch: bool,
    /// Steps on each window's output, before pooling.
    #[serde(default)]
    pub window_post: Vec<Op>,
    /// How windows are pooled.
    pub pooling: Pooling,
    /// Steps after pooling; the last must be `l2`.
    pub post: Vec<Op>,
}

fn yes() -> bool {
    true
}

/// The text graph: token ids in, one vector a text out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextGraph {
    /// The ONNX file.
    pub graph: String,
    /// Name of the token-id input, `[batch, tokens]`, int64.
    pub input_ids: String,
    /// Name of the attention-mask input, where the graph has one.
    #[serde(default)]
    pub attention_mask: Option<String>,
    /// Name of the output tensor, `[batch, dim]`.
    pub output: String,
    /// Name of another output, `[batch, dim]`: the text as a search query, where `output` is the text as a label. A
    /// search may weigh the axes differently.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query_output: Option<String>,
    /// Name of another output, `[batch, any]`: a general sentence embedding, which [`TextAnchors`] of other models use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence_output: Option<String>,
    /// Name of another output, `[batch, 1]`: how near the text comes to anything the model knows. `scores.familiarity`
    /// makes a probability of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub familiarity_output: Option<String>,
    /// The `tokenizer.json`.
    pub tokenizer: String,
    /// Longer texts are cut to this many tokens, special tokens included.
    pub max_tokens: usize,
    /// Token that fills texts up to `pad_to`; given together or not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad_id: Option<u32>,
    /// Number of tokens that every text is filled up to, for graphs whose result depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pad_to: Option<usize>,
    /// Whether texts of equal token count may share a run. `false` where a text's vector would depend on its
    /// neighbours, as with dynamic quantisation.
    pub batch: bool,
    /// What a label is put into before encoding; `{}` stands for the label.
    pub prompt: String,
    /// Appended to every text, queries too, before it is cut into tokens.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub suffix: String,
    /// Whether several sounds in one text ("a dog barking while a car passes", "speech without music") are embedded one by
    /// one and put together, for encoders that cannot tell them apart.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clauses: bool,
    /// Steps on the output; the last must be `l2`.
    pub post: Vec<Op>,
}

/// Free text for a model whose axes have names: a text becomes `l2(softmax(cos(text, names) / temperature))` over the
/// sentence embeddings of the names, which meets `l2(sqrt(probabilities))` of the audio side in one space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextAnchors {
    /// The bundled model whose `sentence_output` embeds texts.
    pub sentences: String,
    /// Softness of the softmax; what the card of `mini` found, where a manifest has no better.
    pub temperature: f32,
}

/// The classes of a tagger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tagger {
    /// Name of the output tensor, `[batch, classes]`; may be that of [`AudioGraph::output`].
    pub output: String,
    /// Text file with the name of one class a line.
    pub classes: String,
    /// Steps on each window's output that make probabilities of it.
    #[serde(default)]
    pub post: Vec<Op>,
    /// How windows are pooled.
    pub pooling: Pooling,
    /// Whether several classes may be true at once.
    pub multi_label: bool,
    /// Probability from which a class counts as heard.
    pub threshold: f32,
}

/// Names of a space's axes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AxisNames {
    /// Text file with one name a line, `dim` lines.
    pub names: String,
}
