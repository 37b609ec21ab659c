//! Holding out clips of one origin together.

/// Deals whole groups out to `folds` folds, in the order of their numbers. `clips`: which ones; `truth` and `groups` are of
/// all clips. `None`: a clip that is never held out, since its class is in no other fold.
pub(super) fn assign(clips: &[usize], truth: &[usize], groups: &[u32], folds: usize) -> Vec<Option<usize>> {
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
    fn groups_stay_whole_and_a_class_of_one_fold_is_never_held_out() {
        let groups = [7, 7, 9, 9, 12, 7];
        let truth = [0, 1, 0, 1, 0, 2];
        let all = [0, 1, 2, 3, 4, 5];
        assert_eq!(assign(&all, &truth, &groups, 5), [Some(0), Some(0), Some(1), Some(1), Some(2), None]);
        assert_eq!(assign(&all, &truth, &groups, 2), [Some(0), Some(0), Some(1), Some(1), Some(0), None]);
        assert_eq!(assign(&all[2..], &truth, &groups, 2), [Some(1), None, Some(0), None]);
    }
}
