//! What to do about an error, in the words of the command line: its flags and commands. The floors below know
//! neither; their errors are data.

use earmark_encoder::{EncoderError, Recipe, Verdict, Way};
use earmark_engine::{EngineError, LabelSetsFault};
use earmark_eval::EvalError;
use earmark_hub::InstallError;
use earmark_index::{Error as IndexError, IndexEvent};
use earmark_library::Error as LibraryError;
use earmark_server::{ConfigError, ServeError};

/// Fields of requests whose flags are not called as they are, and those flags.
const FLAGS: &[(&str, &str)] = &[
    ("end_s", "--to"),
    ("exclude", "--except"),
    ("filter", "--path"),
    ("filter.formats", "--in-format"),
    ("filter.indexed_since", "--since"),
    ("filter.max_duration_s", "--max-duration"),
    ("filter.min_duration_s", "--min-duration"),
    ("filter.tags", "--with-tag"),
    ("formats", "--in-format"),
    ("hop_s", "--hop"),
    ("indexed_since", "--since"),
    ("k", "--top"),
    ("max_duration_s", "--max-duration"),
    ("merge_gap_s", "--merge-gap"),
    ("min_duration_s", "--min-duration"),
    ("smooth_s", "--smooth"),
    ("start_s", "--from/--to"),
    ("templates", "--template"),
];

/// Fields whose flags are called as they are, but for hyphens.
const PLAIN: &[&str] = &[
    "db",
    "device",
    "diversity",
    "ffmpeg",
    "folds",
    "group_by",
    "label_set",
    "mapping",
    "method",
    "min_score",
    "model",
    "names",
    "pooling",
    "release",
    "split",
    "task",
    "text_weight",
    "threshold",
    "top",
];

/// The flag that sets a field of a request; `None` for what is an argument, or no field of the command line.
fn flag(field: &str) -> Option<String> {
    if let Some((_, flag)) = FLAGS.iter().find(|(name, _)| *name == field) {
        return Some((*flag).to_owned());
    }
    PLAIN.contains(&field).then(|| format!("--{}", field.replace('_', "-")))
}

