//! Windows of a stream: how many, what is in them, and that block sizes do not matter.

#![allow(clippy::unwrap_used)]

use earmark_audio::{
    CenterOver, FeatureShape, FeatureSpec, FeatureWindow, FrontEnd, FrontEndSpec, FusionSpec, KaldiFbankSpec,
    LogKind, LogMelSpec, LogScale, MelNorm, MelScale, MelShape, Normalise, PadMode, ShortPad, SpecError,
    Spectrum, Tail, WaveformSpec, WindowFunction, WindowSpec, WindowStream,
};
use proptest::prelude::*;

/// Small front ends, so that many cases are cheap.
fn log_mel(center: bool) -> LogMelSpec {
    LogMelSpec {
        sample_rate: 1000,
        n_fft: 32,
        win_length: 25,
        hop_length: 10,
        window: WindowFunction::HannPeriodic,
        center,
        center_over: CenterOver::Window,
        pad_mode: PadMode::Reflect,
        spectrum: Spectrum::Magnitude,
        n_mels: 4,
        f_min: 20.0,
        f_max: 500.0,
        mel_scale: MelScale::Htk,
        mel_norm: MelNorm::None,
        mel_shape: MelShape::Hz,
        log: LogScale { kind: LogKind::Ln, offset: Some(0.001), floor: None },
    }
}

/// Centred over the stream, with or without what makes it so.
fn over_the_stream(center: bool, pad_mode: PadMode) -> LogMelSpec {
    let center_over = if center { CenterOver::Stream } else { CenterOver::Window };
    LogMelSpec { win_length: 32, center_over, pad_mode, ..log_mel(center) }
}

fn front_ends() -> Vec<FrontEndSpec> {
    vec![
        FrontEndSpec::LogMel(over_the_stream(true, PadMode::Reflect)),
        FrontEndSpec::LogMel(over_the_stream(true, PadMode::Zero)),
        FrontEndSpec::LogMel(log_mel(false)),
        FrontEndSpec::LogMel(log_mel(true)),
        FrontEndSpec::KaldiFbank(KaldiFbankSpec {
            sample_rate: 1000,
            frame_length: 25,
            hop_length: 10,
            n_fft: None,
            window: WindowFunction::Povey,
            n_mels: 4,
            f_min: 20.0,
            f_max: 500.0,
            pre_emphasis: 0.97,
            remove_dc: true,
            gain: 1.0,
        }),
        FrontEndSpec::Waveform(WaveformSpec { sample_rate: 1000, normalise: Normalise::UnitVariance }),
    ]
}

fn window(length_samples: usize, hop_samples: usize) -> WindowSpec {
    WindowSpec { length_samples, hop_samples, pad: ShortPad::Zero, tail: Tail::Zero }
}

fn noise(n: usize) -> Vec<f32> {
    (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 9) as f32 / 8_388_608.0 - 0.5).collect()
}

fn open(front: &FrontEndSpec, features: &FeatureSpec, spec: &WindowSpec) -> Result<WindowStream, SpecError> {
    FrontEnd::new(front, features).and_then(|front_end| WindowStream::new(front_end, spec))
}

/// Runs a stream over `samples` in blocks of the given lengths, over and over.
fn run(stream: &mut WindowStream, samples: &[f32], blocks: &[usize]) -> Vec<FeatureWindow> {
    let mut windows = Vec::new();
    let mut rest = samples;
    for len in blocks.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (block, tail) = rest.split_at((*len).min(rest.len()));
        stream.push(block, &mut |window| windows.push(window));
        rest = tail;
    }
    stream.finish(&mut |window| windows.push(window));
    windows
}

/// `numpy.pad` with "reflect" or "constant".
fn pad(samples: &[f32], width: usize, mode: PadMode) -> Vec<f32> {
    let there = samples.iter().copied();
    let back_and_forth: Vec<f32> =
        there.clone().chain(there.rev().skip(1).take(samples.len().max(2) - 2)).collect();
    let beyond = |at: i64| match mode {
        PadMode::Zero => 0.0,
        PadMode::Reflect => back_and_forth[at.rem_euclid(back_and_forth.len() as i64) as usize],
    };
    let (n, width) = (samples.len() as i64, width as i64);
    (-width..n + width)
        .map(|at| if (0..n).contains(&at) { samples[at as usize] } else { beyond(at) })
        .collect()
}

