//! Unit vectors in a model's space.

use crate::EncoderError;

/// A unit vector `[dim]` in the shared space of one model. The cosine of two is their dot product.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding(Vec<f32>);

impl Embedding {
    /// Scales `values` to unit length.
    ///
    /// # Errors
    /// [`EncoderError::Degenerate`] when a value is not finite or all are zero; `model` and `input` are for its message.
    pub fn from_values(mut values: Vec<f32>, model: &str, input: &str) -> Result<Self, EncoderError> {
        match normalise(&mut values) {
            Ok(()) => Ok(Self(values)),
            Err(what) => {
                Err(EncoderError::Degenerate { model: model.to_owned(), what, input: input.to_owned() })
            }
        }
    }

    /// The direction of a weighted sum, and so of a weighted mean, of vectors `[dim]`, added in their order.
    ///
    /// # Errors
    /// [`EncoderError::Degenerate`] if they cancel out, or if there are none; `model` and `input` are for its
    /// message.
    pub fn of_sum<'a>(
        dim: usize,
        parts: impl IntoIterator<Item = (f32, &'a [f32])>,
        model: &str,
        input: &str,
    ) -> Result<Self, EncoderError> {
        let mut sum = vec![0.0; dim];
        for (weight, vector) in parts {
            add_scaled(&mut sum, weight, vector);
        }
        Self::from_values(sum, model, input)
    }

    /// The components, `[dim]`.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// The components, `[dim]`.
    #[must_use]
    pub fn into_vec(self) -> Vec<f32> {
        self.0
    }

    /// Cosine similarity, -1 to 1.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> f32 {
        dot(&self.0, &other.0)
    }
}

/// Dot product of two vectors of equal length; the cosine when both are unit vectors.
///
/// Sixteen independent sums, in a fixed order, let the compiler use vector registers and keep the result the same
/// on every run.
#[must_use]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let mut sums = [0.0_f32; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f32 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f32>() + tail
}

/// `sum += weight * vector`, for vectors of equal length.
pub fn add_scaled(sum: &mut [f32], weight: f32, vector: &[f32]) {
    sum.iter_mut().zip(vector).for_each(|(s, v)| *s += weight * v);
}

/// Scales `values` to unit length in place.
///
/// # Errors
/// Says what is wrong when a value is not finite or all are zero; `values` is then unchanged.
pub fn normalise(values: &mut [f32]) -> Result<(), &'static str> {
    if values.iter().any(|v| !v.is_finite()) {
        return Err("a number that is not finite");
    }
    let norm = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
    if norm < 1e-12 {
        return Err("all zeros");
    }
    for v in values {
        *v = (f64::from(*v) / norm) as f32;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_equals_the_plain_sum_on_lengths_around_the_lane_count() {
        for n in [0, 1, 15, 16, 17, 521] {
            let a: Vec<f32> = (0..n).map(|i| (i as f32 * 0.37).sin()).collect();
            let b: Vec<f32> = (0..n).map(|i| (i as f32 * 0.11).cos()).collect();
            let plain: f64 = a.iter().zip(&b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            assert!((f64::from(dot(&a, &b)) - plain).abs() < 1e-4, "n = {n}");
        }
    }

    #[test]
    fn embeddings_have_unit_length() {
        let e = Embedding::from_values(vec![3.0, 4.0], "m", "x").unwrap();
        assert_eq!(e.as_slice(), [0.6, 0.8]);
        assert!((e.cosine(&e) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_weighted_sum_points_where_its_parts_pull_it() {
        let parts: [(f32, &[f32]); 3] = [(3.0, &[1.0, 0.0]), (5.0, &[0.0, 1.0]), (-1.0, &[0.0, 1.0])];
        let sum = Embedding::of_sum(2, parts, "m", "x").unwrap();
        assert_eq!(sum.as_slice(), [0.6, 0.8]);
        let cancelled: [(f32, &[f32]); 2] = [(1.0, &[1.0, 0.0]), (-1.0, &[1.0, 0.0])];
        assert!(Embedding::of_sum(2, cancelled, "m", "x").is_err());
        assert!(Embedding::of_sum(2, [], "m", "x").is_err());
    }

    #[test]
    fn a_vector_without_direction_is_refused() {
        for values in [vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![f32::INFINITY, 1.0]] {
            let e = Embedding::from_values(values, "m", "x").unwrap_err();
            assert!(matches!(e, EncoderError::Degenerate { .. }), "{e}");
        }
    }
}
