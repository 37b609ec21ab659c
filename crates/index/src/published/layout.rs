//! The bytes of published files, as `FORMAT.md` describes them. All numbers are little-endian.

use crate::codec::ClipRecord;
use crate::types::{Clip, ClipId, ClipMeta, split_format, stored_format};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

// Vectors are used where they lie.
#[cfg(target_endian = "big")]
compile_error!("published files hold vectors in little-endian order, which this machine does not use");

/// Version of the published files. Raised by a change that older code cannot read; the store stays as it is.
pub(crate) const VERSION: u32 = 1;

/// Bytes of a clip's entry, without its strings.
pub(crate) const ENTRY_BYTES: usize = 128;

/// Bytes of a group: the rows of one clip.
pub(crate) const GROUP_BYTES: usize = 16;

/// Bytes of a row's record, without its vector.
pub(crate) const ROW_BYTES: usize = 32;

/// Rows whose codes share a checksum.
pub(crate) const CODE_BLOCK: usize = 256;

/// Parts begin at multiples of this.
pub(crate) const ALIGNMENT: u64 = 64;

/// In an entry's flags: the clip is gone.
const REMOVED: u32 = 1;

/// The number at `at`; 0 beyond the end, which no caller that has checked lengths reaches.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// As [`u64_at`].
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

/// As [`u64_at`].
pub(crate) fn f64_at(bytes: &[u8], at: usize) -> f64 {
    f64::from_bits(u64_at(bytes, at))
}

/// A clip as published, lent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClipView<'a> {
    pub(crate) id: ClipId,
    /// Sequence number of its first segment.
    pub(crate) first_seq: u64,
    /// How many segments it has.
    pub(crate) segments: u32,
    /// None: the clip is gone.
    pub(crate) meta: Option<MetaView<'a>>,
}

/// [`ClipMeta`], lent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MetaView<'a> {
    pub(crate) path: &'a str,
    pub(crate) format: &'a str,
    pub(crate) decoder: Option<&'a str>,
    pub(crate) tags: Tags<'a>,
    pub(crate) content_hash: [u8; 32],
    pub(crate) mtime_ns: i64,
    pub(crate) size: u64,
    pub(crate) duration_s: f64,
    pub(crate) indexed_unix_s: i64,
    pub(crate) sample_rate: u32,
    pub(crate) channels: u16,
}

/// Tags as published: `count` times a length (u32) and as many bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tags<'a> {
    count: u32,
    bytes: &'a [u8],
}

impl<'a> Tags<'a> {
    /// Encodes `tags` into `buffer` and lends them from there.
    pub(crate) fn of(tags: &[String], buffer: &'a mut Vec<u8>) -> Self {
        buffer.clear();
        for tag in tags {
            buffer.extend_from_slice(&(tag.len() as u32).to_le_bytes());
            buffer.extend_from_slice(tag.as_bytes());
        }
        Self { count: tags.len() as u32, bytes: buffer }
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = &'a str> {
        let mut rest = self.bytes;
        (0..self.count).map_while(move |_| {
            let (length, after) = rest.split_at_checked(4)?;
            let (tag, after) = after.split_at_checked(u32_at(length, 0) as usize)?;
            rest = after;
            std::str::from_utf8(tag).ok()
        })
    }
}

impl<'a> MetaView<'a> {
    /// Lends `meta`; its tags from `buffer`.
    pub(crate) fn of(meta: &'a ClipMeta, buffer: &'a mut Vec<u8>) -> Self {
        Self {
            path: &meta.path,
            format: &meta.format,
            decoder: meta.decoder.as_deref(),
            tags: Tags::of(&meta.tags, buffer),
            content_hash: meta.content_hash,
            mtime_ns: meta.mtime_ns,
            size: meta.size,
            duration_s: meta.duration_s,
            indexed_unix_s: meta.indexed_unix_s,
            sample_rate: meta.sample_rate,
            channels: meta.channels,
        }
    }

    pub(crate) fn to_meta(self) -> ClipMeta {
        ClipMeta {
            path: self.path.to_owned(),
            content_hash: self.content_hash,
            mtime_ns: self.mtime_ns,
            size: self.size,
            duration_s: self.duration_s,
            sample_rate: self.sample_rate,
            channels: self.channels,
            format: self.format.to_owned(),
            decoder: self.decoder.map(str::to_owned),
            tags: self.tags.iter().map(str::to_owned).collect(),
            indexed_unix_s: self.indexed_unix_s,
        }
    }
}

impl<'a> ClipView<'a> {
    /// Lends a record of the store; its tags from `buffer`.
    pub(crate) fn of(id: ClipId, record: &'a ClipRecord, buffer: &'a mut Vec<u8>) -> Self {
        let meta = Some(MetaView::of(&record.meta, buffer));
        Self { id, first_seq: record.first_seq, segments: record.segments, meta }
    }

    /// The clip; None if it is gone.
    pub(crate) fn to_clip(self) -> Option<Clip> {
        Some(Clip { id: self.id, meta: self.meta?.to_meta(), segments: self.segments })
    }

