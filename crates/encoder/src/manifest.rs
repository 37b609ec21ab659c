//! The model manifest: one TOML file that says all there is to say about a model.

use std::path::{Component, Path};

use earmark_audio::{FeatureSpec, FrontEndSpec, WindowSpec};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::EncoderError;

/// The manifest schema that this program reads.
const SCHEMA: u32 = 1;

/// What a model is, as written in `models/NAME/manifest.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this schema; 1.
    pub schema: u32,
    /// Short name that commands and indexes use: lower-case letters, digits, `-`, `.` and `_`.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// What the model can do.
    pub kind: Kind,
    /// One line for people.
    pub description: String,
    /// SPDX expression of the weights' licence.
    pub licence: String,
    /// Where the weights come from.
    pub source: String,
    /// Length of an embedding.
    pub dim: usize,
    /// From waveform to features.
    pub front_end: FrontEndSpec,
    /// How audio of any length is cut for the encoder.
    pub window: WindowSpec,
    /// How windows are pooled into the segments that an index stores.
    pub segment: SegmentPolicy,
    /// The audio graph.
    pub audio: AudioGraph,
    /// The text graph, for models of kind `joint`.
    #[serde(default)]
    pub text: Option<TextGraph>,
    /// Names of the axes, for models whose axes mean something.
    #[serde(default)]
    pub axes: Option<AxisNames>,
    /// From cosines to probabilities and decisions.
    pub scores: Scores,
    /// Every file of the model but the manifest itself.
    pub files: Vec<FileEntry>,
}

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Audio and text in one space: every command works.
    Joint,
    /// Audio only: search by example.
    Audio,
    /// A fixed set of classes.
    Tagger,
}

impl Kind {
    /// The word that manifests use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Joint => "joint",
            Self::Audio => "audio",
            Self::Tagger => "tagger",
        }
    }
}

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
    /// `batch`, `frames` or `mels`.
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
    /// Its dimensions.
    pub input_shape: Vec<InputAxis>,
    /// Name of the output tensor, `[batch, dim]`.
    pub output: String,
    /// Steps on each window's output, before pooling.
    #[serde(default)]
    pub window_post: Vec<Op>,
    /// How windows are pooled.
    pub pooling: Pooling,
    /// Steps after pooling; the last must be `l2`.
    pub post: Vec<Op>,
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
    /// The `tokenizer.json`.
    pub tokenizer: String,
    /// Longer texts are cut to this many tokens, special tokens included.
    pub max_tokens: usize,
    /// Whether texts of equal token count may share a run. `false` where a text's vector would depend on its
    /// neighbours, as with dynamic quantisation.
    pub batch: bool,
    /// What a label is put into before encoding; `{}` stands for the label.
    pub prompt: String,
    /// Steps on the output; the last must be `l2`.
    pub post: Vec<Op>,
}

/// Names of a space's axes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AxisNames {
    /// Text file with one name a line, `dim` lines.
    pub names: String,
}

