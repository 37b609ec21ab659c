//! Clips of an index that are the same sound: copies, other encodings, other gain, cut or padded with
//! silence.
//!
//! Sounds that are merely alike are not: people delete what is found here. So each file is decoded, and its
//! outline and hashes, small enough to keep, are made. Candidates are pairs with hashes in common, and
//! neighbours in the index. The outlines reject most pairs that are not one sound; the waveforms of the rest
//! must agree sample by sample, up to a factor.
//!
//! - `candidates`: clips of one content, and neighbours in the index
//! - `anchors`: hashes of moments that can be found again in another file
//! - `outline`: the level of a sound over time in a few bands, and how two of them fit together
//! - `compare`: two waveforms, aligned to the sample and compared band by band
//! - `relation`: how two clips of one sound differ
//! - `verify`: the verdict on a pair
//! - `group`, `keep`: groups, and which clip of a group to keep
//! - `stored`: the same by what the index stores alone, for hits of a search
//! - `frames`, `correlate`, `parallel`: spectra, cross-correlation, threads

mod anchors;
mod candidates;
mod compare;
mod correlate;
mod frames;
mod group;
mod keep;
mod outline;
mod parallel;
mod relation;
mod stored;
#[cfg(test)]
mod testing;
mod verify;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use earmark_audio::ReadOptions;
use earmark_index::{Clip, Filter, IndexReader};

use crate::EngineError;
use candidates::{Member, Unique, may_be_one, neighbours, uniques};
use group::Sets;
use keep::{Candidate, choose};
use outline::Outline;
use parallel::in_parallel;
use verify::{Heard, Kept, Verdict, Verifier};

pub use keep::{Criterion, KEEP};
pub use relation::Relation;
pub use stored::same_sound;

/// Likeness from which two sounds are one, unless another is given.
pub const THRESHOLD: f32 = 0.95;

/// How to look for duplicates.
#[derive(Debug, Clone)]
pub struct DuplicatesOptions {
    /// Likeness from which two sounds are one, up to 1.
    pub threshold: f32,
    /// Which clip of a group to keep; see [`Criterion`].
    pub keep: Vec<Criterion>,
    /// Compare the files. Else only what the index stores is compared.
    pub verify: bool,
    /// Threads; 0 for one a core.
    pub threads: usize,
    /// How files are read.
    pub read: ReadOptions,
}

impl Default for DuplicatesOptions {
    fn default() -> Self {
        let (keep, read) = (KEEP.to_vec(), ReadOptions::default());
        Self { threshold: THRESHOLD, keep, verify: true, threads: 0, read }
    }
}

/// A clip that is the same sound as the one to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct Duplicate {
    /// The clip.
    pub clip: Clip,
    /// How it differs.
    pub relation: Relation,
    /// How well the two agree where they overlap, up to 1: mean coherence; for [`Relation::Unverified`], the
    /// least cosine of their segments.
    pub likeness: f32,
    /// Where it begins in the clip to keep, seconds.
    pub offset_s: f64,
    /// By how much it is louder, dB.
    pub gain_db: f64,
}

/// Clips that are one sound.
#[derive(Debug, Clone, PartialEq)]
pub struct DuplicateGroup {
    /// The one to keep.
    pub keep: Clip,
    /// The others, each compared with the one to keep; by path.
    pub others: Vec<Duplicate>,
}

