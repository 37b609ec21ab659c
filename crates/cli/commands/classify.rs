//! `earmark classify`

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, bail};
use earmark_engine::classify::{
    Classification, ClipPooling, Decision, classify_indexed, cosines_of_windows, read,
};
use earmark_engine::labels::EncodedLabels;
use earmark_engine::{Encoded, Engine, EngineError, Keep, KnownText, Source};
use earmark_index::{Filter, IndexReader as _};
use serde::Serialize;

use crate::args::{ClassifyArgs, Global};
use crate::label_source::LabelSource;
use crate::output::note;
use crate::sources::{FILES_AT_ONCE, sources};
use crate::{EXIT_SOME_FAILED, context, familiarity, output};

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
    /// Whether the probabilities are calibrated for this model, or on the clips that the set was fitted to.
    calibrated: bool,
    /// How well the model knows each text that stands for a label.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    texts: Vec<KnownText>,
    /// What to know about how the file was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
    scores: Vec<Score>,
}

#[derive(Serialize)]
struct Score {
    label: String,
    probability: f32,
    cosine: f32,
}

pub(crate) fn run(global: &Global, args: ClassifyArgs) -> Result<ExitCode> {
    let labels = LabelSource::of(global, &args.labels, &args.templates)?;
    let filter = context::filter(&args.filter);
    if !args.indexed && filter != Filter::default() {
        bail!("--path, --with-tag and the like choose among the clips of the index; add --indexed");
    }
    let threshold = args.threshold;
    let decision = if args.multi { Decision::Multi { threshold } } else { Decision::Single { threshold } };
    let pooling: ClipPooling = args.pooling.parse()?;
    let mut printer = Printer::new(&args);
    let mut failed = 0;
    let (engine, calibrated) = if args.indexed {
        let (index, model) = context::open_index_and_model(global)?;
        let engine = context::engine(global, model)?;
        let labels = labels.encode(&engine)?;
        familiarity::warn(&labels.texts, global);
        classify_indexed(&engine, &index, &filter, &labels, pooling, decision, |clip, classification| {
            printer.take(answer(&labels, clip.meta.path.clone(), classification, Vec::new()));
        })?;
        if printer.count == 0 && !global.quiet {
            let clips = index.stats()?.clips;
            note!("none of the {clips} clips in the index passes the filters");
        }
        (engine, labels.readout.calibrated)
    } else {
        let engine = context::engine(global, labels.model(global)?)?;
        let labels = labels.encode(&engine)?;
        familiarity::warn(&labels.texts, global);
        let (sources, missing) = sources(&args.files)?;
        failed += missing;
        for chunk in sources.chunks(FILES_AT_ONCE) {
            let names: Vec<String> = chunk.iter().map(Source::name).collect();
            let results = engine.encode(chunk.to_vec(), &engine.pipeline_options(Keep::Windows))?;
            for (name, result) in names.into_iter().zip(results) {
                let classified = result.and_then(|encoded| {
                    let found = classify(&engine, &encoded, &labels, pooling, decision, &name)?;
                    Ok((found, encoded.remarks))
                });
                match classified {
                    Ok((classification, remarks)) => {
                        output::remarks(&name, &remarks);
                        printer.take(answer(&labels, name, classification, remarks.sentences()));
                    }
                    Err(e) => {
                        failed += 1;
                        note!("failed: {}", output::printable(&e.to_string()));
                    }
                }
            }
            printer.pause()?;
        }
        (engine, labels.readout.calibrated)
    };
    printer.finish()?;
    context::tell_uncalibrated(&engine, calibrated, global);
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
    Ok(read(&labels.readout, &cosines, decision))
}

fn answer(labels: &EncodedLabels, file: String, c: Classification, remarks: Vec<String>) -> Answer {
    let label_name = |i: usize| labels.names[i].clone();
    let accepted: Vec<String> = c.scores[..c.accepted].iter().map(|s| label_name(s.label)).collect();
    Answer {
        file,
        label: accepted.first().cloned(),
        accepted,
        none_probability: c.none_probability,
        calibrated: labels.readout.calibrated,
        texts: labels.texts.clone(),
        remarks,
        scores: c
            .scores
            .iter()
            .map(|s| Score { label: label_name(s.label), probability: s.probability, cosine: s.cosine })
            .collect(),
    }
}

/// Prints answers in the format asked for: lines as they come, documents and tables when all are there.
struct Printer<'a> {
    args: &'a ClassifyArgs,
    waiting: Vec<Answer>,
    count: usize,
    header_printed: bool,
}

impl<'a> Printer<'a> {
    fn new(args: &'a ClassifyArgs) -> Self {
        Self { args, waiting: Vec::new(), count: 0, header_printed: false }
    }

    fn take(&mut self, mut answer: Answer) {
        self.count += 1;
        if let Some(top) = self.args.top {
            answer.scores.truncate(top.max(answer.accepted.len()));
        }
        self.waiting.push(answer);
    }

    /// Prints what can be printed before all answers are there.
    fn pause(&mut self) -> Result<()> {
        if self.args.format.jsonl {
            return output::jsonl(std::mem::take(&mut self.waiting));
        }
        if self.args.format.csv {
            let header = ["file", "rank", "label", "probability", "cosine", "accepted"];
            let header: &[&str] = if self.header_printed { &[] } else { &header };
            self.header_printed = true;
            return output::csv(header, std::mem::take(&mut self.waiting).iter().flat_map(csv_rows));
        }
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        if self.args.format.jsonl || self.args.format.csv {
            return self.pause();
        }
        if self.args.format.json {
            return output::json(&self.waiting);
        }
        print_table(&self.waiting, self.args.top)
    }
}

fn csv_rows(answer: &Answer) -> Vec<Vec<String>> {
    let row = |(i, s): (usize, &Score)| {
        vec![
            answer.file.clone(),
            (i + 1).to_string(),
            s.label.clone(),
            format!("{:.4}", s.probability),
            format!("{:.4}", s.cosine),
            answer.accepted.contains(&s.label).to_string(),
        ]
    };
    answer.scores.iter().enumerate().map(row).collect()
}

fn print_table(answers: &[Answer], top: Option<usize>) -> Result<()> {
    let mut out = output::stdout();
    if let [only] = answers {
        writeln!(out, "{}", verdict(only))?;
        let rows: Vec<Vec<String>> =
            only.scores.iter().take(top.unwrap_or(TOP_OF_ONE)).map(score_row).collect();
        output::table(&mut out, &[false, true], &rows)?;
        if let Some(none) = only.none_probability {
            writeln!(out, "  (none of these {none:.2})")?;
        }
    } else {
        let rows: Vec<Vec<String>> = answers.iter().map(|a| line(a, top.unwrap_or(1))).collect();
        output::table(&mut out, &[], &rows)?;
    }
    Ok(out.flush()?)
}

fn verdict(answer: &Answer) -> String {
    let what =
        if answer.accepted.is_empty() { "none of these".to_owned() } else { answer.accepted.join(", ") };
    format!("{}: {what}", output::printable(&answer.file))
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
