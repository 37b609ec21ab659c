//! Bootstrap intervals, seeded.

use crate::report::Interval;

/// Any fixed number: the same data has the same interval.
const SEED: u64 = 0x0ea2_3a2c;

/// Resamples at most; the usual number for percentile intervals.
const MOST: usize = 1000;

/// Resamples at least.
const LEAST: usize = 100;

/// Work in steps of `cost` beyond which fewer resamples are made: some seconds.
const BUDGET: usize = 2_000_000_000;

/// The percentile bootstrap's 95 % interval (Efron, 1979) of a figure over `clips` independent clips.
///
/// `figure` is given how often each clip was drawn, and is `None` where it is undefined; such resamples are left out.
/// `cost` is the work of one call in steps, by which large sets get fewer resamples: 1000 at most, 100 at least.
pub(super) fn percentile_interval(
    value: f64,
    clips: usize,
    cost: usize,
    figure: impl Fn(&[u32]) -> Option<f64>,
) -> Interval {
    let resamples = (BUDGET / cost.max(1)).clamp(LEAST, MOST);
    let mut state = SEED;
    let mut drawn = vec![0_u32; clips];
    let mut figures: Vec<f64> = (0..resamples)
        .filter_map(|_| {
            drawn.fill(0);
            for _ in 0..clips {
                drawn[below(&mut state, clips)] += 1;
            }
            figure(&drawn)
        })
        .collect();
    figures.sort_by(f64::total_cmp);
    Interval { value, low: quantile(&figures, 0.025, value), high: quantile(&figures, 0.975, value) }
}

/// The quantile of sorted numbers, interpolated between neighbours.
fn quantile(sorted: &[f64], q: f64, otherwise: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return otherwise };
    let place = q * last as f64;
    let low = place.floor() as usize;
    let high = (low + 1).min(last);
    sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64)
}

/// A number below `bound`: splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
/// 2014), scaled by multiplication.
fn below(state: &mut u64, bound: usize) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    ((u128::from(z) * bound as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::percentile_interval;

    /// The bootstrap interval of a mean is close to the one of theory.
    #[test]
    fn a_mean_has_the_interval_of_theory() {
        let values: Vec<f64> = (0..400).map(|i| f64::from(i % 4 == 0)).collect();
        let mean = |drawn: &[u32]| {
            Some(drawn.iter().zip(&values).map(|(&n, v)| f64::from(n) * v).sum::<f64>() / 400.0)
        };
        let interval = percentile_interval(0.25, 400, 400, mean);
        let half = 1.96 * (0.25_f64 * 0.75 / 400.0).sqrt();
        assert!((interval.low - (0.25 - half)).abs() < 0.006, "{interval:?}");
        assert!((interval.high - (0.25 + half)).abs() < 0.006, "{interval:?}");
        assert_eq!(interval, percentile_interval(0.25, 400, 400, mean));
    }

    #[test]
    fn a_figure_that_is_never_defined_keeps_its_value() {
        let interval = percentile_interval(0.5, 3, 3, |_| None);
        assert_eq!((interval.low, interval.high), (0.5, 0.5));
    }
}
