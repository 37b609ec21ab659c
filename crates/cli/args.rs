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
use crate::commands::describe::DescribeArgs;
use crate::units::{
    parse_count, parse_folds, parse_format, parse_limit, parse_probability, parse_root, parse_score,
    parse_seconds, parse_since, parse_tag, parse_wait, parse_weight, sound_path,
};

/// Find and label sounds by describing them.
///
/// earmark listens to your sound files once and remembers what it heard in an index. After that you can
/// search them by words or by example, label them with any words you like, and learn when something is heard.
/// Everything runs on this machine; nothing is sent anywhere, and only `models pull` and `models export
/// --run` use the network.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  earmark index ~/Sounds
  earmark search \"heavy wooden door creaking\"
  earmark search --like door.wav --not speech
  earmark classify clip.wav --labels \"dog, siren, rain\"
  earmark events night.flac --labels \"owl, car passing by\"

Exit codes: 0 done, 1 failed, 2 a command line that makes no sense, 3 done but some files could not be used (those known
to be bad from before do not count), 130 cut short by Ctrl-C.")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, ClapArgs)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// The index: a folder [default: index-data/default.earmark in a checkout of earmark, else in your data
    /// folder]
    #[arg(long, global = true, env = "EARMARK_DB", value_name = "DIR")]
    pub(crate) db: Option<PathBuf>,
    /// The model, by name or by folder, and with it the space of the index [default: the current space's;
    /// without an index the bundled model]
    #[arg(long, global = true, env = "EARMARK_MODEL", value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// The ONNX Runtime library to use [default: searched for beside the program]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) onnxruntime: Option<PathBuf>,
    /// What runs audio graphs: auto, cpu, cuda, migraphx, directml, coreml or openvino, where ONNX Runtime
    /// offers it. Others than cpu are used only if they give the processor's vectors [default: cpu]
    #[arg(long, global = true, env = "EARMARK_DEVICE", value_name = "DEVICE")]
    pub(crate) device: Option<DeviceChoice>,
    /// Segments that the audio graph takes at once. More than one use a GPU better; vectors then depend in
    /// their seventh digit on what they were made beside [default: 1]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) batch: Option<u16>,
    /// Where optimised graphs are kept, so that models open faster; empty for nowhere [default:
    /// earmark/graphs in your cache folder]
    #[arg(long, global = true, env = "EARMARK_GRAPH_CACHE", value_name = "DIR")]
    pub(crate) graph_cache: Option<OsString>,
    /// The ffmpeg that decodes what earmark does not: AC-3, WMA, Speex and others; empty for none [default:
    /// searched for in PATH]
    #[arg(long, global = true, env = "EARMARK_FFMPEG", value_name = "FILE")]
    pub(crate) ffmpeg: Option<OsString>,
    /// Do without ffmpeg, and refuse what only it decodes
    #[arg(long, global = true)]
    pub(crate) no_ffmpeg: bool,
    /// Worker threads [default: one a core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) threads: Option<u16>,
    /// Say nothing but results and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

/// For commands that write the index.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(crate) struct WaitArgs {
    /// Where another process writes the index, wait until it is done, or for so many seconds
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
}

/// Listen to sound files and remember what was heard
///
/// Files whose size and modification time have not changed are skipped; moved or renamed ones are recognised
/// by their content. Ctrl-C finishes the batch; run the same command again to go on. Files that cannot be
/// read are listed at the end and not tried again until they change.
///
/// A file `.earmarkignore` in a folder says what to leave out, in the syntax of .gitignore. Clips that are
/// excluded now, by such a file or by --exclude, leave the index. Removed clips get their tags back when
/// their sound is indexed again within a year.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Names that are not UTF-8 are shown with \\xNN for each byte that is not, and may be typed so.")]
pub(crate) struct IndexArgs {
    /// Sound files and folders
    #[arg(required = true, value_name = "PATH", value_parser = sound_path())]
    pub(crate) paths: Vec<PathBuf>,
    /// Remove clips whose files are gone from under these paths. Where a path is gone or a folder
    /// of clips is empty, as when a drive is not mounted, or more than a quarter of a path's clips would go,
    /// nothing is removed, unless it is --prune=all
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true,
        default_missing_value = "careful")]
    pub(crate) prune: Option<PruneHow>,
    /// Only list what would be added, changed or removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Listen to everything again, changed or not
    #[arg(long)]
    pub(crate) force: bool,
    /// Try files again that failed before
    #[arg(long)]
    pub(crate) retry_failed: bool,
    /// Give the clips a tag (may be repeated)
    #[arg(long = "tag", value_name = "TAG", value_parser = parse_tag)]
    pub(crate) tags: Vec<String>,
    /// Leave out paths that match (may be repeated)
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// Take up hidden files and folders too
    #[arg(long)]
    pub(crate) hidden: bool,
    /// Try every file in folders, not only those named like sound files
    #[arg(long)]
    pub(crate) all_files: bool,
    /// Print a summary as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// How to prune.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PruneHow {
    /// Refuse where files may only be out of reach
    Careful,
    /// Remove all clips whose files are gone
    All,
}

