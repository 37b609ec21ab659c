//! Minimising smooth convex functions: L-BFGS (Nocedal and Wright, "Numerical optimization", 2006, algorithm 7.5) with a
//! backtracking line search.

use std::collections::VecDeque;

use super::rows::{add_scaled, dot};

/// Pairs of steps and gradient changes kept.
const MEMORY: usize = 10;

/// Share of the descent that the slope promises which a step must reach (Armijo; Nocedal and Wright's value).
const ARMIJO: f64 = 1e-4;

/// Halvings of a step before the search gives up: the function is flat to the last digit by then.
const HALVINGS: usize = 40;

/// When the search ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until {
    /// No component of the gradient is larger.
    pub(super) tolerance: f64,
    /// Or so many iterations are done.
    pub(super) iterations: usize,
}

/// The place where `value_and_gradient` is least, from `start` on; it writes the gradient into its second argument.
pub(super) fn minimise(
    start: Vec<f64>,
    until: Until,
    mut value_and_gradient: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Vec<f64> {
    let mut x = start;
    let mut gradient = vec![0.0; x.len()];
    let mut value = value_and_gradient(&x, &mut gradient);
    let mut memory: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::new();
    for _ in 0..until.iterations {
        if gradient.iter().all(|g| g.abs() <= until.tolerance) {
            break;
        }
        let direction = direction(&gradient, &memory);
        let slope = dot(&direction, &gradient);
        // Before anything is known of the curvature, a step of length 1 at most.
        let mut step = if memory.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt().max(1.0) } else { 1.0 };
        let mut next = None;
        for _ in 0..HALVINGS {
            let mut there = x.clone();
            add_scaled(&mut there, step, &direction);
            let mut gradient_there = vec![0.0; x.len()];
            let value_there = value_and_gradient(&there, &mut gradient_there);
            if value_there <= value + ARMIJO * step * slope {
                next = Some((there, gradient_there, value_there));
                break;
            }
            step /= 2.0;
        }
        let Some((there, gradient_there, value_there)) = next else { break };
        let moved: Vec<f64> = there.iter().zip(&x).map(|(a, b)| a - b).collect();
        let changed: Vec<f64> = gradient_there.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        if dot(&moved, &changed) > 1e-10 * dot(&changed, &changed) * f64::EPSILON.sqrt() {
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            memory.push_back((moved, changed));
        }
        (x, gradient, value) = (there, gradient_there, value_there);
    }
    x
}

/// Downhill, with what the memory says of the curvature: the two-loop recursion.
fn direction(gradient: &[f64], memory: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut factors = Vec::with_capacity(memory.len());
    for (moved, changed) in memory.iter().rev() {
        let factor = dot(moved, &q) / dot(moved, changed);
        add_scaled(&mut q, -factor, changed);
        factors.push(factor);
    }
    if let Some((moved, changed)) = memory.back() {
        let scale = dot(moved, changed) / dot(changed, changed);
        q.iter_mut().for_each(|v| *v *= scale);
    }
    for ((moved, changed), factor) in memory.iter().zip(factors.into_iter().rev()) {
        let back = dot(changed, &q) / dot(moved, changed);
        add_scaled(&mut q, factor - back, moved);
    }
    q
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_after_so_many_iterations() {
        let until = Until { tolerance: 0.0, iterations: 3 };
        let mut gradients = 0;
        minimise(vec![1.0, 1.0], until, |x, gradient| {
            gradients += 1;
            (gradient[0], gradient[1]) = (x[0], 1e4 * x[1]);
            x[0] * x[0] / 2.0 + 1e4 * x[1] * x[1] / 2.0
        });
        assert!(gradients <= 3 * (HALVINGS + 1), "{gradients}");
    }

    #[test]
    fn a_long_valley_is_followed_to_its_end() {
        // Curvatures from 1 to 10^4; the minimum is where component i is i.
        let start = vec![50.0; 9];
        let found = minimise(start, Until { tolerance: 1e-8, iterations: 1000 }, |x, gradient| {
            x.iter().enumerate().fold(0.0, |sum, (i, v)| {
                let curvature = 10_f64.powf(i as f64 / 2.0);
                gradient[i] = curvature * (v - i as f64);
                sum + curvature * (v - i as f64).powi(2) / 2.0
            })
        });
        for (i, v) in found.iter().enumerate() {
            assert!((v - i as f64).abs() < 1e-6, "{i}: {v}");
        }
    }
}
