//! `earmark tag`

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use earmark_engine::Source;
use earmark_engine::tag::{ClassScore, Tagger, Tags};
use serde::Serialize;

use crate::args::{Global, TagArgs};
use crate::output::note;
use crate::sources::{FILES_AT_ONCE, sources};
use crate::units::clock;
use crate::{EXIT_SOME_FAILED, context, output};

/// What is heard in a sound, or in one window of it.
#[derive(Debug, Serialize)]
struct Answer {
    file: String,
    start_s: f64,
    end_s: f64,
    /// The most probable classes, heard or not.
    tags: Vec<Tag>,
}

#[derive(Debug, Serialize)]
struct Tag {
    class: String,
    score: f32,
    /// Whether the score reaches the threshold.
    heard: bool,
}

pub(crate) fn run(global: &Global, args: &TagArgs) -> Result<ExitCode> {
    let tagger = context::tagger(global)?;
    let (sources, mut failed) = sources(&args.files)?;
    let mut answers = Vec::new();
    let mut header_due = true;
    for chunk in sources.chunks(FILES_AT_ONCE) {
        let names: Vec<String> = chunk.iter().map(Source::name).collect();
        for (name, result) in names.into_iter().zip(tagger.tag(chunk.to_vec())?) {
            match result {
                Ok(tags) => {
                    output::remarks(&name, &tags.remarks);
                    answers.extend(answers_of(&tagger, args, &name, tags));
                }
                Err(e) => {
                    failed += 1;
                    note!("failed: {}", output::printable(&e.to_string()));
                }
            }
        }
        // Lines go out as they come; documents and tables when all are there.
        if args.format.jsonl {
            output::jsonl(std::mem::take(&mut answers))?;
        } else if args.format.csv {
            print_csv(&std::mem::take(&mut answers), header_due)?;
            header_due = false;
        }
    }
    if args.format.json {
        output::json(&answers)?;
    } else if args.format.csv && header_due {
        print_csv(&[], true)?;
    } else if !args.format.jsonl && !args.format.csv {
        print_table(&answers, args.windows)?;
    }
    Ok(if failed > 0 { ExitCode::from(EXIT_SOME_FAILED) } else { ExitCode::SUCCESS })
}

fn answers_of(tagger: &Tagger, args: &TagArgs, file: &str, tags: Tags) -> Vec<Answer> {
    let threshold = args.threshold.unwrap_or_else(|| tagger.threshold());
    let tag = |s: &ClassScore| Tag {
        class: tagger.classes()[s.class].clone(),
        score: s.score,
        heard: s.score >= threshold,
    };
    let answer = |start_s: f64, end_s: f64, scores: &[ClassScore]| Answer {
        file: file.to_owned(),
        start_s,
        end_s,
        tags: scores.iter().take(args.top).map(tag).collect(),
    };
    if args.windows {
        return tags.windows.iter().map(|w| answer(w.start_s, w.end_s, &w.scores)).collect();
    }
    vec![answer(0.0, tags.duration_s, &tags.scores)]
}

fn print_csv(answers: &[Answer], with_header: bool) -> Result<()> {
    let header = ["file", "start_s", "end_s", "rank", "class", "score", "heard"];
    let rows = answers.iter().flat_map(|a| {
        a.tags.iter().enumerate().map(|(i, tag)| {
            vec![
                a.file.clone(),
                format!("{:.3}", a.start_s),
                format!("{:.3}", a.end_s),
                (i + 1).to_string(),
                tag.class.clone(),
                format!("{:.4}", tag.score),
                tag.heard.to_string(),
            ]
        })
    });
    output::csv(if with_header { &header } else { &[] }, rows)
}

/// One sound: a line a class. Several, or windows: a line each.
fn print_table(answers: &[Answer], windows: bool) -> Result<()> {
    let mut out = output::stdout();
    if let ([only], false) = (answers, windows) {
        writeln!(out, "{}: {}", output::printable(&only.file), heard(only))?;
        let row = |tag: &Tag| {
            let bar = "#".repeat((tag.score.clamp(0.0, 1.0) * 30.0).round() as usize);
            vec![format!("  {}", tag.class), format!("{:.2}", tag.score), bar]
        };
        output::table(&mut out, &[false, true], &only.tags.iter().map(row).collect::<Vec<_>>())?;
        return Ok(out.flush()?);
    }
    let rows: Vec<Vec<String>> = answers
        .iter()
        .map(|a| {
            let mut row = vec![output::short(&a.file)];
            if windows {
                row.push(format!("{} - {}", clock(a.start_s), clock(a.end_s)));
            }
            row.push(heard(a));
            row
        })
        .collect();
    output::table(&mut out, &[], &rows)?;
    Ok(out.flush()?)
}

/// The classes heard, with their scores; the nearest where there is none.
fn heard(answer: &Answer) -> String {
    let shown = |tag: &Tag| format!("{} {:.2}", tag.class, tag.score);
    let heard: Vec<String> = answer.tags.iter().filter(|tag| tag.heard).map(shown).collect();
    match answer.tags.first() {
        Some(nearest) if heard.is_empty() => format!("nothing for certain (nearest: {})", shown(nearest)),
        _ => heard.join(", "),
    }
}
