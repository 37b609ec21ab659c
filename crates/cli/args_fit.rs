//! The command line of `fit`, `adapt` and `labels`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use earmark_eval::datasets::GroupBy;

use crate::args::LabelWordsArgs;
use crate::units::{parse_fold_count, parse_probability, sound_path};

/// Learn labels from a few labelled clips
///
/// Takes the clips' vectors from the index where it has the files unchanged. Two kinds of head are tried: the
/// mean of each class's clips mixed with the words of its name (prototypes), and logistic regression that
/// starts from the words (linear). Clips that were held out choose the kind, calibrate its probabilities, and
/// set the limit below which the answer is none of these, and each label's threshold for --multi and events.
/// The figures are of clips on which nothing was decided, beside what the words alone do on the same clips.
/// The set that is saved works with this model only.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark fit ~/my-sounds --save machines
  earmark fit labels.csv --audit --group-by recording
  earmark classify clip.wav --label-set machines
  earmark events night.flac --label-set machines")]
pub(crate) struct FitArgs {
    /// Labelled clips: a folder with a folder a class, a CSV table (file,label), or a dataset that `earmark eval` knows
    #[arg(value_name = "LABELLED", value_parser = sound_path())]
    pub(crate) labelled: PathBuf,
    /// Save the label set under this name, beside the index; a set of that name is replaced [default: only tell]
    #[arg(long, value_name = "NAME")]
    pub(crate) save: Option<String>,
    /// auto (prototypes, unless linear does clearly better on held-out clips), prototypes or linear
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = ["auto", "prototypes", "linear"])]
    pub(crate) method: String,
    /// How much the words count, 0 to 1 [default: what does best on held-out clips]
    #[arg(long, value_name = "W", value_parser = parse_probability)]
    pub(crate) text_weight: Option<f32>,
    /// Texts for classes: a name, a tab and a text on each line [default: the classes' own names]
    #[arg(long, value_name = "FILE")]
    pub(crate) names: Option<PathBuf>,
    /// Put the words into this text, `{}` standing for them (may be repeated: their vectors are averaged)
    #[arg(long = "template", value_name = "TEXT")]
    pub(crate) templates: Vec<String>,
    /// Parts for cross-validation; a dataset's own folds are kept whole, or recordings (--group-by)
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = parse_fold_count)]
    pub(crate) folds: usize,
    /// Decides which clips are in which part
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Keep clips of the same recording in one part: a column of the table, or a regular expression over file
    /// names whose parentheses hold the recording, as in '^(\d+)-' (with a `/` in it, over paths within the
    /// folder)
    #[arg(long, value_name = "COLUMN|PATTERN")]
    pub(crate) group_by: Option<GroupBy>,
    /// Take classes to be as frequent as among these clips, not all alike
    #[arg(long)]
    pub(crate) keep_frequencies: bool,
    /// List the clips whose label the fit doubts, the most doubtful first
    #[arg(long)]
    pub(crate) audit: bool,
    /// One JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Fit a label set to a place, by listening to it, without labels
///
/// A room, a microphone or a street in the background moves all sounds alike. This learns how from recordings of the place,
/// and corrects the label set for it. It takes for granted that the labels are about equally frequent there; a place with
/// few of them is better left alone. The set keeps what it was: --undo takes the correction back.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark adapt machines ~/recordings/hall-2
  earmark adapt machines --undo")]
pub(crate) struct AdaptArgs {
    /// A saved label set
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Recordings of the place: sound files and folders, ten pieces of about five seconds at least
    #[arg(value_name = "PATH", value_parser = sound_path(), required_unless_present = "undo",
        conflicts_with = "undo")]
    pub(crate) paths: Vec<PathBuf>,
    /// Take back what was adapted
    #[arg(long)]
    pub(crate) undo: bool,
}

/// The saved label sets, which `classify`, `events` and the server use by name
#[derive(Debug, ClapArgs)]
pub(crate) struct LabelsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<LabelsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LabelsCommand {
    /// List them (the default)
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show one
    Show {
        /// Its name
        name: String,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Save words as a set; a set of words of that name is replaced
    Save {
        /// Its name
        name: String,
        #[command(flatten)]
        labels: LabelWordsArgs,
        /// Put labels into this text, `{}` standing for the label (may be repeated)
        #[arg(long = "template", value_name = "TEXT")]
        templates: Vec<String>,
        /// Replace a set that was fitted to clips too, which is lost then
        #[arg(long)]
        replace: bool,
    },
    /// Delete one
    Delete {
        /// Its name
        name: String,
    },
    /// Accept the file of label sets as it is, after something other than earmark changed or deleted it
    Accept,
}