impl IndexArgs {
    /// What becomes of clips whose files are gone.
    pub(crate) fn prune(&self) -> Prune {
        match self.prune {
            None => Prune::Never,
            Some(PruneHow::Careful) => Prune::Careful,
            Some(PruneHow::All) => Prune::All,
        }
    }
}

/// Find sounds by words, by example, or both
///
/// Each clip is listed once, with its best matching stretch. Scores are cosines: larger is closer.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark search glass breaking --max-duration 5s
  earmark search --like index-data/sounds/alarms/siren-wail.mp3 --not speech
  earmark search rain --with-tag field --json")]
pub(crate) struct SearchArgs {
    /// What it sounds like, in your words
    #[arg(value_name = "WORDS")]
    pub(crate) words: Vec<String>,
    /// Find sounds like this file (may be repeated)
    #[arg(long, value_name = "FILE", value_parser = sound_path())]
    pub(crate) like: Vec<PathBuf>,
    /// Use the examples from here, as in 12s or 1:30
    #[arg(long, value_name = "TIME", value_parser = parse_seconds, requires = "like")]
    pub(crate) from: Option<f64>,
    /// Use the examples up to here
    #[arg(long, value_name = "TIME", value_parser = parse_seconds, requires = "like")]
    pub(crate) to: Option<f64>,
    /// Keep away from sounds like these words (may be repeated). Words close to the query take its hits away
    /// too; a lower
    /// --not-weight is gentler
    #[arg(long, value_name = "WORDS")]
    pub(crate) not: Vec<String>,
    /// How much the words count
    #[arg(long, value_name = "W", default_value_t = 1.0, value_parser = parse_weight)]
    pub(crate) text_weight: f32,
    /// How much each example counts
    #[arg(long, value_name = "W", default_value_t = 1.0, value_parser = parse_weight)]
    pub(crate) like_weight: f32,
    /// How strongly to keep away from each --not
    #[arg(long, value_name = "W", default_value_t = 0.7, value_parser = parse_weight)]
    pub(crate) not_weight: f32,
    /// Put words into this text, `{}` standing for them, in place of the model's own (may be repeated: their
    /// vectors are averaged)
    #[arg(long = "template", value_name = "TEXT")]
    pub(crate) templates: Vec<String>,
    /// Take words as they are, without the text that the model puts them into (as --template '{}')
    #[arg(long, conflicts_with = "templates")]
    pub(crate) no_prompt: bool,
    /// How many clips to list
    #[arg(short = 'k', long = "top", value_name = "N", default_value_t = 10, value_parser = parse_count)]
    pub(crate) k: usize,
    /// Leave out weaker matches [default: the model's own limit]
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true, value_parser = parse_score)]
    pub(crate) min_score: Option<f32>,
    /// List every matching stretch, not only the best of each clip
    #[arg(long)]
    pub(crate) segments: bool,
    /// Show the sound classes that the query and each hit share
    #[arg(long)]
    pub(crate) explain: bool,
    /// How to search
    #[arg(long, value_enum, default_value_t = SearchMode::Auto, value_name = "HOW")]
    pub(crate) mode: SearchMode,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) format: HitFormatArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SearchMode {
    /// The fastest way that finds at least 99 % of what exact finds
    Auto,
    /// Compare with everything
    Exact,
    /// Use the HNSW graph where there is one (see rebuild --graph)
    Graph,
}

