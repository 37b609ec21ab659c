//! Cutting a stream of samples into the windows an encoder takes, as features.

use crate::error::SpecError;
use crate::front_end::{FeatureShape, FrontEnd, Piece};
use crate::spec::{ShortPad, Tail, WindowSpec};

/// Features in a window at most; the largest known have a quarter of a million. Keeps a bad manifest from setting aside
/// gigabytes.
const MAX_FEATURES: usize = 1 << 26;

/// The features of one window of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureWindow {
    /// 0, 1, 2, ...
    pub index: usize,
    /// Where the window starts, in seconds.
    pub start_s: f64,
    /// Where its audio ends, in seconds; padding is not counted.
    pub end_s: f64,
    /// `[channels, frames, bands]` as [`WindowStream::shape`] says, row by row.
    pub features: Vec<f32>,
}

/// Cuts a stream into windows and computes their features as soon as they are complete.
///
/// How many windows there are, and what is in the last one, is told at [`WindowSpec`]. The features of a
/// window depend on its samples only: they are bit for bit what [`FrontEnd::compute`] gives for the window
/// alone, whatever block sizes the samples came in. (On those around it too where the front end is centred over
/// the stream; the block sizes do not matter there either.)
///
/// Where frames depend on their own samples only (a log-mel that is not centred, Kaldi's filterbank) and windows
/// are a whole number of frames apart, the frames that overlapping windows share are computed once.
#[derive(Clone)]
pub struct WindowStream {
    front_end: FrontEnd,
    spec: WindowSpec,
    shape: FeatureShape,
    /// Samples from `base` on: the next window's start, less the context that its features see, and with
    /// [`Tail::Shift`] less a hop, since the last window may reach back there.
    samples: Vec<f32>,
    base: u64,
    /// All samples pushed.
    total: u64,
    next_window: usize,
    rolling: Option<Rolling>,
}

/// Frames computed ahead of the windows that share them.
#[derive(Clone)]
struct Rolling {
    /// Samples that a frame depends on.
    frame_length: usize,
    /// Frames between windows.
    frames_per_hop: usize,
    /// `[frames, bands]`, from the next window's first frame on.
    rows: Vec<f32>,
    frames: usize,
}

impl WindowStream {
    /// A stream of windows as `window` says, through `front_end`.
    ///
    /// # Errors
    /// [`SpecError`] if the numbers make no sense, or a window is too short for a single frame or has too many.
    pub fn new(front_end: FrontEnd, window: &WindowSpec) -> Result<Self, SpecError> {
        window.validate(front_end.features())?;
        if front_end.frames(window.length_samples) == 0 {
            let expected = format!("at least one frame ({} samples)", front_end.frame_samples());
            return Err(SpecError::new("window.length_samples", expected, window.length_samples));
        }
        let shape = front_end.shape(window.length_samples);
        // Cannot overflow: each of the three has a limit of its own.
        let features = shape.channels * shape.frames * shape.bands;
        if features > MAX_FEATURES {
            let expected = format!("at most {MAX_FEATURES} features in a window");
            return Err(SpecError::new("window.length_samples", expected, features));
        }
        let hop_length = front_end.hop_length();
        let whole_frames = window.hop_samples.is_multiple_of(hop_length);
        let rolling = front_end.framing().filter(|_| whole_frames).map(|frame_length| Rolling {
            frame_length,
            frames_per_hop: window.hop_samples / hop_length,
            rows: Vec::new(),
            frames: 0,
        });
        Ok(Self {
            shape,
            front_end,
            spec: *window,
            samples: Vec::new(),
            base: 0,
            total: 0,
            next_window: 0,
            rolling,
        })
    }

    /// Shape of every window's features.
    pub fn shape(&self) -> FeatureShape {
        self.shape
    }

    /// Takes the next samples, of any number, at the front end's rate; gives `sink` the windows that
    /// they complete.
    pub fn push(&mut self, samples: &[f32], sink: &mut dyn FnMut(FeatureWindow)) {
        // In pieces of a window, so that the buffer stays small and moving it stays cheap.
        for piece in samples.chunks(self.spec.length_samples) {
            self.samples.extend_from_slice(piece);
            self.total += piece.len() as u64;
            self.emit_complete(self.front_end.context() as u64, sink);
        }
    }

