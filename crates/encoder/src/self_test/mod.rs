//! A model tried on signals and texts of our own before it is trusted: broken exports give plausible unit
//! vectors.
//!
//! What is known to go wrong out there: a text projection that is dead, so that unrelated prompts meet at a
//! cosine of
//! 0.999 (`larger_clap_music`); half-precision graphs that give NaN; a wrong front end, which only known
//! vectors tell.

mod guess;
mod signals;

use earmark_audio::WindowStream;
use serde::Deserialize;

use crate::{AudioOutput, Embedding, EncoderError, Kind, Model, Runtime, dot};

/// Above this mean cosine unrelated texts are not told apart. A dead projection has 0.999; trained models are
/// under 0.8.
const DEAD_COSINE: f32 = 0.99;

/// Texts that no model should confuse.
const TEXTS: [&str; 6] = [
    "a dog barking",
    "heavy rain on a tin roof",
    "solo violin playing a slow melody",
    "a man giving a speech",
    "an explosion in the distance",
    "keys jingling",
];

/// What a self-test found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct SelfTestReport {
    /// Each thing that was tried, in order.
    pub checks: Vec<Check>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Check {
    /// What: `files`, `audio graph`, `audio spread`, `detection windows`, `classes`, `text graph`, `text
    /// spread`, `known vectors`.
    pub name: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found, in words.
    pub found: String,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// There is nothing to hold it against.
    Unknown,
    /// It is not as it should be.
    Failed,
}

impl Check {
    fn new(name: &'static str, passed: bool, found: String) -> Self {
        Self { name, verdict: if passed { Verdict::Passed } else { Verdict::Failed }, found }
    }
}

impl SelfTestReport {
    /// Whether the model can be trusted as far as was tried.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.verdict != Verdict::Failed)
    }
}

