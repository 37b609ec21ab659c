//! `--cut-to`: the matching stretches as WAV files.

use std::ffi::OsString;
use std::io::{self, BufWriter};
use std::ops::Range;
use std::path::Path;

use anyhow::Result;
use earmark_audio::{Excerpt, ExcerptError, ReadOptions, excerpt};
use earmark_library::{Clip, Hit};
use tempfile::NamedTempFile;

use super::folder::{Folder, Placed};
use super::{Takeout, name, shown};
use crate::output;
use crate::units::clock;

/// Bytes of a source's name that are kept; file systems allow 255 for the whole.
const MOST_STEM: usize = 180;

pub(super) fn run(
    takeout: &mut Takeout<'_>,
    hits: &[Hit],
    dir: &Path,
    margin: f64,
    read: &ReadOptions,
) -> Result<()> {
    let folder = Folder::make("--cut-to", dir)?;
    for Hit { clip, start_s, end_s, .. } in hits {
        let Some(source) = takeout.file(clip) else { continue };
        let stretch = start_s - margin..end_s + margin;
        let draft = folder.draft().map_err(ExcerptError::Write);
        let written = draft.and_then(|draft| write(&source, stretch, read, draft));
        let placed = written.map_err(|e| e.to_string()).and_then(|(draft, excerpt)| {
            let content = draft.path().to_owned();
            let placed = folder.place(&file_name(clip, excerpt), &content, || Ok(draft));
            placed.map(|placed| (placed, excerpt)).map_err(|e| format!("cannot be written: {e}"))
        });
        match placed {
            Ok((Placed::New(path), excerpt)) => {
                let stretch = format!("{} - {}", clock(excerpt.start_s), clock(excerpt.end_s));
                let source = output::short(&clip.path);
                takeout.say(&format!("cut {stretch} of {source} to {}", shown(&path)))?;
            }
            Ok((Placed::Already(path), _)) => takeout.say(&format!("already there: {}", shown(&path)))?,
            Err(reason) => takeout.failed(&clip.path, &reason),
        }
    }
    Ok(())
}

/// Writes a stretch into a file, which comes back finished.
pub(super) fn write(
    source: &Path,
    stretch: Range<f64>,
    read: &ReadOptions,
    mut file: NamedTempFile,
) -> Result<(NamedTempFile, Excerpt), ExcerptError> {
    let mut out = BufWriter::new(file.as_file_mut());
    let excerpt = excerpt(source, stretch, read, &mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error).map_err(ExcerptError::Write)?;
    Ok((file, excerpt))
}

/// `dog 1.5-4.0.wav`: the name of the source and the seconds, in characters that any file system takes.
fn file_name(clip: &Clip, excerpt: Excerpt) -> OsString {
    let name = name(clip);
    let stem = Path::new(&name).file_stem().unwrap_or(&name).to_string_lossy();
    let stem = safe(&stem);
    format!("{stem} {:.1}-{:.1}.wav", excerpt.start_s, excerpt.end_s).into()
}

fn safe(stem: &str) -> String {
    let is_unsafe = |c: char| c.is_control() || r#"<>:"/\|?*"#.contains(c);
    let mut safe: String = stem.chars().map(|c| if is_unsafe(c) { '_' } else { c }).collect();
    safe.truncate(safe.floor_char_boundary(MOST_STEM));
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_on_any_file_system() {
        assert_eq!(safe("what? a/b\n\u{1b}:c"), "what_ a_b___c");
        let long = safe(&"é".repeat(200));
        assert_eq!((long.len(), long.chars().count()), (180, 90));
    }
}
