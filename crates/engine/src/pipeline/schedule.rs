//! Which worker does what, and when.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use earmark_audio::{FeatureShape, panic_message};
use earmark_encoder::Model;

use super::decode::{Cut, Decoder};
use super::encode::{WindowEncoder, rows_of, spans_of};
use super::file::{Complete, FileInProgress};
use super::types::{Encoded, PipelineOptions, Source};
use crate::EngineError;
use crate::encoders::Encoders;
use crate::segment::SegmentFeatures;

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
    /// How much audio was decoded so far, unfinished files included. Sent several times a second.
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
/// Errors from opening the model. A file's own failure is its outcome, not an error of the run.
pub(crate) fn run<I, T, D>(
    encoders: &Encoders,
    options: &PipelineOptions,
    items: I,
    prepare: impl Fn(I::Item) -> (T, Prepared<D>) + Sync,
    stop: &AtomicBool,
    sink: impl FnMut(Step<T, D>),
) -> Result<(), EngineError>
where
    I: Iterator + Send,
    T: Send,
    D: Send,
{
    let encoder = encoders.get()?;
    run_with(&encoder, encoders.model(), options, items, prepare, stop, sink)
}

/// As [`run`], with the encoder at hand.
fn run_with<I, T, D>(
    encoder: &dyn WindowEncoder,
    model: &Model,
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
    let cuts = Cut::plan(model, options)?;
    let (sender, receiver) = sync_channel(RESULTS_AHEAD);
    let schedule = Schedule {
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
            let worker = Worker { schedule: &schedule, results: sender.clone(), cuts: cuts.clone() };
            scope.spawn(move || worker.work());
        }
        drop(sender);
        // Owned here, so that it is gone, and the workers notice, when the sink panics.
        let receiver = receiver;
        let sample_rate = f64::from(model.manifest().front_end.sample_rate());
        loop {
            let received = receiver.recv_timeout(TICK);
            sink(Step::Decoded {
                audio_s: schedule.decoded_samples.load(Ordering::Relaxed) as f64 / sample_rate,
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

/// What there is to do, and how: all workers of a run look at one.
struct Schedule<'a, I, T, P> {
    encoder: &'a dyn WindowEncoder,
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

impl<I, T, P> Schedule<'_, I, T, P> {
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

/// Consecutive windows of one file, to be encoded in one call.
struct Run<T> {
    file: Arc<FileInProgress<T>>,
    position: usize,
    /// Of each window.
    shape: FeatureShape,
    segment: SegmentFeatures,
}

struct Worker<'a, I, T, P, D> {
    schedule: &'a Schedule<'a, I, T, P>,
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

/// Turns a panic into an error of the file it came from, so that the job goes on. Unlike the panics of
/// decoders, which `earmark-audio` contains and keeps quiet, one that comes as far as here is a fault of our
/// own, so the panic hook reports it too.
fn contain<R>(name: &str, work: impl FnOnce() -> Result<R, EngineError>) -> Result<R, EngineError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let what = panic_message(&*panic).unwrap_or("no message").to_owned();
        Err(EngineError::Panic { file: name.to_owned(), what })
    })
}

enum Work<I, T> {
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
                Work::Encode(runs) => self.encode(runs),
                Work::TakeUp(item) => {
                    let schedule = self.schedule;
                    let _decoding = Decoding(|| {
                        schedule.lock().decoding -= 1;
                        schedule.changed.notify_all();
                    });
                    self.take_up(item);
                }
                Work::Leave => return,
            }
        }
    }

    /// Waits for something to do. Queued runs come first, so that files are finished before others are begun.
    fn next_task(&self) -> Work<I::Item, T> {
        let mut state = self.schedule.lock();
        loop {
            if !state.queue.is_empty() {
                return Work::Encode(state.take_runs(self.schedule.batch));
            }
            if !self.schedule.stopped()
                && let Some(item) = state.items.next()
            {
                state.decoding += 1;
                return Work::TakeUp(item);
            }
            if state.decoding == 0 {
                return Work::Leave;
            }
            state = self.schedule.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn take_up(&self, item: I::Item) {
        match (self.schedule.prepare)(item) {
            (key, Prepared::Done(done)) => self.send(key, Outcome::Done(done)),
            (key, Prepared::Encode(source)) => self.decode(key, source),
        }
    }

    /// Decodes a file and queues its runs.
    fn decode(&self, key: T, source: Source) {
        let schedule = self.schedule;
        let file = Arc::new(FileInProgress::new(source.name(), key));
        let decoder = Decoder {
            options: schedule.options,
            sample_rate: schedule.model.manifest().front_end.sample_rate(),
            cuts: &self.cuts,
            stopped: &|| schedule.stopped(),
            decoded_samples: &schedule.decoded_samples,
        };
        let decode = || decoder.decode(source, |cut, segment| self.enqueue(&file, cut, segment));
        let Some(decoded) = contain(&file.name, decode).transpose() else {
            return; // Stopped: the file has no outcome.
        };
        self.complete(file.finish_decoding(decoded));
    }

    /// Queues a run; encodes one here when the queue is full.
    fn enqueue(&self, file: &Arc<FileInProgress<T>>, cut: &Cut, segment: SegmentFeatures) {
        let position = file.add_run(cut.scale);
        let overflow = {
            let mut state = self.schedule.lock();
            let shape = cut.stream.shape();
            state.queue.push_back(Run { file: Arc::clone(file), position, shape, segment });
            let full = state.queue.len() > self.schedule.queue_limit;
            if full { state.take_runs(self.schedule.batch) } else { Vec::new() }
        };
        if overflow.is_empty() {
            self.schedule.changed.notify_one();
        } else {
            self.encode(overflow);
        }
    }

    /// Encodes runs in one call, or, where that fails, one by one, so that each file has its own error.
    fn encode(&self, runs: Vec<Run<T>>) {
        let Some(first) = runs.first() else { return };
        let name = if runs.len() == 1 { &first.file.name } else { "a batch" };
        let segments: Vec<&SegmentFeatures> = runs.iter().map(|run| &run.segment).collect();
        match contain(name, || Ok(rows_of(self.schedule.encoder, first.shape, &segments)?)) {
            Ok(rows) => runs.iter().zip(rows).for_each(|(run, rows)| self.finish_run(run, Ok(rows))),
            Err(e) if runs.len() == 1 => self.finish_run(first, Err(e)),
            Err(_) => runs.into_iter().for_each(|run| self.encode(vec![run])),
        }
    }

    fn finish_run(&self, run: &Run<T>, rows: Result<Vec<f32>, EngineError>) {
        let Schedule { encoder, model, options, .. } = self.schedule;
        let (name, width) = (&run.file.name, encoder.width());
        let spans = contain(name, || spans_of(model, options, name, &run.segment, &rows?, width));
        self.complete(run.file.finish_run(run.position, spans));
    }

    /// Sends the outcome of a file that is complete.
    fn complete(&self, file: Option<Complete<T>>) {
        if let Some((key, result)) = file {
            self.send(key, Outcome::Encoded(result));
        }
    }

    fn send(&self, key: T, outcome: Outcome<D>) {
        // The receiver outlives the workers, unless the sink panics.
        if self.results.send((key, outcome)).is_err() {
            self.schedule.abandoned.store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use earmark_encoder::{AudioOutput, Catalogue, EncoderError, Runtime};

    use super::*;
    use crate::EngineOptions;
    use crate::pipeline::Keep;

    fn options() -> PipelineOptions {
        EngineOptions { threads: 2, ..EngineOptions::default() }.pipeline(Keep::Segments)
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
        let encoders = Encoders::new(model, Runtime::load(None)?, AudioOutput::Embedding, None);
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

    const SHAPES: [FeatureShape; 2] = [
        FeatureShape { channels: 1, frames: 100, bands: 64 },
        FeatureShape { channels: 1, frames: 40, bands: 64 },
    ];

    #[test]
    fn runs_of_one_shape_are_taken_together_and_no_others() {
        let file = Arc::new(FileInProgress::new("x".to_owned(), ()));
        let run = |(position, shape): (usize, usize)| Run {
            file: Arc::clone(&file),
            position,
            shape: SHAPES[shape],
            segment: SegmentFeatures::default(),
        };
        let queue = [0, 0, 0, 1, 1, 0].into_iter().enumerate().map(run).collect();
        let mut state = State { items: (), queue, decoding: 0 };
        let mut take = |most| state.take_runs(most).iter().map(|run| run.position).collect::<Vec<_>>();
        assert_eq!(take(2), [0, 1]);
        assert_eq!(take(8), [2]);
        assert_eq!(take(8), [3, 4]);
        assert_eq!(take(1), [5]);
        assert_eq!(take(1), [0; 0]);
    }

    /// Gives each window a row of ones, and notes how many windows came in each call.
    struct Counting {
        width: usize,
        calls: Mutex<Vec<usize>>,
    }

    impl WindowEncoder for Counting {
        fn width(&self) -> usize {
            self.width
        }

        fn encode(
            &self,
            shape: FeatureShape,
            features: &[f32],
            rows: &mut Vec<f32>,
        ) -> Result<(), EncoderError> {
            let windows = features.len() / (shape.channels * shape.frames * shape.bands);
            rows.extend(std::iter::repeat_n(1.0, windows * self.width));
            self.calls.lock().unwrap().push(windows);
            Ok(())
        }
    }

    /// The windows in each call of the encoder while one worker encodes a sound of 45 windows, one a run; and
    /// how many spans come out.
    fn calls_and_spans(batch: usize) -> (Vec<usize>, usize) {
        let model = Catalogue::default().open(Catalogue::default_name()).unwrap();
        let manifest = model.manifest();
        assert_eq!(manifest.segment.windows, 1);
        let encoder = Counting { width: manifest.dim, calls: Mutex::default() };
        let options = EngineOptions { threads: 1, batch, ..EngineOptions::default() }.pipeline(Keep::Windows);
        let options = PipelineOptions { hop_samples: Some(manifest.window.length_samples), ..options };
        let bytes = wav(manifest.front_end.sample_rate(), 45 * manifest.window.length_samples);
        let items = [Source::Bytes { name: "sound".to_owned(), bytes }].into_iter();
        let prepare = |source| ((), Prepared::<()>::Encode(source));
        let mut spans = 0;
        run_with(&encoder, &model, &options, items, prepare, &AtomicBool::new(false), |step| {
            if let Step::Finished((), Outcome::Encoded(encoded)) = step {
                spans = encoded.unwrap().spans.len();
            }
        })
        .unwrap();
        (encoder.calls.into_inner().unwrap(), spans)
    }

    /// A WAV file, 16 bits, of a sawtooth.
    fn wav(rate: u32, samples: usize) -> Vec<u8> {
        let bytes = 2 * samples as u32;
        let mut wav = b"RIFF".to_vec();
        wav.extend((36 + bytes).to_le_bytes());
        wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        wav.extend(rate.to_le_bytes());
        wav.extend((2 * rate).to_le_bytes());
        wav.extend(b"\x02\0\x10\0data");
        wav.extend(bytes.to_le_bytes());
        wav.extend((0..samples).flat_map(|i| ((i % 80) as i16 * 100).to_le_bytes()));
        wav
    }

    #[test]
    fn a_batch_is_encoded_in_one_call_and_without_one_each_run_is() {
        let (calls, spans) = calls_and_spans(4);
        assert_eq!((calls, spans), ([vec![4; 11], vec![1]].concat(), 45));
        let (calls, spans) = calls_and_spans(0);
        assert_eq!((calls, spans), (vec![1; 45], 45));
    }
}
