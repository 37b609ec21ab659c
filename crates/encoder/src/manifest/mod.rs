//! The model manifest: one TOML file that says all there is to say about a model.
//!
//! - this module: the manifest as a whole, its kind, its hash
//! - `graphs`: the graphs, their tensors and what is done to their outputs
//! - `detect`: how events are found, where that takes other windows
//! - `origin`: the model's files, and where they come from
//! - `scores`: from cosines to probabilities
//! - `check`: what is wrong with a manifest, field by field

mod check;
mod detect;
mod graphs;
mod origin;
mod scores;

use earmark_audio::{FeatureSpec, FrontEnd, FrontEndSpec, SpecError, WindowSpec, WindowStream};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::EncoderError;
use crate::digest::hex;

pub use detect::Detect;
pub use graphs::{
    AudioGraph, AxisNames, InputAxis, Op, Pooling, SegmentPolicy, Tagger, TextAnchors, TextGraph,
};
pub use origin::{ExportRecipe, FileEntry, HubSource, SelfTestSpec};
pub use scores::{Familiarity, Scores, SoundLikelihood};

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
    /// What the weights are stored as, for models that come in several precisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
    /// Length of an embedding.
    pub dim: usize,
    /// From waveform to features.
    pub front_end: FrontEndSpec,
    /// Steps on each window's features.
    #[serde(default)]
    pub features: FeatureSpec,
    /// How audio of any length is cut for the encoder.
    pub window: WindowSpec,
    /// How windows are pooled into the segments that an index stores.
    pub segment: SegmentPolicy,
    /// How events are found, for models that want other windows for that.
    #[serde(default)]
    pub detect: Option<Detect>,
    /// The audio graph.
    pub audio: AudioGraph,
    /// The text graph, for models of kind `joint`.
    #[serde(default)]
    pub text: Option<TextGraph>,
    /// Text by way of the names of the embedding's axes, for models without a text graph.
    #[serde(default)]
    pub text_anchors: Option<TextAnchors>,
    /// The classes, for models of kind `tagger`.
    #[serde(default)]
    pub tagger: Option<Tagger>,
    /// Names of the axes, for models whose axes mean something.
    #[serde(default)]
    pub axes: Option<AxisNames>,
    /// From cosines to probabilities and decisions.
    pub scores: Scores,
    /// Where the files can be downloaded.
    #[serde(default)]
    pub hub: Option<HubSource>,
    /// The recipe that makes the files from the original checkpoint.
    #[serde(default)]
    pub export: Option<ExportRecipe>,
    /// What a self-test holds the model against.
    #[serde(default)]
    pub self_test: Option<SelfTestSpec>,
    /// Every file of the model but the manifest itself.
    pub files: Vec<FileEntry>,
}

/// What weights are stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats: as trained.
    Fp32,
    /// 16-bit floats.
    Fp16,
    /// 8-bit integers.
    Int8,
}

impl Precision {
    /// The word that manifests and options use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
        }
    }
}

impl std::str::FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Fp32, Self::Fp16, Self::Int8];
        all.into_iter()
            .find(|precision| precision.as_str() == text)
            .ok_or_else(|| "expected fp32, fp16 or int8".to_owned())
    }
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

impl Manifest {
    /// Reads and checks a manifest. `origin` names it in errors.
    ///
    /// # Errors
    /// [`EncoderError::ManifestSyntax`] or [`EncoderError::ManifestFields`] with everything that is wrong.
    pub fn parse(text: &str, origin: &str) -> Result<Self, EncoderError> {
        let manifest: Self = toml::from_str(text).map_err(|e| EncoderError::ManifestSyntax {
            manifest: origin.to_owned(),
            reason: e.to_string(),
        })?;
        let problems = manifest.problems();
        if problems.is_empty() {
            return Ok(manifest);
        }
        Err(EncoderError::ManifestFields { manifest: origin.to_owned(), problems })
    }

    /// SHA-256 (hexadecimal) of everything here that decides what a vector is: front end, windows, segments,
    /// graphs and the files' checksums. Descriptions, origins, score calibration and how events are found
    /// (`[detect]`) may change without making stored vectors stale.
    #[must_use]
    pub fn vector_hash(&self) -> String {
        let goldens = self.self_test.as_ref().map(|t| t.goldens.as_str());
        let files: Vec<_> = self
            .files
            .iter()
            .filter(|f| Some(f.path.as_str()) != goldens)
            .map(|f| (&f.path, f.bytes, &f.sha256))
            .collect();
        let deciding = (
            (self.schema, &self.id, self.dim),
            (&self.front_end, &self.features, &self.window, &self.segment),
            (&self.audio, &self.text, &self.text_anchors),
            files,
        );
        // Serialising plain structs of numbers and strings to memory cannot fail.
        let json = serde_json::to_vec(&deciding).unwrap_or_default();
        hex(&Sha256::digest(json))
    }

