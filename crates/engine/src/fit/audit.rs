//! Labels to look at again: confident learning (Northcutt, Jiang and Chuang, "Confident learning: estimating uncertainty
//! in dataset labels", 2021).

use super::OutOfFold;

/// A clip whose label the fit doubts.
#[derive(Debug, Clone, PartialEq)]
pub struct Suspect {
    /// Which clip.
    pub clip: usize,
    /// The class that it is labelled with.
    pub given: usize,
    /// Probability of that class, from a fit that has not seen the clip.
    pub given_probability: f32,
    /// The class that it would rather be.
    pub rather: usize,
    /// Probability of that one.
    pub rather_probability: f32,
    /// Whether that is as probable as it is on average for clips so labelled; else the clip may just be hard.
    pub confident: bool,
}

/// The clips for which another class is the most probable, and their own less so than on average for clips so labelled; the
/// least probable label first. `truth`: the class that each clip is labelled with.
#[must_use]
pub fn suspects(held_out: &[OutOfFold], truth: &[usize], classes: usize) -> Vec<Suspect> {
    let mut sums = vec![(0.0_f64, 0_u32); classes];
    for one in held_out {
        let own = truth[one.clip];
        sums[own].0 += f64::from(one.probabilities[own]);
        sums[own].1 += 1;
    }
    // No clip passes for a class of which none was held out.
    let usual: Vec<f64> =
        sums.iter().map(|&(sum, n)| if n == 0 { f64::INFINITY } else { sum / f64::from(n) }).collect();
    let doubted = |one: &OutOfFold| {
        let given = truth[one.clip];
        let probability = |class: usize| one.probabilities[class];
        let rather = (0..classes).max_by(|&a, &b| probability(a).total_cmp(&probability(b)))?;
        (rather != given && f64::from(probability(given)) < usual[given]).then(|| Suspect {
            clip: one.clip,
            given,
            given_probability: probability(given),
            rather,
            rather_probability: probability(rather),
            confident: f64::from(probability(rather)) >= usual[rather],
        })
    };
    let mut suspects: Vec<Suspect> = held_out.iter().filter_map(doubted).collect();
    suspects.sort_by(|a, b| a.given_probability.total_cmp(&b.given_probability).then(a.clip.cmp(&b.clip)));
    suspects
}
