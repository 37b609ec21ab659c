//! Anchors: moments of a sound that can be found again in another file with the same sound, each with a hash
//! of what is heard there. Two clips with the same hashes are candidates.
//!
//! Anchors are peaks of the power of the sound, so that they depend neither on where the file begins nor on
//! how loud it is. A hash says for each band whether it fades faster than its neighbour.

use realfft::num_complex::Complex;

use super::correlate::Prefix;
use super::frames::{BINS, Frames, RATE, bins};

/// Samples over which power is smoothed, twice.
const SMOOTH: usize = 80;

/// Samples between two moments at which power is looked at.
const STEP: usize = 16;

/// A peak has no higher one within so many moments, 40 ms.
const REACH: usize = 40;

/// The frames after a peak that are compared with the one at the peak, samples.
const LATER: [usize; 2] = [640, 1280];

/// Samples that are needed on either side of a peak.
const MARGIN: usize = 2048;

/// Samples in which peaks are looked for at once.
const BLOCK: usize = RATE as usize;

/// Quieter peaks are none, as power: -75 dB.
const LEAST_POWER: f64 = 3e-8;

/// Bands of a hash; each pair of neighbours gives a bit for each later frame.
const BANDS: usize = 17;

/// Hz from the lowest band to the end of the highest: what telephone rates keep, too.
const LOW_HZ: f64 = 100.0;
const HIGH_HZ: f64 = 3600.0;

/// Levels so far below the loudest one count as equal, dB.
const RANGE_DB: f32 = 35.0;

/// A difference from which a bit is set, dB.
const LEAST_DB: f32 = 0.5;

/// The hashes of one sound, in the making.
pub(super) struct Anchors {
    frames: Frames,
    bands: Vec<std::ops::Range<usize>>,
    spectrum: Vec<Complex<f32>>,
    pending: Vec<f32>,
    hashes: Vec<u32>,
}

impl Anchors {
    pub(super) fn new() -> Self {
        let ratio = (HIGH_HZ / LOW_HZ).powf(1.0 / BANDS as f64);
        let edge = |n: usize| LOW_HZ * ratio.powi(n as i32);
        Self {
            frames: Frames::new(),
            bands: (0..BANDS).map(|n| bins(edge(n), edge(n + 1))).collect(),
            spectrum: vec![Complex::default(); BINS],
            pending: vec![0.0; MARGIN],
            hashes: Vec::new(),
        }
    }

    /// Takes the next samples at [`RATE`].
    pub(super) fn push(&mut self, samples: &[f32]) {
        self.pending.extend_from_slice(samples);
        while self.pending.len() >= BLOCK + 2 * MARGIN {
            self.block(BLOCK);
            self.pending.drain(..BLOCK);
        }
    }

    /// The hashes, four for each anchor: as it is, and with the bits flipped that are the least certain.
    pub(super) fn finish(mut self) -> Vec<u32> {
        self.pending.extend([0.0; MARGIN]);
        self.block(self.pending.len().saturating_sub(2 * MARGIN));
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.hashes.shrink_to_fit();
        self.hashes
    }

    /// Hashes the peaks of so many samples behind the margin.
    fn block(&mut self, length: usize) {
        let squares = |samples: &[f32]| Prefix::of(samples.iter().map(|&x| f64::from(x) * f64::from(x)));
        let once = squares(&self.pending);
        let reach = SMOOTH * 2 + REACH * STEP;
        let around = MARGIN - reach..(MARGIN + length + reach).min(self.pending.len());
        let power: Vec<f64> = around
            .clone()
            .step_by(STEP)
            .map(|at| {
                // Two means one over the other weigh the middle more.
                let wide = once.sum(at.saturating_sub(SMOOTH), (at + SMOOTH).min(self.pending.len()));
                let narrow =
                    once.sum(at.saturating_sub(SMOOTH / 2), (at + SMOOTH / 2).min(self.pending.len()));
                (wide / 2.0 + narrow) / (2.0 * SMOOTH as f64)
            })
            .collect();
        for place in 0..power.len() {
            let at = around.start + place * STEP;
            let near = &power[place.saturating_sub(REACH)..(place + REACH + 1).min(power.len())];
            let is_peak = power[place] >= LEAST_POWER && near.iter().all(|other| *other <= power[place]);
            if is_peak && (MARGIN..MARGIN + length).contains(&at) {
                self.hash(at);
            }
        }
    }

