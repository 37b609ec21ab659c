//! What a space is called.

use std::path::PathBuf;

use xxhash_rust::xxh3::Xxh3;

use crate::types::Identity;

/// Characters of a model's id that a space's name keeps; enough to know it by, few enough for any file
/// system.
const MODEL_CHARS: usize = 64;

/// The vectors of one model, in a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    /// The name of its folder: the model's id, `-`, and eight hexadecimal digits that tell versions of it
    /// apart.
    pub name: String,
    /// Its folder, an index: see [`crate::Snapshot`] and [`crate::Writer`].
    pub path: PathBuf,
}

impl Space {
    /// Whether the model with this id made it, in whatever version.
    #[must_use]
    pub fn is_of_model(&self, model_id: &str) -> bool {
        self.name.rsplit_once('-').is_some_and(|(model, _)| model == plain(model_id))
    }
}

/// The name of the space for vectors of `identity`. It must stay the same for ever, so the hash (the low half
/// of XXH3) is over text and not over some encoding of the struct.
#[must_use]
pub fn space_name(identity: &Identity) -> String {
    let Identity { model_id, manifest_hash, pipeline_version, dim } = identity;
    let mut hash = Xxh3::new();
    hash.update(format!("{model_id}\0{manifest_hash}\0{pipeline_version}\0{dim}").as_bytes());
    format!("{}-{:08x}", plain(model_id), hash.digest() as u32)
}

/// Whether a folder of this name is a space; others are work under way.
pub(super) fn is_name(name: &str) -> bool {
    !name.starts_with('.')
}

/// A model's id as part of a file name: an exported index may come from anywhere, and bring any id.
fn plain(model_id: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '_' };
    let name: String = model_id.chars().map(keep).take(MODEL_CHARS).collect();
    if name.starts_with('.') { name.replacen('.', "_", 1) } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(model_id: &str) -> Identity {
        Identity { model_id: model_id.into(), manifest_hash: "0".repeat(64), pipeline_version: 1, dim: 4 }
    }

    #[test]
    fn names_stay_what_they_are() {
        // Indexes on people's disks are called this.
        assert_eq!(space_name(&identity("mini")), "mini-ccf581f3");
    }

    #[test]
    fn every_part_of_an_identity_tells_spaces_apart() {
        let base = identity("mini");
        let others = [
            Identity { manifest_hash: "1".repeat(64), ..base.clone() },
            Identity { pipeline_version: 2, ..base.clone() },
            Identity { dim: 5, ..base.clone() },
        ];
        for other in others {
            assert_ne!(space_name(&other), space_name(&base));
        }
    }

    #[test]
    fn no_model_id_leads_out_of_the_folder_or_hides() {
        for id in ["../../etc", ".incoming", "a/b", "", "ü\n"] {
            let name = space_name(&identity(id));
            assert!(is_name(&name) && !name.contains(['/', '\n']), "{name}");
            let space = Space { name, path: PathBuf::new() };
            assert!(space.is_of_model(id));
        }
    }
}
