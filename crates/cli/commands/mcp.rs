//! `earmark mcp`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use earmark_library::Access;

use crate::args::Global;
use crate::context;

/// Give language models the index as tools, over standard input and output
///
/// Speaks the Model Context Protocol: search_sounds, classify_sound, find_events, describe_sound,
/// find_duplicates, list_clips and library_info, with the sounds themselves as resources. Put the command into
/// your client's settings. `earmark serve` offers the same at /mcp.
#[derive(Debug, Args)]
#[command(after_help = "\
Example of a client's settings:
  {\"mcpServers\": {\"earmark\": {\"command\": \"earmark\", \"args\": [\"mcp\", \"--db\", \"/srv/sounds.earmark\"]}}}")]
pub(crate) struct McpArgs {}

pub(crate) fn run(global: &Global, _: &McpArgs) -> Result<ExitCode> {
    let library = context::library(global, context::place(global)?, Access::Live)?;
    earmark_mcp::serve_stdio(library)?;
    Ok(ExitCode::SUCCESS)
}
