//! 95 % intervals of shares.

use super::normal::Z_95;
use crate::report::Interval;

/// Wilson's 95 % score interval of `successes` among `trials`.
///
/// Wilson, "Probable inference, the law of succession, and statistical inference", 1927; it keeps its level near 0
/// and 1, where the textbook's interval does not. Without trials the share is 0 and anything between 0 and 1.
#[must_use]
pub fn wilson(successes: usize, trials: usize) -> Interval {
    share(if trials == 0 { 0.0 } else { successes as f64 / trials as f64 }, trials)
}

/// Wilson's interval of a share that `independent` observations stand behind. They may be fewer than were counted:
/// the captions of one clip are one observation.
pub(super) fn share(value: f64, independent: usize) -> Interval {
    if independent == 0 {
        return Interval { value, low: 0.0, high: 1.0 };
    }
    let n = independent as f64;
    let z2 = Z_95 * Z_95;
    let centre = (value + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z_95 / (1.0 + z2 / n) * (value * (1.0 - value) / n + z2 / (4.0 * n * n)).sqrt();
    // Rounding must not put the share itself outside, at 0 and at 1.
    Interval { value, low: (centre - half).clamp(0.0, value), high: (centre + half).clamp(value, 1.0) }
}
