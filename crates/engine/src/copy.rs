//! From one index into another, whatever keeps them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use earmark_index::{Change, Clip, ClipId, ClipMeta, ClipText, Failure, Filter, IndexReader, IndexWriter};

use crate::EngineError;
use crate::batches::{batches, segments_of};

/// Clips that are compared at a time.
const CLIPS: usize = 256;

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
    let failures = from.failures()?;
    let missing = not_in(&failures, &to.reader()?.failures()?);
    let missing: Vec<Change> = missing.into_iter().cloned().map(Change::Fail).collect();
    report.failures = missing.len();
    to.apply(missing)?;
    let reader = to.reader()?;
    for failure in not_in(&failures, &reader.failures()?) {
        report.problems.push(format!("{}: it is not remembered as a bad file", failure.path));
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
    let known = |clip: &Clip| {
        let known = there.get(&clip.meta.path)?;
        (known.meta == clip.meta && known.segments == clip.segments).then_some(known)
    };
    let alike: Vec<(&Clip, &Clip)> = clips.iter().filter_map(|clip| Some((clip, known(clip)?))).collect();
    let same = with_same_texts(from, &*reader, &alike)?;
    report.unchanged += same.len();
    let wanted: Vec<&Clip> = clips.iter().filter(|clip| !same.contains(&clip.id)).collect();
    let mut written = Vec::new();
    for some in batches(&wanted, from.header().identity.dim) {
        let ids: Vec<ClipId> = some.iter().map(|clip| clip.id).collect();
        let contents = segments_of(from, some)?.into_iter().zip(from.texts(&ids)?);
        let mut batch = Vec::with_capacity(some.len());
        for (clip, (segments, texts)) in some.iter().zip(contents) {
            // What changes meanwhile is found when all is compared.
            let Some(segments) = segments else { continue };
            report.copied += 1;
            report.segments += segments.len();
            batch.push(Change::Put { meta: clip.meta.clone(), segments, texts });
            written.push((*clip).clone());
        }
        to.apply(batch)?;
    }
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
    let alike: Vec<(&Clip, &Clip)> =
        clips.iter().filter_map(|clip| Some((clip, there.get(&clip.meta.path)?))).collect();
    let same_texts = with_same_texts(from, to, &alike)?;
    let wanted: Vec<&Clip> = alike.iter().map(|(clip, _)| *clip).collect();
    let mut same_vectors: HashSet<ClipId> = HashSet::new();
    for some in batches(&wanted, from.header().identity.dim) {
        let others: Vec<&Clip> = some.iter().filter_map(|clip| there.get(&clip.meta.path)).collect();
        let pairs = segments_of(from, some)?.into_iter().zip(segments_of(to, &others)?);
        let same = some.iter().zip(pairs).filter(|(_, (a, b))| a.is_some() && a == b);
        same_vectors.extend(same.map(|(clip, _)| clip.id));
    }
    for clip in clips {
        let problem = match there.get(&clip.meta.path) {
            None => Some("it is missing".to_owned()),
            Some(known) if known.meta != clip.meta => Some(difference(&clip.meta, &known.meta)),
            Some(_) if !same_vectors.contains(&clip.id) => Some(
                "its vectors are not the same, or it was changed meanwhile; run the same copy again"
                    .to_owned(),
            ),
            Some(_) if !same_texts.contains(&clip.id) => {
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

/// The failures that are not, the same, among those that are `known`.
fn not_in<'a>(failures: &'a [Failure], known: &[Failure]) -> Vec<&'a Failure> {
    let known: HashMap<&str, &Failure> = known.iter().map(|one| (one.path.as_str(), one)).collect();
    failures.iter().filter(|one| known.get(one.path.as_str()) != Some(one)).collect()
}

/// Of pairs of a clip in `from` and one in `to`, the first of those that have the same texts, in whatever order.
fn with_same_texts(
    from: &dyn IndexReader,
    to: &dyn IndexReader,
    pairs: &[(&Clip, &Clip)],
) -> Result<HashSet<ClipId>, EngineError> {
    let (ids, others): (Vec<ClipId>, Vec<ClipId>) = pairs.iter().map(|(a, b)| (a.id, b.id)).unzip();
    let texts = from.texts(&ids)?.into_iter().zip(to.texts(&others)?);
    let sorted = |texts: Vec<ClipText>| {
        let mut texts: Vec<_> = texts.into_iter().map(|one| (one.name, one.text)).collect();
        texts.sort();
        texts
    };
    let same = ids.into_iter().zip(texts).filter_map(|(id, (a, b))| (sorted(a) == sorted(b)).then_some(id));
    Ok(same.collect())
}

fn by_path(index: &dyn IndexReader, clips: &[Clip]) -> Result<HashMap<String, Clip>, EngineError> {
    let paths: Vec<String> = clips.iter().map(|clip| clip.meta.path.clone()).collect();
    Ok(index.clips_at(&paths)?.into_iter().map(|clip| (clip.meta.path.clone(), clip)).collect())
}

fn difference(expected: &ClipMeta, received: &ClipMeta) -> String {
    format!("expected {expected:?}, got {received:?}")
}
