//! How likely a hit is right.
//!
//! A cosine says little by itself: 0.3 is much for one query and nothing for another. What counts is how far
//! a clip stands out from the rest of the library for this very query, how large the cosine is, and how well
//! the model knows the query's words. A logistic regression on the three was fitted to searches whose right
//! answers are known (`benches/searches/README.md` says which, and how); its coefficients are a model's own
//! ([`earmark_encoder::SoundLikelihood`]).

use earmark_encoder::SoundLikelihood;
use earmark_index::Spread;

/// Below this a hit is more likely wrong than right.
pub const EVEN: f32 = 0.5;

/// What a query is compared with: the library as a whole, and the words that the model knows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SoundQuery {
    /// How the query scores with the library's segments.
    pub spread: Spread,
    /// Probability that the model knows the words; `None` where it cannot tell.
    pub familiarity: Option<f32>,
}

/// Narrowest spread that is divided by.
const LEAST_DEVIATION: f32 = 0.02;

/// A small library says little about what is usual, and nothing if it has only what is looked for. So so many
/// segments are added to it, of the mean and the deviation that the searches of `benches/searches` have on
/// average.
const USUAL: (f32, f32, f32) = (200.0, 0.0, 0.09);

impl SoundQuery {
    /// The probability that a clip with this cosine is what the words say.
    #[must_use]
    pub fn likelihood(&self, score: f32, read: SoundLikelihood) -> f32 {
        let (mean, deviation) = self.usual();
        let outstanding = (score - mean) / deviation.max(LEAST_DEVIATION);
        let known = self.familiarity.map_or(0.0, |p| logit(p) * read.familiarity);
        sigmoid(read.bias + read.outstanding * outstanding + read.cosine * score + known)
    }

    /// What cosines are usual: mean and deviation of the library's, with some added to those of a small one.
    #[must_use]
    pub fn usual(&self) -> (f32, f32) {
        let (n, (more, mean, deviation)) = (self.spread.sampled as f32, USUAL);
        let squares = |mean: f32, deviation: f32| deviation * deviation + mean * mean;
        let both = (n * self.spread.mean + more * mean) / (n + more);
        let of_both = n * squares(self.spread.mean, self.spread.deviation) + more * squares(mean, deviation);
        (both, (of_both / (n + more) - both * both).max(0.0).sqrt())
    }
}

/// For models without coefficients of their own: what stands out, as `mini` stands out. It puts hits in
/// order; faces show no probability then.
pub(crate) const UNCALIBRATED: SoundLikelihood =
    SoundLikelihood { bias: -5.0, outstanding: 0.68, cosine: 0.0, familiarity: 0.0 };

/// Coefficients of [`name_likelihood`], fitted as those of the sound.
const NAME: (f32, f32) = (-3.57, 6.94);

/// The probability that a clip with so much of the query in its name, tags and metadata
/// ([`earmark_index::NameMatch::coverage`]) is what they say.
#[must_use]
pub fn name_likelihood(coverage: f32) -> f32 {
    sigmoid(NAME.0 + NAME.1 * coverage)
}

/// Coefficients of [`both_likelihood`], fitted as the others: bias, factor on the log odds by sound, factor
/// on the coverage.
const BOTH: (f32, f32, f32) = (-1.25, 0.803, 7.05);

/// However unlike a clip sounds, its log odds by sound count as no less: words that the model does not know
/// must not speak against a name that has them.
const LEAST_SOUND: f32 = -6.0;

/// The probability that a clip is what is looked for, by its sound and by how much of the query its name has,
/// in a library in which some names have some of it.
#[must_use]
pub fn both_likelihood(by_sound: f32, coverage: f32) -> f32 {
    sigmoid(BOTH.0 + BOTH.1 * logit(by_sound).max(LEAST_SOUND) + BOTH.2 * coverage)
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// The inverse of [`sigmoid`], within ±7 (a probability of 0.999).
fn logit(p: f32) -> f32 {
    (p / (1.0 - p)).ln().clamp(-7.0, 7.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: SoundLikelihood =
        SoundLikelihood { bias: -6.0, outstanding: 0.8, cosine: 4.0, familiarity: 0.5 };

    fn query(mean: f32, deviation: f32, familiarity: Option<f32>) -> SoundQuery {
        SoundQuery { spread: Spread { sampled: 4000, mean, deviation }, familiarity }
    }

    #[test]
    fn what_stands_out_is_likelier_than_what_does_not() {
        let stands_out = query(0.05, 0.05, None).likelihood(0.4, READ);
        let is_usual = query(0.30, 0.10, None).likelihood(0.4, READ);
        assert!(stands_out > 0.5 && is_usual < 0.1, "{stands_out} {is_usual}");
    }

    #[test]
    fn words_that_the_model_does_not_know_make_a_hit_unlikely() {
        let known = query(0.05, 0.05, Some(0.99)).likelihood(0.35, READ);
        let strange = query(0.05, 0.05, Some(0.05)).likelihood(0.35, READ);
        assert!(known > 0.8 && strange < 0.3, "{known} {strange}");
    }

    #[test]
    fn a_library_that_has_only_what_is_looked_for_does_not_make_it_usual() {
        let all = Spread { sampled: 3, mean: 0.6, deviation: 0.0 };
        let p = SoundQuery { spread: all, familiarity: Some(1.0) }.likelihood(0.6, READ);
        assert!(p > 0.5, "{p}");
    }

    #[test]
    fn a_clear_name_and_a_clear_sound_are_both_likely_and_together_most() {
        let (name, sound, both) =
            (both_likelihood(0.001, 1.0), both_likelihood(0.95, 0.0), both_likelihood(0.95, 1.0));
        assert!(name > 0.5 && sound > 0.5 && both > name.max(sound), "{name} {sound} {both}");
        assert!(both_likelihood(0.05, 0.2) < 0.2, "little of both");
    }

    #[test]
    fn words_that_the_model_does_not_know_do_not_speak_against_a_name() {
        assert_eq!(both_likelihood(0.0, 1.0), both_likelihood(0.001, 1.0));
        assert!(name_likelihood(1.0) > 0.95 && name_likelihood(0.3) < 0.25);
    }
}
