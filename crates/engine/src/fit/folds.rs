//! Which clips are held out together.

use std::collections::BTreeMap;

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

/// Deals whole groups out to `folds` folds, so that clips that were cut from one recording stay together.
/// `clips`: which ones; `truth`, `twins` (see [`assign`]) and `groups` are of all clips. A twin is in the
/// group of the first clip with its sound. `None`: a clip that is never held out, since its class is in no
/// other fold.
///
/// Where there are no more groups than folds, each is a fold, in the order of their numbers. Else they are
/// dealt out at random, the largest first, each to the fold that has the fewest clips of the group's
/// commonest class.
#[must_use]
pub fn assign_groups(
    clips: &[usize],
    truth: &[usize],
    (twins, groups): (&[usize], &[u32]),
    folds: usize,
    seed: u64,
) -> Vec<Option<usize>> {
    let group_of = |clip: usize| groups[twins[clip]];
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    clips.iter().for_each(|&clip| members.entry(group_of(clip)).or_default().push(clip));
    let folds = folds.max(1);
    let fold_of: BTreeMap<u32, usize> = if members.len() <= folds {
        members.keys().enumerate().map(|(fold, &group)| (group, fold)).collect()
    } else {
        deal(&members, truth, folds, seed)
    };
    let fold = |clip: usize| fold_of[&group_of(clip)];
    let mut only = vec![None; truth.iter().max().map_or(0, |most| most + 1)];
    let mut is_elsewhere = vec![false; only.len()];
    for &clip in clips {
        let first = *only[truth[clip]].get_or_insert(fold(clip));
        is_elsewhere[truth[clip]] |= first != fold(clip);
    }
    clips.iter().map(|&clip| is_elsewhere[truth[clip]].then(|| fold(clip))).collect()
}

/// The fold of each group. `members`: the clips of each.
fn deal(
    members: &BTreeMap<u32, Vec<usize>>,
    truth: &[usize],
    folds: usize,
    seed: u64,
) -> BTreeMap<u32, usize> {
    let mut order: Vec<(&u32, &Vec<usize>)> = members.iter().collect();
    Random::new(seed).shuffle(&mut order);
    // Stable, so that groups of a size stay in their random order.
    order.sort_by_key(|(_, clips)| std::cmp::Reverse(clips.len()));
    let classes = truth.iter().max().map_or(0, |most| most + 1);
    // Clips of each class, `[folds][classes]`.
    let mut dealt = vec![vec![0_usize; classes]; folds];
    let mut fold_of = BTreeMap::new();
    for (&group, clips) in order {
        let mut counts = vec![0_usize; classes];
        clips.iter().for_each(|&clip| counts[truth[clip]] += 1);
        let commonest = (0..classes).max_by_key(|&class| counts[class]);
        let fewest = |fold: &usize| {
            let of_commonest = commonest.map(|class| dealt[*fold][class]);
            (of_commonest, dealt[*fold].iter().sum::<usize>())
        };
        let fold = (0..folds).min_by_key(fewest).unwrap_or_default();
        dealt[fold].iter_mut().zip(&counts).for_each(|(all, &count)| *all += count);
        fold_of.insert(group, fold);
    }
    fold_of
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

    /// As if no sound were there twice.
    const ALL: [usize; 6] = [0, 1, 2, 3, 4, 5];

    #[test]
    fn groups_stay_whole_and_a_class_of_one_fold_is_never_held_out() {
        let groups = [7, 7, 9, 9, 12, 7];
        let truth = [0, 1, 0, 1, 0, 2];
        let folds = |clips: &[usize], folds| assign_groups(clips, &truth, (&ALL, &groups), folds, 0);
        assert_eq!(folds(&ALL, 5), [Some(0), Some(0), Some(1), Some(1), Some(2), None]);
        let two = folds(&ALL, 2);
        assert!(two[0].is_some() && two[0] == two[1] && two[2].is_some() && two[2] == two[3], "{two:?}");
        assert!(two[0] != two[2] && two[4].is_some() && two[5].is_none(), "{two:?}");
        assert_eq!(folds(&ALL[2..], 2), [Some(0), None, Some(1), None]);
    }

    #[test]
    fn twins_are_in_the_group_of_the_first_of_them() {
        let groups = [1, 1, 2, 2, 3, 3];
        let twins = [0, 1, 2, 3, 0, 5];
        let folds = assign_groups(&ALL, &[0, 1, 0, 1, 0, 1], (&twins, &groups), 3, 0);
        assert_eq!(folds, [Some(0), Some(0), Some(1), Some(1), Some(0), Some(2)]);
    }

    #[test]
    fn many_groups_are_dealt_so_that_every_fold_has_as_many_clips_of_each_class() {
        // 30 recordings of one to three clips, ten a class.
        let recordings: Vec<(u32, usize)> =
            (0..30_u32).flat_map(|r| std::iter::repeat_n((r, r as usize / 10), 1 + r as usize % 3)).collect();
        let (groups, truth): (Vec<u32>, Vec<usize>) = recordings.into_iter().unzip();
        let all: Vec<usize> = (0..groups.len()).collect();
        let deal = |seed| assign_groups(&all, &truth, (&all, &groups), 5, seed);
        let folds = deal(1);
        for clip in 1..all.len() {
            assert!(groups[clip] != groups[clip - 1] || folds[clip] == folds[clip - 1], "{folds:?}");
        }
        for (class, fold) in (0..3).flat_map(|class| (0..5).map(move |fold| (class, fold))) {
            let clips = all.iter().filter(|&&clip| truth[clip] == class && folds[clip] == Some(fold)).count();
            assert!((3..=5).contains(&clips), "class {class}, fold {fold}: {clips} of about 4");
        }
        assert_eq!(folds, deal(1));
        assert_ne!(folds, deal(2));
    }
}
