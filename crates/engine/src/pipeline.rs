//! Keeps every core busy: decoding and features beside the encoder, through a bounded queue.
//!
//! Every worker thread can do both halves of the work. It encodes a queued run of windows if there is one,
//! else it starts on the next file; a worker that decodes faster than the others encode meets a full queue
//! and encodes a run itself. So one long file keeps all cores busy, thousands of short ones do too, and
//! memory stays bounded: a file is never held as samples, only as the runs of features in the queue and the
//! vectors already made.
//!
//! Results do not depend on the number of threads: a run is always encoded by itself, in one call, unless a
//! larger batch is asked for.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use earmark_audio::{AudioInfo, AudioReader, FeatureShape, ReadOptions, Remarks, WindowStream};
use earmark_encoder::{AudioEncoder, EncoderError, Model, dot};
use earmark_index::stored_path;

use crate::EngineError;
use crate::encoders::Encoders;
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

impl Source {
    /// What it is called in messages.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) => stored_path(path),
            Self::Bytes { name, .. } => name.clone(),
        }
    }
}

/// What becomes of windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// One unit vector a segment: the windows pooled as the manifest says.
    Segments,
    /// One raw row a window, for pooling over any stretch later.
    Windows,
    /// For finding events: one raw row a detection window, and beside them one a context window
    /// ([`Encoded::contexts`]), both cut from one decode. As [`Keep::Windows`] for a model without
    /// `[detect]`.
    Detection,
}

/// How to run.
#[derive(Debug, Clone)]
pub struct PipelineOptions {
    /// Worker threads.
    pub threads: usize,
    /// See [`crate::EngineOptions::batch`].
    pub batch: usize,
    /// What becomes of windows.
    pub keep: Keep,
    /// Hop between windows (detection windows for [`Keep::Detection`]) in samples at the model's rate, where
    /// it is not the manifest's.
    pub hop_samples: Option<usize>,
    /// Keep each window's cosines with these instead of its row. Each, a unit vector, is compared with as
    /// many first components of the window's embedding as it has. Hours of sound then take little memory.
    pub compare: Option<Arc<Vec<Vec<f32>>>>,
    /// Use only this stretch of each file, seconds; the end may be infinite.
    pub range: Option<(f64, f64)>,
    /// How sound files are read.
    pub read: ReadOptions,
}

/// A stretch of sound and its vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Start, seconds from the start of the file.
    pub start_s: f64,
    /// End, seconds from the start of the file.
    pub end_s: f64,
    /// A unit vector `[dim]` for [`Keep::Segments`], else a row of the encoder's, or what it was compared
    /// with gave.
    pub vector: Vec<f32>,
}

/// A sound, encoded.
#[derive(Debug, Clone)]
pub struct Encoded {
    /// What the file is.
    pub info: AudioInfo,
    /// Length of the audio that was decoded, seconds.
    pub duration_s: f64,
    /// What a user should know about how the file was read. Boxed, since it is large and mostly empty.
    pub remarks: Box<Remarks>,
    /// Its spans, in order.
    pub spans: Vec<Span>,
    /// The context windows of [`Keep::Detection`], in order; none for a model without `[detect]`.
    pub contexts: Vec<Span>,
}

/// What a worker finds when it takes up an item.
#[derive(Debug)]
pub(crate) enum Prepared<D> {
    /// Decode and encode this.
    Encode(Source),
    /// No need: here is the answer.
    Done(D),
}

/// How an item came out.
#[derive(Debug)]
pub(crate) enum Outcome<D> {
    /// It was encoded, or could not be.
    Encoded(Result<Encoded, EngineError>),
    /// The preparation had the answer.
    Done(D),
}

/// What happens along the way.
#[derive(Debug)]
pub(crate) enum Step<T, D> {
    /// So much audio was decoded so far, that of unfinished files included. Told several times a second.
    Decoded {
        /// Seconds.
        audio_s: f64,
    },
    /// An item is done.
    Finished(T, Outcome<D>),
}

