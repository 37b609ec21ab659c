//! GTZAN (Tzanetakis and Cook, 2002): `genres_original/GENRE/GENRE.00000.wav`, or `genres/` as it first came, perhaps in a folder
//! `Data`. The copy that most people have holds a broken `jazz.00054.wav`, which evaluation names like any other.

use std::path::{Path, PathBuf};

use crate::EvalError;

use super::builder::Builder;
use super::{folders, names};

/// The folder of genres.
pub(super) fn genres(root: &Path) -> Option<PathBuf> {
    ["genres_original", "genres", "Data/genres_original"]
        .map(|name| root.join(name))
        .into_iter()
        .find(|folder| folder.is_dir())
}

pub(super) fn load(root: &Path, builder: &mut Builder) -> Result<(), EvalError> {
    let genres = genres(root).ok_or_else(|| {
        EvalError::dataset(root, "expected a folder `genres_original` or `genres`, got neither")
    })?;
    // The one name that is not how people write it. The others are asked for as they are; a template such as
    // `{} music` helps.
    let text_of = |name: &str| if name == "hiphop" { "hip hop".to_owned() } else { names::text_of(name) };
    folders::load_with(&genres, builder, text_of)
}
