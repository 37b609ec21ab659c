//! The command line: what can be typed, and the help that people read.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use earmark_encoder::{DeviceChoice, Precision};
use earmark_engine::ingest::Prune;
use earmark_eval::datasets::{GroupBy, Layout, Task};
use earmark_eval::run::folds::FoldChoice;
use earmark_index::OpenOptions;

use crate::args_fit::{AdaptArgs, FitArgs, LabelsArgs};
use crate::units::{
    parse_count, parse_folds, parse_format, parse_limit, parse_probability, parse_root, parse_score,
    parse_seconds, parse_since, parse_tag, parse_wait, parse_weight, sound_path,
};

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
    /// Index folder [default: index-data/default.earmark in a checkout of earmark, else
    /// earmark/default.earmark in your data folder]
    #[arg(long, global = true, env = "EARMARK_DB", value_name = "DIR")]
    pub(crate) db: Option<PathBuf>,
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
    Reembed(ReembedArgs),
    Spaces(SpacesArgs),
    Models(ModelsArgs),
    Serve(ServeArgs),
    Completions(CompletionsArgs),
    #[command(hide = true)]
    Man(ManArgs),
}

/// Add sound files to the index
///
/// Files whose size and modification time have not changed are skipped. Moved and renamed files are
/// recognised by their content. Ctrl-C finishes the current batch; run the same command again to continue.
/// Files that cannot be read are listed at the end and not tried again until they change.
///
/// A file named `.earmarkignore` lists what to skip in its folder, in the syntax of .gitignore. Clips that
/// are now excluded, by such a file or by --exclude, are removed from the index. A removed clip gets its tags
/// back if the same sound is indexed again within a year.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark index ~/Sounds
  earmark index ~/Sounds --prune --dry-run
  earmark index ~/Recordings --tag field --exclude \"*.tmp.wav\"

In names that are not UTF-8, each invalid byte is shown as \\xNN and can be typed that way.")]
pub(crate) struct IndexArgs {
    /// Sound files and folders
    #[arg(required = true, value_name = "PATH", value_parser = sound_path())]
    pub(crate) paths: Vec<PathBuf>,
    /// Remove clips under these paths whose files no longer exist. Refuses if a path is missing or a folder
    /// of clips is empty, which may mean that a drive is not mounted, or if more than a quarter of a path's
    /// clips would be removed; --prune=all removes them anyway
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true,
        default_missing_value = "careful")]
    pub(crate) prune: Option<PruneHow>,
    /// List what would be added, changed or removed, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Index every file again, changed or not
    #[arg(long)]
    pub(crate) force: bool,
    /// Try again files that failed before
    #[arg(long)]
    pub(crate) retry_failed: bool,
    /// Add a tag to the clips (repeatable)
    #[arg(long = "tag", value_name = "TAG", value_parser = parse_tag)]
    pub(crate) tags: Vec<String>,
    /// Skip paths that match (repeatable)
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Include hidden files and folders
    #[arg(long)]
    pub(crate) hidden: bool,
    /// Try every file in a folder, whatever its extension
    #[arg(long)]
    pub(crate) all_files: bool,
    /// Print a JSON summary on standard output
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// How to prune.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PruneHow {
    /// Refuse if files may only be temporarily unavailable
    Careful,
    /// Remove every clip whose file no longer exists
    All,
}

impl IndexArgs {
    /// What to do with clips whose files no longer exist.
    pub(crate) fn prune(&self) -> Prune {
        match self.prune {
            None => Prune::Never,
            Some(PruneHow::Careful) => Prune::Careful,
            Some(PruneHow::All) => Prune::All,
        }
    }
}

/// Search by words, by example, or both
///
/// Each clip is listed once, with its best matching stretch. Scores are cosines: larger is closer.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark search glass breaking --max-duration 5s
  earmark search --like index-data/sounds/alarms/siren-wail.mp3 --not speech
  earmark search rain --with-tag field --json")]
