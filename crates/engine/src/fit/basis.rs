//! Fewer clips than dimensions: what is learned from them lies in the space they span, which has fewer.

use super::rows::{Rows, add_scaled, dot};

/// A clip whose part outside the others' span is shorter than this lies within it.
const WITHIN: f64 = 1e-6;

/// An orthonormal basis of the clips' span, `[rank][dim]`; none where it is all of the space.
#[derive(Debug)]
pub(super) struct Basis(Option<Rows>);

impl Basis {
    /// By Gram and Schmidt's method, each row made orthogonal twice ("twice is enough": Giraud et al., 2005).
    pub(super) fn of(rows: &Rows) -> Self {
        if rows.len() >= rows.width() {
            return Self(None);
        }
        let mut axes = Rows::default();
        for row in rows.iter() {
            let mut rest = row.to_vec();
            for _ in 0..2 {
                for axis in axes.iter() {
                    let along = dot(axis, &rest);
                    add_scaled(&mut rest, -along, axis);
                }
            }
            let length = dot(&rest, &rest).sqrt();
            if length > WITHIN {
                rest.iter_mut().for_each(|v| *v /= length);
                axes.push(&rest);
            }
        }
        Self(Some(axes))
    }

    /// Coordinates of rows that lie in the span.
    pub(super) fn project(&self, rows: &Rows) -> Rows {
        let Some(axes) = &self.0 else { return rows.clone() };
        let mut projected = Rows::zeros(rows.len(), axes.len());
        for (i, row) in rows.iter().enumerate() {
            projected.row_mut(i).iter_mut().zip(axes.iter()).for_each(|(c, axis)| *c = dot(axis, row));
        }
        projected
    }

    /// The row whose coordinates these are.
    pub(super) fn lift(&self, coordinates: &[f64]) -> Vec<f64> {
        let Some(axes) = &self.0 else { return coordinates.to_vec() };
        let mut row = vec![0.0; axes.width()];
        coordinates.iter().zip(axes.iter()).for_each(|(&c, axis)| add_scaled(&mut row, c, axis));
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_rows_are_the_same_in_their_span() {
        let rows: [&[f32]; 4] = [
            &[1.0, 0.0, 2.0, 0.5, 0.0],
            &[0.5, 1.0, 0.0, 0.0, 1.0],
            &[1.5, 1.0, 2.0, 0.5, 1.0],
            &[0.0, 0.0, 0.1, 0.0, 3.0],
        ];
        let rows = Rows::of(&rows);
        let basis = Basis::of(&rows);
        let projected = basis.project(&rows);
        assert_eq!(projected.width(), 3, "the third row is the sum of the first two");
        for i in 0..4 {
            for j in 0..4 {
                assert!(
                    (dot(projected.row(i), projected.row(j)) - dot(rows.row(i), rows.row(j))).abs() < 1e-12
                );
            }
            let lifted = basis.lift(projected.row(i));
            assert!(lifted.iter().zip(rows.row(i)).all(|(a, b)| (a - b).abs() < 1e-12));
        }
    }
}
