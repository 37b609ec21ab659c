//! Small files that ask for much: each ends soon, in bounded memory, or is refused with the limit that it
//! met.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use earmark_audio::{AudioError, AudioReader, ReadOptions};

use common::{flac_crc8, flac_crc16};

/// Far more than any of these takes, even on a busy machine without optimisation.
const SOON: Duration = Duration::from_secs(60);

/// Decodes to the end: samples, and the seconds of them.
fn read(bytes: Vec<u8>) -> Result<(u64, f64), AudioError> {
    let began = Instant::now();
    let read = AudioReader::from_bytes("bomb", bytes, &ReadOptions::default()).and_then(to_end);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    read
}

fn to_end(mut reader: AudioReader) -> Result<(u64, f64), AudioError> {
    let mut block = Vec::new();
    while reader.read_block(&mut block)? {}
    Ok((reader.frames_read(), reader.frames_read() as f64 / f64::from(reader.info().sample_rate)))
}

fn limit(read: Result<(u64, f64), AudioError>) -> &'static str {
    match read {
        Err(AudioError::OverLimit { what, .. }) => what,
        other => panic!("{other:?}"),
    }
}

/// A FLAC file of digital silence: `blocks` of 65,535 frames in some ten bytes each.
fn flac(rate: u32, channels: u8, blocks: u32) -> Vec<u8> {
    let mut file = b"fLaC\x80\0\0\x22\xff\xff\xff\xff\0\0\0\0\0\0".to_vec();
    let frames = u64::from(blocks) * 65_535;
    let facts = u64::from(rate) << 44 | u64::from(channels - 1) << 41 | 15 << 36 | frames;
    file.extend(facts.to_be_bytes());
    file.extend([0; 16]);
    for number in 0..blocks {
        let mut frame = vec![0xff, 0xf8, 0x7e, (channels - 1) << 4 | 8];
        // As UTF-8 of three bytes, whatever it is.
        frame.extend([
            0xe0 | (number >> 12) as u8,
            0x80 | (number >> 6 & 63) as u8,
            0x80 | (number & 63) as u8,
        ]);
        frame.extend(65_534_u16.to_be_bytes());
        frame.extend(((rate / 10) as u16).to_be_bytes());
        frame.push(flac_crc8(&frame));
        frame.extend([0, 0, 0].repeat(channels.into()));
        frame.extend(flac_crc16(&frame).to_be_bytes());
        file.extend(frame);
    }
    file
}

/// An Ogg page with as many packets, all alike.
fn page(number: u32, flags: u8, granule: u64, packet: &[u8], count: usize) -> Vec<u8> {
    let mut page = b"OggS\0".to_vec();
    page.push(flags);
    page.extend(granule.to_le_bytes());
    page.extend([7, 0, 0, 0]);
    page.extend(number.to_le_bytes());
    page.extend([0; 4]);
    page.push(count as u8);
    page.extend(vec![packet.len() as u8; count]);
    page.extend(packet.repeat(count));
    let bit = |crc: u32, _| crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 };
    let crc = page.iter().fold(0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte) << 24, bit));
    page[22..26].copy_from_slice(&u32::to_le_bytes(crc));
    page
}

