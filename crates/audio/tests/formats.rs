//! Every format and codec decodes to the known signal, at the right place and of the right length.
//!
//! The files and the formula of the signal come from `tests/fixtures/audio/make.py`.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use earmark_audio::{AudioInfo, AudioReader, ReadOptions, Remarks};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/audio").join(name)
}

/// The left channel of the signal; see `make.py`.
fn left(t: f64) -> f64 {
    let burst = |u: f64| {
        let phase = std::f64::consts::TAU * (400.0 * u + 1500.0 * u * u);
        if u < 0.0 { 0.0 } else { phase.sin() * (-8.0 * u).exp() }
    };
    if t < 0.5 { 0.6 * (burst(t - 0.1) + burst(t - 0.3)) } else { 0.0 }
}

struct Decoded {
    info: AudioInfo,
    samples: Vec<f32>,
    remarks: Remarks,
}

fn decode(name: &str) -> Decoded {
    let mut reader = AudioReader::open(&fixture(name), &ReadOptions::default()).unwrap();
    let (mut samples, mut block) = (Vec::new(), Vec::new());
    while reader.read_block(&mut block).unwrap() {
        assert!(!block.is_empty());
        samples.extend_from_slice(&block);
    }
    assert_eq!(reader.frames_read(), samples.len() as u64);
    Decoded { info: reader.info().clone(), samples, remarks: reader.remarks().clone() }
}

/// Signal-to-noise ratio in dB against the signal delayed by `lag` samples, and the gain that fits best.
fn fit(samples: &[f32], rate: f64, lag: i64) -> (f64, f64) {
    let reference = |n: usize| left((n as i64 - lag) as f64 / rate);
    let (mut xy, mut yy) = (0.0, 0.0);
    for (n, x) in samples.iter().enumerate() {
        xy += f64::from(*x) * reference(n);
        yy += reference(n).powi(2);
    }
    let gain = xy / yy;
    let error = |(n, x): (usize, &f32)| (f64::from(*x) - gain * reference(n)).powi(2);
    let noise: f64 = samples.iter().enumerate().map(error).sum();
    (10.0 * (gain * gain * yy / noise.max(1e-30)).log10(), gain)
}

/// What a fixture should decode to.
struct Expected {
    name: &'static str,
    format: &'static str,
    codec: &'static str,
    rate: u32,
    channels: u16,
    /// Mean of the channels over the left one.
    gain: f64,
    /// At least so much, in dB.
    snr: f64,
    /// Where time 0 is, in samples; not 0 where the file does not say.
    lag: i64,
    /// Frames more than half a second has.
    extra: usize,
}

const fn exact(
    name: &'static str,
    format: &'static str,
    codec: &'static str,
    rate: u32,
    channels: u16,
    snr: f64,
) -> Expected {
    let gain = match channels {
        1 => 1.0,
        // Left and half of it, then silence.
        n => 1.5 / n as f64,
    };
    Expected { name, format, codec, rate, channels, gain, snr, lag: 0, extra: 0 }
}

#[track_caller]
fn check(expected: &[Expected]) {
    for e in expected {
        let got = decode(e.name);
        let named = (got.info.format.as_str(), got.info.codec.as_str());
        assert_eq!(named, (e.format, e.codec), "{}", e.name);
        assert_eq!((got.info.sample_rate, got.info.channels), (e.rate, e.channels), "{}", e.name);
        assert_eq!(got.samples.len(), e.rate as usize / 2 + e.extra, "{}: length", e.name);
        assert!(got.remarks.is_empty(), "{}: {}", e.name, got.remarks);
        let (snr, gain) = fit(&got.samples, f64::from(e.rate), e.lag);
        assert!(snr > e.snr, "{}: SNR {snr:.1} dB", e.name);
        assert!((gain / e.gain - 1.0).abs() < 0.06, "{}: gain {gain:.3}", e.name);
        // A millisecond to either side must fit worse: the onset is where it belongs.
        for off in [-1, 1] {
            let lag = e.lag + off * i64::from(e.rate) / 1000;
            assert!(fit(&got.samples, f64::from(e.rate), lag).0 < snr - 3.0, "{}: onset", e.name);
        }
    }
}

#[test]
fn pcm_of_every_width() {
    check(&[
        exact("wav_u8.wav", "wav", "pcm_u8", 16_000, 1, 38.0),
        exact("wav_s16.wav", "wav", "pcm_s16le", 16_000, 1, 85.0),
        exact("wav_s24.wav", "wav", "pcm_s24le", 16_000, 1, 130.0),
        exact("wav_s32.wav", "wav", "pcm_s32le", 16_000, 1, 135.0),
        exact("wav_f32.wav", "wav", "pcm_f32le", 16_000, 1, 135.0),
        exact("wav_f64.wav", "wav", "pcm_f64le", 16_000, 1, 135.0),
        exact("wav_extensible_s24.wav", "wav", "pcm_s24le", 16_000, 2, 130.0),
        exact("wav_extensible_6ch.wav", "wav", "pcm_s16le", 8000, 6, 80.0),
        exact("wav_unknown_length.wav", "wav", "pcm_s16le", 16_000, 1, 85.0),
        exact("wav_alaw.wav", "wav", "pcm_alaw", 16_000, 1, 35.0),
        exact("wav_mulaw.wav", "wav", "pcm_mulaw", 16_000, 1, 35.0),
        exact("aiff_s16.aiff", "aiff", "pcm_s16be", 16_000, 1, 80.0),
        exact("aiff_s24.aiff", "aiff", "pcm_s24be", 16_000, 1, 130.0),
        exact("aifc_sowt.aifc", "aiff", "pcm_s16le", 16_000, 1, 80.0),
        exact("aifc_fl32.aifc", "aiff", "pcm_f32be", 16_000, 1, 120.0),
        exact("caf_s16.caf", "caf", "pcm_s16be", 16_000, 1, 80.0),
        exact("caf_f32.caf", "caf", "pcm_f32le", 16_000, 1, 120.0),
        // ADPCM fills its last block.
        Expected { extra: 144, ..exact("wav_adpcm_ms.wav", "wav", "adpcm_ms", 16_000, 1, 25.0) },
        Expected { extra: 164, ..exact("wav_adpcm_ima_wav.wav", "wav", "adpcm_ima_wav", 16_000, 1, 20.0) },
    ]);
}

