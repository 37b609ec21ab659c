//! Which clip of a group to keep.

use earmark_index::Clip;

/// What makes a clip the better one of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criterion {
    /// More of the sound; silence at its ends does not count.
    Length,
    /// Lossless before lossy.
    Format,
    /// A higher sample rate.
    Rate,
    /// More channels.
    Channels,
    /// A larger file.
    Size,
}

/// All criteria, in the order of the default.
pub const KEEP: [Criterion; 4] = [Criterion::Length, Criterion::Format, Criterion::Rate, Criterion::Channels];

/// Containers of lossless encodings.
const LOSSLESS: &[&str] = &["wav", "rf64", "w64", "aiff", "au", "caf", "flac", "ape", "tta", "wv"];

/// Sounds that are shorter by this much are as long, seconds and as a part of the longest.
const AS_LONG_S: f64 = 0.1;
const AS_LONG: f64 = 0.02;

/// A clip that may be kept.
pub(super) struct Candidate<'a> {
    pub(super) clip: &'a Clip,
    /// Length of its sound, seconds.
    pub(super) sound_s: f64,
}

/// Which of several candidates to keep: the criteria narrow them down one after the other, and the shortest
/// path decides between the rest. 0 if there are none.
pub(super) fn choose(candidates: &[Candidate<'_>], order: &[Criterion]) -> usize {
    let mut left: Vec<usize> = (0..candidates.len()).collect();
    for criterion in order {
        let value = |&i: &usize| value(*criterion, &candidates[i]);
        let best = left.iter().map(value).fold(f64::NEG_INFINITY, f64::max);
        let least = match criterion {
            Criterion::Length => (best - AS_LONG_S).min(best * (1.0 - AS_LONG)),
            _ => best,
        };
        left.retain(|i| value(i) >= least);
    }
    let path = |&i: &usize| {
        let path = &candidates[i].clip.meta.path;
        (path.len(), path.clone())
    };
    left.into_iter().min_by_key(path).unwrap_or_default()
}

fn value(criterion: Criterion, candidate: &Candidate<'_>) -> f64 {
    let meta = &candidate.clip.meta;
    match criterion {
        Criterion::Length => candidate.sound_s,
        Criterion::Format => f64::from(u8::from(LOSSLESS.contains(&meta.format.as_str()))),
        Criterion::Rate => f64::from(meta.sample_rate),
        Criterion::Channels => f64::from(meta.channels),
        Criterion::Size => meta.size as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duplicates::testing::clip;

    #[test]
    fn criteria_narrow_down_one_after_the_other() {
        let clips = [
            clip("/a/long.mp3", "mp3", 44_100, 10.0),
            clip("/a/nearly-as-long.wav", "wav", 22_050, 9.95),
            clip("/a/short.wav", "wav", 48_000, 6.0),
            clip("/a/copy-with-a-long-name.wav", "wav", 22_050, 9.95),
        ];
        let candidates: Vec<Candidate> =
            clips.iter().map(|clip| Candidate { clip, sound_s: clip.meta.duration_s }).collect();
        assert_eq!(choose(&candidates, &KEEP), 1, "lossless and as long");
        assert_eq!(choose(&candidates, &[Criterion::Rate]), 2);
        assert_eq!(choose(&candidates, &[Criterion::Format, Criterion::Length]), 1);
        assert_eq!(choose(&candidates, &[]), 0, "the shortest path");
        assert_eq!(choose(&[], &KEEP), 0);
    }
}
