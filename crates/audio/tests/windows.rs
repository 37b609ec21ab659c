//! Windows of a stream: how many, what is in them, and that block sizes do not matter.

#![allow(clippy::unwrap_used)]

use earmark_audio::{
    FeatureWindow, LogKind, LogMel, LogMelSpec, LogScale, MelNorm, MelScale, MelShape, PadMode, ShortPad,
    Spectrum, WindowFunction, WindowSpec, WindowStream,
};
use proptest::prelude::*;

/// A small front end, so that many cases are cheap.
fn small(center: bool) -> LogMelSpec {
    LogMelSpec {
        sample_rate: 1000,
        n_fft: 32,
        win_length: 25,
        hop_length: 10,
        window: WindowFunction::HannPeriodic,
        center,
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

fn noise(n: usize) -> Vec<f32> {
    (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 9) as f32 / 8_388_608.0 - 0.5).collect()
}

/// Runs a stream over `samples` in blocks of the given lengths, over and over.
fn stream(front: &LogMelSpec, spec: &WindowSpec, samples: &[f32], blocks: &[usize]) -> Vec<FeatureWindow> {
    let mut stream = WindowStream::new(LogMel::new(front).unwrap(), spec).unwrap();
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

/// What the windows should be, each computed alone from the rules in `WindowSpec`.
fn expected(front: &LogMelSpec, spec: &WindowSpec, samples: &[f32]) -> Vec<FeatureWindow> {
    let (n, length, hop) = (samples.len(), spec.length_samples, spec.hop_samples);
    if n == 0 {
        return Vec::new();
    }
    let mut log_mel = LogMel::new(front).unwrap();
    (0..1 + n.saturating_sub(length).div_ceil(hop))
        .map(|index| {
            let start = index * hop;
            let mut window = samples[start..n.min(start + length)].to_vec();
            if index == 0 && n < length {
                let whole_copies = length / n;
                window = match spec.pad {
                    ShortPad::Zero => window,
                    ShortPad::Repeat => window.repeat(whole_copies + 1)[..length].to_vec(),
                    ShortPad::RepeatZero => window.repeat(whole_copies),
                };
            }
            window.resize(length, 0.0);
            let mut features = Vec::new();
            log_mel.compute(&window, &mut features);
            FeatureWindow {
                index,
                start_s: start as f64 / 1000.0,
                end_s: n.min(start + length) as f64 / 1000.0,
                features,
            }
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn windows_are_those_computed_alone_whatever_the_blocks(
        n in 0..600usize,
        length in 25..200usize,
        hop_share in 0.01..=1.0f64,
        whole_frames in any::<bool>(),
        center in any::<bool>(),
        pad in prop::sample::select(vec![ShortPad::Zero, ShortPad::Repeat, ShortPad::RepeatZero]),
        blocks in prop::collection::vec(1..300usize, 1..6),
    ) {
        let mut hop = ((length as f64 * hop_share) as usize).max(1);
        if whole_frames {
            hop = (hop / 10 * 10).max(10);
        }
        let spec = WindowSpec { length_samples: length, hop_samples: hop, pad };
        let samples = noise(n);
        let got = stream(&small(center), &spec, &samples, &blocks);
        // Equal to the last bit.
        prop_assert_eq!(got, expected(&small(center), &spec, &samples));
    }
}

#[test]
fn yamnets_patches() {
    let front = LogMelSpec {
        sample_rate: 16_000,
        n_fft: 512,
        win_length: 400,
        hop_length: 160,
        n_mels: 64,
        f_min: 125.0,
        f_max: 7500.0,
        mel_shape: MelShape::Mel,
        ..small(false)
    };
    let spec = WindowSpec { length_samples: 15_600, hop_samples: 7680, pad: ShortPad::Zero };
    let log_mel = LogMel::new(&front).unwrap();
    let probe = WindowStream::new(log_mel, &spec).unwrap();
    assert_eq!((probe.frames_per_window(), probe.n_mels()), (96, 64));
    for (n, windows) in [(1, 1), (15_600, 1), (15_601, 2), (23_280, 2), (23_281, 3), (160_000, 20)] {
        let got = stream(&front, &spec, &noise(n), &[1111]);
        assert_eq!(got.len(), windows, "{n} samples");
        assert!(got.iter().all(|w| w.features.len() == 96 * 64));
        assert_eq!(got.last().unwrap().end_s, n as f64 / 16_000.0);
        assert!(
            got.iter().enumerate().all(|(i, w)| w.index == i && w.start_s == (7680 * i) as f64 / 16_000.0)
        );
    }
}

#[test]
fn a_finished_stream_starts_over() {
    let spec = WindowSpec { length_samples: 100, hop_samples: 50, pad: ShortPad::Repeat };
    let mut stream = WindowStream::new(LogMel::new(&small(false)).unwrap(), &spec).unwrap();
    let mut run = |samples: &[f32]| {
        let mut windows = Vec::new();
        stream.push(samples, &mut |w| windows.push(w));
        stream.finish(&mut |w| windows.push(w));
        windows
    };
    let first = run(&noise(333));
    assert_eq!(run(&[]), []);
    assert_eq!(run(&noise(333)), first);
}

#[test]
fn windows_that_make_no_sense() {
    let field = |length_samples, hop_samples| {
        let spec = WindowSpec { length_samples, hop_samples, pad: ShortPad::Zero };
        WindowStream::new(LogMel::new(&small(false)).unwrap(), &spec).err().unwrap().field
    };
    assert_eq!(field(0, 1), "length_samples");
    assert_eq!(field(24, 1), "length_samples");
    assert_eq!(field(100, 0), "hop_samples");
    assert_eq!(field(100, 101), "hop_samples");
}
