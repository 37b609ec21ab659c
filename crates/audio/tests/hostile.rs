//! Hostile files: a typed error that names the file, or the audio that is left. Never a panic.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use earmark_audio::{AudioError, AudioReader, Limits, ReadOptions, Waveform};
use proptest::prelude::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/audio")
}

/// Decodes to the end: samples and whether the file was cut off.
fn read(mut reader: AudioReader) -> Result<(usize, bool), AudioError> {
    let (mut total, mut block) = (0, Vec::new());
    while reader.read_block(&mut block)? {
        total += block.len();
    }
    Ok((total, reader.remarks().truncated))
}

fn open(name: &str) -> Result<(usize, bool), AudioError> {
    open_with(name, &Limits::default())
}

fn open_with(name: &str, limits: &Limits) -> Result<(usize, bool), AudioError> {
    AudioReader::open(&folder().join(name), &limits.clone().into()).and_then(read)
}

macro_rules! assert_fails {
    ($result:expr, $pattern:pat, $name:expr, $part:expr) => {
        let error = $result.unwrap_err();
        assert!(matches!(error, $pattern), "{error:?}");
        assert!(error.file().ends_with($name), "{error}");
        let message = error.to_string();
        assert!(message.contains($name) && message.contains($part), "{message}");
    };
}

#[test]
fn what_is_not_audio_is_unsupported() {
    use AudioError::Unsupported;
    for (name, part) in [
        ("bad_text.wav", "received text"),
        ("bad_zip.wav", "received a zip archive"),
        ("bad_noise.bin", "expected a sound file (WAV"),
        ("video_only.mp4", "expected an audio track"),
        ("make.py", "received text"),
    ] {
        assert_fails!(open(name), Unsupported { .. }, name, part);
    }
}

#[test]
fn no_audio_is_empty() {
    for (name, part) in [("bad_zero_bytes.wav", "0 bytes"), ("bad_no_samples.wav", "0 samples")] {
        assert_fails!(open(name), AudioError::Empty { .. }, name, part);
    }
}

#[test]
fn absurd_headers() {
    use AudioError::{Malformed, OverLimit};
    assert_fails!(open("bad_rate_0.wav"), Malformed { .. }, "bad_rate_0.wav", "0 Hz");
    assert_fails!(open("bad_channels_0.wav"), Malformed { .. }, "bad_channels_0.wav", "channel");
    let name = "bad_channels_65535.wav";
    assert_fails!(open(name), OverLimit { what: "channels", .. }, name, "at most 64");
    assert_fails!(open("bad_header_only.wav"), Malformed { .. }, "bad_header_only.wav", "header");
    let name = "bad_rate_4ghz.wav";
    assert_fails!(open(name), OverLimit { what: "sample rate", .. }, name, "4294967295 Hz");
}

