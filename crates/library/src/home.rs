//! Where things are kept on this machine.

use std::path::PathBuf;

use earmark_encoder::{Catalogue, GraphCache};
use etcetera::BaseStrategy as _;

/// The user's data folder of earmark: installed models, the default index.
#[must_use]
pub fn data_folder() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.data_dir().join("earmark"))
}

/// The folders of the user's own models, and of installed ones.
#[must_use]
pub fn model_folders() -> [Option<PathBuf>; 2] {
    let config = etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join("earmark"));
    [config, data_folder()].map(|folder| folder.map(|folder| folder.join("models")))
}

/// The models that can be used, and those that can be had.
#[must_use]
pub fn catalogue() -> Catalogue {
    let [own, installed] = model_folders();
    Catalogue::new(own, installed)
}

/// Where optimised graphs are kept unless a setting says otherwise.
#[must_use]
pub fn graph_cache() -> Option<GraphCache> {
    let base = etcetera::choose_base_strategy().ok()?;
    Some(GraphCache::at(base.cache_dir().join("earmark").join("graphs")))
}
