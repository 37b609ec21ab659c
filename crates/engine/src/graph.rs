//! HNSW graphs for an index, measured with what people type.

use earmark_index::{BuildOptions, BuildReport, GraphBuilder, Snapshot};

use crate::{Engine, EngineError};

/// What text queries look like. A graph is measured with these, and used for texts only where it finds nearly
/// all that they ask for.
const PHRASES: &str = include_str!("graph_phrases.txt");

/// Builds the graphs that `snapshot`'s large segments lack, as [`GraphBuilder::build`] does. A model without
/// a text side is measured with sounds alone.
///
/// # Errors
/// Errors from the text graph and from [`GraphBuilder::build`].
pub fn build_graphs(
    engine: &Engine,
    builder: &GraphBuilder,
    snapshot: &Snapshot,
    opts: &BuildOptions,
    go_on: &mut (dyn FnMut(usize, usize) -> bool + Send),
) -> Result<BuildReport, EngineError> {
    Ok(builder.build(snapshot, &graph_queries(engine)?, opts, go_on)?)
}

/// The vectors of the texts that graphs are measured with; none for a model without a text side.
///
/// # Errors
/// Errors from the text graph.
pub fn graph_queries(engine: &Engine) -> Result<Vec<Vec<f32>>, EngineError> {
    if engine.model().manifest().text.is_none() {
        return Ok(Vec::new());
    }
    let prompts = PHRASES.lines().map(|phrase| engine.prompts(phrase, &[]));
    let prompts: Vec<String> = prompts.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    let prompts: Vec<&str> = prompts.iter().map(String::as_str).collect();
    Ok(engine.encode_texts(&prompts)?.into_iter().map(|text| text.query.into_vec()).collect())
}
