//! A saved label set, held against the clips of a dataset.

use earmark_engine::labels::EncodedLabels;

use crate::EvalError;
use crate::datasets::{Dataset, Task};

/// The option that names it.
const FIELD: &str = "label_set";

/// A label set to score.
#[derive(Debug, Clone)]
pub struct Saved<'a> {
    /// Its name.
    pub name: String,
    /// How it came about, in words, for the protocol.
    pub made: String,
    /// Its labels in the model's space.
    pub labels: &'a EncodedLabels,
}

/// A label set whose labels were found among the classes of a dataset.
pub(super) struct Matched<'a> {
    pub(super) labels: &'a EncodedLabels,
    /// The dataset's classes, then the labels that are none of them.
    pub(super) names: Vec<String>,
    /// The place in the set of each of `names`.
    pub(super) places: Vec<usize>,
}

impl<'a> Saved<'a> {
    /// Finds each class of the dataset among the set's labels: by its name, else by its text. Labels that are
    /// no class of the dataset stay, and are wrong wherever they are the answer.
    ///
    /// # Errors
    /// [`EvalError::Setting`] for a class without a label, and for a dataset of captions or events.
    pub(super) fn matched(&self, dataset: &Dataset) -> Result<Matched<'a>, EvalError> {
        let bad =
            |expected: String, received: String| EvalError::Setting { field: FIELD, expected, received };
        if !matches!(dataset.task, Task::SingleLabel | Task::MultiLabel) {
            let received = format!("{}, which has {}", dataset.name, dataset.task.as_str());
            return Err(bad("a dataset with labels".to_owned(), received));
        }
        let all = &self.labels.names;
        let mut places = Vec::with_capacity(all.len());
        let mut missing = Vec::new();
        let named = |name: &str| all.iter().position(|label| label == name);
        // Names first, so that no text takes the label of another class.
        for class in &dataset.classes {
            let by_text = || {
                let place = named(&class.text)?;
                dataset.classes.iter().all(|other| other.name != all[place]).then_some(place)
            };
            match named(&class.name).or_else(by_text).filter(|place| !places.contains(place)) {
                Some(place) => places.push(place),
                None => missing.push(class.name.as_str()),
            }
        }
        let others: Vec<usize> = (0..all.len()).filter(|place| !places.contains(place)).collect();
        if !missing.is_empty() {
            let left: Vec<&str> = others.iter().map(|&place| all[place].as_str()).collect();
            let left = if left.is_empty() { "none".to_owned() } else { left.join(", ") };
            return Err(bad(
                format!("a label for each class of {}", dataset.name),
                format!(
                    "`{}`, which has none for: {}; its other labels: {left}",
                    self.name,
                    missing.join(", ")
                ),
            ));
        }
        let classes = dataset.classes.iter().map(|class| class.name.clone());
        let names = classes.chain(others.iter().map(|&place| all[place].clone())).collect();
        places.extend(others);
        Ok(Matched { labels: self.labels, names, places })
    }
}

impl Matched<'_> {
    /// A value for each label of the set, in the order of `names`.
    pub(super) fn ordered(&self, values: &[f32]) -> Vec<f32> {
        self.places.iter().map(|&place| values[place]).collect()
    }
}