/// A clip whose file could not be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Its path, in its stored form.
    pub path: String,
    /// Why, for people.
    pub reason: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DuplicatesReport {
    /// By the path of the clip to keep.
    pub groups: Vec<DuplicateGroup>,
    /// Clips that were looked at.
    pub clips: usize,
    /// Pairs of clips that were compared.
    pub compared: usize,
    /// Clips whose files could not be compared.
    pub unreadable: Vec<Unreadable>,
    /// Whether it was cut short; then there are no groups.
    pub interrupted: bool,
}

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicatesStage {
    /// Decoding all clips.
    Decoding,
    /// Looking for neighbours in the index.
    Searching,
    /// Comparing pairs.
    Comparing,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicatesProgress {
    /// What is being done.
    pub stage: DuplicatesStage,
    /// How many clips or pairs are done.
    pub done: usize,
    /// Of so many.
    pub total: usize,
}

/// Decides whether the file of a clip may be read, and where it is, from its stored path.
pub type FindFile<'a> = &'a dyn Fn(&str) -> Option<PathBuf>;

/// Finds the clips that `filter` lets through and that are the same sound. `files` gives the file of a clip,
/// if it may be read. A clip whose file cannot be read, or has changed since it was indexed, is
/// [`Relation::Unverified`] at best, and never the one to keep if there is another.
///
/// # Errors
/// Errors from the index. A bad file is in the report, not an error.
pub fn duplicates(
    index: &dyn IndexReader,
    filter: &Filter,
    options: &DuplicatesOptions,
    files: FindFile<'_>,
    stop: &AtomicBool,
    mut observe: impl FnMut(DuplicatesProgress),
) -> Result<DuplicatesReport, EngineError> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if options.threads == 0 { cores() } else { options.threads };
    let clips = index.clips(filter)?;
    let mut report = DuplicatesReport { clips: clips.len(), ..DuplicatesReport::default() };
    let uniques = uniques(clips, files);
    let mut verifier = Verifier {
        index,
        uniques: &uniques,
        heard: uniques.iter().map(|_| None).collect(),
        read: &options.read,
        threshold: options.threshold,
        kept: Kept::default(),
    };
    if options.verify {
        let decoding = begin(&mut observe, DuplicatesStage::Decoding, uniques.len());
        let hear_one = |place: usize| hear(&uniques[place].first, &options.read);
        verifier.heard = in_parallel(uniques.len(), threads, stop, hear_one, decoding);
    }
    let mut hashes: Vec<(usize, &[u32])> = Vec::new();
    for (place, heard) in verifier.heard.iter().enumerate() {
        match heard {
            Some(Heard::Sound { hashes: of, .. }) => hashes.push((place, of)),
            Some(Heard::Unreadable(reason)) => {
                let path = uniques[place].first.clip.meta.path.clone();
                report.unreadable.push(Unreadable { path, reason: reason.clone() });
            }
            None => {}
        }
    }
    let searching = begin(&mut observe, DuplicatesStage::Searching, uniques.len());
    let mut pairs = neighbours(index, filter, &uniques, threads, stop, searching)?;
    let may_be = |a: usize, b: usize| may_be_one(&uniques[a].first.clip, &uniques[b].first.clip);
    pairs.extend(anchors::pairs(&hashes).into_iter().filter(|&(a, b)| may_be(a, b)));
    let pairs: Vec<(usize, usize)> = pairs.into_iter().collect();

    let same = Mutex::new(Sets::new(uniques.len()));
    let compared = AtomicUsize::new(0);
    let verdict = |n: usize| -> Result<Option<Verdict>, EngineError> {
        let (a, b) = pairs[n];
        let sets = || same.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut sets = sets();
            if sets.of(a) == sets.of(b) {
                return Ok(None);
            }
        }
        compared.fetch_add(1, Ordering::Relaxed);
        let verdict = verifier.verdict(a, b)?;
        if verdict.is_some() {
            sets().join(a, b);
        }
        Ok(verdict)
    };
    let comparing = begin(&mut observe, DuplicatesStage::Comparing, pairs.len());
    let mut verdicts: HashMap<(usize, usize), Verdict> = HashMap::new();
    for (pair, verdict) in pairs.iter().zip(in_parallel(pairs.len(), threads, stop, verdict, comparing)) {
        if let Some(verdict) = verdict.transpose()?.flatten() {
            verdicts.insert(*pair, verdict);
            verdicts.insert((pair.1, pair.0), verdict.reversed());
        }
    }

    let sets = same.into_inner().unwrap_or_else(PoisonError::into_inner).several();
    let grouped = |n: usize| stars(&verifier, &verdicts, sets[n].clone(), &options.keep, &compared);
    let mut stars: Vec<Star> = Vec::new();
    for found in in_parallel(sets.len(), threads, stop, grouped, |_| {}) {
        stars.extend(found.transpose()?.unwrap_or_default());
    }
    report.compared = compared.into_inner();
    report.interrupted = stop.load(Ordering::Relaxed);
    if !report.interrupted {
        report.groups = with_copies(&uniques, stars);
    }
    Ok(report)
}

/// Says that a stage begins; gives what tells how far it is.
fn begin(
    observe: &mut impl FnMut(DuplicatesProgress),
    stage: DuplicatesStage,
    total: usize,
) -> impl FnMut(usize) {
    observe(DuplicatesProgress { stage, done: 0, total });
    move |done| observe(DuplicatesProgress { stage, done, total })
}

