//! The files of a model, and where they come from.

use serde::{Deserialize, Serialize};

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Path relative to the model's folder.
    pub path: String,
    /// Size in bytes, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// SHA-256 in hexadecimal, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Path in the hub's repository. A file without one travels with the manifest, or the export recipe makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub_path: Option<String>,
}

/// A repository of the model hub at one revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSource {
    /// `owner/name`.
    pub repo: String,
    /// The commit, so that everybody gets the same bytes.
    pub revision: String,
}

/// The recipe that makes a model's files from the original checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportRecipe {
    /// The Python program, beside the manifest.
    pub recipe: String,
    /// The packages it needs, pinned, beside the manifest.
    pub requirements: String,
    /// Further files that it reads, beside the manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<String>,
    /// Where the checkpoint comes from, for people.
    pub checkpoint: String,
    /// About how large all files together become, bytes: for people, who plan their disks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about_bytes: Option<u64>,
}

impl ExportRecipe {
    /// All files that the recipe needs beside the manifest.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        [&self.recipe, &self.requirements].into_iter().chain(&self.extra).map(String::as_str)
    }
}

/// What a self-test holds a model against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfTestSpec {
    /// JSON file with known vectors; see [`crate::SelfTestReport`].
    pub goldens: String,
}
