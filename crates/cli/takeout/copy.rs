//! `--copy-to`: the files of the hits, each once.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Result;
use earmark_library::Hit;

use super::folder::{Folder, Placed};
use super::{Takeout, name, shown};
use crate::output;

pub(super) fn run(takeout: &mut Takeout<'_>, hits: &[Hit], dir: &Path) -> Result<()> {
    let folder = Folder::make("--copy-to", dir)?;
    let mut seen = HashSet::new();
    // With --segments, a clip has several hits.
    for clip in hits.iter().map(|hit| &hit.clip).filter(|clip| seen.insert(&clip.id)) {
        let Some(source) = takeout.file(clip) else { continue };
        let draft = || {
            let draft = folder.draft()?;
            std::fs::copy(&source, draft.path())?;
            Ok(draft)
        };
        match folder.place(&name(clip), &source, draft) {
            Ok(Placed::New(path)) => {
                takeout.say(&format!("copied {} to {}", output::short(&clip.path), shown(&path)))?;
            }
            Ok(Placed::Already(path)) => takeout.say(&format!("already there: {}", shown(&path)))?,
            Err(e) => takeout.failed(&clip.path, &format!("cannot be copied to {}: {e}", shown(dir))),
        }
    }
    Ok(())
}