/// The name of a chunk that stands just before the samples is not taken for one at their end.
#[test]
fn a_chunk_name_before_the_samples_does_not_end_them() {
    let format = [1, 0, 1, 0, 0x40, 0x1f, 0, 0, 0x80, 0x3e, 0, 0, 2, 0, 16, 0];
    let file = |len: u8| {
        let head = [&b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0"[..], &format, b"JUNK\x04\0\0\0LIST"].concat();
        // More samples than the header counts, which are no chunks.
        [head, [&b"data"[..], &[len, 0, 0, 0], &[1; 400]].concat()].concat()
    };
    for len in 1..=32 {
        let reader = AudioReader::from_bytes("near.wav", file(len), &ReadOptions::default()).unwrap();
        assert_eq!(read(reader).unwrap().0, 200, "{len} bytes by the header");
    }
}

#[test]
fn samples_that_are_not_finite() {
    for name in ["bad_nan.wav", "bad_infinite.wav"] {
        assert_fails!(open(name), AudioError::NonFinite { .. }, name, "0.250 s");
    }
}

#[test]
fn a_file_cut_short_gives_what_it_has() {
    for (name, whole) in
        [("bad_truncated.wav", 8000), ("bad_truncated.mp3", 22_050), ("bad_truncated.flac", 22_050)]
    {
        let (samples, truncated) = open(name).unwrap();
        assert!(truncated, "{name}");
        assert!((whole * 4 / 10..whole * 6 / 10).contains(&samples), "{name}: {samples}");
    }
    // Matroska demuxers look for the end first; a file without one is read as a stream.
    let mut bytes = std::fs::read(folder().join("opus.webm")).unwrap();
    bytes.truncate(bytes.len() * 6 / 10);
    let reader = AudioReader::from_bytes("cut.webm", bytes, &ReadOptions::default()).unwrap();
    let (samples, truncated) = read(reader).unwrap();
    assert!(truncated && (4000..16_000).contains(&samples), "{samples}");
    // All of its audio was on the one page that is cut.
    let name = "bad_truncated.opus";
    assert_fails!(open(name), AudioError::Malformed { .. }, name, "ends");
}

#[test]
fn limits_hold() {
    let unlimited = Limits::default();
    let cases = [
        (Limits { max_bytes: 1000, ..unlimited.clone() }, "bytes", "1000 bytes"),
        (Limits { max_duration_s: 0.4, ..unlimited.clone() }, "duration", "0.4 s"),
        (Limits { max_channels: 1, ..unlimited.clone() }, "channels", "at most 1,"),
        (Limits { max_sample_rate: 44_000, ..unlimited.clone() }, "sample rate", "44000 Hz"),
    ];
    for (limits, expected, part) in cases {
        for name in ["flac_s16.flac", "mp3_vbr.mp3", "opus.opus", "aac.aac", "opus.webm"] {
            let error = open_with(name, &limits).unwrap_err();
            let AudioError::OverLimit { what, .. } = &error else { panic!("{error}") };
            assert_eq!(*what, expected, "{error}");
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}

#[test]
fn files_that_cannot_be_read() {
    assert_fails!(open("no such file"), AudioError::Io { .. }, "no such file", "cannot be read");
    let error = AudioReader::open(&folder(), &ReadOptions::default()).err().unwrap();
    assert!(matches!(error, AudioError::Io { .. }), "{error}");
}

#[test]
fn a_range_beyond_the_end_says_how_long_the_file_is() {
    let clip = |range| {
        let reader = AudioReader::open(&folder().join("wav_s16.wav"), &ReadOptions::default())?;
        Waveform::read(reader.resampled(16_000)?, range)
    };
    assert_eq!(clip(None).unwrap().samples.len(), 8000);
    let whole = clip(None).unwrap().samples;
    assert_eq!(clip(Some((0.1, 0.2))).unwrap().samples, whole[1600..3200]);
    assert_eq!(clip(Some((0.4, f64::INFINITY))).unwrap().samples, whole[6400..]);
    assert_eq!(clip(Some((-1.0, 0.1))).unwrap().samples, whole[..1600]);
    for range in [(0.5, 1.0), (3.0, f64::INFINITY), (0.2, 0.2), (0.3, 0.1), (f64::NAN, 1.0)] {
        let error = clip(Some(range)).unwrap_err();
        assert!(matches!(error, AudioError::OutOfRange { .. }), "{error}");
        assert!(error.to_string().contains("0.500 s"), "{error}");
    }
}

/// Decodes damaged bytes; whatever comes, it comes as a value.
fn survive(name: &str, bytes: Vec<u8>) {
    // Seconds, not hours: a damaged length must not make the test slow.
    let limits = Limits { max_duration_s: 10.0, ..Limits::default() };
    if let Err(error) = AudioReader::from_bytes(name, bytes, &limits.into()).and_then(read) {
        assert_eq!(error.file(), name);
    }
}

fn all_files() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), path))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn every_file_cut_anywhere_is_survived() {
    for (name, bytes) in all_files() {
        for eighth in 0..8 {
            survive(&name, bytes[..bytes.len() * eighth / 8].to_vec());
        }
        // Headers are dense: cut them finely.
        for len in (0..bytes.len().min(120)).step_by(7) {
            survive(&name, bytes[..len].to_vec());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    /// Flips bytes, in the header more often than behind it, and cuts the end off.
    #[test]
    fn every_file_damaged_anyhow_is_survived(
        file in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), any::<u8>()), 1..12),
        keep in 0.5..1.5f64,
    ) {
        let files = all_files();
        let (name, mut bytes) = files[file.index(files.len())].clone();
        let len = bytes.len();
        for (at, in_header, value) in flips {
            let range = if in_header { len.min(256) } else { len };
            if range > 0 {
                bytes[at.index(range)] = value;
            }
        }
        bytes.truncate((len as f64 * keep) as usize);
        survive(&name, bytes);
    }
}