/// Which clips to consider.
#[derive(Debug, Default, ClapArgs)]
#[command(next_help_heading = "Which clips")]
pub(crate) struct FilterArgs {
    /// Only paths that match; without a `/`, file names that match. `*` stays within a folder, `**` does not;
    /// upper and lower case differ
    #[arg(long = "path", value_name = "GLOB")]
    pub(crate) path_glob: Option<String>,
    /// Only clips with this tag (may be repeated: all of them)
    #[arg(long = "with-tag", value_name = "TAG", value_parser = parse_tag)]
    pub(crate) tags: Vec<String>,
    /// Only this format: wav, flac, mp3, ogg and so on, or a file extension that it goes
    /// by (may be repeated: any of them)
    #[arg(long = "in-format", value_name = "FORMAT", value_parser = parse_format)]
    pub(crate) formats: Vec<String>,
    /// Only clips at least this long
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub(crate) min_duration: Option<f64>,
    /// Only clips at most this long
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub(crate) max_duration: Option<f64>,
    /// Only clips indexed since then: a date, or how long ago as in 7d or 12h
    #[arg(long, value_name = "WHEN", value_parser = parse_since)]
    pub(crate) since: Option<i64>,
}

/// How to print rows.
#[derive(Debug, ClapArgs)]
#[group(multiple = false, id = "row_format")]
#[command(next_help_heading = "Output")]
pub(crate) struct RowFormatArgs {
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) jsonl: bool,
    /// Comma-separated values with a header
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
    /// A playlist that starts each file at the match
    #[arg(long, conflicts_with_all = ["row_format", "paths0"], help_heading = "Output")]
    pub(crate) m3u: bool,
}

/// Paths alone.
#[derive(Debug, ClapArgs)]
pub(crate) struct PathsArgs {
    /// Only the paths, each ended by a NUL, for `xargs -0`
    #[arg(long, conflicts_with = "row_format", help_heading = "Output")]
    pub(crate) paths0: bool,
}

/// Where labels come from.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false, id = "label_source")]
pub(crate) struct LabelArgs {
    /// Labels, separated by commas
    #[arg(long, value_name = "LIST")]
    pub(crate) labels: Option<String>,
    /// A file of labels: text (`dog: barking; howling`), CSV (label,prompt) or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) labels_file: Option<PathBuf>,
    /// A saved label set: `earmark labels` lists them, `earmark fit` learns one from labelled clips
    #[arg(long, value_name = "NAME")]
    pub(crate) label_set: Option<String>,
}

/// Words to be saved as labels.
#[derive(Debug, ClapArgs)]
#[group(required = true, multiple = false)]
pub(crate) struct LabelWordsArgs {
    /// Labels, separated by commas
    #[arg(long, value_name = "LIST")]
    pub(crate) labels: Option<String>,
    /// A file of labels: text (`dog: barking; howling`), CSV (label,prompt) or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) labels_file: Option<PathBuf>,
}

/// Label clips with any words
///
/// The answer is the label that fits best, with its probability among the labels given, or none of them when
/// nothing fits: with words, when "none of these" is more probable; with a fitted set, when the best label is
/// below the limit that was found on held-out clips. With --multi each label is judged by itself.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark classify index-data/sounds/animals --labels \"dog, cat, bird\"
  earmark classify --indexed --labels-file labels.csv --csv
  earmark classify clip.wav --label-set machines --threshold 0.6
  curl -s https://example.org/clip.ogg | earmark classify - --labels \"rain, applause\" --multi")]