#[test]
fn lossless_codecs_in_every_container() {
    check(&[
        exact("flac_s16.flac", "flac", "flac", 44_100, 2, 80.0),
        exact("flac_s24.flac", "flac", "flac", 16_000, 1, 130.0),
        exact("flac.oga", "ogg", "flac", 16_000, 1, 80.0),
        exact("flac.mp4", "mp4", "flac", 16_000, 1, 80.0),
        exact("flac.mka", "mkv", "flac", 16_000, 1, 80.0),
        exact("alac.m4a", "mp4", "alac", 16_000, 1, 80.0),
        exact("alac.caf", "caf", "alac", 16_000, 1, 80.0),
    ]);
}

#[test]
fn lossy_codecs_are_gapless_where_the_file_tells() {
    check(&[
        exact("mp3_cbr.mp3", "mp3", "mp3", 44_100, 2, 40.0),
        exact("mp3_vbr.mp3", "mp3", "mp3", 44_100, 2, 35.0),
        exact("vorbis.ogg", "ogg", "vorbis", 44_100, 2, 35.0),
        exact("aac.m4a", "mp4", "aac", 44_100, 2, 40.0),
        exact("opus.opus", "ogg", "opus", 48_000, 2, 35.0),
        exact("opus_mono.opus", "ogg", "opus", 48_000, 1, 30.0),
        exact("opus_surround.opus", "ogg", "opus", 48_000, 6, 35.0),
        exact("opus.mp4", "mp4", "opus", 48_000, 2, 35.0),
        // SILK codes speech at 16 kHz or less, a fraction of a millisecond early.
        Expected { lag: -4, ..exact("opus_voip.opus", "ogg", "opus", 48_000, 1, 15.0) },
        Expected {
            gain: 10f64.powf(-6.0 / 20.0),
            ..exact("opus_gain_minus_6db.opus", "ogg", "opus", 48_000, 1, 30.0)
        },
    ]);
}

#[test]
fn lossy_codecs_start_where_the_file_says_even_if_it_hides_their_end() {
    check(&[
        // Matroska's padding of the last packet is not passed on by the demuxer.
        Expected { extra: 648, ..exact("opus.webm", "mkv", "opus", 48_000, 2, 35.0) },
        Expected { extra: 30, ..exact("vorbis.webm", "mkv", "vorbis", 44_100, 2, 30.0) },
        Expected { extra: 30, ..exact("video_vorbis.mkv", "mkv", "vorbis", 44_100, 2, 30.0) },
        // No delay is noted in these, so the encoder's (and an MPEG decoder's) stays.
        Expected { lag: 1024, extra: 1502, ..exact("aac.mka", "mkv", "aac", 44_100, 2, 40.0) },
        Expected { lag: 1024, extra: 1502, ..exact("aac.aac", "aac", "aac", 44_100, 2, 40.0) },
        Expected { lag: 481, extra: 990, ..exact("mp2.mp2", "mp2", "mp2", 44_100, 2, 30.0) },
        Expected { lag: 1105, extra: 1216, ..exact("mp3_no_xing.mp3", "mp3", "mp3", 16_000, 1, 35.0) },
    ]);
}

#[test]
fn the_audio_track_is_found_behind_a_video() {
    check(&[exact("video_aac.mp4", "mp4", "aac", 44_100, 2, 40.0)]);
}

#[test]
fn content_decides_not_the_name() {
    let bytes = std::fs::read(fixture("flac_s24.flac")).unwrap();
    let mut reader = AudioReader::from_bytes("renamed.wav", bytes, &ReadOptions::default()).unwrap();
    assert_eq!(reader.info().format, "flac");
    assert_eq!(reader.info().duration_s, Some(0.5));
    assert!(reader.read_block(&mut Vec::new()).unwrap());
}

#[test]
fn declared_durations() {
    for (name, expected) in [
        ("wav_s16.wav", Some(0.5)),
        ("wav_unknown_length.wav", None),
        ("mp3_vbr.mp3", Some(0.5)),
        ("opus.opus", Some(0.5)),
        ("opus.mp4", Some(0.5)),
        ("aac.m4a", Some(0.5)),
        ("vorbis.ogg", Some(0.5)),
    ] {
        let reader = AudioReader::open(&fixture(name), &ReadOptions::default()).unwrap();
        assert_eq!(reader.info().duration_s, expected, "{name}");
    }
}
