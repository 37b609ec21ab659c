//! Streams that a ready-made decoder gets wrong, or has no room for in a header.
//!
//! The files and the formula of their signal come from `multichannel` in `tests/fixtures/audio/make.py`.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use earmark_audio::{AudioError, AudioInfo, AudioReader, ReadOptions};

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
    let mut reader = AudioReader::open(&fixture(name), &ReadOptions::default()).unwrap();
    let (mut samples, mut block) = (Vec::new(), Vec::new());
    while reader.read_block(&mut block).unwrap() {
        samples.extend_from_slice(&block);
    }
    assert!(reader.remarks().is_empty(), "{name}: {}", reader.remarks());
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
        if let Ok(mut reader) = AudioReader::from_bytes("damaged", bytes, &ReadOptions::default()) {
            let mut block = Vec::new();
            while let Ok(true) = reader.read_block(&mut block) {}
        }
    }
}

/// Checks a file of `spread`: what it is, how long, and that every channel is in it.
#[track_caller]
fn check(name: &str, format: &str, rate: u32, channels: u16, lag: i64, least: f64) {
    let decoded = decode(name);
    let info = &decoded.info;
    assert_eq!((info.format.as_str(), info.sample_rate, info.channels), (format, rate, channels), "{name}");
    if lag == 0 {
        assert_eq!(decoded.samples.len(), rate as usize / 2, "{name}: length");
        let declared = info.duration_s.unwrap();
        assert!((declared - 0.5).abs() < 1e-4, "{name}: {declared} s declared");
    }
    let (cosine, gain) = likeness(&decoded, channels, lag);
    assert!(cosine > least, "{name}: cosine {cosine:.4}");
    assert!((gain - 1.0).abs() < 0.03, "{name}: gain {gain:.3}");
    // A millisecond and a half to either side fits worse: the onset is where it belongs.
    for off in [-1, 1] {
        let off = off * i64::from(rate) * 3 / 2000;
        assert!(likeness(&decoded, channels, lag + off).0 < cosine - 0.01, "{name}: onset");
    }
}

#[test]
fn aac_decodes_right_with_any_number_of_channels() {
    for channels in 3..=8 {
        check(&format!("aac_{channels}ch.m4a"), "mp4", 48_000, channels, 0, 0.99);
    }
    check("aac_6ch_96000.m4a", "mp4", 96_000, 6, 0, 0.99);
    // No delay is noted in these, so the encoder's stays.
    check("aac_4ch.aac", "aac", 48_000, 4, 1024, 0.99);
    check("aac_6ch.aac", "aac", 48_000, 6, 1024, 0.99);
    check("aac_6ch.mka", "mkv", 48_000, 6, 1024, 0.99);
}

#[test]
fn aac_decodes_right_at_any_rate() {
    for rate in [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 48_000, 64_000, 88_200, 96_000] {
        // The bursts reach 3400 Hz and more: at low rates the encoder keeps a part of them.
        let least = if rate < 16_000 { 0.9 } else { 0.97 };
        check(&format!("aac_{rate}.m4a"), "mp4", rate, 1, 0, least);
    }
}

#[test]
fn rates_that_the_container_has_no_room_for_come_from_the_codec() {
    check("alac_96000.m4a", "mp4", 96_000, 1, 0, 0.9999);
}

#[test]
fn aac_of_the_main_profile_is_decoded_with_its_prediction() {
    check("aac_main.m4a", "mp4", 44_100, 2, 0, 0.99);
    check("aac_main.aac", "aac", 44_100, 2, 1024, 0.99);
}

/// Power of `samples` between two frequencies, by single terms of the Fourier transform.
fn power(samples: &[f32], rate: f64, from_hz: f64, to_hz: f64) -> f64 {
    let steps = 200;
    let term = |step: u32| {
        let hz = from_hz + (to_hz - from_hz) * f64::from(step) / f64::from(steps);
        let turn = std::f64::consts::TAU * hz / rate;
        let (mut re, mut im) = (0.0, 0.0);
        for (n, x) in (0..).zip(samples) {
            let angle = turn * f64::from(n);
            (re, im) = (re + f64::from(*x) * angle.cos(), im + f64::from(*x) * angle.sin());
        }
        re * re + im * im
    };
    (0..steps).map(term).sum::<f64>() / samples.len() as f64
}

