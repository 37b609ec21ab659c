//! Rows of scores: checks, and the order of their columns.

use std::cmp::Ordering;

use super::MetricError;

/// Checks that two lists are of one length.
pub(super) fn same_length(what: &'static str, expected: usize, received: usize) -> Result<(), MetricError> {
    if expected == received { Ok(()) } else { Err(MetricError::Length { what, expected, received }) }
}

/// Checks that a number names one of `count`.
pub(super) fn in_range(what: &'static str, count: usize, received: usize) -> Result<(), MetricError> {
    if received < count { Ok(()) } else { Err(MetricError::OutOfRange { what, count, received }) }
}

/// Checks rows of finite scores, each of `width`.
pub(super) fn check(scores: &[Vec<f32>], width: usize) -> Result<(), MetricError> {
    for (row, values) in scores.iter().enumerate() {
        same_length("scores in a row", width, values.len())?;
        if !values.iter().all(|v| v.is_finite()) {
            return Err(MetricError::NotFinite { what: "score", name: format!("row {row}") });
        }
    }
    Ok(())
}

/// High before low; equal ones (and both zeros) are equal.
pub(super) fn descending(a: f32, b: f32) -> Ordering {
    b.partial_cmp(&a).unwrap_or(Ordering::Equal)
}

/// The first of the highest scores; 0 for an empty row.
pub(super) fn first_highest(row: &[f32]) -> usize {
    let better = |best: usize, (i, &v): (usize, &f32)| if v > row[best] { i } else { best };
    row.iter().enumerate().fold(0, better)
}

/// The place of a column, from 1; among equal scores the one that comes first is before.
pub(super) fn rank(row: &[f32], column: usize) -> usize {
    let own = row[column];
    let before = |&(i, &v): &(usize, &f32)| v > own || (v == own && i < column);
    1 + row.iter().enumerate().filter(before).count()
}

/// Numbers of the items with the lowest `key`, lowest first, then in their own order; at most [`super::WORST`].
pub(super) fn worst(items: impl Iterator<Item = usize>, key: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut keyed: Vec<(f64, usize)> = items.map(|i| (key(i), i)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    keyed.into_iter().map(|(_, i)| i).take(super::WORST).collect()
}
