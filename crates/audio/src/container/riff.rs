//! Headers of WAV and its relatives: RIFX (big-endian), RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088: lengths
//! of 64 bits in a `ds64` chunk) and Sony's W64 (GUIDs for names).
//!
//! What is believed of a header is the `fmt ` chunk and where the samples start. Lengths are checked against
//! the file: recorders that lose power, programs that write to a pipe and plain bugs leave lengths of zero,
//! of nearly 2^32, a few bytes off, or modulo 2^32.

use std::io::{Read, Seek};

use symphonia::core::codecs::audio::well_known::{CODEC_ID_ADPCM_IMA_WAV, CODEC_ID_ADPCM_MS};

use super::bytes::Bytes;
use super::pcm::{Coding, Pcm};
use super::{Found, FoundWav, Inner};

/// Chunks looked at before giving up.
const MAX_CHUNKS: usize = 4096;

/// How far behind a broken chunk another is looked for.
const SEARCHED_BYTES: usize = 1 << 20;

/// Places looked at for a chunk behind a broken one.
const MAX_CANDIDATES: usize = 64;

/// Names of chunks, in upper case: Microsoft's RIFF, EBU Tech 3285, ITU-R BS.2088, and what programs add.
const KNOWN: &[&[u8; 4]] = &[
    b"FMT ", b"DATA", b"FACT", b"LIST", b"CUE ", b"PLST", b"SMPL", b"INST", b"DISP", b"JUNK", b"PAD ",
    b"FLLR", b"BEXT", b"IXML", b"AXML", b"CHNA", b"UBXT", b"LINK", b"LEVL", b"MEXT", b"QLTY", b"CART",
    b"ID3 ", b"TAG ", b"_PMX", b"XMP ", b"ACID", b"STRC", b"PEAK", b"UMID", b"MD5 ", b"AFSP", b"LGWV",
    b"GUAN", b"WAMD", b"ANBT", b"MINF", b"ELM1", b"REGN", b"OVWF", b"TRKN", b"R64M", b"DBMD", b"SAUR",
    b"CLM ", b"RESU", b"ORCH", b"BIFF",
];

/// The length of the samples may be wrong by so many bytes where a chunk with a known name follows.
const SLIGHTLY: u64 = 16;

/// A length from here on is what a writer that cannot seek back leaves.
const PLACEHOLDER: u64 = 0x7fff_0000;

/// The end of the GUID of a `WAVE_FORMAT_EXTENSIBLE` subformat, whose start is the format's tag
/// (`KSDATAFORMAT_SUBTYPE_*`).
pub(crate) const SUBTYPE: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];

/// The same for ambisonic B-format (`SUBTYPE_AMBISONIC_B_FORMAT_*`).
const AMBISONIC: [u8; 14] = [0, 0, 0x21, 0x07, 0xd3, 0x11, 0x86, 0x44, 0xc8, 0xc1, 0xca, 0, 0, 0];

/// How the GUIDs of W64's chunks end; that of the file itself ends otherwise.
const W64_CHUNK: [u8; 12] = [0xf3, 0xac, 0xd3, 0x11, 0x8c, 0xd1, 0x00, 0xc0, 0x4f, 0x8e, 0xdb, 0x8a];
const W64_RIFF: [u8; 16] = *b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00";

/// How chunks are written.
#[derive(Clone, Copy)]
struct Dialect {
    format: &'static str,
    big_endian: bool,
    w64: bool,
    /// Where the first chunk is.
    first: u64,
}

/// Reads the header of a file that starts like one of this family.
pub(super) fn read<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>) -> Option<FoundWav> {
    let head: [u8; 40] = bytes.array(0).or_else(|| {
        let mut short = [0; 40];
        short[..12].copy_from_slice(&bytes.array::<12>(0)?);
        Some(short)
    })?;
    let is_wave = &head[8..12] == b"WAVE";
    let dialect = |format, big_endian| Dialect { format, big_endian, w64: false, first: 12 };
    let dialect = match &head[..4] {
        b"RIFF" if is_wave => dialect("wav", false),
        b"RIFX" if is_wave => dialect("wav", true),
        b"RF64" | b"BW64" if is_wave => dialect("rf64", false),
        _ if head[..16] == W64_RIFF => Dialect { format: "w64", big_endian: false, w64: true, first: 40 },
        _ => return None,
    };
    Some(read_chunks(bytes, dialect))
}

struct Chunk {
    id: [u8; 4],
    /// Where its content is.
    start: u64,
    /// Length of its content by its header.
    len: u64,
}