/// An Opus file of `count` packets that last `frames` each.
fn opus(packet: &[u8], frames: u64, count: u64) -> Vec<u8> {
    let mut file = page(0, 2, 0, b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0", 1);
    file.extend(page(1, 0, 0, b"OpusTags\0\0\0\0\0\0\0\0", 1));
    let mut done = 0;
    while done < count {
        let now = (count - done).min(255);
        done += now;
        let flags = if done == count { 4 } else { 0 };
        file.extend(page(2 + (done / 255) as u32, flags, done * frames, packet, now as usize));
    }
    file
}

#[test]
fn hours_of_silence_in_few_bytes_of_flac_are_refused() {
    let file = flac(16_000, 1, 7031);
    assert!(file.len() < 130_000);
    assert_eq!(limit(read(file)), "samples a byte");
}

#[test]
fn a_high_rate_of_many_channels_in_few_bytes_is_refused() {
    let file = flac(655_350, 8, 2000);
    assert!(file.len() < 100_000);
    assert_eq!(limit(read(file)), "samples a byte");
    // So little of it is free.
    assert_eq!(read(flac(655_350, 8, 20)).unwrap().0, 20 * 65_535);
}

#[test]
fn hours_of_silence_in_packets_of_opus_of_one_byte_end() {
    // Two frames of 60 ms without a byte; 1.6 hours in 100 KB.
    let (_, seconds) = read(opus(&[3 << 3 | 1], 5760, 24_000)).unwrap();
    assert!((2870.0..2890.0).contains(&seconds), "{seconds}");
}

#[test]
fn very_many_tiny_packets_end() {
    // Frames of 2.5 ms in a byte each.
    let (samples, _) = read(opus(&[28 << 3], 120, 200_000)).unwrap();
    assert!((23_990_000..24_000_000).contains(&samples), "{samples}");
    // Packets that give nothing.
    assert!(read(opus(&[], 0, 200_000)).is_err());
}

#[test]
fn pages_of_ogg_that_overlap_are_not_summed_up_for_ever() {
    let mut file = page(0, 2, 0, b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0", 1);
    file.extend(b"OggS\0".repeat(1_000_000));
    assert!(read(file).is_err());
}

#[test]
fn streams_that_end_again_and_again_are_not_looked_for_to_the_end_each_time() {
    // All kinds of ADTS streams, three frames each, and much behind them.
    let mut file = Vec::new();
    for kind in 0..832_u32 {
        let (rate, channels, profile) = (kind % 13, kind / 13 % 8, kind / 104 % 4);
        let second = 0xf1 | ((kind / 416) << 3) as u8;
        let third = (profile << 6 | rate << 2 | channels >> 2) as u8;
        let frame = [0xff, second, third, (channels << 6) as u8, 1, 0x5f, 0xfc, 0, 0, 0];
        file.extend(frame.repeat(3));
        file.extend([0; 5]);
    }
    file.resize(20_000_000, 0);
    // Sound or not, it ends.
    let _ = read(file);
}

#[test]
fn flac_metadata_without_end_is_refused() {
    let mut file = flac(16_000, 1, 1);
    file[4] = 0;
    file.splice(42..42, vec![4; 1].into_iter().chain([0; 3]).cycle().take(8_000_000));
    let AudioError::Malformed { expected, .. } = read(file).unwrap_err() else { panic!() };
    assert!(expected.contains("blocks of FLAC metadata"), "{expected}");
}

#[test]
fn pictures_and_tags_of_flac_do_not_hide_its_sound() {
    let mut file = flac(16_000, 1, 1);
    file[4] = 0;
    // Padding, then a picture that is none, which is the last block.
    file.splice(42..42, [&[1, 0, 0, 4, 0, 0, 0, 0][..], &[0x86, 0, 0, 3, 1, 2, 3]].concat());
    assert_eq!(read(file).unwrap().0, 65_535);
}

#[test]
fn a_chain_of_very_many_sample_rates_is_refused() {
    let link = |rate: u32| {
        let file = flac(rate, 1, 1);
        let first = [&b"\x7fFLAC\x01\0\0\x01fLaC\0\0\0\x22"[..], &file[8..42]].concat();
        let comment = b"\x84\0\0\x08\0\0\0\0\0\0\0\0";
        [page(0, 2, 0, &first, 1), page(1, 0, 0, comment, 1), page(2, 4, 65_535, &file[42..], 1)].concat()
    };
    let chain = |rates: u32| (0..rates).flat_map(|number| link(16_000 + 1000 * number)).collect::<Vec<u8>>();
    assert!(read(chain(16)).unwrap().0 > 15 * 16_000);
    assert_eq!(limit(read(chain(17))), "sample rates in one file");
}

/// A file with a hole of 300 MB between two parts, which takes no room on disk.
fn with_hole(path: &Path, before: &[u8], after: &[u8]) {
    let mut file = File::create(path).unwrap();
    file.write_all(before).unwrap();
    file.seek(SeekFrom::Current(HOLE as i64)).unwrap();
    file.write_all(after).unwrap();
}

const HOLE: u64 = 300_000_000;

fn element(id: &[u8], content: &[u8]) -> Vec<u8> {
    [id, &(1_u64 << 56 | content.len() as u64).to_be_bytes(), content].concat()
}

fn open_element(id: &[u8], len: u64) -> Vec<u8> {
    [id, &(1_u64 << 56 | len).to_be_bytes()].concat()
}

#[test]
fn headers_and_packets_that_fill_the_memory_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large.webm");
    let head = b"OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0";
    let fields = [
        element(b"\xd7", &[1]),
        element(b"\x73\xc5", &[1]),
        element(b"\x83", &[2]),
        element(b"\x86", b"A_OPUS"),
        element(b"\x63\xa2", head),
        element(b"\xe1", &[element(b"\xb5", &48_000_f64.to_be_bytes()), element(b"\x9f", &[1])].concat()),
    ];
    let tracks = element(b"\x16\x54\xae\x6b", &element(b"\xae", &fields.concat()));
    let info = [
        element(b"\x2a\xd7\xb1", &1_000_000_u32.to_be_bytes()),
        element(b"\x4d\x80", b"x"),
        element(b"\x57\x41", b"x"),
    ];
    let info = element(b"\x15\x49\xa9\x66", &info.concat());
    let ebml = element(b"\x1a\x45\xdf\xa3", &element(b"\x42\x82", b"webm"));
    let first = [element(b"\xe7", &[0]), element(b"\xa3", &[0x81, 0, 0, 0x80, 28 << 3])].concat();
    let cluster = element(b"\x1f\x43\xb6\x75", &first);
    let segment = |len: usize| open_element(b"\x18\x53\x80\x67", len as u64 + HOLE);
    let open = |path: &Path| limit(AudioReader::open(path, &ReadOptions::default()).and_then(to_end));

    // A packet.
    let block = [&open_element(b"\xa3", HOLE + 4), &[0x81, 0, 0, 0x80][..]].concat();
    let large =
        [open_element(b"\x1f\x43\xb6\x75", (first.len() + block.len()) as u64 + HOLE), first, block].concat();
    let body = [&info[..], &tracks, &large].concat();
    with_hole(&path, &[&ebml[..], &segment(body.len()), &body].concat(), b"");
    File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len((ebml.len() + 12 + body.len()) as u64 + HOLE)
        .unwrap();
    assert_eq!(open(&path), "bytes without sound");

    // A tag.
    let name = element(b"\x45\xa3", b"TITLE");
    let text = open_element(b"\x44\x87", HOLE);
    let simple = [open_element(b"\x67\xc8", (name.len() + text.len()) as u64 + HOLE), name, text].concat();
    let tag = [open_element(b"\x73\x73", simple.len() as u64 + HOLE), simple].concat();
    let tags = [open_element(b"\x12\x54\xc3\x67", tag.len() as u64 + HOLE), tag].concat();
    let before = [&info[..], &tags].concat();
    let after = [tracks, cluster].concat();
    with_hole(&path, &[&ebml[..], &segment(before.len() + after.len()), &before].concat(), &after);
    assert_eq!(open(&path), "bytes without sound");
}

/// An MP4 box.
fn atom(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32 + 8).to_be_bytes()[..], kind, content].concat()
}