/// Runs `items` through `prepare` and, where needed, the decoder and the encoder, on `options.threads`
/// threads, and hands each step to `sink` on the calling thread, in the order they finish, with the key that
/// `prepare` gave it. Once `stop` is set no further item is taken up, and items still being decoded are
/// dropped without an outcome.
///
/// # Errors
/// Those of opening the model. A file's own failure is its outcome, not an error of the run.
pub(crate) fn run<I, T, D>(
    encoders: &Encoders,
    options: &PipelineOptions,
    items: I,
    prepare: impl Fn(I::Item) -> (T, Prepared<D>) + Sync,
    stop: &AtomicBool,
    mut sink: impl FnMut(Step<T, D>),
) -> Result<(), EngineError>
where
    I: Iterator + Send,
    T: Send,
    D: Send,
{
    let threads = options.threads.max(1);
    let encoder = encoders.get()?;
    let model = encoders.model();
    let cuts = Cut::plan(model, options)?;
    let (sender, receiver) = sync_channel(RESULTS_AHEAD);
    let shared = Shared {
        encoder,
        model,
        options,
        prepare: &prepare,
        stop,
        abandoned: AtomicBool::new(false),
        decoded_samples: AtomicU64::new(0),
        batch: options.batch.max(1),
        queue_limit: 2 * threads * options.batch.max(1),
        state: Mutex::new(State { items, queue: VecDeque::new(), decoding: 0 }),
        changed: Condvar::new(),
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let worker = Worker { shared: &shared, results: sender.clone(), cuts: cuts.clone() };
            scope.spawn(move || worker.work());
        }
        drop(sender);
        // Owned here, so that it is gone, and the workers notice, when the sink panics.
        let receiver = receiver;
        let sample_rate = f64::from(model.manifest().front_end.sample_rate());
        loop {
            let received = receiver.recv_timeout(TICK);
            sink(Step::Decoded {
                audio_s: shared.decoded_samples.load(Ordering::Relaxed) as f64 / sample_rate,
            });
            match received {
                Ok((key, outcome)) => sink(Step::Finished(key, outcome)),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
    });
    Ok(())
}

/// Longest time between two steps.
const TICK: Duration = Duration::from_millis(250);

/// Finished items that may wait for the sink before the workers do.
const RESULTS_AHEAD: usize = 64;

struct Shared<'a, I, T, P> {
    encoder: AudioEncoder,
    model: &'a Model,
    options: &'a PipelineOptions,
    prepare: &'a P,
    stop: &'a AtomicBool,
    /// Nobody takes results any more.
    abandoned: AtomicBool,
    /// At the model's rate.
    decoded_samples: AtomicU64,
    /// Runs that are encoded in one call.
    batch: usize,
    queue_limit: usize,
    state: Mutex<State<I, T>>,
    changed: Condvar,
}

impl<I, T, P> Shared<'_, I, T, P> {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.abandoned.load(Ordering::Relaxed)
    }

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

impl<I, T> State<I, T> {
    /// The first runs of the queue, as many as are of one shape, and no more than `most`.
    fn take_runs(&mut self, most: usize) -> Vec<Run<T>> {
        let Some(shape) = self.queue.front().map(|run| run.shape) else { return Vec::new() };
        let alike = self.queue.iter().take(most).take_while(|run| run.shape == shape).count();
        self.queue.drain(..alike).collect()
    }
}

/// Which windows a run is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scale {
    /// Those that become [`Encoded::spans`].
    Main,
    /// Those that become [`Encoded::contexts`].
    Context,
}

/// One way in which every file is cut.
#[derive(Clone)]
struct Cut {
    scale: Scale,
    stream: WindowStream,
    /// Windows in a run.
    per_run: usize,
}

/// Detection windows in a run: about as much sound as one context window.
const DETECTIONS_PER_RUN: usize = 8;

impl Cut {
    /// The ways in which `options` want files cut; all are fed from one decode.
    fn plan(model: &Model, options: &PipelineOptions) -> Result<Vec<Self>, EncoderError> {
        let manifest = model.manifest();
        if options.keep == Keep::Detection
            && let Some(detect) = &manifest.detect
            && let Some(stream) = model.detection_stream(options.hop_samples)?
        {
            let context = model.window_stream(Some(detect.context_hop_samples))?;
            return Ok(vec![
                Self { scale: Scale::Main, stream, per_run: DETECTIONS_PER_RUN },
                Self { scale: Scale::Context, stream: context, per_run: 1 },
            ]);
        }
        let stream = model.window_stream(options.hop_samples)?;
        Ok(vec![Self { scale: Scale::Main, stream, per_run: manifest.segment.windows }])
    }
}

/// Consecutive windows of one file, to be encoded in one call.
struct Run<T> {
    file: Arc<FileInProgress<T>>,
    position: usize,
    /// Of each window.
    shape: FeatureShape,
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
    runs: Vec<(Scale, Option<Vec<Span>>)>,
    failed: Option<EngineError>,
    missing: usize,
}

