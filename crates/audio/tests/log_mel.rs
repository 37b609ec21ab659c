//! The log-mel front end against numpy and librosa, whose values `goldens/make_goldens.py` recorded.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;

use earmark_audio::{CenterOver, FeatureSpec, FrontEnd, FrontEndSpec, LogMelSpec};
use serde::Deserialize;

/// One recorded front end.
#[derive(Deserialize)]
struct Golden {
    name: String,
    spec: LogMelSpec,
    n_samples: usize,
    frames: usize,
    /// `[frames, n_mels]`.
    values: Vec<f64>,
}

fn plan(spec: &LogMelSpec) -> FrontEnd {
    FrontEnd::new(&FrontEndSpec::LogMel(spec.clone()), &FeatureSpec::default()).unwrap()
}

fn goldens() -> Vec<Golden> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/log_mel.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn every_front_end_matches_numpy_within_1e_4() {
    let goldens = goldens();
    assert!(goldens.len() >= 13);
    for golden in goldens {
        let mut log_mel = plan(&golden.spec);
        let samples = common::signal(golden.n_samples, f64::from(golden.spec.sample_rate));
        let got = log_mel.compute(&samples);
        assert_eq!(log_mel.frames(samples.len()), golden.frames, "{}", golden.name);
        assert_eq!(got.len(), golden.values.len(), "{}", golden.name);
        let worst =
            got.iter().zip(&golden.values).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        println!("{}: off by at most {worst:.2e}", golden.name);
        assert!(worst < 1e-4, "{}: off by {worst:.2e}", golden.name);
        // A clone over used scratch space gives the same bits.
        assert_eq!(got, log_mel.clone().compute(&samples), "{}", golden.name);
    }
}

#[test]
fn specs_that_make_no_sense_name_the_field() {
    let good = goldens().swap_remove(0).spec;
    let field = |change: &dyn Fn(&mut LogMelSpec)| {
        let mut spec = good.clone();
        change(&mut spec);
        let error = FrontEndSpec::LogMel(spec).validate().unwrap_err();
        assert!(error.to_string().contains("expected"), "{error}");
        error.field.strip_prefix("front_end.").unwrap()
    };
    assert_eq!(field(&|s| s.sample_rate = 0), "sample_rate");
    assert_eq!(field(&|s| s.n_fft = 511), "n_fft");
    assert_eq!(field(&|s| s.n_fft = usize::MAX - 1), "n_fft");
    assert_eq!(field(&|s| s.win_length = 0), "win_length");
    assert_eq!(field(&|s| s.win_length = 513), "win_length");
    assert_eq!(field(&|s| s.hop_length = 0), "hop_length");
    assert_eq!(field(&|s| s.center_over = CenterOver::Stream), "center_over");
    assert_eq!(field(&|s| s.n_mels = 0), "n_mels");
    assert_eq!(field(&|s| s.f_min = f64::NAN), "f_min");
    assert_eq!(field(&|s| s.f_max = 8001.0), "f_max");
    assert_eq!(field(&|s| s.f_max = s.f_min), "f_max");
    assert_eq!(field(&|s| s.log.offset = Some(f64::INFINITY)), "log.offset");
    assert_eq!(field(&|s| s.log.floor = Some(1e-10)), "log");
    assert_eq!(field(&|s| s.log.offset = None), "log");
}

#[test]
fn specs_are_strict_about_their_fields() {
    let yamnet = r#"{"sample_rate": 16000, "n_fft": 512, "win_length": 400, "hop_length": 160,
        "window": "hann_periodic", "spectrum": "magnitude", "n_mels": 64, "f_min": 125.0,
        "f_max": 7500.0, "mel_scale": "htk", "mel_norm": "none", "mel_shape": "mel",
        "log": {"type": "ln", "offset": 0.001}}"#;
    let spec: LogMelSpec = serde_json::from_str(yamnet).unwrap();
    assert!(!spec.center);
    assert_eq!(spec.validate(), Ok(()));
    let again = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    assert_eq!(spec, again);
    for (from, to) in [("n_mels", "n_mel"), ("\"offset\"", "\"ofset\""), ("hann_periodic", "hamming")] {
        let bad = yamnet.replace(from, to);
        assert!(serde_json::from_str::<LogMelSpec>(&bad).is_err(), "{to}");
    }
}

#[test]
fn no_samples_no_frames() {
    for golden in goldens() {
        let mut log_mel = plan(&golden.spec);
        assert!(log_mel.compute(&[]).is_empty());
        let one = log_mel.compute(&[0.5]);
        assert_eq!(one.len(), log_mel.frames(1) * golden.spec.n_mels);
        assert!(one.iter().all(|v| v.is_finite()));
    }
}
