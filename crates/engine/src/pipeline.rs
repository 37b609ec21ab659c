//! Keeps every core busy: decoding and features beside the encoder, through a bounded queue.
//!
//! Every worker thread can do both halves of the work. It encodes a queued run of windows if there is one, else it
//! starts on the next file; a worker that decodes faster than the others encode meets a full queue and encodes a run
//! itself. So one long file keeps all cores busy, thousands of short ones do too, and memory stays bounded: a file is
//! never held as samples, only as the runs of features in the queue and the vectors already made.
//!
//! Results do not depend on the number of threads: a run is always encoded by itself, in one call.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use earmark_audio::{AudioInfo, AudioReader, Limits, WindowStream};
use earmark_encoder::{AudioEncoder, Model, Runtime};

use crate::EngineError;
use crate::segment::{SegmentCutter, SegmentFeatures};

/// Where the bytes of a sound come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file, streamed.
    Path(PathBuf),
    /// Bytes in memory, and a name for messages.
    Bytes {
        /// Name for messages.
        name: String,
        /// A whole audio file.
        bytes: Vec<u8>,
    },
}

/// What becomes of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// One unit vector a segment: the windows pooled as the manifest says.
    Segments,
    /// One raw row a window, for pooling over any stretch later.
    Windows,
}

/// How to run.
#[derive(Debug, Clone)]
pub struct PipelineOptions {
    /// Worker threads.
    pub threads: usize,
    /// What becomes of windows.
    pub keep: Keep,
    /// Hop between windows in samples at the model's rate, where it is not the manifest's.
    pub hop_samples: Option<usize>,
    /// Use only this stretch of each file, seconds; the end may be infinite.
    pub range: Option<(f64, f64)>,
    /// Limits on untrusted input.
    pub limits: Limits,
}

/// A stretch of sound and its vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Start, seconds from the start of the file.
    pub start_s: f64,
    /// End, seconds from the start of the file.
    pub end_s: f64,
    /// `[dim]`: a unit vector for [`Keep::Segments`], a raw row for [`Keep::Windows`].
    pub vector: Vec<f32>,
}

/// A sound, encoded.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// What the file is.
    pub info: AudioInfo,
    /// Length of the audio that was decoded, seconds.
    pub duration_s: f64,
    /// Whether the file ended before its own header said.
    pub truncated: bool,
    /// Its spans, in order.
    pub spans: Vec<Span>,
}

/// What a worker finds when it takes up an item.
#[derive(Debug)]
pub enum Prepared<D> {
    /// Decode and encode this.
    Encode(Source),
    /// No need: here is the answer.
    Done(D),
}

/// How an item came out.
#[derive(Debug)]
pub enum Outcome<D> {
    /// It was encoded, or could not be.
    Encoded(Result<Encoded, EngineError>),
    /// The preparation had the answer.
    Done(D),
}

/// Runs `items` through `prepare` and, where needed, the decoder and the encoder, on `options.threads` threads, and
/// hands each outcome to `sink` on the calling thread, in the order they finish, with the key that `prepare` gave it.
/// Once `stop` is set no further item is taken up, and items still being decoded are dropped without an outcome.
///
/// # Errors
/// Those of opening the model. A file's own failure is its outcome, not an error of the run.
pub fn run<I, T, D>(
    model: &Model,
    runtime: &Runtime,
    options: &PipelineOptions,
    items: I,
    prepare: impl Fn(I::Item) -> (T, Prepared<D>) + Sync,
    stop: &AtomicBool,
    mut sink: impl FnMut(T, Outcome<D>),
) -> Result<(), EngineError>
where
    I: Iterator + Send,
    T: Send,
    D: Send,
{
    let threads = options.threads.max(1);
    let encoders = (0..threads).map(|_| model.audio_encoder(runtime)).collect::<Result<Vec<_>, _>>()?;
    let prototype = model.window_stream(options.hop_samples)?;
    let (sender, receiver) = sync_channel(RESULTS_AHEAD);
    let shared = Shared {
        model,
        options,
        prepare: &prepare,
        stop,
        queue_limit: 2 * threads,
        state: Mutex::new(State { items, queue: VecDeque::new(), decoding: 0 }),
        changed: Condvar::new(),
    };
    std::thread::scope(|scope| {
        for encoder in encoders {
            let worker =
                Worker { shared: &shared, encoder, results: sender.clone(), stream: prototype.clone() };
            scope.spawn(move || worker.work());
        }
        drop(sender);
        for (key, outcome) in receiver {
            sink(key, outcome);
        }
    });
    Ok(())
}

/// Finished items that may wait for the sink before the workers do.
const RESULTS_AHEAD: usize = 64;

