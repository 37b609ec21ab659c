//! Which clips are held out together.

use crate::random::Random;

/// Deals clips out to `folds` folds, each class evenly, going on where the class before stopped. `clips`: which ones;
/// `truth` and `twins` (which clip is the first with the same sound) are of all clips. Twins share a fold. `None`: a clip
/// that is never held out, since nothing else in its class would be left to learn from.
#[must_use]
pub fn assign(
    clips: &[usize],
    truth: &[usize],
    twins: &[usize],
    folds: usize,
    seed: u64,
) -> Vec<Option<usize>> {
    let mut first_ones: Vec<usize> = clips.iter().map(|&clip| twins[clip]).collect();
    first_ones.sort_unstable();
    first_ones.dedup();
    let mut sounds_of = vec![0_usize; truth.iter().max().map_or(0, |most| most + 1)];
    first_ones.iter().for_each(|&clip| sounds_of[truth[clip]] += 1);
    Random::new(seed).shuffle(&mut first_ones);
    // Stable, so that the shuffled order stays within each class.
    first_ones.sort_by_key(|&clip| truth[clip]);
    first_ones.retain(|&clip| sounds_of[truth[clip]] > 1);
    let mut fold_of = vec![None; truth.len()];
    first_ones.iter().enumerate().for_each(|(place, &clip)| fold_of[clip] = Some(place % folds.max(1)));
    clips.iter().map(|&clip| fold_of[twins[clip]]).collect()
}

/// For each clip the first one with the same vector, bit by bit.
#[must_use]
pub fn twins(vectors: &[&[f32]]) -> Vec<usize> {
    let mut seen = std::collections::HashMap::new();
    let bits = |vector: &[f32]| -> Vec<u32> { vector.iter().map(|v| v.to_bits()).collect() };
    vectors.iter().enumerate().map(|(clip, vector)| *seen.entry(bits(vector)).or_insert(clip)).collect()
}

/// Deals whole groups out to `folds` folds, in the order of their numbers. `clips`: which ones; `truth` and `groups` are of
/// all clips. `None`: a clip that is never held out, since its class is in no other fold.
pub(super) fn assign_groups(
    clips: &[usize],
    truth: &[usize],
    groups: &[u32],
    folds: usize,
) -> Vec<Option<usize>> {
    let mut known: Vec<u32> = clips.iter().map(|&clip| groups[clip]).collect();
    known.sort_unstable();
    known.dedup();
    let fold = |clip: usize| known.partition_point(|&group| group < groups[clip]) % folds.max(1);
    let mut only = vec![None; truth.iter().max().map_or(0, |most| most + 1)];
    let mut is_elsewhere = vec![false; only.len()];
    for &clip in clips {
        let first = *only[truth[clip]].get_or_insert(fold(clip));
        is_elsewhere[truth[clip]] |= first != fold(clip);
    }
    clips.iter().map(|&clip| is_elsewhere[truth[clip]].then(|| fold(clip))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_dealt_evenly_and_twins_stay_together() {
        let truth: Vec<usize> = (0..20).map(|i| usize::from(i >= 10)).collect();
        let mut twin: Vec<usize> = (0..20).collect();
        twin[5] = 3;
        let all: Vec<usize> = (0..20).collect();
        let folds = assign(&all, &truth, &twin, 5, 7);
        assert_eq!(folds[5], folds[3]);
        for class in 0..2 {
            for fold in 0..5 {
                let n = (0..20).filter(|&i| truth[i] == class && folds[i] == Some(fold)).count();
                assert!((1..=3).contains(&n), "class {class}, fold {fold}: {n}");
            }
        }
        assert_eq!(folds, assign(&all, &truth, &twin, 5, 7));
        assert_ne!(folds, assign(&all, &truth, &twin, 5, 8));
    }

    #[test]
    fn the_only_sound_of_a_class_is_never_held_out() {
        let folds = assign(&[0, 1, 2, 3, 4], &[0, 0, 1, 1, 1], &[0, 1, 2, 2, 2], 2, 0);
        assert!(folds[0].is_some() && folds[1].is_some() && folds[0] != folds[1]);
        assert_eq!(&folds[2..], [None; 3]);
    }

    #[test]
    fn groups_stay_whole_and_a_class_of_one_fold_is_never_held_out() {
        let groups = [7, 7, 9, 9, 12, 7];
        let truth = [0, 1, 0, 1, 0, 2];
        let all = [0, 1, 2, 3, 4, 5];
        assert_eq!(
            assign_groups(&all, &truth, &groups, 5),
            [Some(0), Some(0), Some(1), Some(1), Some(2), None]
        );
        assert_eq!(
            assign_groups(&all, &truth, &groups, 2),
            [Some(0), Some(0), Some(1), Some(1), Some(0), None]
        );
        assert_eq!(assign_groups(&all[2..], &truth, &groups, 2), [Some(1), None, Some(0), None]);
    }
}
