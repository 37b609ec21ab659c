//! Whether two clips are the same sound: by their files, or by what the index stores where a file cannot be
//! read.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use earmark_audio::{AudioError, AudioReader, ReadOptions, Waveform};
use earmark_index::IndexReader;

use super::candidates::Unique;
use super::compare::{Match, compare};
use super::frames::RATE;
use super::outline::{Outline, Resemblance};
use super::relation::{Relation, relation};
use super::stored::Stored;
use crate::EngineError;

/// Seconds of two sounds that are compared sample by sample; of longer ones, the outlines are compared whole.
const COMPARED_S: f64 = 60.0;

/// Silence around a sound that is compared with it, seconds.
const MARGIN_S: f64 = 0.1;

/// Sounds with a margin that are shorter, seconds, have to agree better: there is little of them to compare.
const SHORT_S: f64 = 0.3;
const SHORT_LIKENESS: f32 = 0.99;

/// Sounds whose gain differs more between bands and moments are two sounds, dB: one was filtered or faded.
/// Codecs and resamplers stay below.
const MOST_SHAPE_DB: f64 = 2.0;

/// The part of the frequencies of the lower sample rate that are compared: resamplers fade out the rest.
const USED: f64 = 0.85;

/// Waveforms that are kept; at most [`COMPARED_S`] each, 4 MB.
const KEPT: usize = 16;

/// What is known of the file of a clip.
#[derive(Debug)]
pub(super) enum Heard {
    /// It was decoded.
    Sound {
        /// The file.
        path: PathBuf,
        /// Its outline.
        outline: Outline,
        /// Its hashes.
        hashes: Vec<u32>,
    },
    /// It was not, for this reason.
    Unreadable(String),
}

/// How the second of two clips differs from the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Verdict {
    pub(super) relation: Relation,
    pub(super) likeness: f32,
    /// Where the second begins in the first, seconds.
    pub(super) offset_s: f64,
    /// By how much the second is louder, dB.
    pub(super) gain_db: f64,
}

impl Verdict {
    /// Of two files with the same bytes.
    pub(super) fn copy() -> Self {
        Self { relation: Relation::Copy, likeness: 1.0, offset_s: 0.0, gain_db: 0.0 }
    }

    /// Of two clips whose files were not compared.
    pub(super) fn unverified(likeness: f32) -> Self {
        Self { relation: Relation::Unverified, likeness, offset_s: 0.0, gain_db: 0.0 }
    }

    /// The same, seen from the second clip.
    pub(super) fn reversed(self) -> Self {
        Self { offset_s: -self.offset_s, gain_db: -self.gain_db, ..self }
    }
}

/// Compares clips by their places.
pub(super) struct Verifier<'a> {
    pub(super) index: &'a dyn IndexReader,
    pub(super) uniques: &'a [Unique],
    /// What is known of each clip's file; `None` for those that were not to be decoded.
    pub(super) heard: Vec<Option<Heard>>,
    pub(super) read: &'a ReadOptions,
    /// Least likeness of one sound.
    pub(super) threshold: f32,
    pub(super) kept: Kept,
}

