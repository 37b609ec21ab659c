//! From pairs to groups.

/// Sets of numbers, joined pair by pair.
pub(super) struct Sets(Vec<usize>);

impl Sets {
    /// Each number below `count` by itself.
    pub(super) fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    /// The number that stands for the set of another.
    pub(super) fn of(&mut self, mut number: usize) -> usize {
        while self.0[number] != number {
            self.0[number] = self.0[self.0[number]];
            number = self.0[number];
        }
        number
    }

    /// Joins the sets of two numbers.
    pub(super) fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
    }

    /// The sets of more than one number, by their first.
    pub(super) fn several(mut self) -> Vec<Vec<usize>> {
        let mut sets: Vec<Vec<usize>> = vec![Vec::new(); self.0.len()];
        for number in 0..self.0.len() {
            let set = self.of(number);
            sets[set].push(number);
        }
        sets.retain(|set| set.len() > 1);
        sets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_with_a_common_member_are_one_set() {
        let mut sets = Sets::new(7);
        for (a, b) in [(5, 1), (2, 3), (1, 6)] {
            sets.join(a, b);
        }
        assert_eq!(sets.several(), [vec![1, 5, 6], vec![2, 3]]);
    }
}
