//! `earmark classify`

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use earmark_engine::classify::{
    Classification, ClipPooling, Decision, classify_indexed, cosines_of_windows, decide,
};
use earmark_engine::labels::EncodedLabels;
use earmark_engine::{Encoded, Engine, EngineError, Keep, Source, WalkOptions, walk};
use serde::Serialize;

use crate::args::{ClassifyArgs, Global};
use crate::{EXIT_SOME_FAILED, context, output};

/// Files encoded before their answers are printed: enough to keep all cores busy, few enough to bound memory.
const FILES_AT_ONCE: usize = 64;
/// Labels shown for the only clip; for several, one line each.
const TOP_OF_ONE: usize = 5;

#[derive(Serialize)]
struct Answer {
    file: String,
    /// The label that fits best, or none of them.
    label: Option<String>,
    /// All labels that were accepted.
    accepted: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    none_probability: Option<f32>,
    /// Whether the probabilities are calibrated for this model.
    calibrated: bool,
    scores: Vec<Score>,
}

#[derive(Serialize)]
struct Score {
    label: String,
    probability: f32,
    cosine: f32,
}

pub(crate) fn run(global: &Global, args: ClassifyArgs) -> Result<ExitCode> {
    let labels = context::labels(&args.labels)?;
    let pooling: ClipPooling = args.pooling.parse()?;
    if !(0.0..=1.0).contains(&args.threshold) {
        bail!("--threshold: expected 0 to 1, got {}", args.threshold);
    }
    let decision = if args.multi { Decision::Multi { threshold: args.threshold } } else { Decision::Single };
    if args.top == Some(0) {
        bail!("--top: expected 1 or more, got 0");
    }
    let mut failed = 0;
    let mut answers = Vec::new();
    let engine = if args.indexed {
        let (index, model) = context::open_index_and_model(global)?;
        let engine = context::engine(global, model)?;
        let labels = labels.encode(&engine, &args.templates)?;
        let filter = context::filter(&args.filter);
        classify_indexed(&engine, &index, &filter, &labels, pooling, decision, |clip, classification| {
            answers.push(answer(&engine, &labels, clip.meta.path.clone(), classification));
        })?;
        if answers.is_empty() && !global.quiet {
            eprintln!("no clip in the index passes the filters");
        }
        engine
    } else {
        let engine = context::engine(global, context::model(global)?)?;
        let labels = labels.encode(&engine, &args.templates)?;
        let (sources, missing) = sources(&args.files)?;
        failed += missing;
        for chunk in sources.chunks(FILES_AT_ONCE) {
            let names: Vec<String> = chunk.iter().map(name).collect();
            let results = engine.encode(chunk.to_vec(), &engine.pipeline_options(Keep::Windows))?;
            for (name, result) in names.into_iter().zip(results) {
                match result.and_then(|e| classify(&engine, &e, &labels, pooling, decision, &name)) {
                    Ok(classification) => answers.push(answer(&engine, &labels, name, classification)),
                    Err(e) => {
                        failed += 1;
                        eprintln!("failed: {e}");
                    }
                }
            }
        }
        engine
    };
    let top = args.top.unwrap_or(if answers.len() == 1 { TOP_OF_ONE } else { 1 });
    print(&args, &answers, top)?;
    if !engine.model().manifest().scores.calibrated && !global.quiet {
        eprintln!("note: the probabilities of model `{}` are uncalibrated", engine.model().manifest().id);
    }
    Ok(if failed > 0 { ExitCode::from(EXIT_SOME_FAILED) } else { ExitCode::SUCCESS })
}

fn classify(
    engine: &Engine,
    encoded: &Encoded,
    labels: &EncodedLabels,
    pooling: ClipPooling,
    decision: Decision,
    name: &str,
) -> Result<Classification, EngineError> {
    let cosines = cosines_of_windows(engine, encoded, labels, pooling, name)?;
    Ok(decide(&engine.model().manifest().scores, &cosines, decision))
}