impl Dialect {
    fn chunk<M: Read + Seek + ?Sized>(self, bytes: &mut Bytes<'_, M>, at: u64) -> Option<Chunk> {
        if self.w64 {
            let [a, b, c, d, rest @ ..] = bytes.array::<16>(at)?;
            let len = bytes.u64_le(at + 16)?.checked_sub(24)?;
            return (rest == W64_CHUNK).then_some(Chunk { id: [a, b, c, d], start: at + 24, len });
        }
        let id: [u8; 4] = bytes.array(at)?;
        let len = if self.big_endian { bytes.u32_be(at + 4)? } else { bytes.u32_le(at + 4)? };
        let is_name = id.iter().all(|byte| matches!(byte, b' '..=b'~'));
        is_name.then_some(Chunk { id, start: at + 8, len: len.into() })
    }

    /// Where the chunk after `chunk` is: on an even place (W64: on a multiple of 8), but some writers forget.
    fn after<M: Read + Seek + ?Sized>(self, bytes: &mut Bytes<'_, M>, chunk: &Chunk) -> Option<u64> {
        let end = chunk.start.checked_add(chunk.len)?;
        let padded = end.checked_next_multiple_of(if self.w64 { 8 } else { 2 })?;
        if padded == end || padded >= bytes.len() || self.chunk(bytes, padded).is_some() {
            return Some(padded);
        }
        Some(if self.chunk(bytes, end).is_some() { end } else { padded })
    }

    /// Whether the rest of the file is chunks, one after the other.
    fn is_chunks<M: Read + Seek + ?Sized>(self, bytes: &mut Bytes<'_, M>, mut at: u64) -> bool {
        for _ in 0..MAX_CHUNKS {
            // Less than a header is padding.
            if at + 8 > bytes.len() {
                return true;
            }
            let Some(chunk) = self.chunk(bytes, at) else { return false };
            if chunk.start.saturating_add(chunk.len) > bytes.len() {
                return false;
            }
            let Some(next) = self.after(bytes, &chunk) else { return false };
            at = next;
        }
        true
    }

    /// Where a chunk with a known name starts, at the end of `chunk` or a few bytes before or behind, but within it
    /// or after it.
    fn near_chunk<M: Read + Seek + ?Sized>(self, bytes: &mut Bytes<'_, M>, chunk: &Chunk) -> Option<u64> {
        let end = chunk.start.checked_add(chunk.len)?;
        let near = end.saturating_sub(SLIGHTLY).max(chunk.start)..=end.saturating_add(SLIGHTLY);
        near.into_iter().find(|at| self.chunk(bytes, *at).is_some_and(|chunk| chunk.is_known()))
    }

    /// Where the chunk `name` is next, from `at` on: behind a chunk whose length is wrong. Texts may hold its
    /// name, too, so of all places the one whose length fits the file best is taken.
    fn find<M: Read + Seek + ?Sized>(self, bytes: &mut Bytes<'_, M>, at: u64, name: &[u8; 4]) -> Option<u64> {
        let near = bytes.vec(at, SEARCHED_BYTES);
        let places = near.windows(4).enumerate().filter(|(_, window)| window == name);
        let places = places.map(|(place, _)| at + place as u64).take(MAX_CANDIDATES);
        // The first of the best.
        places.min_by_key(|place| self.doubt(bytes, *place))
    }

    /// How unlikely it is that a chunk is at `at`.
    fn doubt<M: Read + Seek + ?Sized>(self, bytes: &mut Bytes<'_, M>, at: u64) -> u8 {
        let Some(chunk) = self.chunk(bytes, at) else { return u8::MAX };
        let end = chunk.start.saturating_add(chunk.len);
        if end <= bytes.len() {
            let is_followed = chunk.len > 0
                && self.after(bytes, &chunk).is_some_and(|after| {
                    after >= bytes.len() || self.chunk(bytes, after).is_some_and(|next| next.is_known())
                });
            return if is_followed { 0 } else { 1 };
        }
        let is_text =
            bytes.array::<4>(at + 4).is_some_and(|len| len.iter().all(|byte| matches!(byte, b' '..=b'~')));
        match chunk.len {
            PLACEHOLDER.. => 1,
            _ if is_text => 3,
            // Cut off.
            _ => 2,
        }
    }
}

impl Chunk {
    /// Whether its name is one that follows samples in real files.
    fn is_known(&self) -> bool {
        let mut upper = self.id;
        upper.make_ascii_uppercase();
        KNOWN.contains(&&upper)
    }
}

