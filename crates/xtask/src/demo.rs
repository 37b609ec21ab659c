//! `cargo xtask demo`: the product on the sample sounds, each command shown so that it can be copied.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::setup;
use crate::shell::{Repo, run};

const SOUNDS: &str = "index-data/sounds";
const DATABASE: &str = "index-data/demo.earmark";

/// What is shown: a line to say what the command is for, and its arguments.
const STEPS: &[(&str, &[&str])] = &[
    ("Index the sample sounds", &["index", SOUNDS, "--db", DATABASE]),
    ("Find sounds by describing them", &["search", "a dog barking", "--db", DATABASE, "-k", "3"]),
    ("… in any words", &["search", "heavy rain on a roof", "--db", DATABASE, "-k", "3"]),
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
        println!("$ export ORT_DYLIB_PATH={}", library.display());
    }
    for (purpose, args) in STEPS {
        println!("\n# {purpose}");
        // Run from the root, by the path that can be typed there.
        let mut earmark: Command = repo.command(repo.relative(&binary));
        runtime.given_to(&mut earmark);
        if let Some(library) = far {
            earmark.env("ORT_DYLIB_PATH", library);
        }
        run(earmark.args(*args))?;
    }
    println!("\nTry your own: {} search \"…\" --db {DATABASE}", repo.relative(&binary).display());
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