pub(crate) struct ClassifyArgs {
    /// Sound files and folders; `-` reads a sound file from standard input
    #[arg(value_name = "FILE", required_unless_present = "indexed", conflicts_with = "indexed",
        value_parser = sound_path())]
    pub(crate) files: Vec<PathBuf>,
    /// Classify the clips in the index instead, without decoding anything again
    #[arg(long)]
    pub(crate) indexed: bool,
    #[command(flatten)]
    pub(crate) labels: LabelArgs,
    /// Put labels into this text, `{}` standing for the label (may be repeated: their vectors are averaged)
    #[arg(long = "template", value_name = "TEXT")]
    pub(crate) templates: Vec<String>,
    /// Judge each label by itself: any number of them may fit
    #[arg(long)]
    pub(crate) multi: bool,
    /// Probability that the best label must reach, else the answer is none of these; with --multi, from which
    /// each label counts as heard [default: see above; with --multi 0.5, or each label's own in a fitted set]
    #[arg(long, value_name = "P", value_parser = parse_probability)]
    pub(crate) threshold: Option<f32>,
    /// How many labels to show for each clip
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) top: Option<usize>,
    /// Over long files: mean (what it is about), max (whether it is heard at all), attention (between the
    /// two)
    #[arg(long, value_name = "HOW", default_value = "mean", value_parser = ["mean", "max", "attention"])]
    pub(crate) pooling: String,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) format: RowFormatArgs,
}

/// Tell when something is heard
///
/// Short windows slide over the recording; an event of a label begins where its probability reaches the
/// threshold. With `mini`, labels that are alike compete: of "animal" and "dog bark" the weaker one may be
/// lost. Defaults depend on the model; `earmark models show NAME` lists them.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark events index-data/sounds/events/dog-in-rain.wav --labels \"dog bark, rain\"
  earmark events night.flac --labels \"owl, car\" --audacity > labels.txt")]
pub(crate) struct EventsArgs {
    /// A sound file; `-` reads one from standard input
    #[arg(value_name = "FILE", value_parser = sound_path())]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) labels: LabelArgs,
    /// Put labels into this text, `{}` standing for the label (may be repeated)
    #[arg(long = "template", value_name = "TEXT")]
    pub(crate) templates: Vec<String>,
    /// Probability at which an event begins [default: 0.5; each label's own in a fitted set]
    #[arg(long, value_name = "P")]
    pub(crate) threshold: Option<f32>,
    /// Probability below which it ends [default: the model's share of the threshold]
    #[arg(long, value_name = "P")]
    pub(crate) release: Option<f32>,
    /// Time between windows [default: the model's]
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub(crate) hop: Option<f64>,
    /// Length of the median filter over scores; 0 for none [default: the model's]
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub(crate) smooth: Option<f64>,
    /// Drop shorter events [default: the model's]
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub(crate) min_duration: Option<f64>,
    /// Join events of a label that are closer than this [default: the model's]
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
    /// An Audacity label track
    #[arg(long, conflicts_with = "row_format", help_heading = "Output")]
    pub(crate) audacity: bool,
}

/// Tag sounds with a model's fixed classes
///
/// ced-tiny, the default, knows the 527 classes of AudioSet; yamnet 521 of them, in windows of a second;
/// musicnn 50 words for music. All three are bundled. `earmark models list` shows them all. For words of your
/// own there is `earmark classify`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark tag index-data/sounds/events/dog-in-rain.wav
  earmark tag ~/Music --model musicnn --top 3 --csv
  earmark tag night.flac --windows --threshold 0.3")]
pub(crate) struct TagArgs {
    /// Sound files and folders; `-` reads a sound file from standard input
    #[arg(value_name = "FILE", required = true, value_parser = sound_path())]
    pub(crate) files: Vec<PathBuf>,
    /// How many classes to show for each sound
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = parse_count)]
    pub(crate) top: usize,
    /// Probability from which a class counts as heard [default: the model's own]
    #[arg(long, value_name = "P", value_parser = parse_probability)]
    pub(crate) threshold: Option<f32>,
    /// Say what is heard in each of the model's windows
    #[arg(long)]
    pub(crate) windows: bool,
    #[command(flatten)]
    pub(crate) format: RowFormatArgs,
}