fn read_chunks<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, dialect: Dialect) -> FoundWav {
    let mut at = dialect.first;
    let mut format: Option<Vec<u8>> = None;
    let (mut long_data, mut samples) = (None, None);
    for _ in 0..MAX_CHUNKS {
        let chunk = dialect.chunk(bytes, at).filter(|chunk| {
            &chunk.id == b"data" || chunk.start.checked_add(chunk.len).is_some_and(|end| end <= bytes.len())
        });
        let Some(chunk) = chunk else {
            // A chunk with a wrong length, or none at all: go on at the next that is needed.
            let name = if format.is_none() { b"fmt " } else { b"data" };
            match dialect.find(bytes, at.saturating_add(1), name) {
                Some(next) => {
                    at = next;
                    continue;
                }
                None => break,
            }
        };
        match &chunk.id {
            b"fmt " => format = Some(bytes.vec(chunk.start, chunk.len.min(1 << 12) as usize)),
            // RIFF size, data size, sample count.
            b"ds64" => {
                long_data = bytes.u64_le(chunk.start + 8);
                samples = bytes.u64_le(chunk.start + 16);
            }
            b"fact" if samples.is_none() => {
                samples = if dialect.w64 {
                    bytes.u64_le(chunk.start)
                } else if dialect.big_endian {
                    bytes.u32_be(chunk.start).map(u64::from)
                } else {
                    bytes.u32_le(chunk.start).map(u64::from)
                };
            }
            b"data" => {
                // Some writers put `fmt ` last; then it must come behind this.
                if format.is_none() {
                    let end = dialect.after(bytes, &chunk);
                    let late = end.and_then(|end| {
                        let next = dialect.chunk(bytes, end).filter(|next| &next.id == b"fmt ")?;
                        Some(bytes.vec(next.start, next.len.min(1 << 12) as usize))
                    });
                    format = late;
                }
                let Some(format) = format else { return bad("a `fmt ` chunk before the samples", "none") };
                let long = long_data.filter(|_| chunk.len >= 0xffff_0000 || chunk.len == 0);
                let data = data(bytes, dialect, &Chunk { len: long.unwrap_or(chunk.len), ..chunk });
                return describe(&format, dialect, data, samples);
            }
            _ => {}
        }
        match dialect.after(bytes, &chunk) {
            Some(next) => at = next,
            None => break,
        }
    }
    match format {
        Some(_) => bad("a `data` chunk with samples", "none"),
        None => bad("a `fmt ` chunk", "none"),
    }
}

/// Where the samples are, and how many bytes the header says they are.
#[derive(Clone, Copy)]
struct Data {
    start: u64,
    len: u64,
    declared: Option<u64>,
    /// What the header says, if it is less than `len`.
    counted: Option<u64>,
}

/// The length of the samples, from what the header says and what the file holds.
fn data<M: Read + Seek + ?Sized>(bytes: &mut Bytes<'_, M>, dialect: Dialect, chunk: &Chunk) -> Data {
    let there = bytes.len().saturating_sub(chunk.start);
    let open = Data { start: chunk.start, len: there, declared: None, counted: None };
    let declared = Data { len: chunk.len.min(there), declared: Some(chunk.len), ..open };
    if chunk.len >= there {
        let is_placeholder = chunk.len > there && chunk.len >= PLACEHOLDER;
        return if is_placeholder { open } else { declared };
    }
    let Some(after) = dialect.after(bytes, chunk) else { return open };
    if dialect.is_chunks(bytes, after) {
        return declared;
    }
    let rest = there - chunk.len;
    // Never closed.
    if chunk.len == 0 {
        return open;
    }
    // Metadata that is broken or cut off itself.
    if let Some(end) = dialect.near_chunk(bytes, chunk) {
        return Data { len: chunk.len.min(end - chunk.start), ..declared };
    }
    // What follows is no chunk: padding, a tag of another format, or samples that a stale header does not
    // count, or one by a program that counts modulo 2^32. Samples it is if there are more of them than the
    // header counts.
    if rest > chunk.len || rest >= 1 << 32 { Data { counted: Some(chunk.len), ..open } } else { declared }
}