/// From cosines to probabilities and decisions. How the figures were found is in the model's card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// Factor on cosines before the softmax over labels.
    pub logit_scale: f32,
    /// Whether the figures here were measured; if not, probabilities are labelled as uncalibrated.
    pub calibrated: bool,
    /// The cosine that "none of these" competes with in the softmax.
    pub none_similarity: f32,
    /// Below this cosine a search hit is called no match.
    pub min_similarity: f32,
    /// Independent probability of a label: `sigmoid(multi_scale * cosine + multi_bias)`.
    pub multi_scale: f32,
    /// See [`Scores::multi_scale`].
    pub multi_bias: f32,
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path relative to the model's folder.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Reads and checks a manifest. `origin` names it in errors.
    ///
    /// # Errors
    /// [`EncoderError::ManifestSyntax`] or [`EncoderError::ManifestField`].
    pub fn parse(text: &str, origin: &str) -> Result<Self, EncoderError> {
        let manifest: Self = toml::from_str(text).map_err(|e| EncoderError::ManifestSyntax {
            manifest: origin.to_owned(),
            reason: e.to_string(),
        })?;
        manifest.validate(origin)?;
        Ok(manifest)
    }

    /// SHA-256 (hexadecimal) of everything here that decides what a vector is: front end, windows, segments, graphs
    /// and the files' checksums. Descriptions and score calibration may change without making stored vectors stale.
    #[must_use]
    pub fn vector_hash(&self) -> String {
        let deciding = (
            self.schema,
            &self.id,
            self.dim,
            &self.front_end,
            &self.window,
            &self.segment,
            &self.audio,
            &self.text,
            &self.files,
        );
        // Serialising plain structs of numbers and strings to memory cannot fail.
        let json = serde_json::to_vec(&deciding).unwrap_or_default();
        hex(&Sha256::digest(json))
    }

    /// Length of a window, seconds.
    #[must_use]
    pub fn window_s(&self) -> f64 {
        self.window.length_samples as f64 / f64::from(self.front_end.sample_rate())
    }

    /// The entry of a file, where the manifest lists it.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&FileEntry> {
        self.files.iter().find(|f| f.path == path)
    }

    fn validate(&self, origin: &str) -> Result<(), EncoderError> {
        let check = |ok: bool, field: &str, expected: &str, received: &dyn std::fmt::Display| {
            if ok {
                return Ok(());
            }
            Err(EncoderError::ManifestField {
                manifest: origin.to_owned(),
                field: field.to_owned(),
                expected: expected.to_owned(),
                received: received.to_string(),
            })
        };
        check(self.schema == SCHEMA, "schema", "1", &self.schema)?;
        let id_ok = !self.id.is_empty()
            && self.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c));
        check(id_ok, "id", "lower-case letters, digits, `-`, `.` and `_`", &self.id)?;
        check((1..=65_536).contains(&self.dim), "dim", "1 to 65536", &self.dim)?;
        let spec_error = |e: earmark_audio::SpecError| EncoderError::ManifestField {
            manifest: origin.to_owned(),
            field: e.field.to_owned(),
            expected: e.expected,
            received: e.received,
        };
        self.front_end.validate().map_err(spec_error)?;
        self.window.validate(&FeatureSpec::default()).map_err(spec_error)?;
        check(self.segment.windows > 0, "segment.windows", "at least 1", &self.segment.windows)?;
        for axis in &self.audio.input_shape {
            let (ok, shown) = match axis {
                InputAxis::Named(n) => (["batch", "frames", "mels"].contains(&n.as_str()), n.clone()),
                InputAxis::Fixed(n) => (*n > 0, n.to_string()),
            };
            check(ok, "audio.input_shape", "`batch`, `frames`, `mels` or a positive number", &shown)?;
        }
        let batch_first = self.audio.input_shape.first() == Some(&InputAxis::Named("batch".to_owned()));
        check(batch_first, "audio.input_shape", "`batch` first", &format!("{:?}", self.audio.input_shape))?;
        let ends_in_l2 = |ops: &[Op]| ops.last() == Some(&Op::L2);
        check(ends_in_l2(&self.audio.post), "audio.post", "`l2` last", &format!("{:?}", self.audio.post))?;
        if let Some(text) = &self.text {
            check(ends_in_l2(&text.post), "text.post", "`l2` last", &format!("{:?}", text.post))?;
            check(text.prompt.contains("{}"), "text.prompt", "`{}` where the label goes", &text.prompt)?;
            check(text.max_tokens > 2, "text.max_tokens", "more than 2", &text.max_tokens)?;
        }
        check(
            self.kind != Kind::Joint || self.text.is_some(),
            "text",
            "a text graph, since kind is joint",
            &"nothing",
        )?;
        let s = &self.scores;
        check(s.logit_scale > 0.0, "scores.logit_scale", "more than 0", &s.logit_scale)?;
        check(s.multi_scale > 0.0, "scores.multi_scale", "more than 0", &s.multi_scale)?;
        check(s.multi_bias.is_finite(), "scores.multi_bias", "a finite number", &s.multi_bias)?;
        for (field, value) in [("none_similarity", s.none_similarity), ("min_similarity", s.min_similarity)] {
            check((-1.0..=1.0).contains(&value), &format!("scores.{field}"), "-1 to 1", &value)?;
        }
        for file in &self.files {
            let inside = Path::new(&file.path).components().all(|c| matches!(c, Component::Normal(_)));
            check(
                inside && !file.path.is_empty(),
                "files.path",
                "a path inside the model's folder",
                &file.path,
            )?;
            let sha_ok = file.sha256.len() == 64 && file.sha256.bytes().all(|b| b.is_ascii_hexdigit());
            check(sha_ok, "files.sha256", "64 hexadecimal digits", &file.sha256)?;
        }
        let mut named = vec![("audio.graph", &self.audio.graph)];
        if let Some(text) = &self.text {
            named.extend([("text.graph", &text.graph), ("text.tokenizer", &text.tokenizer)]);
        }
        named.extend(self.axes.iter().map(|a| ("axes.names", &a.names)));
        for (field, path) in named {
            check(self.file(path).is_some(), field, "a file listed under [[files]]", path)?;
        }
        Ok(())
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mini() -> String {
        String::from_utf8(crate::bundled::read("mini", "manifest.toml").unwrap().to_vec()).unwrap()
    }

    #[test]
    fn the_bundled_manifest_is_valid() {
        let m = Manifest::parse(&mini(), "mini").unwrap();
        assert_eq!((m.id.as_str(), m.kind), ("mini", Kind::Joint));
    }

    #[test]
    fn a_bad_field_is_named_with_what_was_expected_and_what_came() {
        let cases = [
            ("schema = 1", "schema = 9", "`schema`"),
            ("id = \"mini\"", "id = \"Mini Mouse\"", "`id`"),
            ("hop_samples = 7680", "hop_samples = 0", "`window.hop_samples`"),
            ("windows = 10", "windows = 0", "`segment.windows`"),
            ("\"batch\", \"frames\"", "\"batch\", \"colour\"", "`audio.input_shape`"),
            ("prompt = \"{}\"", "prompt = \"sound\"", "`text.prompt`"),
            ("graph = \"text.onnx\"", "graph = \"other.onnx\"", "`text.graph`"),
            ("path = \"text.onnx\"", "path = \"../text.onnx\"", "`files.path`"),
            ("n_mels = 64", "n_mels = 0", "`front_end.n_mels`"),
            ("dim = 521", "dim = 521\ncolour = 3", "colour"),
        ];
        let good = mini();
        for (from, to, named) in cases {
            assert!(good.contains(from), "the manifest has no `{from}`");
            let e = Manifest::parse(&good.replace(from, to), "m.toml").unwrap_err().to_string();
            assert!(e.contains(named) && e.contains("m.toml"), "{to}: {e}");
        }
    }

    #[test]
    fn the_vector_hash_follows_what_decides_vectors_and_nothing_else() {
        let a = Manifest::parse(&mini(), "mini").unwrap();
        let mut described = a.clone();
        described.description.push('!');
        described.scores.logit_scale += 1.0;
        assert_eq!(a.vector_hash(), described.vector_hash());
        let mut hopped = a.clone();
        hopped.window.hop_samples += 160;
        assert_ne!(a.vector_hash(), hopped.vector_hash());
    }
}
