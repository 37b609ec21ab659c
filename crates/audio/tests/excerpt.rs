//! Excerpts hold the source's samples, bit for bit where it has them uncompressed or without loss.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::Cursor;
use std::ops::Range;
use std::path::{Path, PathBuf};

use common::{flac_crc8, flac_crc16};
use earmark_audio::{AudioError, AudioReader, Excerpt, ExcerptError, ReadOptions, excerpt};
use tempfile::TempDir;

const RATE: u32 = 16_000;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/audio").join(name)
}

/// A WAV file, taken apart.
#[derive(Debug, PartialEq)]
struct Wav {
    tag: u16,
    channels: u16,
    rate: u32,
    container_bits: u16,
    bits: u16,
    data: Vec<u8>,
}

fn chunk<'a>(file: &'a [u8], name: &[u8; 4]) -> &'a [u8] {
    let mut at = 12;
    loop {
        let len = u32::from_le_bytes(file[at + 4..at + 8].try_into().unwrap()) as usize;
        if &file[at..at + 4] == name {
            return &file[at + 8..at + 8 + len];
        }
        at += 8 + len + len % 2;
    }
}

fn parse(file: &[u8]) -> Wav {
    assert_eq!((&file[..4], &file[8..12]), (b"RIFF".as_slice(), b"WAVE".as_slice()));
    assert_eq!(u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize, file.len() - 8);
    let fmt = chunk(file, b"fmt ");
    let u16_at = |at: usize| u16::from_le_bytes([fmt[at], fmt[at + 1]]);
    let is_extensible = u16_at(0) == 0xfffe;
    Wav {
        tag: if is_extensible { u16_at(24) } else { u16_at(0) },
        channels: u16_at(2),
        rate: u32::from_le_bytes(fmt[4..8].try_into().unwrap()),
        container_bits: u16_at(14),
        bits: if is_extensible { u16_at(18) } else { u16_at(14) },
        data: chunk(file, b"data").to_vec(),
    }
}

fn cut(path: &Path, stretch: Range<f64>) -> Result<(Wav, Excerpt), ExcerptError> {
    let mut out = Cursor::new(Vec::new());
    let excerpt = excerpt(path, stretch, &ReadOptions::default(), &mut out)?;
    Ok((parse(out.get_ref()), excerpt))
}

/// A WAV file with another chunk, of an odd length, before the samples.
fn wav(tag: u16, channels: u16, bits: u16, data: &[u8]) -> Vec<u8> {
    let block = channels * bits / 8;
    let mut body = b"WAVELIST\x05\0\0\0INFO!\0fmt \x10\0\0\0".to_vec();
    body.extend([tag, channels].map(u16::to_le_bytes).concat());
    body.extend([RATE, RATE * u32::from(block)].map(u32::to_le_bytes).concat());
    body.extend([block, bits].map(u16::to_le_bytes).concat());
    body.extend(b"data");
    body.extend((data.len() as u32).to_le_bytes());
    body.extend(data);
    [b"RIFF".as_slice(), &(body.len() as u32).to_le_bytes(), &body].concat()
}

/// Bytes that look random, every combination among them.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 7_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| byte()).collect()
}

fn write(dir: &TempDir, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn samples_of_a_wav_file_come_out_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    // Tag and bits: integers, floats (NaNs and infinities among them), A-law, µ-law.
    for (tag, bits) in [(1, 8), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64), (6, 8), (7, 8)] {
        for channels in [1, 2, 6] {
            let block = usize::from(channels * bits / 8);
            let data = noise(RATE as usize * block);
            let path = write(&dir, "source.wav", &wav(tag, channels, bits, &data));
            let (cut, excerpt) = cut(&path, 0.25..0.5).unwrap();
            let data = data[4000 * block..8000 * block].to_vec();
            let expected = Wav { tag, channels, rate: RATE, container_bits: bits, bits, data };
            assert!(cut == expected, "tag {tag}, {bits} bits, {channels} channels");
            assert_eq!(excerpt, Excerpt { start_s: 0.25, end_s: 0.5, frames: 4000 });
        }
    }
}

#[test]
fn what_lies_outside_the_file_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let data = noise(RATE as usize * 3);
    let path = write(&dir, "source.wav", &wav(1, 1, 24, &data));
    let (all, excerpt) = cut(&path, -3.0..f64::INFINITY).unwrap();
    assert_eq!((all.data.len(), excerpt.start_s, excerpt.end_s), (data.len(), 0.0, 1.0));
    for name in ["source.wav", "flac_s24.flac"] {
        let path = if name == "source.wav" { path.clone() } else { fixture(name) };
        let nothing = cut(&path, 7.0..8.0);
        assert!(
            matches!(nothing, Err(ExcerptError::Read(AudioError::OutOfRange { start_s: 7.0, .. }))),
            "{nothing:?}"
        );
    }
}