struct Decoded {
    /// What the file is called in messages.
    name: String,
    info: AudioInfo,
    duration_s: f64,
    remarks: Box<Remarks>,
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
            // What is wrong is not the model.
            (Ok(d), Some(EngineError::Encoder(EncoderError::Degenerate { model, .. })))
                if d.remarks.silent =>
            {
                Err(EngineError::Silent { file: d.name, model })
            }
            (Err(e), _) | (_, Some(e)) => Err(e),
            (Ok(d), None) => Ok(Encoded {
                info: d.info,
                duration_s: d.duration_s,
                remarks: d.remarks,
                spans: self.take_spans(Scale::Main),
                contexts: self.take_spans(Scale::Context),
            }),
        };
        Some((key, result))
    }

    /// The spans of a scale, in order of time.
    fn take_spans(&mut self, scale: Scale) -> Vec<Span> {
        let of_scale = self.runs.iter_mut().filter(|(s, _)| *s == scale);
        of_scale.filter_map(|(_, spans)| spans.take()).flatten().collect()
    }
}

struct Worker<'a, I, T, P, D> {
    shared: &'a Shared<'a, I, T, P>,
    results: SyncSender<(T, Outcome<D>)>,
    cuts: Vec<Cut>,
}

/// Runs its closure when dropped: a worker that panics must not leave the others waiting for it.
struct Decoding<F: FnMut()>(F);

impl<F: FnMut()> Drop for Decoding<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Turns a panic into an error of the file it came from, so that the job goes on.
fn contain<R>(name: &str, work: impl FnOnce() -> Result<R, EngineError>) -> Result<R, EngineError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
        let what = what.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(EngineError::Panic {
            file: name.to_owned(),
            what: what.unwrap_or_else(|| "no message".to_owned()),
        })
    })
}

/// Cosine of each of `others` with as many first components of `vector`; 0 where those are all zero.
pub(crate) fn cosines(vector: &[f32], others: &[Vec<f32>]) -> Vec<f32> {
    let (mut length, mut norm) = (0, 0.0);
    let mut cosine = |other: &Vec<f32>| {
        let part = &vector[..other.len()];
        if other.len() != length {
            (length, norm) = (other.len(), dot(part, part).sqrt());
        }
        if norm > 0.0 { dot(part, other) / norm } else { 0.0 }
    };
    others.iter().map(&mut cosine).collect()
}

enum Task<I, T> {
    Encode(Vec<Run<T>>),
    TakeUp(I),
    Leave,
}

