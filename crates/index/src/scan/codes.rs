//! Compact codes: four bits an element in two planes of two, with a bound on what they get wrong.
//!
//! A vector is turned by a fixed random rotation, so that its length is spread evenly over all elements
//! whatever model made it, and each element is rounded to one of 16 levels. The upper two bits of each level
//! are the coarse plane, the lower two the fine one. An estimate of a cosine, from the coarse plane alone or
//! from both, comes with a bound, so that a search reads the fine plane of few rows, and compares fewer still
//! in full precision. The scheme is that of extended RaBitQ (Gao et al. 2024) with plain rounding.
//! `FORMAT.md` has the rotation and the bytes.

use super::kernel;

/// Elements are added to a vector up to a multiple of this many, so that a plane fills whole 32-byte
/// registers.
const PADDING: usize = 128;

/// Rounds of the rotation.
const ROUNDS: usize = 4;

/// Bytes after a row's codes in each plane: the factor and the error, f32 each.
const NUMBERS_BYTES: usize = 8;

/// How many standard deviations an estimate may be off. The rotation makes the error that of a random
/// direction, whose share along the query is near normal: more than this happens to one row in 300,000, and
/// only for one of the best would it matter. Vectors of few elements are not spread well, and get the bound
/// that always holds.
const DEVIATIONS: f32 = 4.5;

/// What rounding in f32 adds to the error.
const SLACK: f32 = 2e-6;

/// Distances between levels that are tried, in units of the elements' root mean square. For normally
/// distributed elements
/// 0.335 is the best for both planes together, and 0.25 for the coarse one (Max 1960); few or unequal elements like others.
const STEPS: [f32; 6] = [0.25, 0.28, 0.31, 0.36, 0.5, 0.7];

/// Encodes vectors and queries of one length.
pub(crate) struct Coder {
    dim: usize,
    padded: usize,
    /// `[ROUNDS, padded]`, 1 or -1.
    signs: Vec<f32>,
}

/// A query made ready for [`Coder::coarse`] and [`Coder::fine`].
pub(crate) struct CodedQuery {
    /// Eight bits an element, `[padded]`.
    codes: Vec<i8>,
    /// What a unit of the codes is worth.
    scale: f32,
    /// The sum of the codes: levels are not centred.
    sum: f32,
    /// Share of an error's length that can count.
    share: f32,
    /// Length of what the query lost by rounding.
    lost: f32,
}

/// The least and the most that a cosine may be.
pub(crate) type Bounds = (f32, f32);

impl Coder {
    /// For vectors of `dim` elements.
    pub(crate) fn new(dim: usize) -> Self {
        let padded = dim.next_multiple_of(PADDING);
        let signs = (0..(ROUNDS * padded) as u64).map(|i| if mix(i) >> 63 == 0 { 1.0 } else { -1.0 });
        Self { dim, padded, signs: signs.collect() }
    }

    /// Elements of the vectors.
    pub(crate) fn dim(&self) -> usize {
        self.dim
    }

    /// Bytes of a row in one plane, factor and error included.
    pub(crate) fn plane_bytes(&self) -> usize {
        self.padded / 4 + NUMBERS_BYTES
    }

    /// Appends the codes of `vector` (`[dim]`, unit length) to the planes.
    pub(crate) fn encode(&self, vector: &[f32], coarse: &mut Vec<u8>, fine: &mut Vec<u8>) {
        let x = self.rotated(vector);
        let squared = x.iter().map(|x| x * x).sum::<f32>();
        let rms = (squared / self.padded as f32).sqrt().max(f32::MIN_POSITIVE);
        let fits = STEPS.iter().map(|step| {
            let per_step = 1.0 / (step * rms);
            let coarse = measure(&x, squared, |x| coarse_value(level(x, per_step) >> 2));
            let fine = measure(&x, squared, |x| f32::from(level(x, per_step)) - 7.5);
            (per_step, coarse, fine)
        });
        let best = fits.min_by(|a, b| (a.1.error + a.2.error).total_cmp(&(b.1.error + b.2.error)));
        let (per_step, of_coarse, of_fine) = best.unwrap_or_default();
        let quarter = self.padded / 4;
        for (plane, shift, fit) in [(coarse, 2, of_coarse), (fine, 0, of_fine)] {
            plane.extend((0..quarter).map(|at| {
                (0..4).fold(0, |byte, part| {
                    byte | ((level(x[at + part * quarter], per_step) >> shift) & 3) << (2 * part)
                })
            }));
            plane.extend_from_slice(&fit.factor.to_le_bytes());
            plane.extend_from_slice(&fit.error.to_le_bytes());
        }
    }

