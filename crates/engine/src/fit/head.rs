//! What a fit leaves: directions, and how cosines with them are read.

use earmark_encoder::{Embedding, Scores};
use serde::{Deserialize, Serialize};

use super::candidate::Directions;
use super::select::Reading;
use crate::EngineError;
use crate::adapt::Surroundings;
use crate::labels::EncodedLabels;
use crate::readout::{Line, NoneOfThese, Readout};

/// A fitted head for the labels of a set, in one model's space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Names of the labels.
    pub labels: Vec<String>,
    /// One unit vector a label, `[labels][dim]`.
    pub vectors: Vec<Vec<f32>>,
    /// How cosines with them are read, one a label.
    pub lines: Vec<Line>,
    /// Logit below which the best label is not the answer, but "none of these"; always the answer if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f32>,
    /// Whether held-out clips calibrated them; else they are the model's own.
    pub calibrated: bool,
    /// Where the clips lie that it was learned from.
    pub place: Surroundings,
}

impl Head {
    pub(super) fn new(
        names: &[String],
        directions: Directions,
        reading: Option<&Reading>,
        scores: &Scores,
        place: Surroundings,
    ) -> Result<Self, EngineError> {
        let line = |class: usize| match reading {
            None => Line::of_model(scores),
            Some(Reading { factor, sigmoids, thresholds, .. }) => {
                let (scale, bias) = (directions.scales[class], directions.biases[class]);
                let sigmoid = sigmoids[class];
                Line {
                    scale: (factor * scale) as f32,
                    bias: (factor * bias) as f32,
                    independent_scale: (sigmoid.slope * scale) as f32,
                    independent_bias: (sigmoid.slope * bias + sigmoid.bias) as f32,
                    threshold: thresholds[class] as f32,
                }
            }
        };
        let lines = (0..names.len()).map(line).collect();
        let unit = |(name, row): (&String, &[f64])| {
            let values = row.iter().map(|&v| v as f32).collect();
            Embedding::from_values(values, "fit", &format!("the class `{name}`")).map(Embedding::into_vec)
        };
        let vectors = names.iter().zip(directions.vectors.iter()).map(unit).collect::<Result<_, _>>()?;
        let limit = reading.and_then(|reading| Some((reading.factor * reading.limit?) as f32));
        Ok(Self { labels: names.to_vec(), vectors, lines, limit, calibrated: reading.is_some(), place })
    }

    /// What is wrong with a head that was read from a disk, in a space of `dim` dimensions.
    pub(crate) fn problem(&self, dim: usize) -> Option<String> {
        let labels = self.labels.len();
        if labels < 2 || self.vectors.len() != labels || self.lines.len() != labels {
            let (vectors, lines) = (self.vectors.len(), self.lines.len());
            return Some(format!("{labels} labels, but {vectors} vectors and {lines} readings"));
        }
        if let Some(vector) = self.vectors.iter().find(|v| v.len() != dim) {
            return Some(format!("expected vectors of {dim} numbers, got {}", vector.len()));
        }
        let numbers = |line: &Line| {
            [line.scale, line.bias, line.independent_scale, line.independent_bias, line.threshold]
        };
        let of_labels = self.vectors.iter().flatten().copied().chain(self.lines.iter().flat_map(numbers));
        let mut all = of_labels.chain(self.limit);
        if all.any(|v| !v.is_finite()) {
            return Some("a number is not finite".to_owned());
        }
        self.place.problem(dim)
    }

    /// The labels as classification uses them; moved to another place, where one is given ([`crate::adapt`]).
    ///
    /// # Errors
    /// A vector without direction.
    pub fn encoded(&self, place: Option<&Surroundings>, model: &str) -> Result<EncodedLabels, EngineError> {
        let mut vectors = Vec::with_capacity(self.vectors.len());
        let mut lines = Vec::with_capacity(self.lines.len());
        for ((name, vector), line) in self.labels.iter().zip(&self.vectors).zip(&self.lines) {
            let (vector, line) = match place {
                Some(place) => self.place.moved(place, vector, line),
                None => (vector.clone(), *line),
            };
            vectors.push(Embedding::from_values(vector, model, &format!("the label `{name}`"))?);
            lines.push(line);
        }
        let none = self.limit.map_or(NoneOfThese::Never, NoneOfThese::BelowLimit);
        let readout = Readout { lines, none, calibrated: self.calibrated };
        Ok(EncodedLabels { names: self.labels.clone(), vectors, readout, texts: Vec::new() })
    }
}