fn describe(format: &[u8], dialect: Dialect, data: Data, samples: Option<u64>) -> FoundWav {
    let u16_at = |at: usize| {
        let pair = format.get(at..at + 2).map_or([0, 0], |pair| [pair[0], pair[1]]);
        if dialect.big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    };
    if format.len() < 14 {
        return bad("a `fmt ` chunk of at least 14 bytes", format!("{} bytes", format.len()));
    }
    let mut tag = u16_at(0);
    let (channels, block_align) = (u16_at(2), u16_at(12));
    let rate = [u16_at(4), u16_at(6)];
    let sample_rate = if dialect.big_endian {
        u32::from(rate[0]) << 16 | u32::from(rate[1])
    } else {
        u32::from(rate[1]) << 16 | u32::from(rate[0])
    };
    let mut bits = u16_at(14);
    if tag == 0xfffe {
        let guid = format.get(24..40).unwrap_or_default();
        if !(guid.ends_with(&SUBTYPE) || guid.ends_with(&AMBISONIC)) {
            return unknown(format!("a WAV subformat of GUID {}", hex(guid)));
        }
        tag = u16_at(24);
        let valid = u16_at(18);
        if (1..=bits).contains(&valid) {
            bits = valid;
        }
    }
    let needed = u32::from(bits.div_ceil(8)).max(1);
    let channels_32 = u32::from(channels.max(1));
    let given = u32::from(block_align) / channels_32;
    // Blocks may be wider than the samples; ones that are narrower are a mistake.
    let is_sound = u32::from(block_align) % channels_32 == 0 && given >= needed && given <= 8;
    let sample_bytes = if is_sound { given } else { needed };
    let pcm = |coding, block_bytes: u32, block_frames: u32, bits: u16| Pcm {
        format: dialect.format,
        coding,
        big_endian: dialect.big_endian,
        sample_rate,
        channels,
        bits,
        block_bytes,
        block_frames,
        start: data.start,
        len: data.len,
        declared: data.declared,
        counted: data.counted,
        // Of PCM, the bytes say it better.
        frames: samples.filter(|samples| block_frames > 1 && *samples > 0),
    };
    let wide = |coding, bits| pcm(coding, sample_bytes * channels_32, 1, bits);
    let whole = |pcm| FoundWav::Whole(Found::Pcm(pcm));
    let inner = |kind| FoundWav::Inner { kind, start: data.start, end: data.start + data.len };
    match tag {
        1 if sample_bytes == 1 => whole(wide(Coding::Unsigned8, 8)),
        1 => whole(wide(Coding::Int, if bits == 0 { (sample_bytes * 8) as u16 } else { bits })),
        3 => whole(wide(Coding::Float, (sample_bytes * 8) as u16)),
        6 => whole(pcm(Coding::ALaw, channels_32, 1, 8)),
        7 => whole(pcm(Coding::MuLaw, channels_32, 1, 8)),
        2 | 0x11 if channels > 0 => {
            // The chunk's extension says how many frames a block has; else its size does.
            let block = u32::from(block_align);
            let (id, header, extra) =
                if tag == 2 { (CODEC_ID_ADPCM_MS, 7, 2) } else { (CODEC_ID_ADPCM_IMA_WAV, 4, 1) };
            let coded = block.saturating_sub(header * channels_32) * 8 / (4 * channels_32) + extra;
            let frames = if block > header * channels_32 { coded } else { 0 };
            whole(pcm(Coding::Adpcm(id), block, frames, 4))
        }
        0x50 | 0x55 => inner(Inner::Mpeg),
        0xff | 0x1600 | 0x1610 => inner(Inner::Adts),
        0x566f | 0x6750 | 0x674f | 0x6751 | 0x6770 | 0x6771 | 0x676f => inner(Inner::Ogg),
        _ => unknown(codec_name(tag)),
    }
}

/// Names of codecs by their number in WAV, from Microsoft's `mmreg.h`.
pub(super) fn codec_name(tag: u16) -> String {
    let name = match tag {
        0x0001 | 0x0003 => "PCM in this form",
        0x0002 => "Microsoft ADPCM",
        0x0006 => "A-law",
        0x0007 => "µ-law",
        0x0011 => "IMA ADPCM",
        0x0020 => "Yamaha ADPCM",
        0x0031 => "GSM 6.10",
        0x0042 => "G.723.1",
        0x0040 => "G.721 ADPCM",
        0x0045 => "G.726 ADPCM",
        0x0061 => "Duck DK4 ADPCM",
        0x0062 => "Duck DK3 ADPCM",
        0x0092 => "AC-3 (S/PDIF)",
        0x0160 => "WMA 1",
        0x0161 => "WMA 2",
        0x0162 => "WMA Pro",
        0x0163 => "WMA Lossless",
        0x0200 => "Creative ADPCM",
        0x028f | 0x0065 => "G.722 ADPCM",
        0x0270 => "ATRAC3",
        0x2000 => "AC-3",
        0x2001 => "DTS",
        0x566f => "Vorbis",
        0x5346 => "Flash ADPCM",
        0xa109 => "Speex",
        0xf1ac => "FLAC in WAV",
        _ => return format!("WAV codec 0x{tag:04x}"),
    };
    name.to_owned()
}

fn unknown(codec: String) -> FoundWav {
    FoundWav::Whole(Found::Unknown { codec })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bad(expected: &str, received: impl Into<String>) -> FoundWav {
    FoundWav::Whole(Found::Bad { expected: expected.to_owned(), received: received.into() })
}