pub(crate) struct SearchArgs {
    /// What the sound is like, in your own words
    #[arg(value_name = "WORDS")]
    pub(crate) words: Vec<String>,
    /// Find sounds like this file (repeatable)
    #[arg(long, value_name = "FILE", value_parser = sound_path())]
    pub(crate) like: Vec<PathBuf>,
    /// Start of the stretch to use from the examples, such as 12s or 1:30
    #[arg(long, value_name = "TIME", value_parser = parse_seconds, requires = "like")]
    pub(crate) from: Option<f64>,
    /// End of the stretch to use from the examples
    #[arg(long, value_name = "TIME", value_parser = parse_seconds, requires = "like")]
    pub(crate) to: Option<f64>,
    /// Avoid sounds like these words (repeatable). Words close to the query also push down its own hits; a
    /// lower --not-weight is gentler
    #[arg(long, value_name = "WORDS")]
    pub(crate) not: Vec<String>,
    /// Weight of the words
    #[arg(long, value_name = "W", default_value_t = 1.0, value_parser = parse_weight)]
    pub(crate) text_weight: f32,
    /// Weight of each example
    #[arg(long, value_name = "W", default_value_t = 1.0, value_parser = parse_weight)]
    pub(crate) like_weight: f32,
    /// Weight of each --not
    #[arg(long, value_name = "W", default_value_t = 0.7, value_parser = parse_weight)]
    pub(crate) not_weight: f32,
    /// Sentence to put the words into, where `{}` stands for them, instead of the model's own (repeatable;
    /// the vectors are averaged)
    #[arg(long = "template", value_name = "TEXT")]
    pub(crate) templates: Vec<String>,
    /// Use the words as they are, without the model's sentence around them (same as --template '{}')
    #[arg(long, conflicts_with = "templates")]
    pub(crate) no_prompt: bool,
    /// Number of clips to list
    #[arg(short = 'k', long = "top", value_name = "N", default_value_t = 10, value_parser = parse_count)]
    pub(crate) k: usize,
    /// Drop matches below this score [default: the model's own limit]
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true, value_parser = parse_score)]
    pub(crate) min_score: Option<f32>,
    /// List every matching stretch, not only the best one of each clip
    #[arg(long)]
    pub(crate) segments: bool,
    /// Show the sound classes that the query and each hit share
    #[arg(long)]
    pub(crate) explain: bool,
    /// Search method
    #[arg(long, value_enum, default_value_t = SearchMode::Auto, value_name = "HOW")]
    pub(crate) mode: SearchMode,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) format: HitFormatArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SearchMode {
    /// The fastest method that finds at least 99 % of what `exact` finds
    Auto,
    /// Compare with every segment
    Exact,
    /// Use the HNSW graph if there is one (see `rebuild --graph`)
    Graph,
}

/// Which clips to consider.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Filters")]
pub(crate) struct FilterArgs {
    /// Only paths that match; a pattern without `/` matches file names. `*` does not cross folders, `**`
    /// does. Case-sensitive
    #[arg(long = "path", value_name = "GLOB")]
    pub(crate) path_glob: Option<String>,
    /// Only clips with this tag (repeatable; a clip must have all of them)
    #[arg(long = "with-tag", value_name = "TAG", value_parser = parse_tag)]
    pub(crate) tags: Vec<String>,
    /// Only this format: wav, flac, mp3, ogg and so on, or one of its file extensions (repeatable; any of
    /// them may match)
    #[arg(long = "in-format", value_name = "FORMAT", value_parser = parse_format)]
    pub(crate) formats: Vec<String>,
    /// Only clips at least this long
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub(crate) min_duration: Option<f64>,
    /// Only clips at most this long
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub(crate) max_duration: Option<f64>,
    /// Only clips indexed since a date, or within the last 7d or 12h
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    pub(crate) since: Option<i64>,
}

/// How to print rows.
#[derive(Debug, ClapArgs)]
#[group(multiple = false, id = "row_format")]
#[command(next_help_heading = "Output")]
pub(crate) struct RowFormatArgs {
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Print one JSON object per line
    #[arg(long)]
    pub(crate) jsonl: bool,
    /// Print comma-separated values with a header
    #[arg(long)]
    pub(crate) csv: bool,
}

/// How to print hits.
#[derive(Debug, ClapArgs)]
pub(crate) struct HitFormatArgs {
    #[command(flatten)]
    pub(crate) row: RowFormatArgs,
    #[command(flatten)]
    pub(crate) paths: PathsArgs,
    /// Print a playlist that starts each file at the match
    #[arg(long, conflicts_with_all = ["row_format", "paths0"], help_heading = "Output")]
    pub(crate) m3u: bool,
}

