//! `earmark models`

mod check;
mod clean;
mod export;
mod get;
mod list;
mod progress;
mod show;

use clap::{Args, Subcommand};
use earmark_encoder::Precision;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use earmark_encoder::{Check, Manifest, Verdict};

use crate::args::Global;

/// List, install and check models
///
/// Some models are bundled. Others are downloaded (`pull`), copied from a disk (`import`) or converted from
/// their original checkpoint (`export`). Models of your own are folders with a manifest.toml in the `models`
/// folder of earmark's config folder.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  earmark models list
  earmark models pull clap-htsat-unfused
  earmark models import /media/usb/models.tar.gz
  earmark models check ~/my-model")]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    pub(crate) command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// List known models: kind, vector size, disk space, licence, state
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show a model, and check its files
    Show {
        /// Name of the model
        name: String,
        /// Print the manifest as JSON
        #[arg(long)]
        json: bool,
    },
    /// Download, test and install models
    ///
    /// Interrupted downloads resume. Files are verified before use, and the cache is shared with the hub's
    /// own tools. These environment variables work as they do there: HF_ENDPOINT, HF_TOKEN, HF_HOME,
    /// HF_HUB_CACHE, HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT, HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY.
    Pull {
        /// Names of the models
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Precision: fp32, fp16 or int8; `models list` shows what each model offers
        #[arg(long, value_name = "PRECISION")]
        precision: Option<Precision>,
    },
    /// Install models from files, for machines without a network
    ///
    /// A folder or archive with a manifest.toml is installed as it is. Otherwise files of known models are
    /// recognised by checksum, whatever their names; an incomplete model is kept until the rest is imported.
    Import {
        /// Folder, file, or .tar or .tar.gz archive
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// Take the files for this known model, matched by file name; unknown checksums are filled in
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Install under this new name with the files as they are, for a model derived from a known one
        #[arg(long = "as-new", value_name = "NAME")]
        as_new: Option<String>,
        /// Precision to take from a folder that holds several: fp32, fp16 or int8 (with --as)
        #[arg(long, value_name = "PRECISION")]
        precision: Option<Precision>,
    },
    /// Test installed models: files, tensors, known vectors
    Verify {
        /// Names of the models [default: all]
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Delete installed models
    Remove {
        /// Names of the models
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Delete caches: optimised graphs and leftovers of exports
    ///
    /// Never deletes models, or the hub's cache, which other programs share.
    Clean,
    /// Show how to convert a model from its original checkpoint, or do it
    ///
    /// Writes the recipe into a folder and prints its steps, which use Python and pinned packages in a
    /// virtual environment.
    Export {
        /// Name of the model
        name: String,
        /// Run the steps with python3, install the result, and delete the Python environment
        #[arg(long)]
        run: bool,
        /// Keep the Python environment (about 5.6 GB) for the next export
        #[arg(long, requires = "run")]
        keep: bool,
        /// Install under this new name, next to the published model
        #[arg(long = "as-new", value_name = "NAME")]
        as_new: Option<String>,
        /// Folder for the recipe, its packages and the model [default: in earmark's cache folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Arguments for the recipe, such as `-- --checkpoint FILE` to use a checkpoint on this machine
        #[arg(last = true, value_name = "ARG")]
        words: Vec<String>,
    },
    /// Check manifests, and models whose files are present
    ///
    /// Lists every problem, one field per line, and fails if there is any.
    Check {
        /// Folders with a manifest.toml, or names [default: all known models]
        #[arg(value_name = "DIR|NAME")]
        models: Vec<String>,
        /// First write missing sizes and checksums into the manifests
        #[arg(long)]
        write: bool,
    },
}

pub(crate) fn run(global: &Global, args: ModelsArgs) -> Result<ExitCode> {
    match args.command {
        ModelsCommand::List { json } => list::run(global, json),
        ModelsCommand::Show { name, json } => show::run(&name, json),
        ModelsCommand::Pull { names, precision } => get::pull(global, &names, precision),
        ModelsCommand::Import { path, name, as_new, precision } => {
            get::import(global, &path, name.as_deref(), as_new.as_deref(), precision)
        }
        ModelsCommand::Clean => clean::run(global),
        ModelsCommand::Verify { names } => check::verify(global, &names),
        ModelsCommand::Remove { names } => get::remove(global, &names),
        ModelsCommand::Export { name, run: true, keep, as_new, out, words } => {
            export::make(global, &name, as_new.as_deref(), out, keep, &words)
        }
        ModelsCommand::Export { name, as_new, out, words, .. } => {
            export::tell(&name, as_new.as_deref(), out, &words)
        }
        ModelsCommand::Check { models, write } => check::check(global, &models, write),
    }
}

/// Bytes of a model's files, where all are known.
fn size(manifest: &Manifest) -> Option<u64> {
    manifest.files.iter().map(|file| file.bytes).sum()
}

/// One finding of a self-test, as a line.
fn line(check: &Check) -> String {
    let verdict = match check.verdict {
        Verdict::Passed => "ok",
        Verdict::Unknown => "note",
        Verdict::Failed => "wrong",
    };
    format!("  {verdict:<5}  {}: {}", check.name, check.found)
}
