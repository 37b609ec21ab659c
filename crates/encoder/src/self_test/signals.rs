//! Test signals that any program can make from their formulas: ten seconds, mono, at any rate.

use std::f64::consts::TAU;

/// The signals, by the names that golden files use.
pub(super) const NAMES: [&str; 3] = ["sweep", "noise", "clicks"];

/// Length, seconds.
const SECONDS: f64 = 10.0;

/// The signal of that name: `10 * sample_rate` samples, or `None` for a name that is not known.
///
/// - `sweep`: `0.5 sin(2π (100 t + (f1 - 100) t² / 20))`, from 100 Hz to `f1` = 0.4 × the rate
/// - `noise`: state `x ← 6364136223846793005 x + 1442695040888963407` modulo 2⁶⁴ (Knuth's MMIX), from 1, updated before
///   each sample, which is `0.25 ((x >> 40) / 2²³ - 1)`
/// - `clicks`: every half second `0.8 exp(-t / 0.02) sin(2π 1000 t)`, `t` counting from the click
pub(super) fn make(name: &str, sample_rate: u32) -> Option<Vec<f32>> {
    let rate = f64::from(sample_rate);
    let times = (0..(SECONDS * rate) as usize).map(|n| n as f64 / rate);
    match name {
        "sweep" => {
            let last_hz = 0.4 * rate;
            let phase = |t: f64| TAU * (100.0 * t + (last_hz - 100.0) * t * t / (2.0 * SECONDS));
            Some(times.map(|t| (0.5 * phase(t).sin()) as f32).collect())
        }
        "noise" => {
            let mut state: u64 = 1;
            let mut next = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (0.25 * ((state >> 40) as f64 / f64::from(1 << 23) - 1.0)) as f32
            };
            Some(times.map(|_| next()).collect())
        }
        "clicks" => {
            let click = |t: f64| 0.8 * (-t / 0.02).exp() * (TAU * 1000.0 * t).sin();
            Some(times.map(|t| click(t % 0.5) as f32).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_ten_seconds_of_sound_and_unknown_names_are_none() {
        for name in NAMES {
            let samples = make(name, 16_000).unwrap();
            assert_eq!(samples.len(), 160_000);
            assert!(
                samples.iter().all(|s| s.abs() <= 1.0) && samples.iter().any(|s| s.abs() > 0.2),
                "{name}"
            );
        }
        assert_eq!(make("hum", 16_000), None);
    }
}
