//! What a run found, and how it is shown.
//!
//! - [`EvalReport`]: the content; its serde form is the JSON that is printed and saved
//! - [`table`]: plain text for a terminal
//! - [`html`]: one page that needs nothing else but the sound files it plays

mod figures;
mod html;
mod model;
mod results;
mod table;
mod text;

pub use html::html;
pub use model::{EvalReport, FileUsed, Interval, PromptResult, Protocol, Skipped};
pub use results::{
    Accuracy, Answers, Calibration, CaptionResult, ClassResult, Classification, ClipResult, EventDetection,
    HeardEvent, MultiLabel, RecordingResult, ReliabilityBin, Results, Retrieval, RetrievalDirection,
};
pub use table::table;