    /// The name that all precisions of a model share: the id without `-fp32`, `-fp16` or `-int8`.
    #[must_use]
    pub fn family(&self) -> &str {
        let suffix =
            self.precision.and_then(|precision| self.id.strip_suffix(precision.as_str())?.strip_suffix('-'));
        suffix.unwrap_or(&self.id)
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

    /// Whether texts can be embedded.
    #[must_use]
    pub fn has_text(&self) -> bool {
        self.text.is_some() || self.text_anchors.is_some()
    }

    /// Files whose size or checksum is not known: the export recipe, or an import, fills them in. A model is
    /// used only when there are none.
    pub fn unpinned(&self) -> impl Iterator<Item = &FileEntry> {
        self.files.iter().filter(|f| f.bytes.is_none() || f.sha256.is_none())
    }
}

impl Manifest {
    /// The front end that the manifest describes, with its windows or others.
    pub(crate) fn plan(&self, window: &WindowSpec) -> Result<WindowStream, SpecError> {
        WindowStream::new(FrontEnd::new(&self.front_end, &self.features)?, window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundled(model: &str) -> String {
        String::from_utf8(crate::bundled::read(model, "manifest.toml").unwrap().to_vec()).unwrap()
    }

    fn mini() -> String {
        bundled("mini")
    }

    #[test]
    fn the_bundled_manifest_is_valid() {
        let m = Manifest::parse(&mini(), "mini").unwrap();
        assert_eq!((m.id.as_str(), m.kind), ("mini", Kind::Joint));
        assert_eq!(m.unpinned().count(), 0);
    }

    #[test]
    fn a_bad_field_is_named_with_what_was_expected_and_what_came() {
        let cases = [
            ("schema = 1", "schema = 9", "`schema`"),
            ("id = \"mini\"", "id = \"Mini Mouse\"", "`id`"),
            ("hop_samples = 80000", "hop_samples = 0", "`window.hop_samples`"),
            ("windows = 1", "windows = 0", "`segment.windows`"),
            ("\"batch\", \"frames\"", "\"batch\", \"colour\"", "`audio.input_shape`"),
            ("prompt = \"{}\"", "prompt = \"sound\"", "`text.prompt`"),
            ("graph = \"text.onnx\"", "graph = \"other.onnx\"", "`text.graph`"),
            ("path = \"text.onnx\"", "path = \"../text.onnx\"", "`files.path`"),
            ("path = \"text.onnx\"", "path = \"manifest.toml\"", "`files.path`"),
            ("path = \"text.onnx\"", "path = \"x/./text.onnx\"", "`files.path`"),
            ("max_tokens = 128", "max_tokens = 4000000000000000000", "`text.max_tokens`"),
            ("sample_rate = 16000", "sample_rate = 4000000000", "`front_end.sample_rate`"),
            ("n_fft = 512", "n_fft = 1048576", "`front_end.n_fft`"),
            (
                "[[files]]",
                "[export]\nrecipe = \"../a\"\nrequirements = \"b\"\ncheckpoint = \"c\"\n[[files]]",
                "`export`",
            ),
            ("n_mels = 64", "n_mels = 0", "`front_end.n_mels`"),
            ("kind = \"joint\"", "kind = \"tagger\"", "`tagger`"),
            ("logit_scale = 16.0\n", "", "`scores.logit_scale`"),
            ("dim = 623", "dim = 623\ncolour = 3", "colour"),
        ];
        let good = mini();
        for (from, to, named) in cases {
            assert!(good.contains(from), "the manifest has no `{from}`");
            let e = Manifest::parse(&good.replacen(from, to, 1), "m.toml").unwrap_err().to_string();
            assert!(e.contains(named) && e.contains("m.toml"), "{to}: {e}");
        }
    }

    /// A second every half second, for `yamnet`, whose own manifest has no such table.
    const DETECT: &str = "length_samples = 15600\nhop_samples = 8000\npad = \"repeat\"\ntail = \"shift\"\n\
        context_hop_samples = 7680\naxes = 521\nscale = 20.0\nbias = -4.0\nfloor_max = 0.1\n";

    #[test]
    fn detection_has_defaults_for_what_a_manifest_need_not_say() {
        let m = Manifest::parse(
            &bundled("yamnet").replace("[audio]", &format!("[detect]\n{DETECT}[audio]")),
            "m",
        )
        .unwrap();
        let detect = m.detect.unwrap();
        assert_eq!(detect.window().hop_samples, 8000);
        assert_eq!((detect.floor_window_s, detect.merge_gap_s, detect.min_duration_s), (120.0, 3.0, 0.2));
        assert_eq!((detect.release, detect.reach), (0.8, 0.2));
    }

    #[test]
    fn a_bad_field_of_detection_is_named() {
        let cases = [
            ("length_samples = 15600", "length_samples = 15601", "`detect.length_samples`"),
            (
                "length_samples = 15600\nhop_samples = 8000",
                "length_samples = 100\nhop_samples = 80",
                "`detect.length_samples`",
            ),
            ("hop_samples = 8000", "hop_samples = 0", "`detect.hop_samples`"),
            ("hop_samples = 8000", "hop_samples = 15601", "`detect.hop_samples`"),
            ("pad = \"repeat\"", "pad = \"none\"", "`features.frames`"),
            ("context_hop_samples = 7680", "context_hop_samples = 0", "`detect.context_hop_samples`"),
            ("context_hop_samples = 7680", "context_hop_samples = 15601", "`detect.context_hop_samples`"),
            ("axes = 521", "axes = 0", "`detect.axes`"),
            ("axes = 521", "axes = 522", "`detect.axes`"),
            ("scale = 20.0", "scale = 0.0", "`detect.scale`"),
            ("scale = 20.0", "scale = 20.0\nnear_share = 1.5", "`detect.near_share`"),
            ("scale = 20.0", "scale = 20.0\nrivalry = -1.0", "`detect.rivalry`"),
            ("bias = -4.0", "bias = inf", "`detect.bias`"),
            ("floor_max = 0.1", "floor_max = 1.5", "`detect.floor_max`"),
            ("floor_max = 0.1", "floor_max = 0.1\nfloor_window_s = 0.0", "`detect.floor_window_s`"),
            ("floor_max = 0.1", "floor_max = 0.1\nrelease = 1.1", "`detect.release`"),
            ("floor_max = 0.1", "floor_max = 0.1\nmerge_gap_s = -1.0", "`detect.merge_gap_s`"),
            ("floor_max = 0.1", "floor_max = 0.1\nmin_duration_s = nan", "`detect.min_duration_s`"),
            ("floor_max = 0.1", "floor_max = 0.1\nreach = 0.6", "`detect.reach`"),
            ("floor_max = 0.1", "floor_max = 0.1\ncolour = 3", "colour"),
        ];
        for (from, to, named) in cases {
            assert!(DETECT.contains(from), "the table has no `{from}`");
            let detect = format!("[detect]\n{}[audio]", DETECT.replacen(from, to, 1));
            let bad = bundled("yamnet").replace("[audio]", &detect);
            let e = Manifest::parse(&bad, "m.toml").unwrap_err().to_string();
            assert!(e.contains(named) && e.contains("m.toml"), "{to}: {e}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let bad = mini().replace("dim = 623", "dim = 0").replace("prompt = \"{}\"", "prompt = \"\"");
        let Err(EncoderError::ManifestFields { problems, .. }) = Manifest::parse(&bad, "m.toml") else {
            panic!("it was accepted");
        };
        assert_eq!(problems.iter().map(|p| p.field.as_str()).collect::<Vec<_>>(), ["dim", "text.prompt"]);
    }

    #[test]
    fn the_vector_hash_follows_what_decides_vectors_and_nothing_else() {
        let a = Manifest::parse(&mini(), "mini").unwrap();
        let mut described = a.clone();
        described.description.push('!');
        described.scores.multi_scale += 1.0;
        described.hub = Some(HubSource { repo: "a/b".to_owned(), revision: "c".to_owned() });
        described.detect = Some(toml::from_str(DETECT).unwrap());
        assert_eq!(a.vector_hash(), described.vector_hash());
        let mut hopped = a.clone();
        hopped.window.hop_samples += 160;
        assert_ne!(a.vector_hash(), hopped.vector_hash());
        let mut alone = a.clone();
        alone.audio.batch = false;
        assert_ne!(a.vector_hash(), alone.vector_hash());
        let mut other = a.clone();
        other.files[0].sha256 = Some("0".repeat(64));
        assert_ne!(a.vector_hash(), other.vector_hash());
    }
}
