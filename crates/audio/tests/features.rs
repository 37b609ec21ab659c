//! Whole windows against the reference implementations, whose values `goldens/make_feature_goldens.py` recorded.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use earmark_audio::{FeatureSpec, FeatureWindow, FrontEnd, FrontEndSpec, WindowSpec, WindowStream};
use serde::Deserialize;

#[derive(Deserialize)]
struct Goldens {
    goldens: Vec<Golden>,
}

/// One recorded sound.
#[derive(Deserialize)]
struct Golden {
    name: String,
    front_end: FrontEndSpec,
    features: FeatureSpec,
    window: WindowSpec,
    signal: Signal,
    /// Channels (of all windows, one after another), frames, bands.
    shape: [usize; 3],
    /// The frames that `values` holds.
    frames: Vec<usize>,
    /// `[channels, frames, bands]`.
    values: Vec<f64>,
    /// The mean of each band over all frames, `[channels, bands]`.
    means: Vec<f64>,
}

/// The common signal times `gain` plus `offset`.
#[derive(Deserialize)]
struct Signal {
    n: usize,
    #[serde(default = "one")]
    gain: f64,
    #[serde(default)]
    offset: f64,
}

fn one() -> f64 {
    1.0
}

fn goldens() -> Vec<Golden> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/features.json");
    serde_json::from_slice::<Goldens>(&std::fs::read(path).unwrap()).unwrap().goldens
}

fn worst(got: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Largest difference accepted, in the unit of the features: decibels, log units, or those over twice a standard
/// deviation. Measured: 1e-5, to which the values are rounded, but 6e-5 (7e-4 over all frames) for AST, whose
/// reference runs in single precision.
const TOLERANCE: f64 = 1e-4;

#[test]
fn windows_are_those_of_the_references() {
    let goldens = goldens();
    assert!(goldens.len() >= 18);
    for golden in goldens {
        let Golden { name, front_end, features, window, signal, shape, .. } = golden;
        let samples: Vec<f32> = common::signal(signal.n, f64::from(front_end.sample_rate()))
            .into_iter()
            .map(|x| (f64::from(x) * signal.gain + signal.offset) as f32)
            .collect();
        let front_end = FrontEnd::new(&front_end, &features).unwrap();
        let mut stream = WindowStream::new(front_end, &window).unwrap();
        let (mut windows, mut got) = (0, Vec::new());
        let mut sink = |w: FeatureWindow| {
            windows += 1;
            got.extend(w.features);
        };
        stream.push(&samples, &mut sink);
        stream.finish(&mut sink);
        let of_stream = stream.shape();
        assert_eq!([windows * of_stream.channels, of_stream.frames, of_stream.bands], shape, "{name}");

        let [channels, frames, bands] = shape;
        assert_eq!(got.len(), channels * frames * bands, "{name}");
        let value = |c: usize, t: usize, b: usize| f64::from(got[(c * frames + t) * bands + b]);
        let (mut values, mut means) = (Vec::new(), Vec::new());
        for c in 0..channels {
            for t in &golden.frames {
                values.extend((0..bands).map(|b| value(c, *t, b)));
            }
            means
                .extend((0..bands).map(|b| (0..frames).map(|t| value(c, t, b)).sum::<f64>() / frames as f64));
        }
        let (off, means_off) = (worst(&values, &golden.values), worst(&means, &golden.means));
        println!("{name}: off by at most {off:.1e}, means by {means_off:.1e}");
        assert!(
            off < TOLERANCE && means_off < TOLERANCE,
            "{name}: off by {off:.1e}, means by {means_off:.1e}"
        );
    }
}

#[test]
fn front_ends_are_told_apart_by_their_type() {
    let beats = r#"{"type":"kaldi_fbank","sample_rate":16000,"frame_length":400,"hop_length":160,
        "window":"povey","n_mels":128,"f_min":20.0,"f_max":8000.0}"#;
    let spec: FrontEndSpec = serde_json::from_str(beats).unwrap();
    assert_eq!(spec.validate(), Ok(()));
    assert_eq!((spec.sample_rate(), spec.hop_length()), (16_000, 160));
    let FrontEndSpec::KaldiFbank(fbank) = &spec else { panic!("{spec:?}") };
    assert_eq!(
        (fbank.transform_length(), fbank.pre_emphasis, fbank.remove_dc, fbank.gain),
        (512, 0.97, true, 1.0)
    );
    assert_eq!(spec, serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap());

    let raw: FrontEndSpec = serde_json::from_str(r#"{"type":"waveform","sample_rate":24000}"#).unwrap();
    assert_eq!((raw.sample_rate(), raw.hop_length()), (24_000, 1));

    for (from, to) in [
        ("kaldi_fbank", "kaldi"),
        ("\"n_mels\"", "\"mels\""),
        ("\"sample_rate\":16000", "\"sample_rate\":16000,\"dither\":1.0"),
    ] {
        assert!(serde_json::from_str::<FrontEndSpec>(&beats.replace(from, to)).is_err(), "{to}");
    }
    for (from, to, field) in [
        ("\"sample_rate\":16000", "\"sample_rate\":0", "front_end.sample_rate"),
        ("\"frame_length\":400", "\"frame_length\":0", "front_end.frame_length"),
        ("\"hop_length\":160", "\"hop_length\":0", "front_end.hop_length"),
        ("\"window\"", "\"n_fft\":256,\"window\"", "front_end.n_fft"),
        ("\"f_max\":8000.0", "\"f_max\":8001.0", "front_end.f_max"),
        ("\"window\"", "\"pre_emphasis\":1.5,\"window\"", "front_end.pre_emphasis"),
        ("\"window\"", "\"gain\":0.0,\"window\"", "front_end.gain"),
    ] {
        let spec: FrontEndSpec = serde_json::from_str(&beats.replace(from, to)).unwrap();
        assert_eq!(spec.validate().unwrap_err().field, field);
    }
}
