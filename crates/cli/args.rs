//! What every command line has: options for all commands, and the commands. Each command's own arguments are
//! in its file in `commands`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand};
use earmark_encoder::DeviceChoice;
use earmark_index::OpenOptions;

use crate::commands::adapt::AdaptArgs;
use crate::commands::classify::ClassifyArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::copy::CopyArgs;
use crate::commands::db::DbArgs;
use crate::commands::describe::DescribeArgs;
use crate::commands::duplicates::DuplicatesArgs;
use crate::commands::eval::EvalArgs;
use crate::commands::events::EventsArgs;
use crate::commands::fit::FitArgs;
use crate::commands::index::IndexArgs;
use crate::commands::info::InfoArgs;
use crate::commands::jobs::JobsArgs;
use crate::commands::labels::LabelsArgs;
use crate::commands::list::ListArgs;
use crate::commands::man::ManArgs;
use crate::commands::mcp::McpArgs;
use crate::commands::models::ModelsArgs;
use crate::commands::reembed::ReembedArgs;
use crate::commands::remove::RemoveArgs;
use crate::commands::search::SearchArgs;
use crate::commands::serve::ServeArgs;
use crate::commands::spaces::SpacesArgs;
use crate::commands::tag::TagArgs;
use crate::commands::transfer::{ExportArgs, ImportArgs};
use crate::commands::verify::{RebuildArgs, VerifyArgs};
use crate::units::{LocationText, parse_wait};

/// Find and label sounds by describing them.
///
/// earmark listens to your sound files once and remembers what it heard in an index. After that you can
/// search them by words or by example, label them with any words, and find when a sound occurs. Everything
/// runs on this machine and nothing is sent anywhere. Only `models pull` and `models export --run` use the
/// network.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  earmark index ~/Sounds
  earmark search \"heavy wooden door creaking\"
  earmark search --like door.wav --not speech
  earmark classify clip.wav --labels \"dog, siren, rain\"
  earmark events night.flac --labels \"owl, car passing by\"

Run `earmark help COMMAND` for details.

Exit codes: 0 success, 1 failure, 2 invalid command line, 3 finished but some files could not be used (files
already known to be bad do not count), 130 interrupted by Ctrl-C.")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Index: a folder, or a PostgreSQL database as postgres://USER@HOST/NAME (its password belongs into
    /// EARMARK_DB, PGPASSWORD or ~/.pgpass) [default: index-data/default.earmark in a checkout of earmark, else
    /// earmark/default.earmark in your data folder]
    #[arg(long, global = true, env = "EARMARK_DB", hide_env_values = true, value_name = "DIR",
        value_hint = clap::ValueHint::AnyPath, value_parser = LocationText::parser())]
    pub(crate) db: Option<LocationText>,
    /// Model name or folder; also selects the model's space of the index [default: the model of the current
    /// space, or the bundled model if there is no index]
    #[arg(long, global = true, env = "EARMARK_MODEL", value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// ONNX Runtime library to load [default: the one next to the program]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) onnxruntime: Option<PathBuf>,
    /// Device for audio graphs: auto, cpu, cuda, migraphx, directml, coreml or openvino, if ONNX Runtime
    /// supports it. A device is used only if its vectors match those of the CPU [default: cpu]
    #[arg(long, global = true, env = "EARMARK_DEVICE", value_name = "DEVICE")]
    pub(crate) device: Option<DeviceChoice>,
    /// Segments to encode at once. Larger batches use a GPU better, but vectors then differ in the seventh
    /// digit, depending on what else is in the batch [default: 1]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) batch: Option<u16>,
    /// Folder for optimised graphs, which open faster; empty to keep none [default: earmark/graphs in your
    /// cache folder]
    #[arg(long, global = true, env = "EARMARK_GRAPH_CACHE", value_name = "DIR")]
    pub(crate) graph_cache: Option<OsString>,
    /// ffmpeg program for codecs that earmark does not decode (AC-3, WMA, Speex and others); empty to use
    /// none [default: ffmpeg in PATH]
    #[arg(long, global = true, env = "EARMARK_FFMPEG", value_name = "FILE")]
    pub(crate) ffmpeg: Option<OsString>,
    /// Do not use ffmpeg; files that need it are refused
    #[arg(long, global = true)]
    pub(crate) no_ffmpeg: bool,
    /// Number of worker threads [default: one per core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Print only results and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// For commands that write the index.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct WaitArgs {
    /// If another process is writing the index, wait until it is done, or at most SECONDS
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "inf",
        value_parser = parse_wait)]
    pub(crate) wait: Option<Duration>,
}

impl WaitArgs {
    /// How the index is opened.
    pub(crate) fn options(&self) -> OpenOptions {
        let usual = OpenOptions::default();
        OpenOptions { lock_wait: self.wait.unwrap_or(usual.lock_wait), ..usual }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Index(IndexArgs),
    Search(SearchArgs),
    Classify(ClassifyArgs),
    Events(EventsArgs),
    Tag(TagArgs),
    Describe(DescribeArgs),
    Duplicates(DuplicatesArgs),
    Fit(FitArgs),
    Adapt(AdaptArgs),
    Labels(LabelsArgs),
    Eval(EvalArgs),
    Info(InfoArgs),
    List(ListArgs),
    Remove(RemoveArgs),
    Verify(VerifyArgs),
    Rebuild(RebuildArgs),
    Export(ExportArgs),
    Import(ImportArgs),
    Copy(CopyArgs),
    Reembed(ReembedArgs),
    Spaces(SpacesArgs),
    Db(DbArgs),
    Jobs(JobsArgs),
    Models(ModelsArgs),
    Serve(ServeArgs),
    Mcp(McpArgs),
    Completions(CompletionsArgs),
    #[command(hide = true)]
    Man(ManArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
