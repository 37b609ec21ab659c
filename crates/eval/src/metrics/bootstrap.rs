//! Bootstrap intervals, seeded.

use earmark_engine::random::Random;

use super::normal::Z_95;
use crate::report::Interval;

/// Any fixed number: the same data has the same interval.
const SEED: u64 = 0x0ea2_3a2c;

/// Resamples. For a standard error more than 200 are seldom needed (Efron and Tibshirani, "An introduction to the
/// bootstrap", 1993, section 6.4).
const RESAMPLES: usize = 200;

/// The 95 % interval of a figure in `0..=1` over `clips` independent clips: plus and minus 1.96 bootstrap standard
/// errors.
///
/// Not percentiles: a resample holds clips twice, which lifts average precision, so that they may lie beside the
/// figure itself.
/// `figure` is given how often each clip was drawn, and is `None` where it is undefined; such resamples are left out.
pub(super) fn interval(value: f64, clips: usize, figure: impl Fn(&[u32]) -> Option<f64>) -> Interval {
    let mut random = Random::new(SEED);
    let mut drawn = vec![0_u32; clips];
    let figures: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            drawn.fill(0);
            for _ in 0..clips {
                drawn[random.below(clips)] += 1;
            }
            figure(&drawn)
        })
        .collect();
    let half = Z_95 * standard_deviation(&figures);
    Interval { value, low: (value - half).max(0.0), high: (value + half).min(1.0) }
}

/// 0 where there are fewer than two.
fn standard_deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::interval;

    #[test]
    fn a_mean_has_the_interval_of_theory() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 4 == 0)).collect();
        let mean = |drawn: &[u32]| {
            Some(drawn.iter().zip(&values).map(|(&n, v)| f64::from(n) * v).sum::<f64>() / 400.0)
        };
        let ours = interval(0.25, 400, mean);
        let half = 1.96 * (0.25_f64 * 0.75 / 400.0).sqrt();
        // A standard error of 200 resamples is itself off by about 5 %.
        assert!((ours.low - (0.25 - half)).abs() < 0.15 * half, "{ours:?}");
        assert!((ours.high - (0.25 + half)).abs() < 0.15 * half, "{ours:?}");
        assert_eq!(ours, interval(0.25, 400, mean), "it is seeded");
    }

    #[test]
    fn a_figure_that_is_never_defined_keeps_its_value() {
        let ours = interval(0.5, 3, |_| None);
        assert_eq!((ours.low, ours.high), (0.5, 0.5));
    }
}
