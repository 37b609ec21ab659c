//! `earmark list`

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use earmark_index::{Clip, Failure, IndexReader as _};
use serde::Serialize;

use crate::args::{Global, ListArgs};
use crate::output::note;
use crate::units::{clock, moment};
use crate::{context, output};

#[derive(Serialize)]
struct Row<'a> {
    clip_id: u64,
    path: &'a str,
    duration_s: f64,
    format: &'a str,
    /// The program that decoded it, if it was not earmark.
    #[serde(skip_serializing_if = "Option::is_none")]
    decoder: Option<&'a str>,
    sample_rate: u32,
    channels: u16,
    size: u64,
    tags: &'a [String],
    indexed_unix_s: i64,
}

pub(crate) fn run(global: &Global, args: ListArgs) -> Result<ExitCode> {
    let index = context::open_index(global)?;
    if args.failed {
        print_failures(&args, &index.failures()?)?;
    } else {
        let mut clips = index.clips(&context::filter(&args.filter))?;
        clips.sort_by(|a, b| a.meta.path.cmp(&b.meta.path));
        print_clips(&args, &clips)?;
        if clips.is_empty() && !global.quiet {
            let all = index.stats()?.clips;
            note!("none of the {all} clips in the index to list");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print_clips(args: &ListArgs, clips: &[Clip]) -> Result<()> {
    let rows = clips.iter().map(|Clip { id, meta, .. }| Row {
        clip_id: *id,
        path: &meta.path,
        duration_s: meta.duration_s,
        format: &meta.format,
        decoder: meta.decoder.as_deref(),
        sample_rate: meta.sample_rate,
        channels: meta.channels,
        size: meta.size,
        tags: &meta.tags,
        indexed_unix_s: meta.indexed_unix_s,
    });
    let format = &args.format;
    if format.row.json {
        return output::json(&rows.collect::<Vec<_>>());
    }
    if format.row.jsonl {
        return output::jsonl(rows);
    }
    if format.row.csv {
        let header = [
            "clip_id",
            "path",
            "duration_s",
            "format",
            "sample_rate",
            "channels",
            "size",
            "tags",
            "indexed_unix_s",
        ];
        let record = |r: Row<'_>| {
            vec![
                r.clip_id.to_string(),
                r.path.to_owned(),
                format!("{:.3}", r.duration_s),
                r.format.to_owned(),
                r.sample_rate.to_string(),
                r.channels.to_string(),
                r.size.to_string(),
                r.tags.join(";"),
                r.indexed_unix_s.to_string(),
            ]
        };
        return output::csv(&header, rows.map(record));
    }
    if format.paths.paths0 {
        return output::paths0(clips.iter().map(|c| c.meta.path.as_str()));
    }
    let cells: Vec<Vec<String>> = clips
        .iter()
        .map(|c| {
            vec![
                clock(c.meta.duration_s),
                match &c.meta.decoder {
                    Some(decoder) => format!("{} ({decoder})", c.meta.format),
                    None => c.meta.format.clone(),
                },
                moment(c.meta.indexed_unix_s),
                output::short(&c.meta.path),
                c.meta.tags.join(", "),
            ]
        })
        .collect();
    let mut out = output::stdout();
    output::table(&mut out, &[true], &cells)?;
    Ok(out.flush()?)
}

fn print_failures(args: &ListArgs, failures: &[Failure]) -> Result<()> {
    let format = &args.format;
    if format.row.json {
        return output::json(&failures);
    }
    if format.row.jsonl {
        return output::jsonl(failures);
    }
    if format.row.csv {
        let header = ["path", "kind", "reason", "seen_unix_s"];
        let record =
            |f: &Failure| vec![f.path.clone(), f.kind.clone(), f.reason.clone(), f.seen_unix_s.to_string()];
        return output::csv(&header, failures.iter().map(record));
    }
    if format.paths.paths0 {
        return output::paths0(failures.iter().map(|f| f.path.as_str()));
    }
    let mut out = output::stdout();
    for failure in failures {
        let reason = output::reason(&failure.path, &failure.reason);
        writeln!(out, "{}: {reason}", output::short(&failure.path))?;
    }
    Ok(out.flush()?)
}
