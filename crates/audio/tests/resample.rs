//! The resampler: in band unchanged, out of band gone, aligned, and of exact length.

#![allow(clippy::unwrap_used)]

use std::f64::consts::TAU;

use earmark_audio::{AudioError, AudioReader, ReadOptions};

/// A mono 32-bit float WAV file.
fn wav(samples: &[f32], rate: u32) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data.len() as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x03\0\x01\0");
    bytes.extend(rate.to_le_bytes());
    bytes.extend((rate * 4).to_le_bytes());
    bytes.extend(b"\x04\0\x20\0data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes
}

fn resample(samples: &[f32], from: u32, to: u32) -> Vec<f32> {
    let reader = AudioReader::from_bytes("x.wav", wav(samples, from), &ReadOptions::default()).unwrap();
    let mut reader = reader.resampled(to).unwrap();
    let (mut all, mut block) = (Vec::new(), Vec::new());
    while reader.read_block(&mut block).unwrap() {
        assert!(!block.is_empty());
        all.extend_from_slice(&block);
    }
    assert!(!reader.read_block(&mut block).unwrap() && block.is_empty());
    assert_eq!(reader.duration_s(), all.len() as f64 / f64::from(to));
    all
}

fn sine(hz: f64, rate: u32, n: usize) -> Vec<f32> {
    (0..n).map(|i| (0.5 * (TAU * hz * i as f64 / f64::from(rate)).sin()) as f32).collect()
}

/// Level of `a - b` below the level of a sine of amplitude 0.5, in dB, away from the ends.
fn error_db(a: &[f32], b: &[f32]) -> f64 {
    let edge = a.len() / 5;
    let middle = edge..a.len() - edge;
    let error = |i: usize| f64::from(a[i] - b[i]).powi(2);
    let power = middle.clone().map(error).sum::<f64>() / middle.len() as f64;
    10.0 * (power / 0.125).log10()
}

const RATES: [u32; 8] = [8000, 11_025, 22_050, 32_000, 37_123, 44_100, 48_000, 96_000];

#[test]
fn sines_in_band_come_out_as_they_should_and_in_place() {
    for from in RATES {
        for to in [16_000, 48_000] {
            for share in [0.02, 0.3, 0.9] {
                let hz = share * f64::from(from.min(to)) / 2.0;
                let got = resample(&sine(hz, from, from as usize), from, to);
                // The same phase: the output is aligned to a small part of a sample.
                let error = error_db(&got, &sine(hz, to, got.len()));
                assert!(error < -80.0, "{from} -> {to} Hz, {hz} Hz: {error:.1} dB");
            }
        }
    }
}

#[test]
fn sines_above_nyquist_are_gone() {
    for (from, to, hz) in [(44_100, 16_000, 8500.0), (44_100, 16_000, 15_900.0), (96_000, 48_000, 30_000.0)] {
        let got = resample(&sine(hz, from, from as usize), from, to);
        let error = error_db(&got, &vec![0.0; got.len()]);
        assert!(error < -90.0, "{from} -> {to} Hz, {hz} Hz: {error:.1} dB");
    }
}

#[test]
fn the_length_is_exact() {
    for from in RATES {
        for n in [1, 2, 99, 1000, 4095, 4096, 4097, 50_000] {
            let got = resample(&vec![0.1; n], from, 16_000);
            assert_eq!(got.len(), (n * 16_000).div_ceil(from as usize), "{n} at {from} Hz");
        }
    }
}

#[test]
fn an_impulse_stays_where_it_is() {
    for from in RATES {
        let mut samples = vec![0.0; from as usize / 2];
        samples[from as usize / 4] = 1.0;
        let got = resample(&samples, from, 16_000);
        let peak = (0..got.len()).max_by(|a, b| got[*a].total_cmp(&got[*b])).unwrap();
        assert!(peak.abs_diff(4000) <= 1, "{from} Hz: {peak}");
    }
}

#[test]
fn equal_rates_pass_through_untouched() {
    let samples = sine(440.0, 16_000, 5000);
    assert_eq!(resample(&samples, 16_000, 16_000), samples);
}

#[test]
fn samples_too_large_to_resample_are_an_error() {
    let bytes = wav(&[3e38; 20_000], 44_100);
    let error = AudioReader::from_bytes("x.wav", bytes, &ReadOptions::default()).err();
    assert!(matches!(error, Some(AudioError::NonFinite { .. })), "{error:?}");
    assert_eq!(resample(&[1e6; 1000], 44_100, 16_000).len(), 363);
}

#[test]
fn a_rate_of_zero_is_refused() {
    let bytes = wav(&[0.0; 10], 16_000);
    let reader = AudioReader::from_bytes("x.wav", bytes, &ReadOptions::default()).unwrap();
    let error = reader.resampled(0).err().unwrap();
    assert!(error.to_string().contains("16000 Hz to 0 Hz"), "{error}");
}

/// The low-pass fades out where that of soxr's HQ does, with which librosa resamples, and does not echo longer.
/// soxr's own HQ and VHQ are 41 dB apart.
#[test]
fn impulses_come_out_as_soxr_makes_them() {
    const REACH: usize = 550;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/resample");
    let bytes = std::fs::read(folder.join("soxr-hq.f32")).unwrap();
    let reference: Vec<f32> =
        bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let mut reference = reference.chunks_exact(2 * REACH + 1);
    for from in
        [8000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 88_200, 96_000, 176_400, 192_000]
    {
        for to in [16_000, 32_000, 44_100, 48_000].into_iter().filter(|to| *to != from) {
            let mut impulse = vec![0.0; from as usize / 2];
            impulse[from as usize / 8] = 1.0;
            let got = resample(&impulse, from, to);
            let middle = (from / 8 * to / from) as usize;
            let got = &got[middle - REACH..=middle + REACH];
            let power = |samples: &mut dyn Iterator<Item = f32>| samples.map(|x| x * x).sum::<f32>();
            let expected = reference.next().unwrap();
            let error = power(&mut got.iter().zip(expected).map(|(a, b)| a - b));
            let error = 10.0 * (error / power(&mut expected.iter().copied())).log10();
            assert!(error < -46.0, "{from} -> {to} Hz: {error:.1} dB");
        }
    }
    assert!(reference.next().is_none());
}