/// A cause in words, with the flag in place of a field.
pub(crate) fn in_words(cause: &(dyn std::error::Error + 'static)) -> String {
    let (field, reason) = if let Some(e) = cause.downcast_ref::<LibraryError>() {
        (e.field().map(str::to_owned), e.reason())
    } else {
        match cause.downcast_ref::<EngineError>() {
            Some(EngineError::Setting { field, expected, received }) => {
                (Some((*field).to_owned()), format!("expected {expected}, got {received}"))
            }
            _ => match cause.downcast_ref::<EvalError>() {
                Some(EvalError::Setting { field, expected, received }) => {
                    (Some((*field).to_owned()), format!("expected {expected}, got {received}"))
                }
                _ => return cause.to_string(),
            },
        }
    };
    // What names a file or says all by itself needs no field.
    match field.as_deref().map(|field| (field, flag(field))) {
        Some(("start_s", Some(flag))) if reason.starts_with("expected") => format!("{flag}: {reason}"),
        Some((field, Some(flag))) if field != "filter" && field != "model" && field != "start_s" => {
            format!("{flag}: {reason}")
        }
        _ if field.as_deref().is_some_and(|field| field.starts_with("query")) => reason,
        _ => cause.to_string(),
    }
}

/// What to do about an error; `None` if its own words say it, or there is nothing to be done.
pub(crate) fn remedy(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(of_cause)
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(e) = cause.downcast_ref::<LibraryError>() {
        return of_library(e);
    }
    if let Some(e) = cause.downcast_ref::<EngineError>() {
        return of_engine(e);
    }
    if let Some(e) = cause.downcast_ref::<IndexError>() {
        return of_index(e);
    }
    if let Some(e) = cause.downcast_ref::<EncoderError>() {
        return of_encoder(e);
    }
    if let Some(e) = cause.downcast_ref::<InstallError>() {
        return of_install(e);
    }
    if let Some(e) = cause.downcast_ref::<EvalError>() {
        return of_eval(e);
    }
    match cause.downcast_ref::<ServeError>() {
        Some(ServeError::Library(e)) => return of_library(e),
        Some(_) => return None,
        None => {}
    }
    match cause.downcast_ref::<ConfigError>()? {
        ConfigError::Open { .. } => Some(
            "make a key with `earmark serve --new-key NAME`, listen on 127.0.0.1, or add --insecure"
                .to_owned(),
        ),
        _ => None,
    }
}

fn of_library(e: &LibraryError) -> Option<String> {
    match e {
        LibraryError::Engine(e) => of_engine(e),
        LibraryError::ModelGone { .. } => Some(
            "name its folder with --model, or embed the sounds with another model: `earmark reembed --model NAME`"
                .to_owned(),
        ),
        LibraryError::Field { field, reason } if field == "db" && !reason.contains("postgres") && !reason.contains("password") => {
            Some("--db names a folder of its own".to_owned())
        }
        _ => None,
    }
}

fn of_engine(e: &EngineError) -> Option<String> {
    match e {
        EngineError::Index(e) => of_index(e),
        EngineError::Encoder(e) => of_encoder(e),
        EngineError::LabelSetOfOtherModel { made_with, here, .. } => {
            let again = "make it again with this model";
            Some(match made_with.model_id == here.model_id {
                true => again.to_owned(),
                false => format!("add --model {}, or {again}", made_with.model_id),
            })
        }
        EngineError::LabelSets { fault: LabelSetsFault::List, .. } => {
            Some("`earmark labels accept` takes it as it is".to_owned())
        }
        EngineError::LabelSets { fault: LabelSetsFault::Content, .. } => {
            Some("`earmark fit` or `earmark adapt` makes it".to_owned())
        }
        EngineError::Transfer { reason, .. } if reason.contains("exported index") => {
            Some("`earmark export` writes one".to_owned())
        }
        _ => None,
    }
}

fn of_index(e: &IndexError) -> Option<String> {
    let words = match e {
        IndexError::Locked { .. } => "wait for it with --wait, or stop it",
        IndexError::Unpublished { .. } => "run `earmark rebuild` once where the folder can be written",
        IndexError::Published { .. } | IndexError::PublishedVersion { .. } => {
            "`earmark rebuild` makes it again from the index's store"
        }
        IndexError::ModelMismatch { .. } => {
            "`earmark reembed` makes vectors of that model beside the old ones, or run with the model that made them"
        }
        IndexError::Corrupt { .. } => {
            "`earmark export FOLDER` saves what can be searched; then restore the index from a backup, or import the \
             export into a new one"
        }
        IndexError::OldTables { .. } => "`earmark db migrate` brings them to it; nothing is lost",
        IndexError::NotFound { .. } => "create one with `earmark index`, or name another with --db",
        IndexError::UnknownSpace { .. } => "`earmark reembed --model NAME` makes those of another model",
        IndexError::NoCurrentSpace { .. } => "`earmark spaces use NAME` makes one of them current",
        IndexError::CurrentSpace { .. } => {
            "`earmark spaces use NAME` makes another current, then it can be dropped"
        }
        _ => return None,
    };
    Some(words.to_owned())
}

fn of_encoder(e: &EncoderError) -> Option<String> {
    match e {
        EncoderError::NotInstalled { model, way: Way::Download } => {
            Some(format!("`earmark models pull {model}` downloads it"))
        }
        EncoderError::NotInstalled { model, way: Way::Export } => {
            Some(format!("`earmark models export {model}` says how"))
        }
        EncoderError::Foreign { path, recipe: Some(Recipe { model, name }), .. } => {
            let quoted = path.display().to_string().replace('\'', r"'\''");
            Some(format!("`earmark models export {model} --run --as-new {name} -- --checkpoint '{quoted}'` does it"))
        }
        EncoderError::Unpinned { .. } => Some("`earmark models import DIR` does".to_owned()),
        EncoderError::RuntimeMissing { .. } => Some("--onnxruntime names one".to_owned()),
        EncoderError::DeviceNotOffered { .. } => Some(
            "--onnxruntime names one (for `cuda`, `cargo xtask setup --gpu` fetches it); or use --device auto"
                .to_owned(),
        ),
        EncoderError::DeviceDiffers { .. } => Some("use --device cpu".to_owned()),
        EncoderError::NoSuchSide { side: "text side", .. } => Some("--like searches by example".to_owned()),
        EncoderError::NoSuchSide { .. } => Some("`earmark classify` labels with any words".to_owned()),
        _ => None,
    }
}

fn of_install(e: &InstallError) -> Option<String> {
    match e {
        InstallError::Encoder(e) => of_encoder(e),
        InstallError::NotInstalled { .. } => Some("`earmark models list` says which are".to_owned()),
        InstallError::NotDownloadable { model, has_recipe: true, .. } => {
            Some(format!("`earmark models export {model}` says how to make it from the original checkpoint"))
        }
        InstallError::NotDownloadable { source_of, .. } => {
            Some(format!("`earmark models import` takes files from a disk ({source_of})"))
        }
        InstallError::NoRecipe { other: Some(other), .. } => {
            Some(format!("`earmark models export {other}` makes it in another precision"))
        }
        InstallError::NoRecipe { model, is_downloadable: true, .. } => {
            Some(format!("`earmark models pull {model}` downloads it"))
        }
        InstallError::NameTaken { model } => Some(format!("`earmark models remove {model}` removes it")),
        InstallError::NoManifest { .. } => Some(
            "--as NAME --as-new NEW takes files of the known model NAME by their names, and gives the result the name \
             NEW"
                .to_owned(),
        ),
        InstallError::PrecisionOfWhat { .. } => {
            Some("add --as NAME, such as --as clap-htsat-unfused".to_owned())
        }
        InstallError::NothingRecognised { .. } => Some("--as NAME takes files by their names".to_owned()),
        InstallError::SelfTest { report, .. } => {
            let files = |check: &earmark_encoder::Check| check.name == "files" && check.verdict == Verdict::Failed;
            report
                .checks
                .iter()
                .any(files)
                .then(|| "made by yourself? give it another name: --as-new NAME".to_owned())
        }
        _ => None,
    }
}

fn of_eval(e: &EvalError) -> Option<String> {
    match e {
        EvalError::Engine(e) => of_engine(e),
        EvalError::Index(e) => of_index(e),
        EvalError::Setting { field: "folds", received, .. } if received.contains("how many folds") => {
            Some("as in --folds 5".to_owned())
        }
        EvalError::Dataset { reason, .. } if reason.contains("which layout") => {
            Some("--kind names the layout, --mapping gives labels".to_owned())
        }
        EvalError::Dataset { reason, .. } if reason.contains("one label a clip") => {
            Some("--task label takes the first".to_owned())
        }
        EvalError::Dataset { reason, .. } if reason.contains("a file of names") => {
            Some("--names names it".to_owned())
        }
        _ => None,
    }
}

/// What to do about something that happened to the index.
pub(crate) fn of_event(event: &IndexEvent) -> Option<&'static str> {
    match event {
        IndexEvent::BatchesLost { .. } => Some(
            "`earmark index` of the same folders puts them back, then `earmark rebuild` ends this message",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn every_flag_that_is_named_exists() {
        let command = crate::args::Args::command();
        let known: Vec<String> = command
            .get_subcommands()
            .chain([&command])
            .flat_map(|command| command.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)))
            .collect();
        let named = FLAGS.iter().map(|(field, _)| *field).chain(PLAIN.iter().copied());
        for flag in named.filter_map(flag).flat_map(|flags| {
            flags.split('/').map(|flag| flag.trim_start_matches("--").to_owned()).collect::<Vec<_>>()
        }) {
            assert!(known.contains(&flag), "there is no --{flag}");
        }
    }
}
