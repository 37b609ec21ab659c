//! How two clips of one sound differ.

use std::ops::Range;

use super::outline::Outline;

/// How a clip differs from the clip to keep. Where several hold, the first one here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Relation {
    /// The same bytes.
    Copy,
    /// One of the two lacks a part of the other's sound.
    Trim,
    /// One of the two has more silence at its start or end.
    Padding,
    /// One of the two is louder.
    Gain,
    /// Another encoding, sample rate or number of channels; or the same ones with other bytes around them.
    Encoding,
    /// The files were not compared; what the index stores says that they are the same.
    Unverified,
}

/// A part as short as this is not missed, seconds.
const MISSED_S: f64 = 0.05;

/// Parts at most this long may be missing from both, seconds: the ends of a sound are not known exactly.
const BOTH_MISS_S: f64 = 0.1;

/// Silence as short as this is no padding, seconds: encoders add some.
const PADDED_S: f64 = 0.1;

/// A smaller difference in level is none, dB.
const GAIN_DB: f64 = 0.5;

/// Least part of the longer sound that the shorter one has.
const LEAST_COVERED: f64 = 0.5;

/// How two sounds differ that agree where they overlap, when `b` begins `offset_s` after `a`. `None` where
/// they are two sounds all the same: each has a part that the other lacks, or one is only a small part of the
/// other.
pub(super) fn relation(a: &Outline, b: &Outline, offset_s: f64, gain_db: f64) -> Option<Relation> {
    let missing_b = missing(&a.sounding, offset_s..offset_s + b.duration_s);
    let missing_a = missing(&b.sounding, -offset_s..a.duration_s - offset_s);
    if missing_a.min(missing_b) > BOTH_MISS_S {
        return None;
    }
    let covered = |missing: f64, outline: &Outline| 1.0 - missing / outline.sounding_s().max(1e-9);
    if covered(missing_b, a).min(covered(missing_a, b)) < LEAST_COVERED {
        return None;
    }
    let end_difference = b.duration_s + offset_s - a.duration_s;
    Some(match () {
        () if missing_a.max(missing_b) > MISSED_S => Relation::Trim,
        () if offset_s.abs() > PADDED_S || end_difference.abs() > PADDED_S => Relation::Padding,
        () if gain_db.abs() > GAIN_DB => Relation::Gain,
        () => Relation::Encoding,
    })
}

/// Seconds of `sound` that are not in `file`.
fn missing(sound: &Range<f64>, file: Range<f64>) -> f64 {
    let before = file.start.min(sound.end) - sound.start;
    let after = sound.end - file.end.max(sound.start);
    before.max(0.0) + after.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duplicates::testing::{bursts, silence};

    fn outline(lead_s: f64, sound_s: f64, tail_s: f64) -> Outline {
        Outline::of(&[silence(lead_s), bursts(1, sound_s), silence(tail_s)].concat())
    }

    #[test]
    fn each_difference_has_its_name() {
        let whole = outline(0.0, 2.0, 0.0);
        let cases = [
            (outline(0.0, 2.0, 0.0), 0.0, 0.0, Some(Relation::Encoding)),
            (outline(0.0, 2.0, 0.0), 0.0, -6.0, Some(Relation::Gain)),
            (outline(0.0, 2.0, 1.0), 0.0, -6.0, Some(Relation::Padding)),
            (outline(1.0, 2.0, 0.0), -1.0, 0.0, Some(Relation::Padding)),
            (outline(0.0, 1.5, 0.0), 0.5, 0.0, Some(Relation::Trim)),
            (outline(0.0, 3.0, 0.0), -0.5, 0.0, Some(Relation::Trim)),
            (outline(0.0, 2.0, 0.0), 0.5, 0.0, None),
            (outline(0.0, 0.9, 0.0), 0.0, 0.0, None),
        ];
        for (other, offset_s, gain_db, expected) in cases {
            assert_eq!(relation(&whole, &other, offset_s, gain_db), expected, "{other:?} at {offset_s}");
            assert_eq!(relation(&other, &whole, -offset_s, -gain_db), expected, "the other way round");
        }
    }
}
