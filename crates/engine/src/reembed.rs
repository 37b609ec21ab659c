//! Every clip of one space again, into the space of another model: beside the old one, which stays as it is and can be
//! searched meanwhile, and current at last in one step.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use earmark_index::{
    Change, Clip, Collection, Error, Filter, IndexReader, IndexWriter, Snapshot, Space, Writer, WriterLock,
    file_path,
};

use crate::ingest::{FailedFile, IngestEvent, IngestOptions, IngestReport, ingest};
use crate::walk::Walked;
use crate::{Engine, EngineError};

/// Clips in a batch of tags.
const BATCH_CLIPS: usize = 256;

/// Time between looks at whether another process is done with the old space.
const WAIT: Duration = Duration::from_millis(500);

/// The two spaces of a re-embedding, wherever they lie.
pub trait SpacePair {
    /// The name of the old space.
    fn old_name(&self) -> &str;

    /// The name of the new space.
    fn new_name(&self) -> &str;

    /// The old space as it is now.
    ///
    /// # Errors
    /// As [`Snapshot::open`].
    fn old(&self) -> Result<Arc<dyn IndexReader>, Error>;

    /// The new space.
    fn new_space(&self) -> &dyn IndexWriter;

    /// Keeps everybody from writing the old space until the answer is dropped.
    ///
    /// # Errors
    /// [`Error::Locked`] while another process writes it.
    fn hold_old(&self) -> Result<Box<dyn Any>, Error>;

    /// Makes the new space the current one.
    ///
    /// # Errors
    /// As [`Collection::switch`].
    fn switch(&self) -> Result<(), Error>;
}

/// Two spaces of a folder.
pub struct SpacesInFolder<'a> {
    collection: &'a Collection,
    from: &'a Space,
    to: Space,
    target: Writer,
}

impl<'a> SpacesInFolder<'a> {
    /// The space `from` and that of `engine`'s model, which is made if it is not there.
    ///
    /// # Errors
    /// As [`Writer::open`]; errors of a damaged model.
    pub fn open(engine: &Engine, collection: &'a Collection, from: &'a Space) -> Result<Self, EngineError> {
        // First of all, so that a damaged model does not leave an empty space.
        engine.model().verify_files()?;
        let to = collection.make(&engine.identity())?;
        let target = Writer::open(&to.path, Some(&engine.identity()), collection.options())?;
        Ok(Self { collection, from, to, target })
    }
}

impl SpacePair for SpacesInFolder<'_> {
    fn old_name(&self) -> &str {
        &self.from.name
    }

    fn new_name(&self) -> &str {
        &self.to.name
    }

    fn old(&self) -> Result<Arc<dyn IndexReader>, Error> {
        Ok(Arc::new(Snapshot::open(&self.from.path, None, self.collection.options())?))
    }

    fn new_space(&self) -> &dyn IndexWriter {
        &self.target
    }

    fn hold_old(&self) -> Result<Box<dyn Any>, Error> {
        Ok(Box::new(WriterLock::take(&self.from.path, self.collection.options())?))
    }

    fn switch(&self) -> Result<(), Error> {
        self.collection.switch(&self.to)
    }
}

/// What to do at the end.
#[derive(Debug, Clone, Copy)]
pub struct ReembedOptions {
    /// Make the new space current.
    pub switch: bool,
    /// Do so even if some files are gone or fail, without them.
    pub partial: bool,
}

/// What happens along the way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ReembedEvent<'a> {
    /// Files are being embedded. There is a plan for each round: clips that were added meanwhile make another.
    Ingest(IngestEvent<'a>),
    /// Another process writes the old space, so that it is not finished yet. Told once for each wait.
    Waiting,
}

/// What a re-embedding did.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct ReembedReport {
    /// The old space.
    pub from: String,
    /// The new space.
    pub to: String,
    /// Clips in the old space.
    pub clips: usize,
    /// Clips put into the new space now.
    pub embedded: usize,
    /// Clips that were in the new space already, from an earlier run.
    pub unchanged: usize,
    /// Clips in the new space that are not in the old one: indexed there by itself, or taken out of the old one since an
    /// earlier run. They stay.
    pub others: usize,
    /// Files that are gone or could not be embedded, and are not in the new space.
    pub failed: Vec<FailedFile>,
    /// Audio encoded, seconds.
    pub audio_s: f64,
    /// How long it took, seconds.
    pub seconds: f64,
    /// Whether it was cut short; running again goes on from here.
    pub interrupted: bool,
    /// Whether the new space is the current one now.
    pub switched: bool,
}

impl ReembedReport {
    fn add(&mut self, round: IngestReport) {
        self.embedded += round.added + round.updated + round.moved + round.copied;
        self.unchanged += round.unchanged;
        self.audio_s += round.audio_s;
        self.interrupted |= round.interrupted;
        self.failed.extend(round.failed);
    }
}