/// Paths alone.
#[derive(Debug, ClapArgs)]
pub(crate) struct PathsArgs {
    /// Print only paths, each terminated by NUL, for `xargs -0`
    #[arg(long, conflicts_with = "row_format", help_heading = "Output")]
    pub(crate) paths0: bool,
}

/// Where labels come from.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false, id = "label_source")]
pub(crate) struct LabelArgs {
    /// Comma-separated labels
    #[arg(long, value_name = "LIST")]
    pub(crate) labels: Option<String>,
    /// File of labels: text (`dog: barking; howling`), CSV (label,prompt) or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) labels_file: Option<PathBuf>,
    /// Saved label set (`earmark labels` lists them, `earmark fit` learns one from labelled clips)
    #[arg(long, value_name = "NAME")]
    pub(crate) label_set: Option<String>,
}

/// Labels to save.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub(crate) struct LabelWordsArgs {
    /// Comma-separated labels
    #[arg(long, value_name = "LIST")]
    pub(crate) labels: Option<String>,
    /// File of labels: text (`dog: barking; howling`), CSV (label,prompt) or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) labels_file: Option<PathBuf>,
}

/// Label clips with any words
///
/// The answer is the label that fits best, with its probability among the given labels, or "none of these" if
/// nothing fits. For words, that is when "none of these" is more probable; for a fitted set, when the best
/// label is below the limit found on held-out clips. With --multi, each label is judged separately.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark classify index-data/sounds/animals --labels \"dog, cat, bird\"
  earmark classify --indexed --labels-file labels.csv --csv
  earmark classify clip.wav --label-set machines --threshold 0.6
  curl -s https://example.org/clip.ogg | earmark classify - --labels \"rain, applause\" --multi")]
pub(crate) struct ClassifyArgs {
    /// Sound files and folders; `-` reads standard input
    #[arg(value_name = "FILE", required_unless_present = "indexed", conflicts_with = "indexed",
        value_parser = sound_path())]
    pub(crate) files: Vec<PathBuf>,
    /// Classify the clips in the index instead, from their stored vectors
    #[arg(long)]
    pub(crate) indexed: bool,
    #[command(flatten)]
    pub(crate) labels: LabelArgs,
    /// Sentence to put labels into, where `{}` stands for the label (repeatable; the vectors are averaged)
    #[arg(long = "template", value_name = "TEXT")]
    pub(crate) templates: Vec<String>,
    /// Judge each label separately: any number of them may fit
    #[arg(long)]
    pub(crate) multi: bool,
    /// Probability that the best label must reach, else the answer is "none of these"; with --multi, that
    /// each label must reach [default: see above; with --multi 0.5, or each label's own in a fitted set]
    #[arg(long, value_name = "P", value_parser = parse_probability)]
    pub(crate) threshold: Option<f32>,
    /// Number of labels to show for each clip
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) top: Option<usize>,
    /// How to combine the segments of a long file: mean (what it is about), max (whether a label occurs at
    /// all), attention (between the two)
    #[arg(long, value_name = "HOW", default_value = "mean", value_parser = ["mean", "max", "attention"])]
    pub(crate) pooling: String,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) format: RowFormatArgs,
}

/// Find when sounds occur in a recording
///
/// Short windows slide over the recording. An event begins where the probability of its label reaches the
/// threshold. With `mini`, similar labels compete: of "animal" and "dog bark", the weaker may be lost.
/// Defaults depend on the model; `earmark models show NAME` lists them.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark events index-data/sounds/events/dog-in-rain.wav --labels \"dog bark, rain\"
  earmark events night.flac --labels \"owl, car\" --audacity > labels.txt")]
pub(crate) struct EventsArgs {
    /// Sound file; `-` reads standard input
    #[arg(value_name = "FILE", value_parser = sound_path())]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) labels: LabelArgs,
    /// Sentence to put labels into, where `{}` stands for the label (repeatable)
    #[arg(long = "template", value_name = "TEXT")]
    pub(crate) templates: Vec<String>,
    /// Probability at which an event begins [default: 0.5; each label's own in a fitted set]
    #[arg(long, value_name = "P")]
    pub(crate) threshold: Option<f32>,
    /// Probability below which an event ends [default: the model's share of the threshold]
    #[arg(long, value_name = "P")]
    pub(crate) release: Option<f32>,
    /// Time between windows [default: the model's]
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub(crate) hop: Option<f64>,
    /// Length of the median filter over probabilities; 0 for none [default: the model's]
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub(crate) smooth: Option<f64>,
    /// Drop shorter events [default: the model's]
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub(crate) min_duration: Option<f64>,
    /// Join events of the same label that are closer than this [default: the model's]
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub(crate) merge_gap: Option<f64>,
    #[command(flatten)]
    pub(crate) format: EventFormatArgs,
}

