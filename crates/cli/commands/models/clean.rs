//! `earmark models clean`, and what caches take

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use etcetera::BaseStrategy as _;

use crate::args::Global;
use crate::context;
use crate::output::note;
use crate::units::bytes;

/// The folder in which exports are made, one folder a model.
pub(super) fn export_folder() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.cache_dir().join("earmark").join("export"))
}

/// What is kept only to save time: what it is, where, and how large.
pub(super) fn caches(global: &Global) -> Vec<(&'static str, PathBuf, u64)> {
    let graphs = context::graph_cache(global)
        .map(|cache| ("optimised graphs", cache.folder().to_path_buf(), cache.disk_use()));
    let exports = export_folder().map(|folder| {
        let bytes = earmark_hub::disk_use(&folder);
        ("left by exports", folder, bytes)
    });
    graphs.into_iter().chain(exports).filter(|(.., bytes)| *bytes > 0).collect()
}

pub(super) fn run(global: &Global) -> Result<ExitCode> {
    let caches = caches(global);
    for (what, folder, size) in &caches {
        match context::graph_cache(global).filter(|cache| cache.folder() == folder) {
            Some(cache) => cache.clean().map(drop),
            None => std::fs::remove_dir_all(folder),
        }
        .with_context(|| format!("cannot remove {}", folder.display()))?;
        if !global.quiet {
            note!("removed {what}, {}, from {}", bytes(*size), folder.display());
        }
    }
    if caches.is_empty() && !global.quiet {
        note!("nothing to remove");
    }
    Ok(ExitCode::SUCCESS)
}
