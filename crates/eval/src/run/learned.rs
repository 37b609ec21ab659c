//! What `earmark fit` learns, cross-validated.

use earmark_encoder::Embedding;
use earmark_engine::classify::{Decision, read};
use earmark_engine::fit::{FitOptions, Labelled, fit};
use earmark_engine::{Engine, EngineError};

use super::folds::{Examples, Fit, Scored, Scorer};

/// The head that `earmark fit` would save.
#[derive(Debug, Clone, Default)]
pub struct Learned(pub FitOptions);

impl Fit for Learned {
    fn describe(&self) -> String {
        "what `fit` learns: prototypes mixed with the words, or logistic regression; chosen and calibrated on the \
         clips that each fit has heard"
            .to_owned()
    }

    fn fit(&self, engine: &Engine, examples: &Examples<'_>) -> Result<Scorer, EngineError> {
        let classes = examples.names.len();
        // A class without clips is never the answer.
        let heard: Vec<usize> = (0..classes).filter(|class| examples.truth.contains(class)).collect();
        if heard.len() < 2 {
            let mut only = vec![0.0; classes];
            heard.iter().for_each(|&class| only[class] = 1.0);
            return Ok(Box::new(move |_| Scored { probabilities: only.clone(), accepted: true }));
        }
        let vectors: Vec<Embedding> = examples.vectors.iter().map(|&vector| vector.clone()).collect();
        let place = |class: &usize| heard.iter().position(|known| known == class).unwrap_or_default();
        let truth: Vec<usize> = examples.truth.iter().map(place).collect();
        let names: Vec<String> = heard.iter().map(|&class| examples.names[class].clone()).collect();
        let texts: Option<Vec<Embedding>> =
            examples.texts.map(|texts| heard.iter().map(|&class| texts[class].clone()).collect());
        let labelled = Labelled { vectors: &vectors, truth: &truth, names: &names, texts: texts.as_deref() };
        let manifest = engine.model().manifest();
        let options = FitOptions { groups: examples.groups.clone(), ..self.0.clone() };
        let labels = fit(&labelled, &manifest.scores, &options)?.head.encoded(None, &manifest.id)?;
        Ok(Box::new(move |vector| {
            let cosines: Vec<f32> = labels.vectors.iter().map(|label| label.cosine(vector)).collect();
            let answer = read(&labels.readout, &cosines, Decision::Single { threshold: None });
            let mut probabilities = vec![0.0; classes];
            answer.scores.iter().for_each(|s| probabilities[heard[s.label]] = s.probability);
            Scored { probabilities, accepted: answer.accepted > 0 }
        }))
    }
}