/// Embeds the files of all clips of the old space into the new one, which is that of `engine`'s model, and makes it
/// current. Clips keep their tags. What an earlier run finished is not done again.
///
/// # Errors
/// The model, either space. A bad file is in the report, not an error.
pub fn reembed(
    engine: &Engine,
    spaces: &dyn SpacePair,
    options: ReembedOptions,
    stop: &AtomicBool,
    mut observe: impl FnMut(ReembedEvent<'_>),
) -> Result<ReembedReport, EngineError> {
    let started = Instant::now();
    let target = spaces.new_space();
    let (from, to) = (spaces.old_name().to_owned(), spaces.new_name().to_owned());
    let mut report = ReembedReport { from, to, ..ReembedReport::default() };
    let mut seen = HashMap::new();
    // Nobody may add to the old space between the last look at it and the switch.
    let mut alone: Option<Box<dyn Any>> = None;
    loop {
        let clips = spaces.old()?.clips(&Filter::default())?;
        report.clips = clips.len();
        let fresh: Vec<&Clip> =
            clips.iter().filter(|clip| seen.get(&clip.meta.path) != Some(&clip.meta.content_hash)).collect();
        if fresh.is_empty() && alone.is_none() {
            alone = hold_when_free(spaces, stop, &mut observe)?;
            if alone.is_none() {
                break;
            }
            continue;
        }
        if fresh.is_empty() {
            carry_tags(&clips, target)?;
            report.others = others(&clips, target)?;
            let whole = report.failed.is_empty() || options.partial && report.failed.len() < clips.len();
            if options.switch && whole {
                spaces.switch()?;
                report.switched = true;
            }
            break;
        }
        alone = None;
        let files = fresh.iter().map(|clip| file_path(&clip.meta.path)).collect();
        let walked = Walked { files, ..Walked::default() };
        let ingest_options = IngestOptions { retry_failed: true, ..IngestOptions::default() };
        report.failed.retain(|failed| fresh.iter().all(|clip| clip.meta.path != failed.path));
        let round = ingest(engine, target, walked, &ingest_options, stop, |event| {
            observe(ReembedEvent::Ingest(event));
        })?;
        report.add(round);
        forget_harmless_failures(&mut report, &fresh, target)?;
        seen.extend(fresh.into_iter().map(|clip| (clip.meta.path.clone(), clip.meta.content_hash)));
        if report.interrupted {
            carry_tags(&clips, target)?;
            break;
        }
    }
    report.interrupted |= stop.load(Ordering::Relaxed);
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

/// The right to write the old space, as soon as no other process has it; None if that is not to be waited for any longer.
fn hold_when_free(
    spaces: &dyn SpacePair,
    stop: &AtomicBool,
    observe: &mut impl FnMut(ReembedEvent<'_>),
) -> Result<Option<Box<dyn Any>>, EngineError> {
    let mut told = false;
    while !stop.load(Ordering::Relaxed) {
        match spaces.hold_old() {
            Err(Error::Locked { .. }) => {}
            held => return Ok(Some(held?)),
        }
        if !told {
            observe(ReembedEvent::Waiting);
            told = true;
        }
        thread::sleep(WAIT);
    }
    Ok(None)
}

/// A file that is gone, but was embedded by an earlier run as the old space knows it, is not missing from the new one.
fn forget_harmless_failures(
    report: &mut ReembedReport,
    clips: &[&Clip],
    target: &dyn IndexWriter,
) -> Result<(), EngineError> {
    let hashes: HashMap<&str, [u8; 32]> =
        clips.iter().map(|clip| (clip.meta.path.as_str(), clip.meta.content_hash)).collect();
    let target = target.reader()?;
    let mut failed = Vec::new();
    for failure in std::mem::take(&mut report.failed) {
        let there = target.clip_by_path(&failure.path)?;
        if there.is_some_and(|clip| hashes.get(failure.path.as_str()) == Some(&clip.meta.content_hash)) {
            report.unchanged += 1;
        } else {
            failed.push(failure);
        }
    }
    report.failed = failed;
    Ok(())
}

/// How many clips of `target` are not among `clips`.
fn others(clips: &[Clip], target: &dyn IndexWriter) -> Result<usize, EngineError> {
    let paths: HashSet<&str> = clips.iter().map(|clip| clip.meta.path.as_str()).collect();
    let there = target.reader()?.clips(&Filter::default())?;
    Ok(there.iter().filter(|clip| !paths.contains(clip.meta.path.as_str())).count())
}

/// Gives the clips in `target` the tags that they have in the old space. They keep others of their own.
fn carry_tags(clips: &[Clip], target: &dyn IndexWriter) -> Result<(), EngineError> {
    for some in clips.chunks(BATCH_CLIPS) {
        let some: HashMap<&str, &[String]> =
            some.iter().map(|clip| (clip.meta.path.as_str(), clip.meta.tags.as_slice())).collect();
        let paths: Vec<String> = some.keys().map(|path| (*path).to_owned()).collect();
        let mut changes = Vec::new();
        for there in target.reader()?.clips_at(&paths)? {
            let tags = some.get(there.meta.path.as_str()).copied().unwrap_or_default();
            if tags.iter().any(|tag| !there.meta.tags.contains(tag)) {
                changes.push(Change::AddTags { path: there.meta.path, tags: tags.to_vec() });
            }
        }
        if !changes.is_empty() {
            target.apply(changes)?;
        }
    }
    Ok(())
}