/// Measure how good a model is on labelled sounds
///
/// Knows the layouts of ESC-50, UrbanSound8K, GTZAN, VocalSound, Speech Commands, AudioSet, FSD50K, AudioCaps
/// and Clotho; a folder a class; a CSV or TSV table with a column `file` and `label`, `labels` (joined by
/// `;`), `caption`, or `onset`, `offset` and `label`. Missing and broken files are named in the report.
/// Vectors come from the index where it has the file unchanged; others are kept in the cache folder, so that
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
    /// The dataset: its folder, or a table
    #[arg(value_name = "PATH", value_parser = sound_path())]
    pub(crate) path: PathBuf,
    /// Its layout: esc50, esc10, urbansound8k, gtzan, vocalsound, speech-commands, audioset, fsd50k,
    /// audiocaps, clotho, folders, csv, mapping or text-files (a caption in a .txt beside each sound)
    /// [default: told by what is there]
    #[arg(long, value_name = "LAYOUT")]
    pub(crate) kind: Option<Layout>,
    /// What to ask, of a table that says several things
    #[arg(long, value_enum, value_name = "TASK")]
    pub(crate) task: Option<EvalTask>,
    /// Its split, or `all` [default: the one that the field reports]
    #[arg(long, value_name = "NAME")]
    pub(crate) split: Option<String>,
    /// The folder that the paths of a table start from [default: the table's own]
    #[arg(long, value_name = "DIR")]
    pub(crate) audio: Option<PathBuf>,
    /// Labels or captions by file name: a table as above whose `file` is a pattern, as in `bd_*`
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
    /// Texts for classes: a name, a tab and a text on each line
    #[arg(long, value_name = "FILE")]
    pub(crate) names: Option<PathBuf>,
    /// Put labels and captions into this text, `{}` standing for them (may be repeated: their vectors are
    /// averaged)
    #[arg(long = "template", value_name = "TEXT")]
    pub(crate) templates: Vec<String>,
    /// Compare templates on the same clips: one a line; several joined by ` | ` are averaged
    #[arg(long, value_name = "FILE")]
    pub(crate) prompts: Option<PathBuf>,
    /// Instead of asking in words, learn from labelled clips as `earmark fit` does and score each clip by a
    /// fit that has not heard it: over so many random folds, or the dataset's `own`
    #[arg(long, value_name = "N|own", value_parser = parse_folds)]
    pub(crate) folds: Option<FoldChoice>,
    /// Keep clips of the same recording in one random fold: a column of the dataset's table, or a regular
    /// expression over file names whose parentheses hold the recording, as in '^(\d+)-' (with a `/` in it,
    /// over paths within the dataset)
    #[arg(long, value_name = "COLUMN|PATTERN", requires = "folds")]
    pub(crate) group_by: Option<GroupBy>,
    /// Score this saved label set, instead of asking in words. The dataset's classes are found among its
    /// labels by name. For clips that the set was not fitted to: on others it looks better than it is
    #[arg(long, value_name = "NAME", conflicts_with_all = ["folds", "prompts", "templates"])]
    pub(crate) label_set: Option<String>,
    /// Evaluate a random sample of so many clips
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) limit: Option<usize>,
    /// Decides the sample and the random folds
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Write report.html and report.json into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The report as one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Exit with 3 if anything could not be evaluated
    #[arg(long)]
    pub(crate) strict: bool,
}

/// What is asked of each clip.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum EvalTask {
    /// One label a clip
    Label,
    /// Any number of labels a clip
    Labels,
    /// Captions: retrieval both ways
    Captions,
    /// When something is heard
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

/// Say what is in the index, or what a sound file is
#[derive(Debug, ClapArgs)]
pub(crate) struct InfoArgs {
    /// A sound file [default: the index itself]
    #[arg(value_name = "FILE", value_parser = sound_path())]
    pub(crate) file: Option<PathBuf>,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// List the clips in the index
#[derive(Debug, ClapArgs)]
pub(crate) struct ListArgs {
    /// List the files that could not be indexed, with reasons, instead
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

/// Take clips out of the index (never touches the files)
///
/// Out of all its spaces, unless --model names one. Their tags are kept for a year: a clip whose sound is
/// indexed again has them again.
#[derive(Debug, ClapArgs)]
pub(crate) struct RemoveArgs {
    /// Files, or folders with all that is in them
    #[arg(value_name = "PATH", value_parser = sound_path(), required_unless_present_any = [
        "path_glob", "tags", "formats", "min_duration", "max_duration", "since",
    ])]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Check the whole index, and that every segment is found by its own vector