struct Shared<'a, I, T, P> {
    model: &'a Model,
    options: &'a PipelineOptions,
    prepare: &'a P,
    stop: &'a AtomicBool,
    queue_limit: usize,
    state: Mutex<State<I, T>>,
    changed: Condvar,
}

impl<I, T, P> Shared<'_, I, T, P> {
    fn lock(&self) -> MutexGuard<'_, State<I, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct State<I, T> {
    items: I,
    queue: VecDeque<Run<T>>,
    /// Workers that may still add to the queue.
    decoding: usize,
}

/// Consecutive windows of one file, to be encoded in one call.
struct Run<T> {
    file: Arc<FileInProgress<T>>,
    position: usize,
    segment: SegmentFeatures,
}

/// A file some of whose runs are not encoded yet.
struct FileInProgress<T> {
    name: String,
    progress: Mutex<Progress<T>>,
}

struct Progress<T> {
    key: Option<T>,
    decoded: Option<Result<Decoded, EngineError>>,
    /// Spans of each run by position.
    runs: Vec<Option<Vec<Span>>>,
    failed: Option<EngineError>,
    missing: usize,
}

struct Decoded {
    info: AudioInfo,
    duration_s: f64,
    truncated: bool,
}

impl<T> FileInProgress<T> {
    fn lock(&self) -> MutexGuard<'_, Progress<T>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Progress<T> {
    /// The key with its result, once decoding is over and no run is missing.
    fn take_if_complete(&mut self) -> Option<(T, Result<Encoded, EngineError>)> {
        if self.missing > 0 {
            return None;
        }
        let decoded = self.decoded.take()?;
        let key = self.key.take()?;
        let result = match (decoded, self.failed.take()) {
            (Err(e), _) | (_, Some(e)) => Err(e),
            (Ok(d), None) => Ok(Encoded {
                info: d.info,
                duration_s: d.duration_s,
                truncated: d.truncated,
                spans: std::mem::take(&mut self.runs).into_iter().flatten().flatten().collect(),
            }),
        };
        Some((key, result))
    }
}

struct Worker<'a, I, T, P, D> {
    shared: &'a Shared<'a, I, T, P>,
    encoder: AudioEncoder,
    results: SyncSender<(T, Outcome<D>)>,
    stream: WindowStream,
}

enum Task<I, T> {
    Encode(Run<T>),
    TakeUp(I),
    Leave,
}

