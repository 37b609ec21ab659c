//! `earmark events`

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use earmark_engine::events::{Detected, EventOptions, detect};
use earmark_engine::{KnownText, Source};
use serde::Serialize;

use crate::args::{EventsArgs, Global};
use crate::label_source::LabelSource;
use crate::output::note;
use crate::sources::read_stdin;
use crate::units::{amount, clock};
use crate::{context, familiarity, output};

#[derive(Serialize)]
struct Row {
    onset_s: f64,
    offset_s: f64,
    label: String,
    score: f32,
}

#[derive(Serialize)]
struct Document<'a> {
    file: String,
    duration_s: f64,
    /// What to know about how the file was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remarks: Vec<String>,
    labels: &'a [String],
    calibrated: bool,
    /// How well the model knows each text that stands for a label.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    texts: &'a [KnownText],
    events: Vec<Row>,
}

/// A hop is a tenth of a second or so; more digits would only pretend.
fn to_millisecond(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

pub(crate) fn run(global: &Global, args: EventsArgs) -> Result<ExitCode> {
    let labels = LabelSource::of(global, &args.labels, &args.templates)?;
    let options = EventOptions {
        threshold: args.threshold,
        release: args.release,
        hop_s: args.hop,
        smooth_s: args.smooth,
        min_duration_s: args.min_duration,
        merge_gap_s: args.merge_gap,
    };
    options.validate()?;
    let engine = context::engine(global, labels.model(global)?)?;
    let settings = options.settle(engine.model().manifest())?;
    let labels = labels.encode(&engine)?;
    familiarity::warn(&labels.texts, global);
    let source = if args.file == Path::new("-") { read_stdin()? } else { Source::Path(args.file.clone()) };
    let name = source.name();
    engine.close_text();
    let Detected { events, duration_s, remarks } = detect(&engine, source, &labels, &settings)?;
    output::remarks(&name, &remarks);
    let rows: Vec<Row> = events
        .iter()
        .map(|e| Row {
            onset_s: to_millisecond(e.onset_s),
            offset_s: to_millisecond(e.offset_s),
            label: labels.names[e.label].clone(),
            score: e.score,
        })
        .collect();
    let format = &args.format;
    if format.row.json {
        output::json(&Document {
            file: name,
            duration_s,
            remarks: remarks.sentences(),
            labels: &labels.names,
            calibrated: labels.readout.calibrated,
            texts: &labels.texts,
            events: rows,
        })?;
    } else if format.row.jsonl {
        output::jsonl(rows)?;
    } else if format.row.csv {
        let header = ["onset_s", "offset_s", "label", "score"];
        let record = |r: &Row| {
            vec![
                format!("{:.3}", r.onset_s),
                format!("{:.3}", r.offset_s),
                r.label.clone(),
                format!("{:.3}", r.score),
            ]
        };
        output::csv(&header, rows.iter().map(record))?;
    } else if format.audacity {
        let mut out = output::stdout();
        for r in &rows {
            writeln!(out, "{:.6}\t{:.6}\t{}", r.onset_s, r.offset_s, r.label)?;
        }
        out.flush()?;
    } else {
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|r| {
                let stretch = format!("{} - {}", clock(r.onset_s), clock(r.offset_s));
                vec![stretch, format!("{:.2}", r.score), r.label.clone()]
            })
            .collect();
        let mut out = output::stdout();
        output::table(&mut out, &[true, true], &cells)?;
        out.flush()?;
    }
    context::tell_uncalibrated(&engine, labels.readout.calibrated, global);
    if events.is_empty() && !global.quiet {
        note!(
            "nothing heard in {} of audio: no label reaches {}; a lower --threshold hears more",
            amount(duration_s),
            if settings.own_thresholds && labels.readout.has_own_thresholds() {
                "its own threshold".to_owned()
            } else {
                format!("{:.2}", settings.threshold)
            }
        );
    }
    Ok(ExitCode::SUCCESS)
}
