//! `cargo xtask demo`: the product on the sample sounds, each command shown so that it can be copied.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::setup;
use crate::shell::{Repo, run};

const SOUNDS: &str = "index-data/sounds";
const DATABASE: &str = "index-data/demo.earmark";
/// What is heard when, in the recordings among the sample sounds: `file,start_s,end_s,label`.
const EVENTS: &str = "index-data/events.csv";
/// One of them, as it is named there.
const RECORDING: &str = "sounds/events/evening-at-home.ogg";

/// What each command is for, and its arguments.
const STEPS: &[(&str, &[&str])] = &[
    ("Listen to the sample sounds once", &["index", SOUNDS, "--db", DATABASE]),
    ("Find sounds by describing them", &["search", "a dog barking", "--db", DATABASE, "-k", "3"]),
    (
        "In any words, and see why",
        &["search", "waves at the beach", "--explain", "--db", DATABASE, "-k", "3"],
    ),
    (
        "Find sounds like this one",
        &["search", "--like", "index-data/sounds/alarms/siren-wail.mp3", "--db", DATABASE, "-k", "3"],
    ),
    (
        "Label clips with words of your own",
        &[
            "classify",
            "index-data/sounds/animals/cat-meowing.flac",
            "index-data/sounds/music/church-bell.flac",
            "index-data/sounds/voice/woman-english.flac",
            "--labels",
            "cat, bell, person talking, car engine",
        ],
    ),
    (
        "Or hear what a tagger says, in its own words",
        &[
            "tag",
            "index-data/sounds/animals/dog-barking.wav",
            "index-data/sounds/weather/ocean-waves.mp3",
            "--top",
            "3",
        ],
    ),
];

pub(crate) fn demo(repo: &Repo) -> Result<()> {
    let sounds = repo.root.join(SOUNDS);
    ensure!(sounds.is_dir(), "the sample sounds are missing: {} is not there", sounds.display());
    let runtime = setup::ensure(repo)?;
    run(repo.cargo().args(["build", "--release", "--package", "earmark"]))?;
    forget(repo)?;

    let binary = repo.release_binary();
    // A build folder elsewhere (CARGO_TARGET_DIR) is too far from the checkout for earmark to find .onnxruntime.
    let far = (!binary.starts_with(&repo.root)).then(|| runtime.path());
    if let Some(library) = far {
        eprintln!("$ export ORT_DYLIB_PATH={}", library.display());
    }
    let show = |purpose: &str, args: &[&str]| {
        eprintln!("\n# {purpose}");
        // Run from the root, by the path that can be typed there.
        let mut earmark: Command = repo.command(repo.relative(&binary));
        runtime.given_to(&mut earmark);
        if let Some(library) = far {
            earmark.env("ORT_DYLIB_PATH", library);
        }
        run(earmark.args(args))
    };
    for (purpose, args) in STEPS {
        show(purpose, args)?;
    }
    let table = repo.root.join(EVENTS);
    let table = fs::read_to_string(&table).with_context(|| format!("cannot read {}", table.display()))?;
    let truth = truth(&table, RECORDING);
    ensure!(!truth.is_empty(), "{EVENTS} has nothing about {RECORDING}");
    let labels: Vec<&str> = truth.iter().map(|(.., label)| *label).collect();
    let file = format!("index-data/{RECORDING}");
    show("Learn when something is heard", &["events", &file, "--labels", &labels.join(", ")])?;
    eprintln!("\n# For comparison, what was put into it ({EVENTS}):");
    for (start_s, end_s, label) in truth {
        eprintln!("#   {start_s:>6} s to {end_s:>6} s  {label}");
    }
    eprintln!("\nTry your own: {} search \"…\" --db {DATABASE}", repo.relative(&binary).display());
    Ok(())
}

/// Removes the database of an earlier demo, so that every demo shows the same.
fn forget(repo: &Repo) -> Result<()> {
    let database = repo.root.join(DATABASE);
    match fs::remove_dir_all(&database) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", database.display()))
        }
        _ => Ok(()),
    }
}

/// What is heard in a recording: start, end, label.
fn truth<'a>(table: &'a str, recording: &str) -> Vec<(&'a str, &'a str, &'a str)> {
    let rows = table.lines().skip(1).map(|line| line.splitn(4, ','));
    rows.filter_map(|mut cells| Some((cells.next()?, cells.next()?, cells.next()?, cells.next()?)))
        .filter(|row| row.0 == recording)
        .map(|(_, start_s, end_s, label)| (start_s, end_s, label))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_is_shown_is_in_the_checkout() -> Result<()> {
        let root = Repo::find()?.root;
        let words = STEPS.iter().flat_map(|(_, args)| args.iter()).filter(|word| word.starts_with(SOUNDS));
        for file in words.copied().chain([EVENTS]) {
            assert!(root.join(file).exists(), "{file}");
        }
        assert!(!truth(&fs::read_to_string(root.join(EVENTS))?, RECORDING).is_empty());
        Ok(())
    }

    #[test]
    fn the_rows_of_one_recording_are_found() {
        let table = "file,start_s,end_s,label\n\
                     sounds/yard.ogg,1.00,2.50,dog\n\
                     sounds/street.mp3,0.00,1.00,siren\n\
                     sounds/yard.ogg,6.00,7.00,bell\n";
        assert_eq!(truth(table, "sounds/yard.ogg"), [("1.00", "2.50", "dog"), ("6.00", "7.00", "bell")]);
        assert!(truth(table, "sounds/no.ogg").is_empty());
    }
}
