//! APE tags, at the end of a file: of Monkey's Audio, Musepack, WavPack, and of MP3 files with ReplayGain.

use std::io::{Read, Seek};

use super::chunks::part;
use super::texts::{MAX_RAW, Texts, loose};
use crate::container::bytes::Bytes;

/// Longest key, by the format.
const MAX_KEY: usize = 255;

/// Length of a tag's header and of its footer.
const FOOTER: u64 = 32;

/// Adds the texts of the APE tag that ends at `end`.
pub(super) fn read<M: Read + Seek>(bytes: &mut Bytes<'_, M>, end: u64, texts: &mut Texts) {
    let Some(footer) = end.checked_sub(FOOTER) else { return };
    if bytes.array(footer) != Some(*b"APETAGEX") {
        return;
    }
    // Size of the items and the footer; number of items.
    let (Some(size), Some(count)) = (bytes.u32_le(footer + 12), bytes.u32_le(footer + 16)) else { return };
    let Some(mut at) = end.checked_sub(size.into()) else { return };
    for _ in 0..count {
        if !texts.step() {
            return;
        }
        let (Some(len), Some(flags)) = (bytes.u32_le(at), bytes.u32_le(at + 4)) else { return };
        let key = part(bytes, at + 8, footer, MAX_KEY + 1);
        let Some(key_len) = key.iter().position(|byte| *byte == 0) else { return };
        let start = at + 8 + key_len as u64 + 1;
        at = start + u64::from(len);
        if start > footer {
            return;
        }
        // Else binary, or a link.
        let is_text = flags >> 1 & 3 == 0;
        if is_text {
            let text = part(bytes, start, at.min(footer), MAX_RAW);
            texts.add_field(&loose(&key[..key_len]), &loose(&text));
        }
    }
}
