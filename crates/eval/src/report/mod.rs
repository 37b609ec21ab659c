//! What a run found, and how it is shown.

mod model;

pub use model::{
    Accuracy, Calibration, ClassResult, Classification, ClipResult, EvalReport, EventDetection, Interval,
    MultiLabel, PromptResult, Protocol, ReliabilityBin, Results, Retrieval, RetrievalDirection, Skipped,
};
