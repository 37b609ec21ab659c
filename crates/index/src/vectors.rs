//! Arithmetic with vectors.

use crate::error::{Error, Result};

/// How far a vector's length may be from 1. An f32 vector normalised in f32 is within 1e-5 even at a few
/// thousand elements; one that went through f16 is within 1e-3.
pub const UNIT_TOLERANCE: f32 = 1e-3;

/// The dot product: the cosine, for unit vectors. Sixteen running sums, so that the compiler can use vector
/// registers; the order of additions is fixed, so that the same two vectors always give the same bits.
/// `earmark-encoder` has the same; this crate knows no models, and depends on no crate of theirs.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 16;
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    let mut sums = [0.0f32; LANES];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// The cosine of two unit vectors, kept within its bounds.
#[must_use]
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    dot(a, b).clamp(-1.0, 1.0)
}

/// Refuses a vector that is not `[dim]`, finite and of unit length.
///
/// # Errors
/// [`Error::DimMismatch`], [`Error::NonFinite`], [`Error::NotUnit`].
pub fn check_unit(vector: &[f32], dim: usize) -> Result<()> {
    if vector.len() != dim {
        return Err(Error::DimMismatch { expected: dim, received: vector.len() });
    }
    if vector.iter().any(|x| !x.is_finite()) {
        return Err(Error::NonFinite);
    }
    let norm = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt() as f32;
    if (norm - 1.0).abs() > UNIT_TOLERANCE {
        return Err(Error::NotUnit { norm });
    }
    Ok(())
}
