//! What can go wrong between a manifest and an embedding.

use std::fmt::{self, Display};
use std::path::PathBuf;

use crate::Device;

/// A field with a value that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// Dotted path of the field.
    pub field: String,
    /// What would have been right.
    pub expected: String,
    /// What was there.
    pub received: String,
}

impl Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: expected {}, got {}", self.field, self.expected, self.received)
    }
}

/// How a known model that is not here can be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By downloading its files.
    Download,
    /// By converting its original checkpoint.
    Export,
}

/// How a model of another program is converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The known model whose recipe converts it.
    pub model: String,
    /// A name for what comes of it.
    pub name: String,
}

/// Everything the encoder can refuse, with what was expected and what came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncoderError {
    /// No ONNX Runtime library at any of the places looked in.
    #[error(
        "the ONNX Runtime library was not found (looked in: {}). \
         Put {file_name} beside the earmark program, name it in ORT_DYLIB_PATH, or run `cargo xtask setup` in a \
         checkout",
        .looked_in.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    RuntimeMissing {
        /// The file name that was looked for.
        file_name: String,
        /// The places it was looked for, in order.
        looked_in: Vec<PathBuf>,
    },
    /// A library was found but it is no usable ONNX Runtime.
    #[error("{}: not a usable ONNX Runtime library ({reason}); version 1.20 or later is needed", .path.display())]
    RuntimeUnusable {
        /// The library that was tried.
        path: PathBuf,
        /// What the loader said.
        reason: String,
    },
    /// This ONNX Runtime was not built for the device.
    #[error(
        "{} does not offer `{device}`, only {}; another build of ONNX Runtime may", .library.display(),
        .offered.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    )]
    DeviceNotOffered {
        /// The device asked for.
        device: Device,
        /// Those that there are.
        offered: Vec<Device>,
        /// The library.
        library: PathBuf,
    },
    /// The device cannot run the graph, as where the machine has none or its driver is missing.
    #[error(
        "model `{model}`: `{device}` cannot run {graph}: this machine has no such device, its driver or libraries are missing, \
         or it cannot run this graph; ONNX Runtime says: {}", .reason.trim()
    )]
    Device {
        /// The model's id.
        model: String,
        /// The device.
        device: Device,
        /// The graph's file.
        graph: String,
        /// What ONNX Runtime said.
        reason: String,
    },
    /// The device gives other vectors than the processor.
    #[error(
        "model `{model}`: the vectors of `{device}` differ from the processor's by {difference:.1e} (one minus the \
         cosine; at most {tolerance:.0e} is allowed), and would not fit into one index with them"
    )]
    DeviceDiffers {
        /// The model's id.
        model: String,
        /// The device.
        device: Device,
        /// The largest difference that was found.
        difference: f32,
        /// The largest that is allowed.
        tolerance: f32,
    },
    /// No model of that name.
    #[error("unknown model `{name}`; there are: {}", .known.join(", "))]
    UnknownModel {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The manifest cannot be read as TOML of the expected schema.
    #[error("{manifest}: {reason}")]
    ManifestSyntax {
        /// Where the manifest came from.
        manifest: String,
        /// The parser's message, with line and field.
        reason: String,
    },
    /// Manifest fields have values that make no sense.
    #[error("{manifest}: {}", .problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    ManifestFields {
        /// Where the manifest came from.
        manifest: String,
        /// All of them.
        problems: Vec<FieldProblem>,
    },
    /// A model of another program.
    #[error(
        "{} is {what}, which has to be converted{}", .path.display(),
        if .recipe.is_some() { "" } else { "; there is no recipe for it (models/README.md says how one is added)" }
    )]
    Foreign {
        /// The file or folder.
        path: PathBuf,
        /// What it is.
        what: String,
        /// The recipe that converts it, if there is one.
        recipe: Option<Recipe>,
    },
    /// The model is known, but its files are not here.
    #[error("model `{model}` is not installed; it can be {}", match .way { Way::Download => "downloaded", Way::Export => "converted from its original checkpoint" })]
    NotInstalled {
        /// The model's name.
        model: String,
        /// How it can be had.
        way: Way,
    },
    /// A file whose size and checksum the manifest does not say is not used.
    #[error(
        "model `{model}`: the manifest gives no bytes and sha256 for {path}; an import of its folder fills them in"
    )]
    Unpinned {
        /// The model's id.
        model: String,
        /// The file.
        path: String,
    },
    /// A file of the model cannot be read.
    #[error("model `{model}`: {path}: {reason}")]
    File {
        /// The model's id.
        model: String,
        /// The file, relative to the model's folder.
        path: String,
        /// Why.
        reason: String,
    },
    /// A file of the model is not the one its manifest describes.
    #[error(
        "model `{model}`: {path} is not the file that the manifest describes: expected {expected}, got {received}"
    )]
    FileMismatch {
        /// The model's id.
        model: String,
        /// The file, relative to the model's folder.
        path: String,
        /// Size or checksum expected.
        expected: String,
        /// Size or checksum found.
        received: String,
    },
    /// The model cannot do this.
    #[error("model `{model}` is of kind `{kind}`, which has no {side}; {remedy}")]
    NoSuchSide {
        /// The model's id.
        model: String,
        /// Its kind.
        kind: &'static str,
        /// What it lacks: `text side` or `classes of its own`.
        side: &'static str,
        /// What can be done instead.
        remedy: &'static str,
    },
    /// A graph does not have the tensors that the manifest names, or gives another shape.
    #[error("model `{model}`: graph {graph}: {what}: expected {expected}, got {received}")]
    Graph {
        /// The model's id.
        model: String,
        /// The graph's file.
        graph: String,
        /// Which tensor or property.
        what: String,
        /// What the manifest says.
        expected: String,
        /// What the graph has.
        received: String,
    },
    /// ONNX Runtime failed.
    #[error("model `{model}`: {what}; ONNX Runtime says: {reason}")]
    Ort {
        /// The model's id.
        model: String,
        /// What could not be done, and what may help.
        what: String,
        /// Its message.
        reason: String,
    },
    /// The tokenizer file is bad or refused a text.
    #[error("model `{model}`: tokenizer: {reason}")]
    Tokenizer {
        /// The model's id.
        model: String,
        /// Its message.
        reason: String,
    },
    /// A text with nothing in it has no embedding.
    #[error("the text is empty; describe the sound in a word or more")]
    EmptyText,
    /// The model produced something that has no direction.
    #[error("model `{model}` gave {what} for {input}; expected finite numbers that are not all zero")]
    Degenerate {
        /// The model's id.
        model: String,
        /// `NaN` or `all zeros`.
        what: &'static str,
        /// What went in.
        input: String,
    },
}