impl<I, T, P, D> Worker<'_, I, T, P, D>
where
    I: Iterator,
    P: Fn(I::Item) -> (T, Prepared<D>) + Sync,
{
    fn work(mut self) {
        loop {
            match self.next_task() {
                Task::Encode(run) => self.encode(run),
                Task::TakeUp(item) => {
                    self.take_up(item);
                    self.shared.lock().decoding -= 1;
                    self.shared.changed.notify_all();
                }
                Task::Leave => return,
            }
        }
    }

    /// Waits for something to do. Queued runs come first, so that files are finished before others are begun.
    fn next_task(&self) -> Task<I::Item, T> {
        let mut state = self.shared.lock();
        loop {
            if let Some(run) = state.queue.pop_front() {
                return Task::Encode(run);
            }
            if !self.shared.stop.load(Ordering::Relaxed)
                && let Some(item) = state.items.next()
            {
                state.decoding += 1;
                return Task::TakeUp(item);
            }
            if state.decoding == 0 {
                return Task::Leave;
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn take_up(&mut self, item: I::Item) {
        match (self.shared.prepare)(item) {
            (key, Prepared::Done(done)) => self.send(key, Outcome::Done(done)),
            (key, Prepared::Encode(source)) => self.decode(key, source),
        }
    }

    fn decode(&mut self, key: T, source: Source) {
        let name = match &source {
            Source::Path(path) => path.display().to_string(),
            Source::Bytes { name, .. } => name.clone(),
        };
        let file = Arc::new(FileInProgress {
            name,
            progress: Mutex::new(Progress {
                key: Some(key),
                decoded: None,
                runs: Vec::new(),
                failed: None,
                missing: 0,
            }),
        });
        let Some(decoded) = self.stream_file(&file, source).transpose() else {
            return; // Stopped: the file has no outcome.
        };
        let complete = {
            let mut progress = file.lock();
            progress.decoded = Some(decoded);
            progress.take_if_complete()
        };
        if let Some((key, result)) = complete {
            self.send(key, Outcome::Encoded(result));
        }
    }

    /// Decodes a file and queues its runs. `None` when stopped.
    fn stream_file(
        &mut self,
        file: &Arc<FileInProgress<T>>,
        source: Source,
    ) -> Result<Option<Decoded>, EngineError> {
        let options = self.shared.options;
        let manifest = self.shared.model.manifest();
        let sample_rate = manifest.front_end.sample_rate();
        let reader = match source {
            Source::Path(path) => AudioReader::open(&path, &options.limits)?,
            Source::Bytes { name, bytes } => AudioReader::from_bytes(&name, bytes, &options.limits)?,
        };
        let mut reader = reader.resampled(sample_rate)?;
        let mut stream = self.stream.clone();
        let mut cutter = SegmentCutter::new(manifest.segment.windows);
        let (start_s, end_s) = options.range.unwrap_or((0.0, f64::INFINITY));
        // In samples at the model's rate; a range past the end of `u64` saturates, as casts do.
        let (first, last) =
            ((start_s * f64::from(sample_rate)) as u64, (end_s * f64::from(sample_rate)) as u64);
        let offset_s = first as f64 / f64::from(sample_rate);
        let (mut block, mut position, mut used) = (Vec::new(), 0_u64, 0_u64);
        let mut complete = Vec::new();
        while position < last && reader.read_block(&mut block)? {
            if self.shared.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let from = first.saturating_sub(position).min(block.len() as u64) as usize;
            let to = (last - position).min(block.len() as u64) as usize;
            position += block.len() as u64;
            if from >= to {
                continue;
            }
            used += (to - from) as u64;
            stream.push(&block[from..to], &mut |window| complete.extend(cutter.push(window)));
            for segment in complete.drain(..) {
                self.enqueue(file, segment, offset_s);
            }
        }
        let info = reader.info().clone();
        let duration_s = used as f64 / f64::from(sample_rate);
        if used == 0 {
            return Err(earmark_audio::AudioError::OutOfRange {
                file: file.name.clone(),
                start_s,
                end_s,
                duration_s: position as f64 / f64::from(sample_rate),
            }
            .into());
        }
        stream.finish(&mut |window| complete.extend(cutter.push(window)));
        for segment in complete.into_iter().chain(cutter.finish()) {
            self.enqueue(file, segment, offset_s);
        }
        Ok(Some(Decoded { info, duration_s, truncated: reader.truncated() }))
    }

    /// Queues a run; encodes one here when the queue is full.
    fn enqueue(&mut self, file: &Arc<FileInProgress<T>>, mut segment: SegmentFeatures, offset_s: f64) {
        for (start_s, end_s) in &mut segment.times {
            *start_s += offset_s;
            *end_s += offset_s;
        }
        let position = {
            let mut progress = file.lock();
            progress.runs.push(None);
            progress.missing += 1;
            progress.runs.len() - 1
        };
        let overflow = {
            let mut state = self.shared.lock();
            state.queue.push_back(Run { file: Arc::clone(file), position, segment });
            if state.queue.len() > self.shared.queue_limit { state.queue.pop_front() } else { None }
        };
        match overflow {
            Some(run) => self.encode(run),
            None => self.shared.changed.notify_one(),
        }
    }

    fn encode(&mut self, run: Run<T>) {
        let spans = self.encode_segment(&run.segment, &run.file.name);
        let complete = {
            let mut progress = run.file.lock();
            progress.missing -= 1;
            match spans {
                Ok(spans) => progress.runs[run.position] = Some(spans),
                Err(e) => progress.failed = Some(e),
            }
            progress.take_if_complete()
        };
        if let Some((key, result)) = complete {
            self.send(key, Outcome::Encoded(result));
        }
    }

    fn encode_segment(&mut self, segment: &SegmentFeatures, name: &str) -> Result<Vec<Span>, EngineError> {
        let model = self.shared.model;
        let mut rows = Vec::with_capacity(segment.times.len() * model.manifest().dim);
        self.encoder.encode(&segment.features, &mut rows)?;
        let span = |(start_s, end_s): (f64, f64), vector: Vec<f32>| Span { start_s, end_s, vector };
        match self.shared.options.keep {
            Keep::Windows => Ok(segment
                .times
                .iter()
                .zip(rows.chunks_exact(model.manifest().dim))
                .map(|(&times, row)| span(times, row.to_vec()))
                .collect()),
            Keep::Segments => {
                let times = (segment.times[0].0, segment.times[segment.times.len() - 1].1);
                Ok(vec![span(times, model.pool(&rows, name)?.into_vec())])
            }
        }
    }

    fn send(&self, key: T, outcome: Outcome<D>) {
        // The receiver outlives the workers; only a panic in the sink ends it early, and then nobody listens.
        let _ = self.results.send((key, outcome));
    }
}