    /// Appends the entry to `entries` and its strings to `strings`.
    pub(crate) fn encode(&self, entries: &mut Vec<u8>, strings: &mut Vec<u8>) {
        let start = entries.len();
        let strings_at = strings.len();
        entries.extend_from_slice(&self.id.to_le_bytes());
        entries.extend_from_slice(&self.first_seq.to_le_bytes());
        entries.extend_from_slice(&self.segments.to_le_bytes());
        entries.extend_from_slice(&if self.meta.is_some() { 0 } else { REMOVED }.to_le_bytes());
        if let Some(meta) = &self.meta {
            entries.extend_from_slice(&meta.mtime_ns.to_le_bytes());
            entries.extend_from_slice(&meta.size.to_le_bytes());
            entries.extend_from_slice(&meta.duration_s.to_le_bytes());
            entries.extend_from_slice(&meta.indexed_unix_s.to_le_bytes());
            entries.extend_from_slice(&meta.sample_rate.to_le_bytes());
            entries.extend_from_slice(&u32::from(meta.channels).to_le_bytes());
            entries.extend_from_slice(&meta.content_hash);
            entries.extend_from_slice(&(strings_at as u64).to_le_bytes());
            let format = stored_format(meta.format, meta.decoder);
            for length in [meta.path.len(), format.len(), meta.tags.bytes.len()] {
                entries.extend_from_slice(&(length as u32).to_le_bytes());
            }
            entries.extend_from_slice(&meta.tags.count.to_le_bytes());
            strings.extend_from_slice(meta.path.as_bytes());
            strings.extend_from_slice(format.as_bytes());
            strings.extend_from_slice(meta.tags.bytes);
        }
        entries.resize(start + ENTRY_BYTES - 8, 0);
        let check = entry_check(&entries[start..], &strings[strings_at..]);
        entries.extend_from_slice(&check.to_le_bytes());
    }

    /// The entry in `entry` (`[ENTRY_BYTES]`), with its strings from `strings`; None if it is damaged.
    pub(crate) fn decode(entry: &'a [u8], strings: &'a [u8]) -> Option<Self> {
        let id = u64_at(entry, 0);
        let [path, format, tags] = [104, 108, 112].map(|at| u32_at(entry, at) as usize);
        let is_removed = u32_at(entry, 20) & REMOVED != 0;
        let length = if is_removed { 0 } else { path.checked_add(format)?.checked_add(tags)? };
        let from = if is_removed { 0 } else { usize::try_from(u64_at(entry, 96)).ok()? };
        let own = strings.get(from..from.checked_add(length)?)?;
        if entry_check(entry.get(..ENTRY_BYTES - 8)?, own) != u64_at(entry, ENTRY_BYTES - 8) {
            return None;
        }
        let (first_seq, segments) = (u64_at(entry, 8), u32_at(entry, 16));
        if is_removed {
            return Some(Self { id, first_seq, segments, meta: None });
        }
        let (path, rest) = own.split_at_checked(path)?;
        let (format, tags) = rest.split_at_checked(format)?;
        let (format, decoder) = split_format(std::str::from_utf8(format).ok()?);
        let meta = MetaView {
            path: std::str::from_utf8(path).ok()?,
            format,
            decoder,
            tags: Tags { count: u32_at(entry, 116), bytes: tags },
            content_hash: entry.get(64..96)?.try_into().ok()?,
            mtime_ns: u64_at(entry, 24) as i64,
            size: u64_at(entry, 32),
            duration_s: f64_at(entry, 40),
            indexed_unix_s: u64_at(entry, 48) as i64,
            sample_rate: u32_at(entry, 56),
            channels: u32_at(entry, 60) as u16,
        };
        Some(Self { id, first_seq, segments, meta: Some(meta) })
    }
}

fn entry_check(entry: &[u8], strings: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(entry);
    hash.update(strings);
    hash.digest()
}

/// A row's record: where its segment comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RowRecord {
    pub(crate) clip: ClipId,
    /// Which of the clip's segments.
    pub(crate) segment: u32,
    pub(crate) start_s: f64,
    pub(crate) end_s: f64,
}

impl RowRecord {
    /// The record's bytes; `vector` are those of the row's vector, which its checksum covers too.
    pub(crate) fn encode(&self, vector: &[u8]) -> [u8; ROW_BYTES] {
        let mut bytes = [0; ROW_BYTES];
        bytes[..8].copy_from_slice(&self.clip.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.segment.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.start_s.to_le_bytes());
        bytes[24..].copy_from_slice(&self.end_s.to_le_bytes());
        let check = row_check(&bytes, vector);
        bytes[12..16].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Self {
        Self {
            clip: u64_at(bytes, 0),
            segment: u32_at(bytes, 8),
            start_s: f64_at(bytes, 16),
            end_s: f64_at(bytes, 24),
        }
    }
}

/// Whether a row's record and vector are as they were written.
pub(crate) fn is_row_sound(record: &[u8], vector: &[u8]) -> bool {
    let Some(bytes) = record.first_chunk::<ROW_BYTES>() else { return false };
    let mut bytes = *bytes;
    bytes[12..16].fill(0);
    row_check(&bytes, vector) == u32_at(record, 12)
}

fn row_check(record: &[u8; ROW_BYTES], vector: &[u8]) -> u32 {
    let of_record = xxh3_64(record);
    xxhash_rust::xxh3::xxh3_64_with_seed(vector, of_record) as u32
}