impl Verifier<'_> {
    /// Whether a clip's file was decoded.
    pub(super) fn is_heard(&self, place: usize) -> bool {
        self.sound(place).is_some()
    }

    fn sound(&self, place: usize) -> Option<(&Path, &Outline)> {
        match self.heard.get(place)? {
            Some(Heard::Sound { path, outline, .. }) => Some((path, outline)),
            _ => None,
        }
    }

    /// Length of a clip's sound, seconds.
    pub(super) fn sound_s(&self, place: usize) -> f64 {
        match self.sound(place) {
            Some((_, outline)) => outline.sounding_s(),
            None => self.uniques[place].first.clip.meta.duration_s,
        }
    }

    /// How clip `b` differs from clip `a`; `None` if they are two sounds.
    ///
    /// # Errors
    /// Errors from the index.
    pub(super) fn verdict(&self, a: usize, b: usize) -> Result<Option<Verdict>, EngineError> {
        let (Some((path_a, outline_a)), Some((path_b, outline_b))) = (self.sound(a), self.sound(b)) else {
            return self.stored(a, b);
        };
        let Resemblance::Like { offset_s } = outline_a.resemblance(outline_b) else { return Ok(None) };
        let (range_a, range_b) = excerpts(outline_a, outline_b, offset_s);
        let samples_a = self.kept.get(a, path_a, range_a.clone(), self.read);
        let samples_b = self.kept.get(b, path_b, range_b.clone(), self.read);
        // A file that cannot be read any more is no duplicate.
        let (Ok(samples_a), Ok(samples_b)) = (samples_a, samples_b) else { return Ok(None) };
        let shorter_s = samples_a.len().min(samples_b.len()) as f64 / f64::from(RATE);
        let least = if shorter_s < SHORT_S { self.threshold.max(SHORT_LIKENESS) } else { self.threshold };
        let is_one = |found: &Match| found.likeness >= least && found.shape_db <= MOST_SHAPE_DB;
        let top_hz = USED * f64::from(outline_a.sample_rate.min(outline_b.sample_rate)) / 2.0;
        let found = compare(&samples_a, &samples_b, top_hz).filter(is_one);
        Ok(found.and_then(|found| {
            let offset_s = found.lag as f64 / f64::from(RATE) + range_a.start - range_b.start;
            let relation = relation(outline_a, outline_b, offset_s, found.gain_db)?;
            Some(Verdict { relation, likeness: found.likeness.min(1.0), offset_s, gain_db: found.gain_db })
        }))
    }

    /// As [`Self::verdict`], by what the index stores.
    fn stored(&self, a: usize, b: usize) -> Result<Option<Verdict>, EngineError> {
        let stored = |place: usize| Stored::read(self.index, &self.uniques[place].first.clip);
        Ok(stored(a)?.likeness(&stored(b)?).map(Verdict::unverified))
    }
}

/// The stretches of two files that are compared sample by sample, in seconds: all of the sound, or the middle
/// of what they share.
fn excerpts(a: &Outline, b: &Outline, offset_s: Option<f64>) -> (Range<f64>, Range<f64>) {
    let around = |outline: &Outline| {
        let Range { start, end } = outline.sounding;
        (start - MARGIN_S).max(0.0)..(end + MARGIN_S).min(outline.duration_s)
    };
    let (whole_a, whole_b) = (around(a), around(b));
    let length = |range: &Range<f64>| range.end - range.start;
    if length(&whole_a).max(length(&whole_b)) <= COMPARED_S {
        return (whole_a, whole_b);
    }
    let offset_s = offset_s.unwrap_or(whole_a.start - whole_b.start);
    let start = whole_a.start.max(whole_b.start + offset_s);
    let end = whole_a.end.min(whole_b.end + offset_s);
    let middle = f64::midpoint(start, end);
    let shared = (middle - COMPARED_S / 2.0).max(start)..(middle + COMPARED_S / 2.0).min(end).max(start);
    let in_b = (shared.start - offset_s).max(0.0)..(shared.end - offset_s).max(0.0);
    (shared, in_b)
}

/// The waveforms that were compared last.
#[derive(Default)]
pub(super) struct Kept(Mutex<VecDeque<(ClipStretch, Arc<Vec<f32>>)>>);

/// A stretch of a clip.
#[derive(Debug, Clone, PartialEq)]
struct ClipStretch {
    clip: usize,
    stretch: Range<f64>,
}

impl Kept {
    /// The samples of a stretch of a file at [`RATE`].
    ///
    /// # Errors
    /// Errors from decoding it.
    fn get(
        &self,
        clip: usize,
        path: &Path,
        stretch: Range<f64>,
        options: &ReadOptions,
    ) -> Result<Arc<Vec<f32>>, AudioError> {
        let wanted = ClipStretch { clip, stretch };
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, samples)) = lock().iter().find(|(kept, _)| *kept == wanted) {
            return Ok(Arc::clone(samples));
        }
        let reader = AudioReader::open(path, options)?.resampled(RATE)?;
        let range = Some((wanted.stretch.start, wanted.stretch.end));
        let samples = Arc::new(Waveform::read(reader, range)?.samples);
        let mut kept = lock();
        kept.push_back((wanted, Arc::clone(&samples)));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(samples)
    }
}
