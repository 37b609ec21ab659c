//! From one index into another, whatever keeps them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use earmark_index::{Change, Clip, ClipId, ClipMeta, Filter, IndexReader, IndexWriter};

use crate::EngineError;

/// Clips that are compared at a time.
const CLIPS: usize = 256;

/// Bytes of vectors in one batch, roughly.
const BATCH_BYTES: usize = 16 << 20;

/// What a copy did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct CopyReport {
    /// Clips that were written.
    pub copied: usize,
    /// Clips that were there already, the same.
    pub unchanged: usize,
    /// Segments that were written.
    pub segments: usize,
    /// Remembered bad files that were written.
    pub failures: usize,
    /// Clips that were read back from the target and compared, each vector bit for bit.
    pub verified: usize,
    /// What differs: a clip's path and what is wrong with it. At most [`MOST_PROBLEMS`].
    pub problems: Vec<String>,
    /// Whether it was cut short; the same copy goes on from there.
    pub interrupted: bool,
}

/// Problems that are listed before the list stops.
pub const MOST_PROBLEMS: usize = 100;

/// Writes the clips and remembered failures of `from` that `to` does not have, then compares all of them. Clips of `to`
/// that `from` does not have stay. `progress` hears how many clips of how many are done, copying and comparing each
/// counted.
///
/// # Errors
/// Errors of either index.
pub fn copy(
    from: &dyn IndexReader,
    to: &dyn IndexWriter,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<CopyReport, EngineError> {
    let mut report = CopyReport::default();
    let clips = from.clips(&Filter::default())?;
    let steps = 2 * clips.len();
    let mut done = 0;
    for some in clips.chunks(CLIPS) {
        if stop.load(Ordering::Relaxed) {
            report.interrupted = true;
            return Ok(report);
        }
        copy_some(from, to, some, &mut report)?;
        done += some.len();
        progress(done, steps);
    }
    let reader = to.reader()?;
    let mut missing = Vec::new();
    for failure in from.failures()? {
        if reader.failure(&failure.path)?.as_ref() != Some(&failure) {
            missing.push(Change::Fail(failure));
        }
    }
    report.failures = missing.len();
    to.apply(missing)?;
    let reader = to.reader()?;
    for failure in from.failures()? {
        if reader.failure(&failure.path)?.as_ref() != Some(&failure) {
            report.problems.push(format!("{}: it is not remembered as a bad file", failure.path));
        }
    }
    for some in clips.chunks(CLIPS) {
        if stop.load(Ordering::Relaxed) {
            report.interrupted = true;
            return Ok(report);
        }
        verify_some(from, &*reader, some, &mut report)?;
        done += some.len();
        progress(done, steps);
    }
    Ok(report)
}

fn copy_some(
    from: &dyn IndexReader,
    to: &dyn IndexWriter,
    clips: &[Clip],
    report: &mut CopyReport,
) -> Result<(), EngineError> {
    let reader = to.reader()?;
    let there = by_path(&*reader, clips)?;
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut written = Vec::new();
    for clip in clips {
        if let Some(known) = there.get(&clip.meta.path)
            && known.meta == clip.meta
            && known.segments == clip.segments
            && same_texts(from, clip.id, &*reader, known.id)?
        {
            report.unchanged += 1;
            continue;
        }
        let segments = from.segments(clip.id)?;
        report.copied += 1;
        report.segments += segments.len();
        bytes += segments.iter().map(|segment| 4 * segment.vector.len()).sum::<usize>();
        batch.push(Change::Put { meta: clip.meta.clone(), segments, texts: from.texts(clip.id)? });
        written.push(clip.clone());
        if bytes >= BATCH_BYTES {
            to.apply(std::mem::take(&mut batch))?;
            bytes = 0;
        }
    }
    to.apply(batch)?;
    // What was tagged there keeps its tags when it is replaced; here it is to have those of the other index.
    let there = by_path(&*to.reader()?, &written)?;
    let retag = written.into_iter().filter_map(|clip| {
        let known = there.get(&clip.meta.path).filter(|known| known.meta.tags != clip.meta.tags)?;
        Some(Change::SetTags { id: known.id, tags: clip.meta.tags })
    });
    to.apply(retag.collect())?;
    Ok(())
}

fn verify_some(
    from: &dyn IndexReader,
    to: &dyn IndexReader,
    clips: &[Clip],
    report: &mut CopyReport,
) -> Result<(), EngineError> {
    let there = by_path(to, clips)?;
    for clip in clips {
        let problem = match there.get(&clip.meta.path) {
            None => Some("it is missing".to_owned()),
            Some(known) if known.meta != clip.meta => Some(difference(&clip.meta, &known.meta)),
            Some(known) if from.segments(clip.id)? != to.segments(known.id)? => {
                Some("its vectors are not the same".to_owned())
            }
            Some(known) if !same_texts(from, clip.id, to, known.id)? => {
                Some("what its file says about itself is not the same".to_owned())
            }
            Some(_) => None,
        };
        match problem {
            None => report.verified += 1,
            Some(what) if report.problems.len() < MOST_PROBLEMS => {
                report.problems.push(format!("{}: {what}", clip.meta.path));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Whether two clips have the same texts, in whatever order.
fn same_texts(
    from: &dyn IndexReader,
    id: ClipId,
    to: &dyn IndexReader,
    other: ClipId,
) -> Result<bool, EngineError> {
    let sorted = |index: &dyn IndexReader, id| -> Result<Vec<(String, String)>, EngineError> {
        let mut texts: Vec<_> = index.texts(id)?.into_iter().map(|one| (one.name, one.text)).collect();
        texts.sort();
        Ok(texts)
    };
    Ok(sorted(from, id)? == sorted(to, other)?)
}

fn by_path(index: &dyn IndexReader, clips: &[Clip]) -> Result<HashMap<String, Clip>, EngineError> {
    let paths: Vec<String> = clips.iter().map(|clip| clip.meta.path.clone()).collect();
    Ok(index.clips_at(&paths)?.into_iter().map(|clip| (clip.meta.path.clone(), clip)).collect())
}

fn difference(expected: &ClipMeta, received: &ClipMeta) -> String {
    format!("expected {expected:?}, got {received:?}")
}