/// How to print events.
#[derive(Debug, ClapArgs)]
pub(crate) struct EventFormatArgs {
    #[command(flatten)]
    pub(crate) row: RowFormatArgs,
    /// Print an Audacity label track
    #[arg(long, conflicts_with = "row_format", help_heading = "Output")]
    pub(crate) audacity: bool,
}

/// Tag sounds with a model's fixed classes
///
/// The default, ced-tiny, has the 527 classes of AudioSet; yamnet has 521 of them, in windows of one second;
/// musicnn has 50 tags for music. All three are bundled; `earmark models list` shows every tagger. To use
/// words of your own, see `earmark classify`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark tag index-data/sounds/events/dog-in-rain.wav
  earmark tag ~/Music --model musicnn --top 3 --csv
  earmark tag night.flac --windows --threshold 0.3")]
pub(crate) struct TagArgs {
    /// Sound files and folders; `-` reads standard input
    #[arg(value_name = "FILE", required = true, value_parser = sound_path())]
    pub(crate) files: Vec<PathBuf>,
    /// Number of classes to show for each sound
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = parse_count)]
    pub(crate) top: usize,
    /// Probability at which a class counts as present [default: the model's own]
    #[arg(long, value_name = "P", value_parser = parse_probability)]
    pub(crate) threshold: Option<f32>,
    /// Tag each of the model's windows
    #[arg(long)]
    pub(crate) windows: bool,
    #[command(flatten)]
    pub(crate) format: RowFormatArgs,
}

/// Evaluate a model on labelled sounds
///
/// Reads ESC-50, UrbanSound8K, GTZAN, VocalSound, Speech Commands, AudioSet, FSD50K, AudioCaps and Clotho as
/// published, a folder with one subfolder per class, or a CSV or TSV table with a column `file` and `label`,
/// `labels` (separated by `;`), `caption`, or `onset`, `offset` and `label`. The report names missing and
/// broken files. Vectors of unchanged files come from the index; others are kept in the cache folder, so
/// Ctrl-C loses nothing and the next run is quick.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark eval ~/ESC-50 --out report
  earmark eval ~/my-sounds --prompts templates.txt
  earmark eval ~/UrbanSound8K --folds own --json
  earmark eval ~/ESC-50 --folds 5 --group-by src_file
  earmark eval ~/new-recordings --label-set machines
  earmark eval ~/samples --mapping names.csv")]
pub(crate) struct EvalArgs {
    /// Folder or table of the dataset
    #[arg(value_name = "PATH", value_parser = sound_path())]
    pub(crate) path: PathBuf,
    /// Layout of the dataset: esc50, esc10, urbansound8k, gtzan, vocalsound, speech-commands, audioset,
    /// fsd50k, audiocaps, clotho, folders, csv, mapping or text-files (a .txt with a caption next to each
    /// sound) [default: detected]
    #[arg(long, value_name = "LAYOUT")]
    pub(crate) kind: Option<Layout>,
    /// Task to evaluate, for a table that allows several
    #[arg(long, value_enum, value_name = "TASK")]
    pub(crate) task: Option<EvalTask>,
    /// Split of the dataset, or `all` [default: the one usually reported]
    #[arg(long, value_name = "NAME")]
    pub(crate) split: Option<String>,
    /// Folder that the paths in a table are relative to [default: the table's own folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) audio: Option<PathBuf>,
    /// Labels or captions by file name: a table as above in which `file` is a pattern such as `bd_*`
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
    /// Texts for classes: one class per line, as name, tab, text
    #[arg(long, value_name = "FILE")]
    pub(crate) names: Option<PathBuf>,
    /// Sentence to put labels and captions into, where `{}` stands for them (repeatable; the vectors are
    /// averaged)
    #[arg(long = "template", value_name = "TEXT")]
    pub(crate) templates: Vec<String>,
    /// File of templates to compare on the same clips, one per line; templates joined by ` | ` are averaged
    #[arg(long, value_name = "FILE")]
    pub(crate) prompts: Option<PathBuf>,
    /// Learn labels from the clips, as `earmark fit` does, and score each clip with a fit that has not seen
    /// it: over N random folds, or the dataset's `own` folds
    #[arg(long, value_name = "N|own", value_parser = parse_folds)]
    pub(crate) folds: Option<FoldChoice>,
    /// Keep clips of one recording in the same random fold. Either a column of the dataset's table, or a
    /// regular expression whose first group is the recording, such as '^(\d+)-'; it is matched against file
    /// names, or against paths within the dataset if it has a `/`
    #[arg(long, value_name = "COLUMN|PATTERN", requires = "folds")]
    pub(crate) group_by: Option<GroupBy>,
    /// Evaluate this saved label set instead of words. Its labels must be named as the dataset's classes. Use
    /// clips that the set was not fitted to, or it looks better than it is
    #[arg(long, value_name = "NAME", conflicts_with_all = ["folds", "prompts", "templates"])]
    pub(crate) label_set: Option<String>,
    /// Evaluate a random sample of N clips
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) limit: Option<usize>,
    /// Seed for the sample and the random folds
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Write report.html and report.json into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Print the report as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Exit with code 3 if anything could not be evaluated
    #[arg(long)]
    pub(crate) strict: bool,
}