    /// The levels of all bands around a sample, dB.
    fn levels(&mut self, at: usize) -> [f32; BANDS] {
        self.frames.spectrum_at(&self.pending, at as isize, &mut self.spectrum);
        let mut levels = [0.0; BANDS];
        for (level, band) in levels.iter_mut().zip(&self.bands) {
            let power: f32 = self.spectrum[band.clone()].iter().map(Complex::norm_sqr).sum();
            *level = 10.0 * power.max(1e-12).log10();
        }
        levels
    }

    fn hash(&mut self, at: usize) {
        let mut peak = self.levels(at);
        let loudest = peak.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let floor =
            |levels: &mut [f32; BANDS]| levels.iter_mut().for_each(|l| *l = l.max(loudest - RANGE_DB));
        floor(&mut peak);
        let (mut hash, mut certainties) = (0_u32, [(f32::INFINITY, 0); 2]);
        for (n, later) in LATER.into_iter().enumerate() {
            let mut levels = self.levels(at + later);
            floor(&mut levels);
            for band in 0..BANDS - 1 {
                let bit = n * (BANDS - 1) + band;
                let fades = |band: usize| peak[band] - levels[band];
                let difference = fades(band) - fades(band + 1) - LEAST_DB;
                if difference > 0.0 {
                    hash |= 1 << bit;
                }
                let certainty = difference.abs();
                if certainty < certainties[0].0 {
                    certainties = [(certainty, bit), certainties[0]];
                } else if certainty < certainties[1].0 {
                    certainties[1] = (certainty, bit);
                }
            }
        }
        let [first, second] = certainties.map(|(_, bit)| 1 << bit);
        self.hashes.extend([hash, hash ^ first, hash ^ second, hash ^ first ^ second]);
    }
}

/// A hash that more clips have says nothing.
const MOST_CLIPS: usize = 48;

/// Hashes that two clips must have in common, unless one of them has few.
const LEAST_COMMON: usize = 3;

/// So many hashes are few.
const FEW: usize = 40;

/// Pairs of clips with enough hashes in common, each with the lower number first. `hashes`: those of each
/// clip.
pub(super) fn pairs(hashes: &[(usize, &[u32])]) -> Vec<(usize, usize)> {
    let entries = hashes.iter().enumerate();
    let entries = entries.flat_map(|(n, (_, of))| of.iter().map(move |&h| (u64::from(h) << 32) | n as u64));
    let mut entries: Vec<u64> = entries.collect();
    entries.sort_unstable();
    let mut common: Vec<u64> = Vec::new();
    for bucket in entries.chunk_by(|a, b| a >> 32 == b >> 32).filter(|bucket| bucket.len() <= MOST_CLIPS) {
        for (i, first) in bucket.iter().enumerate() {
            // The lower half of an entry is the number of a clip.
            let (low, high) = (first & 0xffff_ffff, |other: &u64| other & 0xffff_ffff);
            common.extend(bucket[i + 1..].iter().map(|other| (low << 32) | high(other)));
        }
    }
    drop(entries);
    common.sort_unstable();
    let mut pairs = Vec::new();
    for same in common.chunk_by(|a, b| a == b) {
        let (a, b) = ((same[0] >> 32) as usize, (same[0] & 0xffff_ffff) as usize);
        let fewest = hashes[a].1.len().min(hashes[b].1.len());
        if same.len() >= LEAST_COMMON || fewest <= FEW {
            let (a, b) = (hashes[a].0, hashes[b].0);
            pairs.push((a.min(b), a.max(b)));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duplicates::testing::{bursts, silence};

    fn hashes(samples: &[f32]) -> Vec<u32> {
        let mut anchors = Anchors::new();
        samples.chunks(1000).for_each(|block| anchors.push(block));
        anchors.finish()
    }

    #[test]
    fn a_sound_has_the_same_anchors_louder_later_and_in_part() {
        let sound = bursts(1, 4.0);
        let louder: Vec<f32> = sound.iter().map(|x| 1.4 * x).collect();
        let later = [silence(0.7), sound.clone()].concat();
        let of = [
            hashes(&sound),
            hashes(&louder),
            hashes(&later),
            hashes(&sound[24_000..]),
            hashes(&bursts(2, 4.0)),
        ];
        let of: Vec<(usize, &[u32])> = of.iter().enumerate().map(|(n, h)| (10 + n, h.as_slice())).collect();
        let found = pairs(&of);
        assert_eq!(found, [(10, 11), (10, 12), (10, 13), (11, 12), (11, 13), (12, 13)]);
    }
}
