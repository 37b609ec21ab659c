//! `cargo xtask api`: the API against its own document, with requests that nobody thought of.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::python;
use crate::served::Served;
use crate::shell::{Repo, run};

/// How many requests an operation gets in each phase unless an argument says so.
const EXAMPLES: u32 = 50;

/// Checks that some operations are not held to.
const CONFIGURATION: &str = "tests/server/schemathesis.toml";

/// Not checked: that every request which is valid by the document is accepted, since a schema cannot say "a cursor of this
/// list" or "bytes that are a sound"; and the stream of a job's events, which lasts as long as the job.
const LEFT_OUT: [&str; 4] =
    ["--exclude-checks", "positive_data_acceptance", "--exclude-path-regex", "jobs/.*/events"];

pub(crate) fn api(repo: &Repo, args: &[String]) -> Result<()> {
    let examples = match args {
        [] => EXAMPLES,
        [number] => number.parse().with_context(|| format!("expected how many requests, got {number:?}"))?,
        _ => bail!("expected one number, got {} arguments", args.len()),
    };
    let python = python::environment(repo, Path::new("api-venv"), "tests/server/requirements.txt")?;
    let mut served = Served::start(repo, "api")?;
    let mut schemathesis = repo.command(python.with_file_name("st"));
    // It keeps notes of its own where it runs. The seed makes a failure of CI's one that can be seen again.
    schemathesis.current_dir(&served.folder).arg("--config-file").arg(repo.root.join(CONFIGURATION));
    schemathesis.arg("run").arg(format!("{}/openapi.json", served.url));
    schemathesis.args([
        "--url",
        &served.url,
        "--request-timeout",
        "20",
        "--seed",
        "1",
        "--continue-on-failure",
    ]);
    schemathesis.args(["--max-examples", &examples.to_string()]).args(LEFT_OUT);
    run(&mut schemathesis)?;
    served.still_runs()
}
