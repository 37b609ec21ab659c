//! Figures from scores and truth. Nothing here knows a file, a model or a sound; names are only passed on.
//!
//! - [`classification`]: one label a clip; [`accuracy`] alone, for folds and prompts; [`answers`], where "none
//!   of these" is one
//! - [`multi_label`]: any number of labels a clip; [`macro_map`] alone, for prompts
//! - [`retrieval`]: captions and clips, both ways
//! - [`events`]: when something is heard
//!
//! Scores are rows, one a clip, a finite number a class. Ties: among equal scores the class that comes first is
//! taken, as
//! `classify` lists them; average precision and ROC curves treat equal scores as one threshold, as scikit-learn does;
//! in retrieval an equal score of a wrong answer counts as ranked before the right one.
//!
//! `tests/fixtures/eval/reference.py` computes the same figures with scikit-learn and sed_eval; the tests compare.

mod bootstrap;
mod calibration;
mod classification;
mod error;
mod events;
mod interval;
mod multi_label;
mod normal;
mod ranking;
mod retrieval;
mod rows;

pub use classification::{accuracy, answers, classification, confusion};
pub use error::MetricError;
pub use events::{Event, Recording, events};
pub use interval::wilson;
pub use multi_label::{macro_map, multi_label};
pub use ranking::{average_precision, d_prime, roc_auc};
pub use retrieval::{Caption, retrieval};

/// How many clips, captions or recordings are listed for listening.
pub const WORST: usize = 30;