///
/// In an index of more than 40 000 segments a sample of them is searched for, and the report says how many.
#[derive(Debug, ClapArgs)]
pub(crate) struct VerifyArgs {
    /// Check every space, not only the current one
    #[arg(long)]
    pub(crate) all: bool,
    /// Also check that every clip's file is still there
    #[arg(long)]
    pub(crate) files: bool,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Rebuild the files that searches read, from the index's store
///
/// Also ends the message that batches were lost, once `earmark index` has put them back.
#[derive(Debug, ClapArgs)]
pub(crate) struct RebuildArgs {
    /// Build an HNSW graph instead, for large indexes: minutes for 100 000 segments. Searches use it where it
    /// finds at least 99 % of the ten best. Ctrl-C keeps what was built; run the same command again to go on
    #[arg(long)]
    pub(crate) graph: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Write the index as JSON Lines and a NumPy matrix
///
/// Three files: `header.json`, `clips.jsonl` and `vectors.npy` (float32, one row of unit length a segment).
#[derive(Debug, ClapArgs)]
pub(crate) struct ExportArgs {
    /// A new or empty folder. Until the export is whole, it is in the folder `.earmark-export` there
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// Read what `export` wrote into an index
///
/// The clips go into the space of the model that they were exported from, which is made if it is not there.
/// Clips at the same paths are replaced.
#[derive(Debug, ClapArgs)]
pub(crate) struct ImportArgs {
    /// The folder that was written
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// Embed every clip of the index with another model, or another version of the model
///
/// The new vectors go into a space beside the old one, which can be searched meanwhile; at the end the new
/// space becomes the current one. Ctrl-C finishes the batch; run the same command again to go on. The default
/// is the model that made the current space, as it is here now.
#[derive(Debug, ClapArgs)]
pub(crate) struct ReembedArgs {
    /// Leave the current space current
    #[arg(long)]
    pub(crate) no_switch: bool,
    /// Switch even if some files are gone or fail, without them
    #[arg(long, conflicts_with = "no_switch")]
    pub(crate) partial: bool,
    /// Print a summary as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) wait: WaitArgs,
}

/// The spaces of the index: the vectors of several models side by side
///
/// One space is current: commands use it unless --model names another. `earmark index --model NAME` and
/// `earmark reembed` make spaces.
#[derive(Debug, ClapArgs)]
pub(crate) struct SpacesArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SpacesCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SpacesCommand {
    /// List them (the default); the current one has a star
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Make one current
    Use {
        /// Its name, or its model's
        name: String,
    },
    /// Delete one that is not current (never touches the sound files)
    Drop {
        /// Its name, or its model's
        name: String,
    },
}

/// The models that can be used, and getting more
///
/// Some are bundled. Others are downloaded (`pull`), brought on a disk (`import`) or made from their original
/// checkpoint (`export`). Your own: every folder with a manifest.toml in the `models` folder of earmark's
/// config folder.
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
    /// List all that are known: kind, size, room on disk, licence, state
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show one, and check its files
    Show {
        /// Its name
        name: String,
        /// The manifest as JSON
        #[arg(long)]
        json: bool,
    },
    /// Download models, try them, and install them
    ///
    /// Downloads go on where they were cut, are checked before use, and are shared with the hub's own tools
    /// through their cache. Read from the environment, as by those tools: HF_ENDPOINT, HF_TOKEN, HF_HOME,
    /// HF_HUB_CACHE, HF_HUB_OFFLINE, HF_HUB_DOWNLOAD_TIMEOUT, HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY.
    Pull {
        /// Their names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// In this precision: fp32, fp16 or int8. `models list` names those that there are
        #[arg(long, value_name = "PRECISION")]
        precision: Option<Precision>,
    },
    /// Install models from a disk, for machines without a network
    ///
    /// A folder or archive with a manifest.toml is installed as it is. Otherwise files of known models are
    /// recognised by their checksums, whatever their names; what is not complete is kept until the rest
    /// comes.
    Import {
        /// A folder, a file, or a .tar or .tar.gz archive
        #[arg(value_name = "PATH")]
        path: PathBuf,
        /// They are the files of this known model, by their names; checksums that are not known are filled in
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
        /// Give the model another name, and take its files as they are: for a model that you made of a known
        /// one
        #[arg(long = "as-new", value_name = "NAME")]
        as_new: Option<String>,
        /// Of a folder that holds several precisions, as the hub's do: fp32, fp16 or int8 (with --as)
        #[arg(long, value_name = "PRECISION")]
        precision: Option<Precision>,
    },
    /// Try the models that can be used: files, tensors, known vectors
    Verify {
        /// Their names [default: all]
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Delete installed models
    Remove {
        /// Their names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Delete what is only kept to save time: optimised graphs, and what exports left behind
    ///
    /// Never models, nor the hub's cache, which other programs use too.
    Clean,
    /// Tell how to make a model from its original checkpoint, or do it
    ///
    /// Writes the recipe into a folder and prints its steps: Python, with pinned packages in an environment
    /// of its own.
    Export {
        /// Its name
        name: String,
        /// Run the steps with python3, install what comes of it, and delete the Python environment
        #[arg(long)]
        run: bool,
        /// Keep the Python environment, some 5.6 GB, for another export
        #[arg(long, requires = "run")]
        keep: bool,
        /// Give the model another name, so that it stands beside the published one
        #[arg(long = "as-new", value_name = "NAME")]
        as_new: Option<String>,
        /// The folder for the recipe, its packages and the model [default: in earmark's cache folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Words for the recipe itself, as in `-- --checkpoint FILE` for a checkpoint that is on this machine
        #[arg(last = true, value_name = "ARG")]
        words: Vec<String>,
    },
    /// Check manifests, and the models where their files are there
    ///
    /// Says all that is wrong, one field a line, and fails if anything is.
    Check {
        /// Folders with a manifest.toml, or names [default: all that are known]
        #[arg(value_name = "DIR|NAME")]
        models: Vec<String>,
        /// Write sizes and checksums that manifests lack into them first
        #[arg(long)]
        write: bool,
    },
}

/// Serve the index to browsers and programs on the network
///
/// The page is at the address that is printed, the API under /v1, its reference at /docs. Only this machine
/// is served unless there are API keys. Settings come from flags, then the environment, then the file of
/// --config, then defaults;
/// --print-config shows what they come to, in the form of that file.
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
    /// A folder that jobs may index, and outside which no file is read, with the name that requests call it
    /// (may be repeated)
    #[arg(long = "root", env = "EARMARK_ROOTS", value_delimiter = ',', value_name = "NAME=DIR", value_parser = parse_root)]
    pub(crate) roots: Vec<(String, PathBuf)>,
    /// Keep uploads in this folder
    #[arg(long, env = "EARMARK_UPLOAD_ROOT", value_name = "DIR")]
    pub(crate) upload_root: Option<PathBuf>,
    /// Serve other machines without API keys
    #[arg(long, env = "EARMARK_INSECURE")]
    pub(crate) insecure: bool,
    /// Set a limit, as in queue=16; --print-config lists them (may be repeated)
    #[arg(long = "limit", env = "EARMARK_LIMITS", value_delimiter = ',', value_name = "NAME=N", value_parser = parse_limit)]
    pub(crate) limits: Vec<(String, f64)>,
    /// Log JSON lines
    #[arg(long, env = "EARMARK_LOG_JSON")]
    pub(crate) log_json: bool,
    /// Settings, as TOML
    #[arg(long, env = "EARMARK_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print the settings and do nothing else
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Make an API key, print it and what to put into the settings, and do nothing else
    #[arg(long, value_name = "NAME")]
    pub(crate) new_key: Option<String>,
    /// What the new key may do; each includes the one before it
    #[arg(long, value_enum, default_value = "read", requires = "new_key")]
    pub(crate) scope: KeyScope,
}

/// What an API key may do.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum KeyScope {
    /// Search, listen, label
    Read,
    /// Change tags and label sets, upload, delete
    Write,
    /// Run jobs, see metrics
    Admin,
}

/// Print a completion script for your shell
///
/// As in `earmark completions bash > /etc/bash_completion.d/earmark`.
#[derive(Debug, ClapArgs)]
pub(crate) struct CompletionsArgs {
    /// Your shell
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