    /// Makes a query (`[dim]`, unit length) ready.
    pub(crate) fn query(&self, query: &[f32]) -> CodedQuery {
        let x = self.rotated(query);
        let largest = x.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        let scale = (largest / 127.0).max(f32::MIN_POSITIVE);
        let codes: Vec<i8> = x.iter().map(|x| (x / scale).round() as i8).collect();
        let lost = x.iter().zip(&codes).map(|(x, c)| (x - scale * f32::from(*c)).powi(2)).sum::<f32>().sqrt();
        let sum = codes.iter().map(|c| i32::from(*c)).sum::<i32>() as f32;
        let share = (DEVIATIONS / (self.dim as f32).sqrt()).min(1.0);
        CodedQuery { codes, scale, sum, share, lost }
    }

    /// What the cosine of the query and the row with this coarse code may be, and the sum that [`Self::fine`]
    /// needs.
    pub(crate) fn coarse(&self, row: &[u8], query: &CodedQuery) -> (Bounds, i32) {
        let sum = kernel::sum(&row[..self.padded / 4], &query.codes);
        (self.bounds(row, query, (4 * sum) as f32 - 6.0 * query.sum), sum)
    }

    /// The same, more narrowly, by the fine code too; `coarse` is the sum that [`Self::coarse`] gave.
    pub(crate) fn fine(&self, row: &[u8], query: &CodedQuery, coarse: i32) -> Bounds {
        let sum = 4 * coarse + kernel::sum(&row[..self.padded / 4], &query.codes);
        self.bounds(row, query, sum as f32 - 7.5 * query.sum)
    }

    fn bounds(&self, row: &[u8], query: &CodedQuery, sum: f32) -> Bounds {
        let number =
            |at: usize| row.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0.0, f32::from_le_bytes);
        let (factor, error) = (number(self.padded / 4), number(self.padded / 4 + 4));
        let cosine = sum * query.scale * factor;
        let off = query.share * (error + query.lost * (1.0 + error)) + SLACK;
        (cosine - off, cosine + off)
    }

    /// `[padded]`: random signs, a Hadamard transform of the first or, every other time, the last 2^n
    /// elements, and butterflies between the halves; four times over.
    fn rotated(&self, vector: &[f32]) -> Vec<f32> {
        let mut x = vec![0.0; self.padded];
        x.iter_mut().zip(&vector[..self.dim.min(vector.len())]).for_each(|(x, v)| *x = *v);
        let window = 1 << self.padded.ilog2();
        for (round, signs) in self.signs.chunks_exact(self.padded).enumerate() {
            x.iter_mut().zip(signs).for_each(|(x, sign)| *x *= sign);
            let from = if round % 2 == 0 { 0 } else { self.padded - window };
            hadamard(&mut x[from..from + window]);
            if window < self.padded {
                let (low, high) = x.split_at_mut(self.padded / 2);
                for (a, b) in low.iter_mut().zip(high) {
                    (*a, *b) = (
                        (*a + *b) * std::f32::consts::FRAC_1_SQRT_2,
                        (*a - *b) * std::f32::consts::FRAC_1_SQRT_2,
                    );
                }
            }
        }
        x
    }
}

/// How well levels suit a vector.
#[derive(Default)]
struct Fit {
    /// Times the levels' values, this is the vector, but for the error.
    factor: f32,
    /// Length of the error, which is at a right angle to the vector.
    error: f32,
}

