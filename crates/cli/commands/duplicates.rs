//! `earmark duplicates`

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use earmark_library::{
    Access, Duplicate, DuplicateGroup, DuplicatesAnswer, DuplicatesRequest, Filter, KeepBy, Relation,
};

use crate::args::Global;
use crate::ask::{Answerer, ServerArgs};
use crate::format::{FileFormatArgs, Format, Row, emit};
use crate::output::{self, note};
use crate::units::{clock, parse_likeness};
use crate::{EXIT_INTERRUPTED, context};

/// List clips that are the same sound, in groups
///
/// Finds copies, other encodings, sample rates and channels, other gain, and sounds that are cut or padded
/// with silence; not sounds that are merely alike. The files are compared. Nothing is removed: the first clip
/// of each group is the one to keep.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  earmark duplicates
  earmark duplicates --keep format,rate,length --path \"*.wav\"
  earmark duplicates --paths0 | xargs -0 -r mv -t ~/duplicates")]
pub(crate) struct DuplicatesArgs {
    /// Likeness from which two sounds are one, 0.5 to 1: how well one waveform predicts the other
    #[arg(long, value_name = "LIKENESS", default_value_t = DuplicatesRequest::default().threshold,
        value_parser = parse_likeness)]
    threshold: f32,
    /// What decides which clip to keep, the most important first
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',', default_values_t = KeepBy::DEFAULT)]
    keep: Vec<KeepBy>,
    /// Compare only what the index stores, not the files. Takes less time, and finds neither cuts nor padding
    #[arg(long)]
    no_verify: bool,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    format: FileFormatArgs,
    #[command(flatten)]
    server: ServerArgs,
}

impl Row for DuplicateGroup {
    const COLUMNS: &'static [&'static str] = &[
        "group",
        "keep",
        "path",
        "relation",
        "likeness",
        "offset_s",
        "gain_db",
        "clip_id",
        "duration_s",
        "format",
        "sample_rate",
        "channels",
        "size",
    ];

    fn records(&self, rank: usize) -> Vec<Vec<String>> {
        let record = |clip: &earmark_library::Clip, duplicate: Option<&Duplicate>| {
            let number = |of: fn(&Duplicate) -> String| duplicate.map(of).unwrap_or_default();
            vec![
                rank.to_string(),
                duplicate.is_none().to_string(),
                clip.path.clone(),
                number(|d| d.relation.name().to_owned()),
                number(|d| format!("{:.4}", d.likeness)),
                number(|d| format!("{:.3}", d.offset_s)),
                number(|d| format!("{:.2}", d.gain_db)),
                clip.id.clone(),
                format!("{:.3}", clip.duration_s),
                clip.format.clone(),
                clip.sample_rate.to_string(),
                clip.channels.to_string(),
                clip.size.to_string(),
            ]
        };
        let others = self.clips.iter().map(|duplicate| record(&duplicate.clip, Some(duplicate)));
        std::iter::once(record(&self.keep, None)).chain(others).collect()
    }
}

/// A clip that could go, as a line of `--paths0`.
#[derive(serde::Serialize)]
struct Superfluous<'a>(&'a str);

impl Row for Superfluous<'_> {
    const COLUMNS: &'static [&'static str] = &["path"];

    fn records(&self, _: usize) -> Vec<Vec<String>> {
        vec![vec![self.0.to_owned()]]
    }

    fn path(&self) -> Option<&str> {
        Some(self.0)
    }
}

pub(crate) fn run(global: &Global, args: DuplicatesArgs) -> Result<ExitCode> {
    let format = args.format.format();
    // The index is searched once for each clip.
    let answerer = Answerer::with_access(global, &args.server, context::place(global)?, Access::Live)?;
    let request = DuplicatesRequest {
        filter: context::filter(args.filter),
        threshold: args.threshold,
        keep: args.keep,
        verify: !args.no_verify,
    };
    let answer = answerer.duplicates(&request, global.quiet)?;
    if answer.interrupted {
        note!("interrupted; nothing was found yet");
        return Ok(ExitCode::from(EXIT_INTERRUPTED));
    }
    for file in &answer.uncompared {
        output::failed(&file.path, &file.reason);
    }
    if format == Format::Paths0 {
        let clips = answer.groups.iter().flat_map(|group| &group.clips);
        // Others may delete what is printed here.
        let sure = clips.filter(|duplicate| duplicate.relation != Relation::Unverified);
        let rows: Vec<Superfluous<'_>> = sure.map(|duplicate| Superfluous(&duplicate.clip.path)).collect();
        emit(format, &answer, &rows, |_| Ok(()))?;
    } else {
        emit(format, &answer, &answer.groups, |out| print(out, &answer))?;
    }
    if !global.quiet {
        note!("{}", summary(&answer));
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(answer: &DuplicatesAnswer) -> String {
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let clips = plural(answer.clips, "clip");
    match answer.groups.len() {
        0 => format!("no duplicates among {clips}"),
        groups => format!(
            "{} with {} to spare, of {clips}",
            plural(groups, "group"),
            plural(answer.superfluous(), "clip")
        ),
    }
}

/// A table for each group, the clip to keep first.
fn print(out: &mut dyn Write, answer: &DuplicatesAnswer) -> Result<()> {
    let kind = |clip: &earmark_library::Clip| {
        let channels = if clip.channels == 1 { String::new() } else { format!(" {}ch", clip.channels) };
        format!("{} {} Hz{channels}", clip.format, clip.sample_rate)
    };
    let mut rows = Vec::new();
    for group in &answer.groups {
        let row = |what: &str, clip: &earmark_library::Clip, likeness: String| {
            vec![what.to_owned(), likeness, clock(clip.duration_s), kind(clip), output::short(&clip.path)]
        };
        rows.push(row("keep", &group.keep, String::new()));
        rows.extend(group.clips.iter().map(|duplicate| {
            let likeness = format!("{:.2}", duplicate.likeness);
            row(&format!("  {}", duplicate.relation.name()), &duplicate.clip, likeness)
        }));
    }
    Ok(output::table(out, &[false, true, true], &rows)?)
}
