//! The plane in which vectors vary most: their first two principal components, by nalgebra's symmetric eigenvalues.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// Rows that are widened to double precision at a time.
const CHUNK: usize = 512;

/// Places of `rows` `[n][dim]` in the plane of their first two principal components, scaled to -1..1 (both axes alike).
pub(crate) fn plane(rows: &[Vec<f32>]) -> Vec<(f32, f32)> {
    let Some(dim) = rows.first().map(Vec::len) else { return Vec::new() };
    let mut mean = DVector::<f64>::zeros(dim);
    for row in rows {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v) / rows.len() as f64);
    }
    let centred =
        |chunk: &[Vec<f32>]| DMatrix::from_fn(chunk.len(), dim, |i, j| f64::from(chunk[i][j]) - mean[j]);
    let mut covariance = DMatrix::<f64>::zeros(dim, dim);
    for chunk in rows.chunks(CHUNK) {
        let x = centred(chunk);
        covariance.gemm_tr(1.0, &x, &x, 1.0);
    }
    let eigen = SymmetricEigen::new(covariance);
    let mut order: Vec<usize> = (0..dim).collect();
    order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
    // With one dimension there is no second direction: everything lies on the first.
    let axes = DMatrix::from_fn(dim, 2, |i, j| order.get(j).map_or(0.0, |k| eigen.eigenvectors[(i, *k)]));
    let mut places: Vec<(f64, f64)> = Vec::with_capacity(rows.len());
    for chunk in rows.chunks(CHUNK) {
        places.extend((centred(chunk) * &axes).row_iter().map(|place| (place[0], place[1])));
    }
    let reach = places.iter().fold(1e-12_f64, |reach, (x, y)| reach.max(x.abs()).max(y.abs()));
    places.into_iter().map(|(x, y)| ((x / reach) as f32, (y / reach) as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_direction_comes_first_and_places_stay_apart() {
        let rows: Vec<Vec<f32>> =
            (0..40).map(|i| vec![1.0, (i % 2) as f32 * 0.5, i as f32 / 10.0, 0.0]).collect();
        let places = plane(&rows);
        let order: Vec<f32> = places.iter().map(|p| p.0).collect();
        let rising = order.windows(2).all(|w| w[0] < w[1]);
        let falling = order.windows(2).all(|w| w[0] > w[1]);
        assert!(rising || falling, "{order:?}");
        assert!((places[0].1 - places[1].1).abs() > 0.1, "the second direction is lost");
        assert!(places.iter().all(|p| p.0.abs() <= 1.0 && p.1.abs() <= 1.0));
    }

    #[test]
    fn few_or_equal_vectors_are_no_trouble() {
        assert!(plane(&[]).is_empty());
        for rows in [vec![vec![0.5, 0.5]; 2], vec![vec![1.0]; 3], vec![vec![0.1, 0.2, 0.3]]] {
            assert!(plane(&rows).iter().all(|p| p.0.is_finite() && p.1.is_finite()), "{rows:?}");
        }
    }
}