/// What the windows should be, each computed alone from the rules in `WindowSpec`.
fn expected(
    front: &FrontEndSpec,
    features: &FeatureSpec,
    spec: &WindowSpec,
    samples: &[f32],
) -> Vec<FeatureWindow> {
    let (n, length, hop) = (samples.len(), spec.length_samples, spec.hop_samples);
    if n == 0 {
        return Vec::new();
    }
    let mut front_end = FrontEnd::new(front, features).unwrap();
    let frame =
        if let FrontEndSpec::KaldiFbank(_) | FrontEndSpec::LogMel(LogMelSpec { center: false, .. }) = front {
            25
        } else {
            1
        };
    let full = features.fusion.map_or(length, |fusion| fusion.chunk_samples);
    (0..1 + n.saturating_sub(length).div_ceil(hop))
        .map(|index| {
            let mut start = index * hop;
            if start + length > n && index > 0 && spec.tail == Tail::Shift {
                start = n - length;
            }
            let mut window = samples[start..n.min(start + length)].to_vec();
            if index == 0 && n < full {
                let whole_copies = full / n;
                window = match spec.pad {
                    ShortPad::Zero | ShortPad::None => window,
                    ShortPad::Repeat => window.repeat(whole_copies + 1)[..full].to_vec(),
                    ShortPad::RepeatZero => window.repeat(whole_copies),
                };
            }
            let least = if spec.pad == ShortPad::None { frame } else { full };
            window.resize(window.len().max(least), 0.0);
            let alone = match front {
                FrontEndSpec::LogMel(spec) if spec.center_over == CenterOver::Stream => {
                    let stream = if start + window.len() <= n {
                        samples.to_vec()
                    } else {
                        [&samples[..start], &window].concat()
                    };
                    // Samples that as many frames span, padding included.
                    let span = |n: usize| (n.div_ceil(10) - 1) * 10 + 32;
                    let fusion = features.fusion.map(|f| FusionSpec { chunk_samples: span(f.chunk_samples) });
                    let padded = pad(&stream, 16, spec.pad_mode);
                    let spec = FrontEndSpec::LogMel(over_the_stream(false, spec.pad_mode));
                    let mut plain =
                        FrontEnd::new(&spec, &FeatureSpec { fusion, ..features.clone() }).unwrap();
                    plain.compute(&padded[start..start + span(window.len())])
                }
                _ => front_end.compute(&window),
            };
            FeatureWindow {
                index,
                start_s: start as f64 / 1000.0,
                end_s: n.min(start + length) as f64 / 1000.0,
                features: alone,
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn windows_are_those_computed_alone_whatever_the_blocks(
        n in 0..600usize,
        length in 25..200usize,
        hop_share in 0.01..=1.0f64,
        whole_frames in any::<bool>(),
        front in prop::sample::select(front_ends()),
        pad in prop::sample::select(vec![
            ShortPad::Zero, ShortPad::Repeat, ShortPad::RepeatZero, ShortPad::None,
        ]),
        tail in prop::sample::select(vec![Tail::Zero, Tail::Shift]),
        frames in prop::option::of(1..20usize),
        chunk_share in prop::option::of(0.2..=1.0f64),
        steps in any::<bool>(),
        blocks in prop::collection::vec(1..300usize, 1..6),
    ) {
        let mut hop = ((length as f64 * hop_share) as usize).max(1);
        if whole_frames {
            hop = (hop / 10 * 10).max(10);
        }
        let mut features = FeatureSpec { frames, ..FeatureSpec::default() };
        if steps {
            features = FeatureSpec { fill: 0.5, dynamic_range: Some(2.0), mean: -1.0, std: 3.0, ..features };
        }
        match (chunk_share, &front) {
            _ if pad == ShortPad::None => features.frames = Some(frames.unwrap_or(7)),
            (Some(share), FrontEndSpec::LogMel(_) | FrontEndSpec::KaldiFbank(_)) => {
                let chunk_samples = ((length as f64 * share) as usize).max(25);
                features = FeatureSpec { frames: None, fusion: Some(FusionSpec { chunk_samples }), ..features };
            }
            _ => {}
        }
        let spec = WindowSpec { pad, tail, ..window(length, hop) };
        let samples = noise(n);
        let mut stream = open(&front, &features, &spec).unwrap();
        let FeatureShape { channels, frames, bands } = stream.shape();
        let got = run(&mut stream, &samples, &blocks);
        for window in &got {
            prop_assert_eq!(window.features.len(), channels * frames * bands);
        }
        // Every sample is in a window, the windows' ends advance, and the last one ends with the sound.
        let mut covered = 0.0;
        for window in &got {
            prop_assert!(window.start_s <= covered && covered < window.end_s);
            covered = window.end_s;
        }
        prop_assert_eq!(covered, n as f64 / 1000.0);
        // Equal to the last bit.
        prop_assert_eq!(got, expected(&front, &features, &spec, &samples));
    }
}

#[test]
fn yamnets_patches() {
    let front = FrontEndSpec::LogMel(LogMelSpec {
        sample_rate: 16_000,
        n_fft: 512,
        win_length: 400,
        hop_length: 160,
        n_mels: 64,
        f_min: 125.0,
        f_max: 7500.0,
        mel_shape: MelShape::Mel,
        ..log_mel(false)
    });
    let mut stream = open(&front, &FeatureSpec::default(), &window(15_600, 7680)).unwrap();
    assert_eq!(stream.shape(), FeatureShape { channels: 1, frames: 96, bands: 64 });
    for (n, windows) in [(1, 1), (15_600, 1), (15_601, 2), (23_280, 2), (23_281, 3), (160_000, 20)] {
        let got = run(&mut stream, &noise(n), &[1111]);
        assert_eq!(got.len(), windows, "{n} samples");
        assert!(got.iter().all(|w| w.features.len() == 96 * 64));
        assert_eq!(got.last().unwrap().end_s, n as f64 / 16_000.0);
        assert!(
            got.iter().enumerate().all(|(i, w)| w.index == i && w.start_s == (7680 * i) as f64 / 16_000.0)
        );
    }
}

#[test]
fn a_shifted_last_window_ends_with_the_sound() {
    let spec = WindowSpec { tail: Tail::Shift, ..window(100, 100) };
    let front = FrontEndSpec::Waveform(WaveformSpec { sample_rate: 1000, normalise: Normalise::None });
    let mut stream = open(&front, &FeatureSpec::default(), &spec).unwrap();
    let samples = noise(230);
    let got = run(&mut stream, &samples, &[7]);
    let spans: Vec<_> = got.iter().map(|w| (w.start_s, w.end_s)).collect();
    assert_eq!(spans, [(0.0, 0.1), (0.1, 0.2), (0.13, 0.23)]);
    assert_eq!(got[2].features, samples[130..]);
    // Whole windows need no shift, and a stream shorter than a window is padded.
    assert_eq!(run(&mut stream, &samples[..200], &[7]).len(), 2);
    let short = run(&mut stream, &samples[..30], &[7]);
    assert_eq!((short.len(), short[0].end_s, short[0].features.len()), (1, 0.03, 100));
}

#[test]
fn a_finished_stream_starts_over() {
    for tail in [Tail::Zero, Tail::Shift] {
        let spec = WindowSpec { pad: ShortPad::Repeat, tail, ..window(100, 50) };
        let mut stream = open(&front_ends()[2], &FeatureSpec::default(), &spec).unwrap();
        let first = run(&mut stream, &noise(333), &[1000]);
        assert_eq!(run(&mut stream, &[], &[1000]), []);
        assert_eq!(run(&mut stream, &noise(333), &[1000]), first);
    }
}

#[test]
fn specs_that_make_no_sense_name_the_field() {
    let front_ends = front_ends();
    let none = FeatureSpec::default();
    let field = |front: usize, features: &FeatureSpec, spec: WindowSpec| {
        let error = open(&front_ends[front], features, &spec).err().unwrap();
        assert!(error.to_string().contains("expected"), "{error}");
        error.field
    };
    assert_eq!(field(2, &none, window(0, 1)), "window.length_samples");
    assert_eq!(field(2, &none, window(24, 1)), "window.length_samples");
    assert_eq!(field(4, &none, window(24, 1)), "window.length_samples");
    assert_eq!(field(2, &none, window(usize::MAX, 1)), "window.length_samples");
    assert_eq!(field(2, &none, window(100, 0)), "window.hop_samples");
    assert_eq!(field(2, &none, window(100, 101)), "window.hop_samples");
    let unpadded = WindowSpec { pad: ShortPad::None, ..window(100, 100) };
    assert_eq!(field(2, &none, unpadded), "features.frames");

    let bad = |change: &dyn Fn(&mut FeatureSpec)| {
        let mut features = FeatureSpec::default();
        change(&mut features);
        field(2, &features, window(100, 100))
    };
    assert_eq!(bad(&|f| f.frames = Some(0)), "features.frames");
    assert_eq!(bad(&|f| f.frames = Some(usize::MAX)), "features.frames");
    assert_eq!(bad(&|f| f.fill = f32::NAN), "features.fill");
    assert_eq!(bad(&|f| f.dynamic_range = Some(0.0)), "features.dynamic_range");
    assert_eq!(bad(&|f| f.mean = f64::INFINITY), "features.mean");
    assert_eq!(bad(&|f| f.std = 0.0), "features.std");

    let fusion = |chunk_samples| FeatureSpec { fusion: Some(FusionSpec { chunk_samples }), ..none.clone() };
    assert_eq!(field(2, &fusion(0), window(100, 100)), "features.fusion.chunk_samples");
    assert_eq!(field(2, &fusion(24), window(100, 100)), "features.fusion.chunk_samples");
    assert_eq!(field(2, &fusion(101), window(100, 100)), "window.length_samples");
    assert_eq!(field(2, &fusion(50), unpadded), "window.pad");
    assert_eq!(field(5, &fusion(50), window(100, 100)), "features.fusion");
    let both = FeatureSpec { frames: Some(5), ..fusion(50) };
    assert_eq!(field(2, &both, window(100, 100)), "features.frames");
}

#[test]
fn the_json_of_a_window_without_a_tail_is_what_it_was() {
    let json = r#"{"length_samples":10,"hop_samples":5,"pad":"repeat_zero"}"#;
    let spec: WindowSpec = serde_json::from_str(json).unwrap();
    assert_eq!(spec.tail, Tail::Zero);
    assert_eq!(serde_json::to_string(&spec).unwrap(), json);
}