    /// Ends the stream: gives `sink` the last window, if there is one to give, and starts over.
    pub fn finish(&mut self, sink: &mut dyn FnMut(FeatureWindow)) {
        let (length, hop) = (self.spec.length_samples as u64, self.spec.hop_samples as u64);
        self.emit_complete(0, sink);
        // A next window exists if there was none yet, or if samples lie beyond the last one's end.
        let beyond = self.next_window == 0 || self.total > self.next_start() - hop + length;
        if self.total > 0 && beyond {
            let window = self.last_window();
            sink(window);
        }
        self.samples.clear();
        (self.base, self.total, self.next_window) = (0, 0, 0);
        if let Some(rolling) = &mut self.rolling {
            rolling.rows.clear();
            rolling.frames = 0;
        }
    }

    /// Where the next window starts, in samples.
    fn next_start(&self) -> u64 {
        self.next_window as u64 * self.spec.hop_samples as u64
    }

    /// Emits the windows whose samples are all here, and `beyond` more behind them.
    fn emit_complete(&mut self, beyond: u64, sink: &mut dyn FnMut(FeatureWindow)) {
        self.roll();
        while self.total >= self.next_start() + self.spec.length_samples as u64 + beyond {
            let features = self.next_features();
            sink(self.window(self.next_start(), features));
            self.next_window += 1;
            if let Some(rolling) = &mut self.rolling {
                let dropped = rolling.frames_per_hop.min(rolling.frames);
                rolling.rows.drain(..dropped * self.shape.bands);
                rolling.frames -= dropped;
            }
        }
        let reach_back = match self.spec.tail {
            Tail::Zero => 0,
            Tail::Shift => self.spec.hop_samples as u64,
        };
        let keep_from = self.next_start().saturating_sub(reach_back + self.front_end.context() as u64);
        self.samples.drain(..(keep_from - self.base) as usize);
        self.base = keep_from;
    }

    /// Computes every frame whose samples are here and that is not computed yet.
    fn roll(&mut self) {
        let start = (self.next_start() - self.base) as usize;
        let (hop, bands) = (self.front_end.hop_length(), self.shape.bands);
        let Some(rolling) = &mut self.rolling else { return };
        while let Some(frame) = self.samples.get(start + rolling.frames * hop..)
            && frame.len() >= rolling.frame_length
        {
            let at = rolling.rows.len();
            rolling.rows.resize(at + bands, 0.0);
            self.front_end.frame(frame, &mut rolling.rows[at..]);
            rolling.frames += 1;
        }
    }

    /// The features of the next window, whose samples are all here.
    fn next_features(&mut self) -> Vec<f32> {
        let (start, length) = (self.next_start(), self.spec.length_samples);
        if let Some(rolling) = &self.rolling {
            let rows = self.front_end.frames(length) * self.shape.bands;
            self.front_end.apply_steps(rolling.rows[..rows].to_vec())
        } else {
            let stream = Piece { samples: &self.samples, base: self.base, total: self.total };
            self.front_end.compute_within(stream, start, length)
        }
    }

    /// The window that the stream's end leaves incomplete.
    fn last_window(&mut self) -> FeatureWindow {
        let first = self.next_window == 0;
        let start = match self.spec.tail {
            Tail::Shift if !first => self.total - self.spec.length_samples as u64,
            _ => self.next_start(),
        };
        let n = (self.total - start) as usize;
        let fusion = self.front_end.features().fusion;
        let full = fusion.map_or(self.spec.length_samples, |fusion| fusion.chunk_samples);
        let (repeated, filled) = match self.spec.pad {
            ShortPad::Repeat if first => (full, full),
            ShortPad::RepeatZero if first => (full / n * n, full),
            ShortPad::None => (n, self.front_end.frame_samples()),
            _ => (n, full),
        };
        // Repeating is for the first window only: the buffer then starts with it.
        for at in n..repeated {
            self.samples.push(self.samples[at - n]);
        }
        let length = filled.max(repeated).max(n);
        let end = start + length as u64;
        self.samples.resize((end - self.base) as usize, 0.0);
        let stream = Piece { samples: &self.samples, base: self.base, total: end };
        let features = self.front_end.compute_within(stream, start, length);
        self.window(start, features)
    }

    fn window(&self, start: u64, features: Vec<f32>) -> FeatureWindow {
        let seconds = |samples: u64| samples as f64 / f64::from(self.front_end.sample_rate());
        let end = (start + self.spec.length_samples as u64).min(self.total);
        FeatureWindow { index: self.next_window, start_s: seconds(start), end_s: seconds(end), features }
    }
}