fn numbers(all: &[u32]) -> Vec<u8> {
    all.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A QuickTime file whose samples `kind` and `fields` (frames and bytes of a packet, bytes of a block)
/// describe, with two chunks in its table for each of which there are `samples`.
fn quicktime(kind: &[u8; 4], fields: [u32; 3], samples: u32) -> Vec<u8> {
    let mut entry = vec![0; 6];
    entry.extend([0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 16, 0, 0, 0, 0]);
    entry.extend(numbers(&[16_000 << 16]));
    entry.extend(numbers(&fields));
    entry.extend([0; 4]);
    let tables = [
        atom(b"stsd", &[numbers(&[0, 1]), atom(kind, &entry)].concat()),
        atom(b"stts", &numbers(&[0, 1, samples, 1])),
        atom(b"stsc", &numbers(&[0, 1, 1, samples, 1])),
        atom(b"stsz", &numbers(&[0, 1, samples])),
        atom(b"stco", &numbers(&[0, 2, 24, 24])),
    ];
    let media = [
        atom(b"mdhd", &numbers(&[0, 0, 0, 16_000, samples, 0])),
        atom(b"hdlr", &[&[0; 8][..], b"soun", &[0; 13]].concat()),
        atom(b"minf", &[atom(b"smhd", &[0; 8]), atom(b"stbl", &tables.concat())].concat()),
    ];
    let track = [
        atom(b"tkhd", &[numbers(&[1, 0, 0, 1, 0, samples]), vec![0; 60]].concat()),
        atom(b"mdia", &media.concat()),
    ];
    let movie = [
        atom(b"mvhd", &[numbers(&[0, 0, 0, 16_000, samples]), vec![0; 80]].concat()),
        atom(b"trak", &track.concat()),
    ];
    [atom(b"ftyp", b"qt  \0\0\0\0"), atom(b"mdat", &[1; 4000]), atom(b"moov", &movie.concat())].concat()
}

#[test]
fn absurd_sizes_of_samples_are_refused_without_a_panic() {
    assert!(read(quicktime(b"sowt", [1, 2, 2], 100)).is_ok(), "the file is sound but for its numbers");
    let many = u32::MAX;
    for (kind, fields, samples) in [
        (b"sowt", [1, many, many], 100),
        (b"ms\0\x11", [many, many, many], 100),
        (b"ms\0\x11", [many, many, 64], 100),
        (b"ms\0\x02", [1, 1, many], many),
    ] {
        let error = read(quicktime(kind, fields, samples)).unwrap_err().to_string();
        assert!(!error.contains("panics"), "{kind:?} {fields:?}: {error}");
    }
    // CAF: rate, format, flags, bytes and frames of a packet, channels, bits.
    for (kind, channels) in [(b"lpcm", many), (b"lpcm", 1), (b"ima4", many), (b"alaw", many)] {
        let mut file = b"caff\0\x01\0\0desc\0\0\0\0\0\0\0\x20".to_vec();
        file.extend(16_000_f64.to_be_bytes());
        file.extend(kind);
        file.extend(numbers(&[0, 7, many, channels, many]));
        file.extend(b"data\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0");
        file.extend([1; 4000]);
        let error = read(file).unwrap_err().to_string();
        assert!(!error.contains("panics"), "{kind:?}: {error}");
    }
}
