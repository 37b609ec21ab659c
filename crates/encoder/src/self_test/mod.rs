//! A model tried on signals and texts of our own before it is trusted: broken exports give plausible unit vectors.
//!
//! What is known to go wrong out there: a text projection that is dead, so that unrelated prompts meet at a cosine of
//! 0.999 (`larger_clap_music`); half-precision graphs that give NaN; a wrong front end, which only known vectors tell.

mod signals;

use earmark_audio::WindowStream;
use serde::Deserialize;

use crate::{Embedding, EncoderError, Head, Kind, Model, Runtime};

/// Above this mean cosine unrelated texts are not told apart. A dead projection has 0.999; trained models are under 0.8.
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
    /// Each thing that was tried, in order; the first that fails to run ends the test.
    pub checks: Vec<Check>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Check {
    /// What: `files`, `audio graph`, `audio spread`, `detection windows`, `classes`, `text graph`, `text
    /// spread`, `known vectors`.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub passed: bool,
    /// What was found, in words.
    pub found: String,
}

impl SelfTestReport {
    /// Whether the model can be trusted as far as was tried.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.passed)
    }
}

/// Vectors that are known of a model: JSON `{"audio": [{"signal": "sweep", "cosine": 0.9999, "vector": […]}], "texts":
/// [{"text": "…", "cosine": 0.9999, "vector": […]}]}`, with the least cosine that is good enough.
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
    /// Tries the model: its files against the manifest, its graphs on signals and texts, and known vectors where the
    /// manifest has some. What goes wrong is in the report.
    #[must_use]
    pub fn self_test(&self, runtime: &Runtime) -> SelfTestReport {
        let mut checks = Vec::new();
        let steps: [(&str, Step); 4] = [
            ("files", try_files),
            ("audio graph", try_audio),
            ("classes", try_classes),
            ("text graph", try_text),
        ];
        for (name, step) in steps {
            if let Err(error) = step(self, runtime, &mut checks) {
                checks.push(Check { name, passed: false, found: error.to_string() });
                break;
            }
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

    /// Embeds samples at the model's own rate.
    fn embed_samples(
        &self,
        encoder: &mut crate::AudioEncoder,
        samples: &[f32],
        name: &str,
    ) -> Result<Embedding, EncoderError> {
        self.pool(&rows_of(self.window_stream(None)?, encoder, samples)?, name)
    }
}

/// The encoder's rows for each window that `stream` cuts `samples` into.
fn rows_of(
    mut stream: WindowStream,
    encoder: &mut crate::AudioEncoder,
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

fn try_files(model: &Model, _: &Runtime, checks: &mut Vec<Check>) -> Outcome {
    model.verify_files()?;
    let found = format!("{} files as the manifest says", model.manifest().files.len());
    checks.push(Check { name: "files", passed: true, found });
    Ok(())
}

fn try_audio(model: &Model, runtime: &Runtime, checks: &mut Vec<Check>) -> Outcome {
    let name = "audio graph";
    let mut encoder = model.audio_encoder(runtime, Head::Embedding)?;
    let rate = model.manifest().front_end.sample_rate();
    let mut embeddings = Vec::new();
    for signal in signals::NAMES {
        let samples = signals::make(signal, rate).unwrap_or_default();
        embeddings.push(model.embed_samples(&mut encoder, &samples, signal)?);
    }
    let again = signals::make(signals::NAMES[0], rate).unwrap_or_default();
    let again = model.embed_samples(&mut encoder, &again, signals::NAMES[0])?;
    let passed = again == embeddings[0];
    let found = if passed {
        format!("vectors of {} numbers, the same bits on a second run", model.manifest().dim)
    } else {
        format!("a second run gave another vector (cosine {:.6})", again.cosine(&embeddings[0]))
    };
    checks.push(Check { name, passed, found });
    checks.push(spread("audio spread", "test signals", &embeddings));
    if let Some(stream) = model.detection_stream(None)? {
        let samples = signals::make(signals::NAMES[0], rate).unwrap_or_default();
        let rows = rows_of(stream, &mut encoder, &samples)?;
        let found = format!("{} rows of {} numbers", rows.len() / encoder.width().max(1), encoder.width());
        checks.push(Check { name: "detection windows", passed: true, found });
    }

    for golden in model.goldens()?.audio {
        let Some(at) = signals::NAMES.iter().position(|n| *n == golden.signal) else {
            let found = format!("there is no signal `{}`", golden.signal);
            checks.push(Check { name: "known vectors", passed: false, found });
            continue;
        };
        checks.push(known_vector(model, &golden.signal, &embeddings[at], golden.vector, golden.cosine));
    }
    Ok(())
}

fn try_classes(model: &Model, runtime: &Runtime, checks: &mut Vec<Check>) -> Outcome {
    let name = "classes";
    if model.manifest().kind != Kind::Tagger {
        return Ok(());
    }
    let mut encoder = model.audio_encoder(runtime, Head::Classes)?;
    let rate = model.manifest().front_end.sample_rate();
    let samples = signals::make(signals::NAMES[0], rate).unwrap_or_default();
    let rows = rows_of(model.window_stream(None)?, &mut encoder, &samples)?;
    let outside = rows.iter().copied().find(|p| !(0.0..=1.0).contains(p));
    let found = match outside {
        None => format!("{} probabilities", encoder.width()),
        Some(p) => format!("{p} is no probability; tagger.post should make probabilities of the output"),
    };
    checks.push(Check { name, passed: outside.is_none(), found });
    Ok(())
}

fn try_text(model: &Model, runtime: &Runtime, checks: &mut Vec<Check>) -> Outcome {
    let name = "text graph";
    if !model.manifest().has_text() {
        return Ok(());
    }
    let mut encoder = model.text_encoder(runtime)?;
    let embeddings = encoder.embed(&TEXTS)?;
    let found = format!("vectors of {} numbers", model.manifest().dim);
    checks.push(Check { name, passed: true, found });
    checks.push(spread("text spread", "unrelated texts", &embeddings));
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
    Check { name, passed, found: format!("{what} have a mean cosine of {mean:.3}{verdict}") }
}

fn known_vector(model: &Model, what: &str, got: &Embedding, known: Vec<f32>, least: f32) -> Check {
    let name = "known vectors";
    let (id, length) = (&model.manifest().id, known.len());
    match Embedding::from_values(known, id, what) {
        Ok(known) if length == got.as_slice().len() => {
            let cosine = got.cosine(&known);
            let found = format!("{what}: cosine {cosine:.6}, at least {least} expected");
            Check { name, passed: cosine >= least, found }
        }
        Ok(_) => {
            let found =
                format!("{what}: the known vector has {length} numbers, not {}", got.as_slice().len());
            Check { name, passed: false, found }
        }
        Err(e) => Check { name, passed: false, found: e.to_string() },
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
        assert!(!check.passed && check.found.contains("dead"), "{check:?}");
    }

    #[test]
    fn a_known_vector_that_is_missed_fails_with_the_cosine() {
        let model = Catalogue::default().open("mini").unwrap();
        let got = Embedding::from_values(vec![1.0, 0.0], "m", "x").unwrap();
        let check = known_vector(&model, "sweep", &got, vec![1.0, 1.0], 0.999);
        assert!(!check.passed && check.found.contains("0.707"), "{check:?}");
        assert!(known_vector(&model, "sweep", &got, vec![2.0, 0.0], 0.999).passed);
        assert!(!known_vector(&model, "sweep", &got, vec![1.0], 0.999).passed);
    }
}
