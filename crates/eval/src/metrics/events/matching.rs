//! Which found events are which of the truth.

use std::collections::VecDeque;

use super::Event;

/// How far an onset may be off, seconds (sed_eval's default, as in DCASE).
const ONSET_COLLAR: f64 = 0.2;

/// How far an onset may be off where only onsets count, seconds.
const ONSET_ALONE: f64 = 0.5;

/// How far an offset may be off: seconds at least, or a share of the event's length.
const OFFSET_COLLAR: f64 = 0.2;
const OFFSET_SHARE: f64 = 0.5;

/// Whether a found event (second) may stand for one of the truth (first).
pub(super) type Rule = fn(&Event, &Event) -> bool;

/// How many events of the truth are matched by a found one, each used once, at most: the size of a maximum bipartite
/// matching, found by augmenting paths (Berge, 1957). All events are of one class.
pub(super) fn count(expected: &[Event], found: &[Event], matches: Rule) -> usize {
    let candidates: Vec<Vec<usize>> =
        expected.iter().map(|e| (0..found.len()).filter(|&i| matches(e, &found[i])).collect()).collect();
    let mut owner = vec![None; found.len()];
    (0..expected.len()).filter(|&event| augment(event, &candidates, &mut owner)).count()
}

/// Gives `event` a found one, if need be by moving others to further candidates of theirs; whether that went.
fn augment(event: usize, candidates: &[Vec<usize>], owner: &mut [Option<usize>]) -> bool {
    // Which event wants a found one; paths are searched in breadth, since long chains would be deep recursion.
    let mut wanted_by = vec![None; owner.len()];
    let mut had = vec![None; candidates.len()];
    let mut waiting = VecDeque::from([event]);
    while let Some(seeker) = waiting.pop_front() {
        for &found in &candidates[seeker] {
            if wanted_by[found].is_some() {
                continue;
            }
            wanted_by[found] = Some(seeker);
            if let Some(other) = owner[found] {
                had[other] = Some(found);
                waiting.push_back(other);
                continue;
            }
            // Free: everyone on the way back moves on to the one it wanted.
            let mut next = Some(found);
            while let Some(found) = next {
                owner[found] = wanted_by[found];
                next = wanted_by[found].and_then(|mover| had[mover]);
            }
            return true;
        }
    }
    false
}

/// The two have a moment in common; events that only touch have not.
pub(super) fn overlaps(expected: &Event, found: &Event) -> bool {
    expected.onset_s < found.offset_s && found.onset_s < expected.offset_s
}

/// The onsets are within 0.5 s of each other, whatever the ends are.
pub(super) fn onsets_meet(expected: &Event, found: &Event) -> bool {
    (expected.onset_s - found.onset_s).abs() <= ONSET_ALONE
}

/// Onset and offset are within sed_eval's collars.
pub(super) fn within_collars(expected: &Event, found: &Event) -> bool {
    let collar = OFFSET_COLLAR.max(OFFSET_SHARE * (expected.offset_s - expected.onset_s));
    (expected.onset_s - found.onset_s).abs() <= ONSET_COLLAR
        && (expected.offset_s - found.offset_s).abs() <= collar
}
