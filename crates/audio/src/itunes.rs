//! The encoder delay that iTunes, and encoders after its example, note in a tag of an MP4 file.
//!
//! The tag `iTunSMPB` holds numbers in hexadecimal: 0, the delay, the padding and the length, in samples of
//! the track. Files that have it often lack an edit list.

use symphonia::core::formats::{FormatReader, Track};
use symphonia::core::meta::RawValue;

use crate::trim::{Cut, Ticks};

/// Samples that delay, length and padding may differ from the track together: a block of HE-AAC.
const TOLERANCE: u64 = 2048;

/// What the tag says of `track`, if there is one that fits it.
///
/// The padding stays, as in ffmpeg's decoding: the noted delay lacks that of spectral band replication, so a
/// cut after the noted length would hit the sound.
pub(crate) fn cut(format: &mut dyn FormatReader, track_id: u32) -> Option<Cut> {
    let (total, per_second) = format.tracks().iter().find(|track| track.id == track_id).and_then(extent)?;
    let metadata = format.metadata();
    let tags = &metadata.current()?.media.tags;
    let tag = tags.iter().find(|tag| tag.raw.key.ends_with("iTunSMPB"))?;
    let RawValue::String(text) = &tag.raw.value else { return None };
    let skip = delay(text, total)?;
    let ticks = |count| Ticks { count, per_second };
    Some(Cut { silence: Ticks::ZERO, start: ticks(skip), keep: Some(ticks(total - skip)) })
}

/// A track's length in ticks, and how many of them a second has.
fn extent(track: &Track) -> Option<(u64, u32)> {
    let base = track.time_base.filter(|base| base.numer.get() == 1)?;
    Some((track.num_frames?, base.denom.get()))
}

/// The delay, if the numbers fit a track of `total` samples.
fn delay(text: &str, total: u64) -> Option<u64> {
    let mut numbers = text.split_whitespace().map(|number| u64::from_str_radix(number, 16).ok());
    let [_, delay, padding, length] = [(); 4].map(|()| numbers.next().flatten());
    let (delay, noted) = (delay?, delay?.checked_add(padding?)?.checked_add(length?)?);
    (noted.abs_diff(total) <= TOLERANCE && delay < total).then_some(delay)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_is_taken_from_numbers_that_fit_the_track() {
        let text = " 00000000 00000800 000003BC 000000000000AC44 00000000 00000000";
        assert_eq!(delay(text, 47_104), Some(2048));
        assert_eq!(delay(text, 94_208), None, "the numbers of another track");
        assert_eq!(delay(" 00000000 00000800", 47_104), None);
        assert_eq!(delay(" 0 ffffffffffffffff 1 1", 47_104), None);
        assert_eq!(delay("", 0), None);
    }
}
