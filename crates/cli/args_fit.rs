//! The command line of `fit`, `adapt` and `labels`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use earmark_eval::datasets::GroupBy;

use crate::args::LabelWordsArgs;
use crate::units::{parse_fold_count, parse_probability, sound_path};

/// Learn labels from a few labelled clips
///
/// Two methods are tried: the mean of each class's clips, mixed with the words of its name (prototypes), and
/// logistic regression that starts from the words (linear). Held-out clips decide which method is used,
/// calibrate the probabilities, and set the limit for "none of these" and each label's threshold for --multi
/// and events. The printed figures are cross-validated, next to those of the words alone on the same clips.
/// Vectors of unchanged files come from the index. A saved set works only with the model it was fitted for.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  earmark fit ~/my-sounds --save machines
  earmark fit labels.csv --audit --group-by recording
  earmark classify clip.wav --label-set machines
  earmark events night.flac --label-set machines")]
pub(crate) struct FitArgs {
    /// Labelled clips: a folder with one subfolder per class, a CSV table (file,label), or a dataset that
    /// `earmark eval` reads
    #[arg(value_name = "LABELLED", value_parser = sound_path())]
    pub(crate) labelled: PathBuf,
    /// Save the label set under this name next to the index, replacing any set of that name [default: only
    /// report]
    #[arg(long, value_name = "NAME")]
    pub(crate) save: Option<String>,
    /// Method: prototypes, linear, or auto (prototypes, unless linear is clearly better on held-out clips)
    #[arg(long, value_name = "HOW", default_value = "auto", value_parser = ["auto", "prototypes", "linear"])]
    pub(crate) method: String,
    /// Weight of the words, 0 to 1 [default: the best on held-out clips]
    #[arg(long, value_name = "W", value_parser = parse_probability)]
    pub(crate) text_weight: Option<f32>,
    /// Texts for classes: one class per line, as name, tab, text [default: the names of the classes]
    #[arg(long, value_name = "FILE")]
    pub(crate) names: Option<PathBuf>,
    /// Sentence to put the words into, where `{}` stands for them (repeatable; the vectors are averaged)
    #[arg(long = "template", value_name = "TEXT")]
    pub(crate) templates: Vec<String>,
    /// Number of folds for cross-validation; a dataset's own folds, or recordings (--group-by), are not split
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = parse_fold_count)]
    pub(crate) folds: usize,
    /// Seed for the assignment of clips to folds
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Keep clips of one recording in the same fold. Either a column of the table, or a regular expression
    /// whose first group is the recording, such as '^(\d+)-'; it is matched against file names, or against
    /// paths within the folder if it has a `/`
    #[arg(long, value_name = "COLUMN|PATTERN")]
    pub(crate) group_by: Option<GroupBy>,
    /// Assume that classes are as frequent as among these clips, instead of equally frequent
    #[arg(long)]
    pub(crate) keep_frequencies: bool,
    /// List clips whose label looks wrong, the most doubtful first
    #[arg(long)]
    pub(crate) audit: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Adapt a label set to a place from recordings without labels
///
/// A room, a microphone or a street in the background changes all sounds in the same way. This command learns
/// how from recordings of the place, and corrects the label set for it. It assumes that the labels are about
/// equally frequent there; do not use it where only a few of them occur. --undo removes the correction.
#[derive(Debug, ClapArgs)]
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

/// List, show, save and delete label sets
///
/// `classify`, `events` and the server use saved label sets by name.
#[derive(Debug, ClapArgs)]
pub(crate) struct LabelsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<LabelsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LabelsCommand {
    /// List label sets (the default)
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show a label set
    Show {
        /// Name of the label set
        name: String,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Save words as a label set, replacing a set of words of that name
    Save {
        /// Name of the label set
        name: String,
        #[command(flatten)]
        labels: LabelWordsArgs,
        /// Sentence to put labels into, where `{}` stands for the label (repeatable)
        #[arg(long = "template", value_name = "TEXT")]
        templates: Vec<String>,
        /// Replace a set of that name even if it was fitted to clips
        #[arg(long)]
        replace: bool,
    },
    /// Delete a label set
    Delete {
        /// Name of the label set
        name: String,
    },
    /// Accept the file of label sets as it is, after another program changed or deleted it
    Accept,
}
