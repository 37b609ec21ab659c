//! Cross-correlation by Fourier transform.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;

/// The sums `sum over channels and t of a[t + lag] * b[t]` for every lag at which the two overlap.
pub(super) struct Correlation {
    sums: Vec<f32>,
    size: usize,
}

impl Correlation {
    /// Correlates the channels of `a` with those of `b`, in pairs. All channels of one have the same length.
    pub(super) fn of<'a>(
        channels: impl Iterator<Item = (&'a [f32], &'a [f32])>,
        lengths: (usize, usize),
    ) -> Self {
        let size = (lengths.0 + lengths.1).next_power_of_two().max(2);
        let mut planner = RealFftPlanner::<f32>::new();
        let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
        let mut sum = forward.make_output_vec();
        let (mut first, mut second) = (forward.make_output_vec(), forward.make_output_vec());
        let mut padded = forward.make_input_vec();
        for (a, b) in channels {
            for (samples, spectrum) in [(a, &mut first), (b, &mut second)] {
                padded.fill(0.0);
                padded[..samples.len()].copy_from_slice(samples);
                // Cannot fail, as below: the lengths are the plan's own.
                let _ = forward.process(&mut padded, spectrum);
            }
            for (sum, (a, b)) in sum.iter_mut().zip(first.iter().zip(&second)) {
                *sum += a * b.conj();
            }
        }
        // Both are real where the signal is.
        for edge in [0, size / 2] {
            sum[edge] = Complex::new(sum[edge].re, 0.0);
        }
        let _ = inverse.process(&mut sum, &mut padded);
        padded.iter_mut().for_each(|value| *value /= size as f32);
        Self { sums: padded, size }
    }

    /// The sum at a lag.
    pub(super) fn at(&self, lag: isize) -> f64 {
        let place = lag.rem_euclid(self.size as isize) as usize;
        f64::from(self.sums[place])
    }
}

/// Sums of the first values, so that any stretch can be summed at once.
pub(super) struct Prefix(Vec<f64>);

impl Prefix {
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut sums = vec![0.0];
        let mut total = 0.0;
        sums.extend(values.map(|value| {
            total += value;
            total
        }));
        Self(sums)
    }

    /// The sum of the values from `start` up to `end`.
    pub(super) fn sum(&self, start: usize, end: usize) -> f64 {
        self.0[end] - self.0[start]
    }
}

/// The stretch of `a`, and that of `b`, which lie over each other when `b` begins at `lag` in `a`.
pub(super) fn overlap(a: usize, b: usize, lag: isize) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let start = lag.max(0) as usize;
    let end = (b as isize + lag).clamp(0, a as isize) as usize;
    let start = start.min(end);
    let shifted = |at: usize| (at as isize - lag).max(0) as usize;
    (start..end, shifted(start)..shifted(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_signal_correlates_best_at_its_shift() {
        let signal: Vec<f32> = (0..300).map(|i| ((i * i * 37 % 101) as f32) - 50.0).collect();
        for (a, b, shift) in
            [(&signal[..], &signal[40..], 40), (&signal[25..], &signal[..], -25), (&signal, &signal, 0)]
        {
            let found = Correlation::of(std::iter::once((a, b)), (a.len(), b.len()));
            let lags = 1 - b.len() as isize..a.len() as isize;
            let best = lags.max_by(|x, y| found.at(*x).total_cmp(&found.at(*y))).unwrap();
            assert_eq!(best, shift);
            let (over_a, over_b) = overlap(a.len(), b.len(), best);
            assert_eq!(a[over_a], b[over_b]);
        }
    }

    #[test]
    fn what_does_not_overlap_has_an_empty_overlap() {
        assert!(overlap(10, 5, 10).0.is_empty());
        assert!(overlap(10, 5, -5).0.is_empty());
        assert_eq!(overlap(10, 5, 7), (7..10, 0..3));
    }
}
