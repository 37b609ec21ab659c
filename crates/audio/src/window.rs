//! Cutting a stream of samples into the windows an encoder takes, as features.

use crate::error::SpecError;
use crate::log_mel::LogMel;
use crate::spec::{ShortPad, WindowSpec};

/// The features of one window of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureWindow {
    /// 0, 1, 2, ...
    pub index: usize,
    /// Where the window starts, in seconds.
    pub start_s: f64,
    /// Where its audio ends, in seconds; padding is not counted.
    pub end_s: f64,
    /// `[frames, n_mels]`, row by row.
    pub features: Vec<f32>,
}

/// Cuts a stream into windows and computes their features as soon as they are complete.
///
/// How many windows there are, and what is in the last one, is told at [`WindowSpec`]. The features of a
/// window depend on its samples only: they are bit for bit what [`LogMel::compute`] gives for the window
/// alone, whatever block sizes the samples came in.
///
/// Where the front end is not centred and windows are a whole number of frames apart, the frames that
/// overlapping windows share are computed once.
#[derive(Clone)]
pub struct WindowStream {
    log_mel: LogMel,
    spec: WindowSpec,
    frames_per_window: usize,
    /// Samples from `base`, the next window's start, on.
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
    /// Frames between windows.
    frames_per_hop: usize,
    /// `[frames, n_mels]`, from the next window's first frame on.
    rows: Vec<f32>,
    frames: usize,
}

impl WindowStream {
    /// A stream of windows as `spec` says, through `log_mel`.
    ///
    /// # Errors
    /// [`SpecError`] if the numbers make no sense, or a window is too short for a single frame.
    pub fn new(log_mel: LogMel, spec: &WindowSpec) -> Result<Self, SpecError> {
        spec.validate()?;
        let frames_per_window = log_mel.frames(spec.length_samples);
        if frames_per_window == 0 {
            let expected = format!("at least win_length ({})", log_mel.spec().win_length);
            return Err(SpecError::new("length_samples", expected, spec.length_samples));
        }
        let hop_length = log_mel.spec().hop_length;
        let can_roll = !log_mel.spec().center && spec.hop_samples.is_multiple_of(hop_length);
        let rolling = can_roll.then(|| Rolling {
            frames_per_hop: spec.hop_samples / hop_length,
            rows: Vec::new(),
            frames: 0,
        });
        Ok(Self {
            log_mel,
            spec: *spec,
            frames_per_window,
            samples: Vec::new(),
            base: 0,
            total: 0,
            next_window: 0,
            rolling,
        })
    }

    /// Frames in every window.
    pub fn frames_per_window(&self) -> usize {
        self.frames_per_window
    }

    /// Mel bands in every frame.
    pub fn n_mels(&self) -> usize {
        self.log_mel.n_mels()
    }

    /// Takes the next samples, of any number, at the front end's rate; gives `sink` the windows that
    /// they complete.
    pub fn push(&mut self, samples: &[f32], sink: &mut dyn FnMut(FeatureWindow)) {
        // In pieces of a window, so that the buffer stays small and moving it stays cheap.
        for piece in samples.chunks(self.spec.length_samples) {
            self.samples.extend_from_slice(piece);
            self.total += piece.len() as u64;
            self.emit_complete(self.total, sink);
        }
    }

    /// Ends the stream: gives `sink` the last window, if there is one to give, and starts over.
    pub fn finish(&mut self, sink: &mut dyn FnMut(FeatureWindow)) {
        let total = self.total;
        let length = self.spec.length_samples as u64;
        let start = self.next_start();
        // A next window exists if there was none yet, or if samples lie beyond the last one's end.
        let beyond = self.next_window == 0 || total > start - self.spec.hop_samples as u64 + length;
        if total > 0 && beyond {
            if self.next_window == 0 && self.spec.pad != ShortPad::Zero {
                let window = self.repeated();
                sink(window);
            } else {
                let missing = (start + length - total) as usize;
                self.samples.resize(self.samples.len() + missing, 0.0);
                self.total += missing as u64;
                self.emit_complete(total, sink);
            }
        }
        self.reset();
    }

    fn reset(&mut self) {
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

    /// Emits the windows whose samples are all here; `real` of the samples are audio, the rest padding.
    fn emit_complete(&mut self, real: u64, sink: &mut dyn FnMut(FeatureWindow)) {
        self.roll();
        while self.total >= self.next_start() + self.spec.length_samples as u64 {
            let features = self.next_features();
            let window = self.window(features, real);
            sink(window);
            self.next_window += 1;
            if let Some(rolling) = &mut self.rolling {
                let dropped = rolling.frames_per_hop.min(rolling.frames);
                rolling.rows.drain(..dropped * self.log_mel.n_mels());
                rolling.frames -= dropped;
            }
        }
        let keep_from = self.next_start().max(self.base);
        self.samples.drain(..(keep_from - self.base) as usize);
        self.base = keep_from;
    }

    /// Computes every frame whose samples are here and that is not computed yet.
    fn roll(&mut self) {
        let Some(rolling) = &mut self.rolling else { return };
        let (hop, win) = (self.log_mel.spec().hop_length, self.log_mel.spec().win_length);
        let n_mels = self.log_mel.n_mels();
        while let Some(frame) = self.samples.get(rolling.frames * hop..)
            && frame.len() >= win
        {
            let at = rolling.rows.len();
            rolling.rows.resize(at + n_mels, 0.0);
            self.log_mel.frame(frame, &mut rolling.rows[at..]);
            rolling.frames += 1;
        }
    }

    /// The features of the next window, whose samples are all here.
    fn next_features(&mut self) -> Vec<f32> {
        let mut features = Vec::new();
        if let Some(rolling) = &self.rolling {
            let len = self.frames_per_window * self.log_mel.n_mels();
            features.extend_from_slice(&rolling.rows[..len]);
        } else {
            let start = (self.next_start() - self.base) as usize;
            let samples = &self.samples[start..start + self.spec.length_samples];
            self.log_mel.compute(samples, &mut features);
        }
        features
    }

    /// The only window of a stream shorter than one, filled with copies of the stream.
    fn repeated(&mut self) -> FeatureWindow {
        let (n, length) = (self.samples.len(), self.spec.length_samples);
        let filled = match self.spec.pad {
            ShortPad::Zero => n,
            ShortPad::Repeat => length,
            ShortPad::RepeatZero => length / n * n,
        };
        let mut samples: Vec<f32> = self.samples.iter().copied().cycle().take(filled).collect();
        samples.resize(length, 0.0);
        let mut features = Vec::new();
        self.log_mel.compute(&samples, &mut features);
        self.window(features, n as u64)
    }

    fn window(&self, features: Vec<f32>, real: u64) -> FeatureWindow {
        let seconds = |samples: u64| samples as f64 / f64::from(self.log_mel.spec().sample_rate);
        let start = self.next_start();
        let end = (start + self.spec.length_samples as u64).min(real);
        FeatureWindow { index: self.next_window, start_s: seconds(start), end_s: seconds(end), features }
    }
}