impl<I, T, P, D> Worker<'_, I, T, P, D>
where
    I: Iterator,
    P: Fn(I::Item) -> (T, Prepared<D>) + Sync,
{
    fn work(self) {
        loop {
            match self.next_task() {
                Task::Encode(runs) => self.encode(runs),
                Task::TakeUp(item) => {
                    let shared = self.shared;
                    let _decoding = Decoding(|| {
                        shared.lock().decoding -= 1;
                        shared.changed.notify_all();
                    });
                    self.take_up(item);
                }
                Task::Leave => return,
            }
        }
    }

    /// Waits for something to do. Queued runs come first, so that files are finished before others are begun.
    fn next_task(&self) -> Task<I::Item, T> {
        let mut state = self.shared.lock();
        loop {
            if !state.queue.is_empty() {
                return Task::Encode(state.take_runs(self.shared.batch));
            }
            if !self.shared.stopped()
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

    fn take_up(&self, item: I::Item) {
        match (self.shared.prepare)(item) {
            (key, Prepared::Done(done)) => self.send(key, Outcome::Done(done)),
            (key, Prepared::Encode(source)) => self.decode(key, source),
        }
    }

    fn decode(&self, key: T, source: Source) {
        let file = Arc::new(FileInProgress {
            name: source.name(),
            progress: Mutex::new(Progress {
                key: Some(key),
                decoded: None,
                runs: Vec::new(),
                failed: None,
                missing: 0,
            }),
        });
        let Some(decoded) = contain(&file.name, || self.stream_file(&file, source)).transpose() else {
            return; // Stopped: the file has no outcome.
        };
        self.advance(&file, |progress| progress.decoded = Some(decoded));
    }

    /// Notes a step of a file's progress; the last one gives the file its outcome.
    fn advance(&self, file: &FileInProgress<T>, step: impl FnOnce(&mut Progress<T>)) {
        let complete = {
            let mut progress = file.lock();
            step(&mut progress);
            progress.take_if_complete()
        };
        if let Some((key, result)) = complete {
            self.send(key, Outcome::Encoded(result));
        }
    }

    /// Decodes a file and queues its runs. `None` when stopped.
    fn stream_file(
        &self,
        file: &Arc<FileInProgress<T>>,
        source: Source,
    ) -> Result<Option<Decoded>, EngineError> {
        let options = self.shared.options;
        let sample_rate = self.shared.model.manifest().front_end.sample_rate();
        let reader = match source {
            Source::Path(path) => AudioReader::open(&path, &options.read)?,
            Source::Bytes { name, bytes } => AudioReader::from_bytes(&name, bytes, &options.read)?,
        };
        let mut reader = reader.resampled(sample_rate)?;
        let cuts = self.cuts.clone().into_iter();
        let mut cuts: Vec<_> = cuts.map(|cut| (SegmentCutter::new(cut.per_run), cut)).collect();
        let (start_s, end_s) = options.range.unwrap_or((0.0, f64::INFINITY));
        // In samples at the model's rate; a range past the end of `u64` saturates, as casts do.
        let (first, last) =
            ((start_s * f64::from(sample_rate)) as u64, (end_s * f64::from(sample_rate)) as u64);
        let offset_s = first as f64 / f64::from(sample_rate);
        let (mut block, mut position, mut used) = (Vec::new(), 0_u64, 0_u64);
        let mut complete = Vec::new();
        while position < last && reader.read_block(&mut block)? {
            if self.shared.stopped() {
                return Ok(None);
            }
            let from = first.saturating_sub(position).min(block.len() as u64) as usize;
            let to = (last - position).min(block.len() as u64) as usize;
            position += block.len() as u64;
            if from >= to {
                continue;
            }
            used += (to - from) as u64;
            self.shared.decoded_samples.fetch_add((to - from) as u64, Ordering::Relaxed);
            for (cutter, cut) in &mut cuts {
                cut.stream.push(&block[from..to], &mut |window| complete.extend(cutter.push(window)));
                for segment in complete.drain(..) {
                    self.enqueue(file, cut, segment, offset_s);
                }
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
        for (mut cutter, mut cut) in cuts {
            cut.stream.finish(&mut |window| complete.extend(cutter.push(window)));
            for segment in complete.drain(..).chain(cutter.finish()) {
                self.enqueue(file, &cut, segment, offset_s);
            }
        }
        Ok(Some(Decoded {
            name: file.name.clone(),
            info,
            duration_s,
            remarks: Box::new(reader.remarks().clone()),
        }))
    }

    /// Queues a run; encodes one here when the queue is full.
    fn enqueue(&self, file: &Arc<FileInProgress<T>>, cut: &Cut, mut segment: SegmentFeatures, offset_s: f64) {
        for (start_s, end_s) in &mut segment.times {
            *start_s += offset_s;
            *end_s += offset_s;
        }
        let position = {
            let mut progress = file.lock();
            progress.runs.push((cut.scale, None));
            progress.missing += 1;
            progress.runs.len() - 1
        };
        let overflow = {
            let mut state = self.shared.lock();
            let shape = cut.stream.shape();
            state.queue.push_back(Run { file: Arc::clone(file), position, shape, segment });
            let full = state.queue.len() > self.shared.queue_limit;
            if full { state.take_runs(self.shared.batch) } else { Vec::new() }
        };
        if overflow.is_empty() {
            self.shared.changed.notify_one();
        } else {
            self.encode(overflow);
        }
    }

    /// Encodes runs in one call, or, where that fails, one by one, so that each file has its own error.
    fn encode(&self, runs: Vec<Run<T>>) {
        if let [run] = runs.as_slice() {
            let rows = contain(&run.file.name, || self.rows_of(&runs));
            return self.finish_run(run, rows.map(|mut rows| rows.pop().unwrap_or_default()));
        }
        match contain("a batch", || self.rows_of(&runs)) {
            Ok(rows) => runs.iter().zip(rows).for_each(|(run, rows)| self.finish_run(run, Ok(rows))),
            Err(_) => runs.into_iter().for_each(|run| self.encode(vec![run])),
        }
    }

    /// The encoder's rows `[windows, width]` of each run; all are of one shape.
    fn rows_of(&self, runs: &[Run<T>]) -> Result<Vec<Vec<f32>>, EngineError> {
        let encoder = &self.shared.encoder;
        let Some(first) = runs.first() else { return Ok(Vec::new()) };
        let together: Vec<f32>;
        let features = match runs {
            [run] => &run.segment.features,
            _ => {
                together = runs.iter().flat_map(|run| run.segment.features.iter().copied()).collect();
                &together
            }
        };
        let mut rows = Vec::new();
        encoder.encode_shaped(first.shape, features, &mut rows)?;
        let mut rows = rows.into_iter();
        let of_run = |run: &Run<T>| rows.by_ref().take(run.segment.times.len() * encoder.width()).collect();
        Ok(runs.iter().map(of_run).collect())
    }

    fn finish_run(&self, run: &Run<T>, rows: Result<Vec<f32>, EngineError>) {
        let spans = contain(&run.file.name, || self.spans_of(run, &rows?));
        self.advance(&run.file, |progress| {
            progress.missing -= 1;
            match spans {
                Ok(spans) => progress.runs[run.position].1 = Some(spans),
                Err(e) => progress.failed = Some(e),
            }
        });
    }

    fn spans_of(&self, run: &Run<T>, rows: &[f32]) -> Result<Vec<Span>, EngineError> {
        let (model, width, segment) = (self.shared.model, self.shared.encoder.width(), &run.segment);
        let span = |(start_s, end_s): (f64, f64), vector: Vec<f32>| Span { start_s, end_s, vector };
        match self.shared.options.keep {
            Keep::Windows | Keep::Detection => segment
                .times
                .iter()
                .zip(rows.chunks_exact(width))
                .map(|(&times, row)| match &self.shared.options.compare {
                    None => Ok(span(times, row.to_vec())),
                    Some(others) => {
                        Ok(span(times, cosines(model.pool(row, &run.file.name)?.as_slice(), others)))
                    }
                })
                .collect(),
            Keep::Segments => {
                let times = (segment.times[0].0, segment.times[segment.times.len() - 1].1);
                Ok(vec![span(times, model.pool(rows, &run.file.name)?.into_vec())])
            }
        }
    }

    fn send(&self, key: T, outcome: Outcome<D>) {
        // The receiver outlives the workers, unless the sink panics.
        if self.results.send((key, outcome)).is_err() {
            self.shared.abandoned.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use earmark_encoder::{Catalogue, Head, Runtime};

    use super::*;

    fn options() -> PipelineOptions {
        PipelineOptions {
            threads: 2,
            batch: 0,
            keep: Keep::Segments,
            hop_samples: None,
            compare: None,
            range: None,
            read: ReadOptions::default(),
        }
    }

    #[test]
    fn vectors_are_compared_as_far_as_the_other_goes() {
        let others = [vec![1.0, 0.0], vec![0.6, 0.8], vec![0.0, 0.0, 1.0], vec![1.0]];
        let close = |vector: &[f32], expected: [f32; 4]| {
            let found = cosines(vector, &others);
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
        };
        close(&[0.6, 0.0, 0.8], [1.0, 0.6, 0.8, 1.0]);
        close(&[0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0]);
    }

    /// Runs `work` on a thread of its own; `None` if it is not done in time.
    fn in_time<R: Send + 'static>(
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Option<std::thread::Result<R>> {
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || sender.send(catch_unwind(AssertUnwindSafe(work))));
        receiver.recv_timeout(Duration::from_secs(60)).ok()
    }

    fn run_all(
        prepare: impl Fn(usize) -> (usize, Prepared<()>) + Sync,
        mut sink: impl FnMut(usize, Outcome<()>),
    ) -> Result<(), EngineError> {
        let model = Catalogue::default().open(Catalogue::default_name())?;
        let encoders = Encoders::new(model, Runtime::load(None)?, Head::Embedding, None);
        run(&encoders, &options(), 0..50, prepare, &AtomicBool::new(false), |step| {
            if let Step::Finished(i, outcome) = step {
                sink(i, outcome);
            }
        })
    }

    #[test]
    fn a_panic_while_preparing_ends_the_run_instead_of_hanging_it() {
        let prepare = |i| if i == 7 { panic!("on purpose") } else { (i, Prepared::Done(())) };
        let ended = in_time(move || run_all(prepare, |_, _| {}));
        assert!(ended.expect("the run hangs").is_err());
    }

    #[test]
    fn a_panic_in_the_sink_ends_the_run_too() {
        let sink = |i, _: Outcome<()>| assert!(i < 3, "on purpose");
        let ended = in_time(move || run_all(|i| (i, Prepared::Done(())), sink));
        assert!(ended.expect("the run hangs").is_err());
    }

    #[test]
    fn every_item_has_one_outcome() {
        let mut seen = Vec::new();
        let bytes = |i: usize| Source::Bytes { name: i.to_string(), bytes: b"no sound".to_vec() };
        let prepare = |i| (i, if i % 3 == 0 { Prepared::Done(()) } else { Prepared::Encode(bytes(i)) });
        run_all(prepare, |i, outcome| {
            assert_eq!(matches!(outcome, Outcome::Done(())), i % 3 == 0);
            seen.push(i);
        })
        .unwrap();
        seen.sort_unstable();
        assert_eq!(seen, (0..50).collect::<Vec<_>>());
    }
}