fn measure(x: &[f32], squared: f32, value: impl Fn(f32) -> f32) -> Fit {
    let (mut along, mut length) = (0.0f32, 0.0f32);
    for x in x {
        let value = value(*x);
        along += x * value;
        length += value * value;
    }
    let factor = squared / along.max(f32::MIN_POSITIVE);
    Fit { factor, error: (factor * factor * length - squared).max(0.0).sqrt() }
}

/// The middle of the four levels that share their upper bits.
fn coarse_value(upper: u8) -> f32 {
    4.0 * f32::from(upper) - 6.0
}

/// 0 to 15: the level nearest to `x`. Levels are at halves, -7.5 to 7.5.
fn level(x: f32, per_step: f32) -> u8 {
    (x * per_step + 8.0).clamp(0.0, 15.0) as u8
}

/// The Hadamard transform, scaled to keep lengths. The length is a power of two.
fn hadamard(x: &mut [f32]) {
    let mut half = 1;
    while half < x.len() {
        for pair in x.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
    let scale = 1.0 / (x.len() as f32).sqrt();
    x.iter_mut().for_each(|x| *x *= scale);
}

/// Number `i` of a fixed random sequence (splitmix64, Steele et al. 2014).
pub(crate) fn mix(i: u64) -> u64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::dot;

    fn unit(mut v: Vec<f32>) -> Vec<f32> {
        let norm = v.iter().map(|x| x * x).sum::<f32>().sqrt();
        v.iter_mut().for_each(|x| *x /= norm);
        v
    }

    /// Vectors of several kinds: spread out, with few elements, one element, all equal.
    fn vectors(dim: usize, count: u64) -> Vec<Vec<f32>> {
        let random = |i: u64| (mix(i) >> 40) as f32 / (1u64 << 23) as f32 - 1.0;
        (0..count)
            .map(|n| {
                let at = |i: usize| random(n * 10_000 + i as u64);
                unit(
                    (0..dim)
                        .map(|i| match n % 4 {
                            0 => at(i),
                            1 => {
                                if i % 17 == n as usize % 17 || i == 0 {
                                    at(i).abs() + 0.01
                                } else {
                                    0.0
                                }
                            }
                            2 => f32::from(i == n as usize % dim),
                            _ => 1.0 + 0.01 * at(i),
                        })
                        .collect(),
                )
            })
            .collect()
    }

    #[test]
    fn the_rotation_keeps_lengths_and_angles() {
        for dim in [1, 4, 19, 32, 64, 521, 617, 1024] {
            let coder = Coder::new(dim);
            let v = vectors(dim, 8);
            for (a, b) in v.iter().zip(&v[1..]) {
                let (x, y) = (coder.rotated(a), coder.rotated(b));
                assert!((dot(&x, &y) - dot(a, b)).abs() < 2e-6, "{dim}");
                assert!((dot(&x, &x) - 1.0).abs() < 2e-6, "{dim}");
            }
        }
    }

    #[test]
    fn no_estimate_leaves_its_bounds() {
        let mut width = 0.0f32;
        for dim in [1, 2, 4, 19, 33, 64, 300, 521, 617] {
            let coder = Coder::new(dim);
            let v = vectors(dim, 120);
            let (mut coarse, mut fine) = (Vec::new(), Vec::new());
            for a in &v {
                coarse.clear();
                fine.clear();
                coder.encode(a, &mut coarse, &mut fine);
                assert_eq!([coarse.len(), fine.len()], [coder.plane_bytes(); 2]);
                for q in &v {
                    let query = coder.query(q);
                    let (wide, sum) = coder.coarse(&coarse, &query);
                    let narrow = coder.fine(&fine, &query, sum);
                    let cosine = dot(a, q);
                    for (least, most) in [wide, narrow] {
                        assert!((least..=most).contains(&cosine), "{dim}: {cosine} not in {least} to {most}");
                    }
                    width = if dim > 500 { width.max(narrow.1 - narrow.0) } else { width };
                }
            }
        }
        assert!(width < 0.08, "bounds are {width} apart");
    }
}