#[test]
fn he_aac_has_its_whole_band() {
    // Noise, which fills the band; left and right differ.
    let mut state = 7u32;
    let mut noise = || -> Vec<f32> {
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (f64::from(state >> 8) / f64::from(1 << 24) - 0.5) as f32 * 0.4
        };
        (0..22_050).map(|_| next()).collect()
    };
    let (left, right) = (noise(), noise());
    let mean: Vec<f32> = left.iter().zip(&right).map(|(l, r)| (l + r) / 2.0).collect();
    let options = syom::EncodeOptions::adts();
    for (name, options) in [
        ("HE-AAC", options.clone().with_he(true).with_bitrate_bps(64_000)),
        ("HE-AAC v2", options.with_he_v2(true).with_bitrate_bps(32_000)),
    ] {
        let bytes = syom::encode_with(&[&left, &right], 44_100, &options).unwrap();
        let mut reader = AudioReader::from_bytes(name, bytes, &ReadOptions::default()).unwrap();
        // The header says 22,050 Hz and, with parametric stereo, one channel; the packets know better.
        assert_eq!((reader.info().sample_rate, reader.info().channels), (44_100, 2), "{name}");
        let (mut samples, mut block) = (Vec::new(), Vec::new());
        while reader.read_block(&mut block).unwrap() {
            samples.extend_from_slice(&block);
        }
        assert!((22_050..32_000).contains(&samples.len()), "{name}: {} samples", samples.len());
        let middle = &samples[8000..20_000];
        for (from, to) in [(2000.0, 5000.0), (12_000.0, 14_000.0)] {
            let ratio = power(middle, 44_100.0, from, to) / power(&mean[4000..16_000], 44_100.0, from, to);
            assert!((0.25..4.0).contains(&ratio), "{name}: {ratio:.2} of the power from {from} Hz on");
        }
    }
}

#[test]
fn damaged_aac_is_an_error_or_a_shorter_sound_never_a_panic() {
    for name in ["aac_6ch.aac", "aac_4ch.m4a", "aac_main.aac", "aac_6ch.mka"] {
        let whole = std::fs::read(fixture(name)).unwrap();
        let mut state = 1u32;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for _ in 0..40 {
            let mut bytes = whole.clone();
            for _ in 0..1 + random() % 200 {
                let at = random() as usize % bytes.len();
                bytes[at] = random() as u8;
            }
            if let Ok(mut reader) = AudioReader::from_bytes(name, bytes, &ReadOptions::default()) {
                let mut block = Vec::new();
                while let Ok(true) = reader.read_block(&mut block) {}
            }
        }
    }
}

#[test]
fn kinds_of_aac_that_cannot_be_decoded_are_refused_by_name() {
    let whole = std::fs::read(fixture("aac_3ch.m4a")).unwrap();
    // The AudioSpecificConfig: descriptor 5, five bytes long.
    let marker = [5, 0x80, 0x80, 0x80, 5];
    let at = whole.windows(marker.len()).position(|bytes| bytes == marker).unwrap() + marker.len();
    for (config, name) in [
        ([0xf8, 0xe6, 0x20, 0, 0], "AAC-ELD"),
        ([0xf9, 0x46, 0x40, 0, 0], "xHE-AAC"),
        ([0x8a, 0x10, 0, 0, 0], "ER AAC"),
        ([0x32, 0x10, 0, 0, 0], "AAC Scalable"),
    ] {
        let mut bytes = whole.clone();
        bytes[at..at + config.len()].copy_from_slice(&config);
        let error = AudioReader::from_bytes(name, bytes, &ReadOptions::default()).err().unwrap();
        assert!(matches!(error, AudioError::NoDecoder { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
}
