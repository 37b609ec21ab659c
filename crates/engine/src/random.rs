//! Random choices that are the same on every machine.

/// A stream of numbers: splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, scaled by multiplication; 0 where `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((u128::from(z) * bound as u128) >> 64) as usize
    }

    /// Puts items into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// `count` of the numbers below `of`, ascending; all of them where there are no more.
#[must_use]
pub fn sample(of: usize, count: usize, seed: u64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..of).collect();
    if count < of {
        Random::new(seed).shuffle(&mut all);
        all.truncate(count);
        all.sort_unstable();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_the_seeds_alone_and_in_order() {
        let sampled = sample(1000, 20, 7);
        assert_eq!(sampled, sample(1000, 20, 7));
        assert_ne!(sampled, sample(1000, 20, 8));
        assert!(sampled.len() == 20 && sampled.is_sorted_by(|a, b| a < b));
        assert_eq!(sample(3, 5, 7), [0, 1, 2]);
    }

    #[test]
    fn every_number_is_drawn_about_as_often() {
        let mut random = Random::new(1);
        let mut counts = [0_u32; 5];
        (0..10_000).for_each(|_| counts[random.below(5)] += 1);
        assert!(counts.iter().all(|&n| (1800..2200).contains(&n)), "{counts:?}");
    }
}