/// What is asked of each clip.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum EvalTask {
    /// One label per clip
    Label,
    /// Any number of labels per clip
    Labels,
    /// Captions: retrieval in both directions
    Captions,
    /// When sounds occur
    Events,
}

impl From<EvalTask> for Task {
    fn from(task: EvalTask) -> Self {
        match task {
            EvalTask::Label => Self::SingleLabel,
            EvalTask::Labels => Self::MultiLabel,
            EvalTask::Captions => Self::Captions,
            EvalTask::Events => Self::Events,
        }
    }
}

/// Show what is in the index, or describe a sound file
#[derive(Debug, ClapArgs)]
pub(crate) struct InfoArgs {
    /// Sound file to describe [default: the index]
    #[arg(value_name = "FILE", value_parser = sound_path())]
    pub(crate) file: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// List the clips in the index
#[derive(Debug, ClapArgs)]
pub(crate) struct ListArgs {
    /// List files that could not be indexed instead, with the reasons
    #[arg(long)]
    pub(crate) failed: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) format: ListFormatArgs,
}

/// How to print a list.
#[derive(Debug, ClapArgs)]
pub(crate) struct ListFormatArgs {
    #[command(flatten)]
    pub(crate) row: RowFormatArgs,
    #[command(flatten)]
    pub(crate) paths: PathsArgs,
}

/// Remove clips from the index (never touches the files)
///
/// Removes them from every space, unless --model names one. Tags are kept for a year: a clip gets them back
/// if the same sound is indexed again.
#[derive(Debug, ClapArgs)]
pub(crate) struct RemoveArgs {
    /// Files, or folders with everything in them
    #[arg(value_name = "PATH", value_parser = sound_path(), required_unless_present_any = [
        "path_glob", "tags", "formats", "min_duration", "max_duration", "since",
    ])]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// List what would be removed, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Check the index, and that a search for each segment's vector finds it