/// Vectors that are known of a model: JSON `{"audio": [{"signal": "sweep", "cosine": 0.9999, "vector": […]}],
/// "texts": [{"text": "…", "cosine": 0.9999, "vector": […]}]}`, with the least cosine that is good enough.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Goldens {
    #[serde(default)]
    audio: Vec<GoldenAudio>,
    #[serde(default)]
    texts: Vec<GoldenText>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoldenAudio {
    signal: String,
    cosine: f32,
    vector: Vec<f32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoldenText {
    text: String,
    cosine: f32,
    vector: Vec<f32>,
}

impl Model {
    /// Tries the model: its files against the manifest, its graphs on signals and texts, and known vectors
    /// where the manifest has some. What goes wrong is in the report, and keeps nothing else from being
    /// tried.
    #[must_use]
    pub fn self_test(&self, runtime: &Runtime) -> SelfTestReport {
        // What is tried are the model's own graphs.
        let runtime = &runtime.clone().with_graphs(None);
        let mut checks = Vec::new();
        match self.verify_files() {
            Ok(()) => {
                let found = format!("{} files as the manifest says", self.manifest().files.len());
                checks.push(Check::new("files", true, found));
            }
            Err(error) => checks.push(Check::new("files", false, error.to_string())),
        }
        // Whatever the checksums say, the files may tell what else is wrong.
        let unverified = self.unverified();
        let steps: [(&str, Step); 3] =
            [("audio graph", try_audio), ("classes", try_classes), ("text graph", try_text)];
        for (name, step) in steps {
            if let Err(error) = step(&unverified, runtime, &mut checks) {
                checks.push(Check::new(name, false, error.to_string()));
            }
        }
        if self.manifest().self_test.is_none() {
            checks.push(Check {
                name: "known vectors",
                verdict: Verdict::Unknown,
                found: "the manifest has none (`[self_test]`): a wrong sample rate, logarithm or filter bank gives vectors \
                        that look right and find nothing, and would not be noticed; compare a clip with the original program"
                    .to_owned(),
            });
        }
        SelfTestReport { checks }
    }

    fn goldens(&self) -> Result<Goldens, EncoderError> {
        let Some(spec) = &self.manifest().self_test else { return Ok(Goldens::default()) };
        let bytes = self.read(&spec.goldens)?;
        serde_json::from_slice(&bytes).map_err(|e| EncoderError::File {
            model: self.manifest().id.clone(),
            path: spec.goldens.clone(),
            reason: e.to_string(),
        })
    }

    /// The largest difference, as one minus the cosine, of what two encoders of this model make of the test
    /// signals.
    pub(crate) fn largest_difference(
        &self,
        a: &crate::AudioEncoder,
        b: &crate::AudioEncoder,
    ) -> Result<f32, EncoderError> {
        let rate = self.manifest().front_end.sample_rate();
        let mut largest = 0.0_f32;
        for signal in signals::NAMES {
            let samples = signals::make(signal, rate).unwrap_or_default();
            let rows = |encoder| rows_of(self.window_stream(None)?, encoder, &samples);
            let (a_rows, b_rows) = (rows(a)?, rows(b)?);
            for (a_row, b_row) in a_rows.chunks(a.width()).zip(b_rows.chunks(b.width())) {
                let norms = dot(a_row, a_row).sqrt() * dot(b_row, b_row).sqrt();
                let difference = 1.0 - dot(a_row, b_row) / norms;
                // `max` would drop what is no number.
                largest = if difference > largest || difference.is_nan() { difference } else { largest };
            }
        }
        Ok(largest)
    }

    /// Embeds samples at the model's own rate.
    fn embed_samples(
        &self,
        encoder: &crate::AudioEncoder,
        samples: &[f32],
        name: &str,
    ) -> Result<Embedding, EncoderError> {
        self.pool(&rows_of(self.window_stream(None)?, encoder, samples)?, name)
    }
}

/// The encoder's rows for each window that `stream` cuts `samples` into.
fn rows_of(
    mut stream: WindowStream,
    encoder: &crate::AudioEncoder,
    samples: &[f32],
) -> Result<Vec<f32>, EncoderError> {
    let mut windows = Vec::new();
    stream.push(samples, &mut |window| windows.push(window));
    stream.finish(&mut |window| windows.push(window));
    let mut rows = Vec::new();
    let shape = stream.shape();
    windows.iter().try_for_each(|window| encoder.encode_shaped(shape, &window.features, &mut rows))?;
    Ok(rows)
}

/// Adds what it finds; an error ends the test.
type Step = fn(&Model, &Runtime, &mut Vec<Check>) -> Outcome;
type Outcome = Result<(), EncoderError>;

fn try_audio(model: &Model, runtime: &Runtime, checks: &mut Vec<Check>) -> Outcome {
    let name = "audio graph";
    let encoder = model.audio_encoder(runtime, AudioOutput::Embedding)?;
    let rate = model.manifest().front_end.sample_rate();
    let mut embeddings = Vec::new();
    for signal in signals::NAMES {
        let samples = signals::make(signal, rate).unwrap_or_default();
        embeddings.push(model.embed_samples(&encoder, &samples, signal)?);
    }
    let again = signals::make(signals::NAMES[0], rate).unwrap_or_default();
    let again = model.embed_samples(&encoder, &again, signals::NAMES[0])?;
    let passed = again == embeddings[0];
    let found = if passed {
        format!("vectors of {} numbers, the same bits on a second run", model.manifest().dim)
    } else {
        format!("a second run gave another vector (cosine {:.6})", again.cosine(&embeddings[0]))
    };
    checks.push(Check::new(name, passed, found));
    checks.push(spread("audio spread", "test signals", &embeddings));
    if let Some(stream) = model.detection_stream(None)? {
        let samples = signals::make(signals::NAMES[0], rate).unwrap_or_default();
        let rows = rows_of(stream, &encoder, &samples)?;
        let found = format!("{} rows of {} numbers", rows.len() / encoder.width().max(1), encoder.width());
        checks.push(Check::new("detection windows", true, found));
    }

    // Looked for once: what explains one explains all.
    let mut mistake: Option<Option<String>> = None;
    for golden in model.goldens()?.audio {
        let Some(at) = signals::NAMES.iter().position(|n| *n == golden.signal) else {
            let found = format!("there is no signal `{}`", golden.signal);
            checks.push(Check::new("known vectors", false, found));
            continue;
        };
        let vector = golden.vector.clone();
        let mut check = known_vector(model, &golden.signal, &embeddings[at], vector, golden.cosine);
        if check.verdict == Verdict::Failed {
            if mistake.is_none() {
                mistake = Some(guess::mistake(model.manifest(), &encoder, &golden));
            }
            match mistake.as_ref().and_then(Option::as_ref) {
                Some(change) => check.found += &format!("; right with {change}"),
                None => check.found += "; another front end or other weights than those of the known vectors",
            }
        }
        checks.push(check);
    }
    Ok(())
}

fn try_classes(model: &Model, runtime: &Runtime, checks: &mut Vec<Check>) -> Outcome {
    let name = "classes";
    if model.manifest().kind != Kind::Tagger {
        return Ok(());
    }
    let encoder = model.audio_encoder(runtime, AudioOutput::Classes)?;
    let rate = model.manifest().front_end.sample_rate();
    let samples = signals::make(signals::NAMES[0], rate).unwrap_or_default();
    let rows = rows_of(model.window_stream(None)?, &encoder, &samples)?;
    let outside = rows.iter().copied().find(|p| !(0.0..=1.0).contains(p));
    let found = match outside {
        None => format!("{} probabilities", encoder.width()),
        Some(p) => format!("{p} is no probability; tagger.post should make probabilities of the output"),
    };
    checks.push(Check::new(name, outside.is_none(), found));
    Ok(())
}

fn try_text(model: &Model, runtime: &Runtime, checks: &mut Vec<Check>) -> Outcome {
    let name = "text graph";
    if !model.manifest().has_text() {
        return Ok(());
    }
    let encoder = model.text_encoder(runtime)?;
    let (embeddings, queries): (Vec<_>, Vec<_>) =
        encoder.encode(&TEXTS)?.into_iter().map(|text| (text.vector, text.query)).unzip();
    let found = format!("vectors of {} numbers", model.manifest().dim);
    checks.push(Check::new(name, true, found));
    checks.push(spread("text spread", "unrelated texts", &embeddings));
    if queries != embeddings {
        checks.push(spread("query spread", "unrelated queries", &queries));
    }
    for golden in model.goldens()?.texts {
        let embedding = encoder.embed(&[&golden.text])?;
        for embedding in &embedding {
            let what = format!("\"{}\"", golden.text);
            checks.push(known_vector(model, &what, embedding, golden.vector.clone(), golden.cosine));
        }
    }
    Ok(())
}

/// Whether unlike things get unlike vectors.
fn spread(name: &'static str, what: &str, embeddings: &[Embedding]) -> Check {
    let pairs =
        || embeddings.iter().enumerate().flat_map(|(i, a)| embeddings[..i].iter().map(|b| a.cosine(b)));
    let mean = pairs().sum::<f32>() / pairs().count().max(1) as f32;
    let passed = mean < DEAD_COSINE;
    let verdict = if passed { "" } else { "; they are not told apart: the projection is dead" };
    Check::new(name, passed, format!("{what} have a mean cosine of {mean:.3}{verdict}"))
}

fn known_vector(model: &Model, what: &str, got: &Embedding, known: Vec<f32>, least: f32) -> Check {
    let name = "known vectors";
    let (id, length) = (&model.manifest().id, known.len());
    match Embedding::from_values(known, id, what) {
        Ok(known) if length == got.as_slice().len() => {
            let cosine = got.cosine(&known);
            let found = format!("{what}: cosine {cosine:.6}, at least {least} expected");
            Check::new(name, cosine >= least, found)
        }
        Ok(_) => {
            let found =
                format!("{what}: the known vector has {length} numbers, not {}", got.as_slice().len());
            Check::new(name, false, found)
        }
        Err(e) => Check::new(name, false, e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalogue;

    #[test]
    fn the_bundled_models_pass() {
        let runtime = Runtime::load(None).unwrap();
        let bundled = Catalogue::default().entries().into_iter().filter(|e| e.state == crate::State::Bundled);
        for entry in bundled {
            let report = entry.model.unwrap().self_test(&runtime);
            assert!(report.passed(), "{}: {report:#?}", entry.name);
        }
    }

    #[test]
    fn a_dead_projection_is_refused() {
        let almost = |i: usize| {
            let mut v = vec![1.0_f32; 64];
            v[i] += 0.05;
            Embedding::from_values(v, "m", "x").unwrap()
        };
        let check = spread("text spread", "texts", &[almost(0), almost(1), almost(2)]);
        assert!(check.verdict == Verdict::Failed && check.found.contains("dead"), "{check:?}");
    }

    #[test]
    fn a_known_vector_that_is_missed_fails_with_the_cosine() {
        let model = Catalogue::default().open("mini").unwrap();
        let got = Embedding::from_values(vec![1.0, 0.0], "m", "x").unwrap();
        let check = known_vector(&model, "sweep", &got, vec![1.0, 1.0], 0.999);
        assert!(check.verdict == Verdict::Failed && check.found.contains("0.707"), "{check:?}");
        let verdict = |known| known_vector(&model, "sweep", &got, known, 0.999).verdict;
        assert_eq!((verdict(vec![2.0, 0.0]), verdict(vec![1.0])), (Verdict::Passed, Verdict::Failed));
    }
}
