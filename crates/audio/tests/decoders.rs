//! Streams that a ready-made decoder gets wrong, or has no room for in a header.
//!
//! The files and the formula of their signal come from `multichannel` in `tests/fixtures/audio/make.py`.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use earmark_audio::{AudioInfo, AudioReader, Limits};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/audio").join(name)
}

/// The mean of the channels: channel `k` has a burst at `0.05 + 0.04 k` seconds, but for the low-frequency
/// channel, which is silent.
fn spread(t: f64, channels: u16) -> f64 {
    let burst = |u: f64| {
        let phase = std::f64::consts::TAU * (400.0 * u + 1500.0 * u * u);
        if u < 0.0 { 0.0 } else { phase.sin() * (-8.0 * u).exp() }
    };
    let sounding = (0..channels).filter(|k| channels < 6 || *k != 3);
    let sum: f64 = sounding.map(|k| burst(t - 0.05 - 0.04 * f64::from(k))).sum();
    if t < 0.5 { 0.6 * sum / f64::from(channels) } else { 0.0 }
}

struct Decoded {
    info: AudioInfo,
    samples: Vec<f32>,
}

fn decode(name: &str) -> Decoded {
    let mut reader = AudioReader::open(&fixture(name), &Limits::default()).unwrap();
    let (mut samples, mut block) = (Vec::new(), Vec::new());
    while reader.read_block(&mut block).unwrap() {
        samples.extend_from_slice(&block);
    }
    assert_eq!((reader.skipped_packets(), reader.truncated()), (0, false), "{name}");
    Decoded { info: reader.info().clone(), samples }
}

/// Cosine between the decoded samples and the signal, and the gain, where sample `lag` is time 0.
fn likeness(decoded: &Decoded, channels: u16, lag: i64) -> (f64, f64) {
    let rate = f64::from(decoded.info.sample_rate);
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (n, x) in (0..).zip(&decoded.samples) {
        let (x, y) = (f64::from(*x), spread(f64::from(n - lag as i32) / rate, channels));
        (xy, xx, yy) = (xy + x * y, xx + x * x, yy + y * y);
    }
    (xy / (xx * yy).sqrt(), (xx / yy).sqrt())
}

#[test]
fn vorbis_decodes_right_with_any_number_of_channels() {
    for channels in 1..=8 {
        let name = format!("vorbis_{channels}ch.ogg");
        let decoded = decode(&name);
        assert_eq!((decoded.info.codec.as_str(), decoded.info.channels), ("vorbis", channels), "{name}");
        assert_eq!((decoded.info.sample_rate, decoded.samples.len()), (44_100, 22_050), "{name}");
        let (cosine, gain) = likeness(&decoded, channels, 0);
        // The files are of quality 3. A decoder with symphonia's faults stays below 0.81.
        assert!(cosine > 0.995, "{name}: cosine {cosine:.4}");
        assert!((gain - 1.0).abs() < 0.02, "{name}: gain {gain:.3}");
        for off in [-44, 44] {
            assert!(likeness(&decoded, channels, off).0 < cosine - 0.01, "{name}: onset");
        }
    }
}

#[test]
fn vorbis_headers_laced_together_are_read_like_those_of_ogg() {
    let (ogg, mka) = (decode("vorbis_4ch.ogg"), decode("vorbis_4ch.mka"));
    assert_eq!((mka.info.format.as_str(), mka.info.channels), ("mkv", 4));
    assert!(likeness(&mka, 4, 0).0 > 0.995);
    let common = ogg.samples.len().min(mka.samples.len());
    // Matroska rounds time stamps to milliseconds, so only the end may differ.
    assert_eq!(ogg.samples[..common - 1024], mka.samples[..common - 1024]);
}

#[test]
fn damaged_vorbis_with_many_channels_is_an_error_or_a_shorter_sound_never_a_panic() {
    let whole = std::fs::read(fixture("vorbis_4ch.mka")).unwrap();
    let mut state = 1u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    for round in 0..60 {
        let mut bytes = whole.clone();
        // Half of the rounds spare the headers, which fill the first 5000 bytes.
        let from = if round % 2 == 0 { 5000 } else { 300 };
        for _ in 0..1 + random() % 200 {
            let at = from + random() as usize % (bytes.len() - from);
            bytes[at] = random() as u8;
        }
        if let Ok(mut reader) = AudioReader::from_bytes("damaged", bytes, &Limits::default()) {
            let mut block = Vec::new();
            while let Ok(true) = reader.read_block(&mut block) {}
        }
    }
}