///
/// In an index of more than 40 000 segments, only a sample is searched for; the report says how many.
#[derive(Debug, ClapArgs)]
pub(crate) struct VerifyArgs {
    /// Check every space, not only the current one
    #[arg(long)]
    pub(crate) all: bool,
    /// Also check that every clip's file is still there
    #[arg(long)]
    pub(crate) files: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Rebuild derived files from the index's store
///
/// Also clears the message about lost batches, once `earmark index` has restored them.
#[derive(Debug, ClapArgs)]
pub(crate) struct RebuildArgs {
    /// Build an HNSW graph instead, for large indexes; takes minutes for 100 000 segments. Searches use it if
    /// it finds at least 99 % of the ten best. Ctrl-C keeps what was built; run the same command again to
    /// continue
    #[arg(long)]
    pub(crate) graph: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Export the index as JSON Lines and a NumPy matrix
///
/// Writes `header.json`, `clips.jsonl` and `vectors.npy` (float32, one unit-length row per segment).
#[derive(Debug, ClapArgs)]
pub(crate) struct ExportArgs {
    /// New or empty folder. An unfinished export is in its subfolder `.earmark-export`
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// Import what `export` wrote into an index
///
/// Clips go into the space of the model they were exported from, which is created if needed. Clips with the
/// same paths are replaced.
#[derive(Debug, ClapArgs)]
pub(crate) struct ImportArgs {
    /// Folder written by `export`
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Embed every clip again, with another model or a new version of the same one
///
/// The new vectors go into a space of their own. The old space can be searched meanwhile; at the end the new
/// one becomes current. Ctrl-C finishes the current batch; run the same command again to continue. The
/// default is the installed version of the current space's model.
#[derive(Debug, ClapArgs)]
pub(crate) struct ReembedArgs {
    /// Do not make the new space current
    #[arg(long)]
    pub(crate) no_switch: bool,
    /// Switch even if some files are missing or fail; their clips are left out
    #[arg(long, conflicts_with = "no_switch")]
    pub(crate) partial: bool,
    /// Print a JSON summary on standard output
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// List, select and delete the spaces of the index
///
/// A space holds the vectors of one model. Commands use the current space unless --model names another.
/// `earmark index --model NAME` and `earmark reembed` create spaces.
#[derive(Debug, ClapArgs)]
pub(crate) struct SpacesArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SpacesCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SpacesCommand {
    /// List spaces (the default); the current one has a star
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make a space current
    Use {
        /// Name of the space or of its model
        name: String,
    },
    /// Delete a space that is not current (never touches the sound files)
    Drop {
        /// Name of the space or of its model
        name: String,
    },
}

/// List, install and check models
///
/// Some models are bundled. Others are downloaded (`pull`), copied from a disk (`import`) or converted from
/// their original checkpoint (`export`). Models of your own are folders with a manifest.toml in the `models`
/// folder of earmark's config folder.
#[derive(Debug, ClapArgs)]
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

/// Serve the index to browsers and programs over HTTP
///
/// The page is at the address that is printed, the API under /v1, its reference at /docs. Other machines are
/// served only if there are API keys. Flags take precedence over the environment, the environment over the
/// file of --config, and that over the defaults. --print-config shows the resulting settings in the format of
/// that file.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark serve
  earmark serve --root sounds=/srv/sounds --upload-root /srv/uploads
  earmark serve --new-key alice --scope write")]
pub(crate) struct ServeArgs {
    /// Address and port to listen on [default: 127.0.0.1:7788]
    #[arg(long, env = "EARMARK_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// Folder that jobs may index, and the name that requests use for it; no file outside these folders is
    /// read (repeatable)
    #[arg(long = "root", env = "EARMARK_ROOTS", value_delimiter = ',', value_name = "NAME=DIR", value_parser = parse_root)]
    pub(crate) roots: Vec<(String, PathBuf)>,
    /// Folder for uploads
    #[arg(long, env = "EARMARK_UPLOAD_ROOT", value_name = "DIR")]
    pub(crate) upload_root: Option<PathBuf>,
    /// Serve other machines without API keys
    #[arg(long, env = "EARMARK_INSECURE")]
    pub(crate) insecure: bool,
    /// Set a limit, such as queue=16; --print-config lists them (repeatable)
    #[arg(long = "limit", env = "EARMARK_LIMITS", value_delimiter = ',', value_name = "NAME=N", value_parser = parse_limit)]
    pub(crate) limits: Vec<(String, f64)>,
    /// Log as JSON lines
    #[arg(long, env = "EARMARK_LOG_JSON")]
    pub(crate) log_json: bool,
    /// Settings file (TOML)
    #[arg(long, env = "EARMARK_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print the settings and exit
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Create an API key, print it with the lines to add to the settings file, and exit
    #[arg(long, value_name = "NAME")]
    pub(crate) new_key: Option<String>,
    /// What the new key allows; each scope includes the one before it
    #[arg(long, value_enum, default_value = "read", requires = "new_key")]
    pub(crate) scope: KeyScope,
}

/// What an API key may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum KeyScope {
    /// Search, play, label
    Read,
    /// Change tags and label sets, upload, delete
    Write,
    /// Run jobs, read metrics
    Admin,
}

/// Print a completion script for your shell
///
/// For example: `earmark completions bash > /etc/bash_completion.d/earmark`.
#[derive(Debug, ClapArgs)]
pub(crate) struct CompletionsArgs {
    /// Shell to complete for
    pub(crate) shell: clap_complete::Shell,
}

/// Write a man page for each command into a folder
#[derive(Debug, ClapArgs)]
pub(crate) struct ManArgs {
    /// Folder for the pages, created if needed
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