#[test]
fn samples_of_other_files_come_out_as_wav_stores_them() {
    let reversed = |data: &[u8], width: usize| -> Vec<u8> {
        data.chunks_exact(width).flat_map(|sample| sample.iter().rev().copied()).collect()
    };
    let whole = |name: &str| cut(&fixture(name), 0.0..9.0).unwrap().0;
    // All of these are made from the 24-bit samples of one WAV file.
    let s24 = whole("wav_s24.wav");
    assert_eq!(s24.data, chunk(&fs::read(fixture("wav_s24.wav")).unwrap(), b"data"));
    for name in ["aiff_s24.aiff", "flac_s24.flac"] {
        assert!(whole(name) == s24, "{name}");
    }
    let s16 = whole("aifc_sowt.aifc");
    assert_eq!((s16.tag, s16.bits, s16.data.len()), (1, 16, 16_000));
    let aiff = fs::read(fixture("aiff_s16.aiff")).unwrap();
    let stored = reversed(&s16.data, 2);
    assert!(aiff.windows(stored.len()).any(|window| window == stored));
    for name in ["aiff_s16.aiff", "caf_s16.caf", "flac.oga", "flac.mp4", "flac.mka", "alac.m4a", "alac.caf"] {
        assert!(whole(name) == s16, "{name}");
    }
    for name in ["aifc_fl32.aifc", "caf_f32.caf"] {
        let float = whole(name);
        assert_eq!((float.tag, float.bits), (3, 32), "{name}");
        let ints = s24.data.chunks_exact(3).map(|s| i32::from_le_bytes([0, s[0], s[1], s[2]]) >> 8);
        let floats: Vec<u8> = ints.flat_map(|s| (s as f32 / 8_388_608.0).to_le_bytes()).collect();
        assert!(float.data == floats, "{name}");
    }
}

/// A FLAC file with samples as they are, in frames of 4096.
fn flac(channels: u8, bits: u8, frames: &[Vec<i32>]) -> Vec<u8> {
    let mut file = b"fLaC\x80\0\0\x22\x10\0\x10\0\0\0\0\0\0\0".to_vec();
    let facts = u64::from(RATE) << 44 | u64::from(channels - 1) << 41 | u64::from(bits - 1) << 36;
    file.extend((facts | frames.len() as u64).to_be_bytes());
    file.extend([0; 16]);
    for (number, block) in frames.chunks_exact(4096).enumerate() {
        let mut frame = vec![0xff, 0xf8, 0xc5, (channels - 1) << 4, number as u8];
        frame.push(flac_crc8(&frame));
        for channel in 0..usize::from(channels) {
            frame.push(2);
            let upper = |sample: &Vec<i32>| (sample[channel] << (32 - bits)).to_be_bytes();
            frame.extend(block.iter().flat_map(|sample| upper(sample)[..usize::from(bits / 8)].to_vec()));
        }
        frame.extend(flac_crc16(&frame).to_be_bytes());
        file.extend(frame);
    }
    file
}

#[test]
fn samples_of_a_flac_file_come_out_bit_for_bit() {
    let dir = tempfile::tempdir().unwrap();
    for (channels, bits) in [(1, 16), (2, 16), (2, 24), (6, 24), (1, 32), (2, 32)] {
        let (count, width) = (usize::from(channels), usize::from(bits / 8));
        let bytes = noise(3 * 4096 * count * width);
        let sample = |bytes: &[u8]| {
            let mut upper = [0; 4];
            upper[4 - width..].copy_from_slice(bytes);
            i32::from_le_bytes(upper) >> (32 - bits)
        };
        let frames: Vec<Vec<i32>> = bytes
            .chunks_exact(count * width)
            .map(|frame| frame.chunks_exact(width).map(sample).collect())
            .collect();
        let path = write(&dir, "source.flac", &flac(channels, bits, &frames));
        // From one block into the next.
        let (cut, _) = cut(&path, 0.125..0.5).unwrap();
        assert_eq!((cut.tag, cut.channels, cut.bits), (1, channels.into(), bits.into()));
        let expected = &bytes[2000 * count * width..8000 * count * width];
        assert!(cut.data == expected, "{channels} channels, {bits} bits");
    }
}

#[test]
fn lossy_sound_comes_out_as_floats_in_all_its_channels() {
    let cases =
        [("mp3_vbr.mp3", 44_100, 2), ("opus_surround.opus", 48_000, 6), ("vorbis_3ch.ogg", 44_100, 3)];
    for (name, rate, channels) in cases {
        let (cut, excerpt) = cut(&fixture(name), 0.1..0.4).unwrap();
        assert_eq!((cut.tag, cut.bits, cut.rate, cut.channels), (3, 32, rate, channels), "{name}");
        assert_eq!(cut.data.len(), excerpt.frames as usize * 4 * usize::from(channels), "{name}");
        // Their mean is what a reader hears.
        let (mut mono, mut block) = (Vec::new(), Vec::new());
        let mut reader = AudioReader::open(&fixture(name), &ReadOptions::default()).unwrap();
        while reader.read_block(&mut block).unwrap() {
            mono.extend_from_slice(&block);
        }
        let first = (0.1 * f64::from(rate)) as usize;
        let frames = cut.data.chunks_exact(4 * usize::from(channels));
        for (frame, heard) in frames.zip(&mono[first..]) {
            let samples = frame.chunks_exact(4).map(|s| f32::from_le_bytes(s.try_into().unwrap()));
            let mean = samples.sum::<f32>() / f32::from(channels);
            assert!((mean - heard).abs() < 1e-6, "{name}");
        }
    }
}

#[test]
fn what_is_no_sound_is_refused_by_name() {
    for name in ["bad_text.wav", "bad_zero_bytes.wav", "missing.wav"] {
        let error = cut(&fixture(name), 0.0..1.0).unwrap_err();
        assert!(matches!(error, ExcerptError::Read(_)) && error.to_string().contains(name), "{error}");
    }
}
