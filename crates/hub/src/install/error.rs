//! What can go wrong between files somewhere and an installed model.

use std::path::PathBuf;

use earmark_encoder::{EncoderError, SelfTestReport, Verdict};

use crate::HubError;

/// Everything that an installation can fail with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The hub or the way to it.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The manifest or the model.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// A disk failed, or permissions.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The model is part of the program.
    #[error("model `{model}` is part of this program: there is nothing to install or to remove")]
    Bundled {
        /// The model.
        model: String,
    },
    /// The model is not installed.
    #[error("model `{model}` is not installed")]
    NotInstalled {
        /// The model.
        model: String,
    },
    /// The model is in the user's own folder, which the program does not touch.
    #[error("model `{model}` is a folder of your own, {}; remove it there", .folder.display())]
    Own {
        /// The model.
        model: String,
        /// Its folder.
        folder: PathBuf,
    },
    /// Nobody publishes the model's files.
    #[error("model `{model}`: {} cannot be downloaded", .files.join(", "))]
    NotDownloadable {
        /// The model.
        model: String,
        /// The files.
        files: Vec<String>,
        /// Whether a recipe makes them from the original checkpoint.
        has_recipe: bool,
        /// Where they come from.
        source_of: String,
    },
    /// The model does not come in that precision.
    #[error(
        "model `{model}` does not come in {precision}; there {}", match .there.as_slice() {
            [] => "is one precision of it only".to_owned(),
            there => format!("are: {}", there.join(", ")),
        }
    )]
    NoSuchPrecision {
        /// The model.
        model: String,
        /// What was asked for.
        precision: &'static str,
        /// What there is.
        there: Vec<String>,
    },
    /// The model has no recipe.
    #[error("model `{model}` has no export recipe; it comes from {source_of}")]
    NoRecipe {
        /// The model.
        model: String,
        /// Where it comes from.
        source_of: String,
        /// A model of the same family, in another precision, that has one.
        other: Option<String>,
        /// Whether it can be downloaded.
        is_downloadable: bool,
    },
    /// Files that the manifest lists are not among those given.
    #[error("model `{model}`: {} not found in {}", .files.join(", "), .place.display())]
    Missing {
        /// The model.
        model: String,
        /// The files.
        files: Vec<String>,
        /// Where they were looked for.
        place: PathBuf,
    },
    /// Another model has the name.
    #[error("there is a model `{model}` already; give another name, or remove it if it is an installed one")]
    NameTaken {
        /// The name.
        model: String,
    },
    /// A new name for what says nothing of how it is used.
    #[error(
        "{}: there is no manifest.toml in it, which a model with a new name needs", .place.display()
    )]
    NoManifest {
        /// What was to be imported.
        place: PathBuf,
    },
    /// A precision without the model that it is of.
    #[error("{}: a precision needs the name of the known model that the files are of", .place.display())]
    PrecisionOfWhat {
        /// What was to be imported.
        place: PathBuf,
    },
    /// Files of no known model.
    #[error(
        "{}: {looked_at} files looked at, and none is a file of a known model, by its checksum; a folder with a \
         manifest.toml is installed as it is", .place.display()
    )]
    NothingRecognised {
        /// What was to be imported.
        place: PathBuf,
        /// How many files that is.
        looked_at: usize,
    },
    /// An archive that cannot be read.
    #[error("{}: not a usable tar archive: {reason}", .path.display())]
    Archive {
        /// The archive.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A manifest that cannot be written.
    #[error("model `{model}`: the manifest cannot be written: {reason}")]
    Manifest {
        /// The model.
        model: String,
        /// Why.
        reason: String,
    },
    /// The model failed its self-test.
    #[error("model `{model}` failed its self-test and was not installed: {}", failures(.report))]
    SelfTest {
        /// The model.
        model: String,
        /// What was found.
        report: SelfTestReport,
    },
}

fn failures(report: &SelfTestReport) -> String {
    let failed = report.checks.iter().filter(|check| check.verdict == Verdict::Failed);
    failed.map(|check| format!("{}: {}", check.name, check.found)).collect::<Vec<_>>().join("; ")
}

impl InstallError {
    /// For `map_err`: a failure of the disk at `path`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
