//! `earmark adapt`

use crate::units::sound_path;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use earmark_encoder::Embedding;
use earmark_engine::adapt::Surroundings;
use earmark_engine::classify::{Decision, read};
use earmark_engine::clip_vectors::{OfFiles, segments};
use earmark_engine::label_sets::{AdaptSummary, unless_changed};
use earmark_engine::labels::EncodedLabels;
use earmark_engine::walk;

use crate::args::Global;
use crate::label_args::SavedLabels;
use crate::output::note;
use crate::{EXIT_SOME_FAILED, context, output};

/// Adapt a label set to a place from recordings without labels
///
/// A room, a microphone or a street in the background changes all sounds in the same way. This command learns
/// how from recordings of the place, and corrects the label set for it. It assumes that the labels are about
/// equally frequent there; do not use it where only a few of them occur. --undo removes the correction.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  earmark adapt machines ~/recordings/hall-2
  earmark adapt machines --undo")]
pub(crate) struct AdaptArgs {
    /// Saved label set
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Recordings of the place: sound files and folders, at least ten segments of about five seconds
    #[arg(value_name = "PATH", value_parser = sound_path(), required_unless_present = "undo",
        conflicts_with = "undo")]
    pub(crate) paths: Vec<PathBuf>,
    /// Remove the correction
    #[arg(long)]
    pub(crate) undo: bool,
}

pub(crate) fn run(global: &Global, args: &AdaptArgs) -> Result<ExitCode> {
    let sets = context::label_sets(global)?;
    if args.undo {
        let undone = sets.undo_adapt(&args.name)?;
        if !global.quiet {
            note!("label set `{}` {}", args.name, if undone { "is what it was" } else { "was not adapted" });
        }
        return Ok(ExitCode::SUCCESS);
    }
    let source = SavedLabels::of(global, &args.name)?;
    let walked = walk(&args.paths, &Default::default())?;
    let engine = context::engine(global, source.model(global)?)?;
    let index = context::index_of(global, &engine);
    let OfFiles { results, from_index } = segments(&engine, index.as_deref(), &walked.files)?;
    let mut pieces: Vec<Embedding> = Vec::new();
    let mut failed = walked.errors.len();
    let model = &engine.model().manifest().id;
    for result in results {
        match result {
            Ok(spans) => {
                for span in spans {
                    pieces.push(Embedding::from_values(span.vector, model, "a piece of the place")?);
                }
            }
            Err(e) => {
                failed += 1;
                note!("failed: {}", output::printable(&e.to_string()));
            }
        }
    }
    let place = Surroundings::heard(&pieces)?;
    let (before, after) = unless_changed(|| {
        let set = sets.get(&args.name)?;
        let encode = |place| sets.encode_in(&args.name, &set, &engine, place);
        Ok((encode(None)?, encode(Some(&place))?))
    })?;
    let from = args.paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let summary = AdaptSummary { from, pieces: pieces.len() };
    sets.adapt(&args.name, &engine.identity(), place, summary)?;
    let (were, are) = (answers(&before, &pieces), answers(&after, &pieces));
    if !global.quiet {
        print(&before.names, &were, &are)?;
        note!(
            "label set `{0}` is adapted to {1} pieces of sound ({2} files, {from_index} from the index); `earmark adapt {0} \
             --undo` takes it back",
            args.name,
            pieces.len(),
            walked.files.len()
        );
    }
    if let Some(warning) = warning(&before.names, &were) {
        note!("{warning}");
    }
    Ok(if failed > 0 { ExitCode::from(EXIT_SOME_FAILED) } else { ExitCode::SUCCESS })
}

/// How many pieces each label is the answer for, and last, "none of these".
fn answers(labels: &EncodedLabels, pieces: &[Embedding]) -> Vec<usize> {
    let mut counts = vec![0; labels.names.len() + 1];
    for piece in pieces {
        let cosines: Vec<f32> = labels.vectors.iter().map(|label| label.cosine(piece)).collect();
        let answer = read(&labels.readout, &cosines, Decision::Single { threshold: None });
        let best = answer.scores.first().filter(|_| answer.accepted > 0);
        counts[best.map_or(labels.names.len(), |best| best.label)] += 1;
    }
    counts
}

fn print(names: &[String], were: &[usize], are: &[usize]) -> Result<()> {
    let header = ["answer", "pieces before", "after"].map(str::to_owned).to_vec();
    let names = names.iter().map(|name| output::cell(name)).chain(["none of these".to_owned()]);
    let rows = names.zip(were.iter().zip(are)).filter(|(_, (were, are))| **were + **are > 0);
    let rows = rows.map(|(name, (were, are))| vec![name, were.to_string(), are.to_string()]);
    let rows: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
    let mut out = output::stdout();
    output::table(&mut out, &[false, true, true], &rows)?;
    Ok(out.flush()?)
}

/// Where most pieces had one and the same answer: the correction takes that for the place's own sound.
fn warning(names: &[String], were: &[usize]) -> Option<String> {
    let all: usize = were.iter().sum();
    let (answer, &most) = were.iter().enumerate().max_by_key(|(_, count)| **count)?;
    (2 * most > all).then(|| match names.get(answer) {
        Some(name) => format!(
            "`{}` was the answer for {most} of {all} pieces: what is nearly always there is taken for the place's own sound, \
             and is found less from now on; if it is what you listen for, take the correction back",
            output::cell(name)
        ),
        None => format!(
            "{most} of {all} pieces were none of the labels; a place with few of them is better left alone"
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_nearly_always_sounds_the_same_is_warned_of() {
        let names = ["rain".to_owned(), "dog".to_owned()];
        assert!(warning(&names, &[6, 3, 1]).unwrap().contains("`rain` was the answer for 6 of 10"));
        assert!(warning(&names, &[1, 1, 8]).unwrap().contains("8 of 10 pieces were none"));
        assert_eq!(warning(&names, &[5, 4, 1]), None);
    }
}