/// What the arguments name: files, the sound files in folders, standard input; and how many of them are not there, each
/// told on standard error.
fn sources(files: &[PathBuf]) -> Result<(Vec<Source>, usize)> {
    let mut sources = Vec::new();
    let mut missing = 0;
    for path in files {
        if path == Path::new("-") {
            sources.push(read_stdin()?);
            continue;
        }
        let reason = match walk(std::slice::from_ref(path), &WalkOptions::default()) {
            Err(e) => Some(e.to_string()),
            Ok(walked) if walked.files.is_empty() => {
                Some(format!("{}: no sound files in this folder", path.display()))
            }
            Ok(walked) => {
                // As typed, where it names one file.
                match walked.files.as_slice() {
                    [_] if path.is_file() => sources.push(Source::Path(path.clone())),
                    files => sources.extend(files.iter().cloned().map(Source::Path)),
                }
                None
            }
        };
        if let Some(reason) = reason {
            eprintln!("failed: {reason}");
            missing += 1;
        }
    }
    Ok((sources, missing))
}

/// A sound file on standard input.
pub(crate) fn read_stdin() -> Result<Source> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).context("standard input")?;
    Ok(Source::Bytes { name: "-".to_owned(), bytes })
}

fn name(source: &Source) -> String {
    match source {
        Source::Path(path) => path.display().to_string(),
        Source::Bytes { name, .. } => name.clone(),
    }
}

fn answer(engine: &Engine, labels: &EncodedLabels, file: String, c: Classification) -> Answer {
    let label_name = |i: usize| labels.names[i].clone();
    let accepted: Vec<String> = c.scores[..c.accepted].iter().map(|s| label_name(s.label)).collect();
    Answer {
        file,
        label: accepted.first().cloned(),
        accepted,
        none_probability: c.none_probability,
        calibrated: engine.model().manifest().scores.calibrated,
        scores: c
            .scores
            .iter()
            .map(|s| Score { label: label_name(s.label), probability: s.probability, cosine: s.cosine })
            .collect(),
    }
}

fn print(args: &ClassifyArgs, answers: &[Answer], top: usize) -> Result<()> {
    if args.format.json {
        return output::json(&answers);
    }
    if args.format.jsonl {
        return output::jsonl(answers);
    }
    if args.format.csv {
        let header = ["file", "rank", "label", "probability", "cosine", "accepted"];
        let rows = answers.iter().flat_map(|a| {
            a.scores.iter().take(args.top.unwrap_or(usize::MAX)).enumerate().map(|(i, s)| {
                vec![
                    a.file.clone(),
                    (i + 1).to_string(),
                    s.label.clone(),
                    format!("{:.4}", s.probability),
                    format!("{:.4}", s.cosine),
                    a.accepted.contains(&s.label).to_string(),
                ]
            })
        });
        return output::csv(&header, rows);
    }
    let mut out = output::stdout();
    if let [only] = answers {
        writeln!(out, "{}", verdict(only))?;
        let rows: Vec<Vec<String>> = only.scores.iter().take(top).map(score_row).collect();
        output::table(&mut out, &[false, true], &rows)?;
        if let Some(none) = only.none_probability {
            writeln!(out, "  (none of these {none:.2})")?;
        }
    } else {
        let rows: Vec<Vec<String>> = answers.iter().map(|a| line(a, top)).collect();
        output::table(&mut out, &[], &rows)?;
    }
    Ok(out.flush()?)
}

fn verdict(answer: &Answer) -> String {
    let what =
        if answer.accepted.is_empty() { "none of these".to_owned() } else { answer.accepted.join(", ") };
    format!("{}: {what}", answer.file)
}

fn score_row(s: &Score) -> Vec<String> {
    let bar = "#".repeat((s.probability * 30.0).round() as usize);
    vec![format!("  {}", s.label), format!("{:.2}", s.probability), bar]
}

/// A clip among several: the path, and its best labels or every accepted one.
fn line(answer: &Answer, top: usize) -> Vec<String> {
    let shown = top.max(answer.accepted.len());
    let labels: Vec<String> =
        answer.scores.iter().take(shown).map(|s| format!("{} {:.2}", s.label, s.probability)).collect();
    let text = if answer.accepted.is_empty() {
        format!("none of these (nearest: {})", labels.join(", "))
    } else {
        labels.join(", ")
    };
    vec![output::short(&answer.file), text]
}
