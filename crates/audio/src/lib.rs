//! Untrusted bytes -> mono samples -> features.
//!
//! This crate turns a sound file into what an audio encoder eats. It knows no model and no ONNX: the
//! front end is described by data ([`FrontEndSpec`], [`FeatureSpec`], [`WindowSpec`]) that a model's
//! manifest carries.
//!
//! The way of the data, one module a step:
//!
//! ```text
//! bytes --reader--> mono blocks --resample--> mono blocks at one rate --window--> FeatureWindow
//!  (container, source, decoders, timeline, trim, mix)                                         (front_end)
//! ```
//!
//! Everything streams: a file of any length is decoded, resampled and featurised with a fixed amount
//! of memory. [`Waveform`] is the exception, for short clips and for looking at a range.
//!
//! ```no_run
//! use std::path::Path;
//! use earmark_audio::{AudioReader, ReadOptions};
//!
//! # fn main() -> Result<(), earmark_audio::AudioError> {
//! let mut reader = AudioReader::open(Path::new("dog.ogg"), &ReadOptions::default())?.resampled(16_000)?;
//! let mut block = Vec::new();
//! while reader.read_block(&mut block)? {
//!     // `block` holds the next mono samples at 16 kHz: give them to `WindowStream::push`.
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What it promises:
//!
//! - **Hostile input is an error, never a crash.** See [`AudioError`]; a decoder's panic is contained.
//! - **Deterministic.** The same bytes give the same samples and features on one machine, whatever the
//!   block sizes and the number of threads. (Across CPU families the FFT may round differently.)
//! - **Aligned.** Encoder delay, padding and the resampler's delay are removed: time 0 is time 0.

mod container;
mod decoders;
mod error;
mod excerpt;
mod ffmpeg;
mod formats;
mod front_end;
mod guard;
mod itunes;
mod limits;
mod metadata;
mod meter;
mod mix;
mod open_track;
mod reader;
mod remarks;
mod resample;
mod sniff;
mod spec;
mod timeline;
mod trim;
mod waveform;
mod window;

pub use error::{AudioError, SpecError};
pub use excerpt::{Excerpt, ExcerptError, excerpt};
pub use ffmpeg::Ffmpeg;
pub use formats::{FORMATS, Format, readable};
pub use front_end::{FeatureShape, FrontEnd};
pub use guard::panic_message;
pub use limits::{Limits, ReadOptions};
pub use metadata::{EmbeddedText, embedded_texts, ucs_category};
pub use reader::{AudioInfo, AudioReader};
pub use remarks::{Missing, Remarks, Stretch, Unlisted};
pub use resample::ResampledReader;
pub use spec::{
    CenterOver, FeatureSpec, FrontEndSpec, FusionSpec, KaldiFbankSpec, LogKind, LogMelSpec, LogScale,
    MelNorm, MelScale, MelShape, Normalise, PadMode, ShortPad, Spectrum, Tail, WaveformSpec, WindowFunction,
    WindowSpec,
};
pub use waveform::Waveform;
pub use window::{FeatureWindow, WindowStream};