/// Decodes a clip.
fn hear(member: &Member, read: &ReadOptions) -> Heard {
    let Some(file) = &member.file else {
        return Heard::Unreadable("the file cannot be read, or has changed since it was indexed".to_owned());
    };
    match Outline::read(file, read) {
        Ok((outline, hashes)) => Heard::Sound { path: file.clone(), outline, hashes },
        Err(e) => Heard::Unreadable(e.to_string()),
    }
}

/// A clip to keep and those that were compared with it, by their places.
struct Star {
    keep: usize,
    others: Vec<(usize, Verdict)>,
}

/// Cuts a set into groups in which each clip was compared with the one to keep.
fn stars(
    verifier: &Verifier<'_>,
    verdicts: &HashMap<(usize, usize), Verdict>,
    mut left: Vec<usize>,
    order: &[Criterion],
    compared: &AtomicUsize,
) -> Result<Vec<Star>, EngineError> {
    let mut stars = Vec::new();
    while left.len() > 1 {
        // What was not heard may not even be there.
        let mut heard: Vec<usize> = left.iter().copied().filter(|&place| verifier.is_heard(place)).collect();
        if heard.is_empty() {
            let is_there = |place: &usize| verifier.uniques[*place].first.file.is_some();
            heard = left.iter().copied().filter(is_there).collect();
        }
        if heard.is_empty() {
            heard.clone_from(&left);
        }
        let candidate = |&place: &usize| Candidate {
            clip: &verifier.uniques[place].first.clip,
            sound_s: verifier.sound_s(place),
        };
        let keep = heard[choose(&heard.iter().map(candidate).collect::<Vec<_>>(), order)];
        let mut others = Vec::new();
        let mut rest = Vec::new();
        for place in left.into_iter().filter(|&place| place != keep) {
            let verdict = match verdicts.get(&(keep, place)) {
                Some(verdict) => Some(*verdict),
                None => {
                    compared.fetch_add(1, Ordering::Relaxed);
                    verifier.verdict(keep, place)?
                }
            };
            match verdict {
                Some(verdict) => others.push((place, verdict)),
                None => rest.push(place),
            }
        }
        if !others.is_empty() {
            stars.push(Star { keep, others });
        }
        left = rest;
    }
    Ok(stars)
}

/// The groups of clips, copies among them.
fn with_copies(uniques: &[Unique], stars: Vec<Star>) -> Vec<DuplicateGroup> {
    let mut is_grouped = vec![false; uniques.len()];
    for star in &stars {
        let places = star.others.iter().map(|(place, _)| *place).chain([star.keep]);
        places.for_each(|place| is_grouped[place] = true);
    }
    let copied = (0..uniques.len()).filter(|&place| !is_grouped[place] && !uniques[place].copies.is_empty());
    let alone = copied.map(|keep| Star { keep, others: Vec::new() }).collect::<Vec<_>>();
    let mut groups: Vec<DuplicateGroup> =
        stars.into_iter().chain(alone).map(|star| group(uniques, star)).collect();
    groups.sort_by(|a, b| a.keep.meta.path.cmp(&b.keep.meta.path));
    groups
}

fn group(uniques: &[Unique], star: Star) -> DuplicateGroup {
    let kept = &uniques[star.keep];
    let duplicate = |member: &Member, verdict: Verdict| {
        // A file that is not as it was indexed may be anything by now.
        let verdict = if member.file.is_some() { verdict } else { Verdict::unverified(verdict.likeness) };
        let Verdict { relation, likeness, offset_s, gain_db } = verdict;
        Duplicate { clip: member.clip.clone(), relation, likeness, offset_s, gain_db }
    };
    let of_kept = if kept.first.file.is_some() { Verdict::copy() } else { Verdict::unverified(1.0) };
    let mut others: Vec<Duplicate> = kept.copies.iter().map(|copy| duplicate(copy, of_kept)).collect();
    for (place, verdict) in star.others {
        let unique = &uniques[place];
        others.push(duplicate(&unique.first, verdict));
        others.extend(unique.copies.iter().map(|copy| duplicate(copy, verdict)));
    }
    others.sort_by(|a, b| a.clip.meta.path.cmp(&b.clip.meta.path));
    DuplicateGroup { keep: kept.first.clip.clone(), others }
}
