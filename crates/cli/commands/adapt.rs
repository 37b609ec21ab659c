//! `earmark adapt`

use std::process::ExitCode;

use anyhow::Result;
use earmark_encoder::Embedding;
use earmark_engine::adapt::Place;
use earmark_engine::clip_vectors::{OfFiles, segments};
use earmark_engine::label_sets::AdaptSummary;
use earmark_engine::walk;

use crate::args::Global;
use crate::args_fit::AdaptArgs;
use crate::label_source::LabelSource;
use crate::output::note;
use crate::{EXIT_SOME_FAILED, context, output};

pub(crate) fn run(global: &Global, args: &AdaptArgs) -> Result<ExitCode> {
    let sets = context::label_sets(global)?;
    if args.undo {
        let undone = sets.undo_adapt(&args.name)?;
        if !global.quiet {
            note!("label set `{}` {}", args.name, if undone { "is what it was" } else { "was not adapted" });
        }
        return Ok(ExitCode::SUCCESS);
    }
    let source = LabelSource::saved(global, &args.name)?;
    let walked = walk(&args.paths, &Default::default())?;
    let engine = context::engine(global, source.model(global)?)?;
    let index = context::index_of(global, &engine);
    let OfFiles { results, from_index } = segments(&engine, index.as_ref(), &walked.files)?;
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
    let place = Place::heard(&pieces)?;
    let from = args.paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let summary = AdaptSummary { from, pieces: pieces.len() };
    sets.adapt(&args.name, &engine.identity(), place, summary)?;
    if !global.quiet {
        note!(
            "label set `{0}` is adapted to {1} pieces of sound ({2} files, {from_index} from the index); `earmark adapt {0} \
             --undo` takes it back",
            args.name,
            pieces.len(),
            walked.files.len()
        );
    }
    Ok(if failed > 0 { ExitCode::from(EXIT_SOME_FAILED) } else { ExitCode::SUCCESS })
}
