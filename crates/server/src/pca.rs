//! The plane in which vectors vary most: principal components by orthogonal iteration.

/// Rounds of iteration. Directions of nearly equal variance turn into each other slowly, and either will do.
const ROUNDS: usize = 60;

/// Places of `rows` `[n][dim]` in the plane of their first two principal components, scaled to -1..1 (both axes alike).
pub(crate) fn plane(rows: &[Vec<f32>]) -> Vec<(f32, f32)> {
    let Some(dim) = rows.first().map(Vec::len) else { return Vec::new() };
    let n = rows.len() as f64;
    let mut mean = vec![0.0_f64; dim];
    for row in rows {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v) / n);
    }
    // Something that is the same every time, and not orthogonal to anything likely.
    let start = |phase: f64| (0..dim).map(|i| (i as f64 * 0.7 + phase).sin() + 0.1).collect::<Vec<f64>>();
    let (mut a, mut b) = (start(0.3), start(1.9));
    for _ in 0..ROUNDS {
        (a, b) = (covariance_times(rows, &mean, &a), covariance_times(rows, &mean, &b));
        normalise(&mut a);
        let along = dot(&a, &b);
        b.iter_mut().zip(&a).for_each(|(b, a)| *b -= along * a);
        normalise(&mut b);
    }
    let project = |row: &Vec<f32>, axis: &[f64]| -> f64 {
        row.iter().zip(&mean).zip(axis).map(|((v, m), a)| (f64::from(*v) - m) * a).sum()
    };
    let places: Vec<(f64, f64)> = rows.iter().map(|row| (project(row, &a), project(row, &b))).collect();
    let reach = places.iter().fold(1e-12_f64, |reach, (x, y)| reach.max(x.abs()).max(y.abs()));
    places.into_iter().map(|(x, y)| ((x / reach) as f32, (y / reach) as f32)).collect()
}

/// The covariance matrix times a vector, without making the matrix.
fn covariance_times(rows: &[Vec<f32>], mean: &[f64], vector: &[f64]) -> Vec<f64> {
    let offset = dot(mean, vector);
    let mut product = vec![0.0; vector.len()];
    let mut total = 0.0;
    for row in rows {
        let along = row.iter().zip(vector).map(|(v, x)| f64::from(*v) * x).sum::<f64>() - offset;
        total += along;
        product.iter_mut().zip(row).for_each(|(p, v)| *p += along * f64::from(*v));
    }
    product.iter_mut().zip(mean).for_each(|(p, m)| *p -= total * m);
    product
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn normalise(vector: &mut [f64]) {
    let norm = dot(vector, vector).sqrt();
    if norm > 1e-12 {
        vector.iter_mut().for_each(|v| *v /= norm);
    }
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
        let same = plane(&[vec![0.5, 0.5], vec![0.5, 0.5]]);
        assert!(same.iter().all(|p| p.0.is_finite() && p.1.is_finite()));
    }
}
