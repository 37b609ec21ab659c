//! The running median.

/// Median of the values up to `half` columns away from each, near the ends of those that there are; of an
/// even number the mean of the two in the middle.
///
/// Values are ranked once; a Fenwick tree (Fenwick, 1994) counts the ranks inside the moving stretch and
/// finds the k-th, so the time is O(n log n) whatever `half` is.
pub(super) fn running_median(values: &[f32], half: usize) -> Vec<f32> {
    let n = values.len();
    let mut by_rank: Vec<usize> = (0..n).collect();
    by_rank.sort_by(|&a, &b| values[a].total_cmp(&values[b]).then(a.cmp(&b)));
    let mut rank = vec![0; n];
    for (r, &at) in by_rank.iter().enumerate() {
        rank[at] = r;
    }
    let mut inside = Ranks::new(n);
    let (mut first, mut end) = (0, 0);
    (0..n)
        .map(|at| {
            while end < n && end <= at.saturating_add(half) {
                inside.add(rank[end]);
                end += 1;
            }
            while first + half < at {
                inside.remove(rank[first]);
                first += 1;
            }
            let count = end - first;
            let value = |k| values[by_rank[inside.nth(k)]];
            f32::midpoint(value((count - 1) / 2), value(count / 2))
        })
        .collect()
}

/// A set of ranks `0..n` that can tell its n-th member.
struct Ranks {
    /// `counts[i]` is how many of the ranks `i - lowest_bit(i) .. i` are in the set; index 0 is unused.
    counts: Vec<usize>,
}

impl Ranks {
    fn new(n: usize) -> Self {
        Self { counts: vec![0; n + 1] }
    }

    fn add(&mut self, rank: usize) {
        let mut at = rank + 1;
        while at < self.counts.len() {
            self.counts[at] += 1;
            at += at & at.wrapping_neg();
        }
    }

    fn remove(&mut self, rank: usize) {
        let mut at = rank + 1;
        while at < self.counts.len() {
            self.counts[at] -= 1;
            at += at & at.wrapping_neg();
        }
    }

    /// The member with `k` smaller ones in the set, which has more than `k` members.
    fn nth(&self, mut k: usize) -> usize {
        let mut at = 0;
        let mut step = self.counts.len().next_power_of_two();
        while step > 0 {
            if at + step < self.counts.len() && self.counts[at + step] <= k {
                at += step;
                k -= self.counts[at];
            }
            step /= 2;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(values: &[f32], half: usize) -> Vec<f32> {
        let median = |at: usize| {
            let mut near = values[at.saturating_sub(half)..(at + half + 1).min(values.len())].to_vec();
            near.sort_by(f32::total_cmp);
            f32::midpoint(near[(near.len() - 1) / 2], near[near.len() / 2])
        };
        (0..values.len()).map(median).collect()
    }

    #[test]
    fn a_median_is_over_what_there_is() {
        assert!(running_median(&[], 3).is_empty());
        assert_eq!(running_median(&[4.0], 0), [4.0]);
        assert_eq!(running_median(&[1.0, 5.0, 3.0, 3.0], 1), [3.0, 3.0, 3.0, 3.0]);
        assert_eq!(running_median(&[1.0, 2.0, 9.0], usize::MAX), [2.0; 3]);
    }

    proptest::proptest! {
        #[test]
        fn medians_are_those_of_sorting(
            values in proptest::collection::vec(proptest::prop_oneof![0.0_f32..1.0, proptest::strategy::Just(0.5)], 0..200),
            half in 0..120_usize,
        ) {
            proptest::prop_assert_eq!(running_median(&values, half), plain(&values, half));
        }
    }

    /// Three hours of half seconds, with the floor over two minutes.
    #[test]
    fn hours_take_no_time() {
        let values: Vec<f32> = (0..21_600_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32).collect();
        let start = std::time::Instant::now();
        let medians = running_median(&values, 120);
        assert_eq!(medians.len(), values.len());
        assert!(start.elapsed().as_secs_f64() < 2.0, "{:?}", start.elapsed());
    }
}
