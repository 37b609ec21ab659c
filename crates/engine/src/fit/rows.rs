//! Small dense matrices of `f64`, by rows.

/// `[rows][width]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Rows {
    data: Vec<f64>,
    width: usize,
}

impl Rows {
    /// So many rows of zeros.
    pub(super) fn zeros(rows: usize, width: usize) -> Self {
        Self { data: vec![0.0; rows * width], width }
    }

    /// Rows of equal length.
    pub(super) fn of<T: Copy + Into<f64>>(rows: &[&[T]]) -> Self {
        let data = rows.iter().flat_map(|row| row.iter().map(|&v| v.into())).collect();
        Self { data, width: rows.first().map_or(0, |row| row.len()) }
    }

    /// Rows that follow each other in `data`.
    pub(super) fn from_flat(data: Vec<f64>, width: usize) -> Self {
        Self { data, width }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn len(&self) -> usize {
        self.data.len().checked_div(self.width).unwrap_or(0)
    }

    pub(super) fn row(&self, i: usize) -> &[f64] {
        &self.data[i * self.width..(i + 1) * self.width]
    }

    pub(super) fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.data[i * self.width..(i + 1) * self.width]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[f64]> {
        (0..self.len()).map(|i| self.row(i))
    }

    pub(super) fn push(&mut self, row: &[f64]) {
        self.width = row.len();
        self.data.extend_from_slice(row);
    }
}

/// Dot product of two rows of equal length: eight sums in a fixed order, for speed and for equal results everywhere.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0_f64; LANES];
    let (a_chunks, b_chunks) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail: f64 = a_chunks.remainder().iter().zip(b_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_chunks.zip(b_chunks) {
        for lane in 0..LANES {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + tail
}

/// `to += factor * from`.
pub(super) fn add_scaled(to: &mut [f64], factor: f64, from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(t, f)| *t += factor * f);
}

/// Replaces logits by their softmax; gives the logarithm of the sum of their exponentials.
pub(super) fn softmax(logits: &mut [f64]) -> f64 {
    let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - max).exp();
        sum += *logit;
    }
    logits.iter_mut().for_each(|p| *p /= sum);
    max + sum.ln()
}
