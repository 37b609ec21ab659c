//! What a run found, and how it is shown.

mod model;

pub use model::{
    Accuracy, Calibration, CaptionResult, ClassResult, Classification, ClipResult, EvalReport,
    EventDetection, HeardEvent, Interval, MultiLabel, PromptResult, Protocol, RecordingResult,
    ReliabilityBin, Results, Retrieval, RetrievalDirection, Skipped,
};
